package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"cairn/cli/config"
)

// This file is "cairn bench": what it measures, in which order. The load is in
// bench_stream.go, the client in bench_client.go, the server under test in
// bench_server.go, the tables in bench_report.go.

const (
	ndjson = "application/x-ndjson"

	batchConnsDefault = 4
	queryLists        = 20                 // events of a listing
	fillSpan          = 7 * 24 * time.Hour // the past that -fill spreads its events over
	settleMax         = time.Minute        // longest wait for the server's work after a phase
)

type benchOptions struct {
	url, key   string
	pid        int
	dir        string
	memory     string
	seed       uint64
	fill       int64
	events     int64
	duration   time.Duration
	conns      []int
	batchConns int
	phases     []string
	limits     bool
	json       bool
	keep       bool
}

func bench(args []string, stdout, stderr io.Writer) int {
	f := newFlags("bench", "[flags]", `Measure a server with a realistic load: durable single events, batches, listings
and counts. Without -url it starts a server of its own on an empty directory and
removes both afterwards. Phases: fill, single, batch, list, count, counters.`)
	var o benchOptions
	f.StringVar(&o.url, "url", "", "measure the running server at `URL`")
	f.StringVar(&o.key, "key", "", "the site's secret `KEY`, with -url")
	f.IntVar(&o.pid, "pid", 0, "process `ID` of the server at -url, to read its CPU time and memory")
	f.StringVar(&o.dir, "dir", "", "keep the own server's data below `DIR`; with -url, the server's data directory")
	f.StringVar(&o.memory, "memory", "256MiB", "memory budget of the own server, a `SIZE`")
	f.Uint64Var(&o.seed, "seed", 1, "`SEED` of the load")
	fill := f.String("fill", "0", "put `N` events in before the rest (50k, 5M)")
	events := f.String("events", "0", "end a write phase after `N` events; 0 = by time only")
	f.DurationVar(&o.duration, "duration", 5*time.Second, "end a phase after `TIME`")
	conns := f.String("conns", "1,64,256", "`LIST` of connection counts for single events")
	f.IntVar(&o.batchConns, "batch-conns", batchConnsDefault, "`N` connections for batches")
	phases := f.String("phases", "single,batch,list,count,counters", "`LIST` of phases to run")
	f.BoolVar(&o.limits, "limits", false, "measure HTTP, fsync, Pebble and JSON alone, too")
	f.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	f.BoolVar(&o.keep, "keep", false, "leave the own server's data")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	err := func() (err error) {
		if o.fill, err = parseCount(*fill); err != nil {
			return fmt.Errorf("-fill: %w", err)
		}
		if o.events, err = parseCount(*events); err != nil {
			return fmt.Errorf("-events: %w", err)
		}
		for text := range strings.SplitSeq(*conns, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil || n < 1 || n > 10_000 {
				return fmt.Errorf("-conns: %q is no number in 1..10000", text)
			}
			o.conns = append(o.conns, n)
		}
		known := []string{"single", "batch", "list", "count", "counters"}
		for name := range strings.SplitSeq(*phases, ",") {
			if name = strings.TrimSpace(name); name == "" || name == "fill" {
				continue
			}
			if !slices.Contains(known, name) {
				return fmt.Errorf("-phases: unknown phase %q%s", name, config.DidYouMean(name, known))
			}
			o.phases = append(o.phases, name)
		}
		switch {
		case o.url != "" && o.key == "":
			return errors.New("-url needs -key")
		case o.batchConns < 1:
			return errors.New("-batch-conns must be above 0")
		case o.duration <= 0:
			return errors.New("-duration must be above 0")
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintf(stderr, "cairn bench: %v\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b := &benchRun{benchOptions: o, run: uint64(time.Now().UnixNano()), progress: stderr}
	report, err := b.measure(ctx)
	if report != nil {
		if o.json {
			report.writeJSON(stdout)
		} else {
			report.writeTable(stdout)
		}
	}
	if err != nil {
		return fail(stderr, "bench", err)
	}
	return exitOK
}

// parseCount reads a number such as 200000, 50k or 5M.
func parseCount(s string) (int64, error) {
	digits, factor := s, int64(1)
	switch {
	case strings.HasSuffix(s, "k"):
		digits, factor = s[:len(s)-1], 1000
	case strings.HasSuffix(s, "M"):
		digits, factor = s[:len(s)-1], 1_000_000
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1e12 {
		return 0, fmt.Errorf("%q is no count such as 200000, 50k or 5M", s)
	}
	return n * factor, nil
}

// benchRun is one run. Only measure touches its fields, from one goroutine.
type benchRun struct {
	benchOptions
	run      uint64 // tells this run's ids from another's
	progress io.Writer
	streams  int // streams made so far
}

// measure carries out the phases. The report holds what was measured before an
// error.
func (b *benchRun) measure(ctx context.Context) (report *benchReport, err error) {
	if b.url == "" {
		dir, err := os.MkdirTemp(b.dir, "cairn-bench-")
		if err != nil {
			return nil, err
		}
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		server, err := startChild(ctx, childOptions{exe: exe, dir: dir, env: benchEnviron(b.memory)})
		if err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
		defer func() {
			stopErr := server.stop()
			if err == nil {
				err = stopErr
			}
			if err == nil {
				report.Sizes, err = measureSizes(dir)
			}
			if b.keep {
				fmt.Fprintf(b.progress, "The data stays in %s.\n", dir)
			} else {
				os.RemoveAll(dir)
			}
		}()
		b.url, b.key, b.pid, b.dir = server.url, server.keys.Sites[0].SecretKey, server.cmd.Process.Pid, dir
	} else {
		b.memory = ""
	}
	b.url = strings.TrimRight(b.url, "/")
	report = newBenchReport(&b.benchOptions)
	if b.benchOptions.limits {
		if report.Limits, err = b.limits(ctx); err != nil {
			return report, fmt.Errorf("limits: %w", err)
		}
	}
	before, dirBefore := readUsage(b.pid), b.dirBytes()
	defer func() { report.finish(before, readUsage(b.pid), dirBefore, b.dirBytes()) }()

	if b.fill > 0 {
		now := time.Now()
		clock := func(done int64) time.Time {
			return now.Add(time.Duration(float64(fillSpan) * (float64(done)/float64(b.fill) - 1)))
		}
		w, err := b.write(ctx, writePhase{"fill, batches of 1,000", b.batchConns, 1000, b.fill, 0, clock})
		report.Writes = append(report.Writes, w)
		if err != nil {
			return report, err
		}
	}
	now := func(int64) time.Time { return time.Now() }
	if slices.Contains(b.phases, "single") {
		for _, conns := range b.conns {
			w, err := b.write(ctx, writePhase{"single events", conns, 1, b.events, b.duration, now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	if slices.Contains(b.phases, "batch") {
		for _, size := range []int{100, 1000} {
			name := "batches of " + groupDigits(int64(size))
			w, err := b.write(ctx, writePhase{name, b.batchConns, size, b.events, b.duration, now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	for _, q := range benchQueries {
		if !slices.Contains(b.phases, q.phase) {
			continue
		}
		r, err := b.query(ctx, q)
		if err != nil {
			return report, fmt.Errorf("%s: %w", q.name, err)
		}
		report.Reads = append(report.Reads, r)
	}
	return report, ctx.Err()
}

func (b *benchRun) dirBytes() int64 {
	if b.dir == "" {
		return 0
	}
	return treeBytes(b.dir)
}

// benchEnviron is the environment without settings of another server.
func benchEnviron(memory string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CAIRN_") {
			env = append(env, kv)
		}
	}
	return append(env, "CAIRN_MEMORY="+memory)
}

// writePhase is one way to send events.
type writePhase struct {
	name     string
	conns    int
	batch    int   // events a request; 1 = a single object
	events   int64 // at most; 0 = no limit
	duration time.Duration
	clock    func(done int64) time.Time // time of the event with this number
}

// write runs one write phase and waits until the server has come to rest.
func (b *benchRun) write(ctx context.Context, p writePhase) (writeResult, error) {
	res := writeResult{Name: p.name, Conns: p.conns, Batch: p.batch}
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	conns := make([]*benchConn, p.conns)
	for i := range conns {
		c, err := dialBench(phase, b.url, b.key)
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
		course = watchCourse(b.pid, p.events, &left, tick.C)
	}
	before, self, start := readUsage(b.pid), selfCPU(), time.Now()
	var deadline time.Time
	if p.duration > 0 {
		deadline = start.Add(p.duration)
	}
	var (
		mu    sync.Mutex
		total latencies
		first error
		wg    sync.WaitGroup
	)
	for _, c := range conns {
		s := newStream(b.seed, b.run, b.streams)
		b.streams++
		wg.Go(func() {
			var own latencies
			events, err := p.send(phase, c, s, &left, deadline, &own)
			mu.Lock()
			defer mu.Unlock()
			total.merge(&own)
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
	settled := awaitQuiet(ctx, b.pid, settleMax).Sub(start)
	res.fill(&total, elapsed, settled, readUsage(b.pid).cpu-before.cpu, selfUsed)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, first
}

// send is the loop of one connection. It returns how many events were taken.
func (p *writePhase) send(ctx context.Context, c *benchConn, s *stream, left *quota, deadline time.Time, lat *latencies) (events int64, err error) {
	contentType := ndjson
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
		answer, err := c.post("/api/v1/events", contentType, body)
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

// acceptedCount is the number behind "accepted" in the answer to a write, or -1.
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

// benchQuery is one kind of read. path makes the request's path; what it draws
// from s is spread as the events are, and n is the number of the question.
type benchQuery struct {
	phase, name string
	path        func(s *stream, n int) string
}

var benchQueries = []benchQuery{
	{"list", "newest 20 by name", func(s *stream, _ int) string {
		return listPath("name=" + escape(eventName(zipf(s.rng, benchNames))))
	}},
	{"list", "newest 20 by user", func(s *stream, _ int) string {
		return listPath("user=" + userName(zipf(s.rng, benchUsers)))
	}},
	{"list", "newest 20 by name and 2 properties", func(s *stream, _ int) string {
		return listPath("name=" + escape(eventName(zipf(s.rng, benchNames))) +
			"&prop.plan=" + planNames[zipf(s.rng, benchPlans)] + "&prop.country=" + countryCodes[zipf(s.rng, benchCountries)])
	}},
	{"count", "count by name", func(s *stream, _ int) string {
		return "/api/v1/count?metrics=events&name=" + escape(eventName(zipf(s.rng, benchNames)))
	}},
	{"count", "count by name and country", func(s *stream, _ int) string {
		return "/api/v1/count?metrics=events&name=" + escape(eventName(zipf(s.rng, benchNames))) + "&prop.country=" + countryCodes[zipf(s.rng, benchCountries)]
	}},
	{"count", "users and sessions of one name", func(s *stream, n int) string {
		return "/api/v1/count?name=" + escape(eventName(zipf(s.rng, benchNames))) + "&from=" + strconv.Itoa(1+n)
	}},
	{"count", "events by hour, one product", func(s *stream, _ int) string {
		return "/api/v1/series?interval=hour&prop.product=" + productName(zipf(s.rng, benchProducts)) + "&from=" + strconv.FormatInt(time.Now().Add(-fillSpan).UnixMilli(), 10)
	}},
	{"counters", "top 20 products", func(_ *stream, n int) string {
		return "/api/v1/counters?property=product" + again(n)
	}},
	{"counters", "plan by country", func(_ *stream, n int) string {
		return "/api/v1/counters?metrics=events&property=plan&segment=country" + again(n)
	}},
	{"counters", "plan by country, users and sessions", func(_ *stream, n int) string {
		return "/api/v1/counters?property=plan&segment=country" + again(n)
	}},
	{"counters", "all properties", func(_ *stream, n int) string {
		return "/api/v1/counters?limit=" + strconv.Itoa(20+n%980)
	}},
}

// again makes one more question of the same work: a page of another length, of
// which no answer is kept.
func again(n int) string { return "&limit=" + strconv.Itoa(20+n%980) }

func listPath(filter string) string {
	return "/api/v1/events?limit=" + strconv.Itoa(queryLists) + "&" + filter
}

func escape(s string) string { return strings.ReplaceAll(s, " ", "%20") }

// query runs one kind of read on one connection. Each question is asked anew and
// then once more, when its answer may have been kept; listings are asked once.
func (b *benchRun) query(ctx context.Context, q benchQuery) (readResult, error) {
	res := readResult{Name: q.name}
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := dialBench(phase, b.url, b.key)
	if err != nil {
		return res, err
	}
	s := newStream(b.seed, b.run, -1) // the same questions in every run
	var cold, kept latencies
	asked := make(map[string]bool)
	before, start := readUsage(b.pid), time.Now()
	ask := func(path string, lat *latencies) error {
		from := time.Now()
		answer, err := c.get(path)
		if errors.Is(err, errQueryTimeout) {
			res.TimedOut = true
		}
		if err != nil {
			return err
		}
		took := time.Since(from)
		if lat == &cold && lat.n == 0 {
			res.First = millis(took)
		}
		lat.add(took)
		res.AnswerBytes += float64(len(answer))
		return nil
	}
	for n := 0; time.Since(start) < b.duration && ctx.Err() == nil && err == nil; n++ {
		path := q.path(s, n)
		if q.phase == "list" || !asked[path] {
			err = ask(path, &cold)
			asked[path] = true
		}
		if q.phase != "list" && err == nil {
			err = ask(path, &kept)
		}
	}
	if err != nil && !res.TimedOut {
		return res, err
	}
	res.fill(&cold, &kept, time.Since(start), readUsage(b.pid).cpu-before.cpu)
	return res, ctx.Err()
}

// selfCPU is the CPU time this process has used.
func selfCPU() time.Duration { return readUsage(os.Getpid()).cpu }
