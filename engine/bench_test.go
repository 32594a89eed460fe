// Benchmarks of the engine on a real disk: durable writes by batch size and number of
// writers, and the queries of a dashboard over a store whose rows are mostly sealed.
//
//	go test ./engine -run '^$' -bench . -benchtime 2s
//	go test ./engine -run '^$' -bench Read -bench.events 1000000

package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

var benchEvents = flag.Int("bench.events", 200_000, "events in the store that reads are measured on")

// stream makes realistic events: names and products follow Zipf's law, sessions have a few
// events, each event has a message id. It is not safe for concurrent use.
type stream struct {
	rng      *rand.Rand
	names    *rand.Zipf
	users    *rand.Zipf
	products *rand.Zipf
	prefix   string
	n        int
	now      int64
}

func newStream(seed uint64) *stream {
	rng := rand.New(rand.NewPCG(seed, 11))
	return &stream{
		rng:      rng,
		names:    rand.NewZipf(rng, 1.2, 4, 49),
		users:    rand.NewZipf(rng, 1.05, 50, 49_999),
		products: rand.NewZipf(rng, 1.1, 10, 4_999),
		prefix:   fmt.Sprintf("%08x-0000-4000-8000-", seed),
		now:      time.Now().Add(-20 * 24 * time.Hour).UnixMilli(),
	}
}

func (s *stream) event() *event.Event {
	s.n++
	s.now += int64(s.rng.IntN(2000))
	user := strconv.Itoa(int(s.users.Uint64()))
	return &event.Event{
		Dialect:   event.Native,
		Type:      event.Track,
		Name:      "event " + strconv.Itoa(int(s.names.Uint64())),
		Time:      s.now,
		User:      "user-" + user,
		Anonymous: "device-" + user,
		MessageID: s.prefix + fmt.Sprintf("%012x", s.n),
		Properties: event.Object{
			{Key: "plan", Value: event.Str([]string{"free", "pro", "team", "trial", "none"}[s.rng.IntN(5)])},
			{Key: "product", Value: event.Str("product " + strconv.Itoa(int(s.products.Uint64())))},
			{Key: "amount", Value: event.Num(strconv.Itoa(s.rng.IntN(10_000)))},
			{Key: "order", Value: event.Str(s.prefix + strconv.Itoa(s.n))},
		},
		Context: event.Object{
			{Key: "country", Value: event.Str("C" + strconv.Itoa(s.rng.IntN(60)))},
			{Key: "browser", Value: event.Str([]string{"Chrome", "Firefox", "Safari", "Edge"}[s.rng.IntN(4)])},
			{Key: "platform", Value: event.Str([]string{"Windows", "macOS", "Android", "iOS", "Linux"}[s.rng.IntN(5)])},
			{Key: "url", Value: event.Str("https://shop.example/p/" + strconv.Itoa(int(s.products.Uint64())))},
		},
	}
}

func (s *stream) batch(site *engine.Site, n int) []engine.Record {
	records := make([]engine.Record, n)
	for i := range records {
		records[i] = engine.Record{Site: site, Record: &event.Record{Event: *s.event()}}
	}
	return records
}

var benchSite = &engine.Site{Site: query.Site{ID: 1, Name: "bench"}, Uncounted: []string{"order"}}

