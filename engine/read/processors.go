// Processors: how many slices are read at once, by all queries together.

package read

import (
	"sync/atomic"
	"time"

	"cairn/engine/query"
)

// processors bounds how many slices are read at once: as many as there are processors, and one
// fewer while events are being written. A write passes through several goroutines, each of which
// would wait for a processor.
type processors struct {
	all     int
	writing func() bool // nil = never
	busy    atomic.Int64
	freed   chan struct{} // a hint that one may be free
}

// Whoever waits looks again after processorLook, and goes on after processorWait in any case.
const (
	processorLook = 2 * time.Millisecond
	processorWait = time.Second
)

func newProcessors(all int, writing func() bool) *processors {
	return &processors{all: all, writing: writing, freed: make(chan struct{}, 1)}
}

func (p *processors) most() int64 {
	if p.writing != nil && p.writing() {
		return int64(max(1, p.all-1))
	}
	return int64(p.all)
}

// take waits for a processor. nil has always one.
func (p *processors) take() {
	if p == nil || p.try() {
		return
	}
	end := time.Now().Add(processorWait)
	timer := time.NewTimer(processorLook)
	defer timer.Stop()
	for !p.try() {
		if time.Now().After(end) {
			p.busy.Add(1)
			return
		}
		select {
		case <-p.freed:
		case <-timer.C:
			timer.Reset(processorLook)
		}
	}
}

func (p *processors) try() bool {
	n := p.busy.Load()
	return n < p.most() && p.busy.CompareAndSwap(n, n+1)
}

// give gives a processor back.
func (p *processors) give() {
	if p == nil {
		return
	}
	p.busy.Add(-1)
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// help runs work in another goroutine if a processor is free beside the one of the caller, who has
// taken none. wait returns when work has ended; it does not wait for work that has not begun. A
// panic in work becomes one of wait.
func (p *processors) help(work func()) (wait func()) {
	if p == nil || !p.spare() {
		return func() {}
	}
	var begun atomic.Bool // or never to begin
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.give()
		if begun.CompareAndSwap(false, true) {
			defer query.Recovered(&err)
			work()
		}
	}()
	return func() {
		if begun.CompareAndSwap(false, true) {
			return
		}
		if <-done; err != nil {
			panic(err)
		}
	}
}

// spare is try, where another processor is free then.
func (p *processors) spare() bool {
	n := p.busy.Load()
	return n+1 < p.most() && p.busy.CompareAndSwap(n, n+1)
}
