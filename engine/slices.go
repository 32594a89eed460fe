// Slices: the rows of a view cut into pieces that are read side by side.

package engine

import (
	"runtime"
	"sync"
	"sync/atomic"

	"cairn/index"
)

// sliceRows is how many rows a slice has at most: what is found out about so many
// fits the processor's cache.
const sliceRows = 1 << 16

// slice is some rows of a part: from..to, to excluded. One goroutine reads it.
type slice struct {
	of       *viewPart
	from, to int
	none     *atomic.Bool   // of all slices of the part: no row satisfies the query
	matched  *index.Matcher // set by open
}

// slices cuts the rows of v, newest first.
func (v *view) slices() []slice {
	var all []slice
	for i := len(v.parts) - 1; i >= 0; i-- {
		p := &v.parts[i]
		none := new(atomic.Bool)
		for to := int(p.last() - p.first() + 1); to > 0; {
			from := (to - 1) / sliceRows * sliceRows
			all = append(all, slice{of: p, from: from, to: to, none: none})
			to = from
		}
	}
	return all
}

// open returns the slice's part as its own to read, nil when no row of the part
// satisfies w.
func (s *slice) open(b budget, w *where) (*viewPart, error) {
	if err := b.spent(); err != nil {
		return nil, err
	}
	if s.none.Load() {
		return nil, nil
	}
	own := *s.of
	s.matched = w.matcher(&own)
	if err := own.err(); err != nil {
		return nil, err
	}
	if s.matched == nil {
		s.none.Store(true)
		return nil, nil
	}
	return &own, nil
}

// each calls fn with the rows of an open slice that satisfy the query, ascending.
func (s *slice) each(b budget, fn func(row int)) (err error) {
	n := 0
	s.matched.Between(s.from, s.to, func(row int) bool {
		if n++; n%4096 == 0 {
			if err = b.spent(); err != nil {
				return false
			}
		}
		fn(row)
		return true
	})
	return err
}

// sideBySide reads the slices of v, as many at a time as there are processors, and
// hands what read gives to take, the newest slice first, until that returns false.
// nil is nothing to take.
func sideBySide[T any](v *view, read func(*slice) (*T, error), take func(*T) bool) error {
	const most = 8
	var results [most]*T
	var errs [most]error
	for all := v.slices(); len(all) > 0; {
		n := min(runtime.GOMAXPROCS(0), most, len(all))
		var wg sync.WaitGroup
		for i := 1; i < n; i++ {
			wg.Go(func() { results[i], errs[i] = read(&all[i]) })
		}
		results[0], errs[0] = read(&all[0])
		wg.Wait()
		for i := range n {
			if errs[i] != nil {
				return errs[i]
			}
			if results[i] != nil && !take(results[i]) {
				return nil
			}
		}
		all = all[n:]
	}
	return nil
}
