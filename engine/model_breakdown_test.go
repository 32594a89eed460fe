// The model's breakdowns: rows are counted by the values of each event.

package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

// modelValue is a value of an event in a dimension.
type modelValue struct {
	key   string // what is compared
	shown string // "" = none
	at    *event.Event
}

// rowValues returns the function that finds the different values of an event, and what they lie
// in.
func (s *modelSite) rowValues(q *query.Report, name string) func(*event.Event) []modelValue {
	zone := q.Site.Location
	if zone == nil {
		zone = time.UTC
	}
	of, about := strings.CutPrefix(name, "visit.")
	if about || slices.Contains([]string{"entry", "exit", "new", "length", "depth"}, name) {
		visits := map[uint64]*seenVisit{}
		for _, v := range s.seenVisits(q.Site, q.Span) {
			visits[v.ord] = v
		}
		return func(e *event.Event) []modelValue {
			v := visits[e.SessionOrd]
			if v == nil {
				return []modelValue{{}}
			}
			text := v.value(of, zone)
			at := v.source
			if slices.Contains([]string{"campaign", "term"}, of) && v.named[0] != "" {
				at = v.views()[0]
			}
			if slices.Contains([]string{"source", "medium", "campaign", "term", "content"}, of) {
				return []modelValue{{strings.ToLower(text), text, at}}
			}
			return []modelValue{{text, text, nil}}
		}
	}
	return func(e *event.Event) (values []modelValue) {
		at := time.UnixMilli(e.Time).In(zone)
		weekday := strconv.Itoa((int(at.Weekday())+6)%7 + 1)
		var texts []string
		numbers := false
		switch name {
		case "weekday":
			texts = []string{weekday}
		case "hour":
			texts = []string{strconv.Itoa(at.Hour())}
		case "weekhour":
			texts = []string{fmt.Sprintf("%s-%02d", weekday, at.Hour())}
		case "region":
			if region := e.Context.Get("region").Text; region != "" {
				texts = []string{e.Context.Get("country").Text + "/" + region}
			}
		default:
			texts, numbers = s.valuesOf(e, name)
		}
		for _, text := range texts {
			v := modelValue{key: "." + text, shown: text}
			if slices.Contains([]string{"source", "medium", "campaign", "term", "content"}, name) {
				v.key, v.at = "."+strings.ToLower(text), e
			}
			if text == "" && !(numbers && strings.HasPrefix(name, "prop.")) || slices.ContainsFunc(values, func(w modelValue) bool { return w.key == v.key }) {
				continue
			}
			values = append(values, v)
		}
		if len(values) == 0 {
			values = []modelValue{{}}
		}
		return values
	}
}

// modelGroup is a row of a breakdown, or all that is not shown.
type modelGroup struct {
	values []modelValue
	events []*event.Event
}

// totals counts some events.
func (s *modelSite) totals(events []*event.Event) (n query.Totals) {
	people, who, sessions := s.persons(), map[*person]bool{}, map[uint64]bool{}
	for _, e := range events {
		n.Events++
		if p := people.of[e.Seq-1]; p != nil && !who[p] {
			who[p] = true
			n.Users++
		}
		if e.SessionOrd != 0 && !sessions[e.SessionOrd] {
			sessions[e.SessionOrd] = true
			n.Sessions++
		}
	}
	return n
}

// groups returns the rows by one or two dimensions, in the order of their values, and all events.
func (s *modelSite) groups(q *query.Report, by []string) (rows []*modelGroup, all []*event.Event) {
	satisfied, _ := s.rowsOf(q)
	dims := make([]func(*event.Event) []modelValue, len(by))
	for i, name := range by {
		dims[i] = s.rowValues(q, name)
	}
	byKey := map[string]*modelGroup{}
	for _, e := range s.living() {
		if !satisfied(e) {
			continue
		}
		all = append(all, e)
		pairs := [][]modelValue{{}}
		for _, dim := range dims {
			var more [][]modelValue
			for _, pair := range pairs {
				for _, v := range dim(e) {
					more = append(more, append(slices.Clone(pair), v))
				}
			}
			pairs = more
		}
		for _, pair := range pairs {
			key := ""
			for _, v := range pair {
				key += fmt.Sprintf("%q ", v.key)
			}
			g := byKey[key]
			if g == nil {
				g = &modelGroup{values: pair}
				byKey[key] = g
			}
			for i, v := range pair {
				if was := g.values[i].at; was != nil && v.at != nil && (v.at.Time < was.Time || v.at.Time == was.Time && v.at.Seq < was.Seq) {
					g.values[i] = v
				}
			}
			g.events = append(g.events, e)
		}
	}
	// Of the same value in several rows the earliest text is shown.
	for _, g := range byKey {
		for _, o := range byKey {
			for i, v := range o.values {
				if was := g.values[i]; was.key == v.key && was.at != nil && v.at != nil && (v.at.Time < was.at.Time || v.at.Time == was.at.Time && v.at.Seq < was.at.Seq) {
					g.values[i] = v
				}
			}
		}
	}
	return slices.Collect(maps.Values(byKey)), all
}

