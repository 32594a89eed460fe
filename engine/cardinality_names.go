// This file bounds how many property names counters tell apart on one day.

package engine

import (
	"cairn/engine/event"
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

// addName adds the name to the day's names if there is room. It reports whether the name is
// one of them.
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

// namesOf returns the names of a day, including those in the log and in runs.
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
