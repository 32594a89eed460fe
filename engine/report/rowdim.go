// Row dimensions: what the rows of the log are told apart by.

package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// rowDim is a field of the row, a dimension of the visit that the row is in, or a part of the
// row's time.
type rowDim struct {
	name  string
	field string      // of a field
	in    []string    // fields of the row that the value lies in, outermost first
	fold  bool        // values are compared without case
	order []string    // the values of a dimension with an order of its own, nil for others
	visit *visitSplit // of a dimension of visits
}

// ofVisit returns the dimension of visits that a name means. What no row has by itself is that of
// its visit.
func ofVisit(name string) (d dim, ok bool) {
	of, about := strings.CutPrefix(name, "visit.")
	switch of {
	case "entry", "exit", "new", "length", "depth":
		about = true
	}
	if !about {
		return d, false
	}
	return dimOf(of)
}

// isClock reports whether a name is a part of the row's time.
func isClock(name string) bool { return name == "weekday" || name == "hour" || name == "weekhour" }

// checkRowDim returns an error that wraps query.ErrBadQuery unless rows can be told apart by a name.
func checkRowDim(name string) error {
	if _, ok := ofVisit(name); ok || isClock(name) {
		return nil
	}
	if strings.HasPrefix(name, "visit.") {
		return badDim(name)
	}
	return read.FieldKnown(name)
}

// newRowDim prepares a dimension for the rows of a question. visitsMax is the most visits that it
// keeps.
func newRowDim(rows *read.Rows, name string, where []query.Cond, span query.Span, visitsMax int) (*rowDim, error) {
	if err := checkRowDim(name); err != nil {
		return nil, err
	}
	if isClock(name) {
		return &rowDim{name: name, order: whole[name]}, nil
	}
	if of, ok := ofVisit(name); ok {
		split, err := newVisitSplit(rows, of.name, where, span, visitsMax)
		return &rowDim{name: name, in: of.in, fold: of.fold, order: of.order, visit: split}, err
	}
	d := &rowDim{name: name, field: name, in: inside[name]}
	switch name {
	case "source", "medium", "campaign", "term", "content":
		d.fold = true
	}
	return d, nil
}

// valueReader reads the values of a dimension in the rows of a slice.
type valueReader interface {
	// at returns the numbers of a row's values plus 1; 0 alone = it has none. Rows ascend. The
	// slice is valid until the next call.
	at(row int) []int32
}

// reader returns the reader of a slice. texts numbers what it finds, but for a dimension of
// visits, whose numbers are those of d.visit.
func (d *rowDim) reader(s *read.Slice, zone *time.Location, texts *read.Terms) valueReader {
	switch {
	case d.visit != nil:
		return &visitValues{sessions: s.Ints(event.IntSession), split: d.visit}
	case d.field == "":
		return &clockValues{name: d.name, times: s.Ints(event.IntTime), zone: zone, texts: texts, minute: -1 << 62}
	case len(d.in) > 0:
		return &insideValues{dimReader: newDimReader(s, &dim{field: d.field, in: d.in}, texts)}
	}
	field, _ := s.AsSent(d.field, texts)
	return &fieldValues{field: field}
}

// fieldValues reads a field.
type fieldValues struct {
	field read.Field
	buf   []int32
}

func (v *fieldValues) at(row int) []int32 {
	v.buf = v.buf[:0]
	for _, id := range v.field.Terms(row) {
		v.buf = append(v.buf, id+1)
	}
	if len(v.buf) == 0 {
		v.buf = append(v.buf, 0)
	}
	return v.buf
}

// insideValues reads a field with those that it lies in.
type insideValues struct {
	*dimReader
	one [1]int32
}

func (v *insideValues) at(row int) []int32 {
	v.one[0] = v.dimReader.at(row)
	return v.one[:]
}

// visitValues reads a dimension of visits.
type visitValues struct {
	sessions *read.Column
	split    *visitSplit
	ord      int64 // of the row before
	one      [1]int32
}

func (v *visitValues) at(row int) []int32 {
	if ord := v.sessions.At(row); ord != v.ord {
		v.ord, v.one[0] = ord, 0
		if ord != 0 {
			v.one[0] = int32(v.split.number(uint64(ord)))
		}
	}
	return v.one[:]
}

// clockValues reads a part of the time. All of a minute are the same.
type clockValues struct {
	name   string
	times  *read.Column
	zone   *time.Location
	texts  *read.Terms
	minute int64 // of the row before
	one    [1]int32
}

