// The sealer: turns rows in memory and in the log into runs, in the background.

package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

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

// sealer works off complete open parts, oldest first. One goroutine seals; the
// publisher adds, and waits when the sealer is too far behind.
type sealer struct {
	e *Engine

	// install is held while a run comes into being, and while a checkpoint is
	// taken: a copy between the two would have lost rows.
	install sync.Mutex

	mu      sync.Mutex
	changed *sync.Cond
	work    []sealWork
	rows    int64 // waiting
	bytes   int64 // in them
	stopped bool
	done    sync.WaitGroup
	run     uint64 // next run id; under mu
}

type sealWork struct {
	site  *siteState
	part  *index.MemPart
	fresh int // values that its rows are the first to count
}

func newSealer(e *Engine) (*sealer, error) {
	s := &sealer{e: e, run: 1}
	s.changed = sync.NewCond(&s.mu)
	v, err := store.Get(e.db, store.Key("run"))
	if err != nil {
		return nil, err
	}
	if len(v) == 8 {
		s.run = binary.BigEndian.Uint64(v)
	}
	return s, nil
}

// removeOrphans deletes the keys of runs that a crash left without descriptor.
func (s *sealer) removeOrphans(used map[uint64]bool) error {
	ids, err := index.RunIDs(s.e.db)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !used[id] {
			if _, err := index.DropRun(s.e.db, id); err != nil {
				return fmt.Errorf("remove unfinished run: %w", err)
			}
		}
		s.run = max(s.run, id+1)
	}
	return nil
}

func (s *sealer) start() {
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		for {
			batch := s.next()
			if batch == nil {
				return
			}
			if err := s.seal(batch); err != nil {
				if s.e.failure() == nil {
					s.e.fail(fmt.Errorf("seal: %w", err))
				}
				return
			}
			s.finished(batch)
		}
	}()
}

// stop waits for the seal under way; what waits stays in the log.
func (s *sealer) stop() {
	s.mu.Lock()
	s.stopped = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.done.Wait()
}

// sealBatch is how many parts are sealed in one go: those of many small sites, which
// share a table and an fsync.
const sealBatch = 256

// next returns the oldest parts that wait, one or several small ones, nil when the
// sealer has stopped.
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

func (s *sealer) add(site *siteState, part *index.MemPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = append(s.work, sealWork{site, part, site.fresh})
	site.fresh = 0
	s.rows += int64(part.Rows())
	s.bytes += part.Bytes()
	s.changed.Broadcast()
}

func (s *sealer) finished(batch []sealWork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = slices.Clone(s.work[len(batch):]) // the array holds what was sealed
	for _, w := range batch {
		s.rows -= int64(w.part.Rows())
		s.bytes -= w.part.Bytes()
		s.e.hotBytes.Add(-w.part.Bytes())
	}
	s.changed.Broadcast()
}

