// What runs keep by quarter of an hour answers as their rows do.

package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countedRow is what a naive count needs of an event.
type countedRow struct {
	at     int64
	name   string
	places []string // elements of the property place
}

// Counts and series of all events and of names are what a naive count of the events gives, for any
// bounds and zones: while rows come, late ones as well, while runs are sealed and merged, and while
// rows are hidden and runs are rewritten. No question is asked twice, so nothing is kept of it.
func TestStoredCountsAgree(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { storedCountsAgree(t, seed) })
	}
}

func storedCountsAgree(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 27))
	named := func(zone string) *time.Location {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	zones := []*time.Location{nil, named("Europe/Berlin"), named("Asia/Kathmandu"), named("Australia/Lord_Howe"), time.FixedZone("odd", 7*60+13)}
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	o := Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, SealRows: 60, MergeRuns: 3}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close() }()
	const hour, quarter = 3600_000, 900_000
	start := time.Now().UnixMilli() - 25*24*hour
	now := start
	var rows []countedRow
	names, places := []string{"seen", "bought", "sent", "tried", "left"}, []string{"at", "be", "ch"}
	hidden := false // whether rows may be hidden that are in runs
	used := func() uint64 {
		for _, r := range e.PageReads().Kinds {
			if r.Kind == "counts" {
				return r.Hits + r.Loads
			}
		}
		return 0
	}
	bound := func() int64 {
		at := start + rng.Int64N(now-start+hour)
		switch rng.IntN(8) {
		case 0:
			return 0
		case 1:
			return at / quarter * quarter
		case 2:
			return at / (24 * hour) * (24 * hour)
		case 3:
			return rows[rng.IntN(len(rows))].at + rng.Int64N(3) - 1
		case 4:
			return start + rng.Int64N(3*hour)
		case 5:
			return now - rng.Int64N(3*hour)
		}
		return at
	}
	asked := 0
	ask := func() {
		for range 30 {
			q := query.Query{Site: &site.Site, Metrics: query.MetricEvents, From: bound(), To: bound()}
			if q.From > 0 && q.To > 0 && q.To < q.From {
				q.From, q.To = q.To, q.From
			}
			asked++
			wants := func(string) bool { return true }
			wanted := rng.IntN(6)
			switch wanted {
			case 0:
			case 1:
				some := []string{names[rng.IntN(len(names))], names[rng.IntN(len(names))], fmt.Sprint("never ", asked)}
				q.Where = []query.Cond{{Field: "name", Values: some}}
				wants = func(name string) bool { return slices.Contains(some, name) }
			case 2:
				q.Where = []query.Cond{{Field: "name", Op: query.OpMatch, Values: []string{"s*", fmt.Sprint("never ", asked)}}}
				wants = func(name string) bool { return name[0] == 's' }
			default:
				one := names[rng.IntN(len(names))]
				q.Where = []query.Cond{{Field: "name", Values: []string{one}}}
				wants = func(name string) bool { return name == one }
			}
			place := ""
			if wanted > 2 {
				place = places[rng.IntN(len(places))]
				where := query.Cond{Field: "prop.place", Values: []string{place, fmt.Sprint("never ", asked)}}
				q.Where = slices.Insert(q.Where, rng.IntN(2), where)
				if rng.IntN(2) == 0 { // most runs as a whole
					q.From = 0
				}
			}
			var times []int64
			for _, r := range rows {
				if wants(r.name) && (place == "" || slices.Contains(r.places, place)) && r.at >= q.From && (q.To == 0 || r.at < q.To) {
					times = append(times, r.at)
				}
			}
			got, err := e.Count(t.Context(), q)
			if err != nil || got.Events != uint64(len(times)) {
				t.Fatalf("%v from %d to %d: %d events, %v; want %d", q.Where, q.From, q.To, got.Events, err, len(times))
			}
			interval, zone := []string{"hour", "day", "week", "month"}[rng.IntN(4)], zones[rng.IntN(len(zones))]
			steps, err := e.Series(t.Context(), q, interval, zone)
			if err != nil {
				t.Fatal(err)
			}
			from, to := q.From, q.To
			if len(times) > 0 && to == 0 {
				to = slices.Max(times) + 1
			}
			if len(times) > 0 && from == 0 {
				from = slices.Min(times)
			}
			var want []query.Bucket
			if len(times) > 0 || from != 0 && to != 0 {
				starts, _ := calendar.BucketTimes(from, to, interval, zone)
				for i, s := range starts {
					b := query.Bucket{Time: s}
					for _, at := range times {
						if at >= s && (i+1 == len(starts) || at < starts[i+1]) {
							b.Events++
						}
					}
					want = append(want, b)
				}
			}
			if len(want)+len(steps) > 0 && !reflect.DeepEqual(steps, want) {
				t.Fatalf("%v from %d to %d by %s in %v:\n%+v\nwant\n%+v", q.Where, q.From, q.To, interval, zone, steps, want)
			}
		}
	}
	for round := range 16 {
		var records []Record
		for range 30 + rng.IntN(80) {
			now += rng.Int64N(hour / 3)
			at := now
			switch rng.IntN(10) {
			case 0:
				at -= rng.Int64N(10 * 24 * hour)
			case 1:
				at = now / quarter * quarter
			case 2:
				at = now/quarter*quarter - 1
			}
			name := names[min(rng.IntN(len(names)), rng.IntN(len(names)))]
			row := countedRow{at: at, name: name}
			var properties event.Object
			switch place := places[rng.IntN(len(places))]; rng.IntN(5) {
			case 0: // nowhere
			case 1:
				row.places = []string{place, places[0]}
				properties = event.Object{{Key: "place", Value: event.Raw(fmt.Sprintf("[%q,%q]", place, places[0]))}}
			default:
				row.places = []string{place}
				properties = event.Object{{Key: "place", Value: event.Str(place)}}
			}
			rows = append(rows, row)
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: name, Time: at, Properties: properties}}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
		if round == 7 || round == 11 {
			d := query.Deletion{Kind: query.DeleteFilter, By: "secret_key", From: start + int64(round)*hour, To: start + int64(round)*15*hour, Now: round == 11,
				Where: []query.Cond{{Field: "name", Values: []string{names[round%2]}}}}
			r, err := e.Delete(t.Context(), &site.Site, d)
			if err != nil {
				t.Fatal(err)
			}
			rows = slices.DeleteFunc(rows, func(r countedRow) bool { return r.name == names[round%2] && r.at >= d.From && r.at < d.To })
			hidden = true
			ask()
			if d.Now {
				if r, err := e.WaitPurged(t.Context(), &site.Site, r.ID); err != nil {
					t.Fatal(r, err)
				}
				hidden = false
			}
		}
		if round == 9 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if e, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		before := used()
		ask()
		if round > 5 && !hidden && used() == before {
			t.Errorf("round %d: no counts of runs were used", round)
		}
	}
	if s := e.Stats(); s.Merges == 0 || s.Rewrites == 0 {
		t.Errorf("%d merges, %d rewrites", s.Merges, s.Rewrites)
	}
}

