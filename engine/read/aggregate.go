// Aggregates: rows of the log added up by value, first within each row range, then over
// all of them.

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

// aggregateKey identifies one row of an answer.
type aggregateKey struct {
	value, segment int32 // numbers in terms
	step           int   // of a series, otherwise 0
}

// noSegment is the segment of rows when the query has none.
const noSegment = -1

// partialAggregate is what one row range adds to an aggregate. Most rows of a range repeat
// persons and sessions of earlier rows. These repetitions are removed here, in sets that
// fit the processor's cache, while other goroutines do the same with other row ranges. Its
// rows are those of an answer, numbered from 0 in the order in which their keys came.
type partialAggregate struct {
	first       uint64 // seq of the first row of the range
	joint       bool   // all persons and sessions are recorded under row 0
	names       terms
	keys        []aggregateKey // by row; numbers in names
	events      []int64        // by row
	persons     pairBag        // (row, ordinal)
	earlier     pairBag        // (row, ordinal) of sessions that started before the range
	startedSets []*startedSet  // sessions that started in the range, by row, for the first startedSetsMax rows
	started     pairBag        // (row, ordinal) of those of all other rows

	recentPersons, recentSessions identity.Lately

	plain []int32                // row plus 1 by value, for keys without segment and step
	grid  [][]int32              // row plus 1 by value and segment, for small numbers of both
	rest  map[aggregateKey]int32 // row of all other keys
}

// A grid holds values and segments below these numbers.
const (
	gridValues   = 4096
	gridSegments = 256
)

