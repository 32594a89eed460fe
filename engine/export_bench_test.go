package engine_test

import (
	"context"
	"flag"
	"testing"

	"cairn/engine"
	"cairn/engine/query"
)

var exportBenchEvents = flag.Int("export.events", 300_000, "events of BenchmarkExport")

// nowhere counts what is written to it.
type nowhere struct{ bytes int64 }

func (n *nowhere) Write(b []byte) (int, error) {
	n.bytes += int64(len(b))
	return len(b), nil
}

// One operation is one event that is exported, of a store of -export.events with a budget of
// 256 MiB. Every event has a message id, an order and a device of its own.
func BenchmarkExport(b *testing.B) {
	e, _ := filledBench(b, *exportBenchEvents)
	b.Run("format=ndjson", func(b *testing.B) { benchExport(b, e, query.NDJSON) })
	b.Run("format=csv", func(b *testing.B) { benchExport(b, e, query.CSV) })
	b.Run("format=parquet", func(b *testing.B) { benchExport(b, e, query.Parquet) })
}

func benchExport(b *testing.B, e *engine.Engine, format query.ExportFormat) {
	b.ReportAllocs()
	var out nowhere
	cpu := cpuTime()
	events := 0
	for events < b.N {
		ctx, end := context.WithCancel(context.Background())
		run, err := e.BeginExport(ctx, query.Export{Site: &benchSite.Site, Format: format})
		if err != nil {
			b.Fatal(err)
		}
		done, err := run.Write(ctx, &out)
		end()
		if err != nil {
			b.Fatal(err)
		}
		events += int(done.Events)
	}
	b.StopTimer()
	n := float64(events)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/n, "cpu-µs/event")
	b.ReportMetric(float64(out.bytes)/n, "B-out/event")
}
