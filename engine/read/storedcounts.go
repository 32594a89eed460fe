// Stored counts: what a run itself keeps of its rows by quarter of an hour, of all and of those
// of each name. A question about them is answered without reading rows, when it comes the first
// time as well. Where a bound of the question cuts a quarter, the rows of that quarter are read.

package read

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// storedCounts returns what the run of a part keeps of the rows that satisfy the clauses of pred,
// whatever their times. It is nil when the run does not keep it, and when some of its rows are
// hidden. The caller checks p.Err.
func storedCounts(pred *predicate, p *table.Part) *index.Counts {
	if p.Run == nil || p.Hidden() != nil || len(pred.more) > 0 {
		return nil
	}
	return index.CountsOf(p.Get(), event.IntTime, quarterMillis, pred.clauses)
}

// addStored adds the rows of a run that satisfy pred to the buckets between cuts, if the run keeps
// how many there are. Otherwise it adds nothing and stored is false.
func (v *view) addStored(pred *predicate, p *table.Part, cuts []int64, buckets []query.Bucket) (stored bool, err error) {
	if p.Run == nil || pred.outside(p.Run) || !fewCut(p.Run, cuts) {
		return false, nil
	}
	if err := v.budget.check(); err != nil {
		return false, err
	}
	own := p.Own() // several goroutines may read the part
	counts := storedCounts(pred, &own)
	if err := own.Err(); counts == nil || err != nil {
		return false, err
	}
	var some []int64 // quarters with rows that a bound cuts
	i, last := 0, len(cuts)-1
	counts.Each(func(quarter int64, rows uint64) {
		from := quarter * quarterMillis
		to := from + quarterMillis
		if to <= cuts[0] || from >= cuts[last] {
			return
		}
		if from < cuts[i] {
			i = 0 // the quarters of another name begin
		}
		for i+1 < last && cuts[i+1] <= from {
			i++
		}
		if from < cuts[i] || cuts[i+1] < to {
			some = append(some, quarter)
			return
		}
		buckets[i].Events += rows
	})
	if err := own.Err(); err != nil {
		return false, err
	}
	slices.Sort(some)
	for _, quarter := range slices.Compact(some) {
		from := quarter * quarterMillis
		in := pred.always().between(max(from, cuts[0]), min(from+quarterMillis, cuts[last]))
		if err := v.addBuckets(in, pagesAt(in, &own, index.PageBounds(own.Get(), event.IntTime)), cuts[:last], buckets); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pagesAt returns the rows of a run on pages that may have rows at the times of pred. Without
// bounds every page may.
func pagesAt(pred *predicate, p *table.Part, bounds []index.Bounds) (ranges []rowRange) {
	if bounds == nil {
		return appendRowRanges(p, nil)
	}
	outside := func(page int) bool {
		_, none := bounds[page].In(pred.timeFrom, pred.timeTo)
		return none
	}
	for page := 0; page < len(bounds); page++ {
		from := page
		for page < len(bounds) && page-from < rangeRowsMax/index.PageRows && !outside(page) {
			page++
		}
		if page > from {
			ranges = append(ranges, rowRange{p, from * index.PageRows, min(page*index.PageRows, int(p.Run.Rows))})
			page--
		}
	}
	return ranges
}

// storedSpan is spanOf for a run that keeps which quarters have rows. It reads rows of the first
// and the last of these alone.
func (v *view) storedSpan(pred *predicate, p *table.Part, wantFirst, wantLast bool) (lo, hi int64, stored bool, err error) {
	own := p.Own() // several goroutines may read the part
	counts := storedCounts(pred, &own)
	if err := own.Err(); counts == nil || err != nil {
		return 0, 0, false, err
	}
	var quarters []int64 // that may have rows
	counts.Each(func(quarter int64, _ uint64) {
		if from := quarter * quarterMillis; from < pred.timeTo && from+quarterMillis > pred.timeFrom {
			quarters = append(quarters, quarter)
		}
	})
	if err := own.Err(); err != nil {
		return 0, 0, false, err
	}
	slices.Sort(quarters)
	quarters = slices.Compact(quarters)
	bounds := index.PageBounds(own.Get(), event.IntTime)
	lo, hi = math.MaxInt64, math.MinInt64
	// find adds the times of a quarter. The times of pred may cut the first and the last quarter,
	// so that these have no row at them.
	find := func(quarter int64) (some bool) {
		from := quarter * quarterMillis
		in := pred.always().between(max(from, pred.timeFrom), min(from+quarterMillis, pred.timeTo))
		var first, last int64
		first, last, err = v.spanOfRows(in, pagesAt(in, &own, bounds))
		lo, hi = min(lo, first), max(hi, last)
		return first <= last || err != nil
	}
	for i := 0; wantFirst && i < len(quarters) && !find(quarters[i]); i++ {
	}
	for i := len(quarters) - 1; wantLast && err == nil && i >= 0 && !find(quarters[i]); i-- {
	}
	return lo, hi, true, err
}
