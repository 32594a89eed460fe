// Engine: opening, closing, and what its parts share.

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Engine is an open store. It implements API.
type Engine struct {
	*read.Reader // answers queries

	opts      Options
	db        *pebble.DB
	tables    *store.Tables
	cache     *index.Cache
	disk      *wal.Disk
	files     *wal.FS
	hwm       *wal.HighWaterMark
	public    *store.PublicIDs
	owners    *identity.SessionOwners
	sightings *identity.LatestEvents
	log       *slog.Logger

	mu    sync.RWMutex
	sites map[uint32]*siteState

	queue       chan *submission
	ready       chan struct{} // the publisher asks for a group
	groups      chan *group
	spareGroups chan *group // whose memory newGroup uses
	sealer      *sealer
	merger      *merger
	flushIDs    atomic.Bool // the next group writes the table of ids

	unreadMinute atomic.Int64 // when unread last told of it

	queued, queuedEvents atomic.Int64
	hot                  atomic.Int64 // events not yet sealed
	hotBytes             atomic.Int64 // about what they take in memory
	asked                atomic.Int64 // what those may take that are being committed
	filterBytes          atomic.Int64 // of message ids, in memory
	linkBytes            atomic.Int64 // what links between persons take
	sharing              sync.Mutex
	sharedLinks          int64 // linkBytes when the page cache got its share
	sharedPages          int64 // that share
	snapshots            *store.Snapshots
	stopping             atomic.Bool
	inflight             sync.WaitGroup
	running              sync.WaitGroup // sequencer and publisher
	ticking              sync.WaitGroup
	stopTick             chan struct{}

	failOnce sync.Once
	failed   chan struct{}
	failErr  error

	stats  counters
	damage damage
}

// Exit code of the process when the store can no longer take writes.
const ExitFailed = 70

// Defaults fills the zero fields.
func (o Options) withDefaults() Options {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Memory, 256<<20)
	o.Memory = min(o.Memory, math.MaxInt) // a 32-bit process has no more
	def(&o.QueueBytes, 8<<20)
	if o.Dedup == 0 {
		o.Dedup = 24 * time.Hour
	}
	if o.QueryTime == 0 {
		o.QueryTime = 10 * time.Second
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SealRows == 0 {
		o.SealRows = 1 << 16
	}
	if o.HotEvents == 0 {
		o.HotEvents = 1 << 19
	}
	if o.Pairs == 0 {
		o.Pairs = int(o.Memory / 256)
	}
	if o.IDPart == 0 {
		o.IDPart = int(min(o.Memory/64, identity.PartMax))
	}
	if o.ValuesPerDay == 0 {
		o.ValuesPerDay = ValuesPerDayMax
	}
	if o.NamesPerDay == 0 {
		o.NamesPerDay = NamesPerDayMax
	}
	if o.MergeRuns == 0 {
		o.MergeRuns = 16
	}
	if o.MergeRows == 0 {
		o.MergeRows = 80 * o.SealRows
	}
	return o
}

// Open opens or creates the store in opts.Dir and replays what was not sealed.
// It fails, and changes nothing, when the store is damaged, newer than this
// program, or in use.
func Open(opts Options) (*Engine, error) {
	opts = opts.withDefaults()
	e := &Engine{
		opts:        opts,
		log:         opts.Log,
		sites:       make(map[uint32]*siteState),
		cache:       index.NewCache(opts.Memory / 4),
		queue:       make(chan *submission, 4096),
		ready:       make(chan struct{}),
		groups:      make(chan *group),
		spareGroups: make(chan *group, groupsKept),
		stopTick:    make(chan struct{}),
		failed:      make(chan struct{}),
	}
	e.cache.Corrupt = func(err *index.CorruptError) { e.corrupted(err) }
	e.stats.commit = NewHistogram(int64(time.Second), secondsBounds)
	e.stats.sync = NewHistogram(int64(time.Second), secondsBounds)
	e.stats.group = NewHistogram(1, groupBounds)
	if err := e.open(); err != nil {
		if e.db != nil {
			_ = e.db.Close()
		}
		if store.Damaged(err) != nil {
			err = fmt.Errorf("%w; %s", err, store.WayOn)
		}
		return nil, fmt.Errorf("open store %s: %w", opts.Dir, err)
	}
	return e, nil
}

