// Power cuts in memory: the engine runs on a file system that remembers what was synced. At
// some file operation the test copies it, as a power cut would leave it. The copy must contain
// every acknowledged request, and every other request completely or not at all. The engine
// goes on from the copy, until the next power cut.
//
//	go test ./engine -run Crash -crash.seeds=2000
//	go test ./engine -run Crash -crash.seed=7          repeats one seed

package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var (
	crashSeeds = flag.Int("crash.seeds", 12, "seeds of the crash test")
	crashSeed  = flag.Uint64("crash.seed", 0, "the one seed to run; 0 = many")
)

// request is one batch of a workload, and its fate.
type request struct {
	number   int
	records  []engine.Record
	acked    bool
	outcomes []event.Outcome
}

// workload makes requests with unique message ids. It records which requests were sent and
// which were acknowledged. Requests are numbered from 1 over all lives of one store.
type workload struct {
	sites []*engine.Site
	now   func() time.Time

	mu       sync.Mutex
	rng      *rand.Rand
	requests []*request
}

func newWorkload(rng *rand.Rand) *workload {
	var clock atomic.Int64 // each reading advances it
	clock.Store(epoch.UnixMilli())
	return &workload{
		rng:   rng,
		sites: []*engine.Site{{Site: query.Site{ID: 1, Name: "one"}}, {Site: query.Site{ID: 2, Name: "two", Location: newYork}}},
		now:   func() time.Time { return time.UnixMilli(clock.Add(7)) },
	}
}

// crashNames is the cap on names of a day: fewer than the events have.
const crashNames = 5

func (w *workload) options(fs vfs.FS, rng *rand.Rand) engine.Options {
	return engine.Options{
		Dir: "data", FS: fs, Sites: engine.SitesOf(w.sites...), Now: w.now, Reserve: -1, Memory: 16 << 20,
		SealRows: 8 + rng.IntN(60), HotEvents: 40 + rng.IntN(100), MergeRuns: 2 + rng.IntN(4), IDPart: 100 + rng.IntN(3000),
		NamesPerDay: crashNames,
		Fatal:       func(error) {},
	}
}

// begin makes the next request and counts it as sent.
func (w *workload) begin() *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &request{number: len(w.requests) + 1}
	for i := range 1 + min(w.rng.IntN(12), w.rng.IntN(12)) {
		r.records = append(r.records, engine.Record{Site: w.sites[min(w.rng.IntN(3), w.rng.IntN(3))%len(w.sites)], Record: &event.Record{Event: event.Event{
			Dialect:   event.Native,
			Type:      event.Track,
			Name:      "n" + strconv.Itoa(w.rng.IntN(4)),
			User:      "u" + strconv.Itoa(w.rng.IntN(5)),
			Anonymous: "a" + strconv.Itoa(w.rng.IntN(9)),
			MessageID: fmt.Sprintf("r%d-%d", r.number, i),
			Properties: event.Object{ // in the order of keys, as the recount of the log has them
				{Key: "item" + strconv.Itoa(w.rng.IntN(7)), Value: event.Num("1")},
				{Key: "plan", Value: event.Str([]string{"free", "pro"}[w.rng.IntN(2)])},
				{Key: "request", Value: event.Num(strconv.Itoa(r.number))},
			},
		}}})
	}
	w.requests = append(w.requests, r)
	return r
}

// end notes the answer of a request. An error is no answer: nothing is known.
func (w *workload) end(r *request, outcomes []event.Outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		r.acked, r.outcomes = true, outcomes
	}
}

// run sends requests from a few goroutines until stop returns true or each has sent n.
func (w *workload) run(e *engine.Engine, goroutines, n int, stop func() bool) {
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range n {
				if stop() {
					return
				}
				r := w.begin()
				outcomes, err := e.Ingest(context.Background(), copyRecords(r.records), true, nil)
				w.end(r, outcomes, err)
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// acked lists the requests acknowledged so far.
func (w *workload) acked() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*request
	for _, r := range w.requests {
		if r.acked {
			out = append(out, r)
		}
	}
	return out
}

// forget makes the fate of all requests but these unknown: the power cut came before their
// answers.
func (w *workload) forget(but []*request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if r.acked = slices.Contains(but, r); !r.acked {
			r.outcomes = nil
		}
	}
}

