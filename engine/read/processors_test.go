package read

import (
	"sync"
	"sync/atomic"
	"testing"
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