// textOf returns a value as an answer has it, and what it lies in.
func (v modelValue) textOf(name string) (query.Text, []query.InValue) {
	if v.key == "" {
		return query.Text{Null: true}, nil
	}
	if strings.TrimPrefix(name, "visit.") == "region" {
		country, region, _ := strings.Cut(v.shown, "/")
		return query.Text{Text: region}, []query.InValue{{Field: "country", Text: country}}
	}
	return query.Text{Text: v.shown}, nil
}

func compareModelTexts(a, b query.Text) int {
	return cmp.Or(compareFlags(a.Null, b.Null), strings.Compare(a.Text, b.Text))
}

// breakdownRows returns the rows of a breakdown that a question asks for, all their numbers, and
// how many there are.
func (s *modelSite) breakdown(q query.BreakdownQuery) *query.BreakdownAnswer {
	groups, all := s.groups(&q.Report, q.By)
	type row struct {
		query.BreakdownRow
		events []*event.Event
	}
	var rows []row
	for _, g := range groups {
		r := row{events: g.events}
		var in []query.InValue
		r.Value, r.In = g.values[0].textOf(q.By[0])
		if len(q.By) > 1 {
			r.With, in = g.values[1].textOf(q.By[1])
			r.In = append(r.In, in...)
		}
		r.Totals = s.totals(g.events)
		found := q.Rows.Search == "" || !r.Value.Null && strings.Contains(strings.ToLower(r.Value.Text), strings.ToLower(q.Rows.Search))
		if r.Events >= q.Rows.AtLeast && found {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		number := func(n query.Totals) uint64 {
			return map[string]uint64{"": n.Events, "events": n.Events, "share": n.Events, "users": n.Users, "sessions": n.Sessions, "value": 0}[q.Rows.Sort]
		}
		c := cmp.Compare(number(b.Totals), number(a.Totals))
		if q.Rows.Ascending {
			c = -c
		}
		sign := 1
		if q.Rows.Sort == "value" && !q.Rows.Ascending {
			sign = -1
		}
		for _, pair := range [][2]query.Text{{a.Value, b.Value}, {a.With, b.With}} {
			one := compareModelTexts(pair[0], pair[1])
			if !pair[0].Null && !pair[1].Null {
				one *= sign
			}
			c = cmp.Or(c, one)
		}
		return cmp.Or(c, slices.CompareFunc(a.In, b.In, func(x, y query.InValue) int {
			return compareModelTexts(query.Text{Text: x.Text, Null: x.Text == ""}, query.Text{Text: y.Text, Null: y.Text == ""})
		}))
	})
	a := &query.BreakdownAnswer{Total: s.totals(all), Count: len(rows)}
	rows = rows[min(q.Rows.Offset, len(rows)):min(q.Rows.Offset+q.Rows.Limit, len(rows))]
	shown := map[*event.Event]int{}
	for i := range rows {
		for _, e := range rows[i].events {
			shown[e]++
		}
		rows[i].Steps = s.steps(q.Steps, rows[i].events)
		a.Rows = append(a.Rows, rows[i].BreakdownRow)
	}
	var other []*event.Event
	for _, g := range groups {
		for _, e := range g.events {
			if shown[e]--; shown[e] < 0 && shown[e] > -1<<20 {
				other = append(other, e)
				shown[e] = -1 << 20
			}
		}
	}
	if len(other) > 0 && len(q.Steps) > 0 {
		a.Other = &query.BreakdownRow{Other: true, Steps: s.steps(q.Steps, other)}
	}
	return a
}

// steps counts events in each step.
func (s *modelSite) steps(starts []int64, events []*event.Event) (steps []query.Totals) {
	for i, start := range starts {
		var some []*event.Event
		for _, e := range events {
			if (i == 0 || e.Time >= start) && (i+1 == len(starts) || e.Time < starts[i+1]) {
				some = append(some, e)
			}
		}
		steps = append(steps, s.totals(some))
	}
	return steps
}

