// Slices in turn: what is found in a slice is merged with newer slices in order, and all that
// needs no order is done side by side.

package read

import (
	"runtime"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
)

// workersMax bounds the goroutines of one report: each has memory of its own.
const workersMax = 8

// Workers returns how many goroutines InTurn uses for a selection of the rows at most.
func (r *Rows) Workers() int {
	return max(1, min(runtime.GOMAXPROCS(0), workersMax, len(r.rowRanges())))
}

// WorkersIn is Workers for goroutines that each take so many bytes of a room. The first one needs
// none.
func (r *Rows) WorkersIn(m *Room, bytes int64) int {
	n := 1
	for n < r.Workers() && m.Spare(bytes) {
		n++
	}
	return n
}

// InTurn reads the slices of a selection, newest first, by one goroutine for each of workers. A
// goroutine calls read with a slice, then take, which is called for one slice at a time, newest
// first, and then finish. Without take and finish, which are nil both, no slice waits. Slices without a selected row are left out when that is known without
// reading them; a nil result is skipped. A worker belongs to its goroutine while InTurn runs. A
// panic is an error (query.Panic).
func InTurn[W, T any](sel *Selection, workers []*W, read func(*W, *Slice) (*T, error), take, finish func(*W, *T) error) error {
	ranges := sel.rowRanges()
	turns := make([]chan struct{}, len(ranges)+1) // closed when all slices before it were taken
	for i := range turns {
		turns[i] = make(chan struct{})
	}
	close(turns[0])
	stop := make(chan struct{})
	var failed error
	var once sync.Once
	fail := func(err error) {
		once.Do(func() {
			failed = err
			close(stop)
		})
	}
	var next atomic.Int64
	one := func(w *W, r *rangeReader, at int) (err error) {
		defer query.Recovered(&err)
		var value *T
		s, err := sel.slice(r, &ranges[at])
		if s != nil {
			value, err = read(w, s)
			err = s.end(err)
		}
		if err != nil || take == nil {
			return err
		}
		select {
		case <-turns[at]:
		case <-stop:
			return nil
		}
		if value != nil {
			if err := take(w, value); err != nil {
				return err
			}
		}
		close(turns[at+1])
		if value == nil {
			return nil
		}
		return finish(w, value)
	}
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			r := rangeReader{budget: sel.budget, pred: sel.pred}
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Whoever waits for the slices before has a processor, as have those who read them.
				sel.budget.slices.take()
				at := int(next.Add(1)) - 1
				if at >= len(ranges) {
					sel.budget.slices.give()
					return
				}
				err := one(w, &r, at)
				if sel.budget.slices.give(); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	return sel.pred.complete(sel.budget)
}

// EachSlice calls read with the slices of a selection, in any order, by one goroutine for each of
// workers. A worker belongs to its goroutine while EachSlice runs.
func EachSlice[W any](sel *Selection, workers []*W, read func(*W, *Slice) error) error {
	type none struct{}
	return InTurn(sel, workers, func(w *W, s *Slice) (*none, error) { return nil, read(w, s) }, nil, nil)
}
