// Counters: for each value of a property its events, sessions and users, whole
// or split by a segment.

package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"
)

// CounterRowsMax bounds the rows one query of counters may build.
const CounterRowsMax = 1 << 20

// autoSegments split every event that has them, without being asked for.
var autoSegments = []string{"platform", "browser", "country"}

// counted reads what counters count in the rows of one part: it answers, from
// columns, what event.Counts answers from a whole event.
type counted struct {
	part     index.Part
	property string
	explicit []pathColumn // columns where the property may be
	detected *pathColumn  // the detected value it replaces, if there is one
	literal  *rowInts     // codes of the column of that very key
	rest     *pathColumn  // keys without a column

	types      *pathColumn
	flags      *rowInts
	increments *pathColumn
	notCounted *pathColumn
	capped     *pathColumn
	parser     event.Parser
	self       int32               // the property's own name, as notCounted has it
	cappedMemo map[uint32][]string // what of the property the codes of capped hold
	names      *terms
	countables []int8  // by code of the type: 1 countable, 2 not, 0 not looked at
	ids        []int32 // of the row asked last
}

// pathColumn is a column and a path inside its cells, with what each code holds
// there remembered.
type pathColumn struct {
	col   index.Column
	codes *rowInts
	path  string
	names *terms
	memo  [][]int32 // by code; nil = not looked at
}

func openPath(p index.Part, field, path string, names *terms) *pathColumn {
	col := p.Column(field)
	if col == nil {
		return nil
	}
	return &pathColumn{col: col, codes: newRowInts(col.Codes()), path: path, names: names}
}

// noTerms is the memory of a code that has nothing at the path.
var noTerms = []int32{}

// at returns the terms at the path in a row's cell.
func (c *pathColumn) at(row int) []int32 {
	code := int(c.codes.at(row))
	if code == 0 || code > c.col.Card() {
		return nil
	}
	if c.memo == nil {
		c.memo = make([][]int32, c.col.Card()+1)
	}
	if c.memo[code] == nil {
		ids := noTerms
		event.CellLeaves(c.col.Cell(uint32(code)), func(path, term string) bool {
			if path == c.path {
				ids = append(ids, c.names.id(strings.Clone(term)))
			}
			return true
		})
		c.memo[code] = ids
	}
	return c.memo[code]
}

// cell returns the row's cell, nil when there is none.
func (c *pathColumn) cell(row int) []byte {
	if c == nil {
		return nil
	}
	if code := uint32(c.codes.at(row)); code != 0 {
		return c.col.Cell(code)
	}
	return nil
}

func newCounted(p index.Part, property string, names *terms) *counted {
	c := &counted{part: p, property: property, names: names, flags: newRowInts(p.Ints(event.IntFlags))}
	for _, a := range pathAlts(event.PrefixProperty, property, nil) {
		if col := openPath(p, a.Field, a.Path, names); col != nil {
			if isOverflow(a.Field) {
				c.rest = col
			}
			c.explicit = append(c.explicit, *col)
		}
	}
	if col := p.Column(event.PrefixProperty + property); col != nil {
		c.literal = newRowInts(col.Codes())
	}
	switch {
	case property == "name":
		c.detected = openPath(p, event.FieldName, "", names)
	case event.Detected(property):
		c.detected = openPath(p, event.PrefixContext+property, "", names)
	}
	c.types = openPath(p, event.FieldType, "", names)
	c.increments = openPath(p, event.FieldIncrements, "", names)
	c.notCounted = openPath(p, event.FieldNotCounted, "", names)
	c.capped = openPath(p, event.FieldCapped, "", names)
	c.self = names.id(property)
	return c
}

