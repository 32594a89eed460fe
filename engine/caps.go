// Caps: how many values of a property a day may be told apart by counters, and
// what a group of events adds to the sum of each.

package engine

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// ValuesPerDayMax is the number of distinct values of a property that counters
// tell apart on one day of a site; the rest count under event.Other. The index
// still finds every value.
const ValuesPerDayMax = 10_000

// capMemoryMax bounds the slots of values remembered over all sites, 16 bytes
// each; beyond it everything is forgotten and read again from the log where it is
// asked for. A set with no values counts as daySetSlots.
const (
	capMemoryMax = 1 << 20
	daySetSlots  = 12
)

// caps knows the values of every property and day at hand. One look finds a
// value's place, which says both that it is under the cap and where the group's
// sum of it stands. It belongs to the sequencer.
type caps struct {
	db   pebble.Reader
	seed maphash.Seed
	max  int
	sets map[capKey]*daySet
	// order is the sets as the newest events asked for them, at the next one's
	// place: most events look like the one before.
	order []*daySet
	at    int
	n     int
	// names are the properties each site has ever counted, read once; one that is
	// not among them is new, and nothing need be read for it.
	names map[uint32]map[uint64]struct{}
	// unread is told of a run whose totals cannot be read. Its values then do not
	// weigh on the cap, which is a bound and no promise; what was capped stands in
	// each row, so that a recount agrees.
	unread func(error)

	event uint64   // at hand, by number
	free  []*delta // for later groups
}

type capKey struct {
	site     uint32
	property string
	day      int32
}

// daySet is the values of a property on one day.
type daySet struct {
	key   capKey
	table []capSlot // of all values, by hash; a power of two, at most 3/4 full
	n     int       // values
	delta *delta    // of the group at hand; nil = it adds nothing yet
	event uint64    // the newest that counted under event.Other
}

// capSlot is one value: its hash, 0 = free, and where it may stand in the delta.
type capSlot struct {
	hash uint64
	at   uint32
}

// delta is what a group adds to the values of a property on one day.
type delta struct {
	values []string
	sums   []int64
	other  int // place of event.Other, plus 1; 0 = none
}

func newCaps(db pebble.Reader, unread func(error)) *caps {
	return &caps{db: db, unread: unread, seed: maphash.MakeSeed(), max: ValuesPerDayMax, sets: make(map[capKey]*daySet), names: make(map[uint32]map[uint64]struct{})}
}

// nextEvent says that what follows is of another event.
func (c *caps) nextEvent() {
	c.event++
	c.at = 0
}

// count adds by to the value's sum in the group sg, or, when over the cap, to
// that of event.Other, once an event. A value that is not over is one of the
// day's from now on; it must stay as it is until deltas are written. settle brings all earlier events into Pebble; it is called
// only when the day has to be read back.
func (c *caps) count(sg *siteGroup, property string, day int32, value string, by int64, settle func()) (over bool, err error) {
	set, err := c.set(sg.site, capKey{sg.site.id, property, day}, settle)
	if err != nil {
		return false, err
	}
	if set.delta == nil {
		set.delta = c.newDelta()
		sg.counted = append(sg.counted, set)
	}
	if value != event.Other {
		slot := set.find(c.hash(value))
		if slot.hash != 0 || set.n < c.max {
			if slot.hash == 0 {
				c.n -= len(set.table)
				slot = set.add(c.hash(value))
				c.n += len(set.table)
			}
			set.delta.add(slot, value, by)
			return false, nil
		}
		over = true
	}
	if set.event == c.event {
		return over, nil // two values over the cap are one Other
	}
	set.event = c.event
	d := set.delta
	if d.other == 0 {
		d.push(event.Other, 0)
		d.other = len(d.values)
	}
	d.sums[d.other-1] = index.AddSaturating(d.sums[d.other-1], by)
	return over, nil
}

// add adds by to the sum of the slot's value.
func (d *delta) add(slot *capSlot, value string, by int64) {
	if at := int(slot.at); at < len(d.values) && d.values[at] == value {
		d.sums[at] = index.AddSaturating(d.sums[at], by)
		return
	}
	slot.at = uint32(len(d.values))
	d.push(value, by)
}

func (d *delta) push(value string, by int64) {
	d.values = append(d.values, value)
	d.sums = append(d.sums, by)
}

func (c *caps) newDelta() *delta {
	n := len(c.free) - 1
	if n < 0 {
		return new(delta)
	}
	d := c.free[n]
	c.free = c.free[:n]
	return d
}

