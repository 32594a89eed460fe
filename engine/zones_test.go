package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// zoned is a store of one site whose zone changes. It has an event in each hour of some days.
type zoned struct {
	*testing.T
	site atomic.Pointer[engine.Site]
	opts engine.Options
	e    *engine.Engine
}

// zonedStart is a Monday in UTC, some days before the clock changes in New York.
var zonedStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func openZoned(t *testing.T, mergeRuns int) *zoned {
	z := &zoned{T: t}
	z.move("UTC")
	z.opts = engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: func() []*engine.Site { return []*engine.Site{z.site.Load()} }, SealRows: 64, MergeRuns: mergeRuns,
		Now: func() time.Time { return zonedStart.AddDate(0, 0, 30) }}
	z.open()
	return z
}

func (z *zoned) open() {
	z.Helper()
	var err error
	if z.e, err = engine.Open(z.opts); err != nil {
		z.Fatal(err)
	}
}

func (z *zoned) close() {
	z.Helper()
	if err := z.e.Close(); err != nil {
		z.Fatal(err)
	}
}

// move gives the site another zone.
func (z *zoned) move(name string) {
	z.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		z.Fatal(err)
	}
	z.site.Store(&engine.Site{Site: query.Site{ID: 1, Name: "shop", Location: zone}})
}