func (e *Engine) open() error {
	fs, dir := e.opts.FS, e.opts.Dir
	if _, err := fs.Stat(fs.PathJoin(dir, store.PartialName)); err == nil {
		return fmt.Errorf("the restore into %s was interrupted; remove the directory and restore again", dir)
	}
	if err := store.MakeDir(fs, store.Dir(fs, dir)); err != nil {
		return err
	}
	var err error
	if e.hwm, err = wal.ReadHighWaterMark(fs, dir); err != nil {
		return err
	}
	if err := store.Preflight(fs, dir, e.hwm.Events()); err != nil {
		return err
	}
	e.disk = wal.OpenDisk(fs, dir, e.opts.Reserve)
	e.files = wal.NewFS(fs, e.disk, e.fail)
	e.tables = store.NewTables(fs, store.Dir(fs, dir))
	if e.db, err = store.OpenPebble(store.Dir(fs, dir), e.pebbleOptions()); err != nil {
		return err
	}
	if err := store.EmptyTmp(fs, fs.PathJoin(dir, store.TmpName)); err != nil { // nobody else has the store open
		return err
	}
	e.tables.DB = e.db
	secret, err := store.Prepare(e.db)
	if err != nil {
		return err
	}
	if e.public, err = store.NewPublicIDs(secret.Key, secret.Incarnations); err != nil {
		return err
	}
	e.Reader = read.New(read.Options{
		Table: func(site uint32) *table.Table { return e.state(site).Table },
		DB:    e.db, Public: e.public,
		FS: fs, Dir: fs.PathJoin(dir, store.TmpName), Disk: e.disk,
		QueryTime: e.opts.QueryTime, HotEvents: e.opts.HotEvents, Pairs: e.opts.Pairs,
		Answers: e.opts.Memory / 64, Partials: e.opts.Memory / 32,
	})
	e.owners = identity.NewSessionOwners(int(e.opts.Memory / 96))
	e.sightings = identity.NewLatestEvents(int(e.opts.Memory / 64))
	seq := &sequencer{
		e:       e,
		ids:     identity.NewIDs(e.db, int(e.opts.Memory/32)),
		recent:  newRecent(e.opts.Memory / 16),
		filters: newHeldFilters(e.opts.Memory*11/32, e.cache.Corrupt, e.tookFilters),
		caps:    newCaps(e.db, e.unread),
		next:    make(map[*siteState]uint64),
	}
	seq.caps.max, seq.caps.namesMax = e.opts.ValuesPerDay, e.opts.NamesPerDay
	seq.ids.Bound(e.opts.IDPart)
	if err := seq.ids.LoadFilter(e.opts.Memory / 16); err != nil {
		return err
	}
	if e.sealer, err = newSealer(e); err != nil {
		return err
	}
	e.merger = newMerger(e)
	e.snapshots = &store.Snapshots{FS: fs, Dir: dir, DB: e.db, Install: &e.sealer.install, Now: e.now}
	for _, s := range e.opts.Sites {
		e.state(s.ID)
	}
	if err := e.replay(seq); err != nil {
		return err
	}
	if total := e.total(); total < e.hwm.Events() {
		return fmt.Errorf("the log has %d events but should have at least %d: data was lost", total, e.hwm.Events())
	}
	if secret.Version < store.Version {
		dir, err := e.snapshots.Upgrade(secret.Version, e.total())
		if err != nil {
			return err
		}
		e.log.Info("store: format version raised; an older cairn can restore the snapshot", "from", secret.Version, "to", store.Version, "snapshot", dir)
	}

	e.running.Add(2)
	go func() {
		defer e.running.Done()
		seq.run()
	}()
	go func() {
		defer e.running.Done()
		(&publisher{e: e}).run()
	}()
	e.sealer.start()
	e.merger.start()
	e.ticking.Add(1)
	go e.tick()
	e.files.Arm()
	return nil
}

// shareCache leaves to the page cache what filters of message ids and links between
// persons do not take. Filters are large where tens of millions of events came in a day,
// links where millions of persons signed in.
func (e *Engine) shareCache() {
	e.sharing.Lock()
	defer e.sharing.Unlock()
	all := e.opts.Memory / 4
	e.sharedLinks = e.linkBytes.Load()
	e.sharedPages = max(all/4, all-max(0, e.filterBytes.Load()-all/2)-e.sharedLinks)
	e.cache.Resize(e.sharedPages)
}

// tookFilters notes what filters of message ids take.
func (e *Engine) tookFilters(bytes int64) {
	e.filterBytes.Store(bytes)
	e.shareCache()
}

// linkBytesMax is how much of the memory of its budget the page cache leaves to links.
func (e *Engine) linkBytesMax() int64 { return e.opts.Memory / 16 * 3 }

// tookLinks notes that links between persons take so many bytes more.
func (e *Engine) tookLinks(bytes int64) {
	n := e.linkBytes.Add(bytes)
	if before := n - bytes; before <= e.linkBytesMax() && n > e.linkBytesMax() {
		e.log.Warn("store: links between persons take more than their share of memory; raise memory", "bytes", n, "share", e.linkBytesMax())
	}
	e.sharing.Lock()
	step := n - e.sharedLinks
	e.sharing.Unlock()
	if step >= e.opts.Memory/256 || step < 0 {
		e.shareCache()
	}
}

