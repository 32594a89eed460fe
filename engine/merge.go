// The merger: in the background it makes one run of several, so that a site has
// tens of runs however many its events are.

package engine

import (
	"errors"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// merger merges the runs of one site at a time. The new run comes into being, and
// the old ones cease to exist, in one batch. Views that have them go on reading them.
// Their keys are deleted when the last of these views is closed, or when the store is
// opened again.
//
// It takes runs of one order of size together (see pickRuns), so that an event is
// written again as often as there are orders between SealRows and MergeRows: with
// the defaults twice.
type merger struct {
	e *Engine

	mu      sync.Mutex
	changed *sync.Cond
	sites   []*siteState // to look at
	dropped []uint64     // runs that nobody reads any more
	flush   bool         // the merger's: only a flush frees the room of runs that were dropped
	stopped bool
	done    sync.WaitGroup
}

func newMerger(e *Engine) *merger {
	m := &merger{e: e}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// start looks at all sites, then at those that are considered.
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
				m.e.log.Error("store: old runs stay until the next start", "error", err)
			}
			for site != nil {
				merged, err := m.merge(site)
				if err != nil && !errors.Is(err, errMergeStopped) {
					m.e.log.Error("store: runs are not merged", "site", site.ID, "error", err)
					site.mergeAfter = time.Now().Add(mergeRetry)
				}
				if !merged {
					break
				}
			}
		}
	})
}

// stop ends the merge under way; what it has written goes.
func (m *merger) stop() {
	m.mu.Lock()
	m.stopped = true
	m.changed.Broadcast()
	m.mu.Unlock()
	m.done.Wait()
}

func (m *merger) stopping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopped || m.e.failure() != nil
}

// enqueue has a look taken at the site's runs.
func (m *merger) enqueue(s *siteState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sites = append(m.sites, s)
	m.changed.Broadcast()
}

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

// drop deletes the keys of runs that do not exist any more. If only a flush frees their
// room, one flush follows for all of them when no site waits: a flush per merge would cost
// much where many small sites are merged one after another.
func (m *merger) drop(runs []uint64, idle bool) error {
	if m.stopping() {
		return nil
	}
	for _, id := range runs {
		flush, err := index.DropRun(m.e.db, id)
		if err != nil {
			return err
		}
		m.flush = m.flush || flush
	}
	if !m.flush || !idle {
		return nil
	}
	m.flush = false
	_, err := m.e.db.AsyncFlush()
	return err
}

// mergeRetry is how long a site is left alone after a merge that failed.
const mergeRetry = 10 * time.Minute

// errMergeStopped ends a merge when the store closes.
var errMergeStopped = errors.New("the store closes")

// merge makes one run of some of the site's, if there are any to be merged. An
// error leaves them as they were.
func (m *merger) merge(site *siteState) (merged bool, err error) {
	if time.Now().Before(site.mergeAfter) {
		return false, nil
	}
	sealed := site.Sealed()
	defer sealed.Close()
	old, err := m.pick(sealed.All)
	if err != nil || len(old) == 0 || m.stopping() || !m.room(old) {
		return false, err
	}
	start := time.Now()
	s := m.e.sealer
	d := old[0].Descriptor
	d.Run, d.Rows = s.newRun(), 0
	cache := index.NewCache(mergeCache) // what is read once stays out of the queries' way
	runs := make([]*index.Run, len(old))
	for i, r := range old {
		d.Rows += r.Rows
		d.TimeMin, d.TimeMax = min(d.TimeMin, r.TimeMin), max(d.TimeMax, r.TimeMax)
		d.DayMin, d.DayMax = min(d.DayMin, r.DayMin), max(d.DayMax, r.DayMax)
		d.ReceivedMax = max(d.ReceivedMax, r.ReceivedMax)
		runs[i] = r.In(cache)
	}
	path, err := s.write(d.Run, func(w index.Sink) error {
		sum := index.Checksum{Next: &pacedSink{Sink: w, merger: m, since: start}}
		if err := index.Merge(&sum, d.Run, runs, event.NumInts, event.FieldMessageID); err != nil {
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
		if m.e.failure() == nil {
			m.e.fail(err) // it may be there in part
		}
		return false, err
	}
	site.Merged(old, m.e.newRun(d), m.runFreed)
	m.e.stats.merges.Add(1)
	m.e.stats.mergedEvents.Add(d.Rows)
	m.e.stats.mergeNanos.Add(time.Since(start).Nanoseconds())
	return true, nil
}

// room says whether the disk has room for the runs once more.
func (m *merger) room(runs []*index.Run) bool {
	if m.e.disk.Reserve() == 0 {
		return true
	}
	need := 2 * m.e.disk.Reserve()
	for _, r := range runs {
		bytes, err := r.DiskUsage(m.e.db)
		if err != nil {
			return false
		}
		need += int64(bytes)
	}
	return m.e.disk.Free() > need
}

// mergeCache is the bytes of pages a merge keeps.
const mergeCache = 1 << 20

// runFreed is called when nobody holds a merged run any more.
func (m *merger) runFreed(run uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped = append(m.dropped, run)
	m.changed.Broadcast()
}

// pick chooses the runs to be merged, if any.
func (m *merger) pick(runs []*index.Run) ([]*index.Run, error) {
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

// pickRuns chooses among runs of so many rows the oldest fan or more that follow one
// another, of which none is of a higher order than the lowest at which there are so
// many; n is 0 when there are none. A run's order is the power of fan it has rows. At
// most twice fan are merged, into at most most rows; runs of more than half of that
// stay as they are. So do some small ones behind large ones, which would be written
// again for little: all together must be at least fan/8 times the largest. fit says
// how many of n runs from lo on may be one.
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

// columnsFit is how many of the runs, from the first on, have the columns of one
// part: as many that clients invent, and those that every part may have.
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

// pacedSink lets the processor go for as long as it was used, while events come
// in.
type pacedSink struct {
	index.Sink
	merger  *merger
	since   time.Time
	commits uint64
}

// mergeSlice is how long a merge works at a time.
const mergeSlice = 4 * time.Millisecond

func (s *pacedSink) Set(key, value []byte) error {
	if worked := time.Since(s.since); worked > mergeSlice {
		if s.merger.stopping() {
			return errMergeStopped
		}
		if commits := s.merger.e.stats.commits.Load(); commits != s.commits {
			s.commits = commits
			time.Sleep(min(worked, 10*mergeSlice))
		}
		s.since = time.Now()
	}
	return s.Sink.Set(key, value)
}
