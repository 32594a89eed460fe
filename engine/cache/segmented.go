package cache

// Segmented is a map that is bounded in bytes and that one long scan does not empty. It is not
// safe for concurrent use.
//
// A new entry is on probation. When it is asked for again, it becomes protected. Entries on
// probation are evicted first, the one used longest ago before the others, so what is asked
// for once evicts nothing that is asked for again and again. Protected entries take at most
// four fifths of the bytes; beyond that, the one used longest ago is on probation again.
//
// Of what was evicted Segmented remembers the keys, up to as many bytes of entries as it may
// hold. An entry that comes back by then is protected at once, if what was asked for meanwhile
// fits into the protected entries. So a scan that fits and that is
// repeated is held from the third time on, whatever was protected before. An LRU evicts all
// before that at the first time.
//
// Of entries that come back later, one in lateShare is protected. So of a repeated scan that does
// not fit most of what fits stays. Were all of them protected, each would evict one that is needed
// soon, and nothing would be found, as in an LRU.
type Segmented[K comparable, V any] struct {
	max      int64
	clock    int64                     // bytes of what was asked for; an entry that is asked for again soon counts once
	late     int                       // entries that came back late
	entries  map[K]*segmentEntry[K, V] // those of all segments
	segments [3]segment[K, V]
}

const (
	probation = iota
	protected
	ghosts // evicted: they have no value, and bytes are those that they had
)

const (
	// ghostBytes is about what a ghost takes: an entry and its key in the map.
	ghostBytes = 128

	// Ghosts take at most one in ghostShare of the bytes, protected entries four in five.
	ghostShare = 16

	// soonShare is of how many parts of the bytes "soon" is one.
	soonShare = 16

	lateShare = 16
)

type segment[K comparable, V any] struct {
	ring  segmentEntry[K, V] // no entry: next is the newest, prev the oldest
	n     int
	bytes int64
}

type segmentEntry[K comparable, V any] struct {
	next, prev *segmentEntry[K, V]
	key        K
	value      V
	bytes      int64
	at         int64 // the clock when it was last asked for
	segment    uint8
}

// Get returns the value of a key and makes its entry the newest of the protected ones.
func (c *Segmented[K, V]) Get(k K) (v V, ok bool) {
	e := c.entries[k]
	if e == nil || e.segment == ghosts {
		return v, false
	}
	if c.clock-e.at > c.max/soonShare {
		c.clock += e.bytes
	}
	e.at = c.clock
	if s := &c.segments[protected]; s.ring.next != e {
		c.move(e, protected)
		c.unprotect()
	}
	return e.value, true
}

// Add adds an entry that takes that many bytes, unless there is one with the key. The
// Segmented keeps k and v. It reports whether it added the entry. The entry stays until the
// next one is added, however large it is.
func (c *Segmented[K, V]) Add(k K, v V, bytes int64) bool {
	e := c.entries[k]
	if e == nil || e.segment == ghosts {
		c.clock += bytes
	}
	switch {
	case e == nil:
		c.init()
		e = &segmentEntry[K, V]{key: k, value: v, bytes: bytes}
		c.entries[k] = e
		c.put(e, probation)
	case e.segment == ghosts:
		c.take(e)
		e.value, e.bytes = v, bytes
		c.put(e, c.returned(c.clock-e.at))
		c.unprotect()
	default:
		return false
	}
	e.at = c.clock
	c.evict(e)
	return true
}

// Again reports whether an entry that takes that many bytes is worth adding, although its key
// was only asked for once now: there is space, or the key was asked for before, not long ago.
// Otherwise Segmented remembers the key as if an entry had been evicted.
func (c *Segmented[K, V]) Again(k K, bytes int64) bool {
	if c.entries[k] != nil || bytes <= ghostBytes || c.Bytes()+bytes <= c.max {
		return true
	}
	c.init()
	c.clock += bytes
	e := &segmentEntry[K, V]{key: k, bytes: bytes, at: c.clock}
	c.entries[k] = e
	c.put(e, ghosts)
	c.forgetGhosts()
	c.evict(nil)
	return false
}

