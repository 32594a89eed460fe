package bench

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2"
	"github.com/valyala/fasthttp"
)

// This file measures the parts of a server alone: HTTP with a constant answer, fsyncs on the
// disk, commits of Pebble, and reading JSON. They are upper limits for the figures of the
// server on the same machine. They run in this process, before the server under test has
// work.

// limitTime is the longest time that one part is measured.
const limitTime = 2 * time.Second

// limitResult is the measurement of one part. Its CPU time is that of this process, which
// is both client and server.
type limitResult struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"per_second"`
	Unit      string  `json:"unit"`
	quantiles
	CPUMicros float64 `json:"cpu_us"`
}

// limits measures every part.
func (b *benchRun) limits(ctx context.Context) ([]limitResult, error) {
	dir, err := os.MkdirTemp(b.Dir, "cairn-limits-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var all []limitResult
	for _, part := range []struct {
		name, unit string
		run        func(ctx context.Context, dir string, lat *latencies) (n int64, err error)
	}{
		{fmt.Sprintf("HTTP alone, %d connections", limitConns), "requests", b.rawHTTP},
		{"a write and an fsync of 4 KiB", "fsyncs", rawSync},
		{"Pebble alone, synced batches of 1,000 rows of 300 B", "rows", rawPebble},
		{"JSON of events, read by cairn's parser", "events", b.rawJSON},
		{"JSON of events, read by encoding/json", "events", b.rawStandardJSON},
	} {
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		phase, cancel := context.WithTimeout(ctx, min(b.Duration, limitTime))
		lat := newLatencies()
		start, cpu := time.Now(), selfCPU()
		n, err := part.run(phase, dir, lat)
		cancel()
		if err != nil {
			return all, fmt.Errorf("%s: %w", part.name, err)
		}
		r := limitResult{Name: part.name, Unit: part.unit, PerSecond: float64(n) / time.Since(start).Seconds(), quantiles: quantilesOf(lat)}
		if n > 0 {
			r.CPUMicros = float64((selfCPU() - cpu).Microseconds()) / float64(n)
		}
		all = append(all, r)
	}
	return all, nil
}

const limitConns = 64

// rawHTTP sends single events to a server that does not read them and gives a constant
// answer.
func (b *benchRun) rawHTTP(ctx context.Context, _ string, lat *latencies) (int64, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.SetContentType("application/json")
		c.SetBodyString(`{"accepted":1,"duplicates":0,"rejected":[]}`)
	}}
	go server.Serve(ln)
	defer server.Shutdown()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		n     int64
		first error
	)
	for i := range limitConns {
		wg.Go(func() {
			own := newLatencies()
			sent, err := func() (sent int64, err error) {
				c, err := Dial(context.WithoutCancel(ctx), "http://"+ln.Addr().String(), "none")
				if err != nil {
					return 0, err
				}
				defer c.Close()
				s := newStream(b.Seed, b.run, -2-i, b.crowd())
				var body []byte
				for ; ctx.Err() == nil; sent++ {
					body = s.appendEvent(body[:0], time.Now())
					start := time.Now()
					if _, err := c.Post("/", "application/json", body); err != nil {
						return sent, err
					}
					own.add(time.Since(start))
				}
				return sent, nil
			}()
			mu.Lock()
			defer mu.Unlock()
			n += sent
			lat.merge(own)
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return n, first
}

// rawSync writes and syncs one block after the other, as a log does.
func rawSync(ctx context.Context, dir string, lat *latencies) (n int64, err error) {
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for block := make([]byte, 4<<10); ctx.Err() == nil; n++ {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return n, err
		}
		if err := f.Sync(); err != nil {
			return n, err
		}
		lat.add(time.Since(start))
	}
	return n, nil
}

// rawPebble commits batches of rows.
func rawPebble(ctx context.Context, dir string, lat *latencies) (n int64, err error) {
	const rows, rowBytes = 1000, 300
	db, err := pebble.Open(filepath.Join(dir, "pebble"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: noLogger{}})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	row := make([]byte, rowBytes)
	for key := make([]byte, 8); ctx.Err() == nil; n += rows {
		start := time.Now()
		batch := db.NewBatch()
		for i := range rows {
			binary.BigEndian.PutUint64(key, uint64(n)+uint64(i))
			copy(row, key)
			if err := batch.Set(key, row, nil); err != nil {
				return n, err
			}
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return n, err
		}
		lat.add(time.Since(start))
	}
	return n, nil
}

type noLogger struct{}

func (noLogger) Infof(string, ...any)  {}
func (noLogger) Errorf(string, ...any) {}
func (noLogger) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func (b *benchRun) rawJSON(ctx context.Context, _ string, lat *latencies) (int64, error) {
	var parser event.Parser
	var e event.Event
	return b.parse(ctx, lat, func(line []byte) error {
		err := parser.Event(line, &e)
		parser.Reset()
		return err
	})
}

func (b *benchRun) rawStandardJSON(ctx context.Context, _ string, lat *latencies) (int64, error) {
	return b.parse(ctx, lat, func(line []byte) error {
		var e map[string]any
		return json.Unmarshal(line, &e)
	})
}

// parse calls one for each of a thousand events, over and over until ctx ends.
func (b *benchRun) parse(ctx context.Context, lat *latencies, one func(line []byte) error) (n int64, err error) {
	s := newStream(b.Seed, b.run, -1, b.crowd())
	lines := make([][]byte, 1000)
	for i := range lines {
		lines[i] = s.appendEvent(nil, time.Now())
	}
	for ctx.Err() == nil {
		start := time.Now()
		for _, line := range lines {
			if err := one(line); err != nil {
				return n, err
			}
		}
		lat.add(time.Since(start) / time.Duration(len(lines)))
		n += int64(len(lines))
	}
	return n, nil
}
