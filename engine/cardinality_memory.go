// This file bounds the memory of cardinality. The site that takes the most memory gives it
// up, so that no site takes the memory of smaller ones.

package engine

import (
	"math"
	"slices"
)

// capBytesMax bounds the memory for values over all sites, in bytes. Beyond it the sets not
// used for the longest time become counts. A value takes slotBytes, a set daySetBytes and its
// name, a count pairBytes.
const (
	capBytesMax = 16 << 20
	slotBytes   = 16
	daySetBytes = 256
	pairBytes   = 16
)

// capPairsMax bounds the counts of a site. Beyond it the site is forgotten.
const capPairsMax = 1 << 18

// capNamesMax bounds the memory for names over all sites, in bytes: enough for some 120
// full days. It is separate from the memory for values, so that names are forgotten less
// often: reading them again is slow, because runs of several days give them one by one.
const (
	capNamesMax   = 8 << 20
	nameSlotBytes = 8
	dayNamesBytes = 256
)

// capPagesMax is how many pages of runs a group may read, and sitePagesMax is how many of
// them it may read for one site. What a group cannot read is read by later groups. Until
// then a day that nothing is known of begins with an empty set. That is safe, because the
// cap is a bound and not an exact number. A day that may be full takes no new value.
const (
	capPagesMax  = 1024
	sitePagesMax = capPagesMax / 4
)

// capSite is what is known of a site.
type capSite struct {
	id             uint32
	known          bool   // the log has been read
	sealedTo       uint64 // runs that begin later have only values known otherwise
	counts         dayCounts
	oldest, newest *daySet // the site's sets, in the order of use
	bytes          int     // memory of counts and sets
	log            logReads

	// A site with few names needs to know only which: while they are fewer than the cap, so
	// are those of each day.
	few        dayNames
	many       bool                // it has more; then each day has names of its own
	namesTo    uint64              // runs that begin later have only names in few
	headers    map[uint64]struct{} // runs whose names are in few
	day        int32               // the day whose runs were looked at last
	daySeen    bool
	namesRead  bool // the log's names are in the days' sets
	namesLog   logReads
	namesBytes int // memory of the days' sets

	group uint64 // the group that pages is about
	pages int    // pages that this group may still read for the site
}

// logReads bounds how often a site's log is read: only after a quarter as many new events as
// the log has. So a read costs each event no more than reading four others.
type logReads struct {
	any  bool
	last uint64 // seq of the newest event at the last read
}

// may reports whether a log with the events after sealedTo up to last may be read now, and
// notes that it is.
func (l *logReads) may(last, sealedTo uint64) bool {
	if l.any && last-l.last < (last-min(last, sealedTo))/4 {
		return false
	}
	l.any, l.last = true, last
	return true
}

// dayCounts has an upper bound of the number of values of each property and day that has no
// set in memory, and of some that have one.
type dayCounts struct {
	table []dayCount // by hash; the length is a power of two, at most 3/4 of it is used
	n     int
}

type dayCount struct {
	hash   uint64 // of the property and the day; 0 = free
	values uint32
	ready  bool // values includes those in runs
}

// get returns the count of a hash, or nil.
func (d *dayCounts) get(hash uint64) *dayCount {
	if len(d.table) == 0 {
		return nil
	}
	if p := d.slot(hash); p.hash == hash {
		return p
	}
	return nil
}

func (d *dayCounts) slot(hash uint64) *dayCount {
	mask := uint64(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if p := &d.table[i]; p.hash == hash || p.hash == 0 {
			return p
		}
	}
}

// put sets a count and returns by how many bytes the table grew. ok is false if there is no
// room for it.
func (d *dayCounts) put(p dayCount) (grown int, ok bool) {
	if (d.n+1)*4 > len(d.table)*3 {
		if len(d.table) == capPairsMax {
			return 0, false
		}
		old := d.table
		d.table = make([]dayCount, max(16, 2*len(old)))
		for _, p := range old {
			if p.hash != 0 {
				*d.slot(p.hash) = p
			}
		}
		grown = pairBytes * (len(d.table) - len(old))
	}
	at := d.slot(p.hash)
	if at.hash == 0 {
		d.n++
	}
	*at = p
	return grown, true
}

