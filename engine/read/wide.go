// Wide aggregates: counters of a property with many values, or of many pairs of a value and a
// segment. All goroutines share the numbers of values and segments (quickvalues.go). Each numbers
// the pairs of these by itself, over all row ranges that it reads, so at the end integers are
// merged. Only the rows of the page become texts again.

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
// better answered by partial aggregates of row ranges, which are kept. So is one that counts the
// sessions of each row in one pass: a partial aggregate knows which sessions no other one has, and
// needs no pairs for these.
func (v *view) isWide(q *query.CounterQuery, limit int) bool {
	segment := segmentOf(q)
	if q.Metrics.Has(query.MetricSessions) && !v.worthTwoPasses(q, limit) {
		return false
	}
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
	budget budget
	spill  *spill
	joint  bool      // persons are counted of all rows together, and not of each, as sessions always are
	shown  *wideRows // in a second pass, the rows whose persons are counted

	values, segments *sharedTerms
	persons, visits  sharedOrds // of all rows together
	mu               sync.Mutex // of rows, while goroutines read
	rows             wideRows
	users            []uint64 // by row, or by shown row
	total            query.CounterRow
}

// wideCounters answers q, see counters.
func (rd *Reader) wideCounters(v *view, q *query.CounterQuery, limit int, repeated bool) (page query.CounterPage, err error) {
	w := &wideAggregate{q: q, budget: v.budget, joint: v.worthTwoPasses(q, limit), values: newSharedTerms(), segments: newSharedTerms()}
	if segmentOf(q) != "" {
		w.rows.shift = cornerSegmentBits
	}
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
	if q.Metrics.Has(query.MetricSessions) { // see isWide
		return page, rd.fillDistinct(v, q, page.Rows, repeated)
	}
	w.shown = &wideRows{shift: w.rows.shift}
	for _, row := range shown {
		w.shown.add(w.rows.list[row].key)
	}
	if err := w.read(v); err != nil {
		return query.CounterPage{}, err
	}
	for i := range page.Rows {
		page.Rows[i].Users = w.users[i]
	}
	return page, nil
}

// read counts all rows, or the persons of those that are shown.
func (w *wideAggregate) read(v *view) error {
	w.spill = v.budget.spill()
	defer w.spill.close()
	pred, err := planCounters(w.q, v)
	if err != nil {
		return err
	}
	if w.shown != nil {
		pred = w.narrow(pred)
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
	pairs := pairBag{spill: w.spill}
	for _, c := range counters {
		if c == nil {
			continue
		}
		if err := w.merge(c); err != nil {
			return err
		}
		pairs.take(&c.pairs)
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	n := len(w.rows.list)
	if w.shown != nil {
		n = len(w.shown.list)
	} else {
		w.total.Users, w.total.Sessions = uint64(w.persons.set.CountPersons(p)), uint64(w.visits.set.Len())
	}
	w.users = make([]uint64, n)
	return pairs.eachPerson(p, func(row int) { w.users[row]++ })
}

// narrow restricts pred to the rows that count under a value and a segment that are shown.
func (w *wideAggregate) narrow(pred *predicate) *predicate {
	var values, segments idSet
	for _, row := range w.shown.list {
		value, segment := splitWideKey(row.key)
		if values.add(value); segment != noSegment {
			segments.add(segment)
		}
	}
	texts := func(t *sharedTerms, ids []int32) (texts []string) {
		for _, id := range ids {
			texts = append(texts, t.names[id])
		}
		return texts
	}
	return pred.andCounted(w.q.Property, texts(w.values, values.list)).andCounted(segmentOf(w.q), texts(w.segments, segments.list))
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
		place := c.place(i)
		if place < 0 {
			return tooManyValues()
		}
		row, by := &w.rows.list[place], c.rows.list[i].events
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
		out[i] = query.CounterRow{Value: w.values.names[value], Events: r.events, Users: w.users[row]}
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
