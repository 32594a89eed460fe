// Stats: the engine's gauges and histograms.

package engine

import (
	"maps"
	"sync"
)

// Bounds of the histograms: seconds, and events of a group.
var (
	secondsBounds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	groupBounds   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384}
)

// histogram counts observations by bound.
type histogram struct {
	mu     sync.Mutex
	bounds []float64
	counts []uint64
	sum    float64
}

func newHistogram(bounds []float64) histogram {
	return histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) observe(v float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i]++
	h.sum += v
}

func (h *histogram) snapshot() Histogram {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Histogram{Bounds: h.bounds, Counts: append([]uint64(nil), h.counts...), Sum: h.sum}
}

// Stats implements API.
func (e *Engine) Stats() Stats {
	s := Stats{
		Accepted:           e.stats.accepted.Load(),
		Duplicates:         e.stats.duplicates.Load(),
		Commits:            e.stats.commits.Load(),
		CommitSeconds:      e.stats.commit.snapshot(),
		SyncSeconds:        e.stats.sync.snapshot(),
		GroupEvents:        e.stats.group.snapshot(),
		QueueEvents:        e.queuedEvents.Load(),
		QueueBytes:         e.queued.Load(),
		HotEvents:          e.hot.Load(),
		LinkBytes:          e.linkBytes.Load(),
		LinkBytesMax:       e.linkBytesMax(),
		Seals:              e.stats.seals.Load(),
		SealSeconds:        float64(e.stats.sealNanos.Load()) / 1e9,
		Merges:             e.stats.merges.Load(),
		MergedEvents:       e.stats.mergedEvents.Load(),
		MergeSeconds:       float64(e.stats.mergeNanos.Load()) / 1e9,
		DedupWindowSeconds: e.opts.Dedup.Seconds(),
		DiskFreeBytes:      e.disk.Free(),
		DiskReserveBytes:   e.disk.Reserve(),
	}
	s.Corruptions, s.Damaged = e.damage.snapshot()
	e.stats.mu.Lock()
	s.Rejected = maps.Clone(e.stats.rejected)
	e.stats.mu.Unlock()
	for _, site := range e.allSites() {
		s.Runs += int64(len(site.sealed()))
	}
	if e.failure() == nil { // else Pebble may be stuck in its fatal error
		s.Pebble = pebbleMetrics(e.db.Metrics())
	}
	return s
}
