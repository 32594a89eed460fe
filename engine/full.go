// A disk without space: what still has to be written, and how requests are answered.

package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// unflushed claims the disk space of Pebble's next flushes: about the bytes that were
// committed since the last one.
type unflushed struct {
	disk  *wal.Disk
	bytes atomic.Int64
}

// wrote is told the length of each batch.
func (u *unflushed) wrote(bytes int) {
	u.bytes.Add(int64(bytes))
	u.disk.Claim(int64(bytes))
}

// flushed is Pebble's FlushEnd event.
func (u *unflushed) flushed(info pebble.FlushInfo) {
	if info.Err != nil || info.Ingest {
		return
	}
	// Pebble counts its index of the keys too.
	for {
		n := u.bytes.Load()
		less := min(n, int64(info.InputBytes))
		if u.bytes.CompareAndSwap(n, n-less) {
			u.disk.Claim(-less)
			return
		}
	}
}

// stall watches the writes that Pebble holds up until a memtable is flushed. While flushes find
// no space, these writes wait for space, as those of the log do.
type stall struct {
	disk    *wal.Disk
	mu      sync.Mutex
	stalled bool // Pebble holds up writes
	noSpace bool // the last flush found no space
	waits   bool // the disk knows
}

// begun is Pebble's WriteStallBegin event.
func (s *stall) begun(pebble.WriteStallBeginInfo) { s.set(&s.stalled, true) }

// ended is Pebble's WriteStallEnd event.
func (s *stall) ended() { s.set(&s.stalled, false) }

// flushed is Pebble's FlushEnd event.
func (s *stall) flushed(info pebble.FlushInfo) {
	if info.Err == nil || wal.NoSpace(info.Err) {
		s.set(&s.noSpace, info.Err != nil)
	}
}

func (s *stall) set(what *bool, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*what = is
	switch waits := s.stalled && s.noSpace; {
	case waits && !s.waits:
		s.waits = true
		s.disk.BeginWait()
	case !waits && s.waits:
		s.waits = false
		s.disk.EndWait()
	}
}

// stuckMax is how long a request waits for a log that has no space.
const stuckMax = 500 * time.Millisecond

// errLogFull is the answer to a request whose events are not in the log yet, because the log
// waits for space. They are stored later, or never.
var errLogFull = fmt.Errorf("%w: the log waits for space", query.ErrDiskFull)

// errLogHeld is errLogFull for the one request whose events the sequencer reads just now. It
// waits for the log to be written before it reads there, for example which values a site has.
var errLogHeld = fmt.Errorf("%w; %w", errLogFull, query.ErrHeld)

// wait waits until a submission is answered. If it returns errLogFull, the pipeline still has
// the submission, but not the events. If it returns errLogHeld, the pipeline has both.
func (e *Engine) wait(sub *submission) error {
	for {
		stuck := e.disk.WhenStuck()
		select {
		case <-sub.done:
			return sub.err
		case <-e.failed:
			// The sequencer may still read the events, but it writes nothing more (I5). None of
			// their memory may be used again.
			return query.ErrFailed
		case <-stuck:
		}
		late := time.NewTimer(stuckMax)
		select {
		case <-sub.done:
			late.Stop()
			return sub.err
		case <-e.failed:
			late.Stop()
			return query.ErrFailed
		case <-late.C:
			switch {
			case !e.disk.Stuck():
			case sub.state.CompareAndSwap(subQueued, subLeft), sub.state.Load() == subPlaced:
				return errLogFull
			default:
				return errLogHeld
			}
		}
	}
}

// closeUnlessStuck calls do. If writes wait for space meanwhile, or the store fails, it returns
// without it. All acknowledged events are on the disk.
func (e *Engine) closeUnlessStuck(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	if err, left := e.unlessStuck(done); err != nil || !left {
		return err
	}
	e.log.Warn("store: the disk is full, so the store is not closed in order; the next start recovers it, and no acknowledged event is lost")
	return nil
}

// unlessStuck waits for a result, unless writes wait for space for stuckMax meanwhile, or the
// store has failed, where Pebble may hang: then err is ErrFailed. left says that there is no
// result.
func (e *Engine) unlessStuck(done <-chan error) (err error, left bool) {
	for {
		begun := e.disk.WhenStuck()
		select {
		case err := <-done:
			return err, false
		case <-e.failed:
			return query.ErrFailed, true
		case <-begun:
		}
		select {
		case err := <-done:
			return err, false
		case <-e.failed:
			return query.ErrFailed, true
		case <-time.After(stuckMax):
			if e.disk.Stuck() {
				return nil, true
			}
		}
	}
}

// snapshotUnlessStuck makes a snapshot in dir. If writes wait for space meanwhile, it returns
// ErrDiskFull, and what is made later all the same is removed. Until then the store is busy
// for other snapshots.
func (e *Engine) snapshotUnlessStuck(dir string) (query.Snapshot, error) {
	if !e.snapshotting.TryLock() {
		return query.Snapshot{}, query.ErrBusy
	}
	var info query.Snapshot
	made, left := make(chan error, 1), make(chan bool, 1)
	go func() {
		var err error
		func() {
			defer query.Recovered(&err)
			info, err = e.snapshots.Make(dir)
		}()
		made <- err
		if !<-left {
			return
		}
		defer e.snapshotting.Unlock()
		if err == nil {
			if err := e.opts.FS.RemoveAll(dir); err != nil {
				e.log.Warn("a snapshot that was refused for want of space stays", "error", err)
			}
		}
	}()
	err, gone := e.unlessStuck(made)
	left <- gone
	switch {
	case gone && err != nil:
		return query.Snapshot{}, err
	case gone:
		return query.Snapshot{}, fmt.Errorf("%w: the log waits for space", query.ErrDiskFull)
	}
	e.snapshotting.Unlock()
	return info, noSpace(err)
}

// logBackground logs that Pebble's work in the background has failed. Pebble repeats it, so a
// full disk is logged once a minute.
func (e *Engine) logBackground(err error) {
	if errors.Is(err, wal.ErrEnding) {
		return
	}
	if now := time.Now(); wal.NoSpace(err) {
		if last := e.fullLogged.Load(); last != nil && now.Sub(*last) < time.Minute {
			return
		}
		e.fullLogged.Store(&now)
	}
	e.log.Error("store: background work failed", "error", err)
}

// noSpace marks an error of a full disk, so that it is answered as one.
func noSpace(err error) error {
	if wal.NoSpace(err) {
		return fmt.Errorf("%w: %w", query.ErrDiskFull, err)
	}
	return err
}

// RoomToStart reports whether a store that was opened with Options.ReadOnly can be opened for
// writing and would take writes.
func (e *Engine) RoomToStart() bool {
	return !e.disk.Full() && e.disk.RoomToStart(store.LogBytes(e.opts.FS, e.opts.Dir))
}

// ReadOnly reports whether the store was opened with Options.ReadOnly.
func (e *Engine) ReadOnly() bool { return e.opts.ReadOnly }
