package httpd

import (
	"context"
	"testing"
	"time"

	"cairn/engine/event"
)

// A request is a repeat within the span after the first equal one, and no longer: two honest
// clicks further apart are two.
func TestRepeats(t *testing.T) {
	const span = 100 * time.Millisecond
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var r repeats
	for _, c := range []struct {
		key   byte
		at    time.Duration // since the start, which never goes back here
		first bool
	}{
		{'a', 0, true},
		{'a', 1 * time.Millisecond, false},
		{'b', 50 * time.Millisecond, true},
		{'a', 99 * time.Millisecond, false},
		{'a', 100 * time.Millisecond, true}, // counted from the first, not from the last
		{'b', 149 * time.Millisecond, false},
		{'b', 150 * time.Millisecond, true},
		{'a', 199 * time.Millisecond, false},
		{'a', 450 * time.Millisecond, true},
		{'b', 2 * time.Hour, true},
	} {
		first, mine := r.begin([32]byte{c.key}, start.Add(c.at), span)
		if mine != c.first {
			t.Errorf("%c at %v: the first of its like = %v, want %v", c.key, c.at, mine, c.first)
		}
		if mine {
			first.finish(true, &event.Outcome{Device: string(c.key)})
		} else if answer, ok := first.wait(t.Context()); !ok || answer.Device != string(c.key) {
			t.Errorf("%c at %v: answered %+v, %v", c.key, c.at, answer, ok)
		}
	}
	// Nothing is remembered for longer than it is asked for.
	for i := range 10_000 {
		_, _ = r.begin([32]byte{byte(i), byte(i >> 8)}, start.Add(3*time.Hour+time.Duration(i)*time.Millisecond), span)
	}
	if n := len(r.now) + len(r.old); n > 200 {
		t.Errorf("%d requests are remembered", n)
	}
}

// A repeat waits for the first request. When that was not stored, the repeat is.
func TestRepeatOfAFailure(t *testing.T) {
	var r repeats
	now := time.Now()
	first, _ := r.begin([32]byte{1}, now, time.Second)
	again, mine := r.begin([32]byte{1}, now, time.Second)
	if mine {
		t.Fatal("two firsts")
	}
	go first.finish(false, new(event.Outcome))
	if _, ok := again.wait(t.Context()); ok {
		t.Error("the repeat of a failure was answered as stored")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waiting, _ := r.begin([32]byte{2}, now, time.Second)
	if _, ok := waiting.wait(ctx); ok {
		t.Error("a server that stops answered for the first")
	}
}
