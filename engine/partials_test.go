package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The same queries are asked again and again while rows come and are sealed, and while
// persons are linked. Cached partial aggregates never change an answer.
func TestPartialAggregatesAgree(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, SealRows: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rng := rand.New(rand.NewPCG(4, 4))
	pick := func(values ...string) string { return values[rng.IntN(len(values))] }
	queries := []query.CounterQuery{
		{Property: "plan"}, {Property: "plan", Segment: "country"}, {Property: "item"}, {Property: "plan", Values: []string{"pro"}},
		{Property: "plan", Where: []query.Cond{{Field: "name", Values: []string{"bought"}}}},
		{Property: "plan", Where: []query.Cond{{Field: "user", Values: []string{"user 3"}}}},
		{Property: "plan", Where: []query.Cond{{Field: "name", Values: []string{"never"}}}},
	}
	for round := range 30 {
		var records []Record
		for range 40 {
			ev := &event.Event{
				Dialect: event.Native, Type: event.Track, Name: pick("seen", "bought"), User: fmt.Sprint("user ", rng.IntN(30)),
				Session: fmt.Sprint("session ", round/2, rng.IntN(10)),
				Properties: event.Object{
					{Key: "plan", Value: event.Str(pick("free", "pro", "team"))},
					{Key: "item", Value: event.Num(fmt.Sprint(rng.IntN(500)))},
				},
				Context: event.Object{{Key: "country", Value: event.Str(pick("DE", "FR", "NL"))}},
			}
			if rng.IntN(200) == 0 {
				ev = &event.Event{Dialect: event.Native, Type: event.Alias, User: "user 3", Previous: fmt.Sprint("user ", rng.IntN(30))}
			}
			records = append(records, Record{Site: site, Record: &event.Record{Event: *ev}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			q.Site, q.Limit = &site.Site, 1000
			got, err := e.Counters(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			forgetful := e.Options
			forgetful.ResultBytes, forgetful.PartialBytes = 0, 0
			want, err := read.New(forgetful).Counters(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d, %+v:\n%+v\nwithout a cache:\n%+v", round, q, got, want)
			}
		}
	}
	if _, n := e.CachedCounts(); n < 2*len(queries) {
		t.Errorf("%d partial aggregates are cached, want at least %d", n, 2*len(queries))
	}
}