// Late reports whether an entry comes back too late to be worth adding. It would be evicted before it
// is asked for again, as most of a repeated scan that does not fit. Segmented then remembers
// that it was asked for. Where there is space none comes too late, and of the others one in lateShare is
// worth adding all the same.
func (c *Segmented[K, V]) Late(k K) bool {
	e := c.entries[k]
	if e == nil || e.segment != ghosts || c.clock+e.bytes-e.at <= c.protectedMax() || c.Bytes()+e.bytes <= c.max || (c.late+1)%lateShare == 0 {
		return false
	}
	c.late++
	c.clock += e.bytes
	e.at = c.clock
	c.move(e, ghosts)
	return true
}

// returned is the segment of an evicted entry that comes back after so many bytes.
func (c *Segmented[K, V]) returned(after int64) uint8 {
	if after <= c.protectedMax() {
		return protected
	}
	if c.late++; c.late%lateShare == 0 {
		return protected
	}
	return probation
}

func (c *Segmented[K, V]) protectedMax() int64 { return c.max / 5 * 4 }

func (c *Segmented[K, V]) init() {
	if c.entries != nil {
		return
	}
	c.entries = make(map[K]*segmentEntry[K, V])
	for i := range c.segments {
		ring := &c.segments[i].ring
		ring.next, ring.prev = ring, ring
	}
}

// Resize sets the bound in bytes and evicts what exceeds it.
func (c *Segmented[K, V]) Resize(max int64) {
	c.max = max
	if c.entries != nil {
		c.unprotect()
		c.evict(nil)
	}
}

// Len returns the number of entries.
func (c *Segmented[K, V]) Len() int { return c.segments[probation].n + c.segments[protected].n }

// Bytes returns how many bytes the entries take, as Add was told, and what is remembered of
// evicted ones.
func (c *Segmented[K, V]) Bytes() int64 {
	return c.segments[probation].bytes + c.segments[protected].bytes + c.ghostBytes()
}

func (c *Segmented[K, V]) ghostBytes() int64 { return int64(c.segments[ghosts].n) * ghostBytes }

// unprotect puts the oldest protected entries on probation again, when there are too many.
func (c *Segmented[K, V]) unprotect() {
	for s := &c.segments[protected]; s.bytes > c.protectedMax() && s.n > 1; {
		c.move(s.ring.prev, probation)
	}
}

// evict evicts what exceeds the bound, but neither the entry that was just added nor the only
// one.
func (c *Segmented[K, V]) evict(added *segmentEntry[K, V]) {
	gone := &c.segments[ghosts]
	for c.Bytes() > c.max {
		victim := c.segments[probation].ring.prev
		if c.segments[probation].n == 0 || victim == added {
			victim = c.segments[protected].ring.prev
		}
		switch {
		case c.Len() > 1 && victim.bytes > ghostBytes:
			var none V
			c.move(victim, ghosts)
			victim.value = none
		case c.Len() > 1:
			c.forget(victim)
		case gone.n > 0:
			c.forget(gone.ring.prev)
		default:
			return
		}
		c.forgetGhosts()
	}
	c.forgetGhosts()
}

func (c *Segmented[K, V]) forgetGhosts() {
	for s := &c.segments[ghosts]; s.n > 0 && (s.bytes > c.max || c.ghostBytes() > c.max/ghostShare); {
		c.forget(s.ring.prev)
	}
}

func (c *Segmented[K, V]) forget(e *segmentEntry[K, V]) {
	c.take(e)
	delete(c.entries, e.key)
}

func (c *Segmented[K, V]) move(e *segmentEntry[K, V], to uint8) {
	c.take(e)
	c.put(e, to)
}

// take takes an entry out of its segment.
func (c *Segmented[K, V]) take(e *segmentEntry[K, V]) {
	s := &c.segments[e.segment]
	s.n--
	s.bytes -= e.bytes
	e.prev.next, e.next.prev = e.next, e.prev
}

// put makes an entry, which is in no segment, the newest of one.
func (c *Segmented[K, V]) put(e *segmentEntry[K, V], to uint8) {
	s := &c.segments[to]
	e.segment = to
	s.n++
	s.bytes += e.bytes
	e.prev, e.next = &s.ring, s.ring.next
	e.next.prev, s.ring.next = e, e
}
