// Wide aggregates: counters of a property with many values, or of many pairs of a value and a
// segment. Each goroutine numbers values, segments and their pairs by itself, over all row ranges
// that it reads. Texts are compared once for each goroutine at the end, and not in each row range,
// and only the rows of the page become texts again.

package read

import (
	"cmp"
	"slices"
	"sync"

	"cairn/engine/query"
	"cairn/index"
)

// wideFrom is how many rows an answer may have before it is a wide aggregate. A smaller budget
// of pairs makes it fewer.
const wideFrom = 1 << 13

// isWide reports whether q is better answered by a wide aggregate. An answer with fewer rows is
// better answered by partial aggregates of row ranges, which are kept.
func (v *view) isWide(q *query.CounterQuery) bool {
	segment := segmentOf(q)
	if len(q.Values) > 0 || len(q.SegmentValues) > 0 || segment == q.Property || totalsSuffice(q) {
		return false
	}
	n := v.valuesEstimate(q.Property)
	if segment != "" {
		n *= max(1, v.valuesEstimate(segment))
	}
	return n >= min(wideFrom, v.budget.pairs.bagPairs/2)
}

// wideAggregate is what all goroutines have counted.
type wideAggregate struct {
	q      *query.CounterQuery
	joint  bool // persons and sessions are counted of all rows together, and not of each
	known  bool // only rows that are there from the start count, and there is no total
	spill  *spill
	budget budget

	mu             sync.Mutex // of what follows but the sets, while goroutines read
	values         terms
	segments       terms
	rows           wideRows
	users          []uint64 // by row
	sessions       []uint64
	total          query.CounterRow
	persons, visit sharedOrds // of all rows together
}

func newWideAggregate(v *view, q *query.CounterQuery) *wideAggregate {
	w := &wideAggregate{q: q, budget: v.budget}
	if segmentOf(q) != "" {
		w.rows.shift = cornerSegmentBits
	}
	return w
}

// wideCounters answers q, see counters.
func (rd *Reader) wideCounters(v *view, q *query.CounterQuery, limit int) (page query.CounterPage, err error) {
	w := newWideAggregate(v, q)
	w.joint = v.worthTwoPasses(q, limit)
	if err := w.read(v); err != nil {
		return page, err
	}
	n := len(w.rows.list)
	from := min(q.Offset, n)
	shown := w.first(min(n-from, limit) + from)[from:]
	page.Total, page.Count, page.More = w.total, n, n-from > limit
	if n > 0 {
		page.Rows = w.counterRows(shown)
	}
	if !w.joint || len(shown) == 0 {
		return page, nil
	}
	// The second pass counts the people of the rows of the page.
	of := newWideAggregate(v, q)
	of.known = true
	for i := range page.Rows {
		r := &page.Rows[i]
		segment := int32(noSegment)
		if segmentOf(q) != "" {
			segment = of.segments.id(r.Segment)
		}
		of.rows.add(wideKey(of.values.id(r.Value), segment))
	}
	if err := of.read(v); err != nil {
		return query.CounterPage{}, err
	}
	for i := range page.Rows {
		page.Rows[i].Users, page.Rows[i].Sessions = of.users[i], of.sessions[i]
	}
	return page, nil
}

// read counts all rows.
func (w *wideAggregate) read(v *view) error {
	w.spill = v.budget.spill()
	defer w.spill.close()
	pred, err := planCounters(w.q, v)
	if err != nil {
		return err
	}
	if w.known {
		pred = pred.andCounted(w.q.Property, w.values.names).andCounted(segmentOf(w.q), w.segments.names)
	}
	counters, err := gather(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange, c **wideCounter) error {
		if *c == nil {
			*c = newWideCounter(w, r)
		}
		return (*c).countRange(rr)
	})
	if err != nil {
		return err
	}
	persons, visits := pairBag{spill: w.spill}, pairBag{spill: w.spill}
	for _, c := range counters {
		if c == nil {
			continue
		}
		if err := w.merge(c); err != nil {
			return err
		}
		persons.take(&c.pairs[ofPersons])
		visits.take(&c.pairs[ofSessions])
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	w.users, w.sessions = make([]uint64, len(w.rows.list)), make([]uint64, len(w.rows.list))
	w.total.Users, w.total.Sessions = uint64(w.persons.set.CountPersons(p)), uint64(w.visit.set.Len())
	err = persons.eachPerson(p, func(row int) { w.users[row]++ })
	if err == nil {
		err = visits.eachPair(func(row int, _ uint64) { w.sessions[row]++ })
	}
	return err
}

// mergeCheck is how many rows are merged between two looks at the time.
const mergeCheck = 1 << 15

// merge adds the rows of a goroutine that has ended.
func (w *wideAggregate) merge(c *wideCounter) error {
	for i := range c.rows.list {
		if i%mergeCheck == 0 {
			if err := w.budget.check(); err != nil {
				return err
			}
		}
		place := c.placeLocked(i)
		if place < 0 {
			if w.known {
				continue
			}
			return tooManyValues()
		}
		by := c.rows.list[i].events
		row := &w.rows.list[place]
		row.events = index.AddSaturating(row.events, by)
		w.total.Events = index.AddSaturating(w.total.Events, by)
	}
	return nil
}

// counterRows returns rows as the answer has them.
func (w *wideAggregate) counterRows(rows []int32) []query.CounterRow {
	out := make([]query.CounterRow, len(rows))
	for i, row := range rows {
		r := &w.rows.list[row]
		value, segment := splitWideKey(r.key)
		out[i] = query.CounterRow{Value: w.values.names[value], Events: r.events, Users: w.users[row], Sessions: w.sessions[row]}
		if segment != noSegment {
			out[i].Segment = w.segments.names[segment]
		}
	}
	return out
}

// first returns the first n rows in the order of the question, see query.SortCounters.
func (w *wideAggregate) first(n int) []int32 {
	number := func(int32) int64 { return 0 }
	switch w.q.Sort {
	case "", "events":
		number = func(row int32) int64 { return w.rows.list[row].events }
	case "users":
		number = func(row int32) int64 { return int64(w.users[row]) }
	case "sessions":
		number = func(row int32) int64 { return int64(w.sessions[row]) }
	}
	compare := func(a, b int32) int {
		if c := cmp.Compare(number(b), number(a)); c != 0 {
			return c
		}
		valueA, segmentA := splitWideKey(w.rows.list[a].key)
		valueB, segmentB := splitWideKey(w.rows.list[b].key)
		if valueA != valueB || segmentA == noSegment {
			return cmp.Compare(w.values.names[valueA], w.values.names[valueB])
		}
		return cmp.Compare(w.segments.names[segmentA], w.segments.names[segmentB])
	}
	if n == 0 {
		return nil
	}
	// Whatever comes after n others is left out, as soon as there are twice as many.
	var rows []int32
	worst := int32(-1) // all after this one are left out
	for row := range int32(len(w.rows.list)) {
		if worst >= 0 && compare(row, worst) > 0 {
			continue
		}
		if rows = append(rows, row); len(rows) >= 2*n {
			slices.SortFunc(rows, compare)
			rows, worst = rows[:n], rows[n-1]
		}
	}
	slices.SortFunc(rows, compare)
	return rows[:n]
}
