package dialecttest

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// User collects the events of a literal user id or, if there are none, of an anonymous id: the
// Store does not link ids. A newer trait replaces an older one with the same key.
func (s *Store) User(_ context.Context, id string) (query.User, error) {
	for _, kind := range []func(*event.Event) string{
		func(e *event.Event) string { return e.User },
		func(e *event.Event) string { return e.Anonymous },
	} {
		u := query.User{ID: id}
		for _, e := range s.ordered(true) {
			if kind(e) != id {
				continue
			}
			if u.Events++; u.Cursor == "" {
				u.Cursor, u.FirstSeen, u.LastSeen = e.ID, e.Time, e.Time
			}
			u.FirstSeen, u.LastSeen = min(u.FirstSeen, e.Time), max(u.LastSeen, e.Time)
			if e.Anonymous != "" && !slices.Contains(u.Anonymous, e.Anonymous) {
				u.Anonymous = append(u.Anonymous, e.Anonymous)
			}
			switch e.Type {
			case event.Identify:
				for _, m := range e.Properties {
					u.Properties.Set(m.Key, m.Value)
				}
			case event.Group:
				u.Groups = append(u.Groups, e.Groups...)
			}
		}
		if u.Events > 0 {
			return u, nil
		}
	}
	return query.User{}, &dialect.StatusError{Failure: dialect.NotFound, Msg: "not found"}
}

// Users lists literal ids, on one page.
func (s *Store) Users(ctx context.Context, _ query.Query) (users []query.User, next string, err error) {
	seen := map[string]bool{"": true}
	for _, e := range s.ordered(true) {
		id := e.User
		if id == "" {
			id = e.Anonymous
		}
		if !seen[id] {
			seen[id] = true
			u, err := s.User(ctx, id)
			if err != nil {
				return nil, "", err
			}
			users = append(users, u)
		}
	}
	slices.Reverse(users)
	return users, "", nil
}

// Sessions lists the sessions of the events of q, on one page.
func (s *Store) Sessions(_ context.Context, q query.Query) (sessions []query.Session, next string, err error) {
	wanted := map[string]bool{}
	for _, e := range s.ordered(true) {
		if matches(e, q) {
			wanted[e.Session] = true
		}
	}
	at := map[string]int{}
	for _, e := range s.ordered(true) {
		if e.Session == "" || !wanted[e.Session] {
			continue
		}
		i, ok := at[e.Session]
		if !ok {
			i = len(sessions)
			at[e.Session] = i
			sessions = append(sessions, query.Session{ID: e.Session, User: e.User, Anonymous: e.Anonymous, Dialect: e.Dialect, Start: e.Time, End: e.Time, Cursor: e.ID, Bounce: true})
		}
		t := &sessions[i]
		t.Events++
		t.Start, t.End = min(t.Start, e.Time), max(t.End, e.Time)
		if e.Type == event.Page {
			if t.Exit = e.Context.Get("url").Text; t.Entry == "" {
				t.Entry = t.Exit
			} else {
				t.Bounce = false
			}
		}
		for _, g := range e.Groups {
			if !slices.Contains(t.Groups, g) {
				t.Groups = append(t.Groups, g)
			}
		}
	}
	slices.Reverse(sessions)
	return sessions, "", nil
}

// Visits counts sessions, users and pages in one step.
func (s *Store) Visits(ctx context.Context, q query.Query, _ string) (total query.Visits, steps []query.Visits, err error) {
	totals, err := s.Count(ctx, q)
	if err != nil {
		return total, nil, err
	}
	total = query.Visits{Time: q.From, Users: totals.Users, Sessions: totals.Sessions}
	for _, e := range s.ordered(true) {
		if matches(e, q) && (e.Type == event.Page || e.Type == event.Screen) {
			total.Views++
		}
	}
	return total, []query.Visits{total}, nil
}
