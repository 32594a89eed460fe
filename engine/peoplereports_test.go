// Funnels, retention and paths of random events: the engine and the model give the same answers,
// whatever has been sealed, merged or opened anew.

package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

func TestPeopleReports(t *testing.T) {
	for seed := range seedsOf(3, 6) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			peopleReports(t, seed+1)
		})
	}
}

func peopleReports(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.tuples = []int{0, 32, 128}[seed%3] // with few of them reports need several passes
	p.open()
	defer p.closeIfOpen()
	for p.op = 1; p.op <= 30 && !t.Failed(); p.op++ {
		for range 1 + p.IntN(6) {
			p.tick()
			if p.chance(8) {
				p.now = p.now.Add(time.Duration(p.IntN(60)) * time.Hour)
				p.clock.set(p.now)
			}
			p.ingestRecords(p.stories())
		}
		if p.chance(4) {
			p.delete()
		}
		if p.chance(10) {
			p.reopen()
		}
		if p.chance(8) {
			p.moveZone()
		}
		p.funnel()
		p.retention()
		p.paths()
	}
	if p.refused*2 > p.asked {
		t.Errorf("%d of %d reports were refused", p.refused, p.asked)
	}
}

// stories makes records of visits: pages with paths, orders and carts, some at equal times.
func (p *pair) stories() []engine.Record {
	records := p.batch(30)
	for i := range records {
		e := &records[i].Event
		if e.User == "" && e.Anonymous != "" {
			e.Anonymous = fmt.Sprint("b", p.IntN(300))
		}
		switch {
		case e.Type == event.Page && p.chance(2), e.Type == event.Screen && p.chance(2):
			e.Context.Set("path", event.Str(pick(p.generator, "/a", "/b", "/b/1", "/b/2", "/")))
		case e.Type == event.Goal && p.chance(2):
			e.Type = pick(p.generator, event.Order, event.Cart, event.Search)
		}
		if records[i].Hit == nil && p.chance(2) { // another campaign begins another visit of Matomo's
			e.Context.Set("utm_campaign", event.Str(pick(p.generator, "Spring", "spring", "SPRING", "Fall", "fall")))
		}
		if e.Time != 0 && p.chance(2) {
			e.Time -= e.Time % 60_000 // equal times
		}
	}
	return records
}

// conds makes conditions that many events satisfy.
func (p *pair) conds() []query.Cond {
	c := query.Cond{Field: "type", Values: []string{string(pick(p.generator, event.Track, event.Page, event.Identify, event.Order, event.Goal))}}
	switch p.IntN(4) {
	case 0:
		c = query.Cond{Field: "name", Values: []string{p.name(), p.name()}}
	case 1:
		c.Values = append(c.Values, string(pick(p.generator, event.Types...)))
	case 2:
		c.Op = query.OpNot
	}
	return []query.Cond{c}
}

func (p *pair) report() query.Report {
	r := query.Report{Site: &p.site().Site, Now: p.now.UnixMilli()}
	if p.chance(3) {
		r.Where = p.conds()
	}
	if p.chance(4) {
		c := query.Cond{Field: pick(p.generator, "type", "country", "name"), Visit: true}
		c.Values = []string{p.operand(c.Field, p.model, r.Site), p.operand(c.Field, p.model, r.Site)}
		if p.chance(2) {
			c.Op = query.OpNot
		}
		r.Where = append(r.Where, c)
	}
	r.To = p.now.UnixMilli() + p.Int64N(3*24*3600*1000) - 24*3600*1000
	r.From = r.To - p.Int64N(int64(pick(p.generator, 20, 3, 60))*24*3600*1000)
	if p.chance(3) {
		r.From -= r.From % 60_000
	}
	return r
}

func (p *pair) funnel() {
	q := &query.Funnel{Report: p.report(), Mode: pick(p.generator, query.FunnelOrdered, query.FunnelStrict, query.FunnelAny, ""), Visits: p.chance(3), Limit: 1 + p.skewed(5)}
	for range 2 + p.skewed(4) {
		q.Step = append(q.Step, p.conds())
	}
	if p.chance(2) {
		q.Window = 1 + p.Int64N(int64(pick(p.generator, 600, 36000, 10))*1000)
	}
	if p.chance(2) {
		q.Split = pick(p.generator, "prop.plan", "country", "type", "campaign", "visit.country", "visit.entry", "region", "visit.region", "hour")
	}
	if p.chance(2) {
		for at := q.From - 1000; at < q.To && len(q.Report.Steps) < 50; at += 24 * 3600 * 1000 {
			q.Report.Steps = append(q.Report.Steps, at)
		}
	}
	want := p.model.Funnel(q)
	got, _, err := p.engine.Funnel(p.Context(), q)
	p.same("funnel", q, got, want, err)

	e := &query.FunnelEntities{Funnel: *q, At: 1 + p.IntN(len(q.Step)), EntityPage: query.EntityPage{Limit: pick(p.generator, 1000, 1, 3)}}
	e.Dropped = e.At < len(q.Step) && p.chance(2)
	p.sameIDs("funnel/entities", e, p.model.FunnelEntities(e), func(after string) (*query.Entities, error) {
		e.EntityPage.After = after
		got, _, err := p.engine.FunnelEntities(p.Context(), e)
		return got, err
	})
	if !e.Dropped && uint64(len(p.model.FunnelEntities(e))) != want.Steps[e.At-1].Count {
		p.Errorf("op %d: the model counts %d and lists others: %s", p.op, want.Steps[e.At-1].Count, showReport(e))
	}
	if err == nil && q.Split != "" { // a split sums up to the whole
		for i := range got.Steps {
			n := uint64(0)
			for _, row := range got.Split {
				n += row.Steps[i].Count
			}
			if n != got.Steps[i].Count {
				p.Errorf("op %d: step %d of the split has %d, not %d: %s", p.op, i, n, got.Steps[i].Count, showReport(q))
			}
		}
	}
}

