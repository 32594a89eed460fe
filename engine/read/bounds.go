// Bounds: between which event times a site's rows lie.

package read

import (
	"cmp"
	"context"
	"math"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// Bounds returns the least and the greatest event time of a site, in Unix milliseconds; first >
// last when it has no rows. It reads the descriptors of the runs, and the times of the rows in
// memory and of some runs with deleted rows.
func (rd *Reader) Bounds(ctx context.Context, site *query.Site) (first, last int64, err error) {
	v := rd.view(ctx, site)
	defer v.Close()
	first, last = math.MaxInt64, math.MinInt64
	for i := range v.Parts {
		lo, hi, err := v.bounds(&v.Parts[i])
		if err != nil {
			return 0, 0, err
		}
		first, last = min(first, lo), max(last, hi)
	}
	return first, last, nil
}

// bounds returns the least and the greatest event time of the rows of a part that are not
// deleted; lo > hi when there are none.
func (v *view) bounds(p *table.Part) (lo, hi int64, err error) {
	if err := v.budget.check(); err != nil {
		return 0, 0, err
	}
	r, hidden := p.Run, p.Hidden()
	switch {
	case r != nil && hidden == nil:
		return r.TimeMin, r.TimeMax, nil // the rows that are blanks do not count
	case hidden == nil:
		lo, hi = table.Bounds(p.Get(), event.IntTime)
		return lo, hi, p.Err()
	case r == nil:
		return v.leftBounds(p)
	}
	kept, key := &v.reader.begun, boundsKey{r.Run, v.Deletions}
	kept.mu.Lock()
	known, is := kept.bounds[key]
	kept.mu.Unlock()
	if is {
		return known[0], known[1], nil
	}
	// Mostly the hidden rows are neither the first nor the last ones.
	lo, hi = r.TimeMin, r.TimeMax
	times, c, inside := newRowInts(p.Get().Ints(event.IntTime)), clock{budget: v.budget}, true
	hidden.Each(0, int(r.Rows), func(row int) {
		if inside && err == nil {
			at := times.at(row)
			inside = lo < at && at < hi
			err = c.countRow(0)
		}
	})
	if err = cmp.Or(err, p.Err()); err == nil && !inside {
		lo, hi, err = v.leftBounds(p)
	}
	if err != nil {
		return 0, 0, err
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.bounds == nil || len(kept.bounds) >= blanksMax {
		kept.bounds = make(map[boundsKey][2]int64)
	}
	kept.bounds[key] = [2]int64{lo, hi}
	return lo, hi, nil
}

// leftBounds is bounds for a part with hidden rows. It reads the times of all others.
func (v *view) leftBounds(p *table.Part) (lo, hi int64, err error) {
	lo, hi = math.MaxInt64, math.MinInt64
	m := newPredicate().matcher(p)
	if m == nil {
		return lo, hi, p.Err()
	}
	times := newRowInts(p.Get().Ints(event.IntTime))
	m.Batches(0, p.Get().Len(), make([]int32, index.PageRows), func(rows []int32) bool {
		for _, at := range times.of(rows) {
			lo, hi = min(lo, at), max(hi, at)
		}
		err = v.budget.check()
		return err == nil
	})
	return lo, hi, cmp.Or(err, p.Err())
}

// span returns the least and the greatest time of the rows that satisfy pred. any is false when
// there are no rows. It reads only parts that can have an earlier or a later row than those it has
// read, and leaves out the one of both that the caller does not want.
func (v *view) span(pred *predicate, wantFirst, wantLast bool, kept keptRuns) (first, last int64, any bool, err error) {
	order := make([]*table.Part, 0, len(v.Parts)) // the newest and the oldest part mostly tell
	for i := len(v.Parts) - 1; i >= 0; i-- {
		order = append(order, &v.Parts[i])
	}
	if n := len(order); n > 2 {
		order[1], order[n-1] = order[n-1], order[1]
	}
	first, last = math.MaxInt64, math.MinInt64
	for _, p := range order {
		if p.Run != nil && (pred.outside(p.Run) ||
			first <= last && (!wantFirst || p.Run.TimeMin >= first) && (!wantLast || p.Run.TimeMax <= last)) {
			continue
		}
		lo, hi, err := v.spanOf(pred, p, wantFirst, wantLast, &kept)
		if err != nil {
			return 0, 0, false, err
		}
		first, last = min(first, lo), max(last, hi)
	}
	if first > last {
		return 0, 0, false, pred.complete(v.budget)
	}
	return first, last, true, pred.complete(v.budget)
}

// spanOf is span for one part; lo > hi when no row of it satisfies pred. The one of both that the
// caller does not want may be that of any such row.
func (v *view) spanOf(pred *predicate, p *table.Part, wantFirst, wantLast bool, kept *keptRuns) (lo, hi int64, err error) {
	whole := pred.timeFrom == math.MinInt64 && pred.timeTo == math.MaxInt64
	if r := p.Run; r != nil {
		whole = pred.timeFrom <= r.TimeMin && r.TimeMax < pred.timeTo
	}
	lo, hi = math.MaxInt64, math.MinInt64
	switch {
	case whole && len(pred.clauses) == 0 && len(pred.more) == 0:
		return v.bounds(p)
	}
	if lo, hi, stored, err := v.storedSpan(pred, p, wantFirst, wantLast); stored || err != nil {
		return lo, hi, err
	}
	if whole && kept.store && kept.countable(p, nil) {
		counts, err := v.quarterCounts(pred, []*table.Part{p}, kept)
		if err != nil {
			return 0, 0, err
		}
		for _, page := range counts[0].pages {
			lo, hi = min(lo, page.Least), max(hi, page.Greatest)
		}
		return lo, hi, nil
	}
	return v.spanOfRows(pred, appendRowRanges(p, nil))
}

// spanOfRows returns the least and the greatest time of the rows of row ranges that satisfy pred; lo
// > hi when there are none.
func (v *view) spanOfRows(pred *predicate, ranges []rowRange) (lo, hi int64, err error) {
	lo, hi = math.MaxInt64, math.MinInt64
	type bounds struct {
		lo, hi int64
		any    bool
	}
	sums, err := gather(v.budget, pred, ranges, func(r *rangeReader, rr *rowRange, b *bounds) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		times := newRowInts(opened.Get().Ints(event.IntTime))
		err = r.each(rr, func(rows []int32) {
			for _, at := range times.of(rows) {
				if !b.any {
					*b = bounds{at, at, true}
				}
				b.lo, b.hi = min(b.lo, at), max(b.hi, at)
			}
		})
		return cmp.Or(err, opened.Err())
	})
	for _, b := range sums {
		if b.any {
			lo, hi = min(lo, b.lo), max(hi, b.hi)
		}
	}
	return lo, hi, err
}
