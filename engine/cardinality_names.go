// The names of properties that counters tell apart on one day.

package engine

import (
	"cairn/engine/event"
)

// dayNames are the names counted on one day: their hashes.
type dayNames struct {
	siteDay
	table []uint64 // 0 = free; a power of two, at most 3/4 full
	n     int
	ready bool // runs have been asked
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
	runs := s.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
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
