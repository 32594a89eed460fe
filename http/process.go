package httpd

import (
	"bytes"
	"os"
	"runtime"
	rtmetrics "runtime/metrics"
	"strconv"
	"strings"
)

// This file reads what the operating system and the Go runtime know of the
// process. Where there is no /proc those samples are left out.

// clockTicks is the unit of CPU times in /proc on every Linux that Go runs on.
const clockTicks = 100

// appendProcess writes the samples under the names every Prometheus client has.
func (s *Server) appendProcess(p *page) {
	// After "(name)", which may hold anything, field 14 and 15 are ticks of CPU
	// time and 24 is the resident set in pages.
	if stat, err := os.ReadFile("/proc/self/stat"); err == nil {
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		field := func(n int) float64 {
			if n-3 >= len(fields) {
				return 0
			}
			v, _ := strconv.ParseFloat(fields[n-3], 64)
			return v
		}
		p.one("process_cpu_seconds_total", "counter", "CPU time used.", (field(14)+field(15))/clockTicks)
		p.one("process_resident_memory_bytes", "gauge", "Resident memory.", field(24)*float64(os.Getpagesize()))
	}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := dir.Readdirnames(1 << 20)
		dir.Close()
		p.one("process_open_fds", "gauge", "Open files and sockets.", float64(len(names)))
	}
	p.one("process_start_time_seconds", "gauge", "When the server started, Unix time.", float64(s.metrics.started.UnixMilli())/1e3)
	p.one("go_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))

	samples := []rtmetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	rtmetrics.Read(samples)
	for i, m := range []struct{ name, kind, help string }{
		{"go_memstats_heap_alloc_bytes", "gauge", "Bytes of live and not yet swept objects."},
		{"go_memstats_sys_bytes", "gauge", "Memory taken from the system."},
		{"go_gc_cycles_total", "counter", "Garbage collections."},
		{"go_gc_cpu_seconds_total", "counter", "Estimated CPU time of garbage collection."},
	} {
		switch v := samples[i].Value; v.Kind() {
		case rtmetrics.KindUint64:
			p.one(m.name, m.kind, m.help, float64(v.Uint64()))
		case rtmetrics.KindFloat64:
			p.one(m.name, m.kind, m.help, v.Float64())
		}
	}
}
