package engine

import "sync"

// broadcast tells any number of goroutines that something has happened. The zero broadcast
// is ready to use.
type broadcast struct {
	mu   sync.Mutex
	said chan struct{} // the next tell closes it; nil if nobody waits
}

// next returns a channel that the next tell closes.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.said == nil {
		b.said = make(chan struct{})
	}
	return b.said
}

// tell wakes all goroutines that wait.
func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.said != nil {
		close(b.said)
		b.said = nil
	}
}
