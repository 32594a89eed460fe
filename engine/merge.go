// The merger combines several runs of a site into one, in the background. So a site has
// only tens of runs, no matter how many events it has.

package engine

import (
	"errors"
	"slices"
	"sync"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// merger merges the runs of one site at a time. One batch adds the new run and removes the
// old ones. Views that hold the old runs can still read them. The keys of an old run are
// deleted when its last view closes, or when the store is opened again.
//
// It merges runs of similar size (see pickRuns). So an event is rewritten once per order of
// size between SealRows and MergeRows: twice with the default options.
type merger struct {
	e *Engine

	mu      sync.Mutex
	changed *sync.Cond
	sites   []*siteState // whose runs may need a merge
	dropped []uint64     // old runs that no view holds any more

	undropped map[uint64]uint32 // by id, the site of each old run whose keys are in the store; used by the merger's goroutine alone
	purged    []uint64          // runs whose keys were deleted as ranges, since the last purge; as undropped
	swept     bool              // a purge has looked for those that were deleted before this start; as undropped

	gaveWay bool // the current merge must end, because a seal needs its space
	flush   bool // dropped runs free their disk space only after a flush; used by the merger's goroutine alone
	stopped bool
	done    sync.WaitGroup
}

// newMerger returns a merger. It does not start it.
func newMerger(e *Engine) *merger {
	m := &merger{e: e, undropped: make(map[uint64]uint32)}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// start checks all sites once, then each site that is enqueued.
func (m *merger) start() {
	for _, s := range m.e.allSites() {
		m.enqueue(s)
	}
	m.done.Go(func() {
		for {
			site, drop, ok := m.next()
			if !ok {
				return
			}
			if err := m.drop(drop, site == nil); err != nil {
				m.e.log.Error("store: old runs are not deleted until the next start", "error", err)
			}
			if site != nil {
				if err := m.erase(site); err != nil && !errors.Is(err, errMergeStopped) && !outOfSpace(err) {
					m.e.log.Error("store: a deletion is not carried out yet; it is tried again", "site", site.ID, "error", err)
					site.eraseAt.Store(m.e.now().Add(eraseRetry).UnixMilli())
				}
			}
			for site != nil {
				merged, err := m.merge(site)
				switch {
				case err == nil, errors.Is(err, errMergeStopped):
				case outOfSpace(err):
					site.mergeAfter = time.Now().Add(mergeRetry / 10)
				default:
					m.e.log.Error("store: merging runs failed; it is tried again later", "site", site.ID, "error", err)
					site.mergeAfter = time.Now().Add(mergeRetry)
				}
				if !merged {
					break
				}
			}
		}
	})
}

// stop cancels the current merge and waits for its end. Its unfinished file is removed.
func (m *merger) stop() {
	m.mu.Lock()
	m.stopped = true
	m.changed.Broadcast()
	m.mu.Unlock()
	m.done.Wait()
}

// stopping reports whether the merger must stop because the store closes or has failed.
func (m *merger) stopping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopped || m.e.failure() != nil
}

// yield ends the current merge, if there is one, and removes its unfinished file.
func (m *merger) yield() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gaveWay = true
}

// mayGoOn returns an error if the current merge must end.
func (m *merger) mayGoOn() error {
	m.mu.Lock()
	gaveWay := m.gaveWay
	m.mu.Unlock()
	switch {
	case m.stopping():
		return errMergeStopped
	case gaveWay, m.e.disk.Full():
		return query.ErrDiskFull
	}
	return nil
}

// enqueue lets the merger check the site's runs.
func (m *merger) enqueue(s *siteState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sites = append(m.sites, s)
	m.changed.Broadcast()
}

// enqueueOnce is enqueue, unless the site waits already.
func (m *merger) enqueueOnce(s *siteState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.sites, s) {
		m.sites = append(m.sites, s)
		m.changed.Broadcast()
	}
}

