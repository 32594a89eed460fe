package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// This file is the phase "reports": what the reports of a dashboard cost over the visits of a web
// shop, which shopload.go makes, and what writes have left while reports run without pause. Each
// report is asked for the first time, then again after one more event came in, and once more
// without one, so that the server may give the kept answer.

const (
	reportsPhase  = "reports"
	reportRounds  = 3             // answers with new rows of each report
	reportClients = 4             // at most, of those that ask without pause; a server lets one key ask no more at once
	reportSpan    = 7             // days of the shorter range
	writeP99Max   = 50.0          // milliseconds that a write may take while reports run
	batchShareMin = 0.6           // share of the rate of batches that remains while reports run
	noCall        = "status 404:" // how the error of a call begins that the server does not have
)

// reportCall is one report.
type reportCall struct {
	name  string
	query string // path below /api/v1/, with parameters
	now   bool   // it takes no range
}

// reportCalls are the reports in the order of the table.
func reportCalls(days int) []reportCall {
	period := "day" // at most 60 of them
	switch {
	case days >= 400:
		period = "month"
	case days >= 59:
		period = "week"
	}
	cart, order := "step=name%3Dadd_to_cart", "step=type%3Dorder"
	return []reportCall{
		{name: "visits, one table, no visitors", query: "visits?by=source&metrics=visits,views,bounces,bounce_rate,duration"},
		{name: "visits, one table", query: "visits?by=source"},
		{name: "visits, 8 tables", query: "visits?by=source&by=channel&by=entry&by=exit&by=country&by=browser&by=device&by=language"},
		{name: "visits of one source by entry", query: "visits?by=entry&visit.source=Google"},
		{name: "pages", query: "pages"},
		{name: "funnel of users, 3 steps", query: "funnel?step=type%3Dpage%26path%3D%2Fp%2F0%26path%3D%2Fp%2F1%26path%3D%2Fp%2F2%26path%3D%2Fp%2F3&" + cart + "&" + order},
		{name: "retention by " + period, query: "retention?period=" + period},
		{name: "paths from one page, 3 columns", query: "paths?start=type%3Dpage%26path%3D%2Fp%2F0&depth=3"},
		{name: "aggregate of value", query: "aggregate?of=value&type=order"},
		{name: "aggregate of a property", query: "aggregate?of=prop.amount"},
		{name: "breakdown by country", query: "breakdown?by=country"},
		{name: "breakdown by product", query: "breakdown?by=prop.product"},
		{name: "goals", query: "goals"},
		{name: "shop", query: "shop"},
		{name: "live", query: "live", now: true},
		{name: "series by day, users and sessions", query: "series?interval=day"},
		{name: "series by day of one source", query: "series?interval=day&visit.source=Google"},
		{name: "counters of country", query: "counters?property=country"},
		{name: "count, users and sessions", query: "count"},
	}
}

// path is the path of the call over the last days before now. Ranges begin and end at midnight
// UTC, and hold all of today.
func (c *reportCall) path(days int, now time.Time) string {
	path := "/api/v1/" + c.query
	if c.now {
		return path
	}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	today := now.UTC().Truncate(24 * time.Hour)
	return path + sep + "from=" + strconv.FormatInt(today.AddDate(0, 0, -days).UnixMilli(), 10) + "&to=" + strconv.FormatInt(today.AddDate(0, 0, 1).UnixMilli(), 10)
}

// reportResult is what one report costs. Times are milliseconds, CPU times those of the server.
type reportResult struct {
	Name        string  `json:"name"`
	Days        int     `json:"days"`              // of its range; 0 = it has none
	Skipped     string  `json:"skipped,omitempty"` // why nothing was measured
	Cold        float64 `json:"cold_ms"`           // asked for the first time
	ColdCPU     float64 `json:"cold_cpu_ms"`
	New         float64 `json:"new_rows_ms"` // asked again after one more event; the median
	NewCPU      float64 `json:"new_rows_cpu_ms"`
	Kept        float64 `json:"kept_ms"` // asked again; the median
	AnswerBytes int     `json:"answer_bytes"`
	RSS         int64   `json:"rss_bytes"` // of the server, after it
}

// reportLoad is what writes do without reports and while reports run.
type reportLoad struct {
	Name    string  `json:"name"`
	Alone   float64 `json:"alone_events_per_second"`
	Beside  float64 `json:"events_per_second"` // while reports run
	Share   float64 `json:"share"`             // Beside / Alone
	P99     float64 `json:"p99_ms"`            // while reports run
	Before  float64 `json:"alone_p99_ms"`
	Reports int64   `json:"reports"`       // answered meanwhile
	RSS     int64   `json:"rss_max_bytes"` // of the server, meanwhile
	Missed  bool    `json:"missed"`        // the target
	batch   bool
	events  int64 // written in both runs
}

