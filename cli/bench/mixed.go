package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"cairn/cli/config"

	"github.com/dustin/go-humanize"
)

// This file is the phase "mixed": events of all protocols to two sites at a steady rate, for
// minutes. Every part of the memory budget fills up under it, and it shows whether the server
// then still takes as little CPU time for an event as it did at first. mixedload.go makes the
// requests.

const (
	mixedStep  = 30 * time.Second // length of a line of the report
	mixedConns = 2                // connections of each protocol to each site

	// mixedSites is the configuration of bench's own server.
	mixedSites = "[[site]]\nname = \"shop\"\nid = 1\n\n[[site]]\nname = \"blog\"\nid = 2\n"
)

// mixedLeg is one line of the report. Counts are those of its own time.
type mixedLeg struct {
	Seconds         float64 `json:"seconds"` // from the start to the end of this line
	Events          int64   `json:"events"`  // that the server has stored
	EventsPerSecond float64 `json:"events_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_event"` // of the server
	Collections     float64 `json:"collections_per_second"`
	quantiles               // of the requests
	RSS             int64   `json:"rss_bytes"`    // at the end
	Raised          int64   `json:"raised_bytes"` // the limit of memory above the planned one
}

// writeConfig writes the configuration of bench's own server. It returns the flags of serve
// that name it, none if the server needs no configuration.
func (b *benchRun) writeConfig(dir string) ([]string, error) {
	if !b.has(mixedPhase) {
		return nil, nil
	}
	path := filepath.Join(dir, "cairn.toml")
	return []string{"-config", path}, os.WriteFile(path, []byte(mixedSites), 0o600)
}

// mixed runs the phase, and prints each line when it is known.
func (b *benchRun) mixed(ctx context.Context, sites []config.SiteKeys) (legs []mixedLeg, err error) {
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	look, err := Dial(phase, b.URL, "")
	if err != nil {
		return nil, err
	}
	defer look.Close()
	var (
		mu    sync.Mutex
		lat   = newLatencies()
		first error
		all   sync.WaitGroup
		sent  atomic.Int64
	)
	start := time.Now()
	conns := len(mixedSenders) * len(sites) * mixedConns
	for n := range conns {
		s, keys := &mixedSenders[n%len(mixedSenders)], &sites[n/len(mixedSenders)%len(sites)]
		c, err := Dial(phase, b.URL, "")
		if err != nil {
			return nil, err
		}
		load := newMixedLoad(b.Seed, b.run, n, keys, start)
		every := time.Duration(float64(s.events*conns) / b.Rate * float64(time.Second))
		all.Go(func() {
			defer c.Close()
			due := start.Add(time.Duration(float64(every) * float64(n) / float64(conns)))
			for b.sleep(phase, due); phase.Err() == nil && due.Sub(start) < b.Mixed && time.Since(start) < b.Mixed; b.sleep(phase, due) {
				method, path, header, body := s.request(load)
				began := time.Now()
				_, err := c.do(method, path, header, body)
				took := time.Since(began)
				mu.Lock()
				if err != nil && first == nil && phase.Err() == nil {
					first = fmt.Errorf("%s: %w", s.name, err)
					cancel()
				}
				lat.add(took)
				mu.Unlock()
				sent.Add(int64(s.events))
				due = due.Add(every)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	t := tabwriter.NewWriter(b.progress, 7, 0, 2, ' ', tabwriter.AlignRight)
	before := ReadUsage(b.PID)
	samples, err := look.metrics()
	if err != nil {
		return nil, err
	}
	from := start
	for end := false; !end; {
		next := time.NewTimer(time.Until(from.Add(mixedStep)))
		select {
		case <-done:
			end = true
		case <-next.C:
		}
		next.Stop()
		if phase.Err() != nil {
			break
		}
		if end && time.Since(from) < mixedStep/10 && len(legs) > 0 {
			break // too short to be compared
		}
		now, usage := time.Now(), ReadUsage(b.PID)
		after, err := look.metrics()
		if err != nil {
			return legs, err
		}
		mu.Lock()
		l := mixedLeg{Seconds: now.Sub(start).Seconds(), Events: int64(after[storedMetric] - samples[storedMetric]), quantiles: quantilesOf(lat), RSS: usage.RSS, Raised: int64(after[raisedMetric])}
		lat = newLatencies()
		mu.Unlock()
		seconds := now.Sub(from).Seconds()
		l.EventsPerSecond = float64(l.Events) / seconds
		l.CPUMicros = float64((usage.CPU - before.CPU).Microseconds()) / float64(max(1, l.Events))
		l.Collections = (after[collectionsMetric] - samples[collectionsMetric]) / seconds
		legs = append(legs, l)
		if len(legs) == 1 {
			writeMixedHead(t)
		}
		writeMixedLeg(t, &l)
		t.Flush()
		from, before, samples = now, usage, after
	}
	cancel()
	<-done
	stored := int64(0)
	for _, l := range legs {
		stored += l.Events
	}
	if first == nil && ctx.Err() == nil && len(legs) > 0 && stored < sent.Load()*9/10 {
		first = fmt.Errorf("the server stored %d of %d events", stored, sent.Load())
	}
	if ctx.Err() != nil {
		return legs, ctx.Err()
	}
	return legs, first
}

// sleep waits until a time or the end of ctx.
func (b *benchRun) sleep(ctx context.Context, until time.Time) {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// The samples of /metrics that the phase reads.
const (
	storedMetric      = "cairn_events_accepted_total"
	collectionsMetric = "go_gc_cycles_total"
	raisedMetric      = "cairn_memory_limit_raised_bytes"
)

// metrics reads the samples without labels.
func (c *Conn) metrics() (map[string]float64, error) {
	page, err := c.do("GET", "/metrics", "", nil)
	if err != nil {
		return nil, fmt.Errorf("/metrics: %w", err)
	}
	samples := make(map[string]float64)
	for line := range bytes.Lines(page) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			samples[name] = v
		}
	}
	return samples, nil
}

func writeMixedHead(t io.Writer) {
	fmt.Fprintf(t, "%s\tevents/s\tCPU µs/event\tcollections/s\tp50\tp99\tmax ms\tRSS\traised\t\n", "mixed, to second")
}

func writeMixedLeg(t io.Writer, l *mixedLeg) {
	fmt.Fprintf(t, "%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", l.Seconds, humanize.Comma(int64(l.EventsPerSecond)), short(l.CPUMicros), short(l.Collections),
		short(l.P50), short(l.P99), short(l.Max), humanize.IBytesN(uint64(l.RSS), 3), humanize.IBytesN(uint64(l.Raised), 3))
}

// mixedPhase is the name of the phase. It is not among the phases that run without -phases,
// because it takes minutes.
const mixedPhase = "mixed"

// pick is one of the values.
func pick[T any](rng *rand.Rand, values []T) T { return values[rng.IntN(len(values))] }
