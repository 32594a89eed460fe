// This file bounds the memory of cardinality. What it forgets is read again from the log
// and the runs.

package engine

import (
	"hash/maphash"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"
)

// trim forgets names and values when they take too much memory. The sequencer calls it
// between groups.
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

// leaveLargest marks the site whose log took the most memory, so that this log is not read
// again for now. If all logs together took little, it marks none: then most of the memory
// holds new values, and the logs fit once those are forgotten.
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

// site returns what has been read for a site. The first call for a site reads the site's
// log, once for all names, properties and days.
func (c *cardinality) site(s *siteState, settle func()) (*capSite, error) {
	site := c.sites[s.ID]
	if site == nil {
		site = &capSite{sealed: make(map[int32]map[uint64]struct{})}
		site.upTo = s.SealedTo()
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

// day returns the hashes of the properties that runs may count on a day of a site.
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
	runs := s.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
		if day < r.DayMin || r.DayMax < day {
			continue
		}
		properties, err := r.Properties()
		c.unread(err)
		for _, p := range properties {
			if c.n > capBytesMax {
				break // the properties left out are not looked up in runs
			}
			sealed[maphash.String(c.seed, p)] = struct{}{}
			c.n += sealedBytes
		}
	}
	return sealed, nil
}

// readLog fills the sets and names with what the site's unsealed rows count. What does not
// fit is left out and sets cut.
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

// readRuns adds the values that runs count for the set's property on its day.
func (c *cardinality) readRuns(s *siteState, set *daySet) {
	runs := s.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
		if r.DayMin <= set.key.day && set.key.day <= r.DayMax {
			c.unread(r.Totals(set.key.property, set.key.day, set.key.day, func(t index.Total) {
				if t.Value != event.Other && set.n < c.max {
					c.add(set, t.Value)
				}
			}))
		}
	}
}
