// Bounds of counting: the same part of an event is counted in memory, sealed, merged, by
// check and by the model.

package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// boundsPair is an engine and a model that store the same events.
type boundsPair struct {
	*testing.T
	fs      vfs.FS
	options engine.Options
	e       *engine.Engine
	m       *model
	site    *engine.Site
}

func newBoundsPair(t *testing.T, sealRows int) *boundsPair {
	now := func() time.Time { return epoch }
	p := &boundsPair{T: t, fs: vfs.NewMem(), m: newModel(now), site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}, Uncounted: []string{"zz1.c"}}}
	p.options = engine.Options{Dir: "data", FS: p.fs, Sites: engine.SitesOf(p.site), Reserve: -1, SealRows: sealRows, MergeRuns: 2, Now: now,
		QueryTime: time.Minute} // on a busy machine, with the race detector, ten seconds are too little
	p.reopen()
	t.Cleanup(func() { _ = p.e.Close() })
	return p
}

func (p *boundsPair) send(properties ...event.Object) {
	p.Helper()
	var records []engine.Record
	for _, o := range properties {
		records = append(records, engine.Record{Site: p.site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Properties: o, Time: epoch.UnixMilli()}}})
	}
	if _, err := p.e.Ingest(p.Context(), copyRecords(records), true, nil); err != nil {
		p.Fatal(err)
	}
	_, _ = p.m.Ingest(p.Context(), records, true, nil)
}

// reopen closes the engine, if there is one, checks its store, and opens it again.
func (p *boundsPair) reopen() {
	p.Helper()
	if p.e != nil {
		if err := p.e.Close(); err != nil {
			p.Fatal(err)
		}
		if report, err := check.Store(p.Context(), p.fs, "data"); err != nil || len(report.Problems) > 0 {
			p.Fatalf("check: %v, %.2000q", err, report.Problems)
		}
	}
	var err error
	if p.e, err = engine.Open(p.options); err != nil {
		p.Fatal(err)
	}
}

func (p *boundsPair) compare(when string, properties ...string) {
	p.Helper()
	for _, property := range properties {
		p.same(when, query.CounterQuery{Property: property})
	}
}

// same compares the answers of engine and model to counter queries of the site.
func (p *boundsPair) same(when string, queries ...query.CounterQuery) {
	p.Helper()
	for _, q := range queries {
		q.Site, q.Sort, q.Limit = &p.site.Site, "value", 10_000
		want, _ := p.m.Counters(p.Context(), q)
		want.Rows = want.Rows[:min(len(want.Rows), q.Limit)]
		got, err := p.e.Counters(p.Context(), q)
		if err != nil || got.Total != want.Total || got.Count != want.Count || !slices.Equal(got.Rows, want.Rows) {
			at := 0
			for at < min(len(got.Rows), len(want.Rows)) && got.Rows[at] == want.Rows[at] {
				at++
			}
			p.Errorf("%s: %.40q by %q in %v has %d rows, total %+v, %v; want %d, %+v; they differ at %d: %+v, want %+v", when, q.Property, q.Segment, q.Where,
				len(got.Rows), got.Total, err, len(want.Rows), want.Total, at, got.Rows[at:min(at+1, len(got.Rows))], want.Rows[at:min(at+1, len(want.Rows))])
		}
	}
}

func TestBoundsOfCounting(t *testing.T) {
	p := newBoundsPair(t, 40)
	numbers := func(n int) string {
		return "[" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(make([]int, n))), ","), "[]") + "]"
	}
	distinct := func(from, n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprint(from+i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	long := strings.Repeat("k", 130)
	deep := fmt.Sprintf(`{"%[1]s":{"%[1]s":{"%[1]s":{"%[1]s":{"%[1]s":{"%[1]s":{"%[1]s":{"a":1,"%[1]s":2}}}}}},"b":3}}`, long)
	properties := []string{"", "name", "aa", "w0001", "w1200", "zz0", "zz1", "zz1.b", "zz1.c", "zz2", "zz3." + long + ".b", "zz4"}
	for round := range 3 {
		for part := range 5 { // so many keys that the last ones have no column
			var wide event.Object
			for i := range 250 {
				wide = append(wide, event.Member{Key: fmt.Sprintf("w%04d", part*250+i), Value: event.Num(fmt.Sprint(round))})
			}
			p.send(wide)
		}
		for i := range 12 {
			p.send(
				event.Object{{Key: "zz0", Value: event.Raw(distinct(i, 998))}, {Key: "zz1", Value: event.Raw(`["x",{"b":1,"c":2},"y"]`)}, {Key: "zz2", Value: event.Str("beyond")}, {Key: "aa", Value: event.Str("first")}},
				event.Object{{Key: "zz4", Value: event.Str("end")}, {Key: "zz3", Value: event.Raw(deep)}, {Key: "w0001", Value: event.Raw(numbers(1001))}, {Key: "name", Value: event.Raw(`["n"]`)}},
				event.Object{{Key: "zz3", Value: event.Raw(deep)}, {Key: "zz4", Value: event.Str("end")}, {Key: "zz1", Value: event.Raw(distinct(i, 3))}},
			)
		}
		when := fmt.Sprint("round ", round)
		p.compare(when, properties...)
		found, err := p.e.Count(t.Context(), query.Query{Site: &p.site.Site, Where: []query.Cond{{Field: "prop.zz2", Values: []string{"beyond"}}}})
		if err != nil || found.Events != uint64(12*(round+1)) {
			t.Errorf("%s: an uncounted value is found in %d events, %v", when, found.Events, err)
		}
		p.reopen()
		p.compare(when+", reopened", properties...)
	}
	if s := p.e.Stats(); s.Runs == 0 {
		t.Error("nothing was sealed")
	}
}

// An event whose properties alternate names each property only once among its capped values.
// A property of which all values are over the cap is marked as a whole.
func TestCappedByProperty(t *testing.T) {
	p := newBoundsPair(t, 8)
	pairs := func(from, n int) event.Object {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"a":%d,"b":"%d"}`, from+i, (from+i)%15_000)
		}
		return event.Object{{Key: "p", Value: event.Raw("[" + b.String()[1:] + "]")}, {Key: "q", Value: event.Num(fmt.Sprint(from))}}
	}
	for from := 0; from < valuesPerDay+1000; from += 500 {
		p.send(pairs(from, 500))
	}
	p.send(pairs(9_990, 20), pairs(20_000, 300), pairs(14_900, 200), pairs(29_990, 20), pairs(0, 3))
	p.compare("at once", "", "p.a", "p.b", "q")
	p.reopen()
	p.compare("reopened", "", "p.a", "p.b", "q")
	p.send(pairs(9_990, 20), pairs(40_000, 300))
	p.compare("and going on", "", "p.a", "p.b", "q")
	p.reopen()
}
