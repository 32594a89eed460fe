// The sealer turns rows in memory and in the log into runs, in the background.

package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sealer turns detached MemParts into runs, oldest first. One goroutine seals. The
// publisher adds parts. The sequencer waits when the sealer is too far behind.
type sealer struct {
	e *Engine

	// install is held while a run replaces its rows, and while a checkpoint is taken. A
	// checkpoint between the two steps would lose rows.
	install sync.Mutex

	mu       sync.Mutex
	changed  *sync.Cond
	work     []sealWork
	rows     int64     // of the parts that wait
	bytes    int64     // memory of these parts
	madeRoom time.Time // when makeRoom last worked; the sealer's goroutine alone uses it
	roomMax  time.Duration
	running  context.Context
	end      context.CancelFunc // stop calls it
	blocked  error              // why the oldest parts cannot be written now; they are tried again
	tried    bool               // a start could not seal; used before the goroutine is started
	stopped  bool
	done     sync.WaitGroup
	run      uint64 // next run id; under mu
}

type sealWork struct {
	site  *siteState
	part  *index.MemPart
	fresh int // values that its rows are the first to count
}

// newSealer returns a sealer that continues with the stored run id. It does not start it.
func newSealer(e *Engine) (*sealer, error) {
	s := &sealer{e: e, run: 1, roomMax: roomMax}
	s.changed = sync.NewCond(&s.mu)
	s.running, s.end = context.WithCancel(context.Background())
	v, err := store.Get(e.db, store.Key("run"))
	if err != nil {
		return nil, err
	}
	if len(v) == 8 {
		s.run = binary.BigEndian.Uint64(v)
	}
	return s, nil
}

// removeOrphans deletes the keys of runs that have no descriptor because of a crash.
func (s *sealer) removeOrphans(used map[uint64]bool) error {
	ids, err := index.RunIDs(s.e.db)
	if store.Damaged(err) != nil {
		// They stay until a start after the damage is mended. Reads of the damaged run fail.
		s.e.corrupted(err)
		last, err := index.LastRunID(s.e.db)
		s.run = max(s.run, last+1)
		return err
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !used[id] {
			flush, err := index.DropRun(s.e.db, id)
			if err != nil {
				return fmt.Errorf("remove unfinished run: %w", err)
			}
			if flush {
				s.e.merger.purged = append(s.e.merger.purged, id) // it is not started yet
			}
		}
		s.run = max(s.run, id+1)
	}
	return nil
}

// start starts the sealer's goroutine. It ends when stop is called or the store fails.
func (s *sealer) start() {
	s.done.Go(func() {
		for {
			batch := s.next()
			if batch == nil {
				return
			}
			err := s.seal(batch)
			switch {
			case err == nil:
				s.finished(batch)
			case s.stopping():
				return
			case errors.Is(err, errNotWritten):
				s.rest(err)
			default:
				s.e.fail(fmt.Errorf("seal: %w", err))
				return
			}
		}
	})
}

// errNotWritten says that a run could not be written or added to the store, and that the
// store is as it was before. The rows are still in the log and in memory.
var errNotWritten = errors.New("not written")

// sealRetry is how long the sealer rests after a run could not be written.
const sealRetry = time.Second

// rest notes why the sealer cannot go on, and waits before the next try. While it waits,
// requests that need memory are refused. They would wait for as long as the disk is full.
func (s *sealer) rest(err error) {
	s.mu.Lock()
	if s.blocked == nil {
		s.e.log.Error("store: rows stay in memory, because they cannot be sealed; this is tried again every second", "error", err)
	}
	s.blocked = err
	s.changed.Broadcast()
	s.mu.Unlock()
	if outOfSpace(err) {
		s.makeRoom()
	}
	for end := time.Now().Add(sealRetry); time.Now().Before(end) && !s.stopping(); {
		time.Sleep(sealRetry / 50)
	}
}

func (s *sealer) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped || s.e.failure() != nil
}

// roomEvery is how often makeRoom works at most, and roomMax is how long it works at most,
// unless a test sets another time.
const (
	roomEvery = 10 * time.Second
	roomMax   = 3 * time.Second
)

