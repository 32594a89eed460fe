// Digests and series of counters, compared with the model.

package engine_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// Digest reads all events. Of two values with the same time, the one received later wins.
func (m *model) Digest(_ context.Context, q query.Query) (query.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(q.Site)
	events := s.selected(q)
	var d query.Digest
	t := newTotalsCounter()
	for _, e := range events {
		t.add(1, s.persons().of[e.Seq-1], e.SessionOrd)
	}
	d.Totals = t.totals()
	slices.SortStableFunc(events, func(a, b *event.Event) int { return cmp.Compare(a.Time, b.Time) })
	properties, keys := map[string]event.Value{}, map[string]event.Value{}
	for _, e := range events {
		if e.Name != "" {
			d.Name = e.Name
		}
		for _, member := range e.Properties {
			properties[member.Key] = member.Value
		}
		for _, member := range e.Context {
			keys[member.Key] = member.Value
		}
	}
	if len(events) > 0 {
		d.First, d.Last = events[0].Time, events[len(events)-1].Time
	}
	d.Properties, d.Context = sortedObject(properties), sortedObject(keys)
	return d, nil
}

func sortedObject(m map[string]event.Value) event.Object {
	var o event.Object
	for _, key := range slices.Sorted(maps.Keys(m)) {
		o = append(o, event.Member{Key: key, Value: m[key]})
	}
	return o
}

func (p *pair) digest() {
	q := query.Query{Site: &p.site().Site}
	switch p.IntN(3) {
	case 0:
		q.Where = []query.Cond{{Field: "user", Values: []string{pick(p.generator, p.user(), p.anonymous())}}}
	case 1:
		q.Where = p.where(p.model, q.Site)
	default:
		q.From, q.To = p.span()
	}
	want, _ := p.model.Digest(context.Background(), q)
	got, err := p.engine.Digest(context.Background(), q)
	if err != nil || got.Totals != want.Totals || got.First != want.First || got.Last != want.Last || got.Name != want.Name ||
		showObject(got.Properties) != showObject(want.Properties) || showObject(got.Context) != showObject(want.Context) {
		p.Errorf("op %d: digest %s:\n got %+v, %v\nwant %+v", p.op, showQuery(q), got, err, want)
	}
}

// counterSeries compares each step of a series with the counters of its time.
func (p *pair) counterSeries() {
	q := p.counterQuery(p.model)
	if q.Property == "" {
		return
	}
	q.Limit, q.Sort = 10_000, ""
	q.Interval = pick(p.generator, "day", "hour", "week", "month")
	q.FromDay, q.ToDay, q.From, q.To = 0, 0, 0, 0
	today := dayOf(p.now.UnixMilli(), q.Site.Location)
	if q.Interval == "hour" || p.chance(3) {
		q.Zone = pick(p.generator, newYork, time.UTC)
		q.From = p.now.UnixMilli() - p.Int64N(3*dayMillis)
		q.To = q.From + 1 + p.Int64N(4*dayMillis)
	} else {
		q.FromDay = today - int32(p.IntN(9))
		q.ToDay = q.FromDay + int32(p.IntN(12))
		if p.chance(4) {
			q.FromDay = 0 // from the first day that has events
		}
	}
	page, err := p.engine.Counters(context.Background(), q)
	if err != nil {
		p.Fatalf("op %d: series of counters %s: %v", p.op, showCounterQuery(q), err)
	}
	whole := q
	whole.Interval, whole.Zone = "", nil
	want, _ := p.model.Counters(context.Background(), whole)
	page.Total.Value, want.Total.Value, want.Total.Values = "", "", 0
	if page.Total != want.Total {
		p.Errorf("op %d: series of counters %s: total %+v, want %+v", p.op, showCounterQuery(q), page.Total, want.Total)
	}
	if page.Count > len(page.Rows) {
		return // the series is longer than a page
	}
	byTime := map[int64][]query.CounterRow{}
	for _, r := range page.Rows {
		at := r.Time
		r.Time = 0
		byTime[at] = append(byTime[at], r)
	}
	zone := q.Zone
	if zone == nil {
		zone = q.Site.Location
	}
	if zone == nil {
		zone = time.UTC
	}
	for start, rows := range byTime {
		if len(rows) != len(want.Rows) {
			p.Errorf("op %d: series of counters %s: %d rows at %d, want each of %d values", p.op, showCounterQuery(q), len(rows), start, len(want.Rows))
		}
		next := nextStep(time.UnixMilli(start).In(zone), q.Interval)
		step := whole
		if q.Zone == nil {
			step.FromDay, step.ToDay = max(dayOf(start, zone), q.FromDay), min(dayOf(next.UnixMilli(), zone)-1, q.ToDay)
		} else {
			step.From, step.To = max(start, q.From), min(next.UnixMilli(), q.To)
		}
		in, _ := p.model.Counters(context.Background(), step)
		rows = slices.DeleteFunc(rows, func(r query.CounterRow) bool {
			return r.Events == 0 && r.Users == 0 && r.Sessions == 0 && !slices.Contains(in.Rows, r)
		})
		if extra, missing := without(rows, in.Rows), without(in.Rows, rows); len(extra)+len(missing) > 0 {
			p.Errorf("op %d: series of counters %s: from %s: too much %+v, too little %+v", p.op, showCounterQuery(q), time.UnixMilli(start).In(zone), extra, missing)
		}
	}
}

