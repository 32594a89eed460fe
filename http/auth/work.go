package auth

import (
	"context"
	"slices"
	"sync"
)

// Work counts what one credential, or one share, has at work, and queues who waits for a place. The
// zero value is idle. Whoever uses one gives the same bound each time.
type Work struct {
	mu      sync.Mutex
	n       int
	waiting []chan struct{} // in the order in which they came; one that is closed has its place
}

// waitingMax is how many may wait at once. A page asks three questions at a time, so these are those
// of twenty pages.
const waitingMax = 64

// Take takes a place if there is one of most.
func (w *Work) Take(most int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.take(most)
}

func (w *Work) take(most int) bool {
	if w.n >= most {
		return false
	}
	w.n++
	return true
}

// Wait takes a place as soon as one of most is free for it: those who came before are first. It
// returns false when ctx ends before that, or when too many wait.
func (w *Work) Wait(ctx context.Context, most int) bool {
	w.mu.Lock()
	if w.take(most) {
		w.mu.Unlock()
		return true
	}
	if len(w.waiting) >= waitingMax {
		w.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	w.waiting = append(w.waiting, turn)
	w.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.Index(w.waiting, turn)
	if at < 0 {
		return true // its turn came at the same time
	}
	w.waiting = slices.Delete(w.waiting, at, at+1)
	return false
}

// Give gives a place back: to who waits longest, if somebody does.
func (w *Work) Give() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.n--
		return
	}
	close(w.waiting[0])
	w.waiting = slices.Delete(w.waiting, 0, 1)
}

// Count is how many places are taken.
func (w *Work) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}
