// Wide aggregates: counters of a property with many values, or of many pairs of a value and a
// segment. All goroutines share the numbers of values and segments (quickvalues.go), and count
// pairs of these in the same tables (widerows.go). Only the rows of the page become texts again.

package read

import (
	"cmp"
	"slices"

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
	joint  bool       // persons are counted of all rows together, and not of each, as sessions always are
	shown  *wideTable // in a second pass, the rows whose persons and sessions are counted

	values, segments *sharedTerms
	all              [2]sharedOrds // persons and sessions of all rows together
	rows             wideRows
	users            []uint64 // by number of a row, or by index of a shown one
	sessions         []uint64 // by index of a shown one
	total            query.CounterRow
}

// wideCounters answers q, see counters.
func (v *view) wideCounters(q *query.CounterQuery, limit int) (page query.CounterPage, err error) {
	w := &wideAggregate{q: q, budget: v.budget, joint: v.worthTwoPasses(q, limit), values: newSharedTerms(), segments: newSharedTerms()}
	w.rows.numbered = !w.joint && q.Metrics.Has(query.MetricUsers)
	if err := w.read(v); err != nil {
		return page, err
	}
	n := int(w.rows.n.Load())
	from := min(q.Offset, n)
	shown := w.first(min(n-from, limit) + from)[from:]
	page.Total, page.Count, page.More = w.total, n, n-from > limit
	if n > 0 {
		page.Rows = w.counterRows(shown)
	}
	if !w.joint || len(shown) == 0 {
		return page, nil
	}
	w.shown = new(wideTable)
	for i := range shown {
		w.shown.count([]uint64{shown[i].key}, 0, nil)
	}
	if err := w.read(v); err != nil {
		return query.CounterPage{}, err
	}
	for i := range page.Rows {
		page.Rows[i].Users, page.Rows[i].Sessions = w.users[i], w.sessions[i]
	}
	return page, nil
}

// read counts all rows, or the persons and sessions of those that are shown.
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
	pairs, visits := pairBag{spill: w.spill}, pairBag{spill: w.spill}
	for _, c := range counters {
		if c == nil {
			continue
		}
		if err := c.end(); err != nil {
			return err
		}
		pairs.take(&c.pairs)
		visits.take(&c.visited)
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	n := 0
	switch {
	case w.shown != nil:
		n = len(w.shown.list)
	case w.rows.numbered:
		n = int(w.rows.n.Load())
	}
	if w.shown == nil {
		users, sessions := w.all[ofPersons].all(), w.all[ofSessions].all()
		w.total.Users, w.total.Sessions = uint64(users.CountPersons(p)), uint64(sessions.Len())
	}
	w.users = make([]uint64, n)
	err = pairs.eachPerson(p, func(row int) { w.users[row]++ })
	if err == nil && w.shown != nil {
		w.sessions = make([]uint64, n)
		err = visits.eachPair(func(row int, _ uint64) { w.sessions[row]++ })
	}
	return err
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

// wideLine is a row and its users.
type wideLine struct {
	wideRow
	users uint64
}

// counterRows returns rows as the answer has them.
func (w *wideAggregate) counterRows(lines []wideLine) []query.CounterRow {
	out := make([]query.CounterRow, len(lines))
	for i, l := range lines {
		value, segment := splitWideKey(l.key)
		out[i] = query.CounterRow{Value: w.values.names[value], Events: l.events, Users: l.users}
		if segment != noSegment {
			out[i].Segment = w.segments.names[segment]
		}
	}
	return out
}

// first returns the first n rows in the order of the question, see query.SortCounters. It sums up
// the events of all rows.
func (w *wideAggregate) first(n int) []wideLine {
	compare := func(a, b wideLine) int {
		c := 0
		switch w.q.Sort {
		case "", "events":
			c = cmp.Compare(b.events, a.events)
		case "users":
			c = cmp.Compare(b.users, a.users)
		}
		if c != 0 {
			return c
		}
		valueA, segmentA := splitWideKey(a.key)
		valueB, segmentB := splitWideKey(b.key)
		if valueA != valueB || segmentA == noSegment {
			return cmp.Compare(w.values.names[valueA], w.values.names[valueB])
		}
		return cmp.Compare(w.segments.names[segmentA], w.segments.names[segmentB])
	}
	// Whatever comes after n others is left out, as soon as there are twice as many.
	var lines []wideLine
	full := false // all after the n-th are left out
	for i := range w.rows.tables {
		t := &w.rows.tables[i]
		for at, row := range t.list {
			w.total.Events = index.AddSaturating(w.total.Events, row.events)
			l := wideLine{wideRow: row}
			if w.rows.numbered {
				l.users = w.users[t.numbers[at]]
			}
			if n == 0 || full && compare(l, lines[n-1]) > 0 {
				continue
			}
			if lines = append(lines, l); len(lines) >= 2*n {
				slices.SortFunc(lines, compare)
				lines, full = lines[:n], true
			}
		}
	}
	slices.SortFunc(lines, compare)
	return lines[:n]
}
