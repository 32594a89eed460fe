package engine

import (
	"fmt"
	"reflect"
	"testing"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A kept answer is given as long as it is true: not when a row has come, nor when
// two persons have become one; and what a caller does with it changes nothing.
func TestAnswersHold(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: []*Site{site}, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	send := func(ev event.Event) {
		t.Helper()
		ev.Dialect = event.Native
		if _, err := e.Ingest(t.Context(), []Record{{Site: site, Event: &ev}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, plan := range []string{"free", "pro", "free", "team"} {
		send(event.Event{Type: event.Track, Name: "seen", User: fmt.Sprint("user ", i), Properties: event.Object{{Key: "plan", Value: event.Str(plan)}}})
	}
	asked := query.Query{Site: &site.Site, Where: []query.Cond{{Field: "name", Values: []string{"seen"}}}}
	counters := query.CounterQuery{Site: &site.Site, Property: "plan"}
	var first query.CounterPage
	ask := func(what string, events, users uint64) {
		t.Helper()
		for range 3 {
			got, err := e.Count(t.Context(), asked)
			if err != nil || got.Events != events || got.Users != users {
				t.Errorf("%s: %+v, %v; want %d events of %d users", what, got, err, events, users)
			}
			page, err := e.Counters(t.Context(), counters)
			if err != nil || page.Total.Events != int64(events) || page.Total.Users != users {
				t.Errorf("%s: %+v, %v; want %d events of %d users", what, page.Total, err, events, users)
			}
			series, err := e.Series(t.Context(), asked, "day", nil)
			if err != nil || len(series) != 1 || series[0].Events != events || series[0].Users != users {
				t.Errorf("%s: %+v, %v; want %d events of %d users", what, series, err, events, users)
			}
			if first.Rows == nil {
				first = page
				first.Rows = append([]query.CounterRow(nil), page.Rows...)
			}
			clear(page.Rows)
			clear(series)
		}
	}
	ask("at first", 4, 4)
	if n := len(e.kept.byKey); n != 3 {
		t.Errorf("%d answers are kept, want 3", n)
	}
	again, err := e.Counters(t.Context(), counters)
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("asked again: %+v, %v; want %+v", again, err, first)
	}
	send(event.Event{Type: event.Alias, User: "user 0", Previous: "user 1"})
	ask("after an alias", 4, 3)
	send(event.Event{Type: event.Track, Name: "seen", User: "user 9", Properties: event.Object{{Key: "plan", Value: event.Str("pro")}}})
	ask("after another event", 5, 4)
}

// Queries that differ in anything have answers of their own.
func TestAnswerKeys(t *testing.T) {
	a, b := &Site{Site: query.Site{ID: 1}}, &Site{Site: query.Site{ID: 2}}
	keys := map[string]string{}
	add := func(key string, q any) {
		t.Helper()
		if other, ok := keys[key]; ok {
			t.Errorf("%+v and %s have one key, %q", q, other, key)
		}
		keys[key] = fmt.Sprintf("%+v", q)
	}
	for _, q := range []query.Query{{Site: &a.Site}, {Site: &b.Site}, {Site: &a.Site, From: 1}, {Site: &a.Site, To: 1},
		{Site: &a.Site, Where: []query.Cond{{Field: "name", Values: []string{"x"}}}}, {Site: &a.Site, Where: []query.Cond{{Field: "name", Values: []string{"x", "y"}}}},
		{Site: &a.Site, Where: []query.Cond{{Field: "name", Values: []string{`x" "y`}}}}, {Site: &a.Site, Where: []query.Cond{{Field: "name", Values: []string{"x"}}, {Field: "name", Values: []string{"y"}}}}} {
		add(queryKey(&q, "count"), q)
		add(queryKey(&q, "series day UTC"), q)
	}
	for _, q := range []query.CounterQuery{{Site: &a.Site}, {Site: &b.Site}, {Site: &a.Site, Property: "p"}, {Site: &a.Site, Segment: "p"}, {Site: &a.Site, Values: []string{"p"}},
		{Site: &a.Site, SegmentValues: []string{"p"}}, {Site: &a.Site, Where: []query.Cond{{Field: "name", Values: []string{"x"}}}}, {Site: &a.Site, From: 1}, {Site: &a.Site, To: 1},
		{Site: &a.Site, FromDay: 1}, {Site: &a.Site, ToDay: 1}, {Site: &a.Site, Sort: "users"}, {Site: &a.Site, Limit: 1}, {Site: &a.Site, Offset: 1}, {Site: &a.Site, Interval: "day"}} {
		add(counterKey(&q), q)
	}
}

// The cache keeps to its size, whatever the sizes of answers.
func TestAnswersAreBounded(t *testing.T) {
	a := newAnswers(10_000)
	v := &view{View: table.New(1, identity.NewLinks(nil, nil)).View()}
	for i := range 500 {
		size := i * 37 % 4000
		got, err := answered(a, v, fmt.Sprint("query ", i), func(int) int { return size }, func() (int, error) { return i, nil })
		if got != i || err != nil {
			t.Fatalf("answer %d is %d, %v", i, got, err)
		}
		total := int64(0)
		for _, el := range a.byKey {
			total += el.Value.(*answer).bytes
		}
		if a.bytes != total || total > a.max || a.order.Len() != len(a.byKey) {
			t.Fatalf("%d bytes, counted %d, at most %d; %d of %d", total, a.bytes, a.max, a.order.Len(), len(a.byKey))
		}
	}
	if len(a.byKey) < 3 {
		t.Errorf("%d answers are kept", len(a.byKey))
	}
}