// Reports are the measurements of the phase "reports".
type Reports struct {
	Reports []reportResult `json:"reports"`
	Beside  []reportLoad   `json:"writes_beside_reports"`
	Clients int            `json:"clients"` // that asked for reports without pause
	Events  int64          `json:"events"`  // written by the phase
}

// reports runs the phase.
func (b *benchRun) reports(ctx context.Context) (*Reports, error) {
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := Dial(phase, b.URL, b.Key)
	if err != nil {
		return nil, err
	}
	r := &Reports{Clients: min(reportClients, runtime.NumCPU())}
	if err := saveGoals(c); err != nil {
		return nil, fmt.Errorf("save goals: %w", err)
	}
	load := newShopLoad(b.Seed, b.run, b.streams, nil)
	b.streams++
	spans := []int{b.Days}
	if b.Days > reportSpan {
		spans = append(spans, reportSpan)
	}
	var paths []string // of the calls that there are
	for _, days := range spans {
		for _, call := range reportCalls(b.Days) {
			if call.now && days != b.Days {
				continue
			}
			path := call.path(days, time.Now())
			one, err := b.report(c, load, path)
			if one.Name, one.Days = call.name, days; call.now {
				one.Days = 0
			}
			if err != nil {
				return r, fmt.Errorf("%s: %w", call.name, err)
			}
			if one.Skipped == "" {
				r.Events += reportRounds
				paths = append(paths, path)
			}
			r.Reports = append(r.Reports, one)
		}
	}
	if len(paths) == 0 {
		return r, nil
	}
	shop := func(number int) eventLoad { return newShopLoad(b.Seed, b.run, number, nil) }
	phases := []writePhase{}
	for _, conns := range b.Conns {
		phases = append(phases, writePhase{name: "single events", conns: conns, batch: 1})
	}
	phases = append(phases, writePhase{name: "batches of 1,000", conns: b.BatchConns, batch: 1000})
	for _, p := range phases {
		p.events, p.duration, p.load = b.Events, b.Duration, shop
		p.clock = func(int64) time.Time { return time.Now() }
		beside, err := b.beside(ctx, p, paths, r.Clients)
		r.Events += beside.events
		if err != nil {
			return r, err
		}
		r.Beside = append(r.Beside, beside)
	}
	return r, nil
}

