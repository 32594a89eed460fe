package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// This file is the phase "data": what it costs to get data out, away and in. It exports the
// fill in each format, erases two persons of some thousand events, deletes the oldest fifth while
// events come in, and imports events and an access log. It deletes what is there, so it runs only
// on bench's own server, after all other phases. datafiles.go makes the files.

const (
	dataPhase   = "data"
	dataPerson  = 1000    // about so many events has a person who is erased
	dataImport  = 200_000 // events or lines of a file that is imported
	dataReads   = 12      // times each question is asked
	dataWait    = 10 * time.Minute
	dataLook    = 20 * time.Millisecond
	dataConns   = 2
	dataShare   = 5  // one part in so many of the fill is deleted by its time
	dataSeconds = 10 // of ingest before events are deleted
)

// figure is one measured value and its target.
type figure struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	CPU     float64 `json:"cpu_us,omitempty"` // of the server, for one of Per
	Per     string  `json:"cpu_per,omitempty"`
	Bound   float64 `json:"bound,omitempty"` // 0 = there is none
	AtLeast bool    `json:"at_least"`        // the bound is the least, otherwise the most
	RSS     int64   `json:"rss_bytes,omitempty"`
}

// missed says whether the target is missed.
func (f *figure) missed() bool {
	return f.Bound != 0 && (f.AtLeast && f.Value < f.Bound || !f.AtLeast && f.Value > f.Bound)
}

// Data are the measurements of the phase "data".
type Data struct {
	Figures []figure `json:"figures"`
	Events  int64    `json:"events"` // written by the phase
}

// dataRun is the phase under way.
type dataRun struct {
	*benchRun
	*Data
	rows  int64 // in the store when the phase begins
	reads int   // asked so far, so that each question is another one
}

// data runs the phase.
func (b *benchRun) data(ctx context.Context) (*Data, error) {
	d := &dataRun{benchRun: b, Data: new(Data)}
	return d.Data, d.measure(ctx)
}

func (d *dataRun) measure(ctx context.Context) error {
	AwaitQuiet(ctx, d.PID, settleMax)
	var count struct{ Events int64 }
	if err := d.ask(ctx, "GET", "/api/v1/count?metrics=events", &count); err != nil {
		return err
	}
	d.rows = count.Events
	for _, format := range []struct {
		name  string
		bound float64
	}{{"ndjson", 300_000}, {"csv", 250_000}, {"parquet", 200_000}} {
		if err := d.export(ctx, format.name, format.bound); err != nil {
			return err
		}
	}
	without, err := d.questions(ctx)
	if err != nil {
		return err
	}
	d.add(figure{Name: "reads without deleted events", Value: without / 1000, Unit: "CPU ms"})
	// Of the ranks around it, each user has about as many events.
	rank := max(1, int(float64(d.rows)/dataPerson/math.Log(float64(d.Users))))
	if err := d.person(ctx, rank, false); err != nil {
		return err
	}
	if err := d.readsWith(ctx, "hidden events", without); err != nil {
		return err
	}
	if err := d.person(ctx, rank+1, true); err != nil {
		return err
	}
	if err := d.readsWith(ctx, "blanks", without); err != nil {
		return err
	}
	if err := d.oldest(ctx); err != nil {
		return err
	}
	return d.imports(ctx)
}

func (d *dataRun) add(f figure) { d.Figures = append(d.Figures, f) }

// ask asks for a call and reads its JSON.
func (d *dataRun) ask(ctx context.Context, method, path string, answer any) error {
	res, err := d.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(io.LimitReader(res.Body, answerMax)).Decode(answer)
}

// do asks for a call. The caller closes the answer, which has the status 200.
func (d *dataRun) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.URL+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.Key)
	res, err := http.DefaultClient.Do(req)
	if err == nil && res.StatusCode != 200 {
		res.Body.Close()
		err = fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return res, err
}

// export exports everything in a format.
func (d *dataRun) export(ctx context.Context, format string, bound float64) error {
	most, stop := d.watchRSS()
	defer stop()
	before, start := ReadUsage(d.PID).CPU, time.Now()
	res, err := d.do(ctx, "GET", "/api/v1/export?format="+format)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return fmt.Errorf("export as %s: %w", format, err)
	}
	took, cpu := time.Since(start), ReadUsage(d.PID).CPU-before
	stop()
	d.add(figure{Name: fmt.Sprintf("export as %s, %d B an event", format, n/max(1, d.rows)), Value: float64(d.rows) / took.Seconds(), Unit: "events/s",
		CPU: micros(cpu, d.rows), Per: "event", Bound: bound, AtLeast: true, RSS: most.Load()})
	return nil
}

// watchRSS looks at the memory of the server until stop is called, which may be called again.
func (d *dataRun) watchRSS() (most *atomic.Int64, stop func()) {
	most = new(atomic.Int64)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			most.Store(max(most.Load(), ReadUsage(d.PID).RSS))
			select {
			case <-quit:
				return
			case <-time.After(courseTick):
			}
		}
	}()
	return most, sync.OnceFunc(func() { close(quit); <-done })
}

