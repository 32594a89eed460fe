package httpd

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// A turnstile lets in no more than it has room for, and everyone in the end.
func TestTurnstile(t *testing.T) {
	const room = 100
	s := newTurnstile(room)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 200 {
				n := 1 + rand.Int64N(room)
				s.take(n)
				now := inside.Add(n)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				inside.Add(-n)
				s.give(n)
			}
		})
	}
	wg.Wait()
	if most.Load() > room || s.left != room {
		t.Errorf("%d inside at most, %d left in the end; there is room for %d", most.Load(), s.left, room)
	}
}
