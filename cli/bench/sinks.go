package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// This file is the phase "sinks": what it costs to carry every event to a sink. It measures ingest
// without a sink and with one, how far the sink is behind, and how fast it catches up with a history.
// The sink is a black hole in this process, or a real one. The phase starts servers of its own, after all
// other phases.

const (
	sinksPhase   = "sinks"
	sinksWait    = 10 * time.Minute // for a sink to have everything
	sinksLook    = 200 * time.Millisecond
	sinksRate    = 50_000 // events a second of the paced load
	sinksShare   = 0.9    // of ingest without a sink, with one
	sinksLagMax  = 10     // seconds, at the paced load
	sinksBackMin = 200_000
	sinksRSSMax  = 64 << 20 // more than without a sink
)

// sinkRun is the phase under way.
type sinkRun struct {
	*benchRun
	*Data
	sink []string // variables of a server with a sink
	dir  string
}

// sinks runs the phase.
func (b *benchRun) sinks(ctx context.Context) (*Data, error) {
	own := *b // whose server changes
	s := &sinkRun{benchRun: &own, Data: new(Data)}
	hole, err := newBlackHole()
	if err != nil {
		return nil, err
	}
	defer hole.close()
	if s.sink, err = sinkVariables(b.Sink, hole.URL, b.run); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(filepath.Dir(b.Dir), "sinks-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	err = s.measure(ctx)
	b.streams = own.streams
	return s.Data, err
}

// sinkVariables are the variables that name a sink: "" is the black hole, "http://…" a ClickHouse and
// "kafka://host:port,host:port" a Kafka. Those that are set already, such as the file of a password,
// stay.
func sinkVariables(sink, hole string, run uint64) (env []string, err error) {
	kind, rest, ok := strings.Cut(sink, "://")
	switch {
	case sink == "":
		return []string{"CAIRN_SINK_CLICKHOUSE_URL=" + hole, "CAIRN_SINK_CLICKHOUSE_CREATE=true"}, nil
	case ok && (kind == "http" || kind == "https"):
		env = []string{"CAIRN_SINK_CLICKHOUSE_URL=" + sink, "CAIRN_SINK_CLICKHOUSE_CREATE=true", fmt.Sprintf("CAIRN_SINK_CLICKHOUSE_TABLE=bench_%d", run)}
	case ok && kind == "kafka" && rest != "":
		env = []string{"CAIRN_SINK_KAFKA_BROKERS=" + strings.TrimRight(rest, "/"), "CAIRN_SINK_KAFKA_CREATE=true", fmt.Sprintf("CAIRN_SINK_KAFKA_TOPIC=cairn-bench-%d", run)}
	default:
		return nil, fmt.Errorf("%q is no sink; use for example http://localhost:8123 or kafka://localhost:9092", sink)
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "CAIRN_SINK_") {
			env = append(env, kv)
		}
	}
	return env, nil
}

// CheckSink returns what is wrong with Options.Sink.
func CheckSink(sink string) error {
	_, err := sinkVariables(sink, "", 0)
	return err
}

// with runs do while a server is there, and returns the most memory that it had.
func (s *sinkRun) with(ctx context.Context, data string, env []string, do func() error) (rss int64, err error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	child, err := StartChild(ctx, ChildOptions{Exe: exe, Dir: filepath.Join(s.dir, data), Env: append(Environ(s.Memory), env...)})
	if err != nil {
		return 0, err
	}
	s.URL, s.Key, s.PID = child.URL, child.Keys.Sites[0].SecretKey, child.Cmd.Process.Pid
	err = do()
	rss = ReadUsage(s.PID).RSSPeak
	return rss, errors.Join(err, child.Stop())
}

