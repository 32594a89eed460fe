// What happens now: the engine and the model agree at any moment.

package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestLive(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			live(t, seed+1)
		})
	}
}

func live(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.open()
	defer p.closeIfOpen()
	rows := uint64(0)
	for p.op = 1; p.op <= 30 && !t.Failed(); p.op++ {
		for range 1 + p.IntN(4) {
			p.tick()
			records := p.stories()
			for i := range records {
				if p.chance(2) {
					records[i].Event.Time = p.now.UnixMilli() - p.Int64N(40*60_000) // near each other
				}
			}
			p.ingestRecords(records)
		}
		if p.chance(4) {
			p.delete()
		}
		if p.chance(10) {
			p.reopen()
		}
		q := &query.Live{Report: p.report()}
		q.Span = query.Span{}
		s := p.model.of(q.Site)
		if n := len(s.events); n > 0 {
			q.Now = s.events[max(0, n-1-p.skewed(40))].Time + p.Int64N(10*60_000)
		}
		want := s.live(q)
		rows += want.Total.Events
		got, err := p.engine.Live(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if tag := got.Tag; tag == "" || got.Time != q.Now {
			t.Errorf("as of %+v", got.AsOf)
		}
		got.AsOf = query.AsOf{}
		p.same("live", q, got, want, nil)
		// An answer of some seconds ago will do for whoever says so, and for nobody else.
		later := *q
		later.Now += 5000
		later.MaxAge = 10 * time.Second
		if old, err := p.engine.Live(t.Context(), &later); err != nil || old.Time != q.Now || old.Start != got.Start || old.Total != got.Total {
			t.Errorf("max_age: %+v, %v", old, err)
		}
		later.MaxAge = 0
		want = s.live(&later)
		if got, err = p.engine.Live(t.Context(), &later); err != nil {
			t.Fatal(err)
		}
		got.AsOf = query.AsOf{}
		p.same("live, later", &later, got, want, nil)
	}
	if rows < 100 {
		t.Errorf("only %d rows were live", rows)
	}
}

// live is the model's answer.
func (s *modelSite) live(q *query.Live) *query.LiveAnswer {
	a := &query.LiveAnswer{Start: time.UnixMilli(q.Now).UTC().Truncate(time.Minute).Add(-29 * time.Minute).UnixMilli()}
	people := s.persons()
	seen := map[string]map[*person]bool{}
	visitor := func(e *event.Event, in string, n *uint64) {
		who := people.of[e.Seq-1]
		if who == nil || seen[in][who] {
			return
		}
		if seen[in] == nil {
			seen[in] = map[*person]bool{}
		}
		seen[in][who] = true
		*n++
	}
	type row struct {
		first *event.Event // with this text
		query.LiveRow
	}
	tables := [4]map[string]*row{{}, {}, {}, {}}
	report := q.Report
	report.Span = query.Span{From: a.Start, To: q.Now + 1}
	satisfied, _ := s.rowsOf(&report)
	for _, e := range s.living() {
		if !satisfied(e) {
			continue
		}
		minute := &a.Minutes[(e.Time-a.Start)/60_000]
		for name, n := range map[string]*query.LiveNumbers{"all": &a.Total, fmt.Sprint(e.Time / 60_000): minute} {
			n.Events++
			if isPageView(e) {
				n.Views++
			}
			visitor(e, name, &n.Visitors)
		}
		if e.Time <= q.Now-5*60_000 {
			continue
		}
		visitor(e, "now", &a.Visitors)
		for i, field := range []string{"page", "source", "country", "name"} {
			if i == 0 && !isPageView(e) || i == 3 && isPageView(e) || people.of[e.Seq-1] == nil {
				continue
			}
			values, _ := s.valuesOf(e, field)
			for _, text := range values {
				if text == "" {
					continue
				}
				key := text
				if field == "source" {
					key = strings.ToLower(text)
				}
				r := tables[i][key]
				if r == nil {
					r = &row{first: e, LiveRow: query.LiveRow{Value: text}}
					tables[i][key] = r
				}
				if e.Time < r.first.Time || e.Time == r.first.Time && e.Seq < r.first.Seq {
					r.first, r.Value = e, text
				}
				visitor(e, field+" "+key, &r.Visitors)
			}
		}
	}
	for i, to := range []*[]query.LiveRow{&a.Pages, &a.Sources, &a.Countries, &a.Names} {
		*to = []query.LiveRow{}
		for _, r := range tables[i] {
			*to = append(*to, r.LiveRow)
		}
		slices.SortFunc(*to, func(a, b query.LiveRow) int {
			return cmp.Or(cmp.Compare(b.Visitors, a.Visitors), strings.Compare(a.Value, b.Value))
		})
		*to = (*to)[:min(len(*to), 10)]
	}
	return a
}

// The minutes begin on the clock, five minutes are 300 s to the millisecond, and a row ahead of
// now is not in it.
func TestLiveEdges(t *testing.T) {
	e, _, site := openSaved(t, vfs.NewMem())
	defer e.Close()
	blog := &engine.Site{Site: query.Site{ID: 2, Name: "blog"}}
	const minute = 60_000
	now := int64(1_790_000_000_000)
	now -= now%minute - 30_000
	start := now - 30_000 - 29*minute
	for i, at := range []int64{start - 1, start, now - 5*minute, now - 5*minute + 1, now, now + 1} {
		ev := event.Event{Dialect: event.Native, Type: event.Page, Name: fmt.Sprint(i), Time: at, Anonymous: fmt.Sprint("v", i)}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: blog, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, err := e.Live(t.Context(), &query.Live{Report: query.Report{Site: &blog.Site, Now: now}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Start != start || a.Visitors != 2 || a.Total != (query.LiveNumbers{Events: 4, Views: 4, Visitors: 4}) || a.Minutes[0].Events != 1 || a.Minutes[29].Events != 1 {
		t.Errorf("%+v", a)
	}
	if want := []query.LiveRow{{Value: "3", Visitors: 1}, {Value: "4", Visitors: 1}}; !slices.Equal(a.Pages, want) || len(a.Names) > 0 {
		t.Errorf("pages %+v, names %+v", a.Pages, a.Names)
	}
	if a, err = e.Live(t.Context(), &query.Live{Report: query.Report{Site: site, Now: now}}); err != nil || a.Total != (query.LiveNumbers{}) {
		t.Errorf("another site: %+v, %v", a, err)
	}
}
