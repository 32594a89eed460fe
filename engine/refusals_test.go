package engine_test

import (
	"errors"
	"testing"
	"time"

	"cairn/engine/query"
)

// What the engine refuses names the parameter that is to be changed.
func TestRefusalsNameTheirParameter(t *testing.T) {
	e := tell(t, "ann 0m page /shop")
	ctx := t.Context()
	day := storyReport(1)
	long := query.Report{Site: day.Site, Span: query.Span{From: 0, To: 1 << 45}}
	rows := query.Rows{Limit: 10}
	steps := [][]query.Cond{cond("name", "a"), cond("name", "b")}
	many := make([]int64, 4000)
	for i := range many {
		many[i] = day.From + int64(i)
	}
	for _, c := range []struct {
		field string
		ask   func() error
	}{
		{"split", func() error {
			_, _, err := e.Funnel(ctx, &query.Funnel{Report: day, Step: steps, Split: "colour", Limit: 1})
			return err
		}},
		{"split", func() error {
			_, _, err := e.Funnel(ctx, &query.Funnel{Report: day, Step: steps, Split: "visit.name", Limit: 1})
			return err
		}},
		{"step", func() error { _, _, err := e.Funnel(ctx, &query.Funnel{Report: day, Step: steps[:1]}); return err }},
		{"at", func() error {
			_, _, err := e.FunnelEntities(ctx, &query.FunnelEntities{Funnel: query.Funnel{Report: day, Step: steps}, At: 3})
			return err
		}},
		{"period", func() error {
			_, _, err := e.Retention(ctx, &query.Retention{Report: long, Period: "day"})
			return err
		}},
		{"period", func() error { _, _, err := e.Retention(ctx, &query.Retention{Report: day}); return err }},
		{"at", func() error {
			_, _, err := e.RetentionEntities(ctx, &query.RetentionEntities{Retention: query.Retention{Report: day, Period: "day"}, At: 5})
			return err
		}},
		{"cell", func() error {
			_, _, err := e.RetentionEntities(ctx, &query.RetentionEntities{Retention: query.Retention{Report: day, Period: "day"}, At: day.From, Cell: 1})
			return err
		}},
		{"depth", func() error { _, _, err := e.Paths(ctx, &query.Paths{Report: day}); return err }},
		{"end", func() error {
			_, _, err := e.Paths(ctx, &query.Paths{Report: day, Depth: 1, Start: steps[0], End: steps[1]})
			return err
		}},
		{"by", func() error {
			_, err := e.VisitReport(ctx, query.VisitsQuery{Report: day, By: []string{"name"}, Rows: rows})
			return err
		}},
		{"of", func() error {
			_, err := e.Pages(ctx, query.PagesQuery{Report: day, Of: "name", Rows: rows})
			return err
		}},
		{"by", func() error { _, err := e.Breakdown(ctx, query.BreakdownQuery{Report: day, Rows: rows}); return err }},
		{"by", func() error {
			_, err := e.Breakdown(ctx, query.BreakdownQuery{Report: day, By: []string{"visit.name"}, Rows: rows})
			return err
		}},
		{"interval", func() error {
			q := query.BreakdownQuery{Report: day, By: []string{"type"}, Rows: query.Rows{Limit: 20}}
			for range 20 {
				q.Steps = append(q.Steps, many...)
			}
			_, err := e.Breakdown(ctx, q)
			return err
		}},
		{"of", func() error {
			_, err := e.Aggregate(ctx, query.AggregateQuery{Report: day, Of: "name", Rows: rows})
			return err
		}},
		{"colour", func() error {
			_, err := e.Count(ctx, query.Query{Site: day.Site, Where: cond("colour", "red")})
			return err
		}},
		{"value", func() error {
			_, err := e.Count(ctx, query.Query{Site: day.Site, Where: []query.Cond{{Field: "value", Op: query.OpAtLeast, Values: []string{"x"}}}})
			return err
		}},
		{"visit.hour", func() error {
			q := day
			q.Where = []query.Cond{{Field: "hour", Visit: true, Op: query.OpAtLeast, Values: []string{"noon"}}}
			_, err := e.VisitReport(ctx, query.VisitsQuery{Report: q, Rows: rows})
			return err
		}},
		{"interval", func() error {
			_, err := e.Series(ctx, query.Query{Site: day.Site, From: 1, To: 1 << 45}, "minute", time.UTC)
			return err
		}},
		{"interval", func() error {
			_, err := e.Counters(ctx, query.CounterQuery{Site: day.Site, Property: "name", Interval: "hour", From: 1, To: 1 << 45, Limit: 1})
			return err
		}},
		{"limit", func() error { _, err := e.List(ctx, query.Query{Site: day.Site, Limit: 1001}); return err }},
		{"kind", func() error {
			s, err := e.Save(ctx, day.Site, query.Saved{Kind: query.SavedGoal, Name: "a", Query: "name=a"})
			if err != nil {
				return err
			}
			s.Kind = query.SavedFilter
			_, err = e.Save(ctx, day.Site, s)
			return err
		}},
	} {
		bad := new(query.BadParameter)
		if err := c.ask(); !errors.As(err, &bad) || bad.Field != c.field || !errors.Is(err, query.ErrBadQuery) {
			t.Errorf("%v, want a refusal of %s", err, c.field)
		}
	}
}
