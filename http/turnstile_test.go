package httpd

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/http/native"
	"cairn/http/native/nativetest"
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

// A write counts what it becomes in memory: many tiny events count more than their bytes, and
// no body counts more than half of what may be at work.
func TestWorkOf(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       int64
	}{
		{"nothing", "", 0},
		{"a usual event", nativetest.Line(1), int64(len(nativetest.Line(1)))},
		{"a thousand", strings.Repeat(nativetest.Line(1)+"\n", 1000), 1000 * int64(len(nativetest.Line(1))+1)},
		{"tiny ones in little", strings.Repeat("{}\n", 1000), 1000 * workObject},
		{"as many as there may be", strings.Repeat("{}\n", native.EventsMax), native.EventsMax * workObject},
		{"a large one", strings.Repeat("x", native.EventsBodyMax), workBytes / 2},
	} {
		if got := workOf([]byte(c.body)); got != c.want {
			t.Errorf("%s counts %d, want %d", c.name, got, c.want)
		}
	}
}
