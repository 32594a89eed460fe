// The model's aggregates: all numbers of all events, sorted.

package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

// elementsOf returns the terms that an event has under a field, as often as it has them.
func elementsOf(e *event.Event, field string) (terms []string) {
	if field == "value" {
		return termsOf(e.Value)
	}
	prefix, path, _ := strings.Cut(field, ".")
	o := e.Properties
	if prefix == "extra" {
		o = e.Extra
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				walk(at+"."+k, inner)
			}
		case []any:
			for _, inner := range v {
				walk(at, inner)
			}
		default:
			if at != path {
				return
			}
			switch v := v.(type) {
			case string:
				terms = append(terms, termsOf(event.Str(v))...)
			case json.Number:
				terms = append(terms, termsOf(event.Num(v.String()))...)
			case bool:
				terms = append(terms, termsOf(event.Boolean(v))...)
			}
		}
	}
	for _, m := range o {
		if m.Value.Kind == event.JSON {
			walk(m.Key, decodeJSON(m.Value.Text))
		} else if m.Key == path {
			terms = append(terms, termsOf(m.Value)...)
		}
	}
	return terms
}

func rat(text string) *big.Rat {
	r, _ := new(big.Rat).SetString(text)
	return r
}

// numbersOf aggregates the numbers of some events.
func numbersOf(events []*event.Event, field string) (n query.Numbers) {
	var all []string
	for _, e := range events {
		terms := elementsOf(e, field)
		if len(terms) > 0 {
			n.Events++
		}
		for _, term := range terms {
			// A number is its own shortest decimal form.
			if !number.MatchString(term) || canon(term) != term || strings.ContainsAny(term, "eE") {
				n.NotNumbers++
				continue
			}
			all = append(all, term)
			n.Sum.Add(term)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return rat(a).Cmp(rat(b)) })
	if n.Count = uint64(len(all)); n.Count == 0 {
		return n
	}
	n.Min, n.Max = all[0], all[len(all)-1]
	for i, p := range query.Percentiles {
		for k := range all {
			if uint64(k+1)*100 >= p*n.Count {
				n.Percentiles[i] = all[k]
				break
			}
		}
	}
	n.Distinct = uint64(len(slices.Compact(all)))
	return n
}

// aggregate computes an aggregate whose table has every row.
func (s *modelSite) aggregate(q query.AggregateQuery) *query.AggregateAnswer {
	has := func(e *event.Event) bool { return len(elementsOf(e, q.Of)) > 0 }
	with := func(events []*event.Event) (some []*event.Event) {
		for _, e := range events {
			if has(e) {
				some = append(some, e)
			}
		}
		return some
	}
	steps := func(events []*event.Event) (steps []query.Numbers) {
		for i, start := range q.Steps {
			var some []*event.Event
			for _, e := range events {
				if (i == 0 || e.Time >= start) && (i+1 == len(q.Steps) || e.Time < q.Steps[i+1]) {
					some = append(some, e)
				}
			}
			steps = append(steps, numbersOf(some, q.Of))
		}
		return steps
	}
	var by []string
	if q.By != "" {
		by = append(by, q.By)
	}
	groups, all := s.groups(&q.Report, by)
	a := &query.AggregateAnswer{Total: numbersOf(all, q.Of)}
	if len(by) == 0 {
		a.Steps = steps(all)
		return a
	}
	for _, g := range groups {
		events := with(g.events)
		if len(events) == 0 {
			continue
		}
		row := query.AggregateRow{Numbers: numbersOf(events, q.Of), Steps: steps(events)}
		row.Value, row.In = g.values[0].textOf(q.By)
		a.Rows = append(a.Rows, row)
	}
	a.Count = len(a.Rows)
	return a
}

func sortAggregate(rows []query.AggregateRow) {
	slices.SortFunc(rows, func(a, b query.AggregateRow) int {
		return cmp.Or(compareModelTexts(a.Value, b.Value), strings.Compare(fmt.Sprint(a.In), fmt.Sprint(b.In)))
	})
}

