package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/calendar"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Rows that an older cairn counted on the day of receipt, or in another zone, are answered by
// their event times in the zone that the site has now: as they are, and after seals and merges
// have written them again. A merge counts them on their own days, and check agrees.
func TestOldRowsAreOnTheirDays(t *testing.T) {
	const last = 2 // the last version that counted old events on the day of receipt
	for version := 1; version <= last; version++ {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			fs := readFiles(t, vfs.Default, goldenStore(version)).mem(t)
			rng := rand.New(rand.NewPCG(uint64(version), 37))
			g := newGenerator(uint64(version))
			merges := uint64(0)
			for round, name := range []string{"", "Pacific/Apia", "America/Havana", "UTC"} {
				o := goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now)
				sites := o.Sites()
				if name != "" {
					for _, s := range sites {
						s.Location, _ = time.LoadLocation(name)
					}
				}
				e, err := engine.Open(o)
				if err != nil {
					t.Fatal(err)
				}
				late := 0
				for _, s := range sites {
					late += askDays(t, e, s, rng)
				}
				if late == 0 {
					t.Error("no event of the store was counted on the day of receipt")
				}
				for range 100 * min(round, 1) { // more rows, so that old ones are sealed and merged
					for _, s := range sites {
						r := g.record()
						r.Event.MessageID = ""
						if _, err := e.Ingest(context.Background(), []engine.Record{{Site: s, Record: r}}, false, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
				for _, s := range sites {
					askDays(t, e, s, rng)
				}
				merges += e.Stats().Merges
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				if report, err := check.Store(context.Background(), fs, "data"); err != nil || len(report.Problems) > 0 {
					t.Fatalf("%s: check: %+v, %v", name, report, err)
				}
			}
			if merges == 0 {
				t.Error("nothing was merged")
			}
			if n := len(zonesOfRuns(t, fs)); n == 0 {
				t.Error("no run names its days")
			}
		})
	}
}

// askDays compares counters of whole days with the events of a site. It returns how many events
// were counted on the day of receipt when they came.
func askDays(t *testing.T, e *engine.Engine, s *engine.Site, rng *rand.Rand) (late int) {
	t.Helper()
	ctx := context.Background()
	var events []*event.Event
	q := query.Query{Site: &s.Site, Limit: 1000}
	for {
		page, err := e.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Events...)
		if q.After = page.Next; page.Next == "" {
			break
		}
	}
	for _, ev := range events {
		if ev.Late {
			late++
		}
	}
	for range 3 {
		from := calendar.Day(events[rng.IntN(len(events))].Time, s.Location)
		to := from + int32(rng.IntN(1<<rng.IntN(8)))
		for _, property := range []string{"name", "country", "deep.b", event.Other} {
			want := make(map[string]int64)
			for _, ev := range events {
				if day := dayOf(ev.Time, s.Location); day >= from && day <= to {
					ev.Counts(func(p, value string, by int64) bool {
						if p == property {
							want[value] += by
						}
						return true
					})
				}
			}
			for _, metrics := range []query.Metrics{query.MetricEvents, 0} {
				page, err := e.Counters(ctx, query.CounterQuery{Site: &s.Site, Property: property, FromDay: from, ToDay: to, Limit: 1000, Metrics: metrics})
				if err != nil {
					t.Fatal(err)
				}
				got := make(map[string]int64)
				for _, r := range page.Rows {
					got[r.Value] = r.Events
				}
				for value := range want {
					if got[value] != want[value] {
						t.Errorf("site %s, %s = %q on days %d to %d: %d, want %d", s.Name, property, value, from, to, got[value], want[value])
					}
					delete(got, value)
				}
				if len(got) > 0 {
					t.Errorf("site %s, %s on days %d to %d: no event has %v", s.Name, property, from, to, got)
				}
			}
		}
	}
	return late
}

// zonesOfRuns returns the names of the zones in the descriptors of a store's runs.
func zonesOfRuns(t *testing.T, fs vfs.FS) (zones []string) {
	t.Helper()
	db, err := pebble.Open("data/store", &pebble.Options{FS: fs, ReadOnly: true, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := index.Descriptors(db, func(d index.Descriptor) error {
		if d.Days != "" {
			days, err := calendar.ParseDays([]byte(d.Days))
			if err != nil {
				return err
			}
			zones = append(zones, days.Zone)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
