package mcp

import (
	"sync"
	"time"
)

// CallsMinute is how many calls of tools one credential has a minute, all of which may come at once.
const CallsMinute = 60

// Rate bounds the calls of one credential. The zero value has all calls left.
type Rate struct {
	mu sync.Mutex
	at time.Time // when all calls are there again, of a clock that is never set back
}

// Take spends a call. A wait above 0 means that there was none left.
func (r *Rate) Take(now time.Time) (wait time.Duration) {
	if r == nil {
		return 0
	}
	const one = time.Minute / CallsMinute
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.Before(now) {
		r.at = now
	}
	next := r.at.Add(one)
	if wait = next.Sub(now) - time.Minute; wait > 0 {
		return wait
	}
	r.at = next
	return 0
}
