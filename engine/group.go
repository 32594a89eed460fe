// Group: what is committed together, and its memory.

package engine

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// group is what is committed together. It is the sequencer's until it is handed to
// the publisher, who recycles it when all in it is published.
type group struct {
	subs          []*submission
	sites         map[*siteState]*siteGroup
	order         []*siteGroup // ascending by site once sealed
	batch         *pebble.Batch
	arena         []byte // its records
	events, bytes int
	asked         load // what its rows may take in memory
	ids           bool // the batch holds the table of ids

	spare []*siteGroup // of groups before
}

// siteGroup is a group's rows of one site.
type siteGroup struct {
	site    *siteState
	first   uint64
	records [][]byte
	counted []*daySet // what it adds to which counters
	fresh   int       // values that it is the first to count on their days
	terms   event.TermArena
	links   []seqLink
}

// load is what rows bring into memory, and into the open parts of how many sites.
type load struct{ sites, rows, cells, bytes int64 }

// asks is the load of a group's rows and those of a submission. A site that has rows in
// both counts once.
func (s *sequencer) asks(g *group, sub *submission) load {
	l := load{g.asked.sites, g.asked.rows + int64(len(sub.events)), g.asked.cells + int64(sub.cells), g.asked.bytes + int64(len(sub.bodies))}
	s.asked++
	for i := range sub.events {
		if site := sub.events[i].site; site.asked != s.asked {
			if site.asked = s.asked; g.sites[site] == nil {
				l.sites++
			}
		}
	}
	return l
}

// most is about the bytes it takes at the most.
func (l load) most() int64 {
	return index.MemPartBytesMax(l.sites, l.rows, l.cells, l.bytes, event.NumInts)
}

type seqLink struct {
	seq   uint64
	links []identity.Link
}

// What is kept of a group for later ones at most.
const (
	groupsKept      = 3 // one is gathered, one written, one may have just been
	groupSitesKept  = 64
	groupSubsKept   = groupEventsMax
	groupRecordKept = 2 * groupEventsMax // of all sites
	groupArenaKept  = 2 * groupBytesMax
)

// newGroup is an empty group, in the memory of an older one if there is any.
func (e *Engine) newGroup() *group {
	var g *group
	select {
	case g = <-e.spareGroups:
	default:
		g = &group{sites: make(map[*siteState]*siteGroup)}
	}
	g.batch = e.db.NewBatch(pebble.WithMaxRetainedSizeBytes(groupArenaKept))
	return g
}

// recycle keeps the memory of a group that is published.
func (e *Engine) recycle(g *group) {
	records := 0
	for _, sg := range g.spare {
		records += cap(sg.records)
	}
	for _, sg := range g.order {
		sg.reset()
		if records += cap(sg.records); len(g.spare) < groupSitesKept && records <= groupRecordKept {
			g.spare = append(g.spare, sg)
		}
	}
	event.Poison(g.arena)
	clear(g.sites)
	*g = group{
		subs: event.Emptied(g.subs, groupSubsKept), sites: g.sites, order: event.Emptied(g.order, groupSitesKept),
		arena: g.arena[:0], spare: g.spare,
	}
	if cap(g.arena) > groupArenaKept {
		g.arena = nil
	}
	select {
	case e.spareGroups <- g:
	default:
	}
}

func (sg *siteGroup) reset() {
	*sg = siteGroup{
		records: event.Emptied(sg.records, groupRecordKept),
		counted: event.Emptied(sg.counted, groupSitesKept),
		terms:   sg.terms,
		links:   event.Emptied(sg.links, groupSitesKept),
	}
	sg.terms.Reset()
}

// of returns the group's rows of a site, which begin at first.
func (g *group) of(site *siteState, first uint64) *siteGroup {
	if n := len(g.order); n > 0 && g.order[n-1].site == site {
		return g.order[n-1] // mostly a request's events are of one
	}
	sg := g.sites[site]
	if sg != nil {
		return sg
	}
	if n := len(g.spare); n > 0 {
		sg, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		sg = new(siteGroup)
	}
	sg.site, sg.first = site, first
	g.sites[site] = sg
	g.order = append(g.order, sg)
	return sg
}

// record makes a row's record, which lives as long as the group.
func (g *group) record(h *event.Head, body []byte) []byte {
	start := len(g.arena)
	g.arena = event.AppendRecord(g.arena, h, body)
	return g.arena[start:len(g.arena):len(g.arena)]
}
