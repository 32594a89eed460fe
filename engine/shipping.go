// Shipping: what a backup needs to know of the store to ship its log.

package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cairn/engine/backup"
	"cairn/engine/erase"
)

// shipping notes what has changed since the log was last shipped. Nothing is noted until LogSource is
// called.
type shipping struct {
	on      atomic.Bool   // the maps are there
	rows    atomic.Int64  // events published since Events was last asked
	due     chan struct{} // buffered, one value; never nil
	changes atomic.Uint64 // deletions

	mu        sync.Mutex
	visits    map[backup.Visit]struct{} // whose heartbeats have changed
	dropped   bool                      // some were too many
	deletions map[string]backup.Deletion
	copied    map[string]bool // deletions that have a copy in the bucket
}

// shippedVisitsMax bounds the visits that wait to be shipped: about 40 MB at the most.
const shippedVisitsMax = 1 << 19

// LogSource returns what ships the log of the store. The source may be used until Close, LogSource or
// EndShipping is called.
func (e *Engine) LogSource() (*backup.LogSource, error) {
	s := &e.shipping
	s.mu.Lock()
	s.visits, s.deletions, s.copied = make(map[backup.Visit]struct{}), make(map[string]backup.Deletion), make(map[string]bool)
	s.mu.Unlock()
	s.on.Store(true)
	e.deleting.Lock()
	defer e.deleting.Unlock()
	for _, site := range e.allSites() {
		if err := erase.Each(e.db, site.ID, func(r *erase.Record) error {
			s.deleted(site.ID, r)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return &backup.LogSource{
		DB: e.db, FS: e.opts.FS, Dir: e.opts.Dir, Public: e.public, Install: &e.sealer.install, Now: e.now,
		Changes: func() uint64 {
			return e.stats.commits.Load() + e.savedChanges.Load() + s.changes.Load()
		},
		Events:     s.events(e),
		Heartbeats: s.takeVisits,
		Due:        s.due,
		Deletions:  s.waiting,
		Copied:     s.noteCopied,
	}, nil
}

// EndShipping says that nobody ships the log any more: a deletion then needs no copy in a bucket. What
// waited for one is found by the next LogSource.
func (e *Engine) EndShipping() {
	s := &e.shipping
	s.on.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits, s.deletions, s.copied, s.dropped = nil, nil, nil, false
}

// events returns LogSource.Events.
func (s *shipping) events(e *Engine) func() map[uint32]uint64 {
	return func() map[uint32]uint64 {
		s.rows.Store(0)
		return e.Events()
	}
}

// published notes what the publisher has shown to readers.
func (s *shipping) published(g *group, sealRows int) {
	if !s.on.Load() {
		return
	}
	if n := s.rows.Add(int64(g.events)); n > int64(sealRows/2) {
		s.poke()
	}
	if len(g.beats) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visits == nil {
		return // shipping has just ended
	}
	for _, b := range g.beats {
		if len(s.visits) >= shippedVisitsMax {
			s.dropped = true
			return
		}
		s.visits[backup.Visit{Site: b.site.ID, Ord: b.visit}] = struct{}{}
	}
}

// leaving notes that a part of so many rows is half complete: they leave the log when it is sealed.
func (s *shipping) leaving(rows int) {
	if s.on.Load() && s.rows.Load() > int64(rows/4) {
		s.poke()
	}
}

// poke says that shipping should not wait.
func (s *shipping) poke() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// takeVisits is LogSource.Heartbeats.
func (s *shipping) takeVisits() (visits []backup.Visit, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	visits, all = slices.Collect(maps.Keys(s.visits)), !s.dropped
	s.visits, s.dropped = make(map[backup.Visit]struct{}), false
	return visits, all
}

// deleted notes a durable deletion. It reports whether the rows of the deletion may be forgotten: the
// bucket has a copy, or there is no bucket.
func (s *shipping) deleted(site uint32, r *erase.Record) bool {
	if !s.on.Load() || r.Seqs == nil {
		return true
	}
	name := erase.CopyName(site, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deletions == nil || s.copied[name] {
		return true
	}
	if _, waits := s.deletions[name]; !waits {
		s.deletions[name] = backup.Deletion{Name: name, Site: site, Record: r}
		s.changes.Add(1)
		s.poke()
	}
	return false
}

// waiting is LogSource.Deletions.
func (s *shipping) waiting() []backup.Deletion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.deletions), func(a, b backup.Deletion) int { return strings.Compare(a.Name, b.Name) })
}

// noteCopied is LogSource.Copied.
func (s *shipping) noteCopied(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.deletions, name)
	s.copied[name] = true
}