func micros(d time.Duration, n int64) float64 { return float64(d.Microseconds()) / float64(max(1, n)) }

// questions asks questions that have no kept answer, and returns the CPU time of the server for all
// of them once, in microseconds.
func (d *dataRun) questions(ctx context.Context) (float64, error) {
	AwaitQuiet(ctx, d.PID, settleMax)
	from := time.Now().Add(-time.Duration(d.Days) * 24 * time.Hour).UnixMilli()
	var before time.Duration
	for n := range dataReads + 1 {
		if n == 1 { // the first time, pages are read that are kept then
			before = ReadUsage(d.PID).CPU
		}
		d.reads++ // each begins a millisecond later
		at := fmt.Sprintf("&from=%d", from+int64(d.reads))
		for _, path := range []string{
			"count?metrics=events,users&name=" + url.QueryEscape(eventName(1)) + at, "series?interval=day&metrics=events,users" + at,
			"counters?property=country" + at, "events?limit=100&prop.plan=free" + at, "users/" + userName(3) + "?",
		} {
			var answer json.RawMessage
			if err := d.ask(ctx, "GET", "/api/v1/"+strings.TrimSuffix(path, "?"), &answer); err != nil {
				return 0, err
			}
		}
	}
	return micros(ReadUsage(d.PID).CPU-before, dataReads), ctx.Err()
}

func (d *dataRun) readsWith(ctx context.Context, what string, without float64) error {
	cpu, err := d.questions(ctx)
	d.add(figure{Name: "reads with " + what + ", of those without", Value: cpu / without, Unit: "×", Bound: 1.1})
	return err
}

// deletion is a receipt.
type deletion struct {
	ID    int64
	Rows  int64
	State string
}

// person erases the user of a rank. With now, the purge is waited for.
func (d *dataRun) person(ctx context.Context, rank int, now bool) error {
	path := "/api/v1/users/" + userName(rank)
	if now {
		path += "?now=1"
	}
	most, stop := d.watchRSS()
	defer stop()
	before, start := ReadUsage(d.PID).CPU, time.Now()
	var r deletion
	if err := d.ask(ctx, "DELETE", path, &r); err != nil {
		return err
	}
	name := fmt.Sprintf("a person of %s events: ", humanize.Comma(r.Rows))
	d.add(figure{Name: name + "hidden", Value: millis(time.Since(start)), Unit: "ms", Bound: 300})
	if !now {
		return nil
	}
	rewritten, done, err := d.await(ctx, &r, start)
	if err != nil {
		return err
	}
	stop()
	cpu := ReadUsage(d.PID).CPU - before
	d.add(figure{Name: name + "rewritten, with now", Value: rewritten.Seconds(), Unit: "s", Bound: 15})
	d.add(figure{Name: name + "purged, with now", Value: done.Seconds(), Unit: "s", CPU: micros(cpu, d.rows), Per: "row of the store", Bound: 60, RSS: most.Load()})
	return nil
}

// await waits until a deletion is done. Both durations begin at start.
func (d *dataRun) await(ctx context.Context, r *deletion, start time.Time) (rewritten, done time.Duration, err error) {
	for r.State != "done" {
		if err := d.ask(ctx, "GET", fmt.Sprintf("/api/v1/admin/deletions/%d", r.ID), r); err != nil {
			return rewritten, 0, err
		}
		if r.State != "hidden" && rewritten == 0 {
			rewritten = time.Since(start)
		}
		if time.Since(start) > dataWait {
			return rewritten, 0, errors.New("a deletion is not done after " + dataWait.String())
		}
		d.sleep(ctx, time.Now().Add(dataLook))
	}
	return rewritten, time.Since(start), nil
}

// ingest sends batches until stopped is closed.
func (d *dataRun) ingest(ctx context.Context, stopped <-chan struct{}) (perSecond, cpu float64, err error) {
	var left quota
	p := writePhase{batch: 1000, clock: func(int64) time.Time { return time.Now() }}
	var (
		all    sync.WaitGroup
		events atomic.Int64
		first  = make(chan error, dataConns)
	)
	before, start := ReadUsage(d.PID).CPU, time.Now()
	for range dataConns {
		c, err := Dial(ctx, d.URL, d.Key)
		if err != nil {
			return 0, 0, err
		}
		s := newStream(d.Seed, d.run, d.streams, d.crowd())
		d.streams++
		all.Go(func() {
			defer c.Close()
			n, err := p.send(ctx, c, s, &left, time.Time{}, newLatencies())
			events.Add(n)
			if err != nil {
				first <- err
			}
		})
	}
	select {
	case <-stopped:
	case <-ctx.Done():
	}
	left.n.Store(1) // all of it has been taken
	all.Wait()
	took := time.Since(start)
	d.Events += events.Load()
	select {
	case err := <-first:
		return 0, 0, err
	default:
		return float64(events.Load()) / took.Seconds(), micros(ReadUsage(d.PID).CPU-before, events.Load()), ctx.Err()
	}
}

