// Benchmarks of questions that count people and sessions, over 28 days of visits to a shop.
//
//	go test ./engine -run '^$' -bench Steps -bench.events 5000000 -benchtime 3x

package engine_test

import (
	"testing"
	"time"

	"cairn/engine/query"
)

func BenchmarkSteps(b *testing.B) {
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
	var now int64
	ask := func(where ...query.Cond) query.Query { // each question differs, so no answer is kept
		now++
		return query.Query{Site: &benchSite.Site, From: from, To: to + now, Where: where}
	}
	series := func(interval string, where ...query.Cond) func() error {
		return func() error {
			_, err := e.Series(b.Context(), ask(where...), interval, time.UTC)
			return err
		}
	}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"count", func() error {
			_, err := e.Count(b.Context(), ask())
			return err
		}},
		{"count of orders", func() error {
			_, err := e.Count(b.Context(), ask(query.Cond{Field: "type", Values: []string{"order"}}))
			return err
		}},
		{"series by day", series("day")},
		{"series by hour", series("hour")},
		{"series of orders", series("day", query.Cond{Field: "type", Values: []string{"order"}})},
		{"visits by day", func() error {
			_, _, err := e.Visits(b.Context(), ask(), "day", time.UTC)
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
