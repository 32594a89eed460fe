// Counters of properties with many values: the answers are those of partial aggregates, which a
// store with much room for pairs uses for as few values as these.

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// wideEvents have values over the cap, arrays, objects, numbers, increments, uncounted events,
// properties that are not counted, segments that events name, and persons that are linked.
func wideEvents(n int) (records []engine.Record) {
	rng := rand.New(rand.NewPCG(8, 9))
	for i := range n {
		e := event.Event{
			Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("event ", rng.IntN(5)), Time: epoch.UnixMilli() + int64(i)*40_000,
			User: fmt.Sprint("user ", rng.IntN(300)), Session: fmt.Sprint("session ", i/1000, rng.IntN(200)),
			Properties: event.Object{{Key: "sku", Value: event.Str(fmt.Sprint("sku ", rng.IntN(25)*rng.IntN(25)))}},
			Context:    event.Object{{Key: "country", Value: event.Str(fmt.Sprint("C", rng.IntN(8)*rng.IntN(8)))}},
		}
		add := func(key string, v event.Value) {
			e.Properties = append(e.Properties, event.Member{Key: key, Value: v})
		}
		if rng.IntN(3) == 0 {
			add("tags", event.Raw(fmt.Sprintf(`["t%d","t%d",%d]`, rng.IntN(60), rng.IntN(60), rng.IntN(9))))
		}
		if rng.IntN(2) == 0 {
			add("plan", event.Num(fmt.Sprint(rng.IntN(40))))
			e.Segments = append(e.Segments, "plan")
		}
		if rng.IntN(10) == 0 {
			add("country", event.Str(fmt.Sprint("own ", rng.IntN(3))))
		}
		switch rng.IntN(40) {
		case 0:
			e = event.Event{Dialect: event.Native, Type: event.Alias, User: e.User, Previous: fmt.Sprint("user ", rng.IntN(300))}
		case 1:
			e.Uncounted = true
		case 2:
			e.NotCounted = []string{"sku"}
		case 3:
			e.Increments = []event.Amount{{Property: "sku", By: int64(rng.IntN(7) - 2)}}
		case 4:
			e.User = ""
		}
		records = append(records, engine.Record{Site: asideSite, Record: &event.Record{Event: e}})
	}
	return records
}

func TestWideCounters(t *testing.T) {
	open := func(pairs int) *engine.Engine {
		e, err := engine.Open(engine.Options{
			Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(asideSite), Now: func() time.Time { return epoch.Add(100 * time.Hour) },
			SealRows: 700, HotEvents: 2000, MergeRuns: 3, Memory: 64 << 20, Reserve: -1, Pairs: pairs, ValuesPerDay: 60,
			Fatal: func(err error) { t.Error(err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		for records := wideEvents(4000); len(records) > 0; records = records[500:] {
			outcomes, err := e.Ingest(t.Context(), copyRecords(records[:500]), true, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range outcomes {
				if o.Err != nil {
					t.Fatal(o.Err, records[i].Record.Event)
				}
			}
		}
		return e
	}
	roomy, wide := open(0), []*engine.Engine{open(100), open(2000)}
	all := query.MetricEvents | query.MetricUsers | query.MetricSessions
	asked, found := 0, 0
	for _, property := range []string{"sku", "tags", "plan", "country", "name", event.Other, "nothing"} {
		for _, segment := range []string{"", "country", "plan", "sku!", "browser"} {
			for _, metrics := range []query.Metrics{query.MetricEvents, query.MetricEvents | query.MetricUsers, all} {
				for i, sort := range []string{"", "users", "value"} {
					q := query.CounterQuery{Site: &asideSite.Site, Property: property, Segment: segment, Metrics: metrics, Sort: sort, Limit: []int{2, 1000, 5}[i]}
					switch asked++; asked % 4 {
					case 1:
						q.Offset = 3
					case 2:
						q.Where = []query.Cond{{Field: "name", Values: []string{"event 1", "event 2"}}}
					case 3:
						q.From, q.To = epoch.UnixMilli()+3_000_000, epoch.UnixMilli()+180_000_000
					}
					want, err := roomy.Counters(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					found += len(want.Rows)
					for _, e := range wide {
						if got, err := e.Counters(t.Context(), q); err != nil || !reflect.DeepEqual(got, want) {
							t.Errorf("%s: %v\n got %+v\nwant %+v", showCounterQuery(q), err, got, want)
						}
					}
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("all answers together have %d rows", found)
	}
}
