// Package bench is the load generator behind "cairn bench". It sends the events and queries
// of a busy shop to a server, and reports how fast the server is and how much CPU, memory
// and disk it uses. The tests of the real binary use its client and the servers it starts.
//
// Read bench.go first: it runs the phases in their order. stream.go makes the load, client.go
// sends it, server.go starts the server under test, course.go measures each tenth of a fill,
// limits.go measures the most that the machine can do, mixed.go runs a load of all protocols
// for minutes and mixedload.go makes it, reports.go measures the reports of a dashboard over the
// visits that shopload.go makes, dashboard.go its first screen, queries.go measures single reads, data.go what it
// costs to get data out, away and in, with the files of datafiles.go, sinks.go what a sink costs, with
// the sink of blackhole.go, and report.go prints.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cairn/cli/config"

	"github.com/dustin/go-humanize"
)

// NDJSON is the content type of a body with one event a line.
const NDJSON = "application/x-ndjson"

// settleMax is the longest wait after a phase for the server to finish its work.
const settleMax = time.Minute

// Options configure Run.
type Options struct {
	Version    string        // of cairn, for the report
	URL        string        // of a running server; "" = Run starts its own server
	Key        string        // a secret key of a site of the server at URL
	PID        int           // process of the server at URL, to read its CPU time and memory; 0 = unknown
	Dir        string        // without URL, where Run makes its server's data directory, "" = in the system's temporary directory; with URL, that server's data directory, "" = unknown
	Memory     string        // budget of Run's own server, such as "256MiB"
	Seed       uint64        // of the load
	Fill       int64         // events to write before the phases; with the phase "reports" the visits of a web shop
	Users      int           // users of the load; above 0
	Products   int           // values of its property "product"; above 0
	Days       int           // a fill spreads its events over these days before now; above 0 if Fill is or Phases has "reports"
	Events     int64         // a write phase ends after this many; 0 = no limit but Duration
	Duration   time.Duration // length of a phase; above 0
	Conns      []int         // numbers of connections for single events; one phase for each
	BatchConns int           // number of connections for batches; above 0
	Phases     []string      // the phases to run; each is in the variable Phases
	Mixed      time.Duration // length of the phase "mixed"; above 0 if Phases has it
	Rate       float64       // events a second of the phase "mixed"; above 0 if Phases has it
	Limits     bool          // also measure HTTP, fsync, Pebble and JSON alone
	Sink       string        // of the phase "sinks": "" = one in this process, "http://…" = ClickHouse, "kafka://…" = Kafka
	Keep       bool          // do not remove the data of Run's own server
}

// Phases are the names of all phases.
var Phases = []string{"single", "batch", "list", "count", "counters", mixedPhase, reportsPhase, dashboardPhase, dataPhase, sinksPhase}

// Run runs the phases of o until ctx ends. It draws a progress bar on w if w is a terminal.
// With an error, the report has the measurements before it; the report is nil if no server
// could be started.
func Run(ctx context.Context, o Options, w io.Writer) (*Report, error) {
	b := &benchRun{Options: o, run: uint64(time.Now().UnixNano()), progress: w}
	return b.measure(ctx)
}

