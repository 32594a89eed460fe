// Whoever follows a site gets every event once and in order, or is told how many were left out.

package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestTail(t *testing.T) {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), SealRows: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := t.Context()
	sent := 0
	ingest := func(n int) {
		records := make([]engine.Record, n)
		for i := range records {
			sent++
			records[i] = engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: []string{"a", "b"}[sent%2], Anonymous: "v", Properties: event.Object{{Key: "n", Value: event.Num(fmt.Sprint(sent))}}}}}
		}
		if _, err := e.Ingest(ctx, records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	// Someone follows from before the first event: nothing is missing and nothing comes twice.
	at, err := e.Place(&site.Site, "")
	if err != nil || at != 0 {
		t.Fatal(at, err)
	}
	got, ids := 0, []string{}
	follow := func() {
		for {
			p, err := e.Tail(ctx, query.Tail{Site: &site.Site, After: at, Limit: 7})
			if err != nil || p.Skipped != 0 {
				t.Fatal(p, err)
			}
			for _, ev := range p.Events {
				if got++; ev.Properties.Get("n").Text != fmt.Sprint(got) || ev.Site != "shop" {
					t.Fatalf("event %d: %+v", got, ev)
				}
				ids = append(ids, ev.ID)
			}
			if at = p.Next; !p.More {
				break
			}
		}
		if got != sent {
			t.Fatalf("%d of %d events", got, sent)
		}
	}
	follow()
	for _, n := range []int{1, 100, 7, 8, 300} {
		ingest(n)
		follow()
	}
	// What is left out is counted, by the filter too.
	where := []query.Cond{{Field: "name", Values: []string{"a"}}}
	p, err := e.Tail(ctx, query.Tail{Site: &site.Site, Where: where, After: 16, Limit: 5, Skip: true})
	if err != nil || len(p.Events) != 5 || p.Events[0].Seq != 18 || p.Skipped != 195 || p.Next != 416 || p.More || p.ID != ids[415] {
		t.Errorf("%d events, %+v, %v", len(p.Events), p, err)
	}
	if p, err = e.Tail(ctx, query.Tail{Site: &site.Site, Where: where, Limit: 0, Skip: true}); err != nil || p.Skipped != 208 || len(p.Events) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	// With a bound the rows beyond it count, whatever they are.
	if p, err = e.Tail(ctx, query.Tail{Site: &site.Site, Where: where, Limit: 100, RowsMax: 10}); err != nil || p.Skipped != 406 || len(p.Events) != 5 || p.Events[0].Seq != 408 {
		t.Errorf("%d events, %+v, %v", len(p.Events), p, err)
	}
	// A place beyond the end is the end.
	if p, err = e.Tail(ctx, query.Tail{Site: &site.Site, After: 1000, Limit: 100}); err != nil || len(p.Events) > 0 || p.Next != 416 {
		t.Errorf("%+v, %v", p, err)
	}
	if at, err = e.Place(&site.Site, ids[99]); err != nil || at != 100 {
		t.Errorf("%d, %v", at, err)
	}
	if _, err = e.Place(&query.Site{ID: 2}, ids[99]); !errors.Is(err, query.ErrBadCursor) {
		t.Errorf("another site: %v", err)
	}
}
