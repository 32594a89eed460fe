// The aggregate: the answer to a query of counters, as the sum of partial aggregates and of
// the totals of runs.

package read

import (
	"cmp"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
)

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
		if ranges, err = v.totals(q, pred, agg); err != nil {
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

// totalsSuffice reports whether the totals of runs answer the query where the times that
// it asks about allow it.
func totalsSuffice(q *query.CounterQuery) bool {
	return q.Metrics == query.MetricEvents && q.Segment == "" && len(q.Where) == 0
}

// totals adds the totals of runs to agg, and returns the row ranges of all other parts. Those are
// also the runs that have hidden rows.
func (v *view) totals(q *query.CounterQuery, pred *predicate, agg *aggregate) (rest []rowRange, err error) {
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		if p.Run == nil || p.Hidden() != nil { // totals count hidden rows
			rest = appendRowRanges(p, rest)
			continue
		}
		if err := v.budget.check(); err != nil {
			return nil, err
		}
		days, ok := v.totalsOf(p.Run, pred)
		if !ok {
			rest = appendRowRanges(p, rest)
			continue
		}
		if days.none() {
			continue
		}
		full := false
		err := p.Run.Totals(q.Property, days.from, days.to, func(s index.Total) {
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
	return query.Bad("property", "more than %d values; ask for fewer days or add a filter", query.CounterRowsMax)
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