// countable says whether the row takes part in counters at all.
func (c *counted) countable(row int) bool {
	if c.types == nil || c.flags.at(row)&event.FlagUncounted != 0 {
		return false
	}
	code := int(c.types.codes.at(row))
	if code == 0 || code > c.types.col.Card() {
		return false
	}
	if c.countables == nil {
		c.countables = make([]int8, c.types.col.Card()+1)
	}
	if c.countables[code] == 0 {
		c.countables[code] = 2
		if event.Countable(event.Type(event.CellValue(c.types.col.Cell(uint32(code))).Text)) {
			c.countables[code] = 1
		}
	}
	return c.countables[code] == 1
}

// values returns the distinct values the row counts under, capped ones as
// event.Other. The slice is good until the next call.
func (c *counted) values(row int) []int32 {
	c.ids = c.ids[:0]
	for i := range c.explicit {
		c.collect(c.explicit[i].at(row))
	}
	if c.detected != nil && !c.replaced(row) {
		c.collect(c.detected.at(row))
	}
	if len(c.ids) == 0 {
		return nil
	}
	if c.notCounted != nil && slices.Contains(c.notCounted.at(row), c.self) {
		return nil
	}
	if c.capped != nil {
		if code := uint32(c.capped.codes.at(row)); code != 0 {
			c.cap(c.cappedIn(code))
		}
	}
	return c.ids
}

func (c *counted) collect(ids []int32) {
	for _, id := range ids {
		if !slices.Contains(c.ids, id) {
			c.ids = append(c.ids, id)
		}
	}
}

// cappedIn returns the property's values that rows of a code count under
// event.Other; event.Other itself stands for all.
func (c *counted) cappedIn(code uint32) []string {
	values, ok := c.cappedMemo[code]
	if !ok {
		e := new(event.Event)
		if e.SetCell(event.FieldCapped, c.capped.col.Cell(code)) == nil {
			for _, t := range e.Capped {
				if t.Property == c.property {
					values = append(values, t.Value)
				}
			}
		}
		if c.cappedMemo == nil {
			c.cappedMemo = make(map[uint32][]string)
		}
		c.cappedMemo[code] = values
	}
	return values
}

func (c *counted) cap(values []string) {
	if len(values) == 0 {
		return
	}
	kept := c.ids[:0]
	for _, id := range c.ids {
		if slices.Contains(values, c.names.names[id]) || slices.Contains(values, event.Other) {
			id = c.names.id(event.Other)
		}
		if !slices.Contains(kept, id) { // two capped values of one row are one Other
			kept = append(kept, id)
		}
	}
	c.ids = kept
}

// replaced says whether the row has a property of the detected one's very name.
func (c *counted) replaced(row int) bool {
	if c.literal != nil && c.literal.at(row) != 0 {
		return true
	}
	if cell := c.rest.cell(row); cell != nil {
		members, err := event.CellValue(cell).Object(&c.parser)
		return err == nil && members.Get(c.property).Kind != event.Absent
	}
	return false
}

// amount is what the row adds to the property's totals.
func (c *counted) amount(row int) int64 {
	if cell := c.increments.cell(row); cell != nil {
		e := new(event.Event)
		if e.SetCell(event.FieldIncrements, cell) == nil {
			for _, a := range e.Increments {
				if a.Property == c.property {
					return a.By
				}
			}
		}
	}
	return 1
}

// tally adds up the rows of an answer.
type tally struct {
	rows     []CounterRow
	names    terms
	at       map[tallyKey]int
	plain    []int // at, plus 1, by value, where nothing splits the rows
	steps    []int // of rows, in a series
	users    pairSet
	sessions pairSet // that began in older parts than where they were met
	local    pairSet // that began in the part at hand
	first    uint64  // seq of its first row
	all      *distinct
	total    int64
	full     bool
}

// tallyKey is what one row of an answer is about; step is that of a series.
type tallyKey struct {
	value, segment int32
	step           int
}

// distinct are the events, persons and sessions of all rows together.
type distinct struct{ events, users, sessions ordSet }

// noSegment is the segment of a row that is not split.
const noSegment = -1

