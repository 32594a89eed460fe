// The Open of a store that finds no space: it waits, while the store can be read.

package engine

import (
	"fmt"
	"io"
	"sync"

	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pending keeps an Open that found no space after it had begun to write. Nothing can end
// Pebble's own Open, so it waits until the next Open of the same directory, which takes it
// over. Until then the store can be opened with Options.ReadOnly. The zero Pending is ready to
// use. It serves one directory and one Open at a time.
type Pending struct {
	e    *Engine    // its open waits; nil = none does
	done chan error // receives the result of that open

	mu    sync.Mutex
	goOn  *sync.Cond
	tries int           // how often an Open took it over
	over  bool          // the open has ended: nothing waits any more
	found chan struct{} // buffered, one value: the open waits for space
	file  string        // for which
}

// waits reports whether an Open waits.
func (p *Pending) waits() bool { return p != nil && p.e != nil }

// hold tells open that a file finds no space, and waits until the next Open.
func (p *Pending) hold(file string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file = file
	select {
	case p.found <- struct{}{}:
	default:
	}
	for n := p.tries; n == p.tries && !p.over; {
		p.goOn.Wait()
	}
}

// open opens e or, if an earlier Open waits, goes on with the Engine of that. It returns the
// Engine that it opened, also with an error. If that waits for space, it returns none, and
// ErrDiskFull.
func (p *Pending) open(e *Engine) (*Engine, error) {
	if p.waits() {
		p.mu.Lock()
		select {
		case <-p.found:
		default:
		}
		p.tries++
		p.goOn.Broadcast()
		p.mu.Unlock()
	} else {
		p.goOn, p.found = sync.NewCond(&p.mu), make(chan struct{}, 1)
		p.e, p.done, p.over = e, make(chan error, 1), false
		e.pending = p
		go func() { p.done <- e.open() }()
	}
	found := p.found
	for {
		select {
		case err := <-p.done:
			p.end()
			e, p.e = p.e, nil
			return e, err
		case <-found:
			if len(p.done) > 0 { // something beside the open found no space
				found = nil
				continue
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			return nil, fmt.Errorf("%w: the start finds no space for %s", query.ErrDiskFull, p.file)
		}
	}
}

// end lets those go on that still wait for space, such as a compaction: no Open takes them over
// any more, and Close waits for them.
func (p *Pending) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.goOn.Broadcast()
}

// unlocked is a file system in which a store can be opened for reading while a pending Open has
// it locked.
type unlocked struct{ vfs.FS }

// Lock is vfs.FS's.
func (unlocked) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Unwrap is vfs.FS's.
func (u unlocked) Unwrap() vfs.FS { return u.FS }
