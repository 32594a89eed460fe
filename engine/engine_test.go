package engine_test

import (
	"context"
	"fmt"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// An acknowledged event is listed, counted, and found by its id and its person, also after a
// restart, sealed or not.
func TestAcknowledgedEvents(t *testing.T) {
	for _, sealRows := range []int{1 << 16, 8} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			fs := vfs.NewMem()
			site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
			opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), SealRows: sealRows}
			e, err := engine.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			const n = 100
			var ids []string
			for i := range n {
				ev := &event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("name-%d", i%3), Anonymous: fmt.Sprintf("v%d", i%5),
					MessageID: fmt.Sprintf("m%d", i), Properties: event.Object{{Key: "amount", Value: event.Num(fmt.Sprint(i % 7))}, {Key: "plan", Value: event.Str("pro")}}}
				out, err := e.Ingest(ctx, []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil)
				if err != nil || out[0].Status != event.Stored || out[0].Seq != uint64(i+1) {
					t.Fatalf("event %d: %+v, %v", i, out, err)
				}
				ids = append(ids, out[0].ID)
			}
			for round := range 2 {
				page, err := e.List(ctx, query.Query{Site: &site.Site, Limit: 1000})
				if err != nil || len(page.Events) != n || page.Next != "" {
					t.Fatalf("round %d: list: %d events, %v", round, len(page.Events), err)
				}
				for i, ev := range page.Events {
					if ev.ID != ids[n-1-i] || ev.Properties.Get("plan").Text != "pro" {
						t.Fatalf("event %d: %+v", i, ev)
					}
				}
				count, err := e.Count(ctx, query.Query{Site: &site.Site, Where: []query.Cond{{Field: "name", Values: []string{"name-1"}}}})
				if err != nil || count != (query.Totals{Events: 33, Users: 5, Sessions: 5}) {
					t.Fatalf("count: %+v, %v", count, err)
				}
				c, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "amount"})
				if err != nil || len(c.Rows) != 7 || c.Total.Events != n || c.Total.Users != 5 {
					t.Fatalf("counters: %+v, %v", c, err)
				}
				u, err := e.User(ctx, &site.Site, "v3")
				if err != nil || u.Events != 20 || u.Sessions != 1 {
					t.Fatalf("user: %+v, %v", u, err)
				}
				dup := &event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: "m7"}
				out, err := e.Ingest(ctx, []engine.Record{{Site: site, Record: &event.Record{Event: *dup}}}, true, nil)
				if err != nil || out[0].Status != event.Duplicate || out[0].ID != ids[7] {
					t.Fatalf("duplicate: %+v, %v", out, err)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				report, err := check.Store(ctx, fs, "data")
				if err != nil || len(report.Problems) > 0 || report.Events != n {
					t.Fatalf("check: %+v, %v", report, err)
				}
				if e, err = engine.Open(opts); err != nil {
					t.Fatal(err)
				}
			}
			info, err := e.Snapshot(ctx, "snap")
			if err != nil || info.Events != n {
				t.Fatalf("snapshot: %+v, %v", info, err)
			}
			if report, err := check.Store(ctx, fs, "snap"); err != nil || len(report.Problems) > 0 || report.Events != n {
				t.Fatalf("check of the snapshot: %+v, %v", report, err)
			}
			if err := store.Restore(fs, "snap", "data2", nil); err != nil {
				t.Fatal(err)
			}
			if report, err := check.Store(ctx, fs, "data2"); err != nil || len(report.Problems) > 0 || report.Events != n {
				t.Fatalf("check of the restored: %+v, %v", report, err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
