package cli

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// This file sets the limit of memory at which the runtime collects garbage more often.

// memoryLimit is the limit of the runtime for the memory that Go manages. The program's code
// and what the system keeps for it take some 40 to 50 MiB more.
//
// Most of the time the limit is the budget. With little room between the live data and the
// limit, the server would do little else than collect. So while the live data take more than
// four fifths of the limit, the limit is raised, but not beyond 64 MiB above the budget in all.
type memoryLimit struct {
	base, most int64 // bytes
	now        atomic.Int64
	set        func(bytes int64) // nil = the operator has set a limit, which is kept
}

// newMemoryLimit sets the limit for a budget.
func newMemoryLimit(budget int64) *memoryLimit {
	m := &memoryLimit{base: budget, most: budget + 16<<20}
	if os.Getenv("GOMEMLIMIT") == "" {
		m.set = func(bytes int64) { debug.SetMemoryLimit(bytes) }
		m.set(m.base)
	}
	m.now.Store(m.base)
	return m
}

// adapt sets the limit for so many bytes of live data.
func (m *memoryLimit) adapt(live int64) {
	limit := min(max(m.base, live/4*5), m.most)
	if before := m.now.Load(); m.set != nil && limit != before && (limit > before || before-limit > m.base/16 || limit == m.base) {
		m.now.Store(limit)
		m.set(limit)
	}
}

// watch adapts the limit once a second until ctx ends.
func (m *memoryLimit) watch(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if metrics.Read(sample); sample[0].Value.Kind() == metrics.KindUint64 {
				m.adapt(int64(min(sample[0].Value.Uint64(), math.MaxInt64)))
			}
		}
	}
}

// Metrics puts the limit into /metrics.
func (m *memoryLimit) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	put("cairn_memory_limit_bytes", "gauge", "Limit of the memory that Go manages.", float64(m.now.Load()))
	put("cairn_memory_limit_raised_bytes", "gauge", "By how much the limit is raised, because the data in use take more than four fifths of it.", float64(m.now.Load()-m.base))
}

// Troubles says that the limit is raised.
func (m *memoryLimit) Troubles() []string {
	if m.now.Load() > m.base {
		return []string{"the data in use take more memory than planned, so the limit is raised: raise memory"}
	}
	return nil
}
