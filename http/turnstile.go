package httpd

import (
	"bytes"
	"sync"
)

// This file bounds how much of writes is at work at once.

// A body becomes ten times as much memory, and many tiny events a hundred times. So writes
// of workBytes together are at work at once, which keeps the disk busy. The others wait as
// bodies, which the budget counts.
const (
	workBytes     = 2 << 20
	workFreeBytes = 4 << 10 // a write up to this is not counted
	workObject    = 48      // a JSON object counts this much at least; its record has 20 times that
)

// workOf is how many bytes a body counts among the writes at work.
func workOf(body []byte) int64 {
	return min(int64(max(len(body), workObject*bytes.Count(body, []byte("{")))), workBytes/2)
}

// turnstile lets a number of bytes in at once, in the order in which they come.
type turnstile struct {
	turn  sync.Mutex // held by the one that waits for left to grow
	mu    sync.Mutex
	freed sync.Cond
	left  int64
}

func newTurnstile(bytes int64) *turnstile {
	t := &turnstile{left: bytes}
	t.freed.L = &t.mu
	return t
}

func (t *turnstile) take(n int64) {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.left < n {
		t.freed.Wait()
	}
	t.left -= n
}

func (t *turnstile) give(n int64) {
	t.mu.Lock()
	t.left += n
	t.mu.Unlock()
	t.freed.Signal() // one waits at most
}
