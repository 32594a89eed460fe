// The metamorphic test: the engine and the model run the same random operations under random
// limits, with restarts, snapshots and checks in between. Both must give the same answers.
//
//	go test ./engine -run Metamorphic -metamorphic.runs=200 -metamorphic.ops=2000
//	go test ./engine -run Metamorphic -metamorphic.seed=7        repeats one run

package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	metamorphicRuns = flag.Int("metamorphic.runs", 4, "runs of the metamorphic test")
	metamorphicOps  = flag.Int("metamorphic.ops", 300, "operations in one run")
	metamorphicSeed = flag.Uint64("metamorphic.seed", 0, "the one seed to run; 0 = many")
)

func TestMetamorphic(t *testing.T) {
	if *metamorphicSeed != 0 {
		metamorphic(t, *metamorphicSeed)
		return
	}
	for seed := range uint64(*metamorphicRuns) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			metamorphic(t, seed+1)
		})
	}
}

// seedsOf returns how many seeds a test runs that is like this one: least in a plain go test, all
// with six runs of this test or more.
func seedsOf(least, all uint64) uint64 {
	if *metamorphicRuns < 6 {
		return least
	}
	return all
}

// pair is the engine and the model of one run.
type pair struct {
	*testing.T
	*generator
	fs             vfs.FS
	dir            string
	engine         *engine.Engine
	model          *model
	copies         int // number of snapshots made
	tuples         int // Options.Tuples
	asked, refused int // reports
	op             int

	former []*engine.Site // settings of sites before their zone changed

	purging  bool // some deletions are carried out at once, see purges_test.go
	purged   []purgedDeletion
	visitors int // numbers the visitors that come now
}

// newPair makes an empty engine, not yet open, and its model.
func newPair(t *testing.T, seed uint64) *pair {
	g := newGenerator(seed)
	p := &pair{T: t, generator: g, fs: vfs.NewMem(), dir: "data", model: newModel(func() time.Time { return g.now })}
	p.model.namesPerDay, p.model.valuesPerDay = g.names, g.values
	return p
}

// closeIfOpen closes the engine unless the test has.
func (p *pair) closeIfOpen() {
	if p.engine != nil {
		p.close()
	}
}

