// Slices: the rows of a view cut into pieces that are read side by side.

package read

import (
	"runtime"
	"sync"
	"sync/atomic"

	"cairn/engine/table"
	"cairn/index"
)

// sliceRows is how many rows a slice has at most: what is found out about so many
// fits the processor's cache.
const sliceRows = 1 << 16

// rowRange is some rows of a part: from..to, to excluded.
type rowRange struct {
	of       *table.Part
	from, to int
}

// rowRanges cuts the rows of v, newest first.
func (v *view) rowRanges() []rowRange {
	var all []rowRange
	for i := len(v.Parts) - 1; i >= 0; i-- {
		all = rowRangesOf(&v.Parts[i], all)
	}
	return all
}

// rowRangesOf appends the slices of a part, newest first.
func rowRangesOf(p *table.Part, all []rowRange) []rowRange {
	for to := int(p.Last() - p.First() + 1); to > 0; {
		from := (to - 1) / sliceRows * sliceRows
		all = append(all, rowRange{p, from, to})
		to = from
	}
	return all
}

// reader reads slices for one query in one goroutine. What it has opened of a part
// serves all slices of the part that come one after another.
type reader struct {
	budget   budget
	pred     *predicate
	of       *table.Part
	own      table.Part     // of, to be read by this goroutine alone
	matched  *index.Matcher // nil when no row of the part satisfies where
	rows     []int32        // scratch
	read     int            // bytes of cells since late looked at the time
	err      error          // of that look; each ends with it
	capped   *cappedCells   // of the slice that cappedOf says
	cappedOf rowRange
	asked    askedNames // nil = a few names alone
}

// counted prepares to read what the rows of an open slice count under a property. part
// is metered.
func (r *reader) counted(s *rowRange, part index.Part, property string, names *terms) (*valueReader, error) {
	if r.cappedOf != *s {
		r.cappedOf, r.capped = *s, r.cappedCells(part, s.from, s.to)
	}
	return newCounted(part, property, names, s.from, s.to, r.capped), r.err
}

// metered is a part of which late knows how much is read.
func (r *reader) metered(p index.Part) index.Part { return metered{p, &r.read} }

// late says that the time for the query is over. It is asked at each row whose cells are
// decoded: one may be 256 KB, and each hands out 8,192 at a time.
func (r *reader) late() bool {
	if r.read >= clockBytes && r.err == nil {
		r.read, r.err = 0, r.budget.spent()
	}
	return r.err != nil
}

// open returns the part of a slice, nil when no row of it satisfies the query.
func (r *reader) open(s *rowRange) (*table.Part, error) {
	if err := r.budget.spent(); err != nil {
		return nil, err
	}
	if r.of != s.of {
		r.of, r.own = s.of, s.of.Own()
		r.matched = r.pred.matcher(&r.own)
		if err := r.own.Err(); err != nil {
			r.of = nil
			return nil, err
		}
	}
	if r.matched == nil {
		return nil, nil
	}
	return &r.own, nil
}

// each calls fn with the rows of an open slice that satisfy the query, ascending,
// those of a page at a time. They are good until fn returns.
func (r *reader) each(s *rowRange, fn func(rows []int32)) (err error) {
	if r.rows == nil {
		r.rows = make([]int32, index.PageRows)
	}
	r.matched.Batches(s.from, s.to, r.rows, func(rows []int32) bool {
		if err = r.budget.spent(); err != nil {
			return false
		}
		fn(rows)
		err = r.err
		return err == nil
	})
	return err
}

// gather reads slices for a query, as many at a time as there are processors, each
// reader adding to a sum of its own. It returns the sums.
func gather[T any](b budget, pred *predicate, all []rowRange, read func(*reader, *rowRange, *T) error) ([]T, error) {
	n := max(1, min(runtime.GOMAXPROCS(0), len(all)))
	sums, errs := make([]T, n), make([]error, n)
	var next atomic.Int64
	work := func(i int) {
		r := reader{budget: b, pred: pred}
		for errs[i] == nil {
			at := int(next.Add(1)) - 1
			if at >= len(all) {
				return
			}
			if errs[i] = read(&r, &all[at], &sums[i]); errs[i] != nil {
				next.Store(int64(len(all)))
			}
		}
	}
	var wg sync.WaitGroup
	for i := 1; i < n; i++ {
		wg.Go(func() { work(i) })
	}
	func() {
		// Even if work panics, the others end before the view that they read is closed.
		defer wg.Wait()
		defer next.Store(int64(len(all)))
		work(0)
	}()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// sideBySide reads slices for a query, as many at a time as there are processors,
// and hands what read gives to take, in the order of the slices, until that returns
// false. nil is nothing to take.
func sideBySide[T any](b budget, pred *predicate, all []rowRange, read func(*reader, *rowRange) (*T, error), take func(*T) bool) error {
	n := min(runtime.GOMAXPROCS(0), len(all))
	type result struct {
		value *T
		err   error
	}
	results := make([]chan result, len(all))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	ahead := make(chan struct{}, 2*n) // results that wait to be taken are few
	stop := make(chan struct{})
	var next atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range n {
		wg.Go(func() {
			r := reader{budget: b, pred: pred}
			for {
				select {
				case ahead <- struct{}{}:
				case <-stop:
					return
				}
				at := int(next.Add(1)) - 1
				if at >= len(all) {
					return
				}
				value, err := read(&r, &all[at])
				results[at] <- result{value, err}
			}
		})
	}
	for i := range results {
		got := <-results[i]
		<-ahead
		if got.err != nil {
			return got.err
		}
		if got.value != nil && !take(got.value) {
			return nil
		}
	}
	return nil
}
