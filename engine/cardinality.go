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

// cardinality knows the values of the properties and days in use. A set of values is exact as
// long as it stays in memory. When memory is short, the sets that were not used for the
// longest time become counts: a few bytes for each property and day. A count is an upper
// bound of the number of values. While it is below the cap, every value is, and nothing has
// to be read. The values are read again only when the bound reaches the cap.
//
// In a set, one lookup finds a value's slot. The slot tells both that the value is under the
// cap and where the group's sum of it is. A cardinality belongs to the sequencer.
type cardinality struct {
	db   pebble.Reader
	seed maphash.Seed
	max  int
	sets map[capKey]*daySet
	// order has the sets that the newest event used, in the order of use. at is the index
	// of the next one. Most events use the same sets as the event before them.
	order    []*daySet
	at       int
	n        int // bytes of memory, at most bytesMax between groups
	bytesMax int
	sites    map[uint32]*capSite
	// names has the names of each day of sites with many names. newest is the day of the
	// newest event and is tried first.
	names         map[siteDay]*dayNames
	newest        *dayNames
	namesMax      int
	namesBytes    int // at most namesBytesMax between groups
	namesBytesMax int
	eventNames    []uint64   // hashes of names that the current event may count, while its site has few
	noted         int        // bytes of all names and values ever put into notes
	group         uint64     // number of the current group
	pages         int        // pages of runs that the current group may still read
	full          []*capSite // sites whose counts have no room for more
	last          *capSite   // the site that was asked for last
	// unread is called with the error if a run's totals cannot be read. Their values then
	// do not count towards the cap, which is a bound and not an exact number. A recount
	// still agrees, because each row says which of its values were capped.
	unread func(error)

	event uint64   // number of the current event
	free  []*delta // to be used again by later groups
	small []*delta // the same, those of few values
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

// daySet holds values of a property on one day. If absent is 0, it holds all of them.
type daySet struct {
	key          capKey
	site         *capSite
	older, newer *daySet   // of the same site, in the order of use
	table        []capSlot // by hash; the length is a power of two, at most 3/4 of it is used
	n            int       // number of values in table
	absent       int       // how many more values the day has at most
	evicted      bool      // some of these may be in the log
	ready        bool      // absent includes the values in runs
	delta        *delta    // of the current group; nil = the group has not added to the set yet
	event        uint64    // number of the newest event that counted under event.Other
	refused      uint64    // the group in which the set could not be loaded last
}

// capSlot is the slot of one value: its hash, 0 = free, and its likely index in the delta.
type capSlot struct {
	hash uint64
	at   uint32
}

func newCardinality(db pebble.Reader, unread func(error)) *cardinality {
	return &cardinality{
		db: db, unread: unread, seed: maphash.MakeSeed(), max: ValuesPerDayMax, sets: make(map[capKey]*daySet), sites: make(map[uint32]*capSite),
		bytesMax: capBytesMax, namesMax: NamesPerDayMax, namesBytesMax: capNamesMax, names: make(map[siteDay]*dayNames), group: 1, pages: capPagesMax,
	}
}

// nextEvent tells cardinality that the following calls are about another event.
func (c *cardinality) nextEvent() {
	c.event++
	c.at = 0
	c.eventNames = c.eventNames[:0]
}

// count adds by to the value's sum in the group sg. A new value under the cap becomes one
// of the day's values. If the value is over the cap, count adds by to the sum of
// event.Other instead, once per event, and over is true. It copies value. settle waits until
// all earlier groups are in Pebble. count calls it only when it has to read the log.
func (c *cardinality) count(sg *siteGroup, property string, day int32, value string, by int64, settle func()) (over bool, err error) {
	set, err := c.set(sg.site, capKey{sg.site.ID, property, day}, settle)
	if err != nil {
		return false, err
	}
	if set.delta == nil {
		c.use(sg.site, set)
		set.delta = c.newDelta()
		sg.counted = append(sg.counted, set)
		c.noted += len(set.key.property)
	}
	if value != event.Other {
		slot, hash := c.find(set, value)
		if slot.hash == 0 && set.absent > 0 && set.n+set.absent >= c.max {
			if err := c.load(sg.site, set, settle); err != nil {
				return false, err
			}
			slot, hash = c.find(set, value)
		}
		if slot.hash != 0 || set.n+set.absent < c.max {
			if slot.hash == 0 {
				set.take(slot, hash)
				sg.fresh++
			}
			if set.delta.add(slot, value, by, &sg.terms) {
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

// deltasKept is how many deltas are kept for later groups, and smallDeltasKept how many small
// ones. Events of many days need a small delta for each day.
const (
	deltasKept      = 64
	smallDeltasKept = 4096
	smallDelta      = 4 // values
)

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
	before := len(set.table)
	if slot = set.find(hash); len(set.table) != before {
		c.grow(set.site, slotBytes*(len(set.table)-before))
	}
	return slot, hash
}

// add adds a value to the set if it is not in it yet.
func (c *cardinality) add(set *daySet, value string) {
	if slot, hash := c.find(set, value); slot.hash == 0 {
		set.take(slot, hash)
	}
}

// set returns the set of k. It reads the site's log if that has not been read.
func (c *cardinality) set(s *siteState, k capKey, settle func()) (*daySet, error) {
	if c.at < len(c.order) && c.order[c.at].key == k {
		c.at++
		return c.order[c.at-1], nil
	}
	set := c.sets[k]
	if set == nil {
		site, err := c.site(s, settle)
		if err != nil {
			return nil, err
		}
		if set = c.sets[k]; set == nil { // it was not in the log
			set = c.newSet(site, k)
		}
	}
	if c.at < len(c.order) {
		c.order[c.at] = set
	} else if len(c.order) < 256 {
		c.order = append(c.order, set)
	}
	c.at++
	return set, nil
}

// newSet makes the set of k. What is known of its day is a count at most.
func (c *cardinality) newSet(site *capSite, k capKey) *daySet {
	k.property = strings.Clone(k.property)
	set := &daySet{key: k, site: site}
	if known := site.counts.get(c.pairHash(k)); known != nil {
		set.absent, set.evicted, set.ready = int(known.values), known.values > 0, known.ready
	}
	c.sets[k] = set
	site.link(set)
	c.grow(site, daySetBytes+len(k.property))
	return set
}
