// Engine: its state, closing, failing, and what its parts share.

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/export"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/report"
	"cairn/engine/store"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// Engine is an open store. It implements API.
type Engine struct {
	*read.Reader // answers queries
	*report.Reports
	*export.Exporter

	opts          Options
	memory        MemoryPlan
	db            *pebble.DB
	tables        atomic.Pointer[store.Tables] // nil until the store is open
	cache         *index.Cache
	disk          *wal.Disk
	files         *wal.FS
	written       *store.Written // below files
	hwm           *wal.HighWaterMark
	spare         *store.Spare // Close uses it, and before that tick
	public        *store.PublicIDs
	sessionOwners *identity.SessionOwners
	latestEvents  *identity.LatestEvents
	traitVerdicts *traitVerdicts
	log           *slog.Logger

	mu    sync.RWMutex
	sites map[uint32]*siteState

	queue       chan *submission
	jobs        chan *job     // for the sequencer
	ready       chan struct{} // the publisher is free for a group
	wrote       atomic.Int64  // when a group was last committed, by Options.Elapsed; 0 = never
	groups      chan *group
	spareGroups chan *group // their memory is used again by newGroup
	sealer      *sealer
	merger      *merger
	idsWanted   atomic.Bool   // the next group writes the table of ids
	wake        chan struct{} // buffered, one value: the sequencer checks idsWanted
	unflushed   unflushed
	stall       stall
	pending     *Pending                  // holds open while it finds no space; nil if the store is only read
	fullLogged  atomic.Pointer[time.Time] // when logBackground last logged a full disk
	idsWritten  broadcast                 // told after each group that has written the table of ids

	unreadableMinute atomic.Int64 // when logUnreadable last logged

	queued, queuedEvents atomic.Int64
	hot                  atomic.Int64 // events not yet sealed
	hotBytes             atomic.Int64 // about the memory that these events take
	asked                atomic.Int64 // memory that the groups being committed may take
	pool                 pool         // what filters, links, rows and pages share
	snapshots            *store.Snapshots
	snapshotting         sync.Mutex // held by the one that is being made
	stopping             atomic.Bool
	inflight             sync.WaitGroup
	running              sync.WaitGroup // sequencer and publisher
	ticking              sync.WaitGroup
	stopTick             chan struct{}

	name string // see StoreName

	tuning   atomic.Pointer[Tuning] // never nil
	retainer *retainer
	shipping shipping
	sinks    sinks
	openedAt time.Duration // by Options.Elapsed

	deleting       sync.Mutex // held while a deletion is made, or its state changes
	noting         sync.Mutex // held while spare files are written
	erased         broadcast  // told when a state changes
	deletionStates deletionStates

	saving       sync.Mutex           // held while a saved thing changes
	shares       map[[32]byte]shareAt // by the SHA-256 of the token, under saving; nil = not read yet
	savedChanges atomic.Uint64        // calls that may have changed one

	failOnce sync.Once
	failed   chan struct{}
	failErr  error

	stats         counters
	pebbleNumbers pebbleNumbers
	damage        damage
}

// ExitFailed is the exit code of the process when the store can no longer take writes.
const ExitFailed = 70

// Close answers the requests already taken, then closes the store. Later calls of Ingest
// return ErrStopping.
func (e *Engine) Close() error {
	if e.stopping.Swap(true) {
		return errors.New("close: already closed")
	}
	if err := e.closeUnlessStuck(e.close); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// close ends all work and closes Pebble.
func (e *Engine) close() error {
	e.endSinks()
	e.inflight.Wait()
	close(e.stopTick)
	e.ticking.Wait()
	if e.failure() != nil {
		return query.ErrFailed // Pebble may be stuck in its fatal error
	}
	if e.opts.ReadOnly {
		e.tables.Load().CloseAll()
		e.pebbleNumbers.wait()
		return e.db.Close()
	}
	e.merger.stop()
	e.sealer.stop()
	close(e.queue)
	e.running.Wait()
	e.tables.Load().CloseAll()
	err := e.viewsClosed()
	if herr := e.hwm.Write(e.total()); !wal.NoSpace(herr) { // the mark stays where it was
		err = errors.Join(err, herr)
	}
	e.note(true)
	e.files.End()
	e.pebbleNumbers.wait()
	if cerr := e.db.Close(); err == nil {
		err = cerr
	}
	e.note(false) // Close writes the end of the log
	return err
}

// tick keeps the high-water mark and the ballast up to date once a second. It calls clearUp
// when no events come in and runs have been written since the last call.
func (e *Engine) tick() {
	defer e.ticking.Done()
	var commits, work, cleared, saved uint64
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-e.stopTick:
			return
		case <-e.failed:
			return
		case <-t.C:
			if err := e.hwm.Write(e.total()); err != nil && !e.disk.Full() {
				e.log.Error("store: write high-water mark", "error", err)
			}
			e.disk.RestoreBallast()
			e.eraseDue()
			before, done, noted := commits, work, saved
			commits, work = e.stats.commits.Load(), e.stats.seals.Load()+e.stats.merges.Load()+e.stats.rewrites.Load()
			saved = e.savedChanges.Load()
			e.note(work != done || saved != noted)
			if commits == before && work != cleared {
				cleared = work
				e.clearUp()
			}
		}
	}
}