// loadLinks joins the stored links of a site. Close waits for it.
func (e *Engine) loadLinks(s *siteState) error {
	e.inflight.Add(1)
	defer e.inflight.Done()
	stopping := e.stopping.Load()
	if stopping {
		return query.ErrStopping
	}
	var some []identity.Link
	err := identity.ScanLinks(e.db, s.ID, func(_ uint64, l identity.Link) bool {
		if some = append(some, l); len(some) == identity.LinksHeld {
			s.Links.Join(some, false)
			some = some[:0]
			stopping = e.stopping.Load()
		}
		return !stopping
	})
	if stopping {
		return query.ErrStopping
	}
	s.Links.Join(some, false)
	e.corrupted(err)
	return err
}

// newRun is a run that readers may ask. Small ones share tables and will be merged.
func (e *Engine) newRun(d index.Descriptor) *index.Run {
	var db pebble.Reader = e.db
	if d.Rows >= uint64(e.opts.SealRows) {
		db = e.tables
	}
	return index.NewRun(d, db, e.cache, table.Format)
}

// pebbleOptions are the options of the store. Without cgo the caches and
// memtables are Go heap, so they are part of the memory budget.
func (e *Engine) pebbleOptions() *pebble.Options {
	mem := uint64(e.opts.Memory)
	memTable := max(mem*3/64, 64<<10)
	opts := &pebble.Options{
		FS:                          e.files,
		FormatMajorVersion:          store.PebbleFormat,
		CacheSize:                   int64(2*memTable + mem/64), // Pebble takes the memtables' room out of the cache's
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       8, // rows there are mostly trimmed before the next flush or the one after it
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               int64(memTable),
		MaxOpenFiles:                1000,
		WALBytesPerSync:             512 << 10,
		Logger:                      pebbleLogger{e},
	}
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	opts.EventListener = &pebble.EventListener{
		WALCreated:      e.files.Created,
		BackgroundError: func(err error) { e.log.Error("store: background work failed", "error", err) },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			e.corrupted(&query.Damage{File: e.opts.FS.PathBase(info.Path), Err: info.Details})
		},
		TableDeleted: func(info pebble.TableDeleteInfo) { e.tables.Deleted(uint64(info.FileNum)) },
		DiskSlow: func(info pebble.DiskSlowInfo) {
			e.log.Warn("store: slow disk", "path", info.Path, "duration", info.Duration)
		},
	}
	return opts
}

// pebbleLogger turns Pebble's fatal errors, which it reports by ending the
// process, into the engine's failure. Fatalf must not return.
type pebbleLogger struct{ e *Engine }

func (pebbleLogger) Infof(string, ...any) {}
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.e.log.Error("store: " + fmt.Sprintf(format, args...))
}
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.e.fail(fmt.Errorf(format, args...))
	select {}
}