// pairHash returns the hash of a property and a day.
func (c *cardinality) pairHash(k capKey) uint64 {
	return max(1, c.hash(k.property)^uint64(uint32(k.day))*0x9E3779B97F4A7C15)
}

// grow counts memory that a site takes.
func (c *cardinality) grow(site *capSite, bytes int) {
	c.n += bytes
	site.bytes += bytes
}

// link makes a set the newest of the site.
func (s *capSite) link(set *daySet) {
	if set.older = s.newest; set.older != nil {
		set.older.newer = set
	} else {
		s.oldest = set
	}
	s.newest = set
}

func (s *capSite) unlink(set *daySet) {
	if set.older != nil {
		set.older.newer = set.newer
	} else {
		s.oldest = set.newer
	}
	if set.newer != nil {
		set.newer.older = set.older
	} else {
		s.newest = set.older
	}
	set.older, set.newer = nil, nil
}

// trim bounds the memory and begins a group. The sequencer calls it between groups.
func (c *cardinality) trim() {
	c.group++
	c.pages = capPagesMax
	for c.namesBytes > c.namesBytesMax {
		var most *capSite
		for _, s := range c.sites {
			if most == nil || s.namesBytes > most.namesBytes {
				most = s
			}
		}
		if most == nil || most.namesBytes == 0 {
			break
		}
		c.forgetNames(most)
	}
	if c.n > c.bytesMax {
		c.shrink()
	}
	for _, site := range c.full {
		c.forget(site)
	}
	c.full = nil
}

// shrink makes sets into counts until a quarter of the memory is free. It keeps the sets that
// the current group uses.
func (c *cardinality) shrink() {
	bytes := c.bytesMax / 4 * 3
	for c.n > bytes {
		var most *capSite
		for _, s := range c.sites {
			if most == nil || s.bytes > most.bytes {
				most = s
			}
		}
		if most == nil || most.bytes == 0 {
			return
		}
		goal := max(most.bytes/2, most.bytes-(c.n-bytes))
		for set := most.oldest; set != nil && most.bytes > goal; {
			next := set.newer
			if set.delta == nil {
				c.evict(set, true)
			}
			set = next
		}
		if most.bytes > goal {
			if most.oldest != nil {
				return // the current group uses them
			}
			c.forget(most)
		}
	}
}

// evict removes a set from memory. If counted, a count remains of it.
func (c *cardinality) evict(set *daySet, counted bool) {
	site := set.site
	if counted {
		values := uint32(min(uint64(set.n)+uint64(set.absent), math.MaxUint32))
		grown, ok := site.counts.put(dayCount{c.pairHash(set.key), values, set.ready})
		if c.grow(site, grown); !ok && !slices.Contains(c.full, site) {
			c.full = append(c.full, site)
		}
	}
	delete(c.sets, set.key)
	site.unlink(set)
	c.grow(site, -daySetBytes-len(set.key.property)-slotBytes*len(set.table))
	c.order, c.at = c.order[:0], 0
}

// forget forgets the values of a site. They are read again when they are needed.
func (c *cardinality) forget(site *capSite) {
	for site.oldest != nil {
		c.evict(site.oldest, false)
	}
	c.grow(site, -pairBytes*len(site.counts.table))
	site.counts, site.known = dayCounts{}, false
}

// forgetNames forgets the names of a site's days.
func (c *cardinality) forgetNames(site *capSite) {
	for k := range c.names {
		if k.site == site.id {
			delete(c.names, k)
		}
	}
	c.namesBytes -= site.namesBytes
	site.namesBytes, site.namesRead = 0, false
	c.newest = nil
}

// pagesOf returns how many pages of the site's runs the current group may still read. What is
// begun is read to its end, even if that takes more.
func (c *cardinality) pagesOf(site *capSite) int {
	if site.group != c.group {
		site.group, site.pages = c.group, sitePagesMax
	}
	return min(site.pages, c.pages)
}

// spend notes that pages of the site's runs were read.
func (c *cardinality) spend(site *capSite, pages int) {
	site.pages -= pages
	c.pages -= pages
}
