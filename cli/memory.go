package cli

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/prometheus/procfs"
)

// This file sets the limit of memory at which the runtime collects garbage more often.

// memoryLimit is the limit of the runtime for the memory that Go manages. The program's code
// and what the system keeps for it take some 40 to 50 MiB more.
//
// Most of the time the limit is a little less than the budget. With little room between the live data and the
// limit, the server would do little else than collect. So while the live data take more than
// four fifths of the limit, the limit is raised, but not beyond 64 MiB above the budget in all.
type memoryLimit struct {
	base, most int64 // bytes
	now        atomic.Int64
	raised     atomic.Int64      // by how much the live data raise it
	set        func(bytes int64) // nil = the operator has set a limit, which is kept
}

// limitSpread is how far the limit may be raised, from half of it below the budget to half of it
// above.
const limitSpread = 16 << 20

// newMemoryLimit sets the limit for a budget. It is called before the store is opened.
func newMemoryLimit(budget int64) *memoryLimit {
	boundMalloc()
	m := &memoryLimit{base: budget - limitSpread/2, most: budget + limitSpread/2}
	if os.Getenv("GOMEMLIMIT") == "" {
		m.set = func(bytes int64) { debug.SetMemoryLimit(bytes) }
		m.set(m.base)
	}
	m.now.Store(m.base)
	return m
}

// outsideFree is how much memory that Go does not manage leaves the highest limit as it is.
const outsideFree = 8 << 20

// programUsual is how much memory the program's code and constants may take without a change of
// the limit. Nearly all of them are in memory soon after the start.
const programUsual = 22 << 20

// adapt sets the limit for so many bytes of live data, and so many that Go does not manage.
func (m *memoryLimit) adapt(live, outside int64) {
	base := max(m.base-outside, m.base/2)
	most := max(m.most-max(0, outside-outsideFree), base)
	limit := min(max(base, live/4*5), most)
	if before := m.now.Load(); m.set != nil && limit != before && (limit > before || before-limit > m.base/16 || limit == m.base) {
		m.now.Store(limit)
		m.set(limit)
	}
	if m.set != nil {
		m.raised.Store(limit - base)
	}
}

// outsideBytes returns how much memory the process has beyond what Go has mapped and the usual size
// of the program, or 0 if the system does not say.
func outsideBytes(mapped int64) int64 {
	self, err := procfs.Self()
	if err != nil {
		return 0
	}
	status, err := self.NewStatus()
	if err != nil {
		return 0
	}
	return beyond(int64(min(status.RssAnon, math.MaxInt64)), int64(min(status.RssFile, math.MaxInt64)), mapped)
}

// beyond is outsideBytes for the anonymous and the file-backed memory of the process. The latter
// is the program itself, which counts where it is larger than programUsual.
func beyond(anonymous, file, mapped int64) int64 {
	return max(0, anonymous-mapped) + max(0, file-programUsual)
}

// watch adapts the limit once a second until ctx ends.
func (m *memoryLimit) watch(ctx context.Context) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			metrics.Read(samples)
			var v [3]int64
			for i, sample := range samples {
				if sample.Value.Kind() == metrics.KindUint64 {
					v[i] = int64(min(sample.Value.Uint64(), math.MaxInt64))
				}
			}
			m.adapt(v[0], outsideBytes(v[1]-v[2]))
		}
	}
}

// Metrics puts the limit into /metrics.
func (m *memoryLimit) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	put("cairn_memory_limit_bytes", "gauge", "Limit of the memory that Go manages.", float64(m.now.Load()))
	put("cairn_memory_limit_raised_bytes", "gauge", "By how much the limit is raised, because the data in use take more than four fifths of it.", float64(m.raised.Load()))
}

// Troubles says that the limit is raised.
func (m *memoryLimit) Troubles() []string {
	if m.raised.Load() > 0 {
		return []string{"the data in use take more memory than planned, so the limit is raised: raise memory"}
	}
	return nil
}
