// Cardinality: how many values of a property counters tell apart on one day.

package engine

import (
	"hash/maphash"
	"strings"

	"cairn/engine/event"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// ValuesPerDayMax is the number of distinct values of a property that counters
// tell apart on one day of a site; the rest count under event.Other. The index
// still finds every value.
const ValuesPerDayMax = 10_000

// NamesPerDayMax is the number of names of properties that counters tell apart on one
// day of a site, those of what is detected aside. All others together count once an
// event, under the property event.Other. The index still finds every value.
const NamesPerDayMax = 4096

// capNamesMax bounds what is remembered of names over all sites, in bytes: some 120 days
// that are full. It is small beside what their values take, so that it is forgotten more
// seldom: names that are forgotten are read again, one by one from runs of several days.
const (
	capNamesMax   = 8 << 20
	nameSlotBytes = 8
)

// capBytesMax bounds what is remembered over all sites, names and values, in bytes;
// beyond it everything is forgotten and read again from the log where it is asked
// for. A value takes a slot, a set daySetBytes and its name, a property of a run
// sealedBytes.
const (
	capBytesMax = 16 << 20
	slotBytes   = 16
	daySetBytes = 256
	sealedBytes = 24
)

// capPagesMax is how many pages of runs of several days are read to find the names of one
// day. Those that would need more are not among them: see capReadsMax.
const capPagesMax = 4096

// capReadsMax is how many properties a group asks runs for. Those after them begin
// the day anew: the cap is a bound and no promise.
const capReadsMax = 1000

// cardinality knows the values of every property and day at hand. One look finds a
// value's place, which says both that it is under the cap and where the group's
// sum of it stands. It belongs to the sequencer.
type cardinality struct {
	db   pebble.Reader
	seed maphash.Seed
	max  int
	sets map[capKey]*daySet
	// order is the sets as the newest events asked for them, at the next one's
	// place: most events look like the one before.
	order []*daySet
	at    int
	n     int // bytes
	// sites is what has been read of each site: what the log says of rows not yet
	// sealed is in sets.
	sites map[uint32]*capSite
	// over is the sites whose log takes the most of what does not fit, each with the seq
	// up to which it was sealed then. Until more is sealed its log is not read again;
	// otherwise each group would read it. Its days then start with empty sets.
	over map[uint32]uint64
	cut  bool // a reading of a log has left out what did not fit
	// names are those of each day at hand, names of the newest event's day the first
	// asked.
	names      map[siteDay]*dayNames
	newest     *dayNames
	namesMax   int
	namesBytes int
	reads      int // of runs, for the group at hand
	noted      int // bytes of all names and values that notes have told of
	// unread is told of a run whose totals cannot be read. Its values then do not
	// weigh on the cap, which is a bound and no promise; what was capped stands in
	// each row, so that a recount agrees.
	unread func(error)

	event uint64   // at hand, by number
	free  []*delta // for later groups
}

// capSite is, for each day asked of a site, the hashes of the properties that runs may
// count on it. For one that is not among them no run need be read.
type capSite struct {
	sealed map[int32]map[uint64]struct{}
	upTo   uint64 // seq of the newest row that was sealed when its log was read
	bytes  int    // what its log took
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

// daySet is the values of a property on one day.
type daySet struct {
	key   capKey
	table []capSlot // of all values, by hash; a power of two, at most 3/4 full
	n     int       // values
	delta *delta    // of the group at hand; nil = it adds nothing yet
	event uint64    // the newest that counted under event.Other
	ready bool      // runs have been asked
}

// capSlot is one value: its hash, 0 = free, and where it may stand in the delta.
type capSlot struct {
	hash uint64
	at   uint32
}

func newCardinality(db pebble.Reader, unread func(error)) *cardinality {
	return &cardinality{db: db, unread: unread, seed: maphash.MakeSeed(), max: ValuesPerDayMax, sets: make(map[capKey]*daySet), sites: make(map[uint32]*capSite), over: make(map[uint32]uint64), namesMax: NamesPerDayMax, names: make(map[siteDay]*dayNames)}
}

// nextEvent says that what follows is of another event.
func (c *cardinality) nextEvent() {
	c.event++
	c.at = 0
}

// count adds by to the value's sum in the group sg, or, when over the cap, to
// that of event.Other, once an event. A value that is not over is one of the
// day's from now on; it must stay as it is until deltas are written. settle brings
// all earlier events into Pebble; it is called only when the log has to be read.
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

// deltasKept is how many deltas wait for later groups.
const deltasKept = 64

func (c *cardinality) hash(value string) uint64 { return max(1, maphash.String(c.seed, value)) }

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

// take gives a free slot that find has returned to the value of the hash.
func (d *daySet) take(slot *capSlot, hash uint64) {
	slot.hash = hash
	d.n++
}

// find returns the value's slot, or the free one where it would be, and its hash. It
// counts what the table grows by.
func (c *cardinality) find(set *daySet, value string) (slot *capSlot, hash uint64) {
	hash = c.hash(value)
	c.n -= slotBytes * len(set.table)
	slot = set.find(hash)
	c.n += slotBytes * len(set.table)
	return slot, hash
}

// add makes a value one of the set's, if it is not.
func (c *cardinality) add(set *daySet, value string) {
	if slot, hash := c.find(set, value); slot.hash == 0 {
		set.take(slot, hash)
	}
}

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
