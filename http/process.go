package httpd

import (
	"os"
	"runtime"
	rtmetrics "runtime/metrics"

	"github.com/prometheus/procfs"
)

// This file reads what the operating system and the Go runtime know of the process. Without
// /proc its samples are left out.

// appendProcess writes the samples under the names every Prometheus client has.
func (s *Server) appendProcess(p *page) {
	if self, err := procfs.Self(); err == nil {
		if stat, err := self.Stat(); err == nil {
			p.put("process_cpu_seconds_total", "counter", "CPU time used.", stat.CPUTime())
			p.put("process_resident_memory_bytes", "gauge", "Resident memory.", float64(stat.ResidentMemory()))
		}
	}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := dir.Readdirnames(1 << 20)
		dir.Close()
		p.put("process_open_fds", "gauge", "Open files and sockets.", float64(len(names)))
	}
	p.put("process_start_time_seconds", "gauge", "Unix time at which the server started.", float64(s.metrics.started.UnixMilli())/1e3)
	p.put("go_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))

	samples := []rtmetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	rtmetrics.Read(samples)
	for i, m := range []struct{ name, kind, help string }{
		{"go_memstats_heap_alloc_bytes", "gauge", "Bytes of heap objects that are live or not yet swept."},
		{"go_memstats_sys_bytes", "gauge", "Bytes of memory obtained from the system."},
		{"go_gc_cycles_total", "counter", "Completed garbage collections."},
		{"go_gc_cpu_seconds_total", "counter", "Estimated CPU time of garbage collection."},
	} {
		switch v := samples[i].Value; v.Kind() {
		case rtmetrics.KindUint64:
			p.put(m.name, m.kind, m.help, float64(v.Uint64()))
		case rtmetrics.KindFloat64:
			p.put(m.name, m.kind, m.help, v.Float64())
		}
	}
}
