// Imported events on their way through the sequencer: the window of deduplication that each of
// them has, and the heartbeats that they bring. Which session an imported event is in is decided
// in identity/imported.go.

package engine

import (
	"fmt"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/store"
	"cairn/engine/table"
)

// since returns the lowest time of receipt that an original of ev may have. The window of an
// imported event ends with its own receipt. So an import that is run again finds its events,
// however long ago the first run was, and keeps two events that had the same message id further
// apart.
func (s *sequencer) since(ev *submitted) int64 {
	if ev.imported != nil {
		return ev.event.Received - s.window.length
	}
	return s.window.since()
}

// findStale looks at the originals that recent has found of imported events, and notes those that
// are outside of the window as stale. Of equal message ids recent knows the newest event. That is
// also the one that was received last, so no other one is in the window.
func (s *sequencer) findStale(g *group, sub *submission) error {
	var view *table.View
	var of *siteState // whose view it is
	defer func() {
		if view != nil {
			view.Close()
		}
	}()
	for i := range sub.events {
		ev := &sub.events[i]
		if ev.imported == nil || ev.original == 0 {
			continue
		}
		var received int64
		if sg := g.sites[ev.site]; sg != nil && ev.original >= sg.first {
			received = sg.received(ev.original)
		} else {
			if view != nil && of != ev.site {
				view.Close()
				view = nil
			}
			if view == nil {
				view, of = ev.site.View(), ev.site
			}
			if view.PartOf(ev.original) == nil { // it is in the group that is being committed
				view.Close()
				s.drain()
				view = ev.site.View()
			}
			if err := view.Received(ev.original, &received); err != nil {
				return err
			}
		}
		if received < s.since(ev) {
			ev.stale, ev.original = ev.original, 0
		}
	}
	return nil
}

// placedBefore reports whether an event that g has at seq is outside of the window of ev.
func (s *sequencer) placedBefore(g *group, ev *submitted, seq uint64) bool {
	sg := g.sites[ev.site]
	return sg != nil && seq >= sg.first && sg.received(seq) < s.since(ev)
}

// received returns when the row at seq was received.
func (sg *siteGroup) received(seq uint64) int64 {
	var ints event.Ints
	_ = event.ScanOwnRecord(sg.records[seq-sg.first], &ints, func(_, _ []byte) error { return nil }) // the sequencer has just made it
	return ints[event.IntReceived]
}

// findExported finds the row of an imported event that this store itself has exported. Whatever has
// become of the row since, the event is not stored again.
func (e *Engine) findExported(r *Record) {
	if seq, ok := e.public.Decode(r.Site.ID, r.Import.ID); ok && seq <= e.state(r.Site.ID).Last() {
		r.Import.Row = seq
	}
}

// noteImported notes that the store has rows with a session that another store has decided: an
// older cairn takes them for damage.
func (s *sequencer) noteImported() error {
	if s.imported {
		return nil
	}
	s.imported = true
	return store.Raise(s.e.db, store.VersionDeletions)
}

// importHeartbeat adds to g the last heartbeat of the visit that an imported event is in.
func (s *sequencer) importHeartbeat(g *group, ev *submitted, p *identity.Assignment) error {
	if ev.imported == nil || ev.imported.Heartbeat == 0 || p.Session == 0 {
		return nil
	}
	stored, begun, err := s.ids.ImportHeartbeat(ev.site.ID, p.Session, ev.imported.Heartbeat)
	if stored == nil || err != nil {
		return err
	}
	return g.setHeartbeats(ev.site, p.Session, begun, stored)
}

// setHeartbeats adds the stored form of a visit's heartbeats. begun is the event time of the
// earliest event of the visit.
func (g *group) setHeartbeats(site *siteState, visit uint64, begun int64, stored []byte) error {
	g.bytes += len(stored)
	if err := g.batch.Set(identity.HeartbeatsKey(site.ID, visit), stored, nil); err != nil {
		return fmt.Errorf("write heartbeats: %w", err)
	}
	g.beats = append(g.beats, beat{site, visit, begun})
	return nil
}