// makeRoom frees the disk space of rows that are in runs by now. Pebble still has them in its
// tables, and removes them when it compacts these.
func (s *sealer) makeRoom() {
	if time.Since(s.madeRoom) < roomEvery || !s.e.disk.Room(s.e.unflushed.bytes.Load()) {
		return
	}
	s.madeRoom = time.Now()
	ctx, cancel := context.WithTimeout(s.running, s.roomMax)
	defer cancel()
	if err := s.e.db.Compact(ctx, []byte{wal.PrefixBlock}, []byte{wal.PrefixNote + 1}, false); err != nil && ctx.Err() == nil {
		s.e.logBackground(err)
	}
}

// outOfSpace reports whether an error is that of a full disk.
func outOfSpace(err error) bool { return wal.NoSpace(err) || errors.Is(err, query.ErrDiskFull) }

// stopSink ends a seal when the store closes. Its rows are still in the log.
type stopSink struct {
	index.Sink
	sealer *sealer
	sets   int
}

func (s *stopSink) Set(key, value []byte) error {
	if s.sets++; s.sets%64 == 0 && s.sealer.stopping() {
		return query.ErrStopping
	}
	return s.Sink.Set(key, value)
}

// stop ends the current seal and waits for its end. Parts that are not sealed stay in the log.
func (s *sealer) stop() {
	s.end()
	s.mu.Lock()
	s.stopped = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.done.Wait()
}

// sealBatch is how many parts are sealed together at most. Parts of many small sites then
// share a table and an fsync.
const sealBatch = 256

// next waits for parts and returns the oldest ones: one, or several small ones. It returns
// nil when the sealer is stopped.
func (s *sealer) next() []sealWork {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.work) == 0 && !s.stopped {
		s.changed.Wait()
	}
	if s.stopped {
		return nil
	}
	n, rows, bytes, fresh := 0, 0, int64(0), 0
	for n < min(len(s.work), sealBatch) {
		w := &s.work[n]
		rows, bytes, fresh = rows+w.part.Rows(), bytes+w.part.Bytes(), fresh+w.fresh
		if n > 0 && (rows > s.e.opts.SealRows || bytes > s.e.memory.SealBytes || int64(fresh) > s.e.memory.SealValues) {
			break
		}
		n++
	}
	return s.work[:n:n]
}

// waiting reports whether parts wait to be sealed.
func (s *sealer) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.work) > 0
}

// add queues a detached part of the site. The publisher and replay call it.
func (s *sealer) add(site *siteState, part *index.MemPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = append(s.work, sealWork{site, part, site.fresh})
	site.fresh = 0
	s.rows += int64(part.Rows())
	s.bytes += part.Bytes()
	s.e.disk.Claim(part.Bytes())
	s.changed.Broadcast()
}

// finished removes sealed parts from the queue and wakes the goroutines that wait for their
// memory.
func (s *sealer) finished(batch []sealWork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range batch {
		s.rows -= int64(w.part.Rows())
		s.bytes -= w.part.Bytes()
		s.e.hotBytes.Add(-w.part.Bytes())
		s.e.disk.Claim(-w.part.Bytes())
	}
	// The old array keeps the sealed parts in memory as long as a slice points to it, even an
	// empty one such as slices.Clone returns.
	rest := append([]sealWork(nil), s.work[len(batch):]...)
	clear(s.work)
	s.work = rest
	if s.blocked != nil {
		s.e.log.Info("store: rows are sealed again")
		s.blocked = nil
	}
	s.e.countMore()
	s.changed.Broadcast()
}

