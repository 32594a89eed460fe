package auth

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// waitFor waits until n wait.
func (w *Work) waitFor(n int) {
	for {
		w.mu.Lock()
		waiting := len(w.waiting)
		w.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// Places go to those who wait, in the order in which they came, and not to who comes later.
func TestWorkIsAQueue(t *testing.T) {
	var w Work
	if !w.Take(1) || w.Take(1) {
		t.Fatal("one place is taken once")
	}
	const n = 5
	turns := make(chan int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if !w.Wait(t.Context(), 1) {
				t.Error("no place")
			}
			turns <- i
		})
		w.waitFor(i + 1)
	}
	for i := range n {
		w.Give()
		if got := <-turns; got != i {
			t.Fatalf("it was the turn of %d, not of %d", i, got)
		}
		if w.Take(1) {
			t.Fatal("a place that is taken was taken again")
		}
	}
	all.Wait()
	w.Give()
	if got := w.Count(); got != 0 {
		t.Errorf("%d are at work", got)
	}
}

// Who does not wait any more gets no place, and takes none from others; and only so many wait.
func TestWorkWaitEnds(t *testing.T) {
	var w Work
	w.Take(1)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range waitingMax {
		all.Go(func() {
			if w.Wait(ctx, 1) {
				t.Error("a place though none was given back")
			}
		})
	}
	w.waitFor(waitingMax)
	if w.Wait(t.Context(), 1) {
		t.Error("one more may wait")
	}
	cancel()
	all.Wait()
	w.waitFor(0)
	w.Give()
	if w.Count() != 0 || !w.Take(1) {
		t.Errorf("%d are at work", w.Count())
	}
}

// However turns and ends meet, no more than the bound are at work, and no place is lost.
func TestWorkUnderLoad(t *testing.T) {
	var w Work
	const most = 3
	var at, over atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				if w.Wait(ctx, most) {
					if at.Add(1) > most {
						over.Add(1)
					}
					runtime.Gosched()
					at.Add(-1)
					w.Give()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if over.Load() != 0 || w.Count() != 0 {
		t.Errorf("%d times too many, %d at work at the end", over.Load(), w.Count())
	}
}
