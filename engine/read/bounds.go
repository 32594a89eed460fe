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