// saveGoals saves three goals, unless the site has some or the key may not.
func saveGoals(c *Conn) error {
	answer, err := c.Get("/api/v1/saved?kind=goal")
	if err != nil && strings.HasPrefix(err.Error(), noCall) || err == nil && strings.TrimSpace(string(answer)) != `{"saved":[]}` {
		return nil
	} else if err != nil {
		return err
	}
	for name, query := range map[string]string{"cart": "name=add_to_cart", "order": "type=order", "first pages": "type=page&path=/p/0&path=/p/1&path=/p/2"} {
		_, err := c.Post("/api/v1/saved", "application/json", fmt.Appendf(nil, `{"kind":"goal","name":%q,"query":%q}`, name, query))
		if err != nil && strings.HasPrefix(err.Error(), "status 403:") {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// report measures one report.
func (b *benchRun) report(c *Conn, load *shopLoad, path string) (r reportResult, err error) {
	ask := func() (ms, cpu float64, err error) {
		before, start := ReadUsage(b.PID).CPU, time.Now()
		answer, err := c.Get(path)
		ms = millis(time.Since(start))
		r.AnswerBytes = len(answer)
		return ms, millis(ReadUsage(b.PID).CPU - before), err
	}
	r.Cold, r.ColdCPU, err = ask()
	switch {
	case errors.Is(err, errQueryTimeout):
		r.Skipped = "the server stopped it at its time limit"
		return r, nil
	case err != nil && strings.HasPrefix(err.Error(), noCall):
		r.Skipped = "the server has no such report"
		return r, nil
	case err != nil:
		return r, err
	}
	var fresh, kept []float64
	for range reportRounds {
		answer, err := c.Post("/api/v1/events", "application/json", load.appendEvent(nil, time.Now()))
		if err != nil {
			return r, err
		}
		if acceptedCount(answer) != 1 {
			return r, fmt.Errorf("sent an event, the server answered %s", answer[:min(len(answer), 300)])
		}
		ms, cpu, err := ask()
		if err != nil {
			return r, err
		}
		fresh = append(fresh, ms)
		r.NewCPU += cpu / reportRounds
		if ms, _, err = ask(); err != nil {
			return r, err
		}
		kept = append(kept, ms)
	}
	slices.Sort(fresh)
	slices.Sort(kept)
	r.New, r.Kept, r.RSS = fresh[reportRounds/2], kept[reportRounds/2], ReadUsage(b.PID).RSS
	return r, nil
}

// beside runs a write phase twice: alone, and while reports run without pause.
func (b *benchRun) beside(ctx context.Context, p writePhase, paths []string, clients int) (l reportLoad, err error) {
	alone, err := b.write(ctx, p)
	if err != nil {
		return l, err
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		all   sync.WaitGroup
		asked atomic.Int64
		once  sync.Once
		first error
		rss   int64
	)
	for i := range clients {
		c, err := Dial(ctx, b.URL, b.Key) // it is closed between two answers: an unfinished one would go on
		if err != nil {
			return l, err
		}
		all.Go(func() {
			defer c.Close()
			for n := i * len(paths) / clients; asking.Err() == nil; n++ {
				if _, err := c.Get(paths[n%len(paths)]); err != nil && !errors.Is(err, errQueryTimeout) {
					once.Do(func() { first = err })
					return
				}
				asked.Add(1)
			}
		})
	}
	all.Go(func() {
		tick := time.NewTicker(courseTick)
		defer tick.Stop()
		for asking.Err() == nil {
			rss = max(rss, ReadUsage(b.PID).RSS)
			select {
			case <-tick.C:
			case <-asking.Done():
			}
		}
	})
	p.sent = func() { cancel(); all.Wait() }
	beside, err := b.write(ctx, p)
	p.sent()
	if err == nil && first != nil && ctx.Err() == nil {
		err = fmt.Errorf("a report beside writes: %w", first)
	}
	l = reportLoad{
		Name: beside.title(), Alone: alone.EventsPerSecond, Beside: beside.EventsPerSecond, P99: beside.P99, Before: alone.P99,
		Reports: asked.Load(), RSS: rss, batch: p.batch > 1,
		events: alone.Events + beside.Events,
	}
	if l.Alone > 0 {
		l.Share = l.Beside / l.Alone
	}
	l.Missed = l.P99 > writeP99Max
	if l.batch {
		l.Missed = l.Share < batchShareMin
	}
	return l, err
}

// writeTable prints the measurements for people.
func (r *Reports) writeTable(w io.Writer, t *tabwriter.Writer, left func(string) string, measured bool) {
	cpu := func(ms float64) string {
		if !measured {
			return "-"
		}
		return short(ms)
	}
	fmt.Fprintf(t, "\n%s\tdays\tcold ms\tCPU ms\tnew rows ms\tCPU ms\tkept ms\tanswer\tRSS\t\n", left("report"))
	skipped := make(map[string][]string) // by reason
	for _, x := range r.Reports {
		days := "-"
		if x.Days > 0 {
			days = strconv.Itoa(x.Days)
		}
		if x.Skipped != "" {
			if x.Days > 0 {
				days += " days"
			}
			skipped[x.Skipped] = append(skipped[x.Skipped], fmt.Sprintf("%s (%s)", x.Name, days))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", left(x.Name), days, short(x.Cold), cpu(x.ColdCPU), short(x.New), cpu(x.NewCPU), short(x.Kept),
			humanize.IBytesN(uint64(x.AnswerBytes), 3), humanize.IBytesN(uint64(x.RSS), 3))
	}
	t.Flush()
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(w, "skipped, %s: %s\n", why, strings.Join(skipped[why], ", "))
	}
	if len(r.Beside) == 0 {
		return
	}
	fmt.Fprintf(t, "\n%s\talone/s\tevents/s\tshare\talone p99\tp99 ms\treports\tRSS\ttarget\t\n", left(fmt.Sprintf("writes beside %d × reports", r.Clients)))
	for _, x := range r.Beside {
		target := fmt.Sprintf("p99 <= %.0f ms", writeP99Max)
		if x.batch {
			target = fmt.Sprintf("share >= %.1f", batchShareMin)
		}
		if x.Missed {
			target += " missed"
		} else {
			target += " held"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%s\t%s\t\n", left(x.Name), humanize.Comma(int64(x.Alone)), humanize.Comma(int64(x.Beside)), x.Share,
			short(x.Before), short(x.P99), humanize.Comma(x.Reports), humanize.IBytesN(uint64(x.RSS), 3), target)
	}
	t.Flush()
}
