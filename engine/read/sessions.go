// Sessions: computed from their events.

package read

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/referrer"
	"cairn/engine/table"
	"cairn/index"
)

// Session returns the session with an id, or query.ErrNotFound.
func (rd *Reader) Session(ctx context.Context, site *query.Site, id string) (query.Session, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	first, err := v.firstMatch(index.Clause{Any: []index.Alt{{Field: event.FieldSession, Terms: []string{id}}}})
	if err != nil {
		return query.Session{}, err
	}
	if first == 0 {
		return query.Session{}, query.ErrNotFound
	}
	return rd.session(v, site, first)
}

// Sessions returns one page of sessions, ordered by their first events, newest first. A
// session is listed when one of its events satisfies the conditions and times of q. next is
// the cursor of the next page, "" on the last one.
func (rd *Reader) Sessions(ctx context.Context, q query.Query) (_ []query.Session, next string, _ error) {
	limit, err := checkLimit(q.Limit, query.LimitMax)
	if err != nil {
		return nil, "", err
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	keep := func(uint64) bool { return true }
	if len(q.Where) > 0 || q.From != 0 || q.To != 0 {
		pred, err := plan(v, q.Where, q.From, q.To)
		if err != nil {
			return nil, "", err
		}
		var matched identity.OrdSet
		err = v.eachRow(pred, func(p *table.Part) func(int) {
			session := p.Get().Ints(event.IntSession)
			return func(row int) { matched.Add(uint64(session.At(row))) }
		})
		if err != nil {
			return nil, "", err
		}
		keep = matched.Has
	}
	firsts, more, err := rd.firstSeqs(v, q, event.IntSession, limit, keep)
	if err != nil {
		return nil, "", err
	}
	sessions := make([]query.Session, 0, len(firsts))
	for _, first := range firsts {
		s, err := rd.session(v, q.Site, first)
		if err != nil {
			return nil, "", err
		}
		sessions = append(sessions, s)
	}
	if more {
		return sessions, sessions[len(sessions)-1].Cursor, nil
	}
	return sessions, "", nil
}

// session computes the session whose first event has the seq first.
func (rd *Reader) session(v *view, site *query.Site, first uint64) (query.Session, error) {
	ev, err := v.Event(first)
	if err != nil {
		return query.Session{}, err
	}
	if ev == nil || ev.Session == "" {
		return query.Session{}, query.ErrNotFound
	}
	s := query.Session{ID: ev.Session, Dialect: ev.Dialect, Cursor: rd.Public.Encode(site.ID, first)}
	setSource(&s, ev)
	rule := event.NewestRule(ev.Dialect)
	var latest identity.Visit // the source so far, for a rule with LateSource
	var views []pageView
	var groups names
	beats := new(identity.Heartbeats)
	if rule.HeartBeats {
		if beats, err = identity.ReadHeartbeats(rd.DB, site.ID, first); err != nil {
			return query.Session{}, err
		}
	}
	err = v.eachEvent([]index.Clause{
		{Any: []index.Alt{{Field: event.FieldSession, Terms: []string{ev.Session}}}},
		{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(ev.Dialect)}}}},
	}, func(ev *event.Event) {
		if s.Events == 0 || ev.Time < s.Start {
			s.Start = ev.Time
		}
		if s.Events == 0 || ev.Time > s.End {
			s.End = ev.Time
		}
		s.Events++
		if rule.LateSource {
			before := latest.Arrival
			if latest.Take(ev); latest.Arrival != before {
				s.Referrer, s.Campaign = ev.Context.Get("referrer").Text, latest.Campaign
				s.ReferrerType = referrerType(s.Campaign, ev.Context.Get("referrer_host").Text)
			}
		}
		if rule.VisitVariables {
			for variable := range identity.VisitVarsOf(ev, ev.Seq) {
				beats.Vars.Set(variable, identity.VisitVarsBytesMax)
			}
		}
		if ev.User != "" {
			s.User = ev.User
		}
		if s.Anonymous == "" {
			s.Anonymous = ev.Anonymous
		}
		for _, g := range ev.Groups {
			groups.add(g)
		}
		if slices.Contains(identity.Actions, ev.Type) {
			s.Actions++
		}
		switch ev.Type {
		case event.Page, event.Screen:
			location := cmp.Or(ev.Context.Get("url").Text, ev.Context.Get("path").Text, ev.Name)
			views = append(views, pageView{ev.Time, location})
		case event.Goal:
			s.Goals = append(s.Goals, ev.Name)
		case event.Order:
			s.Orders = append(s.Orders, ev.Name)
			s.Cart = ""
		case event.Cart:
			s.Cart = ev.Value.Text
		}
	})
	if err != nil {
		return query.Session{}, err
	}
	s.Groups = groups.list
	if len(views) > 0 {
		slices.SortStableFunc(views, func(a, b pageView) int { return cmp.Compare(a.time, b.time) })
		s.Entry, s.Exit = views[0].location, views[len(views)-1].location
	}
	if rule.VisitVariables {
		s.Properties = beats.Vars.Properties()
	}
	if rule.HeartBeats {
		// When there are several events or heartbeats, the last one adds a second.
		if until := max(beats.At, s.End); until > s.Start {
			s.Beyond = until - s.End + 1000
		}
	}
	if s.Bounce = s.Actions <= 1; rule.BouncesByViews {
		s.Bounce = len(views) < 2
	}
	return s, nil
}

// setSource sets where the session came from, from its first event.
func setSource(s *query.Session, ev *event.Event) {
	s.Referrer = ev.Context.Get("referrer").Text
	s.Campaign = cmp.Or(ev.Context.Get("utm_campaign").Text, ev.Context.Get("utm_source").Text)
	host, _, _ := referrer.Split(s.Referrer)
	s.ReferrerType = referrerType(s.Campaign, cmp.Or(strings.ToLower(host), s.Referrer))
	if event.NewestRule(ev.Dialect).LateSource { // the site's own pages refer to each other
		s.Referrer, s.ReferrerType = "", "direct"
	}
}

// referrerType returns the kind of a source: "campaign", "search", "social", "website" or
// "direct".
func referrerType(campaign, from string) string {
	switch {
	case campaign != "":
		return "campaign"
	case from == "":
		return "direct"
	}
	if _, kind, ok := referrer.Known(from); ok && (kind == "search" || kind == "social") {
		return kind
	}
	return "website"
}

// pageView is a page or screen event of a session.
type pageView struct {
	time     int64
	location string
}
