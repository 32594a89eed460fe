// Groups: what the sequencer gathers and the publisher commits, and how their memory is
// used again.

package engine

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// group holds the requests that are committed together. The sequencer owns it until it
// hands it to the publisher. The publisher recycles it once all its rows are published.
type group struct {
	subs          []*submission
	sites         map[*siteState]*siteGroup
	order         []*siteGroup // ascending by site id once sealed
	batch         *pebble.Batch
	arena         []byte // text of the records
	events, bytes int
	asked         load // the memory its rows may take
	ids           bool // the batch holds the table of ids
	beats         []beat
	seal          *siteState // whose rows are handed to the sealer afterwards, see job; nil = none
	sealTo        uint64

	spare []*siteGroup // from earlier groups, to be used again
}

// beat is a heartbeat that the batch holds.
type beat struct {
	site  *siteState
	visit uint64
	begun int64 // event time of the earliest event of its visit
}

// siteGroup holds a group's rows of one site.
type siteGroup struct {
	site    *siteState
	first   uint64
	records [][]byte
	counted []*daySet // the sets whose counters the rows change
	fresh   int       // how many values at most the rows are the first to count on their days
	terms   event.TermArena
	links   []seqLink
}

// load describes how much rows add to memory: the number of sites, rows and cells, and the
// bytes of text.
type load struct{ sites, rows, cells, bytes int64 }

// asks returns the load of a group's rows together with those of a submission. A site with
// rows in both counts once.
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

// most returns about how many bytes of memory the load takes at most.
func (l load) most() int64 {
	return index.MemPartBytesMax(l.sites, l.rows, l.cells, l.bytes, event.NumInts)
}

type seqLink struct {
	seq   uint64
	links []identity.Link
}

// Upper bounds of the memory that a recycled group keeps.
const (
	groupsKept      = 3 // one is gathered, one is written, one may have just been published
	groupSitesKept  = 64
	groupSubsKept   = groupEventsMax
	groupRecordKept = 2 * groupEventsMax // of all sites together
	groupArenaKept  = 2 * groupBytesMax
)

// newGroup returns an empty group. It uses the memory of an earlier group if there is one.
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

// recycle keeps the memory of a published group for newGroup.
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
		arena: g.arena[:0], spare: g.spare, beats: event.Emptied(g.beats, groupSubsKept),
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

// of returns the siteGroup of a site. If there is none, it makes one that begins at seq
// first.
func (g *group) of(site *siteState, first uint64) *siteGroup {
	if n := len(g.order); n > 0 && g.order[n-1].site == site {
		return g.order[n-1] // most requests have events of a single site
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

// record encodes a row's record in the arena. The record is valid as long as the group.
func (g *group) record(h *event.Head, body []byte) []byte {
	start := len(g.arena)
	g.arena = event.AppendRecord(g.arena, h, body)
	return g.arena[start:len(g.arena):len(g.arena)]
}
