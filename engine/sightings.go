// Sightings: a bounded memory of which event of an id is the newest of a sort,
// so that what ingest asks of every event of a recognised device, and of every increment
// that is checked, is not looked up in the index.

package engine

import (
	"strings"
	"sync"

	"cairn/engine/event"
)

// Sorts of newest events.
const (
	inSession  = 's' // of a user, in a session; its rank is the event time
	ofDevice   = 'd' // of a device, in a session; its rank is the event time
	identifies = 'i' // of a user, an identify event; its rank is the seq
)

// sightingKey is an id of a site and what is sought of it, in one dialect.
type sightingKey struct {
	site    uint32
	dialect byte
	sort    byte
	id      string
}

// sighting is the event of the highest rank there is. With seq 0 it says that there is
// none of that rank or a higher one.
type sighting struct {
	seq  uint64
	rank int64
}

// sightingOverhead is about what an entry takes in memory beside its id.
const sightingOverhead = 112

// sightings remembers published events of dialects whose rules ask for them. An entry
// that is asked for is kept; about 2×max bytes are in memory. What it does not know the
// index does.
type sightings struct {
	max int

	mu        sync.Mutex
	hot, cold map[sightingKey]*sighting
	bytes     int // in hot
}

func newSightings(max int) *sightings {
	return &sightings{max: max, hot: make(map[sightingKey]*sighting)}
}

func (s *sightings) get(k sightingKey) (sighting, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.findLocked(k)
	if l == nil {
		return sighting{}, false
	}
	return *l, true
}

// put takes in what was found or has been published. Only what is certain, because
// nothing of a higher rank can be in the log, begins an entry. It copies the id.
func (s *sightings) put(k sightingKey, l sighting, certain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.findLocked(k)
	switch {
	case old == nil && certain:
		k.id = strings.Clone(k.id)
		s.addLocked(k, &l)
	case old == nil:
	case l.seq != 0 && l.rank >= old.rank:
		*old = l
	case l.seq == 0 && old.seq == 0:
		old.rank = min(old.rank, l.rank)
	}
}

func (s *sightings) findLocked(k sightingKey) *sighting {
	if l := s.hot[k]; l != nil {
		return l
	}
	l := s.cold[k]
	if l != nil {
		k.id = strings.Clone(k.id)
		s.addLocked(k, l)
	}
	return l
}

func (s *sightings) addLocked(k sightingKey, l *sighting) {
	if s.bytes >= s.max {
		s.cold, s.hot, s.bytes = s.hot, make(map[sightingKey]*sighting), 0
	}
	s.bytes += sightingOverhead + len(k.id)
	s.hot[k] = l
}

// published takes in an event that is in the log.
func (s *sightings) published(site uint32, ev *event.Event, seq uint64, session string) {
	r := event.RuleAt(ev.Dialect, seq)
	if !r.RecognisesDevices && !r.ChecksIncrements {
		return
	}
	dialect := dialectNumber(ev.Dialect)
	if r.RecognisesDevices && session != "" {
		prompt := ev.Time >= ev.Received
		if ev.User != "" {
			s.put(sightingKey{site, dialect, inSession, ev.User}, sighting{seq, ev.Time}, prompt)
		}
		if ev.Anonymous != "" {
			s.put(sightingKey{site, dialect, ofDevice, ev.Anonymous}, sighting{seq, ev.Time}, prompt)
		}
	}
	if r.ChecksIncrements && ev.Type == event.Identify {
		s.put(sightingKey{site, dialect, identifies, ev.User}, sighting{seq, int64(seq)}, true)
	}
}