// next waits for work. It returns the next site to check, or nil, and the old runs to drop.
// ok is false when the merger is stopped.
func (m *merger) next() (site *siteState, drop []uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.sites) == 0 && len(m.dropped) == 0 && !m.flush && !m.stopped {
		m.changed.Wait()
	}
	if m.stopped {
		return nil, nil, false
	}
	drop, m.dropped = m.dropped, nil
	if len(m.sites) > 0 {
		site, m.sites = m.sites[0], m.sites[1:]
	}
	return site, drop, true
}

// drop deletes the keys of old runs. Sometimes only a flush frees their disk space. Then drop
// waits until the merger is idle, and starts one flush for all of them. When many small sites
// are merged one after another, a flush after each merge would be expensive.
func (m *merger) drop(runs []uint64, idle bool) error {
	if m.stopping() {
		m.flush = false // nobody waits for it, and next must not return for it
		return nil
	}
	for _, id := range runs {
		flush, err := index.DropRun(m.e.db, id)
		if err != nil {
			return err
		}
		if m.flush = m.flush || flush; flush {
			m.purged = append(m.purged, id)
		}
		if site, waited := m.undropped[id]; waited {
			delete(m.undropped, id)
			if s := m.e.state(site); s.eraseAt.Load() != 0 {
				m.enqueueOnce(s) // a purge may wait for it
			}
		}
	}
	if !m.flush || !idle {
		return nil
	}
	m.flush = false
	_, err := m.e.db.AsyncFlush()
	return err
}

// eraseRetry is how long the merger leaves the deletions of a site alone after an error.
const eraseRetry = time.Minute

// mergeRetry is how long the merger skips a site after a failed merge.
const mergeRetry = 10 * time.Minute

// errMergeStopped cancels a merge when the store closes.
var errMergeStopped = errors.New("the store closes")

// merge merges some of the site's runs into one, if pick chooses any. After an error the
// site still has its old runs.
func (m *merger) merge(site *siteState) (merged bool, err error) {
	if time.Now().Before(site.mergeAfter) {
		return false, nil
	}
	sealed := site.Sealed()
	defer sealed.Close()
	old, err := m.pick(sealed.All)
	if err != nil || len(old) == 0 || m.stopping() {
		return false, err
	}
	bytes, err := m.bytes(old)
	if err != nil || !m.room(bytes) {
		return false, err
	}
	m.mu.Lock()
	m.gaveWay = false
	m.mu.Unlock()
	m.e.disk.Claim(bytes)
	defer m.e.disk.Claim(-bytes)
	start := time.Now()
	s := m.e.sealer
	d := old[0].Descriptor // an empty range of times or days changes no other
	d.Run, d.Rows, d.Version = s.newRun(), 0, index.RunVersion
	cache := index.NewCache(mergeCache) // a cache of its own, because a merge reads each page once
	runs := make([]*index.Run, len(old))
	for i, r := range old {
		d.Rows += r.Rows
		d.TimeMin, d.TimeMax = min(d.TimeMin, r.TimeMin), max(d.TimeMax, r.TimeMax)
		d.DayMin, d.DayMax = min(d.DayMin, r.DayMin), max(d.DayMax, r.DayMax)
		d.ReceivedMax = max(d.ReceivedMax, r.ReceivedMax)
		runs[i] = r.In(cache)
	}
	recounts, err := m.recount(old, &d)
	if err != nil {
		return false, err
	}
	path, err := s.write(d.Run, func(w index.Sink) error {
		sum := index.Checksum{Next: &pacedSink{Sink: w, merger: m, since: start}}
		if err := index.MergeRecounted(&sum, d.Run, runs, recounts, event.NumInts, event.FieldMessageID); err != nil {
			return err
		}
		d.Keys, d.Sum = sum.Keys, sum.Sum()
		return nil
	})
	if err != nil {
		return false, err
	}
	err = s.publish(path, func(b *pebble.Batch) error {
		for _, r := range old {
			if err := r.Delete(b); err != nil {
				return err
			}
		}
		return d.Put(b)
	})
	if err != nil {
		if m.e.failure() == nil && !errors.Is(err, errNotWritten) {
			m.e.fail(err) // part of the batch may be in the store
		}
		return false, err
	}
	for _, r := range old {
		m.undropped[r.Run] = site.ID
	}
	site.Merged(old, m.e.newRun(d), m.runFreed)
	m.e.stats.merges.Add(1)
	m.e.stats.mergedEvents.Add(d.Rows)
	m.e.stats.mergeNanos.Add(time.Since(start).Nanoseconds())
	return true, nil
}

