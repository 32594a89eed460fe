package dialecttest

import (
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
)

func filled(t *testing.T, events ...event.Event) *Store {
	s := new(Store)
	for i := range events {
		if events[i].Type == "" {
			events[i].Type = event.Track
		}
		if events[i].Dialect == "" {
			events[i].Dialect = event.Native
		}
		if _, err := s.Add(&events[i], Start.UnixMilli()+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestStoreFilters(t *testing.T) {
	ms := Start.UnixMilli()
	s := filled(t,
		event.Event{Name: "one", User: "u", Anonymous: "a", Session: "s1", Groups: []string{"g", "h"}, Value: event.Num("1.0"), Time: ms,
			Properties: event.Object{{Key: "a.b", Value: event.Str("x")}, {Key: "n", Value: event.Num("100")}},
			Context:    event.Object{{Key: "country", Value: event.Str("DE")}, {Key: "bot", Value: event.Boolean(true)}}},
		event.Event{Name: "two", User: "u", Session: "s1", MessageID: "m", Time: ms + 1000,
			Properties: event.Object{{Key: "a", Value: event.Raw(`{"b":["x","y"]}`)}},
			Extra:      event.Object{{Key: "c", Value: event.Raw(`{"d":1}`)}}},
		event.Event{Name: "three", Dialect: event.Segment, Type: event.Page, Anonymous: "a", Session: "s1"},
	)
	q := func(field string, values ...string) query.Query {
		return query.Query{Where: []query.Cond{{Field: field, Values: values}}}
	}
	for _, c := range []struct {
		name  string
		query query.Query
		want  string
	}{
		{"all", query.Query{}, "three two one"},
		{"ascending", query.Query{Ascending: true}, "one two three"},
		{"name", q("name", "one", "three"), "three one"},
		{"user", q("user", "u"), "two one"},
		{"anonymous", q("anonymous", "a"), "three one"},
		{"session", q("session", "s1"), "three two one"},
		{"group", q("group", "h"), "one"},
		{"message id", q("message_id", "m"), "two"},
		{"type", q("type", "page"), "three"},
		{"dialect", q("dialect", "native"), "two one"},
		{"value in another notation", q("value", "1"), "one"},
		{"context", q("country", "DE"), "one"},
		{"context, a bool", q("bot", "true"), "one"},
		{"a dotted key and a path", q("prop.a.b", "x"), "two one"},
		{"an element of an array", q("prop.a.b", "y"), "two"},
		{"a number", q("prop.n", "1e2"), "one"},
		{"extra", q("extra.c.d", "1"), "two"},
		{"a property that no event has", q("prop.zzz", "1"), ""},
		{"an absent name does not match the empty name", q("name", ""), ""},
		{"two filters, both must match", query.Query{Where: []query.Cond{{Field: "user", Values: []string{"u"}}, {Field: "anonymous", Values: []string{"a"}}}}, "one"},
		{"from is inclusive", query.Query{From: ms + 1000}, "two"},
		{"to is exclusive", query.Query{To: ms + 1}, "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.Limit = 10
			page, err := s.List(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range page.Events {
				names = append(names, e.Name)
			}
			totals, err := s.Count(t.Context(), c.query)
			if got := strings.Join(names, " "); got != c.want || err != nil || totals.Events != uint64(len(names)) {
				t.Errorf("%q of %d (%v), want %q", got, totals.Events, err, c.want)
			}
		})
	}
	// There are two users: u, whose "one" also has the anonymous id a, and the anonymous a of
	// "three". There are two sessions, because s1 is in two dialects.
	if totals, _ := s.Count(t.Context(), query.Query{}); totals != (query.Totals{Events: 3, Users: 2, Sessions: 2}) {
		t.Errorf("totals are %+v", totals)
	}
}

func TestStorePages(t *testing.T) {
	for _, ascending := range []bool{false, true} {
		s := filled(t, make([]event.Event, 10)...)
		s.Erase("00000000000000000000000000000004")
		var seqs []uint64
		q := query.Query{Limit: 3, Ascending: ascending}
		for {
			page, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				seqs = append(seqs, e.Seq)
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
		if len(seqs) != 9 || seqs[0] == seqs[8] || (seqs[0] < seqs[8]) != ascending {
			t.Errorf("ascending %t: %v", ascending, seqs)
		}
		q.After = "00000000000000000000000000000004"
		if page, err := s.List(t.Context(), q); err != nil || page.Events[0].Seq != map[bool]uint64{true: 5, false: 3}[ascending] {
			t.Errorf("after an erased event: %v (%v)", page.Events, err)
		}
	}
	s := filled(t, event.Event{})
	for _, after := range []string{"x", "1", strings.Repeat("0", 32), strings.Repeat("0", 31) + "2", strings.Repeat("F", 32)} {
		if _, err := s.List(t.Context(), query.Query{Limit: 1, After: after}); err == nil {
			t.Errorf("%q is accepted as a cursor", after)
		}
	}
}

// The store keeps a copy, because the request's buffers are reused after Reply.
func TestStoreCopies(t *testing.T) {
	buffer := []byte("Purchase")
	s := new(Store)
	e := event.Event{Dialect: event.Oppizi, Type: event.Track, Name: string(buffer), Properties: event.Object{{Key: "k", Value: event.Str("v")}}}
	if _, err := s.Add(&e, 1); err != nil {
		t.Fatal(err)
	}
	e.Name, e.Properties[0].Key = "changed", "changed"
	page, _ := s.List(t.Context(), query.Query{Limit: 1})
	if got := page.Events[0]; got.Name != "Purchase" || got.Properties[0].Key != "k" || got.Received != 1 || got.Time != 1 {
		t.Errorf("kept %+v", got)
	}
}
