package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The facts of a site are those of all its rows, whether they are in runs or in memory.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name string
		last event.Event
		want query.Facts
	}{
		{"no shop", event.Event{Dialect: event.Native, Type: event.Page, Time: 2000}, query.Facts{First: 1000, Last: 2000, Dialects: []event.Dialect{event.Native, event.Oppizi}}},
		{"orders", event.Event{Dialect: event.Matomo, Type: event.Order, Time: 500}, query.Facts{First: 500, Last: 1000, Dialects: []event.Dialect{event.Native, event.Matomo, event.Oppizi}, Shop: true}},
		{"carts", event.Event{Dialect: event.Native, Type: event.Cart, Time: 500}, query.Facts{First: 500, Last: 1000, Dialects: []event.Dialect{event.Native, event.Oppizi}, Shop: true}},
		{"Segment's orders", event.Event{Dialect: event.Segment, Type: event.Track, Name: "Order Completed", Time: 1}, query.Facts{First: 1, Last: 1000, Dialects: []event.Dialect{event.Native, event.Segment, event.Oppizi}, Shop: true}},
		{"OpenPanel's revenue", event.Event{Dialect: event.OpenPanel, Type: event.Track, Name: "revenue", Time: 1}, query.Facts{First: 1, Last: 1000, Dialects: []event.Dialect{event.Native, event.OpenPanel, event.Oppizi}, Shop: true}},
	} {
		for _, sealRows := range []int{1 << 16, 4} {
			site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
			e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), SealRows: sealRows})
			if err != nil {
				t.Fatal(err)
			}
			if facts, err := e.Facts(t.Context(), &site.Site); err != nil || facts.First <= facts.Last || len(facts.Dialects) > 0 {
				t.Errorf("an empty site: %+v, %v", facts, err)
			}
			events := []event.Event{{Dialect: event.Oppizi, Type: event.Track, Name: "a", Time: 1000}}
			for range 7 {
				events = append(events, event.Event{Dialect: event.Native, Type: event.Page, Name: "b", Time: 1000})
			}
			for _, ev := range append(events, c.last) {
				if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
					t.Fatal(err)
				}
			}
			facts, err := e.Facts(t.Context(), &site.Site)
			if err != nil || facts.First != c.want.First || facts.Last != c.want.Last || facts.Shop != c.want.Shop || !slices.Equal(facts.Dialects, c.want.Dialects) {
				t.Errorf("%s, runs of %d: %s, %v, want %+v", c.name, sealRows, fmt.Sprintf("%+v", facts), err, c.want)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