func (t *tally) add(k tallyKey, by int64, seq, person, session uint64) {
	i := t.row(k)
	if i < 0 {
		t.full = true
		return
	}
	t.rows[i].Events = index.AddSaturating(t.rows[i].Events, by)
	t.total = index.AddSaturating(t.total, by)
	t.users.add(i, person)
	// Parts come newest first. A session that began in this part is in no older
	// one, and if it goes on in a newer one it is in sessions: so most are told
	// apart in a set that fits the processor's cache.
	if session < t.first {
		if t.sessions.add(i, session) {
			t.rows[i].Sessions++
		}
	} else if !t.sessions.has(i, session) && t.local.add(i, session) {
		t.rows[i].Sessions++
	}
	t.all.events.add(seq)
	t.all.users.add(person)
	t.all.sessions.add(session)
}

// row finds or makes the row of k, -1 when there are too many.
func (t *tally) row(k tallyKey) int {
	plain := k.segment == noSegment && k.step == 0
	if plain && int(k.value) < len(t.plain) && t.plain[k.value] != 0 {
		return t.plain[k.value] - 1
	}
	i, ok := t.at[k]
	if !ok {
		if len(t.rows) >= CounterRowsMax {
			return -1
		}
		if t.at == nil {
			t.at = make(map[tallyKey]int)
		}
		r := CounterRow{Value: t.names.names[k.value]}
		if k.segment != noSegment {
			r.Segment = t.names.names[k.segment]
		}
		i = len(t.rows)
		t.rows = append(t.rows, r)
		t.steps = append(t.steps, k.step)
		t.at[k] = i
	}
	if plain {
		for len(t.plain) <= int(k.value) {
			t.plain = append(t.plain, 0)
		}
		t.plain[k.value] = i + 1
	}
	return i
}

// finish fills in the distinct numbers.
func (t *tally) finish(l *links) CounterRow {
	t.users.toRoots(l)
	t.users.each(func(i int) { t.rows[i].Users++ })
	return CounterRow{Events: t.total, Users: uint64(t.all.users.countRoots(l)), Sessions: uint64(t.all.sessions.len())}
}

// Counters implements API.
func (e *Engine) Counters(ctx context.Context, q CounterQuery) (CounterPage, error) {
	limit, err := checkLimit(q.Limit, 10_000)
	if err != nil {
		return CounterPage{}, err
	}
	if q.Offset < 0 {
		return CounterPage{}, fmt.Errorf("%w: offset is negative", ErrBadQuery)
	}
	v := e.state(q.Site.ID).view()
	b := e.budget(ctx)
	var page CounterPage
	switch {
	case q.Interval != "":
		return v.countSeries(b, &q, limit)
	case q.Property == "":
		page, err = e.properties(b, v, &q)
	default:
		page, err = v.count(b, &q, new(distinct))
	}
	if err != nil {
		return CounterPage{}, err
	}
	sortCounters(page.Rows, q.Sort)
	page.Count = len(page.Rows)
	page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
	if page.More = len(page.Rows) > limit; page.More {
		page.Rows = page.Rows[:limit]
	}
	return page, nil
}

func (q *CounterQuery) plan(v *view) (*where, error) {
	w, err := plan(v, q.Where, q.From, q.To)
	if err == nil && (q.FromDay != 0 || q.ToDay != 0) {
		w.days(q.FromDay, q.ToDay)
	}
	return w, err
}

// count tallies one property.
func (v *view) count(b budget, q *CounterQuery, all *distinct) (CounterPage, error) {
	w, err := q.plan(v)
	if err != nil {
		return CounterPage{}, err
	}
	t := tally{all: all}
	total, err := v.tally(b, w, q, &t, nil)
	return CounterPage{Rows: t.rows, Total: total}, err
}

