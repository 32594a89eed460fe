// Sinks: every row arrives once, in order, whatever the sink does, and deletions follow. A sink in
// memory is the model of what its answers have.

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/export"
	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// quick is a sink that waits for nothing.
func quick(s sink.Sink) sink.Config {
	return sink.Config{Sink: s, Rows: 40, Delay: time.Millisecond, Retry: time.Millisecond, LookEvery: time.Hour}
}

// sinkStatus returns the status of the only sink.
func sinkStatus(e *engine.Engine) (sink.Status, error) {
	var all struct{ Sinks []sink.Status }
	text, err := e.Sinks(ctx, false)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all.Sinks) != 1 {
		return sink.Status{}, fmt.Errorf("%d sinks, %w", len(all.Sinks), err)
	}
	return all.Sinks[0], nil
}

var ctx = context.Background()

// sinkWait is how long a test waits for a sink. It is reached when something is wrong alone.
const sinkWait = time.Minute

// until waits until the status of the only sink is as it should be.
func until(e *engine.Engine, is func(*sink.Status) bool) (st sink.Status, err error) {
	for end := time.Now().Add(sinkWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if st, err = sinkStatus(e); err != nil || is(&st) {
			return st, err
		}
	}
	return st, fmt.Errorf("the sink does not come to it: %+v", st)
}

// carriedAll reports whether a sink has all there is.
func carriedAll(e *engine.Engine) func(*sink.Status) bool {
	events := e.Events()
	return func(st *sink.Status) bool {
		n := 0
		for _, s := range st.Sites {
			if s.Cursor != events[s.Number] || s.Sending != nil {
				return false
			}
			n++
		}
		return st.Deletions == 0 && n >= len(events) && st.State == sink.StateRunning
	}
}

// rowLines returns the lines of the rows that a sink must have, by seq.
func rowLines(e *engine.Engine, site *query.Site) (map[uint64]string, error) {
	s := e.Carried(ctx, site, 0, math.MaxUint64)
	defer s.Close()
	l := new(export.Lines)
	if err := l.Read(ctx, s, export.RowForm{Native: true}, export.LinesMost{}, 1<<20); err != nil {
		return nil, err
	}
	lines, at := make(map[uint64]string), 0
	for i, seq := range l.Seqs {
		lines[seq] = string(l.Text[at:l.Ends[i]])
		at = l.Ends[i]
	}
	return lines, nil
}

// sameAsSink compares what a place has of a site with the store: under each number the rows that the number
// stands for, each once.
func sameAsSink(e *engine.Engine, p *sinktest.Place, site *query.Site) error {
	st, err := sinkStatus(e)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(st.Sites, func(s sink.SiteStatus) bool { return s.Number == site.ID })
	if at < 0 {
		return fmt.Errorf("the sink has not met site %s", site.Name)
	}
	want, err := rowLines(e, site)
	if err != nil {
		return err
	}
	for _, span := range st.Sites[at].Stores {
		for seq, row := range p.Rows(span.Store, site.Name) {
			if seq < span.First || seq > span.Last {
				continue // of another store, or of one that is no more
			}
			if want[seq] != row.Line {
				return fmt.Errorf("site %s, event %d: the sink has\n%s, the store\n%s", site.Name, seq, row.Line, want[seq])
			}
			delete(want, seq)
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("site %s: the sink lacks events %d; it has %+v", site.Name, slices.Sorted(maps.Keys(want)), st.Sites[at])
	}
	return nil
}

// settled waits until the sink has all, and compares it with the store.
func settled(e *engine.Engine, p *sinktest.Place, sites ...*engine.Site) error {
	if err := receiptsOf(e, sites); err != nil {
		return err
	}
	if _, err := until(e, carriedAll(e)); err != nil {
		return err
	}
	for _, site := range sites {
		if err := sameAsSink(e, p, &site.Site); err != nil {
			return err
		}
	}
	if faults := p.Faults(); len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	return nil
}

func TestSinkGetsEveryRow(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		w := newWorkload(rand.New(rand.NewPCG(1, 1)))
		place := sinktest.New(whole)
		o := w.options(vfs.NewMem(), rand.New(rand.NewPCG(1, 2)))
		o.Sinks = []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})}
		e := open(t, o)
		w.run(e, 3, 40, never)
		if err := settled(e, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		st, _ := sinkStatus(e)
		if st.LagSeconds != 0 || st.Sites[0].Missed != 0 || len(st.Sites) != 2 || st.Sites[0].Cursor == 0 {
			t.Errorf("status %+v", st)
		}
		var all struct{ Sinks []sink.Status }
		text, err := e.Sinks(ctx, true)
		if err != nil || json.Unmarshal(text, &all) != nil || len(all.Sinks[0].Sites[0].Counts) != 1 || all.Sinks[0].Sites[0].Counts[0].Rows != st.Sites[0].Last {
			t.Errorf("counts %s, %v", text, err)
		}
		stats := e.Stats().Sinks
		if len(stats) != 1 || stats[0].Rows != e.Stats().Accepted || stats[0].Waiting != 0 || stats[0].Errors != 0 {
			t.Errorf("stats %+v of %d events", stats, e.Stats().Accepted)
		}
	}
}