// row finds or makes the row of k. It returns -1 when there are too many rows.
func (p *partialAggregate) row(k aggregateKey) int {
	slot := p.slot(k)
	if slot == nil {
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
	if *slot == 0 {
		*slot = p.add(k) + 1
	}
	return int(*slot) - 1
}

// slot returns where the row of k plus 1 is stored, or nil when k belongs in rest.
func (p *partialAggregate) slot(k aggregateKey) *int32 {
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

// count adds an event to a row. by is 1, or the amount of an increment.
func (p *partialAggregate) count(row int, by int64, person, session uint64) {
	p.events[row] = index.AddSaturating(p.events[row], by)
	p.register(row, person, session)
}

// register records the person and the session of an event that counts under row. 0 means
// none.
func (p *partialAggregate) register(row int, person, session uint64) {
	if p.joint {
		row = 0
	}
	if pair := identity.PairOf(row, person); person != 0 && p.recentPersons.New(pair) {
		p.persons.add(pair)
	}
	pair := identity.PairOf(row, session)
	switch {
	case session == 0 || !p.recentSessions.New(pair):
	case session < p.first:
		p.earlier.add(pair)
	case row < startedSetsMax:
		for len(p.startedSets) <= row {
			p.startedSets = append(p.startedSets, nil)
		}
		if p.startedSets[row] == nil {
			p.startedSets[row] = new(startedSet)
		}
		at := session - p.first
		p.startedSets[row][at/64%uint64(len(startedSet{}))] |= 1 << (at % 64)
	default:
		p.started.add(pair)
	}
}

// eachStarted calls fn with every row and session that started in the range.
func (p *partialAggregate) eachStarted(fn func(row int, session uint64)) error {
	for row, set := range p.startedSets {
		if set == nil {
			continue
		}
		for i, w := range set {
			for ; w != 0; w &= w - 1 {
				fn(row, p.first+uint64(i*64+bits.TrailingZeros64(w)))
			}
		}
	}
	return p.started.eachPair(fn)
}

// startedSet is a bitmap of the rows of a range whose event started a session.
type startedSet [rangeRowsMax / 64]uint64

// startedSetsMax is how many rows of an answer have a startedSet.
const startedSetsMax = 64

// partialPool recycles the memory of partial aggregates.
var partialPool = sync.Pool{New: func() any { return new(partialAggregate) }}

// newPartialAggregate returns an empty one for a row range whose first row has seq first.
func newPartialAggregate(first uint64, joint bool, sp *spill) *partialAggregate {
	p := partialPool.Get().(*partialAggregate)
	p.first, p.joint = first, joint
	p.persons.spill, p.earlier.spill, p.started.spill = sp, sp, sp
	return p
}

// removeDuplicates removes duplicate pairs from the bags.
func (p *partialAggregate) removeDuplicates() *partialAggregate {
	p.persons.sort()
	p.earlier.sort()
	p.started.sort()
	return p
}

// release returns p to partialPool, without anything that may have grown large. p must not
// be used afterwards.
func (p *partialAggregate) release() {
	kept := partialAggregate{keys: p.keys[:0], events: p.events[:0], persons: p.persons, earlier: p.earlier, started: p.started, startedSets: p.startedSets}
	kept.persons.empty()
	kept.earlier.empty()
	kept.started.empty()
	for _, b := range kept.startedSets {
		if b != nil {
			clear(b[:])
		}
	}
	if cap(p.keys) <= gridValues {
		*p = kept
		partialPool.Put(p)
	}
}

// aggregate is an answer in the making. Its row ranges are merged newest first.
type aggregate struct {
	rows     []query.CounterRow
	steps    []int // of rows, in a series
	names    terms
	rowByKey map[aggregateKey]int
	users    pairBag
	sessions pairBag // sessions of several row ranges; all others are counted in rows already
	all      distinct
	total    int64
}

// merge adds the next older row range.
func (agg *aggregate) merge(p *partialAggregate) error {
	rows := make([]int, len(p.keys))
	ids := make([]int32, len(p.names.names)) // number in agg.names plus 1, by number in p.names
	id := func(of int32) int32 {
		if of == noSegment {
			return noSegment
		}
		if ids[of] == 0 {
			ids[of] = agg.names.id(p.names.names[of]) + 1
		}
		return ids[of] - 1
	}
	for i, k := range p.keys {
		if rows[i] = agg.row(aggregateKey{id(k.value), id(k.segment), k.step}); rows[i] < 0 {
			return tooManyValues()
		}
		r := &agg.rows[rows[i]]
		r.Events = index.AddSaturating(r.Events, p.events[i])
		agg.total = index.AddSaturating(agg.total, p.events[i])
	}
	person := func(row int, person uint64) {
		agg.users.add(identity.PairOf(rows[row], person))
		agg.all.users.Add(person)
	}
	// A session that started in this row range is in no older one. It is in this range
	// only, unless a newer range has it.
	started := func(row int, session uint64) {
		if agg.all.sessions.Has(session) {
			agg.sessions.add(identity.PairOf(rows[row], session))
		} else {
			agg.rows[rows[row]].Sessions++
		}
	}
	earlier := func(row int, session uint64) {
		agg.sessions.add(identity.PairOf(rows[row], session))
		agg.all.sessions.Add(session)
	}
	if p.joint {
		person = func(_ int, person uint64) { agg.all.users.Add(person) }
		started = func(int, uint64) {}
		earlier = func(_ int, session uint64) { agg.all.sessions.Add(session) }
	}
	err := cmp.Or(
		p.persons.eachPair(person),
		p.eachStarted(started),
		p.eachStarted(func(_ int, session uint64) { agg.all.sessions.Add(session) }),
		p.earlier.eachPair(earlier))
	return cmp.Or(err, agg.users.err, agg.sessions.err)
}

// row finds or makes the row of k. It returns -1 when there are too many rows.
func (agg *aggregate) row(k aggregateKey) int {
	i, ok := agg.rowByKey[k]
	if !ok {
		if len(agg.rows) >= query.CounterRowsMax {
			return -1
		}
		if agg.rowByKey == nil {
			agg.rowByKey = make(map[aggregateKey]int)
		}
		r := query.CounterRow{Value: agg.names.names[k.value]}
		if k.segment != noSegment {
			r.Segment = agg.names.names[k.segment]
		}
		i = len(agg.rows)
		agg.rows = append(agg.rows, r)
		agg.steps = append(agg.steps, k.step)
		agg.rowByKey[k] = i
	}
	return i
}

// finish fills in the users and sessions of all rows, and returns the total.
func (agg *aggregate) finish(p identity.Persons) (query.CounterRow, error) {
	err := agg.users.eachPerson(p, func(row int) { agg.rows[row].Users++ })
	if err == nil {
		err = agg.sessions.eachPair(func(row int, _ uint64) { agg.rows[row].Sessions++ })
	}
	return query.CounterRow{Events: agg.total, Users: uint64(agg.all.users.CountPersons(p)), Sessions: uint64(agg.all.sessions.Len())}, err
}

// aggregateProperty aggregates the rows of the query's property.
func (v *view) aggregateProperty(q *query.CounterQuery, cache partialCache) (*aggregate, query.CounterRow, error) {
	pred, err := planCounters(q, v)
	if err != nil {
		return nil, query.CounterRow{}, err
	}
	return v.aggregate(pred, q, nil, cache)
}

// aggregate adds up the rows that satisfy pred, for each step of a series if s is not nil,
// and returns their total. cache may be the zero partialCache.
func (v *view) aggregate(pred *predicate, q *query.CounterQuery, s *steps, cache partialCache) (_ *aggregate, total query.CounterRow, err error) {
	sp := v.budget.spill()
	defer sp.close()
	agg := &aggregate{users: pairBag{spill: sp}, sessions: pairBag{spill: sp}}
	if segmentOf(q) == q.Property {
		return agg, query.CounterRow{}, nil // a property is no segment of itself
	}
	// The index finds the rows of the values that the query wants, except for event.Other.
	pred = pred.andCounted(q.Property, q.Values).andCounted(segmentOf(q), q.SegmentValues)
	ranges := v.rowRanges()
	if s == nil && totalsSuffice(q) {
		if ranges, err = v.totals(q, agg); err != nil {
			return nil, query.CounterRow{}, err
		}
	}
	var mergeErr error
	err = readInOrder(v.budget, pred, ranges, func(r *rangeReader, rr *rowRange) (*partialAggregate, error) {
		return cache.get(rr, func() (*partialAggregate, error) { return r.aggregateRange(rr, q, s, sp) })
	}, func(p *partialAggregate) bool {
		mergeErr = agg.merge(p)
		p.release()
		return mergeErr == nil
	})
	if err = cmp.Or(err, mergeErr); err != nil {
		return nil, query.CounterRow{}, err
	}
	p, err := v.persons()
	if err != nil {
		return nil, query.CounterRow{}, err
	}
	total, err = agg.finish(p)
	return agg, total, err
}

// totalsSuffice reports whether the totals of runs answer the query.
func totalsSuffice(q *query.CounterQuery) bool {
	return q.Metrics == query.MetricEvents && q.Segment == "" && len(q.Where) == 0 && q.From == 0 && q.To == 0
}

// totals adds the totals of runs to agg, and returns the row ranges of all other parts.
func (v *view) totals(q *query.CounterQuery, agg *aggregate) (rest []rowRange, err error) {
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
			row := agg.row(aggregateKey{value: agg.names.id(s.Value), segment: noSegment})
			if full = full || row < 0; full {
				return
			}
			agg.rows[row].Events = index.AddSaturating(agg.rows[row].Events, s.Sum)
			agg.total = index.AddSaturating(agg.total, s.Sum)
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

// andCounted restricts pred to the rows that count under one of the values of a property.
// It returns pred itself when the index cannot find these rows.
func (pred *predicate) andCounted(property string, values []string) *predicate {
	if property == "" || len(values) == 0 || slices.Contains(values, event.Other) {
		return pred
	}
	narrow := *pred
	narrow.clauses = append(slices.Clip(pred.clauses), countedClause(property, values))
	return &narrow
}