func openBench(b *testing.B) *engine.Engine {
	b.Helper()
	e, err := engine.Open(engine.Options{Dir: b.TempDir(), Sites: engine.SitesOf(benchSite)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

// filledBench opens an engine with n events of a stream, which goes on behind them.
func filledBench(b *testing.B, n int) (*engine.Engine, *stream) {
	b.Helper()
	e, s := openBench(b), newStream(1)
	for ; n > 0; n -= 1000 {
		if _, err := e.Ingest(context.Background(), s.batch(benchSite, 1000), true, nil); err != nil {
			b.Fatal(err)
		}
	}
	return e, s
}

// One operation is one durable event.
func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		for _, writers := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("batch=%d/writers=%d", size, writers), func(b *testing.B) {
				e := openBench(b)
				batches := make([][][]engine.Record, writers) // by writer, made before the timer starts
				per := (b.N + writers*size - 1) / (writers * size)
				for i := range batches {
					s := newStream(uint64(i + 1))
					for range per {
						batches[i] = append(batches[i], s.batch(benchSite, size))
					}
				}
				var stored atomic.Int64
				cpu := cpuTime()
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for _, mine := range batches {
					wg.Go(func() {
						for _, records := range mine {
							_, err := e.Ingest(context.Background(), records, true, nil)
							for errors.Is(err, query.ErrBusy) { // as a client does on 503
								time.Sleep(time.Millisecond)
								_, err = e.Ingest(context.Background(), records, true, nil)
							}
							if err != nil {
								b.Error(err)
								return
							}
							stored.Add(int64(size))
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(stored.Load())/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(stored.Load()), "cpu-µs/event")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	e, _ := filledBench(b, *benchEvents)
	where := func(pairs ...string) []query.Cond {
		var out []query.Cond
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, query.Cond{Field: pairs[i], Values: []string{pairs[i+1]}})
		}
		return out
	}
	queries := int64(0) // makes each query different, so that no answer is cached
	for _, c := range []struct {
		name  string
		where []query.Cond
	}{
		{"newest", nil},
		{"name", where("name", "event 1")},
		{"rare name", where("name", "event 48")},
		{"user", where("user", "user-30000")},
		{"two properties", where("prop.plan", "pro", "prop.product", "product 7")},
		{"message id", where("message_id", newStream(1).event().MessageID)},
		{"nothing", where("name", "event 1", "user", "nobody")},
		{"pattern", []query.Cond{{Field: "prop.product", Op: query.OpMatch, Values: []string{"*duct 1*"}}}},
		{"number", []query.Cond{{Field: "prop.amount", Op: query.OpAtLeast, Values: []string{"5000"}}}},
		{"pattern of users", []query.Cond{{Field: "user", Op: query.OpMatch, Values: []string{"user-3*"}}}},
		{"channel", []query.Cond{{Field: "channel", Values: []string{"direct"}}}},
	} {
		b.Run("List/"+c.name, func(b *testing.B) {
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.List(context.Background(), query.Query{Site: &benchSite.Site, Where: c.where, Limit: 20}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
		for kind, metrics := range map[string]query.Metrics{"Count/": 0, "CountEvents/": query.MetricEvents} {
			b.Run(kind+c.name, func(b *testing.B) {
				cpu := cpuTime()
				b.ReportAllocs()
				for b.Loop() {
					queries++
					if _, err := e.Count(context.Background(), query.Query{Site: &benchSite.Site, Where: c.where, From: queries, Metrics: metrics}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			})
		}
	}
	today := dayOf(time.Now().UnixMilli(), nil)
	for _, c := range []struct {
		name string
		q    query.CounterQuery
	}{
		{"properties", query.CounterQuery{}},
		{"few values", query.CounterQuery{Property: "country"}},
		{"many values", query.CounterQuery{Property: "product"}},
		{"one week", query.CounterQuery{Property: "country", FromDay: today - 20, ToDay: today - 14}},
		{"by segment", query.CounterQuery{Property: "product", Segment: "country"}},
		{"where", query.CounterQuery{Property: "product", Where: where("name", "event 1")}},
	} {
		b.Run("Counters/"+c.name, func(b *testing.B) {
			c.q.Site = &benchSite.Site
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				queries++
				c.q.Limit = 100 + int(queries%900)
				if _, err := e.Counters(context.Background(), c.q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
	b.Run("Users", func(b *testing.B) {
		cpu := cpuTime()
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := e.Users(context.Background(), query.Query{Site: &benchSite.Site, Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	})
	b.Run("Sessions", func(b *testing.B) {
		cpu := cpuTime()
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := e.Sessions(context.Background(), query.Query{Site: &benchSite.Site, Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	})
}

// One operation is one durable event of any day of the last ten years.
func BenchmarkIngestOld(b *testing.B) {
	const size = 1000
	e := openBench(b)
	s := newStream(1)
	now := time.Now().UnixMilli()
	var batches [][]engine.Record
	for range (b.N + size - 1) / size {
		batch := s.batch(benchSite, size)
		for i := range batch {
			batch[i].Event.Time = now - s.rng.Int64N(10*365*24*3600*1000)
		}
		batches = append(batches, batch)
	}
	cpu := cpuTime()
	b.ReportAllocs()
	b.ResetTimer()
	for _, batch := range batches {
		if _, err := e.Ingest(context.Background(), batch, true, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
}
