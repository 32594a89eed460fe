// This file opens a store and configures Pebble.

package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/export"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/records"
	"cairn/engine/report"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens or creates the store in opts.Dir and replays the rows that were not sealed. It
// fails, and changes nothing, if the store is damaged, newer than this program, or in use. If
// the disk has no space for what a start writes, the error is ErrDiskFull; the store can
// still be opened with Options.ReadOnly.
func Open(opts Options) (*Engine, error) {
	opts = opts.withDefaults()
	e := &Engine{
		opts:        opts,
		memory:      PlanMemory(opts.Memory),
		log:         opts.Log,
		sites:       make(map[uint32]*siteState),
		queue:       make(chan *submission, 4096),
		jobs:        make(chan *job),
		ready:       make(chan struct{}),
		groups:      make(chan *group),
		spareGroups: make(chan *group, groupsKept),
		wake:        make(chan struct{}, 1),
		stopTick:    make(chan struct{}),
		failed:      make(chan struct{}),
		shipping:    shipping{due: make(chan struct{}, 1)},
	}
	e.Tune(Tuning{Purge: opts.Purge, DeletionCopies: opts.DeletionCopies})
	e.cache = index.NewCache(0)
	e.cache.Corrupt = func(err *index.CorruptError) { e.corrupted(err) }
	e.pool.idsMore.Store(e.memory.IDsMore)
	e.dividePool()
	e.stats.commit = NewHistogram(int64(time.Second), secondsBounds)
	e.stats.sync = NewHistogram(int64(time.Second), secondsBounds)
	e.stats.group = NewHistogram(1, groupBounds)
	var err error
	if opts.ReadOnly {
		if opts.Pending.waits() {
			e.opts.FS, e.opts.Found = unlocked{opts.FS}, nil // the files may have changed
		}
		err = e.open()
	} else {
		pending := opts.Pending
		if pending == nil {
			pending = new(Pending)
		}
		e, err = pending.open(e)
	}
	if err != nil {
		if e != nil && e.files != nil {
			e.files.End()
		}
		if e != nil && e.db != nil {
			_ = e.db.Close()
		}
		return nil, refused(opts.FS, opts.Dir, noSpace(err))
	}
	return e, nil
}

// Look is store.Look. Its error says what to do next, as that of Open does.
func Look(fs vfs.FS, dir string) (*store.Found, error) {
	found, err := store.Look(fs, dir)
	if err != nil {
		return nil, refused(fs, dir, err)
	}
	return found, nil
}

// refused is the error of a store that cannot be opened. It names a damaged file, what is lost
// at most, and the next command.
func refused(fs vfs.FS, dir string, err error) error {
	if d := store.Damaged(err); d != nil {
		if !strings.Contains(err.Error(), d.File) {
			err = fmt.Errorf("%s is damaged: %w", d.File, err)
		}
		err = fmt.Errorf("%w. %s", err, store.Advice(fs, dir, d))
	} else if back := store.WayBack(fs, dir); back != "" {
		err = fmt.Errorf("%w. %s", err, back)
	}
	return fmt.Errorf("open store %s: %w", dir, err)
}

