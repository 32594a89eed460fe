// Sightings: a bounded memory of which event of an id is the newest of a sort,
// so that what ingest asks of every event of a recognised device, and of every increment
// that is checked, is not looked up in the index.

package identity

import (
	"strings"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/event"
)

// Sorts of newest events.
const (
	InSession  = 's' // of a user, in a session; its rank is the event time
	OfDevice   = 'd' // of a device, in a session; its rank is the event time
	Identified = 'i' // of a user, an identify event; its rank is the seq
)

// LatestKey is an id of a site and what is sought of it, in one dialect.
type LatestKey struct {
	Site    uint32
	Dialect byte // DialectNumber
	Sort    byte // InSession, OfDevice or Identified
	ID      string
}

// Latest is the event of the highest rank there is. With seq 0 it says that there is
// none of that rank or a higher one.
type Latest struct {
	Seq  uint64
	Rank int64
}

// sightingOverhead is about what an entry takes in memory beside its id.
const sightingOverhead = 112

// LatestEvents remembers published events of dialects whose rules ask for them. An entry
// that is asked for is kept; about 2×max bytes are in memory. What it does not know the
// index does.
type LatestEvents struct {
	mu      sync.Mutex
	entries *cache.TwoGenerations[LatestKey, *Latest]
}

// NewLatestEvents makes a memory of about 2×max bytes.
func NewLatestEvents(max int) *LatestEvents {
	size := func(k LatestKey, _ *Latest) int { return sightingOverhead + len(k.ID) }
	own := func(k LatestKey) LatestKey {
		k.ID = strings.Clone(k.ID)
		return k
	}
	return &LatestEvents{entries: cache.NewTwoGenerations(max, size, own)}
}

// Get returns the latest event of a key; known is false when nothing is remembered of it.
func (s *LatestEvents) Get(k LatestKey) (latest Latest, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, known := s.entries.Get(k)
	if !known {
		return Latest{}, false
	}
	return *l, true
}

// Put takes in what was found or has been published. Only what is certain, because
// nothing of a higher rank can be in the log, begins an entry. It copies the id.
func (s *LatestEvents) Put(k LatestKey, l Latest, certain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.entries.Get(k)
	switch {
	case !known && certain:
		s.entries.Put(k, &l)
	case !known:
	case l.Seq != 0 && l.Rank >= old.Rank:
		*old = l
	case l.Seq == 0 && old.Seq == 0:
		old.Rank = min(old.Rank, l.Rank)
	}
}

// Published takes in an event that is in the log.
func (s *LatestEvents) Published(site uint32, ev *event.Event, seq uint64, session string) {
	r := event.RuleAt(ev.Dialect, seq)
	if !r.RecognisesDevices && !r.ChecksIncrements {
		return
	}
	dialect := DialectNumber(ev.Dialect)
	if r.RecognisesDevices && session != "" {
		prompt := ev.Time >= ev.Received
		if ev.User != "" {
			s.Put(LatestKey{site, dialect, InSession, ev.User}, Latest{seq, ev.Time}, prompt)
		}
		if ev.Anonymous != "" {
			s.Put(LatestKey{site, dialect, OfDevice, ev.Anonymous}, Latest{seq, ev.Time}, prompt)
		}
	}
	if r.ChecksIncrements && ev.Type == event.Identify {
		s.Put(LatestKey{site, dialect, Identified, ev.User}, Latest{seq, int64(seq)}, true)
	}
}