// maybeSeal is called by the publisher after each group: parts that are complete go
// to the sealer, and, when all together hold too much, the largest, or, when it is
// bytes that are too many, those of the sites that have waited longest for an event.
//
// A part is complete before it has SealRows when its cells take MemoryPlan.SealBytes, or when
// it is the first to count MemoryPlan.SealValues values. To seal a part takes several times
// the memory of its cells and of its totals, and a writer that waits for memory waits until
// one part is sealed.
func (s *sealer) maybeSeal(g *group) {
	for _, sg := range g.order {
		site := sg.site
		site.fresh += sg.fresh
		if o := site.MemPart(); o != nil && (o.Rows() >= s.e.opts.SealRows || o.Bytes() >= s.e.memory.SealBytes || int64(site.fresh) >= s.e.memory.SealValues) {
			s.add(site, site.Detach())
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
	most := s.e.memory.RowsIdle
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
		if s.e.hotBytes.Load()-waitingBytes <= most*3/4 { // so that it is not soon again
			return
		}
		part := site.Detach()
		waitingBytes += part.Bytes()
		s.add(site, part)
	}
}

// sealing is a part that is being sealed.
type sealing struct {
	sealWork
	index.Descriptor
	snap   index.Part
	totals []index.Total
}

// seal writes the parts as runs, then makes these exist and drops their rows from
// the log in one batch.
func (s *sealer) seal(batch []sealWork) error {
	start := time.Now()
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
			sum := index.Checksum{Next: w}
			if err := index.Build(&sum, r.Run, r.snap, event.NumInts, table.Format, r.totals, event.FieldMessageID); err != nil {
				return err
			}
			r.Keys, r.Sum = sum.Keys, sum.Sum()
		}
		return nil
	})
	if err != nil {
		return err
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
		// Readers have the runs before the log loses what it says of their rows: who
		// looks into the log first sees it twice, not never.
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

// prepare gathers what a run of the part needs, and gives it an id.
func (s *sealer) prepare(w sealWork) (*sealing, error) {
	r := &sealing{sealWork: w, snap: w.part.Snapshot()}
	r.Descriptor = index.Descriptor{Site: w.site.ID, First: w.part.First(), Rows: uint64(r.snap.Len()), Run: s.newRun()}
	if err := s.coverIDs(w.site, r.Last()); err != nil {
		return nil, err
	}
	var totals index.Totals
	if err := wal.Notes(s.e.db, r.Site, r.First, r.Last()+1, func(_ uint64, note []byte) error { return totals.AddNote(note) }); err != nil {
		return nil, err
	}
	r.totals = totals.Sorted()
	r.TimeMin, r.TimeMax = bounds(r.snap, event.IntTime)
	dayMin, dayMax := bounds(r.snap, event.IntDay)
	r.DayMin, r.DayMax = int32(dayMin), int32(dayMax)
	_, r.ReceivedMax = bounds(r.snap, event.IntReceived)
	return r, nil
}

// newRun takes the id of a run to be.
func (s *sealer) newRun() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run++
	return s.run - 1
}

// write makes a table of runs, the first of which is first, in the directory for
// them.
func (s *sealer) write(first uint64, runs func(index.Sink) error) (path string, err error) {
	fs := s.e.opts.FS
	path = fs.PathJoin(s.e.opts.Dir, store.TmpName, fmt.Sprintf("run-%d.sst", first))
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.e.pebbleOptions().MakeWriterOptions(6, s.e.db.TableFormat()))
	err = runs(w)
	if cerr := w.Close(); err == nil { // syncs the file
		err = cerr
	}
	if err != nil {
		_ = fs.Remove(path)
		return "", err
	}
	return path, nil
}

// publish takes in the table and makes its runs exist, in one batch with what goes
// for them.
func (s *sealer) publish(path string, put func(*pebble.Batch) error) error {
	s.install.Lock()
	defer s.install.Unlock()
	if err := s.e.db.Ingest(context.Background(), []string{path}); err != nil {
		return err
	}
	_ = s.e.opts.FS.Remove(path) // Pebble has its own link
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
	return b.Commit(pebble.Sync)
}

// coverIDs waits until the table of ids is written up to seq: rows leave the log
// only when nothing has to be learnt from them again.
func (s *sealer) coverIDs(site *siteState, seq uint64) error {
	for {
		written := s.e.idsWritten.next() // before the look, so that none is missed
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

// behindLocked lets everything in when nothing waits to be sealed: waiting would free
// nothing.
func (s *sealer) behindLocked(bytes int64) bool {
	return s.rows > int64(s.e.opts.HotEvents) || len(s.work) > 0 && s.e.crowded(bytes)
}

// crowded says that rows in memory, and those on their way there, leave no room for rows
// of this many bytes.
func (e *Engine) crowded(bytes int64) bool {
	return e.hotBytes.Load()+e.asked.Load()+bytes > e.memory.Rows
}

// catchUp waits until the sealer is no longer behind.
func (s *sealer) catchUp(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.behindLocked(bytes) && !s.stopped && s.e.failure() == nil {
		s.changed.Wait()
	}
}

// bounds returns the least and greatest value of an integer column.
func bounds(p index.Part, col int) (lo, hi int64) {
	lo, hi = math.MaxInt64, math.MinInt64
	buf := make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < p.Len(); page++ {
		for _, v := range p.Ints(col).Page(page, buf) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}
