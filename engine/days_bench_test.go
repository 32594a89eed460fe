// Benchmarks of counts and series: anew, and again after a new row; and of counts by two values.
//
//	go test ./engine -run '^$' -bench 'Days|NameAndCountry' -bench.events 5000000

package engine_test

import (
	"context"
	"fmt"
	"testing"

	"cairn/engine/query"
)

// New asks each time about another range that holds all rows. Again asks the same question after
// one more row came.
func BenchmarkDays(b *testing.B) {
	e, s := filledBench(b, *benchEvents)
	first, last := s.now-int64(*benchEvents)*2000, s.now+3600_000 // all rows lie between
	named := []query.Cond{{Field: "name", Values: []string{"event 1"}}}
	for _, c := range []struct {
		name     string
		interval string // "" = a count
		where    []query.Cond
		metrics  query.Metrics
	}{
		{"events by day", "day", nil, query.MetricEvents},
		{"events by day of a name", "day", named, query.MetricEvents},
		{"events of a name", "", named, query.MetricEvents}, // from a moment on
		{"users by day", "day", nil, query.MetricEvents | query.MetricUsers},
		{"users and sessions by day", "day", nil, 0},
		{"users of a name", "", named, query.MetricEvents | query.MetricUsers},
		{"users", "", nil, query.MetricEvents | query.MetricUsers},
	} {
		ask := func(b *testing.B, from int64, where ...query.Cond) {
			q := query.Query{Site: &benchSite.Site, Where: append(where, c.where...), Metrics: c.metrics, From: from, To: last}
			var err error
			if c.interval == "" {
				_, err = e.Count(context.Background(), q)
			} else {
				_, err = e.Series(context.Background(), q, c.interval, nil)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		n := int64(0)
		b.Run("New/"+c.name, func(b *testing.B) {
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				n++
				if len(c.where) == 1 && c.metrics == query.MetricEvents {
					at := first - n
					if c.interval == "" {
						at = last - n*7_777_777%(last-first)
					}
					q := query.Query{Site: &benchSite.Site, Where: []query.Cond{{Field: "name", Values: []string{"event 1", fmt.Sprint("no ", n)}}}, Metrics: c.metrics, From: at}
					var err error
					if c.interval == "" {
						_, err = e.Count(context.Background(), q)
					} else {
						_, err = e.Series(context.Background(), q, c.interval, nil)
					}
					if err != nil {
						b.Fatal(err)
					}
				} else if len(c.where) == 0 && c.metrics == query.MetricEvents {
					ask(b, first-n) // what is kept of all rows answers every range
				} else {
					ask(b, first-n, query.Cond{Field: "name", Op: query.OpNot, Values: []string{fmt.Sprint("no ", n)}})
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
		b.Run("Again/"+c.name, func(b *testing.B) {
			for range 3 {
				ask(b, first)
			}
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				before := cpuTime()
				if _, err := e.Ingest(context.Background(), s.batch(benchSite, 1), true, nil); err != nil {
					b.Fatal(err)
				}
				cpu += cpuTime() - before
				b.StartTimer()
				ask(b, first)
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
}

// One operation is a count of the events of a name and a country. No question comes twice.
func BenchmarkNameAndCountry(b *testing.B) {
	e, _ := filledBench(b, *benchEvents)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		q := query.Query{Site: &benchSite.Site, Metrics: query.MetricEvents, Where: []query.Cond{
			{Field: "name", Values: []string{fmt.Sprint("event ", n%50), fmt.Sprint("no ", n)}}, {Field: "country", Values: []string{fmt.Sprint("C", n%60)}}}}
		if _, err := e.Count(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}
