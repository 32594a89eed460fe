// What it costs to purge events, and to rewrite the runs that have them.
//
//	go test ./engine -run '^$' -bench Purge -purge.events 300000

package engine_test

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"cairn/engine/query"
)

var purgeBenchEvents = flag.Int("purge.events", 200_000, "events of BenchmarkPurge")

// One operation is a purge of the oldest fifth of the events of a store of -purge.events. native
// has events of 50,000 users who come again and again; visits has short visits of people of whom
// most never come again, with a session that the client names.
func BenchmarkPurge(b *testing.B) {
	for _, kind := range []string{"native", "visits"} {
		b.Run("stream="+kind, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				e := openBench(b)
				s := newStream(1)
				oldest := int64(0)
				for n := 0; n < *purgeBenchEvents; n += 1000 {
					batch := s.batch(benchSite, 1000)
					for i := range batch {
						if ev := &batch[i].Event; kind == "visits" {
							visitor := (n + i) / 7
							if i%3 == 0 { // an old one comes again
								visitor = s.rng.IntN(visitor + 1)
							}
							ev.User, ev.Anonymous, ev.Session = "", fmt.Sprintf("%s%012x", s.prefix, visitor), fmt.Sprintf("s%016x", visitor/2*1_000_003)
							if visitor%4 == 0 {
								ev.User = fmt.Sprintf("user-%d", visitor)
							}
						}
						if n < *purgeBenchEvents/5 {
							oldest = batch[i].Event.Time + 1
						}
					}
					if _, err := e.Ingest(context.Background(), batch, true, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				cpu := cpuTime()
				r, err := e.Delete(context.Background(), &benchSite.Site, query.Deletion{Kind: query.DeleteFilter, To: oldest, Now: true})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := e.WaitPurged(context.Background(), &benchSite.Site, r.ID); err != nil {
					b.Fatal(err)
				}
				rows := float64(r.Rows)
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/rows, "cpu-µs/row")
				b.ReportMetric(rows, "rows")
				stats := e.Stats()
				b.ReportMetric(stats.ForgetSeconds*1e6/rows, "forget-µs/row")
				b.ReportMetric(stats.RewriteSeconds*1e6/float64(stats.RewrittenEvents), "rewrite-µs/row")
			}
		})
	}
}
