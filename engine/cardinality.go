// Caps: how many names of properties, and how many values of each, a day may be told
// apart by counters, and what a group of events adds to the sum of each.

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

// dayNames are the names counted on one day: their hashes.
type dayNames struct {
	siteDay
	table []uint64 // 0 = free; a power of two, at most 3/4 full
	n     int
	ready bool // runs have been asked
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

// delta is what a group adds to the values of a property on one day.
type delta struct {
	values []string
	sums   []int64
	other  int // place of event.Other, plus 1; 0 = none
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

// add adds by to the sum of the slot's value, and says whether that is the first of it.
func (d *delta) add(slot *capSlot, value string, by int64) (first bool) {
	if at := int(slot.at); at < len(d.values) && d.values[at] == value {
		d.sums[at] = index.AddSaturating(d.sums[at], by)
		return false
	}
	slot.at = uint32(len(d.values))
	d.push(value, by)
	return true
}

func (d *delta) push(value string, by int64) {
	d.values = append(d.values, value)
	d.sums = append(d.sums, by)
}

func (c *cardinality) newDelta() *delta {
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
func (c *cardinality) appendDeltas(dst []byte, counted []*daySet) []byte {
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

// name says whether a name of a property counts by itself on a day of a site: if it is
// one of the day's, or there is room for one more, which it is from now on. Nothing is
// kept of a name that does not. settle is as count has it.
func (c *cardinality) name(s *siteState, day int32, name string, settle func()) (yes bool, err error) {
	names := c.newest
	if k := (siteDay{s.ID, day}); names == nil || names.siteDay != k {
		if names, err = c.namesOf(s, k, settle); err != nil {
			return false, err
		}
		c.newest = names
	}
	return c.addName(names, name), nil
}

// addName makes the name one of the day's, if there is room, and says whether it is.
func (c *cardinality) addName(d *dayNames, name string) bool {
	hash := c.hash(name)
	slot := d.find(hash)
	if *slot == hash {
		return true
	}
	if d.n >= c.namesMax {
		return false
	}
	if (d.n+1)*4 > len(d.table)*3 {
		c.namesBytes += d.grow()
		slot = d.find(hash)
	}
	*slot = hash
	d.n++
	return true
}

// find returns the slot of a hash, or the free one where it would be. The table has one.
func (d *dayNames) find(hash uint64) *uint64 {
	mask := uint64(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &d.table[i]; *s == hash || *s == 0 {
			return s
		}
	}
}

// grow makes the table twice as large, and says by how many bytes.
func (d *dayNames) grow() int {
	old := d.table
	d.table = make([]uint64, 2*len(old))
	for _, hash := range old {
		if hash != 0 {
			*d.find(hash) = hash
		}
	}
	return nameSlotBytes * len(old)
}

// namesOf returns the names of a day, with those that the log and runs have.
func (c *cardinality) namesOf(s *siteState, k siteDay, settle func()) (*dayNames, error) {
	d := c.names[k]
	if d != nil && d.ready {
		return d, nil
	}
	if _, err := c.site(s, settle); err != nil {
		return nil, err
	}
	if d = c.names[k]; d == nil {
		d = c.newNames(k)
	}
	pages := capPagesMax
	for _, r := range s.Sealed() {
		if k.day < r.DayMin || r.DayMax < k.day || d.n >= c.namesMax {
			continue
		}
		c.unread(r.PropertiesOn(k.day, &pages, func(property string) bool {
			return !event.NameCapped(property) || c.addName(d, property)
		}))
	}
	d.ready = true
	return d, nil
}

func (c *cardinality) newNames(k siteDay) *dayNames {
	d := &dayNames{siteDay: k, table: make([]uint64, 16)}
	c.names[k] = d
	c.namesBytes += daySetBytes + nameSlotBytes*len(d.table)
	return d
}

// trim keeps the memory bounded. It is called between groups, when every value
// counted so far is in the log.
func (c *cardinality) trim() {
	c.reads = 0
	if c.cut {
		c.cut = false
		c.leaveLargest()
	}
	if c.namesBytes > capNamesMax {
		clear(c.names)
		c.newest, c.namesBytes = nil, 0
		clear(c.sites) // whose logs are read again
	}
	if c.n > capBytesMax {
		clear(c.sets)
		c.order = nil
		clear(c.sites)
		c.n = 0
	}
}

// leaveLargest says that the log which took the most is not to be read again for now,
// unless all logs took little: then most is new, and they fit once that is forgotten.
func (c *cardinality) leaveLargest() {
	var id uint32
	var largest *capSite
	all := 0
	for i, s := range c.sites {
		if all += s.bytes; largest == nil || s.bytes > largest.bytes || s.bytes == largest.bytes && i < id {
			id, largest = i, s
		}
	}
	if all > capBytesMax/4 {
		c.over[id] = largest.upTo
	}
}

// site is what has been read of a site. The first time anything is asked of it, what the
// log says of it is read, once for all names, properties and days.
func (c *cardinality) site(s *siteState, settle func()) (*capSite, error) {
	site := c.sites[s.ID]
	if site == nil {
		site = &capSite{sealed: make(map[int32]map[uint64]struct{})}
		if runs := s.Sealed(); len(runs) > 0 {
			site.upTo = runs[len(runs)-1].Last()
		}
		if upTo, over := c.over[s.ID]; !over || upTo < site.upTo {
			delete(c.over, s.ID)
			// Read the log first: a row that is sealed meanwhile is then seen twice. In the
			// other order it could be missed.
			settle()
			before := c.n + c.namesBytes
			if err := c.readLog(s); err != nil {
				return nil, err
			}
			site.bytes = c.n + c.namesBytes - before
		}
		c.sites[s.ID] = site
	}
	return site, nil
}

// day is which properties runs may count on a day of a site.
func (c *cardinality) day(s *siteState, day int32, settle func()) (map[uint64]struct{}, error) {
	site, err := c.site(s, settle)
	if err != nil {
		return nil, err
	}
	sealed, known := site.sealed[day]
	if known {
		return sealed, nil
	}
	sealed = make(map[uint64]struct{})
	site.sealed[day] = sealed
	for _, r := range s.Sealed() {
		if day < r.DayMin || r.DayMax < day {
			continue
		}
		properties, err := r.Properties()
		c.unread(err)
		for _, p := range properties {
			if c.n > capBytesMax {
				break // runs are not asked about the properties left out
			}
			sealed[maphash.String(c.seed, p)] = struct{}{}
			c.n += sealedBytes
		}
	}
	return sealed, nil
}

// readLog makes the sets of what the site's rows that are not sealed count. Where they
// do not fit, later ones begin anew.
func (c *cardinality) readLog(s *siteState) error {
	var set *daySet
	var names *dayNames
	return wal.Notes(c.db, s.ID, 0, 1<<64-1, func(_ uint64, note []byte) error {
		return index.ReadTotals(note, func(t index.Total) {
			if event.NameCapped(t.Property) && (set == nil || set.key.property != t.Property || set.key.day != t.Day) {
				if k := (siteDay{s.ID, t.Day}); names == nil || names.siteDay != k {
					if names = c.names[k]; names == nil {
						if c.namesBytes > capNamesMax {
							c.cut = true
							return
						}
						names = c.newNames(k)
					}
				}
				c.addName(names, t.Property)
			}
			if t.Value == event.Other {
				return
			}
			if k := (capKey{s.ID, t.Property, t.Day}); set == nil || set.key != k {
				if set = c.sets[k]; set == nil {
					if c.n > capBytesMax {
						c.cut = true
						return
					}
					set = c.newSet(k)
				}
			}
			if set.n < c.max {
				c.add(set, t.Value)
			}
		})
	})
}

// readRuns adds what runs count of the set's property on its day.
func (c *cardinality) readRuns(s *siteState, set *daySet) {
	for _, r := range s.Sealed() {
		if r.DayMin <= set.key.day && set.key.day <= r.DayMax {
			c.unread(r.Totals(set.key.property, set.key.day, set.key.day, func(t index.Total) {
				if t.Value != event.Other && set.n < c.max {
					c.add(set, t.Value)
				}
			}))
		}
	}
}