// note writes the spare files of the store: the mark, and with all set those that a new run
// changes. After an error the old ones are still good, and the next call tries again.
func (e *Engine) note(all bool) {
	e.noting.Lock()
	defer e.noting.Unlock()
	err := error(nil)
	if all {
		err = e.spare.NoteAll(e.db)
	} else {
		err = e.spare.Note()
	}
	if err != nil && !e.disk.Full() {
		e.log.Error("store: write what a start compares the store with", "error", err)
	}
}

// noteNames notes in the store which name has which id.
func (e *Engine) noteNames(known store.Names) error {
	names := known
	for _, s := range e.opts.Sites() {
		names = names.With(s.Name, s.ID)
	}
	names.Keys = names.Keys || e.opts.KeysNoted
	if names.Same(known) {
		return nil
	}
	return names.Write(e.db)
}

// clearUp frees the disk space of what runs have replaced: other runs, and rows in the log.
// While events come in, Pebble's own flushes do this.
func (e *Engine) clearUp() {
	if _, err := e.db.AsyncFlush(); err != nil {
		e.log.Error("store: flush", "error", err)
	}
}

// Snapshot implements API.
func (e *Engine) Snapshot(_ context.Context, dir string) (query.Snapshot, error) {
	if e.failure() != nil {
		return query.Snapshot{}, query.ErrFailed
	}
	if e.opts.Look {
		return query.Snapshot{}, query.ErrReadOnly
	}
	if e.opts.ReadOnly || e.disk.Full() {
		return query.Snapshot{}, fmt.Errorf("%w: a snapshot needs space", query.ErrDiskFull)
	}
	return e.snapshotUnlessStuck(dir)
}

// Admit implements API.
func (e *Engine) Admit() error {
	switch {
	case e.failure() != nil:
		return query.ErrFailed
	case e.stopping.Load():
		return query.ErrStopping
	case e.opts.Look:
		return query.ErrReadOnly
	case e.opts.ReadOnly, e.disk.Full():
		return query.ErrDiskFull
	case e.queued.Load() >= e.opts.QueueBytes:
		return query.ErrBusy
	}
	return nil
}

// Ready implements API.
func (e *Engine) Ready() error {
	if err := e.failure(); err != nil {
		return fmt.Errorf("%w: %w", query.ErrFailed, err)
	}
	if err := e.Admit(); err != nil && !errors.Is(err, query.ErrBusy) && !errors.Is(err, query.ErrReadOnly) {
		return err
	}
	return nil
}

// failure returns the error that stopped the store, or nil while it works.
func (e *Engine) failure() error {
	select {
	case <-e.failed:
		return e.failErr
	default:
		return nil
	}
}

// fail stops all writes for good (I5). Waiters are answered with ErrFailed. Then
// Options.Fatal is called, or the process exits.
func (e *Engine) fail(err error) {
	e.failOnce.Do(func() {
		e.failErr = err
		close(e.failed)
		e.log.Error("store: failed, no more writes", "error", err)
		if e.opts.Fatal != nil {
			e.opts.Fatal(err)
			return
		}
		go func() {
			time.Sleep(time.Second) // so that the waiters' answers are sent first
			os.Exit(ExitFailed)
		}()
	})
}

func (e *Engine) now() time.Time { return e.opts.Now() }

// Events returns how many events each site has, by its id. Sites that are in the store but
// not in the configuration are included.
func (e *Engine) Events() map[uint32]uint64 {
	events := make(map[uint32]uint64)
	for _, s := range e.allSites() {
		events[s.ID] = s.Last()
	}
	return events
}

// total returns the number of published events of all sites.
func (e *Engine) total() uint64 {
	var n uint64
	for _, events := range e.Events() {
		n += events
	}
	return n
}

var (
	_ API       = (*Engine)(nil)
	_ io.Closer = (*Engine)(nil)
)