// deltasKept is how many deltas wait for later groups.
const deltasKept = 64

// appendDeltas appends what a group adds to the sets, as a note that index.ReadTotals
// reads, and ends the group.
func (c *caps) appendDeltas(dst []byte, counted []*daySet) []byte {
	n := 0
	for _, set := range counted {
		n += len(set.delta.values)
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, set := range counted {
		d := set.delta
		same := i > 0 && counted[i-1].key.property == set.key.property
		for j, v := range d.values {
			dst = index.AppendTotal(dst, &index.Total{Property: set.key.property, Day: set.key.day, Value: v, Sum: d.sums[j]}, same || j > 0)
		}
		set.delta = nil
		if len(c.free) < deltasKept {
			clear(d.values)
			d.values, d.sums, d.other = d.values[:0], d.sums[:0], 0
			c.free = append(c.free, d)
		}
	}
	return dst
}

func (c *caps) hash(value string) uint64 { return max(1, maphash.String(c.seed, value)) }

// find returns the value's slot, or the free one where it would be.
func (d *daySet) find(hash uint64) *capSlot {
	if (d.n+1)*4 > len(d.table)*3 {
		old := d.table
		d.table = make([]capSlot, max(4, 2*len(old)))
		for _, s := range old {
			if s.hash != 0 {
				*d.find(s.hash) = s
			}
		}
	}
	mask := uint64(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &d.table[i]; s.hash == hash || s.hash == 0 {
			return s
		}
	}
}

// add makes the value one of the set's, if it is not.
func (d *daySet) add(hash uint64) *capSlot {
	slot := d.find(hash)
	if slot.hash == 0 {
		slot.hash = hash
		d.n++
	}
	return slot
}

func (c *caps) set(s *siteState, k capKey, settle func()) (*daySet, error) {
	if c.at < len(c.order) && c.order[c.at].key == k {
		c.at++
		return c.order[c.at-1], nil
	}
	set := c.sets[k]
	if set == nil {
		k.property = strings.Clone(k.property)
		set = &daySet{key: k}
		if err := c.load(s, set, settle); err != nil {
			return nil, err
		}
		c.sets[k] = set
		c.n += len(set.table) + daySetSlots
	}
	if c.at < len(c.order) {
		c.order[c.at] = set
	} else if len(c.order) < 256 {
		c.order = append(c.order, set)
	}
	c.at++
	return set, nil
}

// trim keeps the memory bounded. It is called between groups, when every value
// counted so far is in the log.
func (c *caps) trim() {
	if c.n > capMemoryMax {
		clear(c.sets)
		c.order = nil
		clear(c.names)
		c.n = 0
	}
}

// load reads which values of the day the log already has: the totals of its runs
// and the deltas of the rows not yet sealed.
func (c *caps) load(s *siteState, set *daySet, settle func()) error {
	names := c.names[s.id]
	if names == nil {
		names = make(map[uint64]struct{})
		if err := c.loadNames(s, names, settle); err != nil {
			return err
		}
		c.names[s.id] = names
	}
	name := maphash.String(c.seed, set.key.property)
	if _, old := names[name]; !old {
		names[name] = struct{}{}
		return nil
	}
	settle()
	add := func(t index.Total) {
		if t.Property == set.key.property && t.Day == set.key.day && t.Value != event.Other {
			set.add(c.hash(t.Value))
		}
	}
	// The log first: rows sealed meanwhile are then seen twice, not never.
	err := wal.Notes(c.db, s.id, 0, 1<<64-1, func(_ uint64, note []byte) error { return index.ReadTotals(note, add) })
	if err != nil {
		return err
	}
	for _, r := range s.sealed() {
		if r.DayMin <= set.key.day && set.key.day <= r.DayMax {
			c.unread(r.Totals(set.key.property, set.key.day, set.key.day, add))
		}
	}
	return nil
}

func (c *caps) loadNames(s *siteState, names map[uint64]struct{}, settle func()) error {
	settle()
	add := func(t index.Total) { names[maphash.String(c.seed, t.Property)] = struct{}{} }
	if err := wal.Notes(c.db, s.id, 0, 1<<64-1, func(_ uint64, note []byte) error { return index.ReadTotals(note, add) }); err != nil {
		return err
	}
	for _, r := range s.sealed() {
		properties, err := r.Properties()
		c.unread(err)
		for _, p := range properties {
			names[maphash.String(c.seed, p)] = struct{}{}
		}
	}
	return nil
}