func metamorphic(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.open()
	defer func() {
		if t.Failed() {
			t.Logf("again: go test ./engine -run 'TestMetamorphic$' -metamorphic.seed=%d -metamorphic.ops=%d (failed at op %d)", seed, *metamorphicOps, p.op)
		}
		if p.engine != nil {
			if err := p.engine.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}()
	for p.op = 1; p.op <= *metamorphicOps && !t.Failed(); p.op++ {
		p.tick()
		p.step()
	}
	if !t.Failed() {
		p.check(p.dir)
	}
}

func (p *pair) step() {
	switch n := p.IntN(300); {
	case n == 0: // expensive: reads the whole store
		p.snapshot()
	case n == 1:
		p.check(p.dir)
	case n < 6:
		p.reopen()
	case n < 12:
		p.delete()
	case n < 14:
		p.moveZone()
	default:
		p.act(p.IntN(100))
	}
}

func (p *pair) act(n int) {
	switch {
	case n < 50:
		p.ingest()
	case n < 60:
		p.list()
	case n < 62:
		p.export()
	case n < 68:
		p.count()
	case n < 71:
		p.series()
	case n < 72:
		p.visits()
	case n < 74:
		p.visitReport()
	case n < 75:
		p.pageReport()
	case n < 76:
		p.rowReport()
	case n < 78:
		p.counters()
	case n < 80:
		p.counterSeries()
	case n < 82:
		p.digest()
	case n < 86:
		p.users()
	case n < 90:
		p.sessions()
	case n < 95:
		p.group()
	default:
		p.event()
	}
}

func (p *pair) open() {
	o := p.options(p.fs, p.dir)
	o.Tuples = p.tuples
	o.Purge = 10_000 * time.Hour // what is purged is decided anew when it comes again; the model does not know that
	e, err := engine.Open(o)
	if err != nil {
		p.Fatalf("op %d: open: %v", p.op, err)
	}
	p.engine = e
}

func (p *pair) close() {
	e := p.engine
	p.engine = nil
	if err := e.Close(); err != nil {
		p.Fatalf("op %d: close: %v", p.op, err)
	}
}

func (p *pair) reopen() {
	p.close()
	p.open()
}

// delete deletes the events of a person, those that a filter selects, those of some days, or one
// event that begins a session or a person.
func (p *pair) delete() {
	site := &p.site().Site
	d := query.Deletion{Kind: query.DeleteFilter}
	switch p.IntN(5) {
	case 0:
		d.Kind = query.DeletePerson
		d.Where = []query.Cond{{Field: "user", Values: []string{pick(p.generator, p.user(), p.anonymous())}}}
		if d.Where[0].Values[0] == "" {
			return
		}
	case 1:
		at := p.model.now().Add(-time.Duration(p.IntN(30*60)) * time.Minute)
		d.To = at.UnixMilli()
		if p.chance(2) {
			d.From = at.Add(-time.Duration(p.IntN(240)) * time.Minute).UnixMilli()
		}
	case 2:
		for len(d.Where) == 0 {
			d.Where = p.where(p.model, site)
		}
		d.From, d.To = p.span()
	default:
		s := p.model.of(site)
		for range 1 + p.IntN(5) {
			if len(s.events) == 0 {
				return
			}
			e := s.events[p.IntN(len(s.events))]
			if p.chance(2) && e.SessionOrd != 0 {
				e = s.events[e.SessionOrd-1]
			} else if who := s.persons().of[e.Seq-1]; who != nil {
				e = who.first
			}
			d.Where = []query.Cond{{Field: "type", Values: []string{string(e.Type)}}, {Field: "user", Op: query.OpHasNot}}
			if e.User != "" {
				d.Where[1] = query.Cond{Field: "user", Values: []string{e.User}}
			}
			d.From, d.To = e.Time, e.Time+1
			p.deleteEvents(site, d)
		}
		return
	}
	p.deleteEvents(site, d)
}

func (p *pair) deleteEvents(site *query.Site, d query.Deletion) {
	if d.Now = p.purging && p.chance(2); d.Now {
		defer p.begin()
	}
	want := p.model.Delete(site, d)
	got, err := p.engine.Delete(context.Background(), site, d)
	if want == 0 && errors.Is(err, query.ErrNotFound) {
		return
	}
	if err != nil || got.Rows != want {
		p.Fatalf("op %d: delete %+v from %s: %d events, %v; want %d", p.op, d, site.Name, got.Rows, err, want)
	}
	if d.Now {
		p.purged = append(p.purged, purgedDeletion{site, got.ID})
	}
}

func (p *pair) ingest() { p.ingestRecords(p.batch(pick(p.generator, 5, 1, 40))) }

func (p *pair) ingestRecords(records []engine.Record) {
	all := p.chance(2)
	mine, _ := p.model.Ingest(context.Background(), records, all, nil)
	theirs, err := p.engine.Ingest(context.Background(), copyRecords(records), all, nil)
	if err != nil || len(theirs) != len(mine) {
		p.Fatalf("op %d: ingest: %d outcomes of %d, %v", p.op, len(theirs), len(mine), err)
	}
	for i := range mine {
		a, b := theirs[i], mine[i]
		wantErr := b.Err != nil
		if all && wantErr && i != slices.IndexFunc(mine, func(o event.Outcome) bool { return o.Err != nil }) {
			wantErr = a.Err != nil // only the first at fault need say why
		}
		if a.Status != b.Status || a.Seq != b.Seq || (a.Err != nil) != wantErr {
			p.Fatalf("op %d: ingest: record %d (all=%t): got %+v, want %+v\n%s", p.op, i, all, a, b, show(&records[i].Event))
		}
	}
	if err := p.model.adopt(records, mine, theirs); err != nil {
		p.Fatalf("op %d: ingest: %v", p.op, err)
	}
	p.adoptCaps(records, mine)
	for i, o := range theirs {
		if o.Status == event.Stored && records[i].Event.Dialect == event.Opentracker && o.Session != "" {
			p.generator.sessions = append(p.generator.sessions, o.Session)
		}
		if o.Status == event.Duplicate {
			if first := p.model.of(&records[i].Site.Site).events[o.Seq-1]; o.ID != first.ID {
				p.Fatalf("op %d: ingest: duplicate %d has id %s, its original %s", p.op, i, o.ID, first.ID)
			}
		}
	}
}

func (p *pair) list() {
	q := p.query(p.model)
	if p.chance(3) {
		q.Skip = p.IntN(120)
	}
	want, _ := p.model.List(context.Background(), q)
	got, err := p.engine.List(context.Background(), q)
	if err != nil {
		p.Fatalf("op %d: list %s: %v", p.op, showQuery(q), err)
	}
	p.sameEvents("list "+showQuery(q), got.Events, want.Events)
	if got.Next != want.Next {
		p.Errorf("op %d: list %s: next %q, want %q", p.op, showQuery(q), got.Next, want.Next)
	}
}

func (p *pair) sameEvents(what string, got, want []*event.Event) {
	if len(got) != len(want) {
		p.Fatalf("op %d: %s: %d events %d, want %d %d", p.op, what, len(got), seqs(got), len(want), seqs(want))
	}
	for i := range want {
		if a, b := show(p.onItsDay(got[i])), show(want[i]); a != b {
			p.Fatalf("op %d: %s: event %d of the page:\n got %s\nwant %s", p.op, what, i, a, b)
		}
	}
}

// metrics draws the metrics of a query; 0 asks for all.
func (p *pair) metrics() query.Metrics { return query.Metrics(p.IntN(8)) }

// withMetrics returns the totals without the metrics that the query did not ask for.
func withMetrics(t query.Totals, m query.Metrics) query.Totals {
	for metric, n := range map[query.Metrics]*uint64{query.MetricEvents: &t.Events, query.MetricUsers: &t.Users, query.MetricSessions: &t.Sessions} {
		if !m.Has(metric) {
			*n = 0
		}
	}
	return t
}

func (p *pair) count() {
	q := p.query(p.model)
	q.After, q.Limit, q.Metrics = "", 0, p.metrics()
	want, _ := p.model.Count(context.Background(), q)
	got, err := p.engine.Count(context.Background(), q)
	if got, want = withMetrics(got, q.Metrics), withMetrics(want, q.Metrics); err != nil || got != want {
		p.Errorf("op %d: count %s, metrics %b: %+v, %v; want %+v", p.op, showQuery(q), q.Metrics, got, err, want)
	}
}

func (p *pair) series() {
	q := p.query(p.model)
	q.After, q.Limit = "", 0
	interval := pick(p.generator, "day", "week", "month", "hour", "minute")
	if q.From == 0 || q.To == 0 { // bound the query, so that the number of buckets is bounded
		q.From, q.To = p.now.UnixMilli()-30*3600*1000, p.now.UnixMilli()+3600*1000
	}
	loc := pick(p.generator, time.UTC, newYork)
	q.Metrics = p.metrics()
	want, _ := p.model.Series(context.Background(), q, interval, loc)
	got, err := p.engine.Series(context.Background(), q, interval, loc)
	if err != nil {
		p.Fatalf("op %d: series %s %s: %v", p.op, interval, showQuery(q), err)
	}
	for _, buckets := range [][]query.Bucket{got, want} {
		for i := range buckets {
			buckets[i].Totals = withMetrics(buckets[i].Totals, q.Metrics)
		}
	}
	want = slices.DeleteFunc(want, func(b query.Bucket) bool { return b.Totals == query.Totals{} })
	for i := 1; i < len(got); i++ {
		if got[i].Time <= got[i-1].Time {
			p.Errorf("op %d: series %s: bucket %d is not after the one before", p.op, interval, i)
		}
	}
	got = slices.DeleteFunc(slices.Clone(got), func(b query.Bucket) bool { return b.Totals == query.Totals{} })
	if !slices.Equal(got, want) {
		p.Errorf("op %d: series %s in %s %s:\n got %v\nwant %v", p.op, interval, loc, showQuery(q), got, want)
	}
}

func (p *pair) visits() {
	q := p.query(p.model)
	q.After, q.Limit = "", 0
	if q.From == 0 || q.To == 0 {
		q.From, q.To = p.now.UnixMilli()-30*3600*1000, p.now.UnixMilli()+3600*1000
	}
	interval, loc := pick(p.generator, "day", "week", "month", "hour", "minute"), pick(p.generator, time.UTC, newYork)
	want, wantSteps, _ := p.model.Visits(context.Background(), q, interval, loc)
	got, steps, err := p.engine.Visits(context.Background(), q, interval, loc)
	steps = slices.DeleteFunc(steps, func(v query.Visits) bool { return v == query.Visits{Time: v.Time} })
	wantSteps = slices.DeleteFunc(wantSteps, func(v query.Visits) bool { return v == query.Visits{Time: v.Time} })
	if err != nil || got != want || !slices.Equal(steps, wantSteps) {
		p.Errorf("op %d: visits %s in %s %s: %v\n got %+v %+v\nwant %+v %+v", p.op, interval, loc, showQuery(q), err, got, steps, want, wantSteps)
	}
}

func (p *pair) counters() {
	q := p.counterQuery(p.model)
	if len(p.former) > 0 && p.chance(4) { // a question asked before the zone changed
		q.Site = &p.former[p.IntN(len(p.former))].Site
	}
	p.sameCounters(p.engine, q)
}

func (p *pair) sameCounters(e engine.API, q query.CounterQuery) {
	q.Metrics = p.metrics()
	p.sameMetrics(e, q)
}

// sameMetrics is sameCounters for the metrics that the query has.
func (p *pair) sameMetrics(e engine.API, q query.CounterQuery) {
	switch q.Sort {
	case "users":
		q.Metrics |= query.MetricUsers
	case "sessions":
		q.Metrics |= query.MetricSessions
	}
	want, _ := p.model.Counters(context.Background(), q)
	got, err := e.Counters(context.Background(), q)
	if err != nil {
		p.Fatalf("op %d: counters %s: %v", p.op, showCounterQuery(q), err)
	}
	clearUnwanted(&got, q.Metrics)
	clearUnwanted(&want, q.Metrics)
	key := func(r query.CounterRow) int64 {
		switch q.Sort {
		case "users":
			return -int64(r.Users)
		case "sessions":
			return -int64(r.Sessions)
		case "value":
			return 0
		}
		return -r.Events
	}
	if !slices.IsSortedFunc(got.Rows, func(a, b query.CounterRow) int { return cmp.Compare(key(a), key(b)) }) {
		p.Errorf("op %d: counters %s: not in order: %+v", p.op, showCounterQuery(q), got.Rows)
	}
	byValue := func(a, b query.CounterRow) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Segment, b.Segment))
	}
	rows := slices.Clone(got.Rows)
	slices.SortFunc(rows, byValue)
	slices.SortFunc(want.Rows, byValue)
	got.Total.Value, got.Total.Values, want.Total.Value = "", 0, ""
	if !slices.Equal(rows, want.Rows) || got.Total != want.Total || got.Count != want.Count || got.More {
		p.Errorf("op %d: counters %s:\n got total %+v count %d more %t, these rows too much: %+v\nwant total %+v count %d, these rows too: %+v", p.op, showCounterQuery(q),
			got.Total, got.Count, got.More, without(rows, want.Rows), want.Total, want.Count, without(want.Rows, rows))
	}
	if len(got.Rows) < 2 || got.Count != len(got.Rows) {
		return
	}
	// A page of a counter is a part of the whole answer.
	q.Offset, q.Limit = p.IntN(len(got.Rows)), 1+p.IntN(3)
	end := min(q.Offset+q.Limit, len(got.Rows))
	cut, err := e.Counters(context.Background(), q)
	clearUnwanted(&cut, q.Metrics)
	if err != nil || !slices.Equal(cut.Rows, got.Rows[q.Offset:end]) || cut.More != (end < len(got.Rows)) || cut.Count != got.Count {
		p.Errorf("op %d: counters %s from %d, %d rows:\n got %+v more %t count %d, %v\nwant %+v of %d", p.op, showCounterQuery(q), q.Offset, q.Limit,
			cut.Rows, cut.More, cut.Count, err, got.Rows[q.Offset:end], got.Count)
	}
}

