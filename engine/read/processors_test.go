package read

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/engine/query"
)

// As many slices are read at once as there are processors, and one fewer while events are written.
func TestProcessorsAreSharedWithWrites(t *testing.T) {
	var writing atomic.Bool
	for _, c := range []struct {
		all     int
		writing bool
		most    int64
	}{{4, false, 4}, {4, true, 3}, {1, true, 1}} {
		writing.Store(c.writing)
		p := newProcessors(c.all, writing.Load)
		for range c.most {
			if !p.try() {
				t.Fatalf("%+v: %d at once", c, p.busy.Load())
			}
		}
		if p.try() {
			t.Fatalf("%+v: more than %d at once", c, c.most)
		}
		for range c.most {
			p.give()
		}
		var most, now atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					p.take()
					n := now.Add(1)
					for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
					}
					now.Add(-1)
					p.give()
				}
			})
		}
		wg.Wait()
		if most.Load() > c.most || p.busy.Load() != 0 {
			t.Errorf("%+v: %d at once, %d left", c, most.Load(), p.busy.Load())
		}
	}
}

// A helper takes a processor beside the one of its caller, gives it back, and is waited for if it
// has begun. Its panic is one of whoever waits.
func TestHelp(t *testing.T) {
	var writing atomic.Bool
	p := newProcessors(2, writing.Load)
	begun, end := make(chan struct{}), make(chan struct{})
	ended := false
	wait := p.help(func() {
		close(begun)
		<-end
		ended = true
	})
	<-begun
	p.help(func() { t.Error("two helpers and their callers on two processors") })()
	close(end)
	if wait(); !ended || p.busy.Load() != 0 {
		t.Errorf("ended %v, %d processors are busy after it", ended, p.busy.Load())
	}
	writing.Store(true)
	p.help(func() { t.Error("a helper on the processor of a write") })()
	writing.Store(false)

	var failed error
	func() {
		defer query.Recovered(&failed)
		began := make(chan struct{})
		wait := p.help(func() {
			close(began)
			panic("bad")
		})
		<-began
		wait()
	}()
	if is := new(query.Panic); !errors.As(failed, &is) || p.busy.Load() != 0 {
		t.Errorf("%v, and %d processors are busy", failed, p.busy.Load())
	}
}