// replay loads every site's runs and the rows of the log that no run has yet.
func (e *Engine) replay(seq *sequencer) error {
	used := make(map[uint64]bool)
	next := make(map[uint32]uint64)
	err := index.Descriptors(e.db, func(d index.Descriptor) error {
		if want := max(next[d.Site], 1); d.First != want {
			return fmt.Errorf("site %d: events %d to %d are missing", d.Site, want, d.First-1)
		}
		next[d.Site] = d.Last() + 1
		used[d.Run] = true
		e.state(d.Site).Load(e.newRun(d))
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.sealer.removeOrphans(used); err != nil {
		return err
	}
	logged, err := wal.Sites(e.db)
	if err != nil {
		return err
	}
	for _, id := range logged {
		e.state(id)
	}
	for _, s := range e.allSites() {
		if err := e.replaySite(seq, s); err != nil {
			return fmt.Errorf("site %d: %w", s.ID, err)
		}
		seq.next[s] = s.Last() + 1
	}
	return nil
}

func (e *Engine) replaySite(seq *sequencer, s *siteState) error {
	upTo, err := store.IDsUpTo(e.db, s.ID)
	if err != nil {
		return err
	}
	last := s.Last()
	if upTo < last {
		return fmt.Errorf("the ids cover %d events, the runs %d", upTo, last)
	}
	var rest table.Overflow
	var one [1][]byte               // record
	groups := make(map[uint64]bool) // where a group begins, the log may be cut
	if err := wal.Notes(e.db, s.ID, 0, 1<<64-1, func(first uint64, _ []byte) error {
		groups[first] = true
		return nil
	}); err != nil {
		return err
	}
	err = wal.Replay(e.db, s.ID, func(n uint64, record []byte) error {
		if n != last+1 {
			return fmt.Errorf("events %d to %d are missing", last+1, n-1)
		}
		if open := s.MemPart(); open != nil && groups[n] && open.Rows() >= e.opts.SealRows {
			s.Publish(last)
			e.sealer.add(s, s.Detach())
		}
		one[0] = record
		grown, err := s.Append(n, one[:], &rest)
		e.hotBytes.Add(grown)
		if err != nil {
			return store.Unreadable(s.ID, n, err)
		}
		ev, err := event.DecodeRecord(record)
		if err != nil {
			return store.Unreadable(s.ID, n, err)
		}
		if n > upTo {
			if _, err := seq.ids.Replay(s.ID, n, ev); err != nil {
				return err
			}
			if err := seq.ids.Replayed(e.db); err != nil {
				return err
			}
		}
		if ev.MessageID != "" {
			hi, lo := seq.recent.hash(s.ID, ev.Dialect, ev.MessageID)
			if seq.recent.find(hi, lo) == 0 {
				seq.recent.add(s.ID, hi, lo, n)
			}
		}
		last = n
		e.hot.Add(1)
		return nil
	})
	if err != nil {
		return err
	}
	if s.MemPart() != nil {
		s.Publish(last)
	}
	return nil
}

// Close answers what was taken in, then closes the store. Calls of Ingest that
// come later get ErrStopping.
func (e *Engine) Close() error {
	if e.stopping.Swap(true) {
		return errors.New("close: already closed")
	}
	e.inflight.Wait()
	close(e.stopTick)
	e.ticking.Wait()
	if e.failure() != nil {
		return query.ErrFailed // Pebble may be stuck in its fatal error
	}
	e.merger.stop()
	e.sealer.stop()
	close(e.queue)
	e.running.Wait()
	e.tables.CloseAll()
	err := e.hwm.Write(e.total())
	e.files.Disarm()
	if cerr := e.db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// tick keeps the high-water mark and the ballast up to date, and clears up when
// there is time.
func (e *Engine) tick() {
	defer e.ticking.Done()
	var commits, work, cleared uint64
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
				e.log.Error("store: high-water mark", "error", err)
			}
			e.disk.RestoreBallast()
			before := commits
			commits, work = e.stats.commits.Load(), e.stats.seals.Load()+e.stats.merges.Load()
			if commits == before && work != cleared {
				cleared = work
				e.clearUp()
			}
		}
	}
}

// clearUp gives back the room of what runs have replaced: other runs, and rows in
// the log. While events come in both happens by itself.
func (e *Engine) clearUp() {
	runtime.GC() // finds the runs that nobody reads
	if _, err := e.db.AsyncFlush(); err != nil {
		e.log.Error("store: flush", "error", err)
	}
}

// Snapshot implements API.
func (e *Engine) Snapshot(_ context.Context, dir string) (query.Snapshot, error) {
	if e.failure() != nil {
		return query.Snapshot{}, query.ErrFailed
	}
	info, err := e.snapshots.Make(dir)
	return info, store.Wrap(err)
}

// Admit implements API.
func (e *Engine) Admit() error {
	switch {
	case e.failure() != nil:
		return query.ErrFailed
	case e.stopping.Load():
		return query.ErrStopping
	case e.disk.Full():
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
	if err := e.Admit(); err != nil && !errors.Is(err, query.ErrBusy) {
		return err
	}
	return nil
}

// failure is the error that stopped the store, nil while it works.
func (e *Engine) failure() error {
	select {
	case <-e.failed:
		return e.failErr
	default:
		return nil
	}
}

// fail stops all writes for good (I5). Waiters are answered with ErrFailed, then
// the process is told.
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
			time.Sleep(time.Second) // the waiters' answers leave first
			os.Exit(ExitFailed)
		}()
	})
}

func (e *Engine) now() time.Time { return e.opts.Now() }

// state returns the site's state, made on first use.
func (e *Engine) state(id uint32) *siteState {
	e.mu.RLock()
	s := e.sites[id]
	e.mu.RUnlock()
	if s != nil {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s = e.sites[id]; s == nil {
		links := identity.NewLinks(func() error { return e.loadLinks(s) }, e.tookLinks)
		s = newSiteState(id, links)
		e.sites[id] = s
	}
	return s
}

func (e *Engine) allSites() []*siteState {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*siteState, 0, len(e.sites))
	for _, s := range e.sites {
		all = append(all, s)
	}
	return all
}

// Events returns how many events each site has, by its id. Sites that no configuration
// names are among them.
func (e *Engine) Events() map[uint32]uint64 {
	events := make(map[uint32]uint64)
	for _, s := range e.allSites() {
		events[s.ID] = s.Last()
	}
	return events
}

// total is the number of published events of all sites.
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
	_           = context.Canceled
)