func (p *pair) retention() {
	q := &query.Retention{Report: p.report(), Period: pick(p.generator, "day", "week", "month"), Cohort: pick(p.generator, query.CohortFirst, query.CohortRange, query.CohortEach, ""), After: p.chance(3)}
	q.From = max(q.From, q.To-55*24*3600*1000)
	if first := q.Cohort == "" || q.Cohort == query.CohortFirst; first {
		q.Where = slices.DeleteFunc(q.Where, func(c query.Cond) bool { return c.Visit })
		if len(q.Where) == 0 {
			q.Where = nil
		}
	}
	if p.chance(2) {
		q.Start = p.conds()
	}
	if p.chance(2) {
		q.Return = p.conds()
	}
	want := p.model.Retention(q)
	got, _, err := p.engine.Retention(p.Context(), q)
	p.same("retention", q, got, want, err)
	if len(want.Cohorts) == 0 {
		return
	}
	if q.Cohort == query.CohortFirst && q.Where == nil && q.Start == nil { // the sizes are the people first seen
		n := uint64(0)
		for _, c := range got.Cohorts {
			n += c.Size
		}
		first := 0
		for _, who := range p.model.of(q.Site).persons().inOrder {
			if q.Holds(who.events[0].Time) {
				first++
			}
		}
		if n != uint64(first) {
			p.Errorf("op %d: %d people were first seen, the cohorts have %d: %s", p.op, first, n, showReport(q))
		}
	}
	at := p.IntN(len(want.Cohorts))
	e := &query.RetentionEntities{Retention: *q, At: want.Cohorts[at].Period, Cell: p.IntN(len(want.Cohorts[at].Cells) + 1), EntityPage: query.EntityPage{Limit: pick(p.generator, 1000, 1, 3)}}
	p.sameIDs("retention/entities", e, p.model.RetentionEntities(e), func(after string) (*query.Entities, error) {
		e.EntityPage.After = after
		got, _, err := p.engine.RetentionEntities(p.Context(), e)
		return got, err
	})
}

func (p *pair) paths() {
	q := &query.Paths{Report: p.report(), Depth: 1 + p.skewed(query.PathsDepthMax), Of: pick(p.generator, query.PathsPages, query.PathsEvents, query.PathsBoth, ""), Each: p.chance(3), Limit: 1 + p.skewed(6), NoLinks: p.chance(8)}
	switch p.IntN(3) {
	case 0:
		q.Start = p.conds()
	case 1:
		q.End = p.conds()
	}
	if p.chance(2) {
		q.Fold = pick(p.generator, []string{"/b/*"}, []string{"/B/1", "/b/*", "b*"}, []string{"view"})
	}
	if p.chance(2) {
		for range 1 + p.skewed(q.Depth) {
			q.Then = append(q.Then, pick(p.generator, "/a", "/b", "view", "buy", "/b/*", "nowhere"))
		}
		q.Then = q.Then[:min(len(q.Then), q.Depth)]
	}
	want := p.model.Paths(q)
	got, _, err := p.engine.Paths(p.Context(), q)
	p.same("paths", q, got, want, err)
	if err != nil {
		return
	}
	all := got.Anchored
	for i, c := range got.Columns {
		n, then := c.Other+c.Stopped, uint64(0)
		for _, r := range c.Rows {
			n += r.Count
			if i < len(q.Then) && r.Label == q.Then[i] {
				then = r.Count
			}
		}
		if n != all {
			p.Errorf("op %d: column %d has %d, not %d: %s", p.op, i, n, all, showReport(q))
		}
		if all = n - c.Stopped; i < len(q.Then) {
			if all = then; then == 0 {
				return // among the others
			}
		}
	}
}

func (p *pair) same(what string, q, got, want any, err error) {
	p.Helper()
	p.asked++
	if p.tuples != 0 && errors.Is(err, query.ErrBadQuery) {
		p.refused++ // one person has more events than fit in memory
		return
	}
	if err != nil || showReport(got) != showReport(want) {
		p.Errorf("op %d: %s %s: %v\n got %s\nwant %s", p.op, what, showReport(q), err, showReport(got), showReport(want))
	}
}

// sameIDs reads all pages.
func (p *pair) sameIDs(what string, q any, want []string, page func(after string) (*query.Entities, error)) {
	p.Helper()
	var got []string
	for after := ""; ; {
		e, err := page(after)
		if p.tuples != 0 && errors.Is(err, query.ErrBadQuery) {
			return
		}
		if err != nil {
			p.Errorf("op %d: %s %s: %v", p.op, what, showReport(q), err)
			return
		}
		got = append(got, e.IDs...)
		if after = e.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		p.Errorf("op %d: %s %s:\n got %q\nwant %q", p.op, what, showReport(q), got, want)
	}
}

func showReport(v any) string { return fmt.Sprintf("%+v", v) }
