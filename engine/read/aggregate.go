// Tallies: rows added up by value, first within each part, then over all.

package read

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
)

// tallyKey is what one row of an answer is about; step is that of a series.
type aggregateKey struct {
	value, segment int32
	step           int
}

// noSegment is the segment of a row that is not split.
const noSegment = -1

// partialAggregate is what a slice of a part adds to a tally. Most rows of one say nothing
// new of persons and sessions; that is found out here, in sets that fit the
// processor's cache, and slices are added up side by side.
type partialAggregate struct {
	first   uint64
	joint   bool // persons and sessions are those of all rows, together under row 0
	names   terms
	keys    []aggregateKey // of its rows; values and segments by number in names
	events  []int64        // by row
	persons pairBag        // of (row, ordinal)
	older   pairBag        // of sessions that began before the slice
	began   []*beganSet    // by row, for the first rows: sessions that began in the slice
	own     pairBag        // of those of all other rows

	latePersons, lateSessions identity.Lately

	plain []int32   // row plus 1, by value, where nothing splits them
	grid  [][]int32 // row plus 1, by value and segment, where both are few
	rest  map[aggregateKey]int32
}

// A grid has room for so many values and segments.
const (
	gridValues   = 4096
	gridSegments = 256
)

// row finds or makes the row of k, -1 when there are too many.
func (p *partialAggregate) row(k aggregateKey) int {
	at := p.place(k)
	if at == nil {
		row, ok := p.rest[k]
		if !ok {
			if row = p.add(k); row < 0 {
				return -1
			}
			if p.rest == nil {
				p.rest = make(map[aggregateKey]int32)
			}
			p.rest[k] = row
		}
		return int(row)
	}
	if *at == 0 {
		*at = p.add(k) + 1
	}
	return int(*at) - 1
}

// place is where the number of the row of k stands, nil when in rest.
func (p *partialAggregate) place(k aggregateKey) *int32 {
	switch {
	case k.step != 0:
		return nil
	case k.segment == noSegment:
		for int(k.value) >= len(p.plain) {
			p.plain = append(p.plain, 0)
		}
		return &p.plain[k.value]
	case k.value >= gridValues || k.segment >= gridSegments:
		return nil
	}
	for int(k.value) >= len(p.grid) {
		p.grid = append(p.grid, nil)
	}
	line := &p.grid[k.value]
	for int(k.segment) >= len(*line) {
		*line = append(*line, 0)
	}
	return &(*line)[k.segment]
}

func (p *partialAggregate) add(k aggregateKey) int32 {
	if len(p.keys) >= query.CounterRowsMax {
		return -1
	}
	p.keys = append(p.keys, k)
	p.events = append(p.events, 0)
	return int32(len(p.keys) - 1)
}

// count adds an event to a row.
func (p *partialAggregate) count(row int, by int64, person, session uint64) {
	p.events[row] = index.AddSaturating(p.events[row], by)
	p.meet(row, person, session)
}

// meet notes who and which session an event of a row is of, 0 for nobody and none.
func (p *partialAggregate) meet(row int, person, session uint64) {
	if p.joint {
		row = 0
	}
	if pair := identity.PairOf(row, person); person != 0 && p.latePersons.New(pair) {
		p.persons.add(pair)
	}
	pair := identity.PairOf(row, session)
	switch {
	case session == 0 || !p.lateSessions.New(pair):
	case session < p.first:
		p.older.add(pair)
	case row < beganRows:
		for len(p.began) <= row {
			p.began = append(p.began, nil)
		}
		if p.began[row] == nil {
			p.began[row] = new(beganSet)
		}
		at := session - p.first
		p.began[row][at/64%uint64(len(beganSet{}))] |= 1 << (at % 64)
	default:
		p.own.add(pair)
	}
}

// eachOwn calls fn with every pair of a row and a session that began in the slice.
func (p *partialAggregate) eachOwn(fn func(row int, session uint64)) error {
	for row, set := range p.began {
		if set == nil {
			continue
		}
		for i, w := range set {
			for ; w != 0; w &= w - 1 {
				fn(row, p.first+uint64(i*64+bits.TrailingZeros64(w)))
			}
		}
	}
	return p.own.eachPair(fn)
}

