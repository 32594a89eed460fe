package dialecttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// Event returns the event with an id.
func (s *Store) Event(_ context.Context, id string) (*event.Event, error) {
	if seq, err := s.position(id); err == nil && s.events[seq-1] != nil {
		return s.events[seq-1], nil
	}
	return nil, &dialect.StatusError{Failure: dialect.NotFound, Msg: "not found"}
}

// Ticket always returns the same ticket.
func (s *Store) Ticket(ttl time.Duration) string {
	return fmt.Sprintf("00000000-0000-0000-0000-%012d", int(ttl.Seconds()))
}

// Counters adds up event.Counts of every event. Days are in UTC. A series has only daily
// buckets, and only days with rows.
func (s *Store) Counters(_ context.Context, q query.CounterQuery) (query.CounterPage, error) {
	if q.Limit < 1 || q.Limit > 10_000 || q.Interval != "" && q.Interval != "day" {
		return query.CounterPage{}, &dialect.StatusError{Failure: dialect.BadRequest, Msg: "bad query"}
	}
	type key struct {
		value, segment string
		time           int64
	}
	type sets struct {
		row             query.CounterRow
		users, sessions map[string]bool
		values          map[string]bool
	}
	fresh := func() *sets {
		return &sets{users: map[string]bool{}, sessions: map[string]bool{}, values: map[string]bool{}}
	}
	rows, total := map[key]*sets{}, fresh()
	add := func(t *sets, e *event.Event, by int64) {
		t.row.Events += by
		if who := cmp.Or(e.User, e.Anonymous); who != "" {
			t.users[who] = true
		}
		if e.Session != "" {
			t.sessions[e.Session] = true
		}
		t.row.Users, t.row.Sessions = uint64(len(t.users)), uint64(len(t.sessions))
	}
	for _, e := range s.ordered(true) {
		const dayMillis = 24 * 60 * 60 * 1000
		day := int32(e.Time / dayMillis)
		if (q.FromDay != 0 || q.ToDay != 0) && (day < q.FromDay || day > q.ToDay) || !matches(e, query.Query{From: q.From, To: q.To}) {
			continue
		}
		segments := []string{""}
		if q.Segment != "" {
			segments = nil
			if slices.Contains([]string{"platform", "browser", "country"}, q.Segment) || slices.Contains(e.Segments, q.Segment) {
				e.Counts(func(property, value string, _ int64) bool {
					if property == q.Segment && (len(q.SegmentValues) == 0 || slices.Contains(q.SegmentValues, value)) {
						segments = append(segments, value)
					}
					return true
				})
			}
		}
		e.Counts(func(property, value string, by int64) bool {
			k := key{value: value}
			if q.Property == "" {
				k.value = property
			} else if property != q.Property || property == q.Segment || len(q.Values) > 0 && !slices.Contains(q.Values, value) {
				return true
			}
			if q.Interval != "" {
				k.time = int64(day) * dayMillis
			}
			for _, k.segment = range segments {
				if rows[k] == nil {
					rows[k] = fresh()
				}
				add(rows[k], e, by)
				rows[k].values[value] = true
				add(total, e, by)
			}
			return true
		})
	}
	page := query.CounterPage{Count: len(rows), Total: total.row}
	for k, t := range rows {
		t.row.Value, t.row.Segment, t.row.Time = k.value, k.segment, k.time
		if q.Property == "" {
			t.row.Values = uint64(len(t.values))
		}
		page.Rows = append(page.Rows, t.row)
	}
	slices.SortFunc(page.Rows, func(a, b query.CounterRow) int {
		by := map[string]int{"": cmp.Compare(b.Events, a.Events), "events": cmp.Compare(b.Events, a.Events), "users": cmp.Compare(b.Users, a.Users), "sessions": cmp.Compare(b.Sessions, a.Sessions)}[q.Sort]
		return cmp.Or(cmp.Compare(a.Time, b.Time), by, strings.Compare(a.Value, b.Value), strings.Compare(a.Segment, b.Segment))
	})
	page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
	if page.More = len(page.Rows) > q.Limit; page.More {
		page.Rows = page.Rows[:q.Limit]
	}
	return page, nil
}

// Digest summarises the events that q selects. If a field has several values, the newest by time
// wins.
func (s *Store) Digest(ctx context.Context, q query.Query) (query.Digest, error) {
	totals, err := s.Count(ctx, q)
	d := query.Digest{Totals: totals}
	events := s.ordered(true)
	slices.SortStableFunc(events, func(a, b *event.Event) int { return cmp.Compare(a.Time, b.Time) })
	for _, e := range events {
		if !matches(e, q) {
			continue
		}
		if d.First == 0 {
			d.First = e.Time
		}
		d.Last, d.Name = e.Time, cmp.Or(e.Name, d.Name)
		for _, m := range e.Properties {
			d.Properties.Set(m.Key, m.Value)
		}
		for _, m := range e.Context {
			d.Context.Set(m.Key, m.Value)
		}
	}
	return d, err
}
