package engine_test

import (
	"context"
	"testing"
	"time"

	"cairn/engine/sink"
)

// nowhereSink takes rows and forgets them.
type nowhereSink struct {
	form  sink.Form
	bytes int64
}

func (s *nowhereSink) Name() string               { return "nowhere" }
func (s *nowhereSink) Form() sink.Form            { return s.form }
func (s *nowhereSink) Open(context.Context) error { return nil }
func (s *nowhereSink) Close() error               { return nil }
func (s *nowhereSink) Send(_ context.Context, r *sink.Range) error {
	s.bytes += int64(len(r.Lines))
	return nil
}
func (s *nowhereSink) Newest(context.Context, uint64, sink.Site, uint64, int) ([]sink.Mark, error) {
	return nil, nil
}
func (s *nowhereSink) Delete(context.Context, uint64, sink.Site, []sink.Span) error { return nil }
func (s *nowhereSink) DeleteSite(context.Context, uint64, sink.Site) error          { return nil }

// One operation is one event that is carried to a sink, of a store of -export.events with a budget of
// 256 MiB: what a sink costs on cairn's side while it takes the history.
func BenchmarkSink(b *testing.B) {
	e, _ := filledBench(b, *exportBenchEvents)
	for name, form := range map[string]sink.Form{"native": sink.Native, "columns": sink.Columns, "text": sink.ColumnsText} {
		b.Run("form="+name, func(b *testing.B) {
			b.ReportAllocs()
			to := &nowhereSink{form: form}
			events := 0
			start := time.Now()
			cpu := cpuTime()
			for events < b.N {
				// Each time it is another sink, which begins with the first event.
				name := namedSink{to, time.Now().Format("150405.000000000")}
				if err := e.CarryTo([]sink.Config{{Sink: name, Delay: time.Millisecond}}); err != nil {
					b.Fatal(err)
				}
				for {
					st := e.Stats().Sinks[0]
					if st.Rows == uint64(*exportBenchEvents) {
						break
					}
					time.Sleep(time.Millisecond)
				}
				events += *exportBenchEvents
			}
			b.StopTimer()
			if err := e.CarryTo(nil); err != nil {
				b.Fatal(err)
			}
			n := float64(events)
			b.ReportMetric(n/time.Since(start).Seconds(), "events/s")
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/n, "cpu-µs/event")
			b.ReportMetric(float64(to.bytes)/n, "B-out/event")
		})
	}
}

type namedSink struct {
	*nowhereSink
	name string
}

func (s namedSink) Name() string { return s.name }
