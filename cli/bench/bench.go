// Package bench is the load generator behind "cairn bench": it sends the events and the
// questions of a busy shop to a server, and reports how fast the server was and what that
// took. The tests of the real binary use its client and the servers it starts.
//
// Read bench.go first: it says what is measured, in which order. stream.go makes the load,
// client.go sends it, server.go starts the server under test, course.go cuts a fill into
// tenths, limits.go measures what the machine can do at most, and report.go prints.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// NDJSON is the content type of events in lines.
const NDJSON = "application/x-ndjson"

const (
	queryLists = 20                 // events of a listing
	fillSpan   = 7 * 24 * time.Hour // the past that -fill spreads its events over
	settleMax  = time.Minute        // longest wait for the server's work after a phase
)

// Options say what Run measures.
type Options struct {
	Version    string        // of cairn, for the report
	URL        string        // of a running server; "" = Run starts one of its own
	Key        string        // a secret key of a site of the server at URL
	PID        int           // process of the server at URL, to read its CPU time and memory; 0 = unknown
	Dir        string        // without URL, the own server's data is below it, "" = below the system's directory; with URL, that server's data, "" = unknown
	Memory     string        // budget of the own server, such as "256MiB"
	Seed       uint64        // of the load
	Fill       int64         // events to put in before the phases
	Events     int64         // a write phase ends after so many; 0 = by time only
	Duration   time.Duration // a phase ends after it; above 0
	Conns      []int         // how many connections send single events, one phase each
	BatchConns int           // how many connections send batches; above 0
	Phases     []string      // those to run, each one of the variable Phases
	Limits     bool          // measure HTTP, fsync, Pebble and JSON alone, too
	Keep       bool          // leave the own server's data
}

// Phases are the names of all phases.
var Phases = []string{"single", "batch", "list", "count", "counters"}

// Run measures what o says, or as much of it as there is time for until ctx ends. It draws
// its progress on w if that is a terminal. With an error, the report has what was measured
// before it; the report is nil when no server could be started.
func Run(ctx context.Context, o Options, w io.Writer) (*Report, error) {
	b := &benchRun{Options: o, run: uint64(time.Now().UnixNano()), progress: w}
	return b.measure(ctx)
}

// ParseCount reads a number of events such as 200000, 50k or 5M, at most 1e12 of what the
// letter counts. The error says what such a number looks like.
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
		return 0, fmt.Errorf("%q is no count such as 200000, 50k or 5M", s)
	}
	return n * factor, nil
}

// benchRun is one run. Only measure touches its fields, from one goroutine.
type benchRun struct {
	Options
	run      uint64 // tells this run's ids from another's
	progress io.Writer
	streams  int // streams made so far
}

// measure carries out the phases. The report holds what was measured before an
// error.
func (b *benchRun) measure(ctx context.Context) (report *Report, err error) {
	if b.URL == "" {
		dir, err := os.MkdirTemp(b.Dir, "cairn-bench-")
		if err != nil {
			return nil, err
		}
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		server, err := StartChild(ctx, ChildOptions{Exe: exe, Dir: dir, Env: Environ(b.Memory)})
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
				report.Sizes, err = measureSizes(dir)
			}
			if b.Keep {
				fmt.Fprintf(b.progress, "The data stays in %s.\n", dir)
			} else {
				os.RemoveAll(dir)
			}
		}()
		b.URL, b.Key, b.PID, b.Dir = server.URL, server.Keys.Sites[0].SecretKey, server.Cmd.Process.Pid, dir
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
		now := time.Now()
		clock := func(done int64) time.Time {
			return now.Add(time.Duration(float64(fillSpan) * (float64(done)/float64(b.Fill) - 1)))
		}
		w, err := b.write(ctx, writePhase{"fill, batches of 1,000", b.BatchConns, 1000, b.Fill, 0, clock})
		report.Writes = append(report.Writes, w)
		if err != nil {
			return report, err
		}
	}
	now := func(int64) time.Time { return time.Now() }
	if slices.Contains(b.Phases, "single") {
		for _, conns := range b.Conns {
			w, err := b.write(ctx, writePhase{"single events", conns, 1, b.Events, b.Duration, now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	if slices.Contains(b.Phases, "batch") {
		for _, size := range []int{100, 1000} {
			name := "batches of " + GroupDigits(int64(size))
			w, err := b.write(ctx, writePhase{name, b.BatchConns, size, b.Events, b.Duration, now})
			report.Writes = append(report.Writes, w)
			if err != nil {
				return report, err
			}
		}
	}
	for _, q := range benchQueries {
		if !slices.Contains(b.Phases, q.phase) {
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
	if b.Dir == "" {
		return 0
	}
	return treeBytes(b.Dir)
}

// Environ is the environment of a server with this memory budget: that of this process
// without the settings of another server.
func Environ(memory string) []string {
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
		total latencies
		first error
		wg    sync.WaitGroup
	)
	for _, c := range conns {
		s := newStream(b.Seed, b.run, b.streams)
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
	settled := AwaitQuiet(ctx, b.PID, settleMax).Sub(start)
	res.fill(&total, elapsed, settled, ReadUsage(b.PID).CPU-before.CPU, selfUsed)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, first
}

// send is the loop of one connection. It returns how many events were taken.
func (p *writePhase) send(ctx context.Context, c *Conn, s *stream, left *quota, deadline time.Time, lat *latencies) (events int64, err error) {
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
	c, err := Dial(phase, b.URL, b.Key)
	if err != nil {
		return res, err
	}
	s := newStream(b.Seed, b.run, -1) // the same questions in every run
	var cold, kept latencies
	asked := make(map[string]bool)
	before, start := ReadUsage(b.PID), time.Now()
	ask := func(path string, lat *latencies) error {
		from := time.Now()
		answer, err := c.Get(path)
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
	for n := 0; time.Since(start) < b.Duration && ctx.Err() == nil && err == nil; n++ {
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
	res.fill(&cold, &kept, time.Since(start), ReadUsage(b.PID).CPU-before.CPU)
	return res, ctx.Err()
}

// selfCPU is the CPU time this process has used.
func selfCPU() time.Duration { return ReadUsage(os.Getpid()).CPU }
