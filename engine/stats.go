// Stats: the engine's gauges and histograms.

package engine

import (
	"maps"
	"math"
	"sync/atomic"
)

// Bounds of the histograms: seconds, and events of a group.
var (
	secondsBounds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	groupBounds   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384}
)

// Histogram counts observations by size: durations in nanoseconds, or plain numbers.
// Several goroutines may use it at once.
type Histogram struct {
	bounds []float64 // in reported units: seconds for durations
	limits []int64   // the same in observed units
	counts []atomic.Uint64
	sum    atomic.Int64
	unit   int64
}

// NewHistogram returns a histogram with a bucket for each bound, in ascending order, and
// one without a bound. unit is the number of observed units in one unit of the bounds:
// int64(time.Second) for durations with bounds in seconds. The caller must not change
// bounds afterwards.
func NewHistogram(unit int64, bounds []float64) *Histogram {
	h := &Histogram{bounds: bounds, limits: make([]int64, len(bounds)), counts: make([]atomic.Uint64, len(bounds)+1), unit: unit}
	for i, bound := range bounds {
		h.limits[i] = int64(math.Round(bound * float64(unit)))
	}
	return h
}

// Observe counts n in the first bucket whose bound is n or more.
func (h *Histogram) Observe(n int64) {
	i := 0
	for i < len(h.limits) && n > h.limits[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(n)
}

// Buckets returns what was observed until now. The newest observations may be in Counts and
// not yet in Sum.
func (h *Histogram) Buckets() Buckets {
	b := Buckets{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: float64(h.sum.Load()) / float64(h.unit)}
	for i := range h.counts {
		b.Counts[i] = h.counts[i].Load()
	}
	return b
}

// Stats implements API.
func (e *Engine) Stats() Stats {
	s := Stats{
		Accepted:           e.stats.accepted.Load(),
		Duplicates:         e.stats.duplicates.Load(),
		Commits:            e.stats.commits.Load(),
		CommitSeconds:      e.stats.commit.Buckets(),
		SyncSeconds:        e.stats.sync.Buckets(),
		GroupEvents:        e.stats.group.Buckets(),
		QueueEvents:        e.queuedEvents.Load(),
		QueueBytes:         e.queued.Load(),
		HotEvents:          e.hot.Load(),
		LinkBytes:          e.pool.links.Load(),
		LinkBytesMax:       e.memory.Links,
		Seals:              e.stats.seals.Load(),
		SealSeconds:        float64(e.stats.sealNanos.Load()) / 1e9,
		Merges:             e.stats.merges.Load(),
		RetentionDays:      e.stats.retentionDays.Load(),
		Retention:          e.retentionTrouble(),
		MergedEvents:       e.stats.mergedEvents.Load(),
		MergeSeconds:       float64(e.stats.mergeNanos.Load()) / 1e9,
		Rewrites:           e.stats.rewrites.Load(),
		RewrittenEvents:    e.stats.rewrittenEvents.Load(),
		RewriteSeconds:     float64(e.stats.rewriteNanos.Load()) / 1e9,
		ForgetSeconds:      float64(e.stats.forgetNanos.Load()) / 1e9,
		Deletions:          e.deletionStates.snapshot(),
		DedupWindowSeconds: e.opts.Dedup.Seconds(),
		DiskFreeBytes:      e.disk.Free(),
		DiskReserveBytes:   e.disk.Reserve(),
		Sinks:              e.sinkStats(),
	}
	s.Corruptions, s.Damaged = e.damage.snapshot()
	e.stats.mu.Lock()
	s.Rejected = maps.Clone(e.stats.rejected)
	e.stats.mu.Unlock()
	for _, site := range e.allSites() {
		s.Runs += int64(site.RunCount())
		if hidden := site.Hidden(); hidden != nil {
			s.HiddenEvents += hidden.GetCardinality()
		}
	}
	return s
}