// aggregate compares a random aggregate.
func (p *pair) aggregate() {
	visits := p.visitsQuery()
	q := query.AggregateQuery{Report: visits.Report, Of: pick(p.generator, "prop.amount", "value", "prop.deep.b", "prop.tags", "extra.currency"), Rows: query.Rows{Limit: query.CounterRowsMax}}
	q.Steps = nil
	if p.chance(2) {
		q.By = pick(p.generator, "name", "type", "country", "region", "page", "prop.plan", "prop.tags", "visit.region", "hour", "group")
		q.Rows.Sort = pick(p.generator, "", "count", "not_numbers", "sum", "avg", "min", "max", "p50", "p99", "distinct", "value")
	}
	if p.chance(3) {
		q.Steps, _ = calendar.BucketTimes(q.From, q.To, pick(p.generator, "week", "month"), q.Site.Location)
	}
	if p.chance(3) {
		q.Compare = &query.Span{From: 2*q.From - q.To, To: q.From}
	}
	show := func(a *query.AggregateAnswer) string {
		var b strings.Builder
		text := func(n query.Numbers) string {
			sum := "about" // the order of adding counts
			if n.Sum.Exact() {
				sum = string(n.Sum.Append(nil))
			}
			return fmt.Sprint(n.Events, " ", n.Count, " ", n.NotNumbers, " sum ", sum, " from ", n.Min, " to ", n.Max, " ", n.Percentiles, n.Distinct)
		}
		fmt.Fprintf(&b, "%s of %d, error %v:", text(a.Total), a.Count, a.Error)
		for _, n := range a.Steps {
			fmt.Fprintf(&b, "\n\tstep %s", text(n))
		}
		for _, r := range a.Rows {
			fmt.Fprintf(&b, "\n\t%v in %v %s", r.Value, r.In, text(r.Numbers))
			for _, n := range r.Steps {
				fmt.Fprintf(&b, "\n\t\tstep %s", text(n))
			}
		}
		return b.String()
	}
	want := p.model.of(q.Site).aggregate(q)
	got, err := p.engine.Aggregate(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: aggregate %+v: %v", p.op, q, err)
		return
	}
	sorted := *got
	sorted.Rows = slices.Clone(got.Rows)
	sortAggregate(sorted.Rows)
	sortAggregate(want.Rows)
	if g, w := show(&sorted), show(want); g != w {
		p.Errorf("op %d: aggregate of %s by %q of %+v where %v, rows %+v, steps %d:\n got %s\nwant %s", p.op, q.Of, q.By, q.Span, q.Where, q.Rows, len(q.Steps), g, w)
	}
	p.checkOrder(q, got.Rows)
	if q.Compare == nil {
		return
	}
	was := q
	was.Span, was.Steps, was.Compare = *q.Compare, nil, nil
	before := p.model.of(q.Site).aggregate(was)
	total := query.AggregateAnswer{Total: *got.Compared}
	if g, w := show(&total), show(&query.AggregateAnswer{Total: before.Total}); g != w {
		p.Errorf("op %d: aggregate before:\n got %s\nwant %s", p.op, g, w)
	}
	for _, r := range got.Rows {
		var n query.Numbers
		for _, o := range before.Rows {
			if o.Value == r.Value && slices.Equal(o.In, r.In) {
				n = o.Numbers
			}
		}
		if g, w := show(&query.AggregateAnswer{Total: *r.Was}), show(&query.AggregateAnswer{Total: n}); g != w {
			p.Errorf("op %d: aggregate by %s: %v was %s, want %s", p.op, q.By, r.Value, g, w)
		}
	}
}

// checkOrder checks that rows stand by the number that is asked for, those without one last.
func (p *pair) checkOrder(q query.AggregateQuery, rows []query.AggregateRow) {
	if q.By == "hour" || q.Rows.Sort == "value" {
		return
	}
	of := func(n *query.Numbers) *big.Rat {
		text := ""
		switch q.Rows.Sort {
		case "", "count":
			text = fmt.Sprint(n.Count)
		case "not_numbers":
			text = fmt.Sprint(n.NotNumbers)
		case "distinct":
			text = fmt.Sprint(n.Distinct)
		case "sum":
			text = string(n.Sum.Append(nil))
		case "avg":
			if n.Count == 0 {
				return nil
			}
			return new(big.Rat).Quo(rat(string(n.Sum.Append(nil))), rat(fmt.Sprint(n.Count)))
		case "min":
			text = n.Min
		case "max":
			text = n.Max
		case "p50":
			text = n.Percentiles[0]
		case "p99":
			text = n.Percentiles[3]
		}
		if text == "" {
			return nil
		}
		return rat(text)
	}
	for i := 1; i < len(rows); i++ {
		a, b := of(&rows[i-1].Numbers), of(&rows[i].Numbers)
		x, y := 0.0, 0.0
		if a != nil {
			x, _ = a.Float64()
		}
		if b != nil {
			y, _ = b.Float64()
		}
		if a == nil && b != nil || a != nil && b != nil && x < y {
			p.Errorf("op %d: aggregate by %s sorted by %s: %v before %v", p.op, q.By, q.Rows.Sort, a, b)
		}
	}
}