func (s *sinkRun) measure(ctx context.Context) error {
	now := func(int64) time.Time { return time.Now() }
	load := writePhase{conns: s.BatchConns, batch: 1000, events: s.benchRun.Events, duration: s.Duration, clock: now}

	load.name = "batches, no sink"
	var plain writeResult
	rss, err := s.with(ctx, "plain", nil, func() (err error) {
		plain, err = s.write(ctx, load)
		return err
	})
	if err != nil {
		return err
	}
	s.Events += plain.Events
	s.add(figure{Name: "ingest without a sink", Value: plain.EventsPerSecond, Unit: "events/s", CPU: plain.CPUMicros, Per: "event", RSS: rss})

	load.name = "batches, with a sink"
	var carried writeResult
	lag := 0.0
	with, err := s.with(ctx, "carried", s.sink, func() (err error) {
		end := s.watchLag(ctx, &lag)
		defer end()
		if carried, err = s.write(ctx, load); err != nil {
			return err
		}
		_, err = s.await(ctx, carried.Events)
		return err
	})
	if err != nil {
		return err
	}
	s.Events += carried.Events
	s.add(figure{Name: "ingest with a sink", Value: carried.EventsPerSecond, Unit: "events/s", CPU: carried.CPUMicros, Per: "event", RSS: with, Bound: sinksShare * plain.EventsPerSecond, AtLeast: true})
	s.add(figure{Name: "more memory with a sink", Value: float64(with-rss) / (1 << 20), Unit: "MiB", Bound: sinksRSSMax / (1 << 20)})
	s.add(figure{Name: "most lag at full load", Value: lag, Unit: "s"})

	load.name, load.clock = "50,000 a second, with a sink", pacedClock(sinksRate)
	lag = 0
	rss, err = s.with(ctx, "paced", s.sink, func() (err error) {
		end := s.watchLag(ctx, &lag)
		defer end()
		if carried, err = s.write(ctx, load); err != nil {
			return err
		}
		_, err = s.await(ctx, carried.Events)
		return err
	})
	if err != nil {
		return err
	}
	s.Events += carried.Events
	s.add(figure{Name: fmt.Sprintf("most lag at %.0f events/s", carried.EventsPerSecond), Value: lag, Unit: "s", RSS: rss, Bound: sinksLagMax})

	var took time.Duration
	var cpu time.Duration
	rss, err = s.with(ctx, "plain", s.sink, func() (err error) {
		before := ReadUsage(s.PID).CPU
		took, err = s.await(ctx, plain.Events)
		cpu = ReadUsage(s.PID).CPU - before
		return err
	})
	if err != nil {
		return err
	}
	s.add(figure{Name: "a history is sent", Value: float64(plain.Events) / took.Seconds(), Unit: "events/s", CPU: micros(cpu, plain.Events), Per: "event", RSS: rss, Bound: sinksBackMin, AtLeast: true})
	return nil
}

func (s *sinkRun) add(f figure) { s.Figures = append(s.Figures, f) }

// pacedClock makes the clock of a load of so many events a second: it waits until an event is due.
func pacedClock(rate float64) func(done int64) time.Time {
	start := time.Now()
	return func(done int64) time.Time {
		time.Sleep(time.Until(start.Add(time.Duration(float64(done) / rate * float64(time.Second)))))
		return time.Now()
	}
}

// await waits until the sink has this many events, and returns how long that took.
func (s *sinkRun) await(ctx context.Context, events int64) (time.Duration, error) {
	start := time.Now()
	for {
		m, err := s.metrics(ctx)
		if err != nil {
			return 0, err
		}
		if int64(m["cairn_sink_rows_total"]) >= events {
			return time.Since(start), nil
		}
		if time.Since(start) > sinksWait {
			return 0, fmt.Errorf("the sink has %.0f of %d events after %v", m["cairn_sink_rows_total"], events, sinksWait)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(sinksLook / 10):
		}
	}
}

// watchLag keeps the most lag in most until end is called.
func (s *sinkRun) watchLag(ctx context.Context, most *float64) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if m, err := s.metrics(ctx); err == nil {
				*most = max(*most, m["cairn_sink_lag_seconds"])
			}
			select {
			case <-ctx.Done():
			case <-time.After(sinksLook):
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// metrics reads the metrics of sinks.
func (s *sinkRun) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: %s", res.Status)
	}
	all := map[string]float64{}
	for lines := bufio.NewScanner(io.LimitReader(res.Body, answerMax)); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if x, err := strconv.ParseFloat(value, 64); ok && err == nil && strings.HasPrefix(name, "cairn_sink_") {
			all[name] = max(all[name], x)
		}
	}
	return all, nil
}
