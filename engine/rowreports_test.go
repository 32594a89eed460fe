package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

// Reports of rows by fields agree with the model to the last digit, over random events with late
// rows, aliases, arrays and texts that differ in case, through seals, merges and reopening.
func TestRowReports(t *testing.T) {
	for seed := range seedsOf(2, 4) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			rowReports(t, seed+1)
		})
	}
}

func rowReports(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.open()
	defer p.closeIfOpen()
	for p.op = 1; p.op <= 40 && !t.Failed(); p.op++ {
		for range 1 + p.IntN(5) {
			p.tick()
			if p.chance(8) {
				p.now = p.now.Add(time.Duration(p.IntN(60)) * time.Hour)
				p.clock.set(p.now)
			}
			p.ingestRecords(p.amounts())
		}
		if p.chance(4) {
			p.delete()
		}
		if p.chance(10) {
			p.reopen()
		}
		if p.chance(10) {
			p.moveZone()
		}
		p.rowReport()
	}
}

func (p *pair) rowReport() {
	switch p.IntN(5) {
	case 0, 1:
		p.breakdown()
	case 2, 3:
		p.aggregate()
	default:
		p.values()
		p.fields()
	}
}

// values compares the values of a field with the rows of the model's breakdown.
func (p *pair) values() {
	visits := p.visitsQuery()
	q := query.ValuesQuery{Report: visits.Report, Field: eventDims[p.IntN(len(eventDims))], Rows: query.Rows{Limit: 5, Search: pick(p.generator, "e", "", "a*", "A")}}
	q.Steps = nil
	b := query.BreakdownQuery{Report: q.Report, By: []string{q.Field}, Rows: q.Rows}
	if q.Rows.Search == "a*" {
		b.Rows.Search = "" // the model knows no patterns
	}
	want := p.model.of(q.Site).breakdown(b)
	got, err := p.engine.Values(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: values %+v: %v", p.op, q, err)
		return
	}
	if q.Rows.Search == "a*" {
		for _, r := range got.Rows {
			if !strings.HasPrefix(strings.ToLower(r.Value.Text), "a") {
				p.Errorf("op %d: values of %s that begin with a: %v", p.op, q.Field, r.Value)
			}
		}
		return
	}
	show := func(a *query.BreakdownAnswer) string {
		text := fmt.Sprint(a.Count)
		for _, r := range a.Rows {
			text += fmt.Sprint(" ", r.Value, r.In, r.Events)
		}
		return text
	}
	if g, w := show(got), show(want); g != w {
		p.Errorf("op %d: values of %s with %q in %+v where %v:\n got %s\nwant %s", p.op, q.Field, q.Rows.Search, q.Span, q.Where, g, w)
	}
}

// fields checks that the list has what the events have, and nothing else.
func (p *pair) fields() {
	site := &p.site().Site
	s := p.model.of(site)
	has := map[string]bool{}
	for _, e := range s.living() {
		for _, m := range e.Context {
			has[m.Key] = true
		}
		for path := range s.leaves[e.Seq] {
			has["prop."+path] = true
		}
		for path := range s.extras[e.Seq] {
			has["extra."+path] = true
		}
		has["type"], has["dialect"] = true, true
		for field, text := range map[string]string{"name": e.Name, "user": e.User, "anonymous": e.Anonymous, "session": e.Session, "message_id": e.MessageID} {
			has[field] = has[field] || text != ""
		}
		has["group"] = has["group"] || len(e.Groups) > 0
		has["value"] = has["value"] || len(termsOf(e.Value)) > 0
	}
	q := query.FieldsQuery{Report: query.Report{Site: site, Span: query.Span{From: 0, To: 1 << 50}, Now: p.now.UnixMilli()}, Limit: query.FieldsMax}
	got, err := p.engine.Fields(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: fields: %v", p.op, err)
		return
	}
	listed := map[string]bool{}
	for _, f := range got.Fields {
		listed[f.Field] = true
		if !has[f.Field] {
			p.Errorf("op %d: no event has the field %q", p.op, f.Field)
		}
		if f.About == 0 || len(f.Examples) > query.FieldExamples {
			p.Errorf("op %d: field %+v", p.op, f)
		}
		if f.Kind == "property" || f.Kind == "extra" {
			continue // numbers may be texts in the model's leaves
		}
		for _, text := range f.Examples {
			c := query.Cond{Field: f.Field, Values: []string{text}}
			if f.Field != "user" && f.Field != "session" && !slices.ContainsFunc(s.living(), func(e *event.Event) bool { return s.holds(e, c) }) {
				p.Errorf("op %d: no event has %q as %s", p.op, text, f.Field)
			}
		}
	}
	for field, is := range has {
		inside := strings.HasPrefix(field, "prop.") || strings.HasPrefix(field, "extra.")
		if is && !inside && !listed[field] {
			p.Errorf("op %d: the field %s is not listed", p.op, field)
		}
	}
	if !got.More && has["prop.plan"] && !listed["prop.plan"] {
		p.Errorf("op %d: prop.plan is not listed", p.op)
	}
}

// amounts makes records with many different numbers, some in arrays and some of many digits.
func (p *pair) amounts() []engine.Record {
	records := p.stories()
	for i := range records {
		e := &records[i].Event
		if p.chance(2) || e.Type == event.Identify || e.Type == event.Increment {
			continue
		}
		amount := func() string {
			return pick(p.generator, fmt.Sprint(p.IntN(200)-20), fmt.Sprintf("%d.%d", p.IntN(50), 1+p.IntN(9)), fmt.Sprintf("%d.%09d1", p.IntN(3), p.IntN(5)), fmt.Sprintf("1000000000000000%d", p.IntN(3)))
		}
		value := event.Num(amount())
		if p.chance(3) {
			value = event.Raw("[" + amount() + "," + amount() + `,{"x":1},"y",` + amount() + `,"7"]`)
		}
		e.Properties.Set("amount", value)
		if p.chance(2) && e.Dialect == event.Native {
			e.Value = event.Num(amount())
		}
	}
	return records
}
