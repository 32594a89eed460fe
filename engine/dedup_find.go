// This file finds the events that have the message ids of a request: among the newest ids,
// in parts in memory, and in runs. The filters of runs are held in memory.

package engine

import (
	"math"
	"slices"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/index"
)

// findOriginals sets original of each of the submission's events whose message id is in the
// log, unless the stored event is older than the window. The events are about to go into g. It
// looks for all ids in one part before it turns to the next part. That is several times as fast
// as one id after the other.
func (s *sequencer) findOriginals(g *group, sub *submission) error {
	s.unknown = s.unknown[:0]
	for i := range sub.events {
		ev := &sub.events[i]
		if id := ev.event.MessageID; id != "" {
			ev.hi, ev.lo = s.recent.hash(ev.site.ID, ev.event.Dialect, id)
		}
	}
	// Each look-up waits for the memory. In a loop of their own the processor does several
	// at a time.
	for i := range sub.events {
		ev := &sub.events[i]
		if ev.event.MessageID == "" {
			continue
		}
		if ev.original = s.recent.find(ev.hi, ev.lo); ev.original == 0 {
			s.unknown = append(s.unknown, ev)
		}
	}
	if err := s.findStale(g, sub); err != nil {
		return err
	}
	defer func() { s.unknown = event.Emptied(s.unknown, memoryEventsKept) }()
	for rest := s.unknown; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].site == rest[0].site { // usually all
			n++
		}
		if err := s.findOlder(rest[0].site, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// findOlder looks for originals of a site's events among rows older than those that recent
// remembers, in the newest part first.
func (s *sequencer) findOlder(site *siteState, events []*submitted) error {
	covered := s.recent.covers(site.ID, max(1, s.next[site]))
	if covered <= 1 {
		return nil
	}
	since := int64(math.MaxInt64)
	for _, ev := range events {
		since = min(since, s.since(ev))
	}
	// Look at parts in memory first: a part that is sealed meanwhile is then seen twice and
	// not missed.
	for _, p := range site.Unsealed(covered) {
		s.maybe = s.maybe[:0]
		for k := range events {
			s.maybe = append(s.maybe, int32(k))
		}
		if err := s.findIn(p, events); err != nil {
			return err
		}
	}
	sealed := site.Sealed()
	defer sealed.Close()
	runs := sealed.All
	if len(runs) == 0 || runs[0].First >= covered {
		return nil
	}
	s.idHashes = s.idHashes[:0]
	for _, ev := range events {
		s.idHashes = append(s.idHashes, ev.idHash)
	}
	now := time.Now()
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		if r.First >= covered || r.ReceivedMax < since {
			continue
		}
		if err := s.askFilter(site, r, now); err != nil {
			return err
		}
		if len(s.maybe) == 0 {
			continue
		}
		// In this order, ids that are neighbours in the run read their page of it once.
		slices.SortFunc(s.maybe, func(a, b int32) int { return strings.Compare(events[a].event.MessageID, events[b].event.MessageID) })
		if err := s.findIn(r.In(s.filters.pages).Part(), events); err != nil {
			return err
		}
	}
	return nil
}

// askFilter sets s.maybe to the indexes of the ids in s.idHashes that a run may hold.
func (s *sequencer) askFilter(site *siteState, r *index.Run, now time.Time) error {
	s.maybe = s.maybe[:0]
	filter, err := s.filters.of(site, r, len(s.idHashes), now)
	if err != nil {
		return err
	}
	if filter != nil {
		if s.maybe = filter.MayContain(s.maybe, s.idHashes); !filter.Folded() {
			return nil
		}
	} else {
		for k := range s.idHashes {
			s.maybe = append(s.maybe, int32(k))
		}
	}
	some := s.maybe
	s.maybe = s.maybe[:0]
	for _, k := range some {
		if may, err := r.MayContain(s.idHashes[k]); err != nil {
			return err
		} else if may {
			s.maybe = append(s.maybe, k)
		}
	}
	return nil
}

// findIn looks in a part for the newest events that have the message ids of those of events that
// s.maybe names, unless an original is found already. An event received before the window does not
// count.
func (s *sequencer) findIn(p index.Part, events []*submitted) error {
	defer func() {
		s.sought, s.soughtIDs = event.Emptied(s.sought, memoryEventsKept), event.Emptied(s.soughtIDs, memoryEventsKept)
	}()
	for _, k := range s.maybe {
		if ev := events[k]; ev.original == 0 {
			s.sought, s.soughtIDs = append(s.sought, ev), append(s.soughtIDs, ev.event.MessageID)
		}
	}
	var (
		dialects index.Column
		codes    index.Ints // of dialects
		received index.Ints
		dialect  event.Dialect // the last one that was looked up,
		is       []uint32      // and its codes
	)
	index.DescendTerms(p, event.FieldMessageID, s.soughtIDs, func(i, row int) bool {
		ev := s.sought[i]
		if received == nil {
			if dialects = p.Column(event.FieldDialect); dialects == nil {
				return false
			}
			codes, received = dialects.Codes(), p.Ints(event.IntReceived)
		}
		if d := ev.event.Dialect; d != dialect {
			dialect, is = d, dialects.Find("", []string{string(d)})
		}
		if !slices.Contains(is, uint32(codes.At(row))) {
			return true
		}
		if received.At(row) >= s.since(ev) {
			ev.original = p.First() + uint64(row)
		}
		return false
	})
	if err := p.Err(); err != nil {
		for _, ev := range s.sought {
			ev.original = 0
		}
		return err
	}
	return nil
}

