// Some dialects answer every event with a user and a session. This file chooses the visitor
// of an event that names no user in such a dialect, before the event is encoded.

package engine

import (
	"crypto/rand"
	"encoding/hex"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// resolveVisitor gives an event without a user an id, in a dialect that returns ids:
//
//	a session was sent   the user of the session's first event; if the session is new, an
//	                     id made from the session's id, so that several first events of
//	                     one session get the same id
//	nothing was sent     a random id; the sequencer begins a session for it
//
// If the first event cannot be read, the session counts as new: a damaged run must not stop
// writes.
func (e *Engine) resolveVisitor(r *Record) {
	ev := &r.Event
	if ev.User != "" || ev.Anonymous != "" || !event.NewestRule(ev.Dialect).ReturnsIDs {
		return
	}
	if ev.Session == "" {
		var b [16]byte
		_, _ = rand.Read(b[:])
		ev.Anonymous = hex.EncodeToString(b[:])
		return
	}
	deletions := e.state(r.Site.ID).Deletions()
	if who, ok := e.sessionOwners.Get(r.Site.ID, deletions, ev.Session); ok {
		ev.User, ev.Anonymous = who.User, who.Anonymous
		return
	}
	first, err := e.sessionStart(r.Site, ev.Dialect, ev.Session)
	switch e.logUnreadable(err); {
	case first == nil || first.User == "" && first.Anonymous == "":
		ev.Anonymous = e.public.Derive(r.Site.ID, ev.Session)
		return
	case first.User != "":
		ev.User = first.User
	default:
		ev.Anonymous = first.Anonymous
	}
	e.sessionOwners.Put(r.Site.ID, deletions, ev.Session, first)
}

// sessionStart returns the first event of a session, or nil if there is none yet. Of one that is
// deleted it returns the ids that other events have. The stored ids cover the rows in runs. Newer
// rows are searched.
func (e *Engine) sessionStart(site *Site, d event.Dialect, id string) (*event.Event, error) {
	v := e.state(site.ID).View()
	defer v.Close()
	switch seq, err := identity.FirstOfSession(e.db, site.ID, d, id); {
	case err != nil:
		return nil, err
	case seq != 0:
		return e.FirstOfSession(v, seq) // nil if it is not published yet
	}
	clauses := []index.Clause{
		{Any: []index.Alt{{Field: event.FieldSession, Terms: []string{id}}}}, // usually in no row at all
		{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(d)}}}},
	}
	for i := range v.Parts {
		p := &v.Parts[i]
		if p.Run != nil {
			continue
		}
		first := -1
		index.NewRawMatcher(p.Get(), clauses, nil).Ascend(0, func(row int) bool {
			first = row
			return false
		})
		if first >= 0 {
			return e.FirstOfSession(v, p.First()+uint64(first))
		}
	}
	return nil, nil
}

// recall completes the outcome of an event that is in the log. In a dialect that returns
// ids, it also remembers whose a new session is. The outcome of a duplicate describes its
// original: when that was received and, in a dialect that returns ids, whose it is. If the
// original cannot be read or is deleted, the outcome describes the duplicate instead, because the
// request must be answered.
func (e *Engine) recall(s *submitted) {
	returnsIDs := event.NewestRule(s.event.Dialect).ReturnsIDs
	if s.outcome.Status != event.Duplicate {
		if s.begins && returnsIDs && s.imported == nil {
			deletions := s.site.Deletions() // before Hidden, which may have one more
			if hidden := s.site.Hidden(); hidden == nil || !hidden.Contains(s.outcome.Seq) {
				e.sessionOwners.Put(s.site.ID, deletions, s.outcome.Session, s.event)
			}
		}
		return
	}
	v := s.site.View()
	defer v.Close()
	if !returnsIDs {
		e.logUnreadable(v.Received(s.outcome.Seq, &s.outcome.Received))
		return
	}
	s.outcome.Session = s.event.Session
	original, err := v.Event(s.outcome.Seq)
	if e.logUnreadable(err); original != nil {
		s.event.User, s.event.Anonymous = original.User, original.Anonymous
		s.outcome.Session, s.outcome.Received = original.Session, original.Received
	}
}
