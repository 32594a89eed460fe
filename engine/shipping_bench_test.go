// What shipping the log costs:
//
//	go test ./engine -run '^$' -bench Shipping -count 10
//	benchstat -col /ship old.txt

package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cairn/engine/backup"
)

// BenchmarkShippingIngest writes events in requests of 100 while their log is shipped as often as it
// is due, and each second, to a bucket in memory. A gap is counted and not mended: a snapshot costs
// what a snapshot costs.
func BenchmarkShippingIngest(b *testing.B) {
	for _, ship := range []string{"off", "on"} {
		b.Run("ship="+ship, func(b *testing.B) {
			e := openBench(b)
			s := newStream(1)
			const batch = 100
			stop := make(chan struct{})
			var done sync.WaitGroup
			objects := newBucket()
			gaps := 0
			if ship == "on" {
				src, err := e.LogSource()
				if err != nil {
					b.Fatal(err)
				}
				shipper := backup.NewShipper(&backup.Vault{Bucket: objects}, src, false, slog.New(slog.DiscardHandler))
				began := time.Now()
				_ = shipper.Ship(context.Background())
				if err := shipper.Began(context.Background(), nil, began.Add(time.Hour)); err != nil {
					b.Fatal(err)
				}
				done.Go(func() {
					for end := false; !end; {
						select {
						case <-stop:
							end = true
						case <-shipper.Due():
						case <-time.After(time.Second):
						}
						if err := shipper.Ship(context.Background()); errors.Is(err, backup.ErrGap) {
							gaps++
							_ = shipper.Began(context.Background(), nil, time.Now().Add(time.Hour))
						} else if err != nil {
							b.Error(err)
						}
					}
				})
			}
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Ingest(context.Background(), s.batch(benchSite, batch), true, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			close(stop)
			done.Wait()
			n := 0
			for _, text := range objects.objects {
				n += len(text)
			}
			events := float64(b.N * batch)
			b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/events, "cpu-µs/event")
			b.ReportMetric(float64(n)/events, "shippedB/event")
			b.ReportMetric(float64(gaps), "gaps")
		})
	}
}

// BenchmarkShippingObject makes objects of a store that has 50,000 events in its log.
func BenchmarkShippingObject(b *testing.B) {
	e := openBench(b)
	s := newStream(1)
	const events = 50_000
	for n := 0; n < events; n += 1000 {
		if _, err := e.Ingest(context.Background(), s.batch(benchSite, 1000), true, nil); err != nil {
			b.Fatal(err)
		}
	}
	src, err := e.LogSource()
	if err != nil {
		b.Fatal(err)
	}
	size, cpu := 0, cpuTime()
	b.ReportAllocs()
	for b.Loop() {
		objects := newBucket()
		shipper := backup.NewShipper(&backup.Vault{Bucket: objects}, src, false, slog.New(slog.DiscardHandler))
		_ = shipper.Ship(context.Background())
		size = 0
		for _, text := range objects.objects {
			size += len(text)
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N)/events, "cpu-ns/event")
	b.ReportMetric(float64(size)/events, "B/event")
}

// BenchmarkShippingIdle asks whether there is something to ship when there is nothing.
func BenchmarkShippingIdle(b *testing.B) {
	e := openBench(b)
	src, err := e.LogSource()
	if err != nil {
		b.Fatal(err)
	}
	objects := newBucket()
	shipper := backup.NewShipper(&backup.Vault{Bucket: objects}, src, false, slog.New(slog.DiscardHandler))
	_ = shipper.Ship(context.Background())
	before, cpu := len(objects.objects), cpuTime()
	b.ReportAllocs()
	for b.Loop() {
		_ = shipper.Ship(context.Background())
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if n := len(objects.objects); n != before {
		b.Fatalf("%d objects", n-before)
	}
}
