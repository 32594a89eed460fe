package engine

import (
	"fmt"
	"reflect"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A cached answer is given only while it is true: a new row or a link between two persons
// makes it void. What a caller does with an answer does not change the cached one.
func TestResultCacheStaysTrue(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	send := func(ev event.Event) {
		t.Helper()
		ev.Dialect = event.Native
		if _, err := e.Ingest(t.Context(), []Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
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
	if n, _ := e.CachedCounts(); n != 3 {
		t.Errorf("%d answers are cached, want 3", n)
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
