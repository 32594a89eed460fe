// Writes that find no space wait for it.

package wal

import (
	"sync"
	"sync/atomic"
)

// stuck counts the goroutines that wait for space. The zero stuck is ready to use.
type stuck struct {
	n     atomic.Int32
	mu    sync.Mutex
	begun chan struct{} // closed while some goroutine waits; nil if nobody has asked
}

func (s *stuck) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n.Add(1) == 1 && s.begun != nil {
		close(s.begun)
	}
}

func (s *stuck) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n.Add(-1) == 0 {
		s.begun = nil
	}
}

// BeginWait says that writes wait for space in a way that FS does not see: Pebble takes no more
// before its memtables are flushed, and tables find no space. EndWait ends that.
func (d *Disk) BeginWait() { d.stuck.enter() }

// EndWait undoes BeginWait.
func (d *Disk) EndWait() { d.stuck.leave() }

// Stuck reports whether a write of the log waits for space.
func (d *Disk) Stuck() bool { return d.stuck.n.Load() > 0 }

// WhenStuck returns a channel that is closed as soon as a write of the log waits for space,
// or already is. Ask again after the wait is over.
func (d *Disk) WhenStuck() <-chan struct{} {
	s := &d.stuck
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun == nil {
		s.begun = make(chan struct{})
		if s.n.Load() > 0 {
			close(s.begun)
		}
	}
	return s.begun
}
