// Sessions: computed from their events.

package read

import (
	"cmp"
	"context"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/referrer"
	"cairn/index"
)

// Session returns the session with a key, or the newest of the sessions that have the id. If
// there is none, it returns query.ErrNotFound. Whatever deciphers to an event of the site is a
// key.
func (rd *Reader) Session(ctx context.Context, site *query.Site, id string) (query.Session, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	first, isKey := rd.Public.Decode(site.ID, id)
	if !isKey {
		var err error
		if first, err = v.newestSession(id); err != nil {
			return query.Session{}, err
		}
	}
	return rd.session(v, site, first)
}

// newestSession returns the ordinal of the session that began last among those of a name, or
// 0 if there is none.
func (v *view) newestSession(name string) (newest uint64, err error) {
	pred := newPredicate(index.Clause{Any: []index.Alt{{Field: event.FieldSession, Terms: []string{name}}}})
	c := clock{budget: v.budget}
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		if p.Last() <= newest {
			break // a session begins with its first row
		}
		if err := v.budget.check(); err != nil {
			return 0, err
		}
		matcher := pred.matcher(p)
		if matcher != nil {
			sessions := p.Get().Ints(event.IntSession)
			matcher.Descend(p.Get().Len()-1, func(row int) bool {
				newest = max(newest, uint64(sessions.At(row)))
				err = c.countRow(0)
				return err == nil && p.First()+uint64(row) > newest
			})
		}
		if err := cmp.Or(err, p.Err()); err != nil {
			return 0, err
		}
	}
	return newest, nil
}

// sessionClause finds the events of sessions by their keys and names.
func (v *view) sessionClause(values []string) (c index.Clause, err error) {
	for _, value := range values {
		first, isKey := v.public.Decode(v.Table.ID, value)
		if !isKey {
			c.Any = append(c.Any, index.Alt{Field: event.FieldSession, Terms: []string{value}})
			continue
		}
		ev, err := v.Names(first)
		if err != nil {
			return c, err
		}
		if ev != nil && ev.Session != "" {
			c.Any = append(c.Any, sessionAlt(ev.Session, first))
		}
	}
	return c, nil
}

// sessionAlt finds the rows of the session with an ordinal. All have its name, by which the
// index finds them.
func sessionAlt(name string, ord uint64) index.Alt {
	return index.Alt{Field: event.FieldSession, Terms: []string{name}, Within: &index.Range{Col: event.IntSession, From: int64(ord), To: int64(ord) + 1}}
}

// sessions answers Sessions.
func (rd *Reader) sessions(ctx context.Context, q query.Query) (_ []query.Session, next string, _ error) {
	limit, err := checkLimit(q.Limit, query.LimitMax)
	if err != nil {
		return nil, "", err
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	keep, begin := func(uint64) bool { return true }, v.sessionBegin
	if len(q.Where) > 0 || q.From != 0 || q.To != 0 {
		matched, err := v.ordinals(&q, event.IntSession)
		if err != nil {
			return nil, "", err
		}
		keep, begin = matched.Has, nil
	}
	firsts, more, err := rd.firstSeqs(v, q, event.IntSession, limit, keep, begin)
	if err != nil {
		return nil, "", err
	}
	sessions := make([]query.Session, 0, len(firsts))
	left := cmp.Or(q.Bytes, math.MaxInt)
	for _, first := range firsts {
		if left <= 0 {
			more = true
			break
		}
		s, err := rd.session(v, q.Site, first)
		if err != nil {
			return nil, "", err
		}
		sessions = append(sessions, s)
		left -= objectBytes(s.Properties) + namesBytes(s.Goals, s.Orders, s.Groups, []string{s.Entry, s.Exit, s.Referrer, s.Cart})
	}
	if more {
		return sessions, sessions[len(sessions)-1].Cursor, nil
	}
	return sessions, "", nil
}

// session computes the session whose first row, deleted or not, has the seq first. If that row
// begins no session, or all events of the session are deleted, session returns
// query.ErrNotFound.
func (rd *Reader) session(v *view, site *query.Site, first uint64) (query.Session, error) {
	if first == 0 {
		return query.Session{}, query.ErrNotFound
	}
	ev, err := v.Names(first)
	if err != nil {
		return query.Session{}, err
	}
	if ev == nil || ev.SessionOrd != first {
		return query.Session{}, query.ErrNotFound
	}
	s := query.Session{ID: ev.Session, Dialect: ev.Dialect, Cursor: rd.Public.Encode(site.ID, first)}
	rule := event.NewestRule(ev.Dialect)
	from := newSource(site, rule)
	var views []pageView
	var groups names
	people, err := v.persons()
	if err != nil {
		return query.Session{}, err
	}
	var bare uint64 // the person of s.Anonymous while that is a fingerprint
	beats := new(identity.Heartbeats)
	if rule.HeartBeats {
		if beats, err = identity.ReadHeartbeats(rd.DB, site.ID, first); err != nil {
			return query.Session{}, err
		}
	}
	err = v.eachEvent([]index.Clause{{Any: []index.Alt{sessionAlt(ev.Session, first)}}}, func(ev *event.Event) {
		if s.Events == 0 || ev.Time < s.Start {
			s.Start = ev.Time
		}
		if s.Events == 0 || ev.Time > s.End {
			s.End = ev.Time
		}
		s.Events++
		from.take(ev)
		if rule.VisitVariables {
			for variable := range identity.VisitVarsOf(ev, ev.Seq) {
				beats.Vars.Set(variable, identity.VisitVarsBytesMax)
			}
		}
		if ev.User != "" {
			s.User = ev.User
		}
		fingerprint := rule.Visits && ev.Anonymous == ev.Extra.Get(event.Fingerprint).Text
		switch {
		case s.Anonymous == "":
			if s.Anonymous = ev.Anonymous; fingerprint {
				bare = ev.PersonOrd
			}
		case bare != 0 && !fingerprint && ev.Anonymous != "" && people.Find(bare) == people.Find(ev.PersonOrd):
			s.Anonymous, bare = ev.Anonymous, 0 // an id says more than a fingerprint of the same person
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
	switch {
	case err != nil:
		return query.Session{}, err
	case s.Events == 0:
		return query.Session{}, query.ErrNotFound
	}
	from.set(&s)
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

// referrerType returns the kind of a source: "campaign", "search", "social", "ai", "website"
// or "direct".
func referrerType(campaign, from string) string {
	switch {
	case campaign != "":
		return "campaign"
	case from == "":
		return "direct"
	}
	if _, kind, ok := referrer.Known(from); ok && (kind == "search" || kind == "social" || kind == "ai") {
		return kind
	}
	return "website"
}

// pageView is a page or screen event of a session.
type pageView struct {
	time     int64
	location string
}
