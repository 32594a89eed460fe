// Hits: how the engine recognises the visitor of a hit, and how it answers a hit that is
// not stored.

package engine

import (
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/identity"
)

// fingerprintHit prepares the sequencer's question about a hit, before its event is
// encoded. It adds the fingerprint of the visitor, which becomes the anonymous id if the
// hit has none, and the bounds of the hit's day.
func (e *Engine) fingerprintHit(r *Record, now int64, q *identity.Question) {
	if r.Hit == nil {
		return
	}
	q.Hit = r.Hit
	ev, src := &r.Event, &r.Source
	at := ev.Time
	if at == 0 || at > now+calendar.DayMillis {
		at = now
	}
	day := calendar.Day(at, r.Site.Location)
	q.Day[0], q.Day[1] = calendar.Start(day, r.Site.Location), calendar.Start(day+1, r.Site.Location)
	if e.opts.Visitors == nil {
		return
	}
	today, before := e.opts.Visitors.Visitor(r.Site.ID, string(ev.Dialect), src.IP.String(), src.UserAgent, r.Hit.Shown, calendar.Date(day).Format(time.DateOnly))
	today, q.Before = today[:min(len(today), identity.VisitorDigits)], before[:min(len(before), identity.VisitorDigits)]
	if today == "" {
		return
	}
	if ev.Anonymous == "" {
		ev.Anonymous = today
	}
	ev.Extra.Set(event.Fingerprint, event.Str(today))
}

// zoneOf returns loc, or UTC if loc is nil.
func zoneOf(loc *time.Location) *time.Location {
	if loc == nil {
		return time.UTC
	}
	return loc
}

// answerHit answers a hit that is not stored as an event. next is the seq of the site's
// next event.
func (s *sequencer) answerHit(g *group, ev *submitted, next uint64, p *identity.Assignment) error {
	if ev.outcome.Status = event.Excluded; p.Refuse != nil {
		ev.outcome.Status, ev.outcome.Err = event.Rejected, p.Refuse
		s.e.stats.reject(p.Refuse.Field)
		return nil
	}
	ev.outcome.Session = p.SessionID
	if !ev.question.Hit.Ping || p.Session == 0 {
		return nil
	}
	stored, err := s.ids.Heartbeat(ev.site.ID, ev.event, next, p)
	if stored == nil || err != nil {
		return err
	}
	return g.setHeartbeats(ev.site, p.Session, p.Begun, stored)
}
