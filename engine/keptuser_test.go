// Kept answers to questions that look for people by an id.

package engine_test

import (
	"fmt"
	"testing"

	"cairn/engine"
	"cairn/engine/query"
)

// A question that looks for a person by an id has another answer when a row outside of its range
// says who has that id.
func TestKeptAnswersThatLookForAPerson(t *testing.T) {
	goal := func(e *engine.Engine, conds []query.Cond) string {
		a, err := e.VisitReport(t.Context(), query.VisitsQuery{Report: storyReport(1), Goal: conds})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Total.Conversions)
	}
	where := func(e *engine.Engine, conds []query.Cond) string {
		q := query.VisitsQuery{Report: storyReport(1)}
		q.Where = conds
		a, err := e.VisitReport(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Total.Views)
	}
	returned := func(e *engine.Engine, conds []query.Cond) string {
		a, _, err := e.Retention(t.Context(), &query.Retention{Report: storyReport(1), Start: conds, Period: "day", Cohort: query.CohortRange})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Cohorts[0].Size)
	}
	counted := func(e *engine.Engine, conds []query.Cond) string {
		q := storyReport(1)
		a, err := e.Counters(t.Context(), query.CounterQuery{Site: q.Site, Property: "name", Where: conds, From: q.From, To: q.To, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Total.Events)
	}
	count := func(e *engine.Engine, conds []query.Cond) string {
		q := storyReport(1)
		n, err := e.Count(t.Context(), query.Query{Site: q.Site, Where: conds, From: q.From, To: q.To, Metrics: query.MetricEvents})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(n.Events)
	}
	for _, c := range []struct {
		name   string
		ask    func(e *engine.Engine, conds []query.Cond) string
		cond   query.Cond
		before string // the story that the first answer sees
		line   string // what comes after it
		want   [2]string
	}{
		{"a goal, and the id is new", goal, query.Cond{Field: "user", Values: []string{"ben"}},
			"ann 0m page /shop", "ann=ben 1d page /shop", [2]string{"0", "1"}},
		{"a pattern, and the person drops its user", where, query.Cond{Field: "user", Op: query.OpMatch, Values: []string{"an*"}},
			"ann=ben 0m page /shop", "ann 1d page /shop", [2]string{"0", "1"}},
		{"a pattern of a goal", goal, query.Cond{Field: "user", Op: query.OpMatch, Values: []string{"an*"}},
			"ann=ben 0m page /shop", "ann 1d page /shop", [2]string{"0", "1"}},
		{"a pattern of a start", returned, query.Cond{Field: "user", Op: query.OpNotMatch, Values: []string{"an*"}},
			"ann=ben 0m page /shop", "ann 1d page /shop", [2]string{"1", "0"}},
		{"a pattern of counters", counted, query.Cond{Field: "user", Op: query.OpMatch, Values: []string{"an*"}},
			"ann=ben 0m track cart", "ann 1d page /shop", [2]string{"0", "1"}},
		{"a count of events alone", count, query.Cond{Field: "user", Values: []string{"ben"}},
			"ann 0m page /shop", "ann=ben 1d page /shop", [2]string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := tell(t, c.before)
			if got := c.ask(e, []query.Cond{c.cond}); got != c.want[0] {
				t.Errorf("%s at first, want %s", got, c.want[0])
			}
			tellMore(t, e, c.line)
			if got := c.ask(e, []query.Cond{c.cond}); got != c.want[1] {
				t.Errorf("%s afterwards, want %s", got, c.want[1])
			}
		})
	}
}
