// Visitors of dialects that return ids: who an event is from that names no user. Every
// event is answered with a user and a session, so what was not sent is made here, before
// the event is encoded.

package engine

import (
	"crypto/rand"
	"encoding/hex"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"
)

// identify gives an event without any user one, in a dialect that returns ids:
//
//	a session was sent   the owner of that session, who is the user of its first
//	                     event; when it is new, an id made from the session's, so
//	                     that events that begin it together agree
//	nothing was sent     a fresh id; the committer begins a session for it
//
// Where the first event cannot be read the session counts as new: a damaged run
// must stop nobody who writes.
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
	if who, ok := e.sessionOwners.Get(r.Site.ID, ev.Session); ok {
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
	e.sessionOwners.Put(r.Site.ID, ev.Session, first)
}

// sessionStart returns the first event of a session, nil when there is none yet.
// What the runs hold is in the stored ids; newer rows are searched.
func (e *Engine) sessionStart(site *Site, d event.Dialect, id string) (*event.Event, error) {
	v := e.state(site.ID).View()
	defer v.Close()
	switch seq, err := identity.FirstOfSession(e.db, site.ID, d, id); {
	case err != nil:
		return nil, err
	case seq != 0:
		return v.Event(seq) // nil when it is not published yet
	}
	clauses := []index.Clause{
		{Any: []index.Alt{{Field: event.FieldSession, Terms: []string{id}}}}, // mostly not there at all
		{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(d)}}}},
	}
	for i := range v.Parts {
		p := &v.Parts[i]
		if p.Run != nil {
			continue
		}
		first := -1
		index.NewMatcher(p.Get(), clauses, nil).Ascend(0, func(row int) bool {
			first = row
			return false
		})
		if first >= 0 {
			return table.NewRowReader(p.Get()).Read(first)
		}
	}
	return nil, nil
}

// recall follows up an event that is in the log. What the outcome of a duplicate
// says of its original is the original's: when it was received and, in a dialect that
// returns ids, whose it is. Where that cannot be read it is left as the duplicate has it:
// the event is stored, and so it is answered.
func (e *Engine) recall(s *submitted) {
	returnsIDs := event.RuleAt(s.event.Dialect, s.outcome.Seq).ReturnsIDs
	if s.outcome.Status != event.Duplicate {
		if s.begins && returnsIDs {
			e.sessionOwners.Put(s.site.ID, s.outcome.Session, s.event)
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
