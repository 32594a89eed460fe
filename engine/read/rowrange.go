// Row ranges: the rows of a view, cut into pieces that goroutines read in parallel.

package read

import (
	"runtime"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// rangeRowsMax is how many rows a row range has at most. The working memory for so many
// rows fits the processor's cache.
const rangeRowsMax = 1 << 16

// rowRange is the rows [from, to) of a part.
type rowRange struct {
	part     *table.Part
	from, to int
}

// rowRanges cuts all rows of v into row ranges, newest first.
func (v *view) rowRanges() []rowRange {
	var ranges []rowRange
	for i := len(v.Parts) - 1; i >= 0; i-- {
		ranges = appendRowRanges(&v.Parts[i], ranges)
	}
	return ranges
}

// appendRowRanges appends the row ranges of a part, newest first.
func appendRowRanges(p *table.Part, ranges []rowRange) []rowRange {
	for to := int(p.Last() - p.First() + 1); to > 0; {
		from := (to - 1) / rangeRowsMax * rangeRowsMax
		ranges = append(ranges, rowRange{p, from, to})
		to = from
	}
	return ranges
}

// rangeReader reads row ranges for one query in one goroutine. It opens a part once for
// all consecutive row ranges of that part.
type rangeReader struct {
	budget      budget
	pred        *predicate
	part        *table.Part
	ownPart     table.Part     // a copy of part that only this goroutine reads
	matcher     *index.Matcher // nil when no row of the part satisfies pred
	batch       []int32        // scratch
	bytesRead   int            // bytes of cells since timedOut checked the time
	err         error          // from timedOut; each ends with it
	capped      *cappedCells   // of cappedRange
	cappedRange rowRange
	numbers     nameNumbers   // nil = the query reads only a few properties
	properties  *propertyPart // of the list of properties
}

// openValues prepares to read the values that the rows of an open row range count under
// for a property. part is metered. An error means that the query's time is over.
func (r *rangeReader) openValues(rr *rowRange, part index.Part, property string, names *terms) (*valueReader, error) {
	if r.cappedRange != *rr {
		r.cappedRange, r.capped = *rr, r.readCapped(part, rr.from, rr.to)
	}
	return newValueReader(part, property, names, rr.from, rr.to, r.capped), r.err
}

// metered returns p with a meter: timedOut knows how many bytes of cells are read from it.
func (r *rangeReader) metered(p index.Part) index.Part { return meteredPart{p, &r.bytesRead} }

// timedOut reports whether the query's time is over. Loops call it for each row whose
// cells they decode: one row may have 256 KB, and each passes on 8,192 rows at a time.
func (r *rangeReader) timedOut() bool {
	if r.bytesRead >= clockBytes && r.err == nil {
		r.bytesRead, r.err = 0, r.budget.check()
	}
	return r.err != nil
}

// open returns the part of a row range, or nil when no row of the part satisfies the query.
func (r *rangeReader) open(rr *rowRange) (*table.Part, error) {
	if err := r.budget.check(); err != nil {
		return nil, err
	}
	if r.part != rr.part {
		r.part, r.ownPart = rr.part, rr.part.Own()
		r.matcher = r.pred.matcher(&r.ownPart)
		if err := r.ownPart.Err(); err != nil {
			r.part = nil
			return nil, err
		}
	}
	if r.matcher == nil {
		return nil, nil
	}
	return &r.ownPart, nil
}

// each calls fn with the rows of an open row range that satisfy the query, ascending, one
// page at a time. The slice is valid until fn returns.
func (r *rangeReader) each(rr *rowRange, fn func(rows []int32)) (err error) {
	if r.batch == nil {
		r.batch = make([]int32, index.PageRows)
	}
	r.matcher.Batches(rr.from, rr.to, r.batch, func(rows []int32) bool {
		if err = r.budget.check(); err != nil {
			return false
		}
		fn(rows)
		err = r.err
		return err == nil
	})
	return err
}

// gather reads row ranges for a query, as many in parallel as there are processors. Each
// goroutine adds to its own sum; gather returns the sums. A panic in one of its goroutines is
// an error (query.Panic); one in the goroutine that calls gather goes on there.
func gather[T any](b budget, pred *predicate, ranges []rowRange, read func(*rangeReader, *rowRange, *T) error) ([]T, error) {
	n := max(1, min(runtime.GOMAXPROCS(0), len(ranges)))
	sums, errs := make([]T, n), make([]error, n)
	var next atomic.Int64
	work := func(i int) {
		r := rangeReader{budget: b, pred: pred}
		one := func() bool {
			b.slices.take()
			defer b.slices.give()
			at := int(next.Add(1)) - 1
			if at >= len(ranges) {
				return false
			}
			if errs[i] = read(&r, &ranges[at], &sums[i]); errs[i] != nil {
				next.Store(int64(len(ranges)))
			}
			return errs[i] == nil
		}
		for one() {
		}
	}
	var wg sync.WaitGroup
	for i := 1; i < n; i++ {
		wg.Go(func() {
			defer next.Store(int64(len(ranges))) // the others need not go on after a panic either
			defer query.Recovered(&errs[i])
			work(i)
		})
	}
	func() {
		// Even if work panics, the others end before the view that they read is closed.
		defer wg.Wait()
		defer next.Store(int64(len(ranges)))
		work(0)
	}()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return sums, pred.complete(b)
}

// readInOrder reads row ranges for a query, as many in parallel as there are processors.
// It passes the results of read to take in the order of ranges, until take returns false.
// A nil result is skipped. A panic of read is an error (query.Panic).
func readInOrder[T any](b budget, pred *predicate, ranges []rowRange, read func(*rangeReader, *rowRange) (*T, error), take func(*T) bool) error {
	n := min(runtime.GOMAXPROCS(0), len(ranges))
	type result struct {
		value *T
		err   error
	}
	results := make([]chan result, len(ranges))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	waiting := make(chan struct{}, 2*n) // bounds how many results wait for take
	stop := make(chan struct{})
	var next atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range n {
		wg.Go(func() {
			r := rangeReader{budget: b, pred: pred}
			for {
				select {
				case waiting <- struct{}{}:
				case <-stop:
					return
				}
				b.slices.take()
				at := int(next.Add(1)) - 1
				if at >= len(ranges) {
					b.slices.give()
					return
				}
				results[at] <- func() (res result) {
					defer b.slices.give()
					defer query.Recovered(&res.err)
					res.value, res.err = read(&r, &ranges[at])
					return res
				}()
			}
		})
	}
	for i := range results {
		res := <-results[i]
		<-waiting
		if res.err != nil {
			return res.err
		}
		if res.value != nil && !take(res.value) {
			return nil
		}
	}
	return pred.complete(b)
}