// Without a sink the store has nothing of sinks, and keeps its version.
func TestStoreWithoutSinks(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(1, 3)))
	e := open(t, w.options(fs, rand.New(rand.NewPCG(1, 4))))
	w.run(e, 1, 10, never)
	if _, err := e.Sinks(ctx, false); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("status: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if version := versionOf(t, fs, "data"); version != 3 {
		t.Errorf("version %d", version)
	}
}

// Whatever calls of the sink go wrong, and however often the store starts again, with deletions in
// between: the sink's answers have every row once, and none that was deleted.
func TestSinkThatFails(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(6, *crashSeeds/2)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			if err := failingSink(seed + 1); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func failingSink(seed uint64) (err error) {
	rng := rand.New(rand.NewPCG(seed, 5))
	w := newWorkload(rand.New(rand.NewPCG(seed, 6)))
	place, fs := sinktest.New(seed%3 == 0), vfs.NewMem()
	faulty := func() sink.Config {
		s := &sinktest.Sink{Place: place, Rows: sink.Native, Chance: 3, Random: rand.New(rand.NewPCG(seed, rng.Uint64()))}
		c := quick(s)
		c.Rows = 1 + rng.IntN(60)
		if rng.IntN(2) == 0 {
			c.Bytes = 200 + rng.IntN(5000)
		}
		c.LookEvery = time.Duration(1+rng.IntN(20)) * time.Millisecond
		return c
	}
	o := w.options(fs, rng)
	o.Purge = time.Duration(rng.IntN(2)) * time.Hour
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.CarryTo([]sink.Config{faulty()}); err != nil {
		return err
	}
	if err := met(e, o, never); err != nil {
		return err
	}
	for range 12 {
		w.run(e, 2, 8, never)
		switch rng.IntN(5) {
		case 0:
			if err := e.Close(); err != nil {
				return err
			}
			o.Sinks = []sink.Config{faulty()}
			if e, err = engine.Open(o); err != nil {
				return err
			}
		case 1:
			if err := e.CarryTo([]sink.Config{faulty()}); err != nil {
				return err
			}
		case 2, 3:
			d := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprint("u", rng.IntN(5))}}}, Now: rng.IntN(2) == 0}
			if rng.IntN(2) == 0 {
				d = query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "prop.request", Values: []string{fmt.Sprint(1 + rng.IntN(100))}}}}
			}
			if _, err := e.Delete(ctx, &w.sites[rng.IntN(2)].Site, d); err != nil && !errors.Is(err, query.ErrNotFound) {
				return err
			}
		}
	}
	return settled(e, place, w.sites...)
}

// receiptsOf waits until all deletions say when the sink had carried them out.
func receiptsOf(e *engine.Engine, sites []*engine.Site) error {
	left := ""
	for end := time.Now().Add(sinkWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		left = ""
		for _, site := range sites {
			all, err := e.Deletions(ctx, &site.Site)
			if err != nil {
				return err
			}
			for _, r := range all {
				if len(r.Sinks) != 1 || r.Sinks[0].Name != "memory" || r.Sinks[0].At == 0 {
					left = fmt.Sprintf("site %s, deletion %d: %+v", site.Name, r.ID, r.Sinks)
				}
			}
		}
		if left == "" {
			return nil
		}
	}
	st, err := sinkStatus(e)
	return fmt.Errorf("%s; %+v, %w", left, st, err)
}

