package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/engine/check"

	"github.com/dustin/go-humanize"
)

// This file is the output of "cairn bench": tables for people and JSON for machines. Times
// are in milliseconds. CPU times are those of the server alone.

// Report has all measurements of a run. Its JSON has times in milliseconds, CPU times in
// microseconds, and sizes in bytes.
type Report struct {
	Version   string        `json:"version"`
	Machine   string        `json:"machine"`
	Time      time.Time     `json:"time"`
	Seed      uint64        `json:"seed"`
	Memory    string        `json:"memory,omitempty"` // budget of the server
	Limits    []limitResult `json:"limits,omitempty"`
	Writes    []writeResult `json:"writes"`
	Mixed     []mixedLeg    `json:"mixed,omitempty"`
	Reports   *Reports      `json:"reports,omitempty"`
	Dashboard *Dashboard    `json:"dashboard,omitempty"`
	Reads     []readResult  `json:"reads"`
	Data      *Data         `json:"data,omitempty"`
	Sinks     *Data         `json:"sinks,omitempty"` // its events are in servers of their own
	Events    int64         `json:"events"`
	Disk      float64       `json:"disk_bytes_per_event,omitempty"`    // in the data directory
	Sizes     *check.Sizes  `json:"sizes,omitempty"`                   // of Run's own server, after it has stopped
	Written   float64       `json:"written_bytes_per_event,omitempty"` // by the server, to storage
	RSS       int64         `json:"rss_bytes,omitempty"`
	RSSPeak   int64         `json:"rss_peak_bytes,omitempty"`
	measured  bool          // the server's process is known, so its CPU time is measured
}

// quantiles are latencies in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

type writeResult struct {
	Name              string  `json:"name"`
	Conns             int     `json:"connections"`
	Batch             int     `json:"batch_events"`
	Events            int64   `json:"events"`
	EventsPerSecond   float64 `json:"events_per_second"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	SettledPerSecond  float64 `json:"settled_events_per_second"` // over the time until the server is idle again
	quantiles
	CPUMicros       float64 `json:"cpu_us_per_event"` // of the server, including its work after the phase
	ClientCPUMicros float64 `json:"client_cpu_us_per_event"`
	Course          []leg   `json:"course,omitempty"` // of a fill, by tenths
}

type readResult struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"queries_per_second"`
	First     float64 `json:"first_ms"`
	quantiles
	Kept        float64 `json:"kept_p50_ms"`      // of repeated queries; 0 = none was repeated
	CPUMicros   float64 `json:"cpu_us_per_query"` // of queries asked for the first time
	AnswerBytes float64 `json:"answer_bytes"`     // mean
	TimedOut    bool    `json:"timed_out"`        // the last query exceeded the server's time limit
}