// clearUnwanted removes the users and sessions that the query did not ask for.
func clearUnwanted(page *query.CounterPage, m query.Metrics) {
	for i := range page.Rows {
		askedRow(&page.Rows[i], m)
	}
	askedRow(&page.Total, m)
}

func askedRow(r *query.CounterRow, m query.Metrics) {
	if !m.Has(query.MetricUsers) {
		r.Users = 0
	}
	if !m.Has(query.MetricSessions) {
		r.Sessions = 0
	}
}

func without(rows, others []query.CounterRow) []query.CounterRow {
	return slices.DeleteFunc(slices.Clone(rows), func(r query.CounterRow) bool { return slices.Contains(others, r) })
}

func (p *pair) users() {
	q := query.Query{Site: &p.site().Site, Limit: pick(p.generator, 100, 1, 3)}
	if all, _, _ := p.model.Users(context.Background(), query.Query{Site: q.Site, Limit: 100}); len(all) > 0 && p.chance(2) {
		q.After = all[p.IntN(len(all))].Cursor
	}
	switch p.IntN(4) {
	case 0:
		q.Where = p.where(p.model, q.Site)
		q.From, q.To = p.span()
	case 1:
		q.Where = p.where(p.model, q.Site)
		q.ByLast, q.After = true, ""
	}
	want, next, _ := p.model.Users(context.Background(), q)
	got, gotNext, err := p.engine.Users(context.Background(), q)
	if err != nil || len(got) != len(want) || gotNext != next {
		p.Fatalf("op %d: users %s: %d users, next %q, %v; want %d, next %q\n got %v\nwant %v", p.op, showQuery(q), len(got), gotNext, err, len(want), next, got, want)
	}
	for i := range want {
		if a, b := showUser(got[i]), showUser(want[i]); a != b {
			p.Errorf("op %d: users %s: user %d:\n got %s\nwant %s", p.op, showQuery(q), i, a, b)
		}
	}
	id := pick(p.generator, p.user(), p.anonymous(), "nobody")
	wantUser, wantErr := p.model.User(context.Background(), q.Site, id)
	gotUser, err := p.engine.User(context.Background(), q.Site, id)
	if a, b := showUser(gotUser), showUser(wantUser); !errors.Is(err, wantErr) || err == nil && a != b {
		p.Errorf("op %d: user %s of %s:\n got %s, %v\nwant %s, %v", p.op, id, q.Site.Name, a, err, b, wantErr)
	}
}