// ParseCount reads a number of events such as 200000, 50k or 5M. The digits before the
// letter are at most 1e12. The error shows examples.
func ParseCount(s string) (int64, error) {
	digits, factor := s, int64(1)
	switch {
	case strings.HasSuffix(s, "k"):
		digits, factor = s[:len(s)-1], 1000
	case strings.HasSuffix(s, "M"):
		digits, factor = s[:len(s)-1], 1_000_000
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1e12 {
		return 0, fmt.Errorf("%q is not a number of events; use for example 200000, 50k or 5M", s)
	}
	return n * factor, nil
}

// benchRun is one run. Only the goroutine of measure uses its fields.
type benchRun struct {
	Options
	run      uint64 // makes the ids of this run differ from those of other runs
	progress io.Writer
	streams  int // number of streams made so far
}

// crowd is who and what the events are about.
func (b *benchRun) crowd() crowd { return crowd{b.Users, b.Products} }

// measure runs the phases. With an error, the report has the measurements before it.
func (b *benchRun) measure(ctx context.Context) (report *Report, err error) {
	var sites []config.SiteKeys
	if b.URL == "" {
		dir, err := os.MkdirTemp(b.Dir, "cairn-bench-")
		if err != nil {
			return nil, err
		}
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		data := filepath.Join(dir, "data")
		args, err := b.writeConfig(dir)
		var server *Child
		if err == nil {
			server, err = StartChild(ctx, ChildOptions{Exe: exe, Dir: data, Env: Environ(b.Memory), Args: args})
		}
		if err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
		defer func() {
			stopErr := server.Stop()
			if err == nil {
				err = stopErr
			}
			if err == nil {
				report.Sizes, err = measureSizes(data)
			}
			if b.Keep {
				fmt.Fprintf(b.progress, "The data is in %s.\n", data)
			} else {
				os.RemoveAll(dir)
			}
		}()
		sites = server.Keys.Sites
		b.URL, b.Key, b.PID, b.Dir = server.URL, server.Keys.Sites[0].SecretKey, server.Cmd.Process.Pid, data
	} else {
		b.Memory = ""
	}
	b.URL = strings.TrimRight(b.URL, "/")
	report = newReport(&b.Options)
	if b.Limits {
		if report.Limits, err = b.limits(ctx); err != nil {
			return report, fmt.Errorf("limits: %w", err)
		}
	}
	before, dirBefore := ReadUsage(b.PID), b.dirBytes()
	defer func() { report.finish(before, ReadUsage(b.PID), dirBefore, b.dirBytes()) }()

	if b.Fill > 0 {
		w, err := b.write(ctx, b.fill())
		report.Writes = append(report.Writes, w)
		if err != nil {
			return report, err
		}
	}
	now := func(int64) time.Time { return time.Now() }
	if b.has("single") {
		for _, conns := range b.Conns {
			w, err := b.write(ctx, writePhase{name: "single events", conns: conns, batch: 1, events: b.Events, duration: b.Duration, clock: now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	if b.has("batch") {
		for _, size := range []int{100, 1000} {
			name := "batches of " + humanize.Comma(int64(size))
			w, err := b.write(ctx, writePhase{name: name, conns: b.BatchConns, batch: size, events: b.Events, duration: b.Duration, clock: now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	if b.has(mixedPhase) {
		if report.Mixed, err = b.mixed(ctx, sites); err != nil {
			return report, fmt.Errorf("mixed: %w", err)
		}
	}
	if b.has(reportsPhase) {
		if report.Reports, err = b.reports(ctx); err != nil {
			return report, fmt.Errorf("reports: %w", err)
		}
	}
	if b.has(dashboardPhase) {
		site := "default"
		if len(sites) > 0 {
			site = sites[0].Name
		}
		if report.Dashboard, err = b.dashboard(ctx, site); err != nil {
			return report, fmt.Errorf("dashboard: %w", err)
		}
	}
	for _, q := range benchQueries {
		if !b.has(q.phase) {
			continue
		}
		r, err := b.query(ctx, q)
		if err != nil {
			return report, fmt.Errorf("%s: %w", q.name, err)
		}
		report.Reads = append(report.Reads, r)
	}
	if b.has(dataPhase) {
		if report.Data, err = b.data(ctx); err != nil {
			return report, fmt.Errorf("data: %w", err)
		}
	}
	if b.has(sinksPhase) {
		if report.Sinks, err = b.sinks(ctx); err != nil {
			return report, fmt.Errorf("sinks: %w", err)
		}
	}
	return report, ctx.Err()
}

// fill is the phase that fills the store.
func (b *benchRun) fill() writePhase {
	now, span := time.Now(), time.Duration(b.Days)*24*time.Hour
	at := func(done int64) time.Time {
		return now.Add(time.Duration(float64(span) * (min(float64(done)/float64(b.Fill), 1) - 1)))
	}
	p := writePhase{name: "fill, batches of 1,000", conns: b.BatchConns, batch: 1000, events: b.Fill, clock: at}
	if b.has(reportsPhase) || b.has(dashboardPhase) {
		// Each connection goes through all the days by itself, so that no visit has a gap where
		// other connections sent.
		own := func(done int64) time.Time { return at(done * int64(b.BatchConns)) }
		p.load = func(number int) eventLoad { return newShopLoad(b.Seed, b.run, number, own) }
	}
	return p
}

// has says whether a phase runs.
func (b *benchRun) has(phase string) bool { return slices.Contains(b.Phases, phase) }

func (b *benchRun) dirBytes() int64 {
	if b.Dir == "" {
		return 0
	}
	return treeBytes(b.Dir)
}

// Environ is the environment for a server with this memory budget: the environment of this
// process without its CAIRN_ variables.
func Environ(memory string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CAIRN_") {
			env = append(env, kv)
		}
	}
	return append(env, "CAIRN_MEMORY="+memory)
}

// writePhase is a phase that sends events in one way.
type writePhase struct {
	name     string
	conns    int
	batch    int   // events a request; 1 = a single object
	events   int64 // at most; 0 = no limit
	duration time.Duration
	clock    func(done int64) time.Time // time of the event after done others
	load     func(number int) eventLoad // the load with this number; nil = a stream
	sent     func()                     // is called when all is sent, before the wait for an idle server; nil = nothing
}

// write runs one write phase and waits until the server is idle.
func (b *benchRun) write(ctx context.Context, p writePhase) (writeResult, error) {
	res := writeResult{Name: p.name, Conns: p.conns, Batch: p.batch}
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	conns := make([]*Conn, p.conns)
	for i := range conns {
		c, err := Dial(phase, b.URL, b.Key)
		if err != nil {
			return res, err
		}
		conns[i] = c
	}
	var left quota
	left.n.Store(p.events)
	stopBar := progressBar(b.progress, p.name, p.events, &left)
	course := func() []leg { return nil }
	if p.duration == 0 && p.events > 0 {
		tick := time.NewTicker(courseTick)
		defer tick.Stop()
		course = watchCourse(b.PID, p.events, &left, tick.C)
	}
	before, self, start := ReadUsage(b.PID), selfCPU(), time.Now()
	var deadline time.Time
	if p.duration > 0 {
		deadline = start.Add(p.duration)
	}
	var (
		mu    sync.Mutex
		total = newLatencies()
		first error
		wg    sync.WaitGroup
	)
	for _, c := range conns {
		var s eventLoad
		if p.load != nil {
			s = p.load(b.streams)
		} else {
			s = newStream(b.Seed, b.run, b.streams, b.crowd())
		}
		b.streams++
		wg.Go(func() {
			own := newLatencies()
			events, err := p.send(phase, c, s, &left, deadline, own)
			mu.Lock()
			defer mu.Unlock()
			total.merge(own)
			res.Events += events
			if err != nil && first == nil {
				first = err
				cancel()
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	res.Course = course()
	selfUsed := selfCPU() - self
	stopBar()
	if p.sent != nil {
		p.sent()
	}
	settled := AwaitQuiet(ctx, b.PID, settleMax).Sub(start)
	res.fill(total, elapsed, settled, ReadUsage(b.PID).CPU-before.CPU, selfUsed)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, first
}

// send sends the events of one connection. It returns how many the server accepted.
func (p *writePhase) send(ctx context.Context, c *Conn, s eventLoad, left *quota, deadline time.Time, lat *latencies) (events int64, err error) {
	contentType := NDJSON
	if p.batch == 1 {
		contentType = "application/json"
	}
	var body []byte
	for ctx.Err() == nil && (deadline.IsZero() || time.Now().Before(deadline)) {
		number, n := left.take(p.batch)
		if n == 0 {
			return events, nil
		}
		body = body[:0]
		at := p.clock(number)
		for range n {
			body = append(s.appendEvent(body, at), '\n')
		}
		if p.batch == 1 {
			body = body[:len(body)-1]
		}
		start := time.Now()
		answer, err := c.Post("/api/v1/events", contentType, body)
		if err != nil {
			return events, err
		}
		lat.add(time.Since(start))
		if got := acceptedCount(answer); got != n {
			return events, fmt.Errorf("sent %d events, the server answered %s", n, answer[:min(len(answer), 300)])
		}
		events += int64(n)
	}
	return events, nil
}

// acceptedCount is the value of "accepted" in the answer to a write; -1 if there is none.
func acceptedCount(answer []byte) int {
	_, rest, ok := bytes.Cut(answer, []byte(`"accepted":`))
	if !ok {
		return -1
	}
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// selfCPU is the CPU time this process has used.
func selfCPU() time.Duration { return ReadUsage(os.Getpid()).CPU }
