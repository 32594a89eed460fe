package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The same counts and series are asked again and again while rows come, late ones as well, while
// runs are sealed and merged, persons are linked, and rows are hidden and rewritten. What is kept
// of runs never changes an answer: a reader that keeps nothing gives the same.
func TestKeptRunsAgree(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { keptRunsAgree(t, seed) })
	}
}

func keptRunsAgree(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 21))
	zones := []*time.Location{nil, time.FixedZone("half", 5*3600+1800), time.FixedZone("odd", 7*60+13)}
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	o := Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, SealRows: 50, MergeRuns: 3}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close() }()
	const hour = 3600_000
	start := time.Now().UnixMilli() - 20*24*hour
	now := start
	pick := func(values ...string) string { return values[rng.IntN(len(values))] }
	named := []query.Cond{{Field: "name", Values: []string{"bought"}}}
	wheres := [][]query.Cond{
		nil, named,
		{{Field: "name", Op: query.OpNot, Values: []string{"bought"}}, {Field: "prop.plan", Values: []string{"pro"}}},
		{{Field: "user", Values: []string{"user 3"}}},
		{{Field: "user", Op: query.OpMatch, Values: []string{"user 1*"}}},
		{{Field: "name", Values: []string{"never"}}},
	}
	ask := func() {
		forgetful := e.Options
		forgetful.ResultBytes, forgetful.PartialBytes = 0, 0
		none := read.New(forgetful)
		day := start / (24 * hour) * 24 * hour
		for i, where := range wheres {
			for _, span := range [][2]int64{{}, {day, 0}, {day + 24*hour, day + 4*24*hour}, {0, day + 3*24*hour}, {start + 5*hour + 1234, start + 90*hour + 77}, {now - 3*hour, 0}} {
				if rng.IntN(2) > 0 {
					continue
				}
				q := query.Query{Site: &site.Site, Where: where, From: span[0], To: span[1]}
				q.Metrics = []query.Metrics{0, query.MetricEvents, query.MetricUsers | query.MetricSessions}[rng.IntN(3)]
				got, err := e.Count(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				want, err := none.Count(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Fatalf("count %d of %v, metrics %d: %+v, want %+v", i, span, q.Metrics, got, want)
				}
				interval, zone := pick("hour", "day", "week", "month"), zones[rng.IntN(len(zones))]
				if span[0] > 0 && span[1] > 0 && rng.IntN(3) == 0 {
					interval = "minute"
				}
				steps, err := e.Series(t.Context(), q, interval, zone)
				if err != nil {
					t.Fatal(err)
				}
				right, err := none.Series(t.Context(), q, interval, zone)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(steps, right) {
					t.Fatalf("series %d of %v by %s in %v, metrics %d:\n%+v\nwant\n%+v", i, span, interval, zone, q.Metrics, steps, right)
				}
			}
		}
	}
	for round := range 15 {
		var records []Record
		for range 20 + rng.IntN(60) {
			now += rng.Int64N(hour / 2)
			ev := event.Event{
				Dialect: event.Native, Type: event.Track, Name: pick("seen", "bought"), Time: now, User: fmt.Sprint("user ", rng.IntN(30)),
				Session:    fmt.Sprint("session ", round/2, rng.IntN(10)),
				Properties: event.Object{{Key: "plan", Value: event.Str(pick("free", "pro"))}},
			}
			switch rng.IntN(20) {
			case 0:
				ev.Time -= rng.Int64N(60 * 24 * hour) // late, some before all others
			case 1:
				ev.Time = now / (hour / 4) * (hour / 4) // on the bound of a quarter
			case 2:
				ev.Time = now/(hour/4)*(hour/4) - 1
			case 3:
				ev.Anonymous, ev.User = fmt.Sprint("device ", rng.IntN(9)), ""
			}
			if rng.IntN(60) == 0 {
				ev = event.Event{Dialect: event.Native, Type: event.Alias, User: "user 3", Previous: fmt.Sprint("user ", rng.IntN(30)), Time: now}
			}
			records = append(records, Record{Site: site, Record: &event.Record{Event: ev}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
		if round%5 == 4 {
			d := query.Deletion{Kind: query.DeletePerson, By: "secret_key", Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprint("user ", rng.IntN(30))}}}}
			if round%10 == 9 {
				d = query.Deletion{Kind: query.DeleteFilter, By: "secret_key", Where: named, From: start, To: start + int64(round)*4*hour}
			}
			d.Now = round%10 == 9
			r, err := e.Delete(t.Context(), &site.Site, d)
			if err != nil {
				t.Fatal(err)
			}
			ask()
			if d.Now {
				if r, err := e.WaitPurged(t.Context(), &site.Site, r.ID); err != nil {
					t.Fatal(r, err)
				}
			}
		}
		if round == 11 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if e, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		ask()
	}
	if _, n := e.CachedCounts(); n < 50 {
		t.Errorf("%d parts of answers are kept", n)
	}
}
