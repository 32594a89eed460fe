// Benchmarks of funnels, retention and paths over a shop's visits of 28 days.
//
//	go test ./engine -run '^$' -bench PeopleReports -bench.events 1000000

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// shopVisits makes visits of a shop: most are short, two in three are of somebody new, a tenth
// adds to the cart and half of those order.
type shopVisits struct {
	rng     *rand.Rand
	paths   *rand.Zipf
	now     int64
	between int64 // milliseconds between visits
	people  int
	waiting []engine.Record
}

func newShopVisits(site *engine.Site, events int, from, to int64) *shopVisits {
	rng := rand.New(rand.NewPCG(1, 2))
	return &shopVisits{rng: rng, paths: rand.NewZipf(rng, 1.1, 5, 1999), now: from, between: (to - from) / int64(max(1, events/4))}
}

func (s *shopVisits) batch(site *engine.Site, n int) []engine.Record {
	for len(s.waiting) < n {
		s.now += s.rng.Int64N(2*s.between + 1)
		who := s.people
		if s.people > 0 && s.rng.IntN(3) == 0 {
			who = s.rng.IntN(s.people)
		} else {
			s.people++
		}
		country := event.Str([]string{"DE", "FR", "NL", "US", "GB"}[s.rng.IntN(5)])
		at := s.now
		add := func(typ event.Type, name, path string) {
			e := event.Event{Dialect: event.Native, Type: typ, Name: name, Time: at, Anonymous: fmt.Sprint("v", who)}
			e.Context.Set("country", country)
			if path != "" {
				e.Context.Set("path", event.Str(path))
			}
			s.waiting = append(s.waiting, engine.Record{Site: site, Record: &event.Record{Event: e}})
			at += s.rng.Int64N(120_000)
		}
		for views := 1 + min(s.rng.IntN(8), s.rng.IntN(8)); views > 0; views-- {
			add(event.Page, "page", fmt.Sprint("/p/", s.paths.Uint64()))
		}
		if s.rng.IntN(10) == 0 {
			if add(event.Track, "add_to_cart", ""); s.rng.IntN(2) == 0 {
				add(event.Order, "order", "")
			}
		}
	}
	batch := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	return batch
}

func BenchmarkPeopleReports(b *testing.B) {
	e := openBench(b)
	const day = 24 * 3600 * 1000
	to := int64(1_795_000_000_000) / day * day
	from := to - 28*day
	visits := newShopVisits(benchSite, *benchEvents, from, to)
	for n := 0; n < *benchEvents; n += 1000 {
		if _, err := e.Ingest(b.Context(), visits.batch(benchSite, 1000), true, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d people", visits.people)
	is := func(field string, values ...string) []query.Cond { return []query.Cond{{Field: field, Values: values}} }
	few := append(is("path", "/p/0", "/p/1", "/p/2", "/p/3"), is("type", "page")...)
	steps := [][]query.Cond{few, is("name", "add_to_cart"), is("type", "order")}
	var now int64
	ask := func() query.Report { // each question differs, so no answer is kept
		now++
		return query.Report{Site: &benchSite.Site, Span: query.Span{From: from, To: to + now}, Now: to}
	}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"funnel", func() error {
			_, _, err := e.Funnel(b.Context(), &query.Funnel{Report: ask(), Step: steps, Window: 14 * day})
			return err
		}},
		{"funnel by country", func() error {
			_, _, err := e.Funnel(b.Context(), &query.Funnel{Report: ask(), Step: steps, Window: 14 * day, Split: "country", Limit: 10})
			return err
		}},
		{"funnel of visits", func() error {
			_, _, err := e.Funnel(b.Context(), &query.Funnel{Report: ask(), Step: steps, Visits: true})
			return err
		}},
		{"strict funnel", func() error {
			_, _, err := e.Funnel(b.Context(), &query.Funnel{Report: ask(), Step: steps, Window: 14 * day, Mode: query.FunnelStrict})
			return err
		}},
		{"funnel entities", func() error {
			_, _, err := e.FunnelEntities(b.Context(), &query.FunnelEntities{Funnel: query.Funnel{Report: ask(), Step: steps, Window: 14 * day}, At: 3, EntityPage: query.EntityPage{Limit: 100}})
			return err
		}},
		{"retention by day", func() error {
			_, _, err := e.Retention(b.Context(), &query.Retention{Report: ask(), Period: "day"})
			return err
		}},
		{"retention of starts", func() error {
			_, _, err := e.Retention(b.Context(), &query.Retention{Report: ask(), Period: "week", Start: is("type", "page")})
			return err
		}},
		{"paths", func() error {
			_, _, err := e.Paths(b.Context(), &query.Paths{Report: ask(), Depth: 3, Limit: 10})
			return err
		}},
		{"paths from a page", func() error {
			_, _, err := e.Paths(b.Context(), &query.Paths{Report: ask(), Depth: 1, Limit: 10, Start: is("path", "/p/0")})
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
