// The sealer: turns rows in memory and in the log into runs, in the background.

package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"cairn/engine/event"
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
	stopped bool
	done    sync.WaitGroup
	run     uint64 // next run id; under mu
}

type sealWork struct {
	site *siteState
	part *index.Open
}

func newSealer(e *Engine) (*sealer, error) {
	s := &sealer{e: e, run: 1}
	s.changed = sync.NewCond(&s.mu)
	v, err := get(e.db, storeKey("run"))
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
			if err := index.DropRun(s.e.db, id); err != nil {
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
			w, ok := s.next()
			if !ok {
				return
			}
			if err := s.seal(w.site, w.part); err != nil {
				if s.e.failure() == nil {
					s.e.fail(fmt.Errorf("seal: %w", err))
				}
				return
			}
			s.finished(w)
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

func (s *sealer) next() (sealWork, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.work) == 0 && !s.stopped {
		s.changed.Wait()
	}
	if s.stopped {
		return sealWork{}, false
	}
	return s.work[0], true
}

func (s *sealer) add(site *siteState, part *index.Open) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = append(s.work, sealWork{site, part})
	s.rows += int64(part.Rows())
	s.changed.Broadcast()
}

func (s *sealer) finished(w sealWork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = s.work[1:]
	s.rows -= int64(w.part.Rows())
	s.changed.Broadcast()
}

// consider is called by the publisher after each group: parts that are complete,
// or the largest when all together hold too much, go to the sealer.
func (s *sealer) consider(g *group) {
	for _, sg := range g.order {
		if o := sg.site.open; o != nil && o.Rows() >= s.e.opts.SealRows {
			s.add(sg.site, sg.site.detach())
		}
	}
	s.mu.Lock()
	waiting := s.rows
	s.mu.Unlock()
	for s.e.hot.Load()-waiting > int64(s.e.opts.HotEvents) {
		var largest *siteState
		for _, site := range s.e.allSites() {
			if site.open != nil && (largest == nil || site.open.Rows() > largest.open.Rows()) {
				largest = site
			}
		}
		if largest == nil {
			break
		}
		part := largest.detach()
		waiting += int64(part.Rows())
		s.add(largest, part)
	}
}

// seal writes part as a run, then makes it exist and drops its rows from the log
// in one batch.
func (s *sealer) seal(site *siteState, part *index.Open) error {
	start := time.Now()
	snap := part.Snapshot()
	d := index.Descriptor{Site: site.id, First: part.First(), Rows: uint64(snap.Len()), Run: s.newRun()}
	if err := s.coverIDs(site, d.Last()); err != nil {
		return err
	}
	var totals index.Totals
	err := wal.Notes(s.e.db, site.id, d.First, d.Last()+1, func(_ uint64, note []byte) error {
		return totals.AddNote(note)
	})
	if err != nil {
		return err
	}
	d.TimeMin, d.TimeMax = bounds(snap, event.IntTime)
	dayMin, dayMax := bounds(snap, event.IntDay)
	d.DayMin, d.DayMax = int32(dayMin), int32(dayMax)
	_, d.ReceivedMax = bounds(snap, event.IntReceived)

	sums := totals.Sorted()
	path, err := s.write(&d, func(w index.Sink) error {
		return index.Build(w, d.Run, snap, event.NumInts, format, sums, event.FieldMessageID)
	})
	if err != nil {
		return err
	}
	err = s.publish(path, &d, func(b *pebble.Batch) error { return wal.Trim(b, d.Site, d.Last()+1) })
	if err != nil {
		return err
	}
	site.sealedInto(index.NewRun(d, s.e.db, s.e.cache, format))
	s.e.hot.Add(-int64(d.Rows))
	s.e.stats.seals.Add(1)
	s.e.stats.sealNanos.Add(time.Since(start).Nanoseconds())
	s.e.merger.consider(site)
	return nil
}

// newRun takes the id of a run to be.
func (s *sealer) newRun() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run++
	return s.run - 1
}

// write makes the table of a run in the directory for it and fills in d's
// checksum.
func (s *sealer) write(d *index.Descriptor, run func(index.Sink) error) (path string, err error) {
	fs := s.e.opts.FS
	path = fs.PathJoin(s.e.opts.Dir, tmpName, fmt.Sprintf("run-%d.sst", d.Run))
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.e.pebbleOptions().MakeWriterOptions(6, s.e.db.TableFormat()))
	sum := &index.Checksum{Next: w}
	err = run(sum)
	if cerr := w.Close(); err == nil { // syncs the file
		err = cerr
	}
	if err != nil {
		_ = fs.Remove(path)
		return "", err
	}
	d.Keys, d.Sum = sum.Keys, sum.Sum()
	return path, nil
}

// publish makes the run exist, in one batch with what replace puts there.
func (s *sealer) publish(path string, d *index.Descriptor, replace func(*pebble.Batch) error) error {
	s.install.Lock()
	defer s.install.Unlock()
	if err := s.e.db.Ingest(context.Background(), []string{path}); err != nil {
		return err
	}
	_ = s.e.opts.FS.Remove(path) // Pebble has its own link
	b := s.e.db.NewBatch()
	defer b.Close()
	if err := replace(b); err != nil {
		return err
	}
	s.mu.Lock()
	next := s.run
	s.mu.Unlock()
	if err := b.Set(storeKey("run"), binary.BigEndian.AppendUint64(nil, next), nil); err != nil {
		return err
	}
	if err := d.Put(b); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}

// coverIDs waits until the table of ids is written up to seq: rows leave the log
// only when nothing has to be learnt from them again.
func (s *sealer) coverIDs(site *siteState, seq uint64) error {
	for {
		upTo, err := idsUpTo(s.e.db, site.id)
		if err != nil || upTo >= seq {
			return err
		}
		s.e.flushIDs.Store(true)
		select {
		case s.e.queue <- &submission{done: make(chan struct{})}: // an empty one, so that there is a group
		default:
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-s.e.failed:
			return ErrFailed
		}
	}
}

// behind reports that so many rows wait that no more may come.
func (s *sealer) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows > int64(s.e.opts.HotEvents)
}

// catchUp waits until the sealer is no longer behind.
func (s *sealer) catchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.rows > int64(s.e.opts.HotEvents) && !s.stopped && s.e.failure() == nil {
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