func (e *Engine) open() error {
	fs, dir := e.opts.FS, e.opts.Dir
	e.openedAt = e.opts.Elapsed()
	found := e.opts.Found
	var err error
	if found == nil {
		if found, err = store.Look(fs, dir); err != nil {
			return err
		}
	}
	if err := store.MakeDir(fs, store.Dir(fs, dir)); err != nil {
		return err
	}
	if e.hwm, err = wal.ReadHighWaterMark(fs, dir); err != nil {
		return err
	}
	e.disk = wal.OpenDisk(fs, dir, e.opts.Reserve)
	e.unflushed.disk, e.stall.disk = e.disk, e.disk
	if logs := store.LogBytes(fs, dir); !e.opts.ReadOnly && !e.disk.RoomToStart(logs) {
		return fmt.Errorf("%w: a start may write %d bytes", query.ErrDiskFull, logs)
	}
	if !e.opts.ReadOnly {
		if err := found.ForgetTables(fs, dir); err != nil {
			return err
		}
	}
	e.written = found.Follow(fs, dir)
	var hold func(string)
	if e.pending != nil {
		hold = e.pending.hold
	}
	e.files = wal.NewFS(e.written, e.disk, e.fail, hold)
	if e.db, err = store.OpenPebble(store.Dir(fs, dir), e.pebbleOptions()); err != nil {
		return err
	}
	if err := found.Opened(fs, dir); err != nil && !e.opts.ReadOnly {
		return err
	}
	if err := store.EmptyTmp(fs, fs.PathJoin(dir, store.TmpName)); err != nil && !e.opts.ReadOnly { // no other process has the store open
		return err
	}
	e.tables.Store(store.NewTables(fs, store.Dir(fs, dir), e.db, e.memory.RunBlocks, e.dividePool))
	secret, err := e.records()
	if err != nil {
		return err
	}
	e.name = nameOf(&secret)
	if e.public, err = store.NewPublicIDs(secret.Key, secret.Incarnations); err != nil {
		return err
	}
	e.Reader = read.New(read.Options{
		Table: func(site uint32) *table.Table { return e.state(site).Table },
		DB:    e.db, Public: e.public,
		FS: fs, Dir: fs.PathJoin(dir, store.TmpName), Disk: e.disk,
		QueryTime: e.opts.QueryTime, Pairs: e.opts.Pairs,
		ReportBytes: e.memory.Reports, ResultBytes: e.memory.Answers, PartialBytes: e.memory.Partials,
		Writing: e.writing,
		VisitSet: func(rows *read.Rows, conds []query.Cond, span query.Span) (*identity.OrdSet, error) {
			return e.Reports.VisitSet(rows, conds, span)
		},
	})
	e.Reports = report.New(e.Reader, e.opts.Tuples)
	e.Exporter = export.New(e.Reader)
	e.sessionOwners = identity.NewSessionOwners(int(e.memory.Owners))
	e.latestEvents = identity.NewLatestEvents(int(e.memory.Latest))
	e.traitVerdicts = newTraitVerdicts()
	seq := newSequencer(e, identity.NewIDs(e.db, int(e.memory.IDs)), newRecent(e.memory.RecentIDs))
	seq.ids.Bound(e.opts.IDPart)
	switch err := seq.ids.LoadFilter(e.memory.IDFilter); {
	case store.Damaged(err) != nil:
		e.corrupted(err) // ingest then reads each id, and refuses events whose ids are damaged
		seq.ids.Damaged()
	case err != nil:
		return err
	}
	if e.sealer, err = newSealer(e); err != nil {
		return err
	}
	e.merger = newMerger(e)
	e.snapshots = &store.Snapshots{FS: fs, Dir: dir, DB: e.db, Install: &e.sealer.install, Now: e.now, Written: e.written}
	for _, s := range e.opts.Sites() {
		e.state(s.ID)
	}
	if err := e.replay(seq, secret.Version); err != nil {
		return err
	}
	if err := e.loadDeletions(); err != nil {
		return err
	}
	if total := e.total(); total < e.hwm.Events() {
		return store.DamagedFile("the log", fmt.Errorf("the store has %d events but should have at least %d", total, e.hwm.Events()))
	}
	for _, d := range found.Damages {
		e.corrupted(d)
	}
	if e.opts.ReadOnly {
		return nil
	}
	e.spare = store.NewSpare(fs, dir, e.written, found)
	if err := e.noteNames(found.Names); err != nil {
		return err
	}
	if seq.window, err = loadDedupWindow(e.db, e.opts.Dedup, e.opts.Elapsed, e.now().UnixMilli(), e.newestReceived()); err != nil {
		return err
	}
	if secret.Version < store.Version {
		dir, err := e.snapshots.Upgrade(secret.Version, e.total(), e.disk.Room, func(b *pebble.Batch) error { return e.noteRules(b, secret.Version) })
		if err != nil {
			return err
		}
		for _, s := range e.allSites() {
			if err := e.setRules(seq.ids, store.Version, s.ID); err != nil {
				return err
			}
		}
		e.log.Info("store: format version raised; an older cairn can restore the snapshot", "from", secret.Version, "to", store.Version, "snapshot", dir)
	}
	if err := e.noteZones(); err != nil {
		return err
	}

	e.note(true)
	runners, err := e.newRunners(e.opts.Sinks)
	if err != nil {
		return errors.Join(err, closeSinks(e.opts.Sinks))
	}
	e.sinks.set(runners) // the merger asks what retention waits for
	e.sinks.follow.Store(e.opts.SinksFollow)
	e.dividePool()
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
	e.ticking.Add(2)
	go e.tick()
	e.retainer = newRetainer(e)
	go func() {
		defer e.ticking.Done()
		e.retainer.run()
	}()
	e.files.Arm()
	e.startRunners()
	return nil
}

// setRules tells the table of ids which rules apply to a site in a store of a format version.
func (e *Engine) setRules(ids *identity.IDs, version byte, site uint32) error {
	starts, err := records.RuleStarts(e.db, version, site)
	if err != nil {
		return err
	}
	ids.SetRules(site, event.NewRules(starts))
	return nil
}

