// Deletions: whatever is deleted, every answer is that of the model, which strikes the rows out
// and keeps all that was decided with them. Rows are in memory or sealed, and answers are kept
// from before.

package engine_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

func TestDeletions(t *testing.T) {
	for seed := range uint64(max(3, *metamorphicRuns/5)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			deletions(t, seed+1)
		})
	}
}

func deletions(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.sites = p.sites[:2]
	p.open()
	defer p.closeIfOpen()
	var counters []query.CounterQuery
	for p.op = 1; p.op <= 25 && !t.Failed(); p.op++ {
		for range 1 + p.IntN(4) {
			p.tick()
			if p.chance(8) {
				p.now = p.now.Add(time.Duration(p.IntN(60)) * time.Hour)
				p.clock.set(p.now)
			}
			p.ingestRecords(p.stories())
		}
		if p.chance(6) {
			p.reopen()
		}
		if p.chance(4) {
			p.moveZone()
			for i := range counters {
				if p.chance(2) { // the other questions are still about the days from before
					counters[i].Site = p.asItIs(counters[i].Site)
				}
			}
		}
		for range 4 {
			q := p.counterQuery(p.model)
			q.Segment, q.SegmentValues, q.Values, q.Where, q.Metrics = "", nil, nil, nil, query.MetricEvents // what totals answer
			counters = append(counters, q)
		}
		counters = append(counters, p.counterQuery(p.model))
		counters = counters[max(0, len(counters)-10):]
		ask := func() { // twice, so that answers are kept, and parts of them
			for range 2 {
				for _, q := range counters {
					p.sameMetrics(p.engine, q)
				}
			}
			p.facts()
		}
		ask()
		p.delete()
		ask()
		if seed%2 == 1 && p.chance(3) { // nothing is forgotten, as in no purge: see below
			p.makeBlanks()
			ask()
		}
		for _, question := range []func(){p.list, p.count, p.users, p.sessions, p.group, p.event, p.digest, p.visitReport, p.pageReport, p.retention, p.fields, p.breakdown} {
			if p.chance(2) {
				question()
			}
		}
	}
	if !t.Failed() {
		p.check(p.dir)
	}
	if t.Failed() || seed%2 == 1 {
		return
	}
	// When the rows are purged, all answers are as before.
	p.purge()
	for p.op = 100; p.op < 104 && !t.Failed(); p.op++ {
		for _, q := range counters {
			p.sameMetrics(p.engine, q)
		}
		p.facts()
		for _, question := range []func(){p.list, p.count, p.users, p.sessions, p.group, p.event, p.digest, p.visitReport, p.pageReport, p.retention, p.fields, p.breakdown} {
			question()
		}
		if p.op == 101 {
			p.reopen()
		}
	}
	if !t.Failed() {
		p.check(p.dir)
	}
}

// purge waits until all deletions are done, after the time by which they have to be.
func (p *pair) purge() {
	p.Helper()
	p.now = p.now.Add(366 * 24 * time.Hour)
	p.clock.set(p.now)
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	for _, site := range p.sites {
		all, err := p.engine.Deletions(ctx, &site.Site)
		if err != nil {
			p.Fatal(err)
		}
		for _, r := range all {
			if r, err := p.engine.WaitPurged(ctx, &site.Site, r.ID); err != nil {
				p.Fatalf("purge of %+v: %v", r, err)
			}
		}
	}
}

// facts compares what the rows of a site say of it, and between which times they lie.
func (p *pair) facts() {
	site := &p.site().Site
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	dialects := map[event.Dialect]bool{}
	for _, e := range p.model.of(site).living() {
		first, last = min(first, e.Time), max(last, e.Time)
		dialects[e.Dialect] = true
	}
	lo, hi, err := p.engine.Bounds(p.Context(), site)
	if err != nil || lo != first || hi != last {
		p.Errorf("op %d: bounds of %s: %d to %d, %v; want %d to %d", p.op, site.Name, lo, hi, err, first, last)
	}
	facts, err := p.engine.Facts(p.Context(), site)
	if err != nil || facts.First != first || facts.Last != last || len(facts.Dialects) != len(dialects) ||
		slices.ContainsFunc(facts.Dialects, func(d event.Dialect) bool { return !dialects[d] }) {
		p.Errorf("op %d: facts of %s: %+v, %v; want %d to %d of %v", p.op, site.Name, facts, err, first, last, dialects)
	}
}