func (p *pair) sessions() {
	q := query.Query{Site: &p.site().Site, Limit: pick(p.generator, 100, 1, 3)}
	switch p.IntN(4) {
	case 3:
		q.Where = p.where(p.model, q.Site)
	case 0:
		q.Where = []query.Cond{{Field: "user", Values: []string{p.user()}}}
	case 1:
		q.Where = []query.Cond{{Field: "anonymous", Values: []string{p.anonymous()}}}
	}
	all, _, _ := p.model.Sessions(context.Background(), query.Query{Site: q.Site, Limit: 1 << 20})
	if len(all) > 0 && p.chance(2) {
		q.After = all[p.IntN(len(all))].Cursor
	}
	want, next, _ := p.model.Sessions(context.Background(), q)
	got, gotNext, err := p.engine.Sessions(context.Background(), q)
	if err != nil || len(got) != len(want) || gotNext != next {
		p.Fatalf("op %d: sessions %s: %d sessions, next %q, %v; want %d, next %q\n got %v\nwant %v", p.op, showQuery(q), len(got), gotNext, err, len(want), next, got, want)
	}
	for i := range want {
		if a, b := showSession(got[i]), showSession(want[i]); a != b {
			p.Errorf("op %d: sessions %s: session %d:\n got %s\nwant %s", p.op, showQuery(q), i, a, b)
		}
	}
	id := "none"
	if len(all) > 0 {
		id = all[p.IntN(len(all))].ID
	}
	wantOne, wantErr := p.model.Session(context.Background(), q.Site, id)
	gotOne, err := p.engine.Session(context.Background(), q.Site, id)
	if a, b := showSession(gotOne), showSession(wantOne); !errors.Is(err, wantErr) || err == nil && a != b {
		p.Errorf("op %d: session %s:\n got %s, %v\nwant %s, %v", p.op, id, a, err, b, wantErr)
	}
}