// recount prepares to count the rows of runs on the days of their event times in the zone
// of the site, and sets the days of d, the descriptor of the run that they are merged into.
// If the new totals took too much memory, the rows stay counted as they are, and d names no
// days.
func (m *merger) recount(old []*index.Run, d *index.Descriptor) ([]*index.Recount, error) {
	if !table.Living(d) {
		d.Days = "" // no row is on any day
		return nil, nil
	}
	zone := m.e.zone(d.Site)
	days, ok := calendar.DaysOf(d.TimeMin, d.TimeMax, zone)
	if d.Days = ""; !ok {
		return nil, nil
	}
	cache := index.NewCache(m.e.memory.SealBytes / 4)
	runs := make([]*index.Run, len(old))
	for i, r := range old {
		runs[i] = r.In(cache)
	}
	pace := &pacedSink{merger: m, since: time.Now()}
	recounts, err := recountRuns(runs, zone, m.e.memory.SealBytes, pace.pace)
	if errors.Is(err, errRecountMemory) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d.Days = string(days.Append(nil))
	for _, r := range recounts {
		if r != nil { // the days of rows have changed
			d.DayMin, d.DayMax = days.Day(d.TimeMin), days.Day(d.TimeMax)
		}
	}
	return recounts, nil
}

// bytes returns how many bytes the runs take on the disk, and a run made of them at most.
func (m *merger) bytes(runs []*index.Run) (n int64, err error) {
	if m.e.disk.Reserve() == 0 {
		return 0, nil
	}
	for _, r := range runs {
		bytes, err := r.DiskUsage(m.e.db)
		if err != nil {
			return 0, err
		}
		n += int64(bytes)
	}
	return n, nil
}

// room reports whether the disk has room for a merge that writes that many bytes. They count
// twice: while the merge goes on, it has claimed them and has written some of them.
func (m *merger) room(bytes int64) bool { return m.e.disk.Room(2*bytes + 2*m.e.disk.Reserve()) }

// mergeCache is the size of a merge's page cache in bytes.
const mergeCache = 1 << 20

// runFreed is called when no view holds a merged run any more.
func (m *merger) runFreed(run uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped = append(m.dropped, run)
	m.changed.Broadcast()
}

// pick chooses the runs to merge. It returns none if no merge is due. Where a repair has lost
// the events between two runs, these are no neighbours: a run has every seq from its first to
// its last.
func (m *merger) pick(runs []*index.Run) ([]*index.Run, error) {
	for len(runs) > 0 {
		n := 1
		for n < len(runs) && runs[n].First == runs[n-1].Last()+1 {
			n++
		}
		if picked, err := m.pickTiling(runs[:n]); err != nil || len(picked) > 0 {
			return picked, err
		}
		runs = runs[n:]
	}
	return nil, nil
}

// pickTiling is pick for runs without a gap.
func (m *merger) pickTiling(runs []*index.Run) ([]*index.Run, error) {
	if lo, n := pickBlank(runs); n > 0 {
		return runs[lo : lo+n], nil
	}
	rows := make([]uint64, len(runs))
	for i, r := range runs {
		rows[i] = r.Rows
	}
	var err error
	lo, n := pickRuns(rows, m.e.opts.MergeRuns, uint64(m.e.opts.MergeRows), func(lo, n int) int {
		if err == nil {
			n, err = columnsFit(runs[lo : lo+n])
		}
		return n
	})
	if err != nil {
		return nil, err
	}
	return runs[lo : lo+n], nil
}

