// The model's funnels: every attempt of every entity is tried.

package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// modelEntity is a person or a visit, and its selected events by time.
type modelEntity struct {
	first  uint64 // seq of its first event
	id     string // as it is listed
	events []*event.Event
}

var modelActions = []event.Type{event.Track, event.Page, event.Screen, event.Download, event.Outlink, event.Search}

// visitsOf returns the visits of a span by their ordinals.
func (s *modelSite) visitsOf(span query.Span) map[uint64]bool {
	visits := map[uint64]bool{}
	for _, e := range s.living() {
		if e.SessionOrd != 0 && span.Holds(e.Time) && slices.Contains(modelActions, e.Type) && span.Holds(s.beginOf(e.SessionOrd).Time) {
			visits[e.SessionOrd] = true
		}
	}
	return visits
}

// satisfying returns the events that a report of events selects.
func (s *modelSite) satisfying(q *query.Report) (events []*event.Event) {
	satisfied, _ := s.rowsOf(q)
	for _, e := range s.living() {
		if satisfied(e) {
			events = append(events, e)
		}
	}
	return events
}

// entities groups events.
func (s *modelSite) entities(events []*event.Event, visits map[uint64]bool) []*modelEntity {
	of := map[uint64]*modelEntity{}
	for _, e := range events {
		var first uint64
		var id string
		if visits != nil {
			if first = e.SessionOrd; !visits[first] {
				continue
			}
			id = s.events[first-1].ID
		} else if who := s.persons().of[e.Seq-1]; who != nil {
			first, id = who.first.Seq, who.name
		} else {
			continue
		}
		if of[first] == nil {
			of[first] = &modelEntity{first: first, id: id}
		}
		of[first].events = append(of[first].events, e)
	}
	var all []*modelEntity
	for _, one := range of {
		sort.Slice(one.events, func(i, j int) bool {
			a, b := one.events[i], one.events[j]
			return a.Time < b.Time || a.Time == b.Time && a.Seq < b.Seq
		})
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *modelEntity) int { return cmp.Compare(b.first, a.first) }) // newest first
	return all
}

// attempt returns the rows that an attempt takes which begins at events[i]; none when it cannot
// begin there.
func (s *modelSite) attempt(q *query.Funnel, events []*event.Event, i int) (taken []*event.Event) {
	does := func(e *event.Event, step int) bool { return s.matches(e, q.Step[step], 0, 0) }
	served := make([]bool, len(q.Step))
	for j, e := range events[i:] {
		if j > 0 && q.Window != 0 && e.Time-events[i].Time > q.Window {
			break
		}
		step := -1
		if q.Mode == query.FunnelAny {
			for k := range q.Step {
				if !served[k] && does(e, k) {
					step = k
					break
				}
			}
		} else if len(taken) < len(q.Step) && does(e, len(taken)) {
			step = len(taken)
		}
		if step < 0 && j == 0 {
			return nil
		}
		if step >= 0 {
			served[step] = true
			taken = append(taken, e)
			continue
		}
		if q.Mode == query.FunnelStrict && (slices.Contains(modelActions, e.Type) || e.Type == event.Order || e.Type == event.Goal || e.Type == event.Cart) {
			break
		}
	}
	return taken
}

// funnelResults returns the best attempt of each entity that has one.
func (m *model) funnelResults(q *query.Funnel) (who []*modelEntity, best [][]*event.Event) {
	s := m.of(q.Site)
	events := s.satisfying(&q.Report)
	var visits map[uint64]bool
	if q.Visits {
		visits = s.visitsOf(q.Span)
	}
	for _, one := range s.entities(events, visits) {
		var most []*event.Event
		for i := range one.events {
			if taken := s.attempt(q, one.events, i); len(taken) > len(most) {
				most = taken
			}
		}
		if len(most) > 0 {
			who, best = append(who, one), append(best, most)
		}
	}
	return who, best
}

// modelTerms returns the terms of a field of an event, as a break-down has them.
func (s *modelSite) modelTerms(e *event.Event, field string, span query.Span) []string {
	switch field {
	case "name":
		return termsOf(event.Str(e.Name))
	case "type":
		return []string{string(e.Type)}
	case "dialect":
		return []string{string(e.Dialect)}
	case "prop.plan":
		return s.leaves[e.Seq]["plan"]
	case "campaign":
		return termsOf(e.Context.Get("utm_campaign"))
	case "region":
		if region := modelRegion(e); region != "" {
			return []string{region}
		}
		return nil
	case "hour":
		return []string{fmt.Sprint(modelTime(e.Time, s.site.Location).Hour())}
	case "visit.country", "visit.entry", "visit.region":
		var first *event.Event
		var value string
		for _, other := range s.living() {
			if other.SessionOrd != e.SessionOrd || !span.Holds(other.Time) || first != nil && other.Time >= first.Time {
				continue
			}
			has := other.Context.Get("country").Text
			if field == "visit.region" {
				has = modelRegion(other)
			}
			if view := other.Type == event.Page || other.Type == event.Screen; field == "visit.entry" && view {
				has = cmp.Or(other.Context.Get("path").Text, other.Name)
				if has == "" {
					first, value = other, ""
				}
			} else if field == "visit.entry" {
				has = ""
			}
			if has != "" {
				first, value = other, has
			}
		}
		if value != "" && s.visitsOf(span)[e.SessionOrd] {
			return []string{value}
		}
		return nil
	}
	return termsOf(e.Context.Get(field))
}

