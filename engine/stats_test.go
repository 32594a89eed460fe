package engine_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"cairn/engine"
)

func TestHistogram(t *testing.T) {
	h := engine.NewHistogram(int64(time.Second), []float64{0.0005, 0.0025, 10})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, d := range []time.Duration{-1, 0, 500 * time.Microsecond, 500*time.Microsecond + 1, 2500 * time.Microsecond, 2500*time.Microsecond + 1, 10 * time.Second, time.Minute} {
				h.Observe(int64(d))
			}
		})
	}
	all.Wait()
	b := h.Buckets()
	if !slices.Equal(b.Counts, []uint64{24, 16, 16, 8}) || !slices.Equal(b.Bounds, []float64{0.0005, 0.0025, 10}) || b.Sum != 560.048000008 {
		t.Errorf("%+v", b)
	}
	h = engine.NewHistogram(1, []float64{1, 4})
	for n := range 6 {
		h.Observe(int64(n))
	}
	if b := h.Buckets(); !slices.Equal(b.Counts, []uint64{2, 3, 1}) || b.Sum != 15 {
		t.Errorf("%+v", b)
	}
}

func BenchmarkHistogram(b *testing.B) {
	h := engine.NewHistogram(int64(time.Second), []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.Observe(int64(730 * time.Microsecond))
		}
	})
	b.Run("8", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				h.Observe(int64(730 * time.Microsecond))
			}
		})
	})
}
