// Finding the events that came before with the message ids of a request: among the
// newest, in parts in memory, and in runs, whose filters are held in memory.

package engine

import (
	"time"

	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/index"
)

// findOriginals finds the events in the log that have the message ids of a
// submission's events, within the time they are remembered. All are looked for in one
// part before the next: that is several times as fast as part after part for each.
func (s *sequencer) findOriginals(sub *submission) error {
	s.unknown = s.unknown[:0]
	for i := range sub.events {
		ev := &sub.events[i]
		if id := ev.event.MessageID; id != "" {
			ev.hi, ev.lo = s.recent.hash(ev.site.ID, ev.event.Dialect, id)
			if ev.original = s.recent.find(ev.hi, ev.lo); ev.original == 0 {
				s.unknown = append(s.unknown, ev)
			}
		}
	}
	defer func() { s.unknown = event.Emptied(s.unknown, memoryEventsKept) }()
	for rest := s.unknown; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].site == rest[0].site { // mostly all
			n++
		}
		if err := s.findOlder(rest[0].site, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// findOlder looks for originals of a site's events in what is older than what recent
// remembers, the newest part first.
func (s *sequencer) findOlder(site *siteState, events []*submitted) error {
	covered := s.recent.covers(site.ID, max(1, s.next[site]))
	if covered <= 1 {
		return nil
	}
	since := events[0].event.Received - s.e.opts.Dedup.Milliseconds() // they came together
	// Parts in memory first: one that is sealed meanwhile is then seen twice, not never.
	for _, p := range site.Unsealed(covered) {
		for _, ev := range events {
			if err := ev.findIn(p, since); err != nil {
				return err
			}
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
		view := r.In(s.filters.pages).Part()
		for _, k := range s.maybe {
			if err := events[k].findIn(view, since); err != nil {
				return err
			}
		}
	}
	return nil
}

// askFilter leaves in s.maybe which of s.idHashes, by number, a run may hold.
func (s *sequencer) askFilter(site *siteState, r *index.Run, now time.Time) error {
	s.maybe = s.maybe[:0]
	filter, err := s.filters.of(site, r, now)
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

// findIn looks for the newest event of a part that has the message id of ev, unless it
// is found already. One that was received before since is none.
func (ev *submitted) findIn(p index.Part, since int64) error {
	if ev.original != 0 {
		return nil
	}
	id := []string{ev.event.MessageID}
	if col := p.Column(event.FieldMessageID); col == nil || len(col.Find("", id)) == 0 { // as nearly always
		return p.Err()
	}
	received := p.Ints(event.IntReceived)
	index.NewMatcher(p, []index.Clause{
		{Any: []index.Alt{{Field: event.FieldMessageID, Terms: id}}},
		{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(ev.event.Dialect)}}}},
	}, nil).Descend(p.Len()-1, func(row int) bool {
		if received.At(row) >= since {
			ev.original = p.First() + uint64(row)
		}
		return false
	})
	if err := p.Err(); err != nil {
		ev.original = 0
		return err
	}
	return nil
}

// heldFilters holds in memory the filters of the runs that are asked for message ids. Most
// ids are new; with the filters, such an id is looked for in about one run of hundreds.
// When there is no space for one more filter, the largest are folded to half their size.
// When all are folded, single pages of the filters that are not held are read, one for
// each id. It belongs to the sequencer.
//
// It is no cache.LRU: all runs are asked equally often, so a filter stays as long as its
// run is asked.
type heldFilters struct {
	max, bytes int64
	runs       map[uint64]*heldFilter
	swept      time.Time
	full       time.Time    // when makeRoom last failed
	pages      *index.Cache // of the runs that are searched for ids; queries do not need them
	took       func(bytes int64)
}

type heldFilter struct {
	filter *index.Filter // nil = it is damaged; single pages may still be readable
	site   *siteState
	asked  time.Time
}

func (f *heldFilter) bytes() int64 {
	if f.filter == nil {
		return filterOverhead
	}
	return f.filter.Bytes() + filterOverhead
}

const (
	filterIdle     = time.Minute // a filter that was not asked for so long goes
	filterRetry    = time.Second // between two calls of sweep, and of makeRoom after it failed
	filterOverhead = 256         // bytes that a held filter takes besides its words
)

// newHeldFilters returns an empty heldFilters of that many bytes of filters and a tenth more
// of pages of runs. took is told how many bytes the filters take, whenever that changes.
func newHeldFilters(bytes int64, corrupt func(*index.CorruptError), took func(bytes int64)) *heldFilters {
	pages := index.NewCache(bytes / 10)
	pages.Corrupt, pages.Lookups = corrupt, true
	return &heldFilters{max: bytes, runs: make(map[uint64]*heldFilter), pages: pages, took: took}
}

// of returns the filter of a site's run, nil when the caller has to read single pages.
func (h *heldFilters) of(site *siteState, r *index.Run, now time.Time) (*index.Filter, error) {
	f := h.runs[r.Run]
	if f == nil {
		h.sweep(now)
		if room := r.FilterBytesMax() + filterOverhead; h.bytes+room > h.max && !h.makeRoom(room, now) {
			return nil, nil
		}
		filter, err := r.Filter()
		if err != nil && store.Damaged(err) == nil {
			return nil, err
		}
		f = &heldFilter{filter: filter, site: site}
		h.runs[r.Run] = f
		h.bytes += f.bytes()
		h.took(h.bytes)
	}
	f.asked = now
	return f.filter, nil
}

// sweep drops the filters of runs that are gone and of runs that are not asked any more.
func (h *heldFilters) sweep(now time.Time) {
	if now.Sub(h.swept) < filterRetry {
		return
	}
	h.swept = now
	live := make(map[uint64]bool)
	sites := make(map[*siteState]bool)
	for _, f := range h.runs {
		if !sites[f.site] {
			sites[f.site] = true
			runs := f.site.Sealed()
			for _, r := range runs.All {
				live[r.Run] = true
			}
			runs.Close()
		}
	}
	for run, f := range h.runs {
		if !live[run] || now.Sub(f.asked) >= filterIdle {
			h.bytes -= f.bytes()
			delete(h.runs, run)
		}
	}
	h.took(h.bytes)
}

// makeRoom folds filters until that many bytes are free. It reports whether they are.
func (h *heldFilters) makeRoom(bytes int64, now time.Time) bool {
	if now.Sub(h.full) < filterRetry {
		return false
	}
	for h.bytes+bytes > h.max {
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
	return h.bytes+bytes <= h.max
}
