package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The clock goes back a day, forward ten years, back again and back ten years, and it begins at
// 1970, while events are stored and sealed and the server restarts. No event is lost, none is
// stored twice, and the order stays that of receipt.
func TestClockJumps(t *testing.T) {
	for _, sealRows := range []int{7, 1 << 16} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			ctx := context.Background()
			clock := newClock(epoch)
			site := &engine.Site{Site: query.Site{ID: 1, Name: "one", Location: newYork}}
			fs := vfs.NewMem()
			options := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Reserve: -1, Memory: 16 << 20, SealRows: sealRows, Now: clock.now}
			e, err := engine.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			type sent struct {
				record engine.Record
				out    event.Outcome
			}
			var all []sent
			day := 24 * time.Hour
			to1970 := time.Unix(60, 0).Sub(epoch.Add(-3643 * day)) // about from where the clock is then
			for step, jump := range []time.Duration{0, -day, 0, 3653 * day, time.Hour, -3653 * day, -90 * day, 100 * day, day, -3653 * day, to1970, 0, -to1970, 3653 * day} {
				clock.add(jump)
				var these []sent
				for i := range 20 {
					ev := &event.Event{Dialect: event.Native, Type: event.Track, Name: "step", Anonymous: fmt.Sprintf("a%d", i%4), MessageID: fmt.Sprintf("%d-%d", step, i),
						Properties: event.Object{{Key: "step", Value: event.Num(fmt.Sprint(step))}}}
					if i%5 == 1 {
						ev.Time = epoch.Add(time.Duration(i) * time.Minute).UnixMilli() // as from a client with a correct clock
					}
					r := engine.Record{Site: site, Record: &event.Record{Event: *ev}}
					out, err := e.Ingest(ctx, copyRecords([]engine.Record{r}), true, nil)
					if err != nil || out[0].Status != event.Stored || out[0].Seq != uint64(len(all)+len(these)+1) {
						t.Fatalf("step %d event %d: %+v, %v", step, i, out, err)
					}
					these = append(these, sent{r, out[0]})
				}
				if step%3 == 2 {
					if err := e.Close(); err != nil {
						t.Fatal(err)
					}
					if report, err := check.Store(ctx, fs, "data"); err != nil || len(report.Problems) > 0 {
						t.Fatalf("step %d: check: %v %v", step, err, report.Problems)
					}
					if e, err = engine.Open(options); err != nil {
						t.Fatalf("step %d: %v", step, err)
					}
				}
				// Retries within the dedup window: with the clock as it was, an hour later, and a
				// day earlier.
				for _, off := range []time.Duration{0, time.Hour, -day} {
					clock.add(off)
					for i, s := range these {
						out, err := e.Ingest(ctx, copyRecords([]engine.Record{s.record}), true, nil)
						if err != nil || out[0].Status != event.Duplicate || out[0].Seq != s.out.Seq || out[0].ID != s.out.ID {
							t.Fatalf("step %d event %d again, clock %v: %+v, %v", step, i, off, out, err)
						}
					}
					clock.add(-off)
				}
				all = append(all, these...)
			}
			events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 50})
			if err != nil || len(events) != len(all) {
				t.Fatalf("%d events are listed, %v; want %d", len(events), err, len(all))
			}
			for i, ev := range events {
				if ev.Seq != uint64(i+1) || ev.ID != all[i].out.ID || ev.MessageID != all[i].record.Event.MessageID {
					t.Errorf("event %d is %s", i+1, show(ev))
				}
			}
			down, err := walk(e, query.Query{Site: &site.Site, Limit: 33})
			slices.Reverse(down)
			if err != nil || !slices.Equal(seqs(down), seqs(events)) {
				t.Errorf("newest first: %d events, %v", len(down), err)
			}
			// Each time is in exactly one bucket, each day in exactly one counter.
			count, err := e.Count(ctx, query.Query{Site: &site.Site, From: 0, To: epoch.Add(8000 * day).UnixMilli()})
			if err != nil || count.Events != uint64(len(all)) || count.Users != 4 {
				t.Errorf("count %+v, %v", count, err)
			}
			page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "step", Limit: 100})
			if err != nil || page.Total.Events != int64(len(all)) || page.Count != 14 {
				t.Errorf("counters %+v, %v", page, err)
			}
			buckets, err := e.Series(ctx, query.Query{Site: &site.Site, From: time.Unix(0, 0).UnixMilli(), To: epoch.Add(4000 * day).UnixMilli()}, "month", newYork)
			var sum uint64
			for _, b := range buckets {
				sum += b.Events
			}
			if err != nil || sum != uint64(len(all)) {
				t.Errorf("the months have %d events, %v", sum, err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if report, err := check.Store(ctx, fs, "data"); err != nil || len(report.Problems) > 0 || report.Events != uint64(len(all)) {
				t.Fatalf("check: %+v, %v", report, err)
			}
		})
	}
}
