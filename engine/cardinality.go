// Cardinality bounds how many values of a property counters tell apart on one day.

package engine

import (
	"hash/maphash"
	"strings"

	"cairn/engine/event"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// ValuesPerDayMax is the default number of distinct values of a property that counters tell
// apart on one day of a site. All other values count under event.Other. The index still
// finds every value.
const ValuesPerDayMax = 10_000

// NamesPerDayMax is the default number of property names that counters tell apart on one
// day of a site. Names of detected properties are exempt. All other names together count
// once per event, under the property event.Other. The index still finds every value.
const NamesPerDayMax = 4096

// capNamesMax bounds the memory for names over all sites, in bytes: enough for some 120
// full days. It is separate from the memory for values, so that names are forgotten less
// often: reading them again is slow, because runs of several days give them one by one.
const (
	capNamesMax   = 8 << 20
	nameSlotBytes = 8
)

// capBytesMax bounds the memory for values over all sites, in bytes. Beyond it everything
// is forgotten and read again from the log and the runs when it is needed. A value takes
// slotBytes, a set daySetBytes and its name, a property of a run sealedBytes.
const (
	capBytesMax = 16 << 20
	slotBytes   = 16
	daySetBytes = 256
	sealedBytes = 24
)

// capPagesMax is how many pages of runs of several days are read to find the names of one
// day. Names on further pages are not known for that day: see capReadsMax.
const capPagesMax = 4096

// capReadsMax is how many properties a group may look up in runs. Further properties begin
// the day with an empty set. That is safe, because the cap is a bound and not an exact
// number.
const capReadsMax = 1000

// cardinality knows the values of the properties and days in use. One lookup finds a
// value's slot. The slot tells both that the value is under the cap and where the group's
// sum of it is. A cardinality belongs to the sequencer.
type cardinality struct {
	db   pebble.Reader
	seed maphash.Seed
	max  int
	sets map[capKey]*daySet
	// order has the sets that the newest event used, in the order of use. at is the index
	// of the next one. Most events use the same sets as the event before them.
	order []*daySet
	at    int
	n     int // bytes of memory
	// sites has what has been read for each site. The values in the log, of rows not yet
	// sealed, are in sets.
	sites map[uint32]*capSite
	// over has sites whose log took the most memory when the logs did not fit. The value is
	// the seq up to which the site was sealed then. The log of such a site is read again
	// only after more of it is sealed; otherwise each group would read it. Until then the
	// site's days start with empty sets.
	over map[uint32]uint64
	cut  bool // reading a log left out what did not fit
	// names has the names of each day in use. newest is the day of the newest event and is
	// tried first.
	names      map[siteDay]*dayNames
	newest     *dayNames
	namesMax   int
	namesBytes int
	reads      int // lookups in runs, for the current group
	noted      int // bytes of all names and values ever put into notes
	// unread is called with the error if a run's totals cannot be read. Their values then
	// do not count towards the cap, which is a bound and not an exact number. A recount
	// still agrees, because each row says which of its values were capped.
	unread func(error)

	event uint64   // number of the current event
	free  []*delta // to be used again by later groups
}

// capSite says for each day asked of a site which properties its runs may count on that
// day, as hashes. For other properties no run has to be read.
type capSite struct {
	sealed map[int32]map[uint64]struct{}
	upTo   uint64 // seq of the newest sealed row when the site's log was read
	bytes  int    // memory that the site's log took
}

type siteDay struct {
	site uint32
	day  int32
}

type capKey struct {
	site     uint32
	property string
	day      int32
}

// daySet holds the values of a property on one day.
type daySet struct {
	key   capKey
	table []capSlot // all values, by hash; the length is a power of two, at most 3/4 of it is used
	n     int       // number of values
	delta *delta    // of the current group; nil = the group has not added to the set yet
	event uint64    // number of the newest event that counted under event.Other
	ready bool      // the runs have been asked
}

// capSlot is the slot of one value: its hash, 0 = free, and its likely index in the delta.
type capSlot struct {
	hash uint64
	at   uint32
}

func newCardinality(db pebble.Reader, unread func(error)) *cardinality {
	return &cardinality{db: db, unread: unread, seed: maphash.MakeSeed(), max: ValuesPerDayMax, sets: make(map[capKey]*daySet), sites: make(map[uint32]*capSite), over: make(map[uint32]uint64), namesMax: NamesPerDayMax, names: make(map[siteDay]*dayNames)}
}

// nextEvent tells cardinality that the following calls are about another event.
func (c *cardinality) nextEvent() {
	c.event++
	c.at = 0
}

// count adds by to the value's sum in the group sg. A new value under the cap becomes one
// of the day's values. If the value is over the cap, count adds by to the sum of
// event.Other instead, once per event, and over is true. The caller must not change the
// text of value until appendDeltas has written it. settle waits until all earlier groups
// are in Pebble. count calls it only when it has to read the log.
func (c *cardinality) count(sg *siteGroup, property string, day int32, value string, by int64, settle func()) (over bool, err error) {
	set, err := c.set(sg.site, capKey{sg.site.ID, property, day}, settle)
	if err != nil {
		return false, err
	}
	if set.delta == nil {
		set.delta = c.newDelta()
		sg.counted = append(sg.counted, set)
		c.noted += len(set.key.property)
	}
	if value != event.Other {
		slot, hash := c.find(set, value)
		if slot.hash != 0 || set.n < c.max {
			if slot.hash == 0 {
				set.take(slot, hash)
				sg.fresh++
			}
			if set.delta.add(slot, value, by) {
				c.noted += len(value)
			}
			return false, nil
		}
		over = true
	}
	if set.event == c.event {
		return over, nil // several values over the cap are one Other
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

// deltasKept is how many deltas are kept for later groups.
const deltasKept = 64

func (c *cardinality) hash(value string) uint64 { return max(1, maphash.String(c.seed, value)) }

// find returns the slot of a hash, or the free slot where it belongs.
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

// take assigns a free slot, which find has returned, to a hash.
func (d *daySet) take(slot *capSlot, hash uint64) {
	slot.hash = hash
	d.n++
}

// find returns the value's slot, or the free slot where it belongs, and its hash. It counts
// the bytes by which the table grows.
func (c *cardinality) find(set *daySet, value string) (slot *capSlot, hash uint64) {
	hash = c.hash(value)
	c.n -= slotBytes * len(set.table)
	slot = set.find(hash)
	c.n += slotBytes * len(set.table)
	return slot, hash
}

// add adds a value to the set if it is not in it yet.
func (c *cardinality) add(set *daySet, value string) {
	if slot, hash := c.find(set, value); slot.hash == 0 {
		set.take(slot, hash)
	}
}

// set returns the set of k. It reads the log and the runs if they have not been read for k.
func (c *cardinality) set(s *siteState, k capKey, settle func()) (*daySet, error) {
	if c.at < len(c.order) && c.order[c.at].key == k {
		c.at++
		return c.order[c.at-1], nil
	}
	set := c.sets[k]
	if set == nil || !set.ready {
		sealed, err := c.day(s, k.day, settle)
		if err != nil {
			return nil, err
		}
		if set = c.sets[k]; set == nil {
			set = c.newSet(k)
		}
		if _, known := sealed[maphash.String(c.seed, k.property)]; known && c.reads < capReadsMax {
			c.reads++
			c.readRuns(s, set)
		}
		set.ready = true
	}
	if c.at < len(c.order) {
		c.order[c.at] = set
	} else if len(c.order) < 256 {
		c.order = append(c.order, set)
	}
	c.at++
	return set, nil
}

func (c *cardinality) newSet(k capKey) *daySet {
	k.property = strings.Clone(k.property)
	set := &daySet{key: k}
	c.sets[k] = set
	c.n += daySetBytes + len(k.property)
	return set
}
