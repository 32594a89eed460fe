// Row dimensions: what the rows of the log are told apart by.

package report

import (
	"fmt"
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

// checkRowDim returns an error about a parameter unless rows can be told apart by the name that it
// has as its value.
func checkRowDim(param, name string) error {
	if _, ok := ofVisit(name); ok || isClock(name) {
		return nil
	}
	switch {
	case strings.HasPrefix(name, "visit."):
		return query.Bad(param, "%q is no dimension of visits", name)
	case !read.FieldKnown(name):
		return query.Bad(param, "unknown field %q", name)
	}
	return nil
}

// newRowDim prepares a dimension, which a parameter names, for the rows of a question. visitsMax is the most visits that it
// keeps.
func newRowDim(rows *read.Rows, param, name string, where []query.Cond, span query.Span, visitsMax int) (*rowDim, error) {
	if err := checkRowDim(param, name); err != nil {
		return nil, err
	}
	if isClock(name) {
		return &rowDim{name: name, order: orderOf(name)}, nil
	}
	if of, ok := ofVisit(name); ok {
		split, err := newVisitSplit(rows, param, of.name, where, span, visitsMax)
		return &rowDim{name: name, in: of.in, fold: of.fold, order: of.order, visit: split}, err
	}
	d := &rowDim{name: name, field: name, in: query.Inside[name]}
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

// sliceGroups tells the rows of a slice, or of several, apart by one or two dimensions.
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
	g := newGroups(dims)
	g.openPart(s, zone)
	return g
}

// newGroups returns no groups yet.
func newGroups(dims []*rowDim) *sliceGroups {
	g := &sliceGroups{dims: dims}
	if len(dims) == 2 {
		g.byPair = make(map[[2]int32]int32)
	}
	return g
}

// openPart prepares the rows of a slice, and of slices of the same part that follow. It keeps the
// numbers of values and groups.
func (g *sliceGroups) openPart(s *read.Slice, zone *time.Location) {
	g.slice = s
	for i, d := range g.dims {
		g.values[i] = d.reader(s, zone, &g.texts[i])
		if d.fold && d.visit == nil {
			g.times = s.Ints(event.IntTime)
		}
	}
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
		return tooManyValues("by")
	}
	return nil
}

func tooManyValues(param string) error {
	return query.Bad(param, "more than %d different values, or %d bytes of them; ask for fewer days or add a filter", query.CounterRowsMax, splitBytesMax)
}