// verify compares an engine with the workload. Requests acknowledged before the power cut are
// complete; all others are complete or missing. Seqs have no gaps, each message id is stored
// once, and counters agree with the log. verify records the fate of requests without an
// answer: those it finds are acknowledged from now on.
func (w *workload) verify(e *engine.Engine, acked []*request) error {
	ctx := context.Background()
	type place struct {
		site *engine.Site
		e    *event.Event
	}
	found := map[string]place{} // by message id
	for _, site := range w.sites {
		events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			return fmt.Errorf("list %s: %w", site.Name, err)
		}
		recount := newModel(w.now)
		recount.namesPerDay = crashNames
		for i, ev := range events {
			if ev.Seq != uint64(i)+1 {
				return fmt.Errorf("site %s: event %d of the log has seq %d", site.Name, i+1, ev.Seq)
			}
			if twin, ok := found[ev.MessageID]; ok {
				return fmt.Errorf("message %s is stored twice, as seq %d of %s and %d of %s", ev.MessageID, twin.e.Seq, twin.site.Name, ev.Seq, site.Name)
			}
			found[ev.MessageID] = place{site, ev}
			record := &event.Record{Event: *copyEvent(ev)}
			again := &record.Event
			if !ev.SessionSent {
				again.Session = ""
			}
			recount.of(&site.Site).append(record)
			if again.SessionOrd != ev.SessionOrd || again.Day != ev.Day {
				return fmt.Errorf("site %s seq %d: session %d day %d, want %d and %d", site.Name, ev.Seq, ev.SessionOrd, ev.Day, again.SessionOrd, again.Day)
			}
		}
		if err := sameAsRecount(ctx, e, recount, site); err != nil {
			return fmt.Errorf("site %s: %w", site.Name, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	stored := 0
	for _, r := range w.requests {
		have := 0
		for i, rec := range r.records {
			p, ok := found[rec.Event.MessageID]
			if !ok {
				continue
			}
			have++
			if p.site != rec.Site || p.e.Name != rec.Event.Name || p.e.User != rec.Event.User {
				return fmt.Errorf("request %d record %d is stored differently: %s", r.number, i, show(p.e))
			}
			if r.acked && (r.outcomes[i].Seq != p.e.Seq || r.outcomes[i].ID != p.e.ID) {
				return fmt.Errorf("request %d record %d was acknowledged as seq %d id %s, but is stored as seq %d id %s", r.number, i, r.outcomes[i].Seq, r.outcomes[i].ID, p.e.Seq, p.e.ID)
			}
		}
		stored += have
		switch {
		case have == len(r.records):
		case slices.Contains(acked, r):
			return fmt.Errorf("request %d was acknowledged, but only %d of its %d events are stored", r.number, have, len(r.records))
		case have != 0:
			return fmt.Errorf("request %d is stored in part: %d of %d events", r.number, have, len(r.records))
		}
		if r.acked = have > 0; !r.acked {
			r.outcomes = nil
			continue
		}
		r.outcomes = make([]event.Outcome, len(r.records))
		for i, rec := range r.records {
			at := found[rec.Event.MessageID].e
			r.outcomes[i] = event.Outcome{Status: event.Stored, ID: at.ID, Seq: at.Seq, Session: at.Session}
		}
	}
	if stored != len(found) {
		return fmt.Errorf("%d events are stored, but only %d of them were sent", len(found), stored)
	}
	return nil
}

// sameAsRecount compares totals and counters with those of a model made from the log.
func sameAsRecount(ctx context.Context, e *engine.Engine, recount *model, site *engine.Site) error {
	for _, q := range []query.Query{
		{Site: &site.Site},
		{Site: &site.Site, Where: []query.Cond{{Field: "name", Values: []string{"n1"}}}},
		{Site: &site.Site, Where: []query.Cond{{Field: "user", Values: []string{"u2"}}, {Field: "prop.plan", Values: []string{"pro"}}}},
	} {
		want, _ := recount.Count(ctx, q)
		if got, err := e.Count(ctx, q); err != nil || got != want {
			return fmt.Errorf("count %s: %+v, %v; the log has %+v", showQuery(q), got, err, want)
		}
	}
	for _, q := range []query.CounterQuery{
		{Site: &site.Site, Property: "name", Limit: 1000},
		{Site: &site.Site, Property: "plan", Limit: 1000},
		{Site: &site.Site, Property: "request", Limit: 1000},
		{Site: &site.Site, Property: "item3", Limit: 1000},
		{Site: &site.Site, Property: event.Other, Limit: 1000},
		{Site: &site.Site, Limit: 1000},
	} {
		want, _ := recount.Counters(ctx, q)
		got, err := e.Counters(ctx, q)
		if err != nil || got.Count != want.Count || got.Total.Events != want.Total.Events || got.Total.Users != want.Total.Users || got.Total.Sessions != want.Total.Sessions {
			return fmt.Errorf("counters %s: %d rows, total %+v, %v; the log has %d rows, total %+v", q.Property, got.Count, got.Total, err, want.Count, want.Total)
		}
		rows := map[string]query.CounterRow{}
		for _, r := range want.Rows {
			rows[r.Value] = r
		}
		for _, r := range got.Rows {
			if r != rows[r.Value] {
				return fmt.Errorf("counters %s: %+v; the log has %+v", q.Property, r, rows[r.Value])
			}
		}
	}
	return nil
}

// resend sends some requests again, whether they were answered or not. Stored events must be
// duplicates, all others must be stored now.
func (w *workload) resend(e *engine.Engine, n int) error {
	for range n {
		w.mu.Lock()
		if len(w.requests) == 0 {
			w.mu.Unlock()
			return nil
		}
		r := w.requests[w.rng.IntN(len(w.requests))]
		w.mu.Unlock()
		outcomes, err := e.Ingest(context.Background(), copyRecords(r.records), true, nil)
		if err != nil {
			return nil // the power cut came first; nothing new is known
		}
		for i, o := range outcomes {
			want := event.Stored
			if r.acked {
				want = event.Duplicate
			}
			if o.Status != want || r.acked && (o.Seq != r.outcomes[i].Seq || o.ID != r.outcomes[i].ID) {
				return fmt.Errorf("retry of request %d record %d: %+v; acknowledged before: %t, as %+v", r.number, i, o, r.acked, r.outcomes)
			}
		}
		w.end(r, outcomes, nil)
	}
	return nil
}

// powerCut is a file system that is copied, as a power cut would leave it, just before file
// operation number at.
type powerCut struct {
	*errorfs.FS
	mem     linkFS
	at      int64
	cfg     vfs.CrashCloneCfg
	oracle  *workload
	ops     atomic.Int64
	once    sync.Once
	happens atomic.Bool
	after   *vfs.MemFS // the copy
	acked   []*request // acknowledged before the copy was made
}

// linkFS makes no links while the file system is copied. MemFS.Link locks twice: when
// CrashClone waits for the lock in between, both wait for ever.
type linkFS struct {
	*vfs.MemFS
	linking *sync.Mutex
}

func (fs linkFS) Link(from, to string) error {
	fs.linking.Lock()
	defer fs.linking.Unlock()
	return fs.MemFS.Link(from, to)
}

// newCrashable returns an empty file system that may be copied while a store works on it.
func newCrashable() linkFS { return linkFS{vfs.NewCrashableMem(), new(sync.Mutex)} }

// clone is CrashClone while no link is made.
func (fs linkFS) clone(cfg vfs.CrashCloneCfg) *vfs.MemFS {
	fs.linking.Lock()
	defer fs.linking.Unlock()
	return fs.CrashClone(cfg)
}

func newPowerCut(mem *vfs.MemFS, at int64, cfg vfs.CrashCloneCfg, oracle *workload) *powerCut {
	p := &powerCut{mem: linkFS{mem, new(sync.Mutex)}, at: at, cfg: cfg, oracle: oracle}
	p.FS = errorfs.Wrap(p.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && p.ops.Add(1) == p.at {
			p.cut()
		}
		return nil
	}))
	return p
}