func modelTime(at int64, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	return time.UnixMilli(at).In(loc)
}

// modelRegion is a region with its country before it, "" when there is none.
func modelRegion(e *event.Event) string {
	if region := e.Context.Get("region").Text; region != "" {
		return e.Context.Get("country").Text + "/" + region
	}
	return ""
}

func modelFunnelRow(q *query.Funnel, best [][]*event.Event) query.FunnelRow {
	row := query.FunnelRow{Steps: make([]query.FunnelStep, len(q.Step))}
	for k := range row.Steps {
		var times []int64
		for _, taken := range best {
			if len(taken) <= k {
				continue
			}
			row.Steps[k].Count++
			if k > 0 {
				times = append(times, (taken[k].Time-taken[k-1].Time)/100)
			}
		}
		if q.Mode == query.FunnelAny || len(times) == 0 {
			continue
		}
		slices.Sort(times)
		rank := func(p int) int64 { // the least with at least p percent at or below it
			for i, t := range times {
				if (i+1)*100 >= p*len(times) {
					return t
				}
			}
			return 0
		}
		row.Steps[k].Timed, row.Steps[k].Median, row.Steps[k].P90 = true, rank(50), rank(90)
	}
	return row
}

func (m *model) Funnel(q *query.Funnel) *query.FunnelAnswer {
	who, best := m.funnelResults(q)
	a := &query.FunnelAnswer{FunnelRow: modelFunnelRow(q, best)}
	for i, at := range q.Report.Steps {
		t := query.FunnelTime{Time: at}
		for _, taken := range best {
			if began := taken[0].Time; (i == 0 || began >= at) && (i+1 == len(q.Report.Steps) || began < q.Report.Steps[i+1]) {
				t.Entered++
				if len(taken) == len(q.Step) {
					t.Converted++
				}
			}
		}
		a.Series = append(a.Series, t)
	}
	if q.Split == "" {
		return a
	}
	shown := map[string]*event.Event{} // of texts that are compared without case
	s := m.of(q.Site)
	for _, one := range who {
		for i, e := range one.events {
			if terms := s.modelTerms(e, q.Split, q.Span); q.Split == "campaign" && len(terms) > 0 && len(s.attempt(q, one.events, i)) > 0 {
				if first := shown[strings.ToLower(terms[0])]; first == nil || e.Time < first.Time || e.Time == first.Time && e.Seq < first.Seq {
					shown[strings.ToLower(terms[0])] = e
				}
			}
		}
	}
	of := map[query.Text][][]*event.Event{}
	for _, taken := range best {
		value := query.Text{Null: true}
		if terms := s.modelTerms(taken[0], q.Split, q.Span); len(terms) > 0 {
			if value = (query.Text{Text: terms[0]}); q.Split == "campaign" {
				value.Text = shown[strings.ToLower(value.Text)].Context.Get("utm_campaign").Text
			}
		}
		of[value] = append(of[value], taken)
	}
	var values []query.Text
	for v := range of {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b query.Text) int {
		if c := cmp.Compare(len(of[b]), len(of[a])); c != 0 {
			return c
		}
		if a.Null || b.Null {
			return map[bool]int{true: 1, false: -1}[a.Null]
		}
		if strings.HasSuffix(q.Split, "region") { // the country counts after the region
			countryA, regionA, _ := strings.Cut(a.Text, "/")
			countryB, regionB, _ := strings.Cut(b.Text, "/")
			return cmp.Or(cmp.Compare(regionA, regionB), compareModelTexts(query.Text{Text: countryA, Null: countryA == ""}, query.Text{Text: countryB, Null: countryB == ""}))
		}
		return cmp.Compare(a.Text, b.Text)
	})
	var others [][]*event.Event
	for i, v := range values {
		if i >= q.Limit {
			others = append(others, of[v]...)
			continue
		}
		row := modelFunnelRow(q, of[v])
		row.Value = v
		if strings.HasSuffix(q.Split, "region") && !v.Null {
			country, region, _ := strings.Cut(v.Text, "/")
			row.Value.Text, row.In = region, []query.InValue{{Field: "country", Text: country}}
		}
		a.Split = append(a.Split, row)
	}
	if others != nil {
		row := modelFunnelRow(q, others)
		row.Other = true
		a.Split = append(a.Split, row)
	}
	return a
}

// FunnelEntities returns all of them, on one page.
func (m *model) FunnelEntities(q *query.FunnelEntities) (ids []string) {
	who, best := m.funnelResults(&q.Funnel)
	for i := range who {
		if len(best[i]) >= q.At && (!q.Dropped || len(best[i]) == q.At) {
			ids = append(ids, who[i].id)
		}
	}
	return ids
}