// oldest deletes the oldest events while others come in.
func (d *dataRun) oldest(ctx context.Context) error {
	AwaitQuiet(ctx, d.PID, settleMax)
	alone, cpu, err := d.ingest(ctx, after(ctx, dataSeconds*time.Second))
	if err != nil {
		return err
	}
	d.add(figure{Name: "batches of 1,000, no deletion", Value: alone, Unit: "events/s", CPU: cpu, Per: "event"})
	span := time.Duration(d.Days) * 24 * time.Hour
	to := time.Now().Add(span/dataShare - span)
	var (
		r               deletion
		hidden          time.Duration
		rewritten, done time.Duration
		deleting        error
	)
	stopped := make(chan struct{})
	most, stop := d.watchRSS()
	defer stop()
	go func() {
		defer close(stopped)
		start := time.Now()
		if deleting = d.ask(ctx, "DELETE", fmt.Sprintf("/api/v1/events?now=1&to=%d", to.UnixMilli()), &r); deleting == nil {
			hidden = time.Since(start)
			rewritten, done, deleting = d.await(ctx, &r, start)
		}
	}()
	beside, cpu, err := d.ingest(ctx, stopped)
	if err = errors.Join(err, deleting); err != nil {
		return err
	}
	stop()
	name := fmt.Sprintf("the oldest %s of %s events: ", humanize.Comma(r.Rows), humanize.Comma(d.rows))
	d.add(figure{Name: name + "hidden", Value: hidden.Seconds(), Unit: "s", Bound: 1})
	d.add(figure{Name: name + "rewritten", Value: rewritten.Seconds(), Unit: "s"})
	d.add(figure{Name: name + "purged", Value: done.Seconds(), Unit: "s", Bound: 60, RSS: most.Load()})
	d.add(figure{Name: "batches of 1,000 meanwhile, of those before", Value: beside / alone, Unit: "×", CPU: cpu, Per: "event", Bound: 0.8, AtLeast: true})
	return nil
}

// after returns a channel that is closed after a time, or when ctx ends.
func after(ctx context.Context, wait time.Duration) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}()
	return done
}

// imports imports events and an access log, each of them twice. The second time, everything is
// stored already.
func (d *dataRun) imports(ctx context.Context) error {
	AwaitQuiet(ctx, d.PID, settleMax)
	alone, cpu, err := d.ingest(ctx, after(ctx, dataSeconds*time.Second))
	if err != nil {
		return err
	}
	d.add(figure{Name: "NDJSON in batches of 1,000", Value: alone, Unit: "events/s", CPU: cpu, Per: "event"})
	dir, err := os.MkdirTemp(filepath.Dir(d.Dir), "files-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(path string) error
		bound float64
	}{{"events.ndjson", d.writeEvents, 0.7 * alone}, {"access.log", d.writeAccessLog, 100_000}} {
		path := filepath.Join(dir, file.name)
		if err := file.write(path); err != nil {
			return err
		}
		for _, again := range []string{"", ", again"} {
			AwaitQuiet(ctx, d.PID, settleMax)
			before, start := ReadUsage(d.PID).CPU, time.Now()
			cmd := exec.CommandContext(ctx, exe, "import", "-q", "-data", d.Dir, "-listen", strings.TrimPrefix(d.URL, "http://"), path)
			cmd.Env = Environ(d.Memory)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("import of %s: %w: %s", file.name, err, out)
			}
			took := time.Since(start)
			AwaitQuiet(ctx, d.PID, settleMax)
			d.add(figure{Name: "import of " + file.name + again, Value: dataImport / took.Seconds(), Unit: "events/s",
				CPU: micros(ReadUsage(d.PID).CPU-before, dataImport), Per: "event", Bound: file.bound, AtLeast: true})
		}
		d.Events += dataImport
	}
	return nil
}

// writeTable prints the measurements for people.
func (d *Data) writeTable(t *tabwriter.Writer, title string, left func(string) string) {
	fmt.Fprintf(t, "\n%s\tmeasured\t\ttarget\tCPU µs\tper\tRSS\t\n", title)
	for i := range d.Figures {
		f := &d.Figures[i]
		target, cpu, rss := "", "", ""
		if f.Bound != 0 {
			target = map[bool]string{true: "≥ ", false: "≤ "}[f.AtLeast] + short(f.Bound)
		}
		value := short(f.Value)
		if f.missed() {
			value += "!"
		}
		if f.CPU > 0 {
			cpu = short(f.CPU)
		}
		if f.RSS > 0 {
			rss = humanize.IBytesN(uint64(f.RSS), 3)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", left(f.Name), value, f.Unit, target, cpu, f.Per, rss)
	}
	t.Flush()
}
