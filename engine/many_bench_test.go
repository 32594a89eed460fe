// Benchmarks of counters of a property with many values.
//
//	go test ./engine -run '^$' -bench ManyValues -bench.events 1000000

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// manyValues makes events of a million users, 50,000 products and 40 countries, all by Zipf's
// law. Its users are those of many shops: most of them have one or two events.
type manyValues struct {
	rng                        *rand.Rand
	users, products, countries *rand.Zipf
	n                          int
	now                        int64
}

func newManyValues() *manyValues {
	rng := rand.New(rand.NewPCG(3, 7))
	return &manyValues{
		rng:       rng,
		users:     rand.NewZipf(rng, 1.05, 200, 999_999),
		products:  rand.NewZipf(rng, 1.05, 20, 49_999),
		countries: rand.NewZipf(rng, 1.2, 2, 39),
		now:       time.Now().Add(-6 * 24 * time.Hour).UnixMilli(),
	}
}

func (m *manyValues) batch(site *engine.Site, n int) []engine.Record {
	records := make([]engine.Record, n)
	for i := range records {
		m.n++
		m.now += int64(m.rng.IntN(300))
		records[i] = engine.Record{Site: site, Record: &event.Record{Event: event.Event{
			Dialect: event.Native, Type: event.Track, Name: "view", Time: m.now,
			User: fmt.Sprint("user-", m.users.Uint64()), MessageID: fmt.Sprintf("%08x-0000-4000", m.n),
			Properties: event.Object{{Key: "product", Value: event.Str(fmt.Sprint("product ", m.products.Uint64()))}},
			Context:    event.Object{{Key: "country", Value: event.Str(fmt.Sprint("C", m.countries.Uint64()))}},
		}}}
	}
	return records
}

func BenchmarkManyValues(b *testing.B) {
	e := openBench(b)
	m := newManyValues()
	for n := 0; n < *benchEvents; n += 1000 {
		if _, err := e.Ingest(b.Context(), m.batch(benchSite, 1000), true, nil); err != nil {
			b.Fatal(err)
		}
	}
	asked := int64(0) // makes each query different, so that no answer is kept
	for _, c := range []struct {
		name string
		q    query.CounterQuery
	}{
		{"product by country", query.CounterQuery{Segment: "country!", Metrics: query.MetricEvents}},
		{"product with users", query.CounterQuery{Metrics: query.MetricEvents | query.MetricUsers}},
		{"product by country with users", query.CounterQuery{Segment: "country!", Metrics: query.MetricEvents | query.MetricUsers}},
		{"product by users", query.CounterQuery{Metrics: query.MetricEvents | query.MetricUsers, Sort: "users"}},
		{"product by country by users", query.CounterQuery{Segment: "country!", Metrics: query.MetricEvents | query.MetricUsers, Sort: "users"}},
		{"country by users", query.CounterQuery{Property: "country", Metrics: query.MetricEvents | query.MetricUsers}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				q := c.q
				if q.Property == "" {
					q.Property = "product"
				}
				asked++
				q.Site, q.Limit, q.From = &benchSite.Site, 100, asked
				if _, err := e.Counters(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
