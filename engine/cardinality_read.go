// This file reads what cardinality has forgotten, or never knew since the start, from the
// log and the runs.

package engine

import (
	"math"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"
)

// site returns what is known of a site. The first call for a site reads the site's log, once
// for all names, properties and days.
func (c *cardinality) site(s *siteState, settle func()) (*capSite, error) {
	if c.last != nil && c.last.id == s.ID && c.last.known {
		return c.last, nil
	}
	site := c.sites[s.ID]
	c.last = site
	if site != nil && site.known {
		return site, nil
	}
	first := site == nil
	if first {
		site = &capSite{id: s.ID}
		c.sites[s.ID] = site
	}
	if site.log.may(s.Last(), s.SealedTo()) {
		settle()
		if err := c.readLog(site, first); err != nil {
			return nil, err
		}
	}
	// Rows that were sealed meanwhile are seen twice. In the other order they could be missed.
	site.sealedTo = s.SealedTo()
	site.known = true
	if first {
		site.namesTo = site.sealedTo
	}
	return site, nil
}

// readLog fills the sets with what the site's unsealed rows count, and few with its names.
func (c *cardinality) readLog(site *capSite, names bool) error {
	var set *daySet
	return wal.Notes(c.db, site.id, 0, 1<<64-1, func(_ uint64, note []byte) error {
		return index.ReadTotals(note, func(t index.Total) {
			if names && (set == nil || set.key.property != t.Property) {
				c.addFew(site, t.Property)
			}
			if k := (capKey{site.id, t.Property, t.Day}); set == nil || set.key != k {
				if set = c.sets[k]; set == nil {
					if c.n > c.bytesMax {
						c.shrink()
					}
					set = c.newSet(site, k)
				}
			}
			if t.Value != event.Other && set.n < c.max {
				c.add(set, t.Value)
			}
		})
	})
}

// use prepares a set for the current group: it is the newest of its site, and the number of
// its values in runs is known if the group may read that. If not, a later group reads it.
func (c *cardinality) use(s *siteState, set *daySet) {
	site := set.site
	if site.newest != set {
		site.unlink(set)
		site.link(set)
	}
	if set.ready {
		return
	}
	if site.sealedTo > 0 {
		if c.pagesOf(site) <= 0 {
			return
		}
		values := 0
		c.readRuns(s, set, site.sealedTo, func(index.Total) bool { values++; return values < c.max })
		set.absent += values
	}
	set.ready = true
}

// load makes a set exact. It reads the values in runs and, if the set was evicted, in the
// log. If that may not be read now, the set stays as it is.
func (c *cardinality) load(s *siteState, set *daySet, settle func()) error {
	site := set.site
	if set.refused == c.group || c.pagesOf(site) <= 0 || set.evicted && !site.log.may(s.Last(), s.SealedTo()) {
		set.refused = c.group
		return nil
	}
	add := func(t index.Total) bool {
		if t.Value != event.Other && set.n < c.max {
			c.add(set, t.Value)
		}
		return set.n < c.max
	}
	if set.evicted {
		settle()
		err := wal.Notes(c.db, site.id, 0, 1<<64-1, func(_ uint64, note []byte) error {
			return index.ReadTotals(note, func(t index.Total) {
				if t.Day == set.key.day && t.Property == set.key.property {
					add(t)
				}
			})
		})
		if err != nil {
			return err
		}
	}
	c.readRuns(s, set, math.MaxUint64, add)
	set.absent, set.evicted, set.ready = 0, false, true
	return nil
}

// readRuns calls fn with what the runs that begin at a seq up to last count of a set's
// property on its day. It stops after the run in which fn returns false.
func (c *cardinality) readRuns(s *siteState, set *daySet, last uint64, fn func(index.Total) bool) {
	runs := s.Sealed()
	defer runs.Close()
	read, more := 0, true
	for _, r := range runs.All {
		if !more || r.First > last {
			break
		}
		if r.DayMin <= set.key.day && set.key.day <= r.DayMax {
			pages, err := r.CountedTotals(set.key.property, set.key.day, set.key.day, func(t index.Total) { more = fn(t) })
			c.unread(err)
			read += pages
		}
	}
	c.spend(set.site, read)
}