// maybeSeal hands complete parts to the sealer. The publisher calls it after each group. If
// the parts of all sites hold too many rows, maybeSeal also hands over the largest ones. If
// they hold too many bytes, it hands over the parts of the sites that have been idle
// longest.
//
// A part is complete when it has SealRows rows, when its cells take MemoryPlan.SealBytes,
// or when it is the first to count MemoryPlan.SealValues values. The last two limits exist
// because sealing takes several times the memory of a part's cells and totals, and because
// a request that waits for memory waits until a part is sealed.
func (s *sealer) maybeSeal(g *group) {
	for _, sg := range g.order {
		site := sg.site
		site.fresh += sg.fresh
		o := site.MemPart()
		if o == nil {
			continue
		}
		full := func(share int64) bool {
			return int64(o.Rows()) >= int64(s.e.opts.SealRows)/share || o.Bytes() >= s.e.memory.SealBytes/share || int64(site.fresh) >= s.e.memory.SealValues/share
		}
		if full(1) {
			s.add(site, site.Detach())
		} else if full(2) {
			s.e.shipping.leaving(o.Rows())
		}
	}
	s.mu.Lock()
	waiting, waitingBytes := s.rows, s.bytes
	s.mu.Unlock()
	for s.e.hot.Load()-waiting > int64(s.e.opts.HotEvents) {
		var largest *siteState
		for _, site := range s.e.allSites() {
			if o := site.MemPart(); o != nil && (largest == nil || o.Rows() > largest.MemPart().Rows()) {
				largest = site
			}
		}
		if largest == nil {
			break
		}
		part := largest.Detach()
		waiting += int64(part.Rows())
		waitingBytes += part.Bytes()
		s.add(largest, part)
	}
	most := s.e.memory.RowsLeast
	if s.e.hotBytes.Load()-waitingBytes <= most {
		return
	}
	var idle []*siteState
	for _, site := range s.e.allSites() {
		if site.MemPart() != nil {
			idle = append(idle, site)
		}
	}
	slices.SortFunc(idle, func(a, b *siteState) int { return cmp.Compare(a.touched, b.touched) })
	for _, site := range idle {
		if s.e.hotBytes.Load()-waitingBytes <= most*3/4 { // so that this is not needed again soon
			return
		}
		part := site.Detach()
		waitingBytes += part.Bytes()
		s.add(site, part)
	}
}

// sealing is a part that is being sealed, and the run that it becomes.
type sealing struct {
	sealWork
	index.Descriptor
	snap   index.Part
	totals []index.Total
}