func (p *pair) group() {
	site, id := p.site(), p.generator.group()
	want, wantErr := p.model.Group(context.Background(), &site.Site, id)
	got, err := p.engine.Group(context.Background(), &site.Site, id)
	if !errors.Is(err, wantErr) || err == nil && (showObject(got.Properties) != showObject(want.Properties) || !slices.Equal(sortedCopy(got.Members), want.Members)) {
		p.Errorf("op %d: group %s of %s:\n got %+v, %v\nwant %+v, %v", p.op, id, site.Name, got, err, want, wantErr)
	}
}

func (p *pair) event() {
	site := p.site()
	events := p.model.of(&site.Site).events
	if len(events) == 0 {
		return
	}
	want := events[p.IntN(len(events))]
	got, err := p.engine.Event(context.Background(), &site.Site, want.ID)
	switch deleted := p.model.of(&site.Site).deleted[want.Seq]; {
	case deleted && !errors.Is(err, query.ErrNotFound):
		p.Fatalf("op %d: event %s, which is deleted: %v", p.op, want.ID, err)
	case deleted:
	case err != nil:
		p.Fatalf("op %d: event %s: %v", p.op, want.ID, err)
	default:
		p.sameEvents("event "+want.ID, []*event.Event{got}, []*event.Event{want})
	}
	// An id is valid for its site only, and similar texts are no ids.
	other := p.sites[(slices.Index(p.sites, site)+1)%len(p.sites)]
	forged := []byte(want.ID)
	forged[p.IntN(32)] = "0123456789abcdef"[p.IntN(16)]
	for _, c := range []struct {
		site *engine.Site
		id   string
	}{{other, want.ID}, {site, string(forged)}, {site, want.ID[:31]}, {site, "x"}} {
		if c.site == site && c.id == want.ID {
			continue
		}
		if _, err := p.engine.Event(context.Background(), &c.site.Site, c.id); !errors.Is(err, query.ErrBadCursor) && !errors.Is(err, query.ErrNotFound) {
			p.Errorf("op %d: event %q of %s, forged from %s of %s: %v", p.op, c.id, c.site.Name, want.ID, site.Name, err)
		}
		if _, err := p.engine.List(context.Background(), query.Query{Site: &c.site.Site, Limit: 1, After: c.id}); !errors.Is(err, query.ErrBadCursor) {
			p.Errorf("op %d: list after %q of %s, forged from %s of %s: %v", p.op, c.id, c.site.Name, want.ID, site.Name, err)
		}
	}
}

