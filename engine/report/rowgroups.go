// Row groups: the values of rows in one or two dimensions, numbered across slices.

package report

import (
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// rowGroups is the groups of all slices.
type rowGroups struct {
	dims   []*rowDim
	values [query.BreakdownByMax]groupValues
	byPair map[[2]int32]int32
	groups [][2]int32 // by number of a group: numbers of its values
	room   *read.Room // for them
}

// About what a value and a group take in memory, with their places in goroutines, and a group as a
// row of the answer.
const (
	groupValueBytes = 1 << 7
	groupBytes      = 1 << 8
)

// groupValues is the values of a dimension. Number 0 is that of rows without one.
type groupValues struct {
	byKey map[string]int32
	shown []shownText // by number
	bytes int
}

// shownText is a value: the text of the earliest row, of those that are compared as the same. What
// it lies in stands before it, each followed by dimSep.
type shownText struct {
	text string
	at   moment
}

func newRowGroups(dims []*rowDim, room *read.Room) *rowGroups {
	g := &rowGroups{dims: dims, room: room, byPair: make(map[[2]int32]int32)}
	for i, d := range dims {
		v := &g.values[i]
		v.byKey, v.shown = make(map[string]int32), make([]shownText, 1)
		if d.visit == nil {
			continue
		}
		for n := range d.visit.table.rows {
			row := &d.visit.table.rows[n]
			if v.shown = append(v.shown, shownText{text: row.text}); !row.null {
				v.byKey[d.key(row.text)] = int32(n + 1)
			}
		}
	}
	return g
}

// key returns what is the same for texts that are compared as the same.
func (d *rowDim) key(text string) string {
	if d.fold {
		return query.Fold(text)
	}
	return text
}

// isNull reports whether a number is that of rows without a value. A visit may have none too.
func (g *rowGroups) isNull(i int, n int32) bool {
	return n == 0 || g.dims[i].visit != nil && g.dims[i].visit.table.rows[n-1].null
}

// value returns the number of a value of a slice. add says that a new one is added; else its
// number is -1.
func (g *rowGroups) value(s *sliceGroups, i int, id int32, add bool) (int32, error) {
	d, v := g.dims[i], &g.values[i]
	if d.visit != nil {
		if g.isNull(i, id) {
			return 0, nil
		}
		return id, nil
	}
	if id == 0 {
		return 0, nil
	}
	s.known[i] = grown(s.known[i], int(id))
	if n := s.known[i][id]; n != 0 && (!add || !d.fold) {
		return n - 1, nil
	}
	text := s.texts[i].Text(id - 1)
	n, known := v.byKey[d.key(text)]
	switch {
	case !known && !add:
		return -1, nil
	case !known:
		if v.bytes += len(text); len(v.shown) > query.CounterRowsMax || v.bytes > splitBytesMax {
			return 0, tooManyValues("by")
		}
		if err := g.room.Add(groupValueBytes + int64(len(text))); err != nil {
			return 0, err
		}
		n = int32(len(v.shown))
		text = strings.Clone(text)
		v.byKey[d.key(text)] = n
		v.shown = append(v.shown, shownText{text: text})
	}
	if d.fold && add {
		if shown, at := &v.shown[n], s.least[i][id]; shown.at.seq == 0 || at.before(shown.at) {
			shown.text, shown.at = strings.Clone(text), at
		}
	}
	s.known[i][id] = n + 1
	return n, nil
}

// group returns the number of a group of a slice, see value.
func (g *rowGroups) group(s *sliceGroups, group int32, add bool) (int32, error) {
	var pair [2]int32
	for i := range g.dims {
		n, err := g.value(s, i, s.groups[group][i], add)
		if err != nil || n < 0 {
			return -1, err
		}
		pair[i] = n
	}
	n, known := g.byPair[pair]
	switch {
	case known:
		return n, nil
	case !add:
		return -1, nil
	case len(g.groups) == query.CounterRowsMax:
		return 0, tooManyValues("by")
	}
	if err := g.room.Add(groupBytes); err != nil {
		return 0, err
	}
	n = int32(len(g.groups))
	g.byPair[pair] = n
	g.groups = append(g.groups, pair)
	return n, nil
}

// place returns places[n] for the group n that a group of a slice is; -1 when it is not known.
func (g *rowGroups) place(s *sliceGroups, group int32, places []int32) int32 {
	s.places = grown(s.places, int(group))
	if s.places[group] == 0 {
		s.places[group] = 1
		if n, _ := g.group(s, group, false); n >= 0 {
			s.places[group] = places[n] + 2
		}
	}
	return s.places[group] - 2
}

// text returns a value, and what it lies in.
func (g *rowGroups) text(i int, group int32) (query.Text, []query.InValue) {
	if i >= len(g.dims) {
		return query.Text{}, nil
	}
	n := g.groups[group][i]
	if g.isNull(i, n) {
		return query.Text{Null: true}, nil
	}
	return cutText(g.values[i].shown[n].text, g.dims[i].in)
}

// row returns the texts of a group.
func (g *rowGroups) row(group int32) (row groupText) {
	var inWith []query.InValue
	row.value, row.in = g.text(0, group)
	row.with, inWith = g.text(1, group)
	for _, in := range inWith {
		if !slices.ContainsFunc(row.in, func(have query.InValue) bool { return have.Field == in.Field }) {
			row.in = append(row.in, in)
		}
	}
	return row
}

// groupText is the texts of a group.
type groupText struct {
	value, with query.Text
	in          []query.InValue
}

// groupKey names a group in the rows of any range.
type groupKey [query.BreakdownByMax]query.Text

func (g *rowGroups) key(group int32) (key groupKey) {
	for i, d := range g.dims {
		if n := g.groups[group][i]; g.isNull(i, n) {
			key[i].Null = true
		} else {
			key[i].Text = d.key(g.values[i].shown[n].text)
		}
	}
	return key
}

// find returns the group with a key, -1 when there is none.
func (g *rowGroups) find(key groupKey) int32 {
	var pair [2]int32
	for i := range g.dims {
		if key[i].Null {
			continue
		}
		n, known := g.values[i].byKey[key[i].Text]
		if !known {
			return -1
		}
		pair[i] = n
	}
	if n, known := g.byPair[pair]; known {
		return n
	}
	return -1
}
