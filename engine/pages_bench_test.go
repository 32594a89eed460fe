// Listings of rare values in a store that is larger than the page cache, and what they touch.
// Between rounds of listings a count reads whole columns, as dashboards do.
//
//	go test ./engine -run '^$' -bench Rare -bench.events 4000000 -bench.memory 134217728 -bench.store /tmp/rare

package engine_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"
)

var (
	benchStore  = flag.String("bench.store", "", "directory of the store with rare values, kept for the next time; empty = a temporary one")
	benchMemory = flag.Int64("bench.memory", 128<<20, "memory of the engine that lists rare values, in bytes")
)

// openRare opens the store with rare values. It makes it when there is none: most users have a
// few events among millions, and their events are far apart.
func openRare(b *testing.B) *engine.Engine {
	dir := cmp.Or(*benchStore, b.TempDir())
	_, err := os.Stat(filepath.Join(dir, "made"))
	made := err == nil
	memory := *benchMemory
	if !made {
		memory = max(memory, 256<<20)
	}
	open := func() *engine.Engine {
		e, err := engine.Open(engine.Options{Dir: dir, Sites: engine.SitesOf(benchSite), Memory: memory})
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	e := open()
	if !made {
		const writers = 2
		var wg sync.WaitGroup
		for i := range uint64(writers) {
			s := newStream(i + 1)
			s.users = rand.NewZipf(s.rng, 1.05, 50, 999_999)
			s.products = rand.NewZipf(s.rng, 1.1, 10, 49_999)
			wg.Go(func() {
				for n := 0; n < *benchEvents/writers; n += 1000 {
					records := s.batch(benchSite, 1000)
					_, err := e.Ingest(context.Background(), records, true, nil)
					for errors.Is(err, query.ErrBusy) {
						time.Sleep(time.Millisecond)
						_, err = e.Ingest(context.Background(), records, true, nil)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for before := uint64(1 << 63); e.Stats().Merges != before; time.Sleep(3 * time.Second) { // until nothing is merged
			before = e.Stats().Merges
		}
		if err := errors.Join(e.Close(), os.WriteFile(filepath.Join(dir, "made"), nil, 0o600)); err != nil {
			b.Fatal(err)
		}
		memory = *benchMemory
		e = open()
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

// touched sums up what was read, by kind.
type touched map[string][3]uint64 // hits, loads, bytes

func (t touched) add(before, after engine.PageReads) {
	sum := func(r engine.PageReads, sign uint64) {
		for _, k := range r.Kinds {
			n := t[k.Kind]
			t[k.Kind] = [3]uint64{n[0] + sign*k.Hits, n[1] + sign*k.Loads, n[2] + sign*k.Bytes}
		}
		n := t["table"]
		t["table"] = [3]uint64{n[0], n[1] + sign*r.Tables.Keys, n[2] + sign*r.Tables.Bytes}
	}
	sum(after, 1)
	sum(before, ^uint64(0))
}

// One operation is one listing of the newest 20 events of a value that is rare.
func BenchmarkRare(b *testing.B) {
	e := openRare(b)
	runs := e.Stats().Runs
	scans := int64(0)
	scan := func(b *testing.B) { // a count over all columns that counts read, never the same
		scans++
		for _, where := range [][]query.Cond{
			nil,
			{{Field: "prop.plan", Values: []string{"pro"}}},
			{{Field: "prop.amount", Op: query.OpAtLeast, Values: []string{"5000"}}},
			{{Field: "country", Values: []string{"C7"}}, {Field: "browser", Values: []string{"Edge"}}},
		} {
			if _, err := e.Count(context.Background(), query.Query{Site: &benchSite.Site, Where: where, From: scans}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, alternate := range []bool{false, true} {
		for _, c := range []struct {
			name  string
			conds func(rng *rand.Rand) []query.Cond
		}{
			{"user", func(rng *rand.Rand) []query.Cond {
				return []query.Cond{{Field: "user", Values: []string{"user-" + strconv.Itoa(1000+rng.IntN(300_000))}}}
			}},
			{"product", func(rng *rand.Rand) []query.Cond {
				return []query.Cond{{Field: "prop.product", Values: []string{"product " + strconv.Itoa(10_000+rng.IntN(40_000))}}}
			}},
			{"name and product", func(rng *rand.Rand) []query.Cond {
				return []query.Cond{{Field: "name", Values: []string{"event " + strconv.Itoa(30+rng.IntN(20))}},
					{Field: "prop.product", Values: []string{"product " + strconv.Itoa(1000+rng.IntN(3000))}}}
			}},
		} {
			b.Run(fmt.Sprintf("%s/scans=%v", c.name, alternate), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(7, 7))
				reads := make(touched)
				var times []time.Duration
				events := 0
				var cpu time.Duration
				for b.Loop() {
					if alternate && len(times)%20 == 0 {
						b.StopTimer()
						scan(b)
						b.StartTimer()
					}
					q := query.Query{Site: &benchSite.Site, Where: c.conds(rng), Limit: 20, Shown: true}
					before, cpuBefore, start := e.PageReads(), cpuTime(), time.Now()
					page, err := e.List(context.Background(), q)
					times = append(times, time.Since(start))
					cpu += cpuTime() - cpuBefore
					if err != nil {
						b.Fatal(err)
					}
					events += len(page.Events)
					reads.add(before, e.PageReads())
				}
				slices.Sort(times)
				ops := float64(len(times))
				var loads, hits, bytes uint64
				var text strings.Builder
				for kind, n := range reads {
					if kind != "table" {
						hits, loads, bytes = hits+n[0], loads+n[1], bytes+n[2]
					}
					fmt.Fprintf(&text, "  %s: %.1f hits, %.1f loads, %.0f bytes;", kind, float64(n[0])/ops, float64(n[1])/ops, float64(n[2])/ops)
				}
				b.Logf("%d runs, %.1f events a listing;%s", runs, float64(events)/ops, text.String())
				b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
				b.ReportMetric(float64(cpu.Microseconds())/ops, "cpu-µs/op")
				b.ReportMetric(float64(hits)/ops, "hits/op")
				b.ReportMetric(float64(loads)/ops, "loads/op")
				b.ReportMetric(float64(bytes)/1024/ops, "KiB/op")
				b.ReportMetric(float64(reads["table"][2])/1024/ops, "tableKiB/op")
			})
		}
	}
}