// open opens a store that is closed at the end of the test, unless the test has closed it.
func open(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !strings.Contains(err.Error(), "already closed") {
			t.Error(err)
		}
	})
	if len(o.Sinks) == 1 {
		if err := met(e, o, never); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// met waits until the only sink has a cursor of each site, or the process is dead. A deletion that was made before
// names no sink, and rightly: no sink has any of its rows.
func met(e *engine.Engine, o engine.Options, dead func() bool) error {
	_, err := until(e, func(st *sink.Status) bool { return dead() || len(st.Sites) >= len(o.Sites()) })
	return err
}

// A row that the sink refuses is found by halving. It holds up its site, or is passed over and noted.
func TestSinkRefusesRows(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(4, 9)))
	place, fs := sinktest.New(false), vfs.NewMem()
	refused := func(line []byte) bool { return strings.Contains(string(line), `"request":17`) }
	o := w.options(fs, rand.New(rand.NewPCG(4, 10)))
	var log lockedText
	o.Log = slog.New(slog.NewJSONHandler(&log, nil))
	c := quick(&sinktest.Sink{Place: place, Rows: sink.Native, Refuse: refused})
	o.Sinks = []sink.Config{c}
	e := open(t, o)
	w.run(e, 1, 30, never)
	st, err := until(e, func(st *sink.Status) bool { return st.Code != "" })
	if err != nil || st.State != sink.StateStopped || st.Code != "bad_row:refused" || !strings.Contains(st.Error, `"request":17`) {
		t.Fatalf("%+v, %v", st, err)
	}
	if reasons := e.SinkTroubles(); len(reasons) == 0 || strings.Contains(strings.Join(reasons, ""), "request") || !strings.Contains(reasons[0], "bad_row:refused") {
		t.Errorf("reasons %q", reasons)
	}
	if said := log.String(); !strings.Contains(said, `"code":"bad_row:refused"`) || strings.Contains(said, "request") {
		t.Errorf("the log must name the code, and not the row:\n%s", said)
	}
	if _, err := fs.Stat("data/" + sink.BadName); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a row was noted: %v", err)
	}
	c = quick(&sinktest.Sink{Place: place, Rows: sink.Native, Refuse: refused})
	c.SkipBad = true
	if err := e.CarryTo([]sink.Config{c}); err != nil {
		t.Fatal(err)
	}
	if _, err := until(e, carriedAll(e)); err != nil {
		t.Fatal(err)
	}
	skipped := uint64(0)
	st, _ = sinkStatus(e)
	for i, site := range w.sites {
		want, err := rowLines(e, &site.Site)
		if err != nil {
			t.Fatal(err)
		}
		bad := uint64(0)
		for seq, line := range want {
			if refused([]byte(line)) {
				delete(want, seq)
				bad++
			}
		}
		rows := place.Rows(st.Sites[i].Store, site.Name)
		if len(rows) != len(want) || st.Sites[i].Skipped != bad {
			t.Errorf("site %s: %d rows of %d, %d passed over of %d", site.Name, len(rows), len(want), st.Sites[i].Skipped, bad)
		}
		skipped += bad
	}
	f, err := fs.Open("data/" + sink.BadName)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	text := make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil {
		t.Fatal(err)
	}
	if n := uint64(strings.Count(string(text), "\n")); n != skipped || skipped == 0 || strings.Contains(string(text), "request") {
		t.Errorf("%d lines for %d rows:\n%s", n, skipped, text)
	}
}

// Rows that come one by one wait for others, however long they go on: a table gets few and large pieces.
func TestSinkGathersRows(t *testing.T) {
	t.Parallel()
	site, place := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, sinktest.New(false)
	c := quick(&sinktest.Sink{Place: place, Rows: sink.Native, Hook: func(string) error {
		time.Sleep(20 * time.Millisecond) // meanwhile others come
		return nil
	}})
	c.Rows, c.Delay = 1000, 400*time.Millisecond
	e := open(t, engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: []sink.Config{c}})
	begun := time.Now()
	for time.Since(begun) < 2*time.Second {
		sendEvents(t, e, site, 1)
		time.Sleep(5 * time.Millisecond)
	}
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
	if most := 2 + int(time.Since(begun)/c.Delay); len(place.Sent()) > most {
		t.Errorf("%d ranges in %v, want at most %d", len(place.Sent()), time.Since(begun), most)
	}
}

// Many rows do not wait until a range is full: that would only make the sink lag.
func TestSinkWaitsForFewRows(t *testing.T) {
	t.Parallel()
	site, place := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, sinktest.New(false)
	c := quick(&sinktest.Sink{Place: place, Rows: sink.Native})
	c.Rows, c.Delay = 1000, time.Hour
	e := open(t, engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: []sink.Config{c}})
	sendEvents(t, e, site, 199)
	time.Sleep(100 * time.Millisecond)
	if n := len(place.Sent()); n != 0 {
		t.Errorf("%d ranges of few rows", n)
	}
	sendEvents(t, e, site, 1)
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
}

// A sink that begins now gets only what comes.
func TestSinkFromNow(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(5, 9)))
	place, fs := sinktest.New(false), vfs.NewMem()
	o := w.options(fs, rand.New(rand.NewPCG(5, 10)))
	e := open(t, o)
	w.run(e, 1, 10, never)
	before := e.Events()
	config := func() []sink.Config {
		c := quick(&sinktest.Sink{Place: place, Rows: sink.Native})
		c.FromNow, c.StoreNum = true, 77
		return []sink.Config{c}
	}
	if err := e.CarryTo(config()); err != nil {
		t.Fatal(err)
	}
	if _, err := until(e, carriedAll(e)); err != nil {
		t.Fatal(err)
	}
	if err := e.CarryTo(nil); err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 10, never) // while there is no sink
	if err := e.CarryTo(config()); err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 10, never)
	if _, err := until(e, carriedAll(e)); err != nil {
		t.Fatal(err)
	}
	for _, site := range w.sites {
		rows := place.Rows(77, site.Name)
		if n := e.Events()[site.ID] - before[site.ID]; uint64(len(rows)) != n || n == 0 || slices.Min(slices.Collect(maps.Keys(rows))) != before[site.ID]+1 {
			t.Errorf("site %s: %d rows, want %d after %d", site.Name, len(rows), n, before[site.ID])
		}
	}
}

// lockedText is a text that several write.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
