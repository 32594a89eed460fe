package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A day's values over the cap count under (other), before and after a restart, sealed or not.
// The first values keep their own counters. The next day starts anew. The index finds all
// values, and check agrees.
func TestCaps(t *testing.T) {
	if testing.Short() {
		t.Skip("stores 13,000 events")
	}
	for _, sealRows := range []int{3000, 1 << 16} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			ctx := context.Background()
			clock := newClock(epoch)
			site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
			fs := vfs.NewMem()
			options := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Reserve: -1, SealRows: sealRows, Now: clock.now}
			e, err := engine.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			reopen := func() {
				t.Helper()
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				if report, err := check.Store(ctx, fs, "data"); err != nil || len(report.Problems) > 0 {
					t.Fatalf("check: %v %v", err, report.Problems)
				}
				if e, err = engine.Open(options); err != nil {
					t.Fatal(err)
				}
			}
			send := func(from, to int) { // the values from to to-1, one per event
				t.Helper()
				for from < to {
					var records []engine.Record
					for ; from < to && len(records) < 500; from++ {
						records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x",
							Properties: event.Object{{Key: "v", Value: event.Str(fmt.Sprint("value ", from))}, {Key: "few", Value: event.Num(fmt.Sprint(from % 3))}}}}})
					}
					if _, err := e.Ingest(ctx, records, true, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			counted := func(day int32, value string) int64 {
				t.Helper()
				page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "v", Values: []string{value}, FromDay: day, ToDay: day, Limit: 10})
				if err != nil || len(page.Rows) > 1 {
					t.Fatalf("counter of %q: %+v, %v", value, page, err)
				}
				if len(page.Rows) == 0 {
					return 0
				}
				return page.Rows[0].Events
			}
			want := func(when string, day int32, rows int, events, other int64) {
				t.Helper()
				page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "v", FromDay: day, ToDay: day, Limit: 1})
				if err != nil || page.Count != rows || page.Total.Events != events {
					t.Errorf("%s: %d values, %d events, %v; want %d, %d", when, page.Count, page.Total.Events, err, rows, events)
				}
				if got := counted(day, event.Other); got != other {
					t.Errorf("%s: %d count under (other), want %d", when, got, other)
				}
			}
			const most = engine.ValuesPerDayMax
			first := int32(clock.now().Unix() / 86400)
			send(0, most-100)
			want("under the cap", first, most-100, most-100, 0)
			reopen()
			send(most-100, most)
			want("at the cap", first, most, most, 0)
			send(most, most+600)
			want("over it", first, most+1, most+600, 600)
			reopen()
			send(most+300, most+900) // some come again and are still over the cap
			send(0, 50)              // among the first
			want("after a restart", first, most+1, most+1250, 1200)
			if got := counted(first, "value 7"); got != 2 {
				t.Errorf("a value below the cap counts %d", got)
			}
			if got := counted(first, fmt.Sprint("value ", most+5)); got != 0 {
				t.Errorf("a value over the cap counts %d by itself", got)
			}
			clock.add(24 * time.Hour)
			send(most, most+200)
			want("the next day", first+1, 200, 200, 0)
			want("the first day still", first, most+1, most+1250, 1200)
			reopen()
			for _, c := range []struct {
				value int
				want  uint64
			}{{7, 2}, {most + 5, 2}, {most + 350, 2}, {most + 899, 1}} {
				got, err := e.Count(ctx, query.Query{Site: &site.Site, Where: []query.Cond{{Field: "prop.v", Values: []string{fmt.Sprint("value ", c.value)}}}})
				if err != nil || got.Events != c.want {
					t.Errorf("the index finds value %d in %d events, %v; want %d", c.value, got.Events, err, c.want)
				}
			}
			if page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "few", Limit: 10}); err != nil || page.Count != 3 || page.Total.Events != most+1450 {
				t.Errorf("another property: %d values, %d events, %v", page.Count, page.Total.Events, err)
			}
			runs := e.Stats().Runs
			if (sealRows < most) != (runs > 0) {
				t.Errorf("%d runs", runs)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