// check closes the engine, checks the store offline and opens it again.
func (p *pair) check(dir string) {
	p.close()
	report, err := check.Store(context.Background(), p.fs, dir)
	if err != nil || len(report.Problems) > 0 {
		p.Fatalf("op %d: check %s: %v %v", p.op, dir, err, report.Problems)
	}
	p.open()
}

// snapshot makes a snapshot of the running store, restores it beside the store and reads all
// of it.
func (p *pair) snapshot() {
	p.copies++
	copied, restored := fmt.Sprintf("snapshot-%d", p.copies), fmt.Sprintf("restored-%d", p.copies)
	info, err := p.engine.Snapshot(context.Background(), copied)
	if err != nil {
		p.Fatalf("op %d: snapshot: %v", p.op, err)
	}
	events := uint64(0)
	for _, s := range p.model.sites {
		events += uint64(len(s.events))
	}
	if info.Events != events {
		p.Errorf("op %d: snapshot of %d events, want %d", p.op, info.Events, events)
	}
	if err := store.Restore(p.fs, copied, restored, nil); err != nil {
		p.Fatalf("op %d: restore: %v", p.op, err)
	}
	report, err := check.Store(context.Background(), p.fs, restored)
	if err != nil || len(report.Problems) > 0 {
		p.Fatalf("op %d: check of the restored snapshot: %v %v", p.op, err, report.Problems)
	}
	e, err := engine.Open(p.options(p.fs, restored))
	if err != nil {
		p.Fatalf("op %d: open the restored snapshot: %v", p.op, err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			p.Errorf("op %d: close the restored snapshot: %v", p.op, err)
		}
		if err := p.fs.RemoveAll(restored); err != nil {
			p.Errorf("op %d: remove the restored snapshot: %v", p.op, err)
		}
		if err := p.fs.RemoveAll(copied); err != nil {
			p.Errorf("op %d: remove the snapshot: %v", p.op, err)
		}
	}()
	for _, site := range p.sites {
		got, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			p.Fatalf("op %d: list the restored snapshot: %v", p.op, err)
		}
		want := p.model.of(&site.Site).living()
		if len(got) != len(want) {
			p.Fatalf("op %d: restored %s has %d events, want %d", p.op, site.Name, len(got), len(want))
		}
		for i := range want {
			a, b := *p.onItsDay(got[i]), *want[i]
			a.ID, b.ID = "", "" // a restored store may have other ids
			if a, b := show(&a), show(&b); a != b {
				p.Fatalf("op %d: restored event %d of %s:\n got %s\nwant %s", p.op, i+1, site.Name, a, b)
			}
		}
	}
	p.sameCounters(e, p.counterQuery(p.model))
}