// cut makes the copy. It makes the list of acknowledged requests first, since all of them must
// be in the copy.
func (p *powerCut) cut() {
	p.once.Do(func() {
		p.acked = p.oracle.acked()
		p.after = p.mem.clone(p.cfg)
		p.happens.Store(true)
	})
}

func TestCrash(t *testing.T) {
	t.Parallel()
	if *crashSeed != 0 {
		if err := crash(*crashSeed); err != nil {
			t.Fatal(err)
		}
		return
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) { // a store mostly waits
		wg.Go(func() {
			for !t.Failed() {
				seed := next.Add(1)
				if seed > uint64(*crashSeeds) {
					return
				}
				if err := crash(seed); err != nil {
					t.Errorf("seed %d: %v\nrepeat with: go test ./engine -run 'TestCrash$' -crash.seed=%d", seed, err, seed)
				}
			}
		})
	}
	wg.Wait()
}

// crash runs a store through four power cuts. Some come during the recovery, some after the
// store has closed.
func crash(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 3))
	w := newWorkload(rand.New(rand.NewPCG(seed, 4)))
	mem := vfs.NewCrashableMem()
	var acked []*request
	for life := 1; life <= 4; life++ {
		percent := []int{0, 0, 50, rng.IntN(101), 100}[rng.IntN(5)]
		at := 1 + rng.Int64N([]int64{60, 150, 400}[rng.IntN(3)])
		cut := newPowerCut(mem, at, vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, uint64(life)))}, w)
		if life > 1 && rng.IntN(4) == 0 {
			report, err := check.Store(context.Background(), mem, "data")
			if unborn := len(acked) == 0; err != nil && !unborn || len(report.Problems) > 0 {
				return fmt.Errorf("life %d: check: %v %v", life, err, report.Problems)
			}
		}
		e, err := engine.Open(w.options(cut, rng))
		if err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if err := w.verify(e, acked); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if err := w.resend(e, 6); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		w.run(e, 1+rng.IntN(4), 25, cut.happens.Load)
		if err := e.Close(); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		cut.cut() // if it has not happened yet, with all requests answered
		mem, acked = cut.after, cut.acked
		w.forget(acked)
	}
	e, err := engine.Open(w.options(mem, rng))
	if err != nil {
		return fmt.Errorf("last life: %w", err)
	}
	if err := w.verify(e, acked); err != nil {
		return fmt.Errorf("last life: %w", err)
	}
	if err := e.Close(); err != nil {
		return fmt.Errorf("last life: %w", err)
	}
	if report, err := check.Store(context.Background(), mem, "data"); err != nil || len(report.Problems) > 0 {
		return fmt.Errorf("last life: check: %v %v", err, report.Problems)
	}
	return nil
}

