// This file bounds how many property names counters tell apart on one day.

package engine

import (
	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"
)

// dayNames holds the hashes of the names counted on one day.
type dayNames struct {
	siteDay
	table []uint64 // 0 = free; the length is a power of two, at most 3/4 of it is used
	n     int
	ready bool // the runs have been asked
}

// name reports whether a property name counts by itself on a day of a site. It does if it
// is one of the day's names. If there is room for one more, name adds it to them. Names
// that do not count are not remembered. settle is the same as for count.
func (c *cardinality) name(sg *siteGroup, day int32, name string, settle func()) (yes bool, err error) {
	s := sg.site
	site, err := c.site(s, settle)
	if err != nil {
		return false, err
	}
	if !site.many {
		c.fewOn(s, site, day)
		if hash, yes := c.addFew(site, name); yes {
			c.eventNames = append(c.eventNames, hash)
			return true, nil
		}
	}
	k := siteDay{s.ID, day}
	if site.few.table != nil {
		c.manyNames(sg, site, k)
	}
	names := c.newest
	if names == nil || names.siteDay != k {
		if names, err = c.namesOf(s, site, k, settle); err != nil {
			return false, err
		}
		c.newest = names
	}
	return c.addName(site, names, c.hash(name)), nil
}

// addFew adds a name to those of a site with few names, and returns its hash. yes is false
// if the site has many.
func (c *cardinality) addFew(site *capSite, name string) (hash uint64, yes bool) {
	if site.many || !event.NameCapped(name) {
		return 0, !site.many
	}
	hash = c.hash(name)
	if site.few.table == nil {
		site.few.table = make([]uint64, 16)
		c.namesBytes += nameSlotBytes * len(site.few.table)
	}
	if !c.addName(site, &site.few, hash) {
		site.many = true
	}
	return hash, !site.many
}

// fewOn adds the names of the runs that have a day. It reads their headers.
func (c *cardinality) fewOn(s *siteState, site *capSite, day int32) {
	if site.namesTo == 0 || site.daySeen && site.day == day {
		return
	}
	site.day, site.daySeen = day, true
	runs := s.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
		if r.First > site.namesTo || day < r.DayMin || r.DayMax < day {
			continue
		}
		if _, known := site.headers[r.Run]; known {
			continue
		}
		if site.headers == nil {
			site.headers = make(map[uint64]struct{})
		}
		site.headers[r.Run] = struct{}{}
		properties, err := r.Properties()
		c.unread(err)
		for _, p := range properties {
			c.addFew(site, p)
		}
	}
}

// manyNames begins to keep the names of each day of a site. The rows of the current group
// and the names of the current event, which is on day k, are not in the log yet.
func (c *cardinality) manyNames(sg *siteGroup, site *capSite, k siteDay) {
	c.namesBytes -= nameSlotBytes * len(site.few.table)
	site.few, site.headers = dayNames{}, nil
	for _, set := range sg.counted {
		if event.NameCapped(set.key.property) {
			c.addName(site, c.dayNames(site, siteDay{site.id, set.key.day}), c.hash(set.key.property))
		}
	}
	for _, hash := range c.eventNames {
		c.addName(site, c.dayNames(site, k), hash)
	}
}

// addName adds the hash of a name if there is room. It reports whether the name is there.
func (c *cardinality) addName(site *capSite, d *dayNames, hash uint64) bool {
	slot := d.find(hash)
	if *slot == hash {
		return true
	}
	if d.n >= c.namesMax {
		return false
	}
	if (d.n+1)*4 > len(d.table)*3 {
		grown := d.grow()
		if c.namesBytes += grown; d != &site.few {
			site.namesBytes += grown
		}
		slot = d.find(hash)
	}
	*slot = hash
	d.n++
	return true
}

// find returns the slot of a hash, or the free slot where it belongs. The table always has
// a free slot.
func (d *dayNames) find(hash uint64) *uint64 {
	mask := uint64(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &d.table[i]; *s == hash || *s == 0 {
			return s
		}
	}
}

// grow doubles the table and returns by how many bytes it grew.
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

// namesOf returns the names of a day, including those in the log and in runs. It reads no
// more than the group may read.
func (c *cardinality) namesOf(s *siteState, site *capSite, k siteDay, settle func()) (*dayNames, error) {
	if !site.namesRead {
		if site.namesLog.may(s.Last(), s.SealedTo()) {
			settle()
			if err := c.readNames(site); err != nil {
				return nil, err
			}
		}
		site.namesRead = true
	}
	d := c.dayNames(site, k)
	if d.ready {
		return d, nil
	}
	pages := c.pagesOf(site)
	before := pages
	runs := s.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
		if k.day < r.DayMin || r.DayMax < k.day || d.n >= c.namesMax || pages <= 0 {
			continue
		}
		seen := 0
		c.unread(r.PropertiesOn(k.day, &pages, func(property string) bool {
			seen++
			return !event.NameCapped(property) || c.addName(site, d, c.hash(property))
		}))
		pages -= seen / namesPerPage
	}
	c.spend(site, before-pages)
	d.ready = true
	return d, nil
}

// namesPerPage is how many names in a run's header cost as much as reading a page.
const namesPerPage = 64

// readNames fills the sets of names with what the site's unsealed rows count. Names that do
// not fit are left out.
func (c *cardinality) readNames(site *capSite) error {
	var d *dayNames
	property := ""
	return wal.Notes(c.db, site.id, 0, 1<<64-1, func(_ uint64, note []byte) error {
		property = ""
		return index.ReadTotals(note, func(t index.Total) {
			if t.Property == property && d != nil && d.day == t.Day || !event.NameCapped(t.Property) {
				return
			}
			property = t.Property
			if d == nil || d.day != t.Day {
				if c.namesBytes > c.namesBytesMax && c.names[siteDay{site.id, t.Day}] == nil {
					d = nil
					return
				}
				d = c.dayNames(site, siteDay{site.id, t.Day})
			}
			c.addName(site, d, c.hash(property))
		})
	})
}

// dayNames returns the names of a day as far as they are known.
func (c *cardinality) dayNames(site *capSite, k siteDay) *dayNames {
	d := c.names[k]
	if d == nil {
		d = &dayNames{siteDay: k, table: make([]uint64, 16)}
		c.names[k] = d
		c.namesBytes += dayNamesBytes + nameSlotBytes*len(d.table)
		site.namesBytes += dayNamesBytes + nameSlotBytes*len(d.table)
	}
	return d
}