// seal writes the parts as runs. Then one batch adds the runs' descriptors and removes
// their rows from the log.
func (s *sealer) seal(batch []sealWork) error {
	start := time.Now()
	var bytes int64
	for _, w := range batch {
		bytes += w.part.Bytes()
	}
	if !s.e.disk.Room(bytes) {
		s.e.merger.yield()
		return fmt.Errorf("%w: %w: %d bytes are free, the run may take %d", errNotWritten, query.ErrDiskFull, s.e.disk.Free(), bytes)
	}
	var runs []*sealing
	for _, w := range batch {
		r, err := s.prepare(w)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	path, err := s.write(runs[0].Run, func(w index.Sink) error {
		for _, r := range runs {
			sum := index.Checksum{Next: &stopSink{Sink: w, sealer: s}}
			if err := index.Build(&sum, r.Run, r.snap, event.NumInts, table.Format, r.totals, event.FieldMessageID); err != nil {
				return err
			}
			r.Keys, r.Sum = sum.Keys, sum.Sum()
		}
		return nil
	})
	if err != nil {
		s.e.merger.yield()
		return fmt.Errorf("%w: %w", errNotWritten, err)
	}
	err = s.publish(path, func(b *pebble.Batch) error {
		for _, r := range runs {
			if err := wal.Trim(b, r.Site, r.Last()+1); err != nil {
				return err
			}
			if err := r.Put(b); err != nil {
				return err
			}
		}
		// Readers get the runs before the rows leave the log. A reader that looks into the
		// log first may see a row twice, but never misses one.
		for _, r := range runs {
			r.site.SealedInto(s.e.newRun(r.Descriptor))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range runs {
		s.e.hot.Add(-int64(r.Rows))
		s.e.stats.seals.Add(1)
		s.e.merger.enqueue(r.site)
	}
	s.e.stats.sealNanos.Add(time.Since(start).Nanoseconds())
	return nil
}

// prepare gathers what the run of a part needs and gives the run an id.
func (s *sealer) prepare(w sealWork) (*sealing, error) {
	r := &sealing{sealWork: w, snap: w.part.Snapshot()}
	r.Descriptor = index.Descriptor{Site: w.site.ID, First: w.part.First(), Rows: uint64(r.snap.Len()), Run: s.newRun()}
	if err := s.coverIDs(w.site, r.Last()); err != nil {
		return nil, err
	}
	r.TimeMin, r.TimeMax = table.Bounds(r.snap, event.IntTime)
	if err := s.count(r); err != nil {
		return nil, err
	}
	dayMin, dayMax := table.Bounds(r.snap, event.IntDay)
	r.DayMin, r.DayMax = int32(dayMin), int32(dayMax)
	_, r.ReceivedMax = table.Bounds(r.snap, event.IntReceived)
	return r, nil
}

// count gathers the totals of a run: the sum of its groups' deltas. If some of its rows are
// not counted on the day of their event time, because the zone of the site has changed or
// because an older cairn took them in, all of its rows are counted again.
func (s *sealer) count(r *sealing) error {
	totals := new(index.Totals)
	days, ok := calendar.DaysOf(r.TimeMin, r.TimeMax, s.e.zone(r.Site))
	if ok && !table.CountedOn(r.snap, &days) {
		r.snap = table.Recounted(r.snap, &days)
		var err error
		if totals, err = recountTotals(r.snap); err != nil {
			return err
		}
	} else if err := wal.Notes(s.e.db, r.Site, r.First, r.Last()+1, func(_ uint64, note []byte) error { return totals.AddNote(note) }); err != nil {
		return err
	}
	if ok {
		r.Days = string(days.Append(nil))
	}
	r.totals = totals.Sorted()
	return nil
}

// newRun returns the id of the next run.
func (s *sealer) newRun() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run++
	return s.run - 1
}

// write writes a table of runs into the directory for temporary files. first is the id of
// the first run and names the file.
func (s *sealer) write(first uint64, runs func(index.Sink) error) (path string, err error) {
	fs := s.e.written // so that the sum of the table is known
	path = fs.PathJoin(s.e.opts.Dir, store.TmpName, fmt.Sprintf("run-%d.sst", first))
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.e.pebbleOptions().MakeWriterOptions(6, s.e.db.TableFormat()))
	err = runs(w)
	if cerr := w.Close(); err == nil { // Close syncs the file
		err = cerr
	}
	if err != nil {
		_ = fs.Remove(path)
		return "", err
	}
	return path, nil
}

// publish ingests the table into Pebble. Then it commits one batch with the next run id and
// everything that put adds, such as the runs' descriptors. If it returns errNotWritten, the
// table is not in the store.
func (s *sealer) publish(path string, put func(*pebble.Batch) error) error {
	s.install.Lock()
	defer s.install.Unlock()
	if err := s.e.db.Ingest(context.Background(), []string{path}); err != nil {
		_ = s.e.opts.FS.Remove(path)
		return fmt.Errorf("%w: add a run: %w", errNotWritten, err) // a failed manifest would have ended the store
	}
	_ = s.e.written.Remove(path) // Pebble has its own link
	b := s.e.db.NewBatch()
	defer b.Close()
	s.mu.Lock()
	next := s.run
	s.mu.Unlock()
	if err := b.Set(store.Key("run"), binary.BigEndian.AppendUint64(nil, next), nil); err != nil {
		return err
	}
	if err := put(b); err != nil {
		return err
	}
	s.e.unflushed.wrote(b.Len())
	return b.Commit(pebble.Sync)
}

// coverIDs waits until the table of ids is written up to seq. Rows may leave the log only
// after that, because a replay learns ids from the rows in the log.
func (s *sealer) coverIDs(site *siteState, seq uint64) error {
	for {
		written := s.e.idsWritten.next() // taken before the check, so that no write is missed
		upTo, err := store.IDsUpTo(s.e.db, site.ID)
		if err != nil || upTo >= seq {
			return err
		}
		s.e.idsWanted.Store(true)
		select {
		case s.e.wake <- struct{}{}:
		default:
		}
		select {
		case <-written:
		case <-s.e.failed:
			return query.ErrFailed
		}
	}
}

// behind reports whether rows of up to this many bytes must wait for the sealer.
func (s *sealer) behind(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behindLocked(bytes)
}

// behindLocked is behind for callers that hold mu. If no part waits to be sealed, memory
// alone is no reason to wait, because waiting would free none.
func (s *sealer) behindLocked(bytes int64) bool {
	return s.rows > int64(s.e.opts.HotEvents) || len(s.work) > 0 && s.e.crowded(bytes)
}

// crowded reports whether rows of this many bytes would exceed the memory for rows. Rows
// that are being committed count too.
func (e *Engine) crowded(bytes int64) bool {
	return e.hotBytes.Load()+e.asked.Load()+bytes > e.pool.rowsMost.Load()
}

// catchUp waits until the sealer is no longer behind. It returns an error if rows cannot be
// sealed now.
func (s *sealer) catchUp(bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.behindLocked(bytes) && !s.stopped && s.e.failure() == nil {
		switch {
		case outOfSpace(s.blocked):
			return query.ErrDiskFull
		case s.blocked != nil:
			return query.ErrBusy
		}
		s.changed.Wait()
	}
	return nil
}