// perSeeds returns how much a test of crash points tries: the least in a plain go test, more from
// 30 seeds on, and all there is from 51 seeds on.
func perSeeds(least, some, all int64) int64 {
	switch {
	case *crashSeeds > 50:
		return all
	case *crashSeeds >= 30:
		return some
	}
	return least
}

// A power cut before every file operation of a script. Either nothing or all of the unsynced
// data survives. Plain go test tries every 19th operation.
func TestCrashAtEveryOperation(t *testing.T) {
	t.Parallel()
	stride := perSeeds(19, 7, 1)
	done := false
	for at := int64(1); !done; at += stride {
		for _, percent := range []int{0, 100} {
			w := newWorkload(rand.New(rand.NewPCG(1, 1)))
			rng := rand.New(rand.NewPCG(1, 2))
			cut := newPowerCut(vfs.NewCrashableMem(), at, vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}, w)
			options := w.options(cut, rng)
			options.SealRows, options.HotEvents, options.MergeRuns = 16, 64, 2
			e, err := engine.Open(options)
			if err != nil {
				t.Fatalf("op %d: open: %v", at, err)
			}
			w.run(e, 1, 60, cut.happens.Load)
			if err := e.Close(); err != nil {
				t.Fatalf("op %d: close: %v", at, err)
			}
			if !cut.happens.Load() {
				done = true
				cut.cut()
			}
			e, err = engine.Open(w.options(cut.after, rng))
			if err != nil {
				t.Fatalf("op %d, %d %% unsynced: open: %v", at, percent, err)
			}
			if err := w.verify(e, cut.acked); err != nil {
				t.Fatalf("op %d, %d %% unsynced: %v", at, percent, err)
			}
			if err := w.resend(e, 3); err != nil {
				t.Fatalf("op %d, %d %% unsynced: %v", at, percent, err)
			}
			if err := e.Close(); err != nil {
				t.Fatalf("op %d, %d %% unsynced: close: %v", at, percent, err)
			}
		}
	}
}

// A power cut during the recovery from a power cut, at each of its file operations. Directory
// entries and blocks survive by chance, in any order: a reference to a file must not survive
// without the file.
func TestCrashInRecovery(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(2, 1)))
	rng := rand.New(rand.NewPCG(2, 2))
	first := newPowerCut(vfs.NewCrashableMem(), 0, vfs.CrashCloneCfg{}, w)
	e, err := engine.Open(w.options(first, rng))
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 30, never)
	first.cut()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	chances := perSeeds(2, 6, 60)
	for at, done := int64(1), false; !done; at++ {
		for chance := range chances {
			dice := rand.New(rand.NewPCG(uint64(at), uint64(chance)))
			cut := newPowerCut(first.after.CrashClone(vfs.CrashCloneCfg{}), at, vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: dice}, w)
			e, err := engine.Open(w.options(cut, rng))
			if err != nil {
				t.Fatalf("op %d: open: %v", at, err)
			}
			done = !cut.happens.Load()
			cut.cut()
			if err := e.Close(); err != nil {
				t.Fatalf("op %d: close: %v", at, err)
			}
			if e, err = engine.Open(w.options(cut.after, rng)); err != nil {
				t.Fatalf("op %d, chance %d: open: %v", at, chance, err)
			}
			if err := w.verify(e, first.acked); err != nil {
				t.Fatalf("op %d, chance %d: %v", at, chance, err)
			}
			if err := e.Close(); err != nil {
				t.Fatalf("op %d, chance %d: close: %v", at, chance, err)
			}
		}
	}
}
