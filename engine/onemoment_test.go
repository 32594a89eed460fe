// A report sees the persons of one moment, in all of its passes.

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// interrupted is a context of which one call of Err, the at-th, does something first. Reports call
// it whenever they look at the time.
type interrupted struct {
	context.Context
	at    int64
	calls atomic.Int64
	do    func()
}

func (c *interrupted) Err() error {
	if c.calls.Add(1) == c.at {
		c.do()
	}
	return c.Context.Err()
}

// Links that come while a report is at work, at whatever point, are in all of its answer or in
// none of it. Half of the visitors turn out to be people who were seen before. With few tuples the
// medians of a report of visits take further passes.
func TestReportsSeeOneMoment(t *testing.T) {
	const visitors = 100
	send := func(e *engine.Engine, events ...event.Event) {
		var records []engine.Record
		for _, ev := range events {
			ev.Dialect = event.Native
			records = append(records, engine.Record{Site: storySite, Record: &event.Record{Event: ev}})
		}
		if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
			t.Error(err)
		}
	}
	at := func(d time.Duration) int64 { return storyDay.Add(d).UnixMilli() }
	begin := func() *engine.Engine {
		e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(storySite), Reserve: -1, Tuples: 16})
		if err != nil {
			t.Fatal(err)
		}
		var events []event.Event
		for i := range visitors / 2 {
			events = append(events, event.Event{Type: event.Track, Name: "before", User: fmt.Sprint("u", i), Time: at(-48 * time.Hour)})
		}
		for i := range visitors {
			for k := range 2 {
				ev := event.Event{Type: event.Page, Anonymous: fmt.Sprint("a", i), Time: at(time.Duration(i*k) * time.Second)}
				ev.Context.Set("path", event.Str(fmt.Sprint("/", i)))
				events = append(events, ev)
			}
		}
		send(e, events...)
		if _, err := e.VisitReport(t.Context(), query.VisitsQuery{Report: storyReport(-1)}); err != nil { // reads the links
			t.Fatal(err)
		}
		return e
	}
	link := func(e *engine.Engine) {
		var events []event.Event
		for i := range visitors / 2 {
			events = append(events, event.Event{Type: event.Alias, User: fmt.Sprint("u", i), Previous: fmt.Sprint("a", i), Time: at(72 * time.Hour)})
		}
		send(e, events...)
	}
	day := storyReport(1)
	ofNew, ofOne := day, day
	ofNew.Where = []query.Cond{{Field: "new", Values: []string{"true"}, Visit: true}}
	ofOne.Where = cond("user", "u1", "u2", "a3")
	all := query.Rows{Limit: 1000}
	for name, ask := range map[string]func(context.Context, *engine.Engine) (any, error){
		"visits": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, err := e.VisitReport(ctx, query.VisitsQuery{Report: day, By: []string{"new", "entry"}, Rows: all})
			a.AsOf = query.AsOf{}
			return a, err
		},
		"new visits": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, err := e.VisitReport(ctx, query.VisitsQuery{Report: ofNew, By: []string{"new", "entry"}, Rows: all})
			a.AsOf = query.AsOf{}
			return a, err
		},
		"visits of some": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, err := e.VisitReport(ctx, query.VisitsQuery{Report: ofOne, By: []string{"new", "entry"}, Rows: all})
			a.AsOf = query.AsOf{}
			return a, err
		},
		"pages": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, err := e.Pages(ctx, query.PagesQuery{Report: ofNew, Of: "page", Rows: all})
			a.AsOf = query.AsOf{}
			return a, err
		},
		"breakdown": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, err := e.Breakdown(ctx, query.BreakdownQuery{Report: ofNew, By: []string{"page"}, Rows: query.Rows{Limit: 1000, Sort: "users"}})
			a.AsOf = query.AsOf{}
			return a, err
		},
		"users": func(ctx context.Context, e *engine.Engine) (any, error) {
			a, _, err := e.Users(ctx, query.Query{Site: &storySite.Site, Where: cond("type", "page"), Limit: 1000})
			var ids []string
			for i := range a {
				ids = append(ids, a[i].ID)
			}
			return ids, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := func(ctx context.Context, e *engine.Engine) string {
				a, err := ask(ctx, e)
				if err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(a)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			e := begin()
			before := answer(t.Context(), e)
			link(e)
			after := answer(t.Context(), e)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if before == after {
				t.Fatal("the links change nothing")
			}
			for i := int64(1); ; i += 1 + i/16 {
				e := begin()
				ctx := &interrupted{Context: t.Context(), at: i, do: func() { link(e) }}
				got := answer(ctx, e)
				calls := ctx.calls.Load()
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				if got != before && got != after {
					t.Fatalf("links come when the time is looked at for the %d. time:\n%s\nbefore them\n%s\nafter them\n%s", i, got, before, after)
				}
				if i >= calls {
					break
				}
			}
		})
	}
}