func newReport(o *Options) *Report {
	return &Report{
		Version:  o.Version,
		Machine:  fmt.Sprintf("%s %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Time:     time.Now().UTC(),
		Seed:     o.Seed,
		Memory:   o.Memory,
		Writes:   []writeResult{},
		Reads:    []readResult{},
		measured: o.PID != 0,
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func quantilesOf(l *latencies) quantiles {
	return quantiles{millis(l.quantile(0.50)), millis(l.quantile(0.90)), millis(l.quantile(0.99)), millis(l.max)}
}

// fill computes the rates. load is how long events were sent, settled how long it took
// until the server was idle again.
func (w *writeResult) fill(l *latencies, load, settled, cpu, clientCPU time.Duration) {
	w.EventsPerSecond = float64(w.Events) / load.Seconds()
	w.RequestsPerSecond = float64(l.n()) / load.Seconds()
	w.SettledPerSecond = float64(w.Events) / settled.Seconds()
	w.quantiles = quantilesOf(l)
	if w.Events > 0 {
		w.CPUMicros = float64(cpu.Microseconds()) / float64(w.Events)
		w.ClientCPUMicros = float64(clientCPU.Microseconds()) / float64(w.Events)
	}
}

func (r *readResult) fill(cold, kept *latencies, elapsed, cpu time.Duration) {
	r.PerSecond = float64(cold.n()+kept.n()) / elapsed.Seconds()
	r.quantiles = quantilesOf(cold)
	r.Kept = millis(kept.quantile(0.50))
	if cold.n() > 0 {
		r.AnswerBytes /= float64(cold.n() + kept.n())
		r.CPUMicros = float64(cpu.Microseconds()) / float64(cold.n())
	}
}

// finish adds the sizes of the whole run.
func (r *Report) finish(before, after Usage, dirBefore, dirAfter int64) {
	for _, w := range r.Writes {
		r.Events += w.Events
	}
	for _, l := range r.Mixed {
		r.Events += l.Events
	}
	if r.Dashboard != nil {
		r.Events += r.Dashboard.Events
	}
	if r.Reports != nil {
		r.Events += r.Reports.Events
	}
	if r.Data != nil {
		r.Events += r.Data.Events
	}
	r.RSS, r.RSSPeak = after.RSS, after.RSSPeak
	if r.Events > 0 {
		r.Disk = float64(dirAfter-dirBefore) / float64(r.Events)
		r.Written = float64(after.Written-before.Written) / float64(r.Events)
	}
}

// WriteJSON prints the report for machines.
func (r *Report) WriteJSON(w io.Writer) {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(r)
}

// WriteTable prints the report for people. Parts that were not measured have no table.
func (r *Report) WriteTable(w io.Writer) {
	fmt.Fprintf(w, "cairn %s on %s, seed %d", r.Version, r.Machine, r.Seed)
	if r.Memory != "" {
		fmt.Fprintf(w, ", memory %s", r.Memory)
	}
	fmt.Fprintln(w)
	// The columns are aligned to the right. Padding aligns the first one to the left.
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	width := 0
	for _, x := range r.Writes {
		width = max(width, len(x.title()))
	}
	for _, x := range r.Reads {
		width = max(width, len(x.Name))
	}
	for _, x := range r.Limits {
		width = max(width, len(x.Name))
	}
	if r.Reports != nil {
		for _, x := range r.Reports.Reports {
			width = max(width, len(x.Name))
		}
	}
	for _, d := range []*Data{r.Data, r.Sinks} {
		if d != nil {
			for _, x := range d.Figures {
				width = max(width, len(x.Name))
			}
		}
	}
	left := func(s string) string { return s + strings.Repeat(" ", max(0, width-len(s))) }
	if len(r.Limits) > 0 {
		fmt.Fprintf(t, "\n%s\tper second\t\tp50\tp90\tp99\tmax ms\tCPU µs\t\n", left("the machine"))
		for _, x := range r.Limits {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", left(x.Name), humanize.Comma(int64(x.PerSecond)), x.Unit,
				short(x.P50), short(x.P90), short(x.P99), short(x.Max), short(x.CPUMicros))
		}
		t.Flush()
	}
	if len(r.Writes) > 0 {
		fmt.Fprintf(t, "\n%s\tevents/s\trequests/s\tp50\tp90\tp99\tmax ms\tCPU µs/event\t\n", left("write"))
		for _, x := range r.Writes {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", left(x.title()), humanize.Comma(int64(x.EventsPerSecond)), humanize.Comma(int64(x.RequestsPerSecond)),
				short(x.P50), short(x.P90), short(x.P99), short(x.Max), r.cpu(x.CPUMicros))
		}
		t.Flush()
	}
	for _, x := range r.Writes {
		if len(x.Course) > 0 {
			r.writeCourse(t, left, x.Course)
		}
	}
	if len(r.Mixed) > 0 {
		fmt.Fprintln(t)
		writeMixedHead(t)
		for i := range r.Mixed {
			writeMixedLeg(t, &r.Mixed[i])
		}
		t.Flush()
	}
	if r.Dashboard != nil {
		r.Dashboard.writeTable(t, left)
	}
	if r.Reports != nil {
		r.Reports.writeTable(w, t, left, r.measured)
	}
	if len(r.Reads) > 0 {
		var late []string
		fmt.Fprintf(t, "\n%s\tqueries/s\tfirst\tp50\tp90\tp99\tmax ms\tagain p50\tCPU µs/query\tanswer\t\n", left("read"))
		for _, x := range r.Reads {
			again := "-"
			if x.Kept > 0 {
				again = short(x.Kept)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", left(x.Name), short(x.PerSecond), short(x.First),
				short(x.P50), short(x.P90), short(x.P99), short(x.Max), again, r.cpu(x.CPUMicros), humanize.IBytesN(uint64(x.AnswerBytes), 3))
			if x.TimedOut {
				late = append(late, x.Name)
			}
		}
		t.Flush()
		for _, name := range late {
			fmt.Fprintf(w, "%s: the server stopped the query at its time limit\n", name)
		}
	}
	if r.Data != nil {
		r.Data.writeTable(t, left("data out, away and in"), left)
	}
	if r.Sinks != nil {
		r.Sinks.writeTable(t, left("a sink"), left)
	}
	if r.Sizes != nil && r.Sizes.Sealed > 0 {
		writeSizes(t, left, r.Sizes)
	}
	fmt.Fprintf(w, "\n%s events written", humanize.Comma(r.Events))
	if r.Disk > 0 {
		fmt.Fprintf(w, "; on disk %.0f B per event", r.Disk)
	}
	if r.Written > 0 {
		fmt.Fprintf(w, "; written to disk %.0f B per event", r.Written)
		if r.Disk > 0 {
			fmt.Fprintf(w, " (%.1f times as much)", r.Written/r.Disk)
		}
	}
	if r.RSS > 0 {
		fmt.Fprintf(w, "; server RSS %s, peak %s", humanize.IBytesN(uint64(r.RSS), 3), humanize.IBytesN(uint64(r.RSSPeak), 3))
	}
	fmt.Fprintln(w)
}

// measureSizes measures the store of a stopped server.
func measureSizes(dir string) (*check.Sizes, error) {
	s, err := check.Measure(nil, dir)
	return &s, err
}

// writeSizes prints how many bytes an event takes on disk: for each field the data of every
// row, the distinct values, and the lists that find rows by value.
func writeSizes(t *tabwriter.Writer, left func(string) string, s *check.Sizes) {
	share := func(n uint64, of uint64) string {
		return strconv.FormatFloat(float64(n)/float64(max(of, 1)), 'f', 2, 64)
	}
	fmt.Fprintf(t, "\n%s\trows\tvalues\tlists\tall\t\n", left("bytes per sealed event"))
	sum := s.Totals + s.Filters + s.Headers + s.Counts
	for _, f := range s.Fields {
		sum += f.Total()
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t\n", left(f.Field), share(f.Rows, s.Sealed), share(f.Cells, s.Sealed), share(f.Lists, s.Sealed), share(f.Total(), s.Sealed))
	}
	for _, x := range []struct {
		name string
		n    uint64
	}{{"counters", s.Totals}, {"filters", s.Filters}, {"headers", s.Headers}, {"events by time", s.Counts}, {fmt.Sprintf("all, in %d runs", s.Runs), sum}} {
		fmt.Fprintf(t, "%s\t\t\t\t%s\t\n", left(x.name), share(x.n, s.Sealed))
	}
	fmt.Fprintf(t, "%s\t\t\t\t%s\t\n", left("ids, per event of all"), share(s.IDs, s.Events))
	t.Flush()
}

func (w *writeResult) title() string {
	s := "s"
	if w.Conns == 1 {
		s = ""
	}
	return fmt.Sprintf("%s, %d connection%s", w.Name, w.Conns, s)
}

// cpu is a CPU time of the server as text, "-" if it is unknown.
func (r *Report) cpu(micros float64) string {
	if !r.measured {
		return "-"
	}
	return short(micros)
}

// short is x with about three significant digits.
func short(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x >= 100:
		return humanize.Comma(int64(x + 0.5))
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x >= 1:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// IsTerminal says whether w is a terminal or another character device.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progressBar draws on w how much of left has been taken, if w is a terminal. The returned
// function stops it and clears the line.
func progressBar(w io.Writer, name string, events int64, left *quota) (stop func()) {
	if !IsTerminal(w) || events == 0 {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		const cells = 30
		for {
			select {
			case <-quit:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
			}
			n := min(left.taken.Load(), events)
			share := float64(n) / float64(events)
			rate := float64(n) / time.Since(start).Seconds()
			rest := time.Duration(float64(events-n) / max(rate, 1) * float64(time.Second)).Round(time.Second)
			full := int(share * cells)
			fmt.Fprintf(w, "\r\x1b[K%s [%s%s] %3.0f%%  %s of %s, %s/s, %v left", name, strings.Repeat("#", full), strings.Repeat(".", cells-full),
				share*100, humanize.Comma(n), humanize.Comma(events), humanize.Comma(int64(rate)), rest)
		}
	}()
	return func() { close(quit); <-done }
}