// heldFilters holds in memory the filters of the runs that are asked for many message ids. Most
// ids are new. With the filters, a new id is looked up in about one run of hundreds. If
// there is no space for another filter, the largest filters are folded to half their size.
// If all are folded, filters that do not fit stay on the disk, and each id reads a single
// page of them. So do filters that are asked for few ids: their memory is worth more to queries. A
// heldFilters belongs to the sequencer.
//
// It does not use cache.LRU: all runs are asked equally often, so a filter stays as long as
// its run is asked for enough ids.
type heldFilters struct {
	most  func() int64 // bytes that filters may take now
	bytes int64
	runs  map[uint64]*heldFilter // of all runs that were asked lately
	swept time.Time              // when runs that no longer exist were last dropped
	idle  time.Time              // when filters that are asked for too few ids were last dropped
	every time.Duration          // how often that is done
	full  time.Time              // when makeRoom last found no space
	pages *index.Cache           // of the runs that are searched; separate, because queries do not need these pages
	took  func(bytes int64)
}

type heldFilter struct {
	filter  *index.Filter // nil = it is not held; single pages of it may still be readable
	damaged bool
	site    *siteState
	asked   int // ids that were looked up since heldFilters.idle
}

func (f *heldFilter) bytes() int64 {
	if f.filter == nil {
		return 0
	}
	return f.filter.Bytes() + filterOverhead
}

const (
	filterRetry    = time.Second // between two searches for filters to drop or fold
	filterOverhead = 256         // bytes a held filter takes besides the filter itself

	// One id to so many bytes of a filter is enough to hold it. To read a whole filter costs
	// about as much as to read single pages of it for so many ids.
	filterWorth = 8 << 10
)

// enough returns for how many ids the filter of a run must be asked to be held.
func enough(r *index.Run) int { return 1 + int(r.FilterBytesMax()/filterWorth) }

// newHeldFilters returns a heldFilters that asks most how many bytes filters may take, and has a
// cache of that many bytes for pages of runs. A filter that is not asked for enough ids within
// every is dropped. took is called with the bytes of all
// held filters whenever that number changes.
func newHeldFilters(most func() int64, pagesBytes int64, every time.Duration, corrupt func(*index.CorruptError), took func(bytes int64)) *heldFilters {
	pages := index.NewCache(pagesBytes)
	pages.Corrupt, pages.Lookups = corrupt, true
	return &heldFilters{most: most, runs: make(map[uint64]*heldFilter), every: every, pages: pages, took: took}
}

// of returns the filter of a site's run, which is asked for so many ids. It returns nil if the
// filter is not held and its pages are to be read one by one.
func (h *heldFilters) of(site *siteState, r *index.Run, ids int, now time.Time) (*index.Filter, error) {
	f := h.runs[r.Run]
	if f == nil {
		h.sweep(now)
		f = &heldFilter{site: site}
		h.runs[r.Run] = f
	}
	f.asked += ids
	if f.filter != nil || f.damaged || f.asked < enough(r) {
		return f.filter, nil
	}
	if room := r.FilterBytesMax() + filterOverhead; h.bytes+room > h.most() && !h.makeRoom(room, now) {
		return nil, nil
	}
	filter, err := r.Filter()
	if err != nil && store.Damaged(err) == nil {
		return nil, err
	}
	f.filter, f.damaged = filter, filter == nil
	h.bytes += f.bytes()
	h.took(h.bytes)
	return f.filter, nil
}

// tend drops filters that are asked for too few ids, when it is time. The sequencer calls it between
// groups, whether their events have message ids or not.
func (h *heldFilters) tend() {
	if h.bytes > 0 {
		if now := time.Now(); now.Sub(h.idle) >= h.every {
			h.sweep(now)
		}
	}
}

// sweep drops the filters of runs that no longer exist and, from time to time, of those that
// are asked for too few ids.
func (h *heldFilters) sweep(now time.Time) {
	if now.Sub(h.swept) < filterRetry {
		return
	}
	h.swept = now
	idle := now.Sub(h.idle) >= h.every
	if idle {
		h.idle = now
	}
	live := make(map[uint64]*index.Run)
	sites := make(map[*siteState]bool)
	for _, f := range h.runs {
		if !sites[f.site] {
			sites[f.site] = true
			runs := f.site.Sealed()
			for _, r := range runs.All {
				live[r.Run] = r
			}
			runs.Close()
		}
	}
	for run, f := range h.runs {
		if r := live[run]; r == nil || idle && f.asked < enough(r) {
			h.bytes -= f.bytes()
			delete(h.runs, run)
		}
		if idle {
			f.asked = 0
		}
	}
	h.took(h.bytes)
}

// makeRoom folds filters. It reports whether there is then space for that many bytes.
func (h *heldFilters) makeRoom(bytes int64, now time.Time) bool {
	if now.Sub(h.full) < filterRetry {
		return false
	}
	for h.bytes+bytes > h.most() {
		var largest *heldFilter
		for _, f := range h.runs {
			if f.filter != nil && !f.filter.Folded() && (largest == nil || f.bytes() > largest.bytes()) {
				largest = f
			}
		}
		if largest == nil {
			h.full = now
			break
		}
		before := largest.bytes()
		largest.filter = largest.filter.Fold()
		h.bytes += largest.bytes() - before
	}
	h.took(h.bytes)
	return h.bytes+bytes <= h.most()
}