// tally adds up the rows that satisfy w, split by the steps of a series if there
// are any, and returns their total.
func (v *view) tally(b budget, w *where, q *CounterQuery, t *tally, s *steps) (CounterRow, error) {
	segment := strings.TrimRight(q.Segment, "!")
	if segment == q.Property {
		return CounterRow{}, nil // a property does not split itself
	}
	auto := slices.Contains(autoSegments, segment)
	whole := []int32{noSegment}
	err := v.eachRowNewest(b, w, func(p *viewPart) func(int) {
		part := p.get()
		t.first = part.First()
		t.local.clear()
		c := newCounted(part, q.Property, &t.names)
		persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
		var split *counted
		var named *pathColumn
		var step func(row int) int
		if s != nil {
			step = s.of(part)
		}
		if segment != "" {
			split = newCounted(part, segment, &t.names)
			named = openPath(part, event.FieldSegments, "", &t.names)
		}
		return func(row int) {
			if !c.countable(row) {
				return
			}
			values := c.values(row)
			if len(values) == 0 {
				return
			}
			parts := whole
			if split != nil {
				if !auto && (named == nil || !slices.Contains(named.at(row), t.names.id(segment))) {
					return
				}
				if parts = split.values(row); len(parts) == 0 {
					return
				}
			}
			k := tallyKey{}
			if step != nil {
				if k.step = step(row); k.step < 0 {
					return
				}
			}
			by := c.amount(row)
			person, session := uint64(persons.at(row)), uint64(sessions.at(row))
			for _, k.value = range values {
				if len(q.Values) > 0 && !slices.Contains(q.Values, t.names.names[k.value]) {
					continue
				}
				for _, k.segment = range parts {
					if len(q.SegmentValues) > 0 && k.segment != noSegment && !slices.Contains(q.SegmentValues, t.names.names[k.segment]) {
						continue
					}
					t.add(k, by, part.First()+uint64(row), person, session)
				}
			}
		}
	})
	if err != nil {
		return CounterRow{}, err
	}
	if t.full {
		return CounterRow{}, fmt.Errorf("%w: more than %d values", ErrBadQuery, CounterRowsMax)
	}
	return t.finish(v.site.links), nil
}

// properties lists the properties that are counted, with a tally of each.
func (e *Engine) properties(b budget, v *view, q *CounterQuery) (CounterPage, error) {
	names := make(map[string]bool)
	for _, p := range v.parts {
		if p.run == nil {
			continue
		}
		properties, err := p.run.Properties()
		if err != nil {
			return CounterPage{}, err
		}
		for _, name := range properties {
			names[name] = true
		}
	}
	err := wal.Notes(e.db, v.site.id, 0, v.last+1, func(_ uint64, note []byte) error {
		return index.ReadTotals(note, func(t index.Total) { names[t.Property] = true })
	})
	if err != nil {
		return CounterPage{}, err
	}
	var page CounterPage
	var all distinct
	for name := range names {
		one := *q
		one.Property = name
		own := new(distinct)
		sum, err := v.count(b, &one, own)
		if err != nil {
			return CounterPage{}, err
		}
		if len(sum.Rows) == 0 {
			continue
		}
		row := sum.Total
		row.Value, row.Values = name, uint64(len(sum.Rows))
		page.Rows = append(page.Rows, row)
		all.events.union(&own.events)
		all.users.union(&own.users)
		all.sessions.union(&own.sessions)
	}
	// The total of the list is over events, not over their properties.
	page.Total.Events = int64(all.events.len())
	page.Total.Users, page.Total.Sessions = uint64(all.users.countRoots(v.site.links)), uint64(all.sessions.len())
	return page, nil
}

// sortCounters orders rows, greatest first; ties by value, then segment.
func sortCounters(rows []CounterRow, by string) {
	slices.SortFunc(rows, func(a, b CounterRow) int {
		c := 0
		switch by {
		case "", "events":
			c = cmp.Compare(b.Events, a.Events)
		case "sessions":
			c = cmp.Compare(b.Sessions, a.Sessions)
		case "users":
			c = cmp.Compare(b.Users, a.Users)
		}
		return cmp.Or(c, strings.Compare(a.Value, b.Value), strings.Compare(a.Segment, b.Segment))
	})
}
