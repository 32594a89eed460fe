// Caps: how many values of a property a day may be told apart by counters.

package engine

import (
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

// capMemoryMax bounds the values remembered over all sites; beyond it everything
// is forgotten and read again from the log where it is asked for.
const capMemoryMax = 1 << 20

// caps decides which values are over the cap. It belongs to the sequencer.
type caps struct {
	db   pebble.Reader
	seed maphash.Seed
	max  int
	sets map[capKey]*capSet
	// order is the sets as the newest events asked for them, at the next one's
	// place: most events look like the one before.
	order []*capSet
	at    int
	n     int
	// names are the properties each site has ever counted, read once; one that is
	// not among them is new, and nothing need be read for it.
	names map[uint32]map[uint64]struct{}
}

// capSet is the values of a property on one day, by hash.
type capSet struct {
	key    capKey
	values map[uint64]struct{}
}

type capKey struct {
	site     uint32
	property string
	day      int32
}

func newCaps(db pebble.Reader) *caps {
	return &caps{db: db, seed: maphash.MakeSeed(), max: ValuesPerDayMax, sets: make(map[capKey]*capSet), names: make(map[uint32]map[uint64]struct{})}
}

// over reports whether the value must count under Other; if not it is one of the
// day's values from now on. settle brings all earlier events into Pebble; it is
// called only when the day has to be read back.
func (c *caps) over(s *siteState, property string, day int32, value string, settle func()) (bool, error) {
	if value == event.Other {
		return false, nil
	}
	set, err := c.set(s, capKey{s.id, property, day}, settle)
	if err != nil {
		return false, err
	}
	h := maphash.String(c.seed, value)
	if _, ok := set.values[h]; ok {
		return false, nil
	}
	if len(set.values) >= c.max {
		return true, nil
	}
	set.values[h] = struct{}{}
	c.n++
	return false, nil
}

func (c *caps) set(s *siteState, k capKey, settle func()) (*capSet, error) {
	if c.at < len(c.order) && c.order[c.at].key == k {
		c.at++
		return c.order[c.at-1], nil
	}
	set := c.sets[k]
	if set == nil {
		values, err := c.load(s, k.property, k.day, settle)
		if err != nil {
			return nil, err
		}
		k.property = strings.Clone(k.property)
		set = &capSet{k, values}
		c.sets[k] = set
		c.n += len(values)
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
func (c *caps) load(s *siteState, property string, day int32, settle func()) (map[uint64]struct{}, error) {
	set := make(map[uint64]struct{})
	names := c.names[s.id]
	if names == nil {
		names = make(map[uint64]struct{})
		if err := c.loadNames(s, names, settle); err != nil {
			return nil, err
		}
		c.names[s.id] = names
	}
	name := maphash.String(c.seed, property)
	if _, old := names[name]; !old {
		names[name] = struct{}{}
		return set, nil
	}
	settle()
	add := func(t index.Total) {
		if t.Property == property && t.Day == day && t.Value != event.Other {
			set[maphash.String(c.seed, t.Value)] = struct{}{}
		}
	}
	// The log first: rows sealed meanwhile are then seen twice, not never.
	err := wal.Notes(c.db, s.id, 0, 1<<64-1, func(_ uint64, note []byte) error { return index.ReadTotals(note, add) })
	if err != nil {
		return nil, err
	}
	for _, r := range s.sealed() {
		if r.DayMin <= day && day <= r.DayMax {
			if err := r.Totals(property, add); err != nil {
				return nil, err
			}
		}
	}
	return set, nil
}

func (c *caps) loadNames(s *siteState, names map[uint64]struct{}, settle func()) error {
	settle()
	add := func(t index.Total) { names[maphash.String(c.seed, t.Property)] = struct{}{} }
	if err := wal.Notes(c.db, s.id, 0, 1<<64-1, func(_ uint64, note []byte) error { return index.ReadTotals(note, add) }); err != nil {
		return err
	}
	for _, r := range s.sealed() {
		properties, err := r.Properties()
		if err != nil {
			return err
		}
		for _, p := range properties {
			names[maphash.String(c.seed, p)] = struct{}{}
		}
	}
	return nil
}