// beganSet is a bitmap of the rows of a slice that began a session.
type beganSet [rangeRowsMax / 64]uint64

// beganRows is how many rows of an answer have one.
const beganRows = 64

// partials are kept for their memory.
var partials = sync.Pool{New: func() any { return new(partialAggregate) }}

// newPartial is an empty one, for a slice that begins at first.
func newPartial(first uint64, joint bool, sp *spill) *partialAggregate {
	p := partials.Get().(*partialAggregate)
	p.first, p.joint = first, joint
	p.persons.spill, p.older.spill, p.own.spill = sp, sp, sp
	return p
}

// sorted sorts out what came twice.
func (p *partialAggregate) sorted() *partialAggregate {
	p.persons.sort()
	p.older.sort()
	p.own.sort()
	return p
}

// release gives the partial away, without what may have grown large.
func (p *partialAggregate) release() {
	keep := partialAggregate{keys: p.keys[:0], events: p.events[:0], persons: p.persons, older: p.older, own: p.own, began: p.began}
	keep.persons.empty()
	keep.older.empty()
	keep.own.empty()
	for _, b := range keep.began {
		if b != nil {
			clear(b[:])
		}
	}
	if cap(p.keys) <= gridValues {
		*p = keep
		partials.Put(p)
	}
}

// aggregate adds up the rows of an answer. Slices come newest first.
type aggregate struct {
	rows     []query.CounterRow
	steps    []int // of rows, in a series
	names    terms
	at       map[aggregateKey]int
	users    pairBag
	sessions pairBag // those met in several slices; the others are counted
	all      distinct
	total    int64
}

// merge adds the next older slice.
func (t *aggregate) merge(p *partialAggregate) error {
	rows := make([]int, len(p.keys))
	ids := make([]int32, len(p.names.names)) // of t, plus 1
	id := func(of int32) int32 {
		if of == noSegment {
			return noSegment
		}
		if ids[of] == 0 {
			ids[of] = t.names.id(p.names.names[of]) + 1
		}
		return ids[of] - 1
	}
	for i, k := range p.keys {
		if rows[i] = t.row(aggregateKey{id(k.value), id(k.segment), k.step}); rows[i] < 0 {
			return tooManyValues()
		}
		r := &t.rows[rows[i]]
		r.Events = index.AddSaturating(r.Events, p.events[i])
		t.total = index.AddSaturating(t.total, p.events[i])
	}
	person := func(row int, person uint64) {
		t.users.add(identity.PairOf(rows[row], person))
		t.all.users.Add(person)
	}
	// A session that began in this slice is in no older one. Unless it goes on in a
	// newer one it is here alone.
	own := func(row int, session uint64) {
		if t.all.sessions.Has(session) {
			t.sessions.add(identity.PairOf(rows[row], session))
		} else {
			t.rows[rows[row]].Sessions++
		}
	}
	older := func(row int, session uint64) {
		t.sessions.add(identity.PairOf(rows[row], session))
		t.all.sessions.Add(session)
	}
	if p.joint {
		person = func(_ int, person uint64) { t.all.users.Add(person) }
		own = func(int, uint64) {}
		older = func(_ int, session uint64) { t.all.sessions.Add(session) }
	}
	err := cmp.Or(
		p.persons.eachPair(person),
		p.eachOwn(own),
		p.eachOwn(func(_ int, session uint64) { t.all.sessions.Add(session) }),
		p.older.eachPair(older))
	return cmp.Or(err, t.users.err, t.sessions.err)
}

// row finds or makes the row of k, -1 when there are too many.
func (t *aggregate) row(k aggregateKey) int {
	i, ok := t.at[k]
	if !ok {
		if len(t.rows) >= query.CounterRowsMax {
			return -1
		}
		if t.at == nil {
			t.at = make(map[aggregateKey]int)
		}
		r := query.CounterRow{Value: t.names.names[k.value]}
		if k.segment != noSegment {
			r.Segment = t.names.names[k.segment]
		}
		i = len(t.rows)
		t.rows = append(t.rows, r)
		t.steps = append(t.steps, k.step)
		t.at[k] = i
	}
	return i
}

