// LatestEvents: a bounded memory of the newest event of an id. Ingest asks for it with every
// event of a recognised device and with every increment that is checked. The memory saves a
// search of the index.

package identity

import (
	"strings"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/event"
)

// Sorts of newest events. The rank of an event is its time or its seq.
const (
	InSession = 's' // an event of a user, in a session; the rank is its time
	OfDevice  = 'd' // an event of a device, in a session; the rank is its time
	Described = 'i' // an event that can set traits of a user, in any dialect; the rank is its seq
)

// AnyDialect stands for all dialects in a LatestKey.
const AnyDialect = 0xff

// LatestKey names an id of a site and the sort of its events.
type LatestKey struct {
	Site    uint32
	Dialect byte // DialectNumber, or AnyDialect
	Sort    byte // InSession, OfDevice or Described
	ID      string
}

// Latest is the event of the highest rank. With seq 0, it says that no event has that rank
// or a higher one.
type Latest struct {
	Seq  uint64
	Rank int64
}

// latestOverhead is about how many bytes of memory an entry takes besides its id.
const latestOverhead = 112

// LatestEvents remembers published events that later ones are decided by. A caller who gets one
// that was deleted since searches the index. It keeps entries in use. A caller that gets no answer searches the index. It is safe for concurrent use.
type LatestEvents struct {
	mu      sync.Mutex
	entries *cache.TwoGenerations[LatestKey, *Latest]
}

// NewLatestEvents returns an empty memory that takes about 2×max bytes.
func NewLatestEvents(max int) *LatestEvents {
	size := func(k LatestKey, _ *Latest) int { return latestOverhead + len(k.ID) }
	own := func(k LatestKey) LatestKey {
		k.ID = strings.Clone(k.ID)
		return k
	}
	return &LatestEvents{entries: cache.NewTwoGenerations(max, size, own)}
}

// Get returns the latest event of a key. known is false when nothing is remembered of it.
func (m *LatestEvents) Get(k LatestKey) (latest Latest, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, known := m.entries.Get(k)
	if !known {
		return Latest{}, false
	}
	return *l, true
}

// Put takes in an event that was found or published. It adds an entry only when certain,
// which says that the log has no event of a higher rank. It copies the id.
func (m *LatestEvents) Put(k LatestKey, l Latest, certain bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, known := m.entries.Get(k)
	switch {
	case !known && certain:
		m.entries.Put(k, &l)
	case !known:
	case l.Seq != 0 && l.Rank >= old.Rank:
		*old = l
	case l.Seq == 0 && old.Seq == 0:
		old.Rank = min(old.Rank, l.Rank)
	}
}

// Published takes in an event at seq of the log. session is its session, "" = none. imported
// says that the log may have events that happened later.
func (m *LatestEvents) Published(site uint32, ev *event.Event, seq uint64, session string, imported bool) {
	r := event.NewestRule(ev.Dialect)
	if ev.User != "" && (ev.Type == event.Identify || r.EventTraits && len(ev.Properties) > 0) {
		m.Put(LatestKey{site, AnyDialect, Described, ev.User}, Latest{seq, int64(seq)}, true)
	}
	if r.RecognisesDevices && session != "" {
		dialect := DialectNumber(ev.Dialect)
		prompt := ev.Time >= ev.Received && !imported
		if ev.User != "" {
			m.Put(LatestKey{site, dialect, InSession, ev.User}, Latest{seq, ev.Time}, prompt)
		}
		if ev.Anonymous != "" {
			m.Put(LatestKey{site, dialect, OfDevice, ev.Anonymous}, Latest{seq, ev.Time}, prompt)
		}
	}
}

// Clear forgets all events: some of them may be deleted.
func (m *LatestEvents) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries.Clear()
}