// A count of a name and a value of which there are few reads how many events of both each run has, and
// the codes of none.
func TestCountsOfPairsReadNoCodes(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, SealRows: 100, MergeRuns: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range 5 {
		var records []Record
		for i := range 101 { // those beyond SealRows are sealed
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("n", i%2),
				Time: time.Now().UnixMilli(), Properties: event.Object{{Key: "place", Value: event.Str(fmt.Sprint("p", i%5))}, {Key: "id", Value: event.Str(fmt.Sprint("i", i))}}}}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for s := e.Stats(); s.Merges == 0; s = e.Stats() {
		time.Sleep(time.Millisecond)
	}
	codes := func() (n uint64) {
		for _, r := range e.PageReads().Kinds {
			if r.Kind == "codes" {
				n += r.Hits + r.Loads
			}
		}
		return n
	}
	before := codes()
	for i := range 5 {
		q := query.Query{Site: &site.Site, Metrics: query.MetricEvents, Where: []query.Cond{{Field: "prop.place", Values: []string{fmt.Sprint("p", i)}}, {Field: "name", Values: []string{"n1"}}}}
		if got, err := e.Count(t.Context(), q); err != nil || got.Events != 50 {
			t.Errorf("place p%d: %d events, %v; want 50", i, got.Events, err)
		}
	}
	if n := codes() - before; n != 0 {
		t.Errorf("%d pages of codes were read", n)
	}
}