// blankRowsMax is how many rows runs of blanks together have at most.
const blankRowsMax = 1<<30 - 1

// pickBlank chooses neighbouring runs that have nothing but blanks. They take next to no space,
// so they are merged whatever their rows.
func pickBlank(runs []*index.Run) (lo, n int) {
	for lo = range runs {
		rows := uint64(0)
		for n = 0; lo+n < len(runs) && !table.Living(&runs[lo+n].Descriptor) && rows+runs[lo+n].Rows <= blankRowsMax; n++ {
			rows += runs[lo+n].Rows
		}
		if n > 1 {
			return lo, n
		}
	}
	return 0, 0
}

// pickRuns chooses which neighbouring runs to merge. rows has the number of rows of each
// run, oldest first. The result is n runs from index lo on; n is 0 if no merge is due.
//
// The order of a run is the power of fan that its number of rows reaches. pickRuns looks
// for at least fan neighbours, at the lowest order first, and takes the oldest of them. It
// takes at most 2×fan of them, or fewer if their rows together would exceed most. It never
// takes a run of more than most/2 rows. The runs that it takes must together have at least
// fan/8 times the rows of the largest one. So it leaves a large run with a few small ones
// alone: that merge would rewrite many rows to save few runs.
//
// fit returns how many of the n runs from lo on fit into one run.
func pickRuns(rows []uint64, fan int, most uint64, fit func(lo, n int) int) (lo, n int) {
	for limit := uint64(fan); ; limit *= uint64(fan) {
		for lo := 0; lo < len(rows); {
			hi := lo
			for hi < len(rows) && rows[hi] < limit && rows[hi] <= most/2 {
				hi++
			}
			for ; hi-lo >= fan; lo++ {
				n, sum, largest := 0, uint64(0), uint64(0)
				for lo+n < hi && n < 2*fan && sum+rows[lo+n] <= most {
					sum, largest = sum+rows[lo+n], max(largest, rows[lo+n])
					n++
				}
				if n < 2 || 8*sum < largest*uint64(fan) {
					continue
				}
				if n = fit(lo, n); n > 1 {
					return lo, n
				}
			}
			lo = hi + 1
		}
		if limit > most/2 {
			return 0, 0
		}
	}
}

// columnsFit returns how many of the runs, from the first on, fit into one run. A run may
// have at most index.ColumnsMax columns whose names clients invent, besides the columns
// that every part may have.
func columnsFit(runs []*index.Run) (n int, err error) {
	columns := make(map[string]bool)
	for n < len(runs) {
		v := runs[n].Part()
		for _, f := range v.Fields() {
			if !table.HasColumn([]byte(f)) {
				columns[f] = true
			}
		}
		if v.Err() != nil || len(columns) > index.ColumnsMax {
			return n, v.Err()
		}
		n++
	}
	return n, nil
}

// pacedSink yields the processor: while events come in, a merge sleeps as long as it has
// worked.
type pacedSink struct {
	index.Sink
	merger  *merger
	since   time.Time
	commits uint64
}

// mergeSlice is how long a merge works before it pauses.
const mergeSlice = 4 * time.Millisecond

func (s *pacedSink) Set(key, value []byte) error {
	if err := s.pace(); err != nil {
		return err
	}
	return s.Sink.Set(key, value)
}

// pace sleeps when it is time to. It returns an error when the merge must end.
func (s *pacedSink) pace() error {
	if worked := time.Since(s.since); worked > mergeSlice {
		if err := s.merger.mayGoOn(); err != nil {
			return err
		}
		stats := &s.merger.e.stats
		if commits := stats.commits.Load() - stats.jobs.Load(); commits != s.commits {
			s.commits = commits
			time.Sleep(min(worked, 10*mergeSlice))
		}
		s.since = time.Now()
	}
	return nil
}
