package openpanel

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file makes the events of the export that nobody sent: the start and the end of each
// session.

// sessionIdle ends a session, in milliseconds.
const sessionIdle = 30 * 60 * 1000

// A session begins a little before its first event and ends after its last one, in
// milliseconds.
const (
	startBefore = 100
	endAfter    = 1000
)

// exportSessions lists what the vendor's server stores as events: the start of each session,
// and the end of those that are over.
func (x *reading) exportSessions(e *exporting, names []string) error {
	if len(e.filters) > 0 || slices.ContainsFunc(e.query.Where, func(c query.Cond) bool { return c.Op == query.OpNot }) {
		return dialect.Refuse("filters", "only the operator is can be used with session_start and session_end")
	}
	q := e.query
	q.Where = append(q.Where, query.Cond{Field: "dialect", Values: []string{string(event.OpenPanel)}})
	q.Limit = pageMax
	if q.From > 0 {
		q.From -= endAfter
		q.To += startBefore
	}
	type edge struct {
		*query.Session
		name string
		at   int64
	}
	var edges []edge
	for n := 0; ; {
		sessions, next, err := x.store.Sessions(x.ctx, q)
		if err != nil {
			return err
		}
		if n += len(sessions); n > derivedMax {
			return dialect.Refuse("event", "at most 2000 sessions are listed; narrow by start and end")
		}
		for i := range sessions {
			s := &sessions[i]
			for _, edge := range []edge{{s, "session_end", s.End + endAfter}, {s, "session_start", s.Start - startBefore}} {
				over := x.req.ReceivedUnixMilli-s.End > sessionIdle
				within := e.query.From == 0 || e.query.From <= edge.at && edge.at < e.query.To
				if slices.Contains(names, edge.name) && within && (over || edge.name == "session_start") {
					edges = append(edges, edge)
				}
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	total := uint64(len(edges))
	edges = edges[min(len(edges), (e.page-1)*e.limit):]
	edges = edges[:min(len(edges), e.limit)]
	lines := make([]exported, len(edges))
	for i, edge := range edges {
		// The first event says what is known of the visitor.
		first, err := x.store.Event(x.ctx, edge.Cursor)
		if err != nil {
			return err
		}
		line := event.Event{
			ID: edge.ID + "." + edge.name, Type: event.Track, Name: edge.name, Time: edge.at,
			User: edge.User, Anonymous: edge.Anonymous, Session: edge.ID, Groups: edge.Groups,
			Context: append(event.Object(nil), first.Context...), Extra: first.Extra,
		}
		if lines[i].Event = &line; edge.name == "session_end" {
			lines[i].duration = edge.End - edge.Start
			line.Context.Set("path", event.Str(pathOf(edge.Exit)))
			line.Properties = event.Object{{Key: "__bounce", Value: event.Boolean(edge.Bounce)}}
		}
	}
	return x.writePage(e, lines, total)
}