// noteRules notes for each site with rows that the changed rules of a new format version apply
// from the next row on. before is the format version that the store has.
func (e *Engine) noteRules(b *pebble.Batch, before byte) error {
	for _, s := range e.allSites() {
		if s.Last() == 0 {
			continue
		}
		starts, err := records.RuleStarts(e.db, before, s.ID)
		if err != nil {
			return err
		}
		if err := records.PutRuleStarts(b, s.ID, starts, s.Last()+1); err != nil {
			return err
		}
	}
	return nil
}

// newestReceived returns when the newest event of all sites was received, in Unix milliseconds;
// 0 = there is none.
func (e *Engine) newestReceived() (newest int64) {
	for _, s := range e.allSites() {
		v := s.Sealed()
		if n := len(v.All); n > 0 {
			newest = max(newest, v.All[n-1].ReceivedMax)
		}
		v.Close()
		for _, p := range s.Unsealed(s.Last() + 1) {
			_, received := table.Bounds(p, event.IntReceived)
			newest = max(newest, received)
		}
	}
	return newest
}

// records returns the store's own records. In a new store it writes them first.
func (e *Engine) records() (store.Records, error) {
	if e.opts.ReadOnly {
		return store.Read(e.db)
	}
	return store.Prepare(e.db)
}

// newRun returns a run for readers. Large runs are read through the engine's own table
// readers. Small runs are read through Pebble, because they share tables and will be
// merged.
func (e *Engine) newRun(d index.Descriptor) *index.Run {
	var db pebble.Reader = e.db
	if d.Rows >= uint64(e.opts.SealRows) {
		db = e.tables.Load()
	}
	return index.NewRun(d, db, e.cache, table.Format)
}

// manifestBytes is from which size on Pebble begins another MANIFEST, when the old one has noted
// more changes than there are tables. A MANIFEST has the bounds of tables that are gone, and these
// may be ids of deleted events. See merger.newManifest.
const manifestBytes = 4 << 10

// pebbleOptions returns Pebble's options. Without cgo Pebble's caches and memtables are on
// the Go heap. With cgo they are in memory of C, which keeps much of what is freed.
func (e *Engine) pebbleOptions() *pebble.Options {
	memTable := uint64(e.memory.Memtable)
	opts := &pebble.Options{
		FS:                          store.Outside{FS: e.files, Dir: store.Dir(e.opts.FS, e.opts.Dir), Other: e.opts.FS},
		FormatMajorVersion:          store.PebbleFormat,
		CacheSize:                   e.memory.pebbleCache(),
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: memtables,
		L0CompactionThreshold:       8, // rows there are usually trimmed before the next flush or the one after it
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               int64(memTable),
		MaxOpenFiles:                store.OpenFiles().Tables,
		Cleaner:                     store.Cleaner{},
		MaxManifestFileSize:         manifestBytes,
		WALBytesPerSync:             512 << 10,
		ReadOnly:                    e.opts.ReadOnly,
		Logger:                      pebbleLogger{e},
	}
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	// Most look-ups are of ids that are there, in the last level. A filter of each table above it spares
	// a look at a block of it. The last level has none: its filters would be the largest by far.
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(idFilterBits)
	}
	opts.Levels[len(opts.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	opts.EventListener = &pebble.EventListener{
		WALCreated: e.files.Created,
		ManifestCreated: func(info pebble.ManifestCreateInfo) {
			if info.Err == nil {
				e.written.ManifestBegun(e.opts.FS.PathBase(info.Path))
			}
		},
		FlushEnd: func(info pebble.FlushInfo) {
			e.unflushed.flushed(info)
			e.stall.flushed(info)
		},
		WriteStallBegin: e.stall.begun,
		WriteStallEnd:   e.stall.ended,
		BackgroundError: e.logBackground,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			e.corrupted(&query.Damage{File: store.Name + "/" + e.opts.FS.PathBase(info.Path), Err: info.Details})
		},
		TableDeleted: func(info pebble.TableDeleteInfo) {
			if t := e.tables.Load(); t != nil {
				t.Deleted(uint64(info.FileNum))
			}
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			if !e.disk.Stuck() {
				e.log.Warn("store: slow disk", "path", info.Path, "duration", info.Duration)
			}
		},
	}
	return opts
}

// idFilterBits is how many bits of a filter of a table there are for each key. About one look in
// fifteen is in vain.
const idFilterBits = 6

// pebbleLogger turns Pebble's fatal errors into the engine's failure. Pebble reports them
// by ending the process, so Fatalf must not return.
type pebbleLogger struct{ e *Engine }

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.e.log.Error("store: " + fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.e.fail(fmt.Errorf(format, args...))
	select {}
}