// walk reads all pages of a listing.
func walk(e engine.API, q query.Query) ([]*event.Event, error) {
	var out []*event.Event
	for {
		page, err := e.List(context.Background(), q)
		if err != nil {
			return out, err
		}
		out = append(out, page.Events...)
		if page.Next == "" {
			return out, nil
		}
		if page.Next == q.After {
			return out, fmt.Errorf("page after %s leads to itself", q.After)
		}
		q.After = page.Next
	}
}

func copyRecords(records []engine.Record) []engine.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Record = copyRecord(out[i].Record)
	}
	return out
}

func seqs(events []*event.Event) []uint64 {
	var out []uint64
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

// show writes everything in an event that the rules determine, in a fixed form. It leaves out
// the person's ordinal, which a later alias may replace, and the settings and caps of counting,
// which counters show.
func show(e *event.Event) string {
	c := *e
	c.PersonOrd, c.NotCounted, c.Cut, c.Capped, c.CappedByProperty, c.CappedNames = 0, nil, nil, nil, false, nil
	object := func(o event.Object) event.Object {
		if len(o) == 0 {
			return nil
		}
		o = slices.Clone(o)
		slices.SortFunc(o, func(a, b event.Member) int { return cmp.Compare(a.Key, b.Key) })
		for i, m := range o {
			if m.Value.Kind == event.JSON { // the order of its keys does not matter
				text, err := json.Marshal(decodeJSON(m.Value.Text))
				if err != nil {
					panic(err)
				}
				o[i].Value.Text = string(text)
			}
		}
		return o
	}
	c.Properties, c.Context, c.Extra = object(c.Properties), object(c.Context), object(c.Extra)
	c.Increments = slices.Clone(c.Increments)
	slices.SortFunc(c.Increments, func(a, b event.Amount) int { return cmp.Compare(a.Property, b.Property) })
	v := reflect.ValueOf(c)
	s := ""
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() && !(f.Kind() == reflect.Slice && f.Len() == 0) {
			s += fmt.Sprintf("%s=%+v ", v.Type().Field(i).Name, f.Interface())
		}
	}
	return s
}

func showObject(o event.Object) string { return show(&event.Event{Properties: o}) }

func showQuery(q query.Query) string {
	return fmt.Sprintf("{site=%s where=%q from=%d to=%d ascending=%t limit=%d after=%s skip=%d}", q.Site.Name, q.Where, q.From, q.To, q.Ascending, q.Limit, q.After, q.Skip)
}

func showCounterQuery(q query.CounterQuery) string {
	name := q.Site.Name
	q.Site = nil
	return fmt.Sprintf("of %s %+v", name, q)
}

// showUser puts all ids of a person into one set: the rules do not say whether an id that was
// both is an alias or anonymous.
func showUser(u query.User) string {
	ids := map[string]struct{}{}
	for _, list := range [][]string{{u.ID}, u.Aliases, u.Anonymous} {
		for _, id := range list {
			ids[id] = struct{}{}
		}
	}
	return fmt.Sprintf("%s ids=%v groups=%v first=%d last=%d events=%d sessions=%d cursor=%s %s", u.ID, sorted(ids), sortedCopy(u.Groups),
		u.FirstSeen, u.LastSeen, u.Events, u.Sessions, u.Cursor, showObject(u.Properties))
}

func showSession(s query.Session) string {
	if s.Dialect != event.Matomo {
		s.Campaign = "" // the model knows campaigns of visits only
	}
	properties := slices.SortedFunc(slices.Values(s.Properties), func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	return fmt.Sprintf("%s %s %d..%d +%d %s events=%d actions=%d bounce=%t groups=%v cursor=%s %s", s.ID, s.Dialect, s.Start, s.End, s.Beyond, s.Campaign, s.Events, s.Actions, s.Bounce, sortedCopy(s.Groups), s.Cursor, event.AppendObject(nil, properties))
}

func sortedCopy(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