// finish fills in the distinct numbers.
func (t *aggregate) finish(p identity.Persons) (query.CounterRow, error) {
	err := t.users.eachPerson(p, func(row int) { t.rows[row].Users++ })
	if err == nil {
		err = t.sessions.eachPair(func(row int, _ uint64) { t.rows[row].Sessions++ })
	}
	return query.CounterRow{Events: t.total, Users: uint64(t.all.users.CountPersons(p)), Sessions: uint64(t.all.sessions.Len())}, err
}

// count tallies one property.
func (v *view) count(q *query.CounterQuery, cache partialCache) (*aggregate, query.CounterRow, error) {
	pred, err := planCounters(q, v)
	if err != nil {
		return nil, query.CounterRow{}, err
	}
	return v.aggregate(pred, q, nil, cache)
}

// aggregate adds up the rows that satisfy pred, split by the steps of a series if there
// are any, and returns their total.
func (v *view) aggregate(pred *predicate, q *query.CounterQuery, s *steps, cache partialCache) (_ *aggregate, total query.CounterRow, err error) {
	sp := v.budget.spill()
	defer sp.close()
	t := &aggregate{users: pairBag{spill: sp}, sessions: pairBag{spill: sp}}
	if segmentOf(q) == q.Property {
		return t, query.CounterRow{}, nil // a property does not split itself
	}
	// Values that are asked for lead to their rows; those under event.Other lie
	// anywhere.
	pred = pred.andCounted(q.Property, q.Values).andCounted(segmentOf(q), q.SegmentValues)
	all := v.rowRanges()
	if s == nil && fromTotals(q) {
		if all, err = v.totals(q, t); err != nil {
			return nil, query.CounterRow{}, err
		}
	}
	var failed error
	err = readInOrder(v.budget, pred, all, func(r *rangeReader, rr *rowRange) (*partialAggregate, error) {
		return cache.get(rr, func() (*partialAggregate, error) { return r.aggregateRange(rr, q, s, sp) })
	}, func(p *partialAggregate) bool {
		failed = t.merge(p)
		p.release()
		return failed == nil
	})
	if err = cmp.Or(err, failed); err != nil {
		return nil, query.CounterRow{}, err
	}
	p, err := v.persons()
	if err != nil {
		return nil, query.CounterRow{}, err
	}
	total, err = t.finish(p)
	return t, total, err
}

// fromTotals says whether the totals of runs tell what is asked.
func fromTotals(q *query.CounterQuery) bool {
	return q.Metrics == query.MetricEvents && q.Segment == "" && len(q.Where) == 0 && q.From == 0 && q.To == 0
}

// totals adds what the totals of runs say, and returns the slices of the other
// parts.
func (v *view) totals(q *query.CounterQuery, t *aggregate) (rest []rowRange, err error) {
	from, to := q.FromDay, q.ToDay
	if from == 0 && to == 0 {
		from, to = math.MinInt32, math.MaxInt32
	}
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		if p.Run == nil {
			rest = appendRowRanges(p, rest)
			continue
		}
		if err := v.budget.check(); err != nil {
			return nil, err
		}
		full := false
		err := p.Run.Totals(q.Property, from, to, func(s index.Total) {
			if len(q.Values) > 0 && !slices.Contains(q.Values, s.Value) {
				return
			}
			row := t.row(aggregateKey{value: t.names.id(s.Value), segment: noSegment})
			if full = full || row < 0; full {
				return
			}
			t.rows[row].Events = index.AddSaturating(t.rows[row].Events, s.Sum)
			t.total = index.AddSaturating(t.total, s.Sum)
		})
		if err != nil {
			return nil, err
		}
		if full {
			return nil, tooManyValues()
		}
	}
	return rest, nil
}

func tooManyValues() error {
	return fmt.Errorf("%w: more than %d values", query.ErrBadQuery, query.CounterRowsMax)
}

func segmentOf(q *query.CounterQuery) string { return strings.TrimRight(q.Segment, "!") }

// counting restricts pred to the rows that count under one of the values of a
// property, as far as that can be told.
func (pred *predicate) andCounted(property string, values []string) *predicate {
	if property == "" || len(values) == 0 || slices.Contains(values, event.Other) {
		return pred
	}
	narrow := *pred
	narrow.clauses = append(slices.Clip(pred.clauses), countedClause(property, values))
	return &narrow
}