// hours sends an event for each hour [from, to) since zonedStart.
func (z *zoned) hours(from, to int) {
	z.Helper()
	for i := from; i < to; i++ {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("n", i%3), User: fmt.Sprint("u", i%5), Time: zonedStart.Add(time.Duration(i) * time.Hour).UnixMilli()}
		if _, err := z.e.Ingest(z.Context(), []engine.Record{{Site: z.site.Load(), Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			z.Fatal(err)
		}
	}
}

// other waits until so many runs have days of another zone.
func (z *zoned) other(runs int, rows uint64) {
	z.Helper()
	for range 1000 {
		if n, of := z.e.OtherZone(1); n == runs && of == rows {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	n, of := z.e.OtherZone(1)
	z.Errorf("%d runs with %d rows have days of another zone, want %d with %d", n, of, runs, rows)
}

// perDay compares what counters, a series and a retention answer about each day with the hours
// [from, to) of the zone that the site has. Each is asked twice, since answers are kept.
func (z *zoned) perDay(from, to int) {
	z.Helper()
	site := &z.site.Load().Site
	want, first := map[int32]int64{}, int32(1<<30)
	for i := from; i < to; i++ {
		day := dayOf(zonedStart.Add(time.Duration(i)*time.Hour).UnixMilli(), site.Location)
		want[day]++
		first = min(first, day)
	}
	start := func(day int32) int64 {
		return midnight(1970, 1, 1+int(day), site.Location).UnixMilli()
	}
	for range 2 {
		for day, n := range want {
			page, err := z.e.Counters(z.Context(), query.CounterQuery{Site: site, Property: "name", FromDay: day, ToDay: day, Limit: 10})
			if err != nil || page.Total.Events != n {
				z.Errorf("%s: day %d: counted %d, %v; want %d", site.Location, day, page.Total.Events, err, n)
			}
		}
		page, err := z.e.Counters(z.Context(), query.CounterQuery{Site: site, Property: "name", Interval: "day", Limit: 10_000, Metrics: query.MetricEvents})
		if err != nil {
			z.Fatal(err)
		}
		got := map[int64]int64{}
		for _, r := range page.Rows {
			got[r.Time] += r.Events
		}
		buckets, err := z.e.Series(z.Context(), query.Query{Site: site, From: start(first), To: start(first + int32(len(want)))}, "day", site.Location)
		if err != nil || len(buckets) != len(want) {
			z.Errorf("%s: %d buckets, %v; want %d", site.Location, len(buckets), err, len(want))
		}
		for i, b := range buckets {
			if day := first + int32(i); b.Time != start(day) || int64(b.Events) != want[day] || got[b.Time] != want[day] {
				z.Errorf("%s: day %d: series %+v, counters by day %d; want %d at %d", site.Location, day, b, got[b.Time], want[day], start(day))
			}
		}
		// This question is the same in all zones.
		all := query.Span{From: zonedStart.AddDate(0, 0, -3).UnixMilli(), To: zonedStart.AddDate(0, 0, 20).UnixMilli()}
		cohorts, _, err := z.e.Retention(z.Context(), &query.Retention{Report: query.Report{Site: site, Span: all, Now: z.opts.Now().UnixMilli()}, Period: "day", Cohort: query.CohortEach})
		if err != nil || len(cohorts.Cohorts) < len(want) {
			z.Fatalf("%s: retention %+v, %v", site.Location, cohorts, err)
		}
		for _, c := range cohorts.Cohorts {
			if day := dayOf(c.Period, site.Location); c.Period != start(day) || int64(c.Size) != min(5, want[day]) {
				z.Errorf("%s: day %d: cohort %d at %d, want %d at %d", site.Location, day, c.Size, c.Period, min(5, want[day]), start(day))
			}
		}
	}
}

func (z *zoned) good() {
	z.Helper()
	z.close()
	if report, err := check.Store(z.Context(), z.opts.FS, "data"); err != nil || len(report.Problems) > 0 {
		z.Errorf("check: %v, %v", report.Problems, err)
	}
	z.open()
}

// When the zone of a site changes while the store is open, all answers by day are those of the new
// zone at once, and kept answers of the old one come back with it. The engine says how much has
// days of another zone until merges have written that again.
func TestZoneChanges(t *testing.T) {
	t.Parallel()
	z := openZoned(t, 100) // nothing is merged
	z.hours(0, 200)
	z.other(0, 0)
	z.perDay(0, 200)
	for _, c := range []struct {
		zone string
		runs int
	}{
		{"America/New_York", 3}, {"UTC", 0}, {"Africa/Abidjan", 0}, // its clock is that of UTC
		{"Asia/Kathmandu", 3}, {"UTC", 0}, {"America/New_York", 3},
	} {
		z.move(c.zone)
		z.other(c.runs, uint64(64*c.runs))
		z.perDay(0, 200)
	}
	z.good()
	z.other(3, 3*64)
	z.perDay(0, 200)
	z.hours(200, 260) // what was in memory is sealed with the days of the new zone
	z.other(3, 3*64)
	z.perDay(0, 260)
	z.close()
	z.opts.MergeRuns = 2
	z.open()
	defer func() { z.close() }()
	z.hours(260, 400)
	z.other(0, 0) // merged, and counted again
	z.perDay(0, 400)
	z.good()
}

// Retention deletes whole days of the zone that a site has now, also in runs that have days of
// another zone, and the days that are left keep what they count.
func TestRetentionAfterZoneChange(t *testing.T) {
	t.Parallel()
	z := openZoned(t, 100)
	z.hours(0, 200)
	z.move("America/New_York") // where the first day begins 5 hours after that of UTC
	site := *z.site.Load()
	site.RetentionDays = 25
	z.site.Store(&site)
	from := int((site.KeepsFrom(z.opts.Now().Add(-4*time.Hour).UnixMilli()) - zonedStart.UnixMilli()) / time.Hour.Milliseconds())
	if from <= 0 || from%24 == 0 {
		t.Fatalf("%d hours are deleted: the days begin when they do in UTC", from)
	}
	z.close()
	z.open() // retention looks at once
	defer func() { z.close() }()
	for range 1000 {
		if all, err := z.e.Deletions(t.Context(), &site.Site); err != nil {
			t.Fatal(err)
		} else if len(all) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	z.perDay(from, 200)
	all, err := z.e.Deletions(t.Context(), &site.Site)
	if err != nil || len(all) != 1 || all[0].Rows != uint64(from) {
		t.Fatalf("%+v, %v; want %d hours deleted", all, err, from)
	}
	if _, err := z.e.WaitPurged(t.Context(), &site.Site, all[0].ID); err != nil { // the run is rewritten
		t.Fatal(err)
	}
	z.perDay(from, 200)
	z.good()
	z.perDay(from, 200)
}
