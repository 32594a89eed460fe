// The list of properties, when it is answered without reading each row.

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The list agrees with the counters of each property, whether the property is in all events of a
// run or in some, with or without values, counted or not.
func TestPropertiesAreThoseOfCounters(t *testing.T) {
	e := openAside(t, vfs.NewMem(), 0, 0)
	defer e.Close()
	random := rand.New(rand.NewPCG(7, 8))
	for batch := range 12 {
		var records []engine.Record
		for range 250 {
			ev := &event.Event{
				Dialect: event.Native, Type: event.Track, Name: "seen", User: fmt.Sprint("user ", random.IntN(2000)),
				Properties: event.Object{
					{Key: "always", Value: event.Num(fmt.Sprint(random.IntN(9)))},
					{Key: "hidden", Value: event.Str("x")},
					{Key: "mixed", Value: []event.Value{event.Num("1"), event.Raw(`[]`), event.Raw(`[1,2]`), event.Raw(`{"in":3}`), event.Raw(`{}`)}[random.IntN(5)]},
				},
				Context: event.Object{{Key: "country", Value: event.Str("NL")}},
			}
			if random.IntN(4) > 0 {
				ev.Properties = append(ev.Properties, event.Member{Key: "some", Value: event.Str("x")})
			}
			if batch > 6 {
				ev.Properties = append(ev.Properties, event.Member{Key: "late", Value: event.Str("x")})
			}
			if random.IntN(4) == 0 {
				ev.NotCounted = []string{"hidden"}
			}
			records = append(records, engine.Record{Site: asideSite, Record: &event.Record{Event: *ev}})
		}
		if outcomes, err := e.Ingest(t.Context(), records, true, nil); err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
	}
	for e.Stats().HotEvents > 500 { // wait for runs, which are not read row by row
		time.Sleep(time.Millisecond)
	}
	for _, from := range []int64{0, 1} { // 1 also selects all events, but reads each row
		list, err := e.Counters(t.Context(), query.CounterQuery{Site: &asideSite.Site, From: from})
		if err != nil || len(list.Rows) != 8 {
			t.Fatalf("%v: %+v", err, list.Rows)
		}
		for _, got := range list.Rows {
			of, err := e.Counters(t.Context(), query.CounterQuery{Site: &asideSite.Site, From: from, Property: got.Value})
			if err != nil {
				t.Fatal(err)
			}
			want := query.CounterRow{Value: got.Value, Values: uint64(of.Count), Events: of.Total.Events, Users: of.Total.Users, Sessions: of.Total.Sessions}
			if got != want {
				t.Errorf("from %d: the list says %+v, the counters say %+v", from, got, want)
			}
		}
	}
}