// eventDims are what events are broken down by.
var eventDims = []string{"name", "type", "user", "anonymous", "session", "group", "dialect", "value", "message_id", "page", "host", "source", "channel", "medium", "campaign", "term", "content",
	"country", "region", "browser", "title", "prop.plan", "prop.tags", "prop.deep.b", "prop.amount", "extra.currency", "extra.integrations.Mail.id",
	"visit.source", "visit.region", "visit.campaign", "visit.entry", "entry", "visit.group"}

// wholeDims come whole, in their own order.
var wholeDims = []string{"weekday", "hour", "weekhour", "length", "depth", "new", "visit.hour"}

// breakdown compares a random breakdown.
func (p *pair) breakdown() {
	visits := p.visitsQuery()
	q := query.BreakdownQuery{Report: visits.Report, Rows: query.Rows{Limit: pick(p.generator, query.CounterRowsMax, 3, 1), Sort: pick(p.generator, "", "events", "users", "sessions", "share", "value"), Ascending: p.chance(3)}}
	q.Steps = nil
	for range 1 + p.IntN(2) {
		q.By = append(q.By, eventDims[p.IntN(len(eventDims))])
	}
	if len(q.By) == 2 && q.By[0] == q.By[1] {
		q.By = q.By[:1]
	}
	whole := p.chance(6)
	if whole {
		q.By = []string{wholeDims[p.IntN(len(wholeDims))]}
		q.Rows = query.Rows{Limit: query.CounterRowsMax, Sort: "value", Ascending: true}
	} else {
		q.Rows.AtLeast, q.Rows.Offset, q.Rows.Search = uint64(p.skewed(3)), p.skewed(4), pick(p.generator, "", "", "a", "E")
	}
	if q.Rows.Limit < 10 && p.chance(2) {
		q.Steps, _ = calendar.BucketTimes(q.From, q.To, pick(p.generator, "day", "week", "month"), q.Site.Location)
	}
	if p.chance(3) {
		q.Compare = &query.Span{From: 2*q.From - q.To, To: q.From}
		if q.Steps != nil {
			q.CompareSteps, _ = calendar.BucketTimes(q.Compare.From, q.Compare.To, "month", q.Site.Location)
		}
	}
	want := p.model.of(q.Site).breakdown(q)
	got, err := p.engine.Breakdown(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: breakdown %+v: %v", p.op, q, err)
		return
	}
	if whole {
		slices.SortFunc(got.Rows, func(a, b query.BreakdownRow) int { return compareModelTexts(a.Value, b.Value) })
	}
	show := func(a *query.BreakdownAnswer) string {
		var b strings.Builder
		fmt.Fprintf(&b, "%v of %d:", a.Total, a.Count)
		for _, r := range a.Rows {
			fmt.Fprintf(&b, "\n\t%v %v in %v %v %v", r.Value, r.With, r.In, r.Totals, r.Steps)
		}
		if a.Other != nil && len(a.Other.Steps) > 0 && slices.ContainsFunc(a.Other.Steps, func(n query.Totals) bool { return n.Events > 0 }) {
			fmt.Fprintf(&b, "\n\tother %v", a.Other.Steps)
		}
		return b.String()
	}
	if g, w := show(got), show(want); g != w {
		p.Errorf("op %d: breakdown by %q of %+v where %v, rows %+v, steps %d:\n got %s\nwant %s", p.op, q.By, q.Span, q.Where, q.Rows, len(q.Steps), g, w)
	}
	if q.Compare == nil {
		return
	}
	was := q
	was.Span, was.Steps, was.Compare = *q.Compare, q.CompareSteps, nil
	was.Rows = query.Rows{Limit: query.CounterRowsMax}
	before := p.model.of(q.Site).breakdown(was)
	if *got.Compared != before.Total {
		p.Errorf("op %d: breakdown before: %v, want %v", p.op, *got.Compared, before.Total)
	}
	folds := func(text query.Text, i int) query.Text {
		if i < len(q.By) && slices.Contains([]string{"source", "medium", "campaign", "term", "content"}, strings.TrimPrefix(q.By[i], "visit.")) {
			text.Text = strings.ToLower(text.Text)
		}
		return text
	}
	for _, r := range got.Rows {
		var n query.Totals
		steps := make([]query.Totals, len(q.CompareSteps))
		for _, o := range before.Rows {
			if folds(o.Value, 0) == folds(r.Value, 0) && folds(o.With, 1) == folds(r.With, 1) && slices.Equal(o.In, r.In) {
				n, steps = o.Totals, o.Steps
			}
		}
		if g, w := fmt.Sprint(*r.Was, r.WasSteps), fmt.Sprint(n, steps); g != w {
			p.Errorf("op %d: breakdown by %q: %v was %s, want %s", p.op, q.By, r.Value, g, w)
		}
	}
}