const dayMillis = 24 * 60 * 60 * 1000

func nextStep(t time.Time, interval string) time.Time {
	y, m, d := t.Date()
	switch interval {
	case "hour":
		return t.Add(time.Hour)
	case "week":
		return midnight(y, m, d+7, t.Location())
	case "month":
		return midnight(y, m+1, 1, t.Location())
	}
	return midnight(y, m, d+1, t.Location())
}

// A series has every step and every value, including zeros. Pages are parts of it. A series of
// too many steps is an error.
func TestCounterSeries(t *testing.T) {
	v := newVisitors(t, 2)
	v.site.Location = newYork
	for _, e := range []struct {
		hours int
		value string
		by    int64
	}{{-72, "a", 1}, {-72, "b", -4}, {-24, "a", 10}, {0, "c", 1}} {
		v.hit(event.Event{
			Time: v.now().Add(time.Duration(e.hours) * time.Hour).UnixMilli(), User: "u",
			Properties: event.Object{{Key: "k", Value: event.Str(e.value)}}, Increments: []event.Amount{{Property: "k", By: e.by}},
		})
	}
	q := query.CounterQuery{Site: &v.site.Site, Property: "k", Interval: "day", Limit: 100}
	day := func(n int) int64 { return time.Date(2026, 3, 2+n, 0, 0, 0, 0, newYork).UnixMilli() }
	want := []query.CounterRow{
		{Time: day(0), Value: "a", Events: 1, Users: 1, Sessions: 1}, {Time: day(0), Value: "c"}, {Time: day(0), Value: "b", Events: -4, Users: 1, Sessions: 1},
		{Time: day(1), Value: "a"}, {Time: day(1), Value: "b"}, {Time: day(1), Value: "c"},
		{Time: day(2), Value: "a", Events: 10, Users: 1, Sessions: 1}, {Time: day(2), Value: "b"}, {Time: day(2), Value: "c"},
		{Time: day(3), Value: "c", Events: 1, Users: 1, Sessions: 1}, {Time: day(3), Value: "a"}, {Time: day(3), Value: "b"},
	}
	page, err := v.engine.Counters(t.Context(), q)
	if err != nil || !slices.Equal(page.Rows, want) || page.Count != len(want) || page.More || page.Total != (query.CounterRow{Events: 8, Users: 1, Sessions: 3}) {
		t.Errorf("%+v %v", page, err)
	}
	for offset := range len(want) + 2 {
		for limit := 1; limit < 5; limit++ {
			q.Offset, q.Limit = offset, limit
			page, err := v.engine.Counters(t.Context(), q)
			from, to := min(offset, len(want)), min(offset+limit, len(want))
			if err != nil || !slices.Equal(page.Rows, want[from:to]) || page.More != (to < len(want)) || page.Count != len(want) {
				t.Errorf("from %d, %d rows: %+v %v", offset, limit, page, err)
			}
		}
	}
	for name, bad := range map[string]query.CounterQuery{
		"no interval":    {Property: "k", Interval: "fortnight"},
		"no property":    {Interval: "day"},
		"too many days":  {Property: "k", Interval: "day", FromDay: 1, ToDay: 1001},
		"too many hours": {Property: "k", Interval: "hour", From: 1, To: 3600*1000*1001 + 1},
		"ages":           {Property: "k", Interval: "month", FromDay: 1, ToDay: 2_932_896},
	} {
		bad.Site = &v.site.Site
		if _, err := v.engine.Counters(t.Context(), bad); !errors.Is(err, query.ErrBadQuery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without a lower bound, a series begins with the first day that has events.
	q.Offset, q.Limit, q.FromDay, q.ToDay = 0, 100, 0, int32(day(4)/86_400_000)
	if page, err := v.engine.Counters(t.Context(), q); err != nil || !slices.Equal(page.Rows[:len(want)], want) || page.Count != len(want)+3 {
		t.Errorf("until a day: %+v %v", page, err)
	}
	q.ToDay = int32(day(2) / 86_400_000)
	if page, err := v.engine.Counters(t.Context(), q); err != nil || page.Count != 2*3 || page.Rows[0].Time != day(0) || page.Total.Events != 7 {
		t.Errorf("until an earlier day: %+v %v", page, err)
	}
	// A range without events has no rows.
	if page, err := v.engine.Counters(t.Context(), query.CounterQuery{Site: &v.site.Site, Property: "zzz", Interval: "day"}); err != nil || page.Count != 0 || len(page.Rows) != 0 {
		t.Errorf("%+v %v", page, err)
	}
}