func (v *clockValues) at(row int) []int32 {
	at := v.times.At(row)
	if minute := floorDiv(at, 60_000); minute != v.minute {
		v.minute, v.one[0] = minute, v.texts.ID(clockText(v.name, at, v.zone))+1
	}
	return v.one[:]
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// clockText returns the weekday, hour or weekhour of a time.
func clockText(name string, at int64, zone *time.Location) string {
	weekday := int(calendar.Day(at, zone)+3)%7 + 1
	hour := time.UnixMilli(at).In(zone).Hour()
	switch name {
	case "weekday":
		return strconv.Itoa(weekday)
	case "hour":
		return strconv.Itoa(hour)
	}
	return fmt.Sprintf("%d-%02d", weekday, hour)
}

// sliceGroups tells the rows of a slice apart by one or two dimensions.
type sliceGroups struct {
	dims   []*rowDim
	values [query.BreakdownByMax]valueReader
	texts  [query.BreakdownByMax]read.Terms
	times  *read.Column // nil unless a dimension folds
	slice  *read.Slice
	least  [query.BreakdownByMax][]moment // by number of a value: the earliest row, of dimensions that fold

	single []int32            // with one dimension, by number of a value: the group plus 1
	byPair map[[2]int32]int32 // with two
	groups [][2]int32         // by number of a group: numbers of its values
	found  []int32
	known  [query.BreakdownByMax][]int32 // by number of a value: that in all slices plus 1; 0 = not known yet
	places []int32                       // by group, see rowGroups.place: plus 2; 0 = not known yet
}

// newSliceGroups prepares the rows of a slice. Without a dimension all rows are one group.
func newSliceGroups(s *read.Slice, dims []*rowDim, zone *time.Location) *sliceGroups {
	g := &sliceGroups{dims: dims, slice: s}
	for i, d := range dims {
		g.values[i] = d.reader(s, zone, &g.texts[i])
		if d.fold && d.visit == nil && g.times == nil {
			g.times = s.Ints(event.IntTime)
		}
	}
	if len(dims) == 2 {
		g.byPair = make(map[[2]int32]int32)
	}
	return g
}

// of returns the groups of a row, each once. Rows ascend. The slice is valid until the next call.
func (g *sliceGroups) of(row int) []int32 {
	g.found = g.found[:0]
	switch len(g.dims) {
	case 0:
		if len(g.groups) == 0 {
			g.groups = make([][2]int32, 1)
		}
		g.found = append(g.found, 0)
	case 1:
		for _, id := range g.valuesAt(0, row) {
			g.single = grown(g.single, int(id))
			if g.single[id] == 0 {
				g.groups = append(g.groups, [2]int32{id})
				g.single[id] = int32(len(g.groups))
			}
			g.found = append(g.found, g.single[id]-1)
		}
	default:
		with := g.valuesAt(1, row)
		for _, id := range g.valuesAt(0, row) {
			for _, other := range with {
				pair := [2]int32{id, other}
				n, known := g.byPair[pair]
				if !known {
					n = int32(len(g.groups))
					g.byPair[pair] = n
					g.groups = append(g.groups, pair)
				}
				g.found = append(g.found, n)
			}
		}
	}
	return g.found
}

// valuesAt returns the values of a row in a dimension.
func (g *sliceGroups) valuesAt(i, row int) []int32 {
	ids := g.values[i].at(row)
	if g.times == nil || !g.dims[i].fold || g.dims[i].visit != nil {
		return ids
	}
	seen := moment{g.times.At(row), g.slice.Seq(row)}
	for _, id := range ids {
		g.least[i] = grownTo(g.least[i], int(id))
		if m := &g.least[i][id]; m.seq == 0 || seen.before(*m) {
			*m = seen
		}
	}
	return ids
}

// check returns an error when a slice alone has more than an answer may.
func (g *sliceGroups) check() error {
	if len(g.groups) > query.CounterRowsMax || g.texts[0].Bytes()+g.texts[1].Bytes() > 2*splitBytesMax {
		return tooManyValues()
	}
	return nil
}

func tooManyValues() error {
	return fmt.Errorf("%w: more than %d different values, or %d bytes of them; ask for fewer days or add a filter", query.ErrBadQuery, query.CounterRowsMax, splitBytesMax)
}

// rowGroups is the groups of all slices.
type rowGroups struct {
	dims   []*rowDim
	values [query.BreakdownByMax]groupValues
	byPair map[[2]int32]int32
	groups [][2]int32 // by number of a group: numbers of its values
}

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

func newRowGroups(dims []*rowDim) *rowGroups {
	g := &rowGroups{dims: dims, byPair: make(map[[2]int32]int32)}
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
			return 0, tooManyValues()
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
		return 0, tooManyValues()
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
	d, parts := g.dims[i], []string{g.values[i].shown[n].text}
	if len(d.in) > 0 {
		parts = strings.SplitN(parts[0], dimSep, len(d.in)+1)
	}
	var in []query.InValue
	for k, name := range d.in {
		in = append(in, query.InValue{Field: name, Text: parts[k]})
	}
	return query.Text{Text: parts[len(parts)-1]}, in
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
