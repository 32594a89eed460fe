// Slices: the rows of a view cut into pieces that are read side by side.

package engine

import (
	"runtime"
	"sync"

	"cairn/index"
)

// sliceRows is how many rows a slice has at most: what is found out about so many
// fits the processor's cache.
const sliceRows = 1 << 16

// slice is some rows of a part: from..to, to excluded. One goroutine reads it.
type slice struct {
	of       *viewPart
	from, to int
	matches  *matches
	matched  *index.Bitmap // nil = all rows; set by open
}

// matches are the rows of a part that satisfy a query, found once for all its
// slices.
type matches struct {
	once sync.Once
	rows *index.Bitmap
	skip bool
	err  error
}

// slices cuts the rows of v, newest first.
func (v *view) slices() []slice {
	var all []slice
	for i := len(v.parts) - 1; i >= 0; i-- {
		p := &v.parts[i]
		m := new(matches)
		for to := int(p.last() - p.first() + 1); to > 0; {
			from := (to - 1) / sliceRows * sliceRows
			all = append(all, slice{of: p, from: from, to: to, matches: m})
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
	own := *s.of
	m := s.matches
	m.once.Do(func() {
		m.rows, m.skip = w.rows(&own)
		m.err = own.err()
	})
	if m.err != nil || m.skip {
		return nil, m.err
	}
	s.matched = m.rows
	return &own, nil
}

// each calls fn with the rows of an open slice that satisfy the query, ascending.
func (s *slice) each(b budget, fn func(row int)) (err error) {
	n := 0
	one := func(row int) bool {
		if n++; n%4096 == 0 {
			if err = b.spent(); err != nil {
				return false
			}
		}
		if row < s.to {
			fn(row)
		}
		return row < s.to
	}
	if s.matched != nil {
		s.matched.Ascend(s.from, one)
		return err
	}
	for row := s.from; row < s.to && one(row); row++ {
	}
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
