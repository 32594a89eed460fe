package nativetest

import (
	"context"
	"fmt"

	"cairn/engine/query"
)

// PeopleReports has the answers to funnels, retention and paths; nil = an answer of nothing.
type PeopleReports struct {
	FunnelAnswer    *query.FunnelAnswer
	RetentionAnswer *query.RetentionAnswer
	PathsAnswer     *query.PathsAnswer
	EntitiesAnswer  *query.Entities
}

// noted notes a question and returns the answer to it.
func noted[T any](n *Engine, call, asked string, answer *T) (*T, query.AsOf, error) {
	n.Asked = call + " " + asked
	if answer == nil {
		answer = new(T)
	}
	return answer, n.AsOf, n.Err
}

func askedOf(r *query.Report) string {
	return fmt.Sprintf("%s %v [%d,%d) steps %d", r.Site.Name, r.Where, r.From, r.To, len(r.Steps)) + aged(r.MaxAge)
}

func (n *Engine) Funnel(_ context.Context, q *query.Funnel) (*query.FunnelAnswer, query.AsOf, error) {
	answer := n.FunnelAnswer
	if answer == nil {
		answer = &query.FunnelAnswer{FunnelRow: query.FunnelRow{Steps: make([]query.FunnelStep, len(q.Step))}}
	}
	fit := *answer
	fit.Series = make([]query.FunnelTime, len(q.Report.Steps))
	copy(fit.Series, answer.Series)
	return noted(n, "funnel", fmt.Sprintf("%s %v visits %t %s window %d split %s limit %d", askedOf(&q.Report), q.Step, q.Visits, q.Mode, q.Window, q.Split, q.Limit), &fit)
}

func (n *Engine) FunnelEntities(_ context.Context, q *query.FunnelEntities) (*query.Entities, query.AsOf, error) {
	return noted(n, "funnel/entities", fmt.Sprintf("%s %v visits %t %s at %d dropped %t limit %d after %s", askedOf(&q.Report), q.Step, q.Visits, q.Mode, q.At, q.Dropped, q.EntityPage.Limit, q.After), n.EntitiesAnswer)
}

func (n *Engine) Retention(_ context.Context, q *query.Retention) (*query.RetentionAnswer, query.AsOf, error) {
	return noted(n, "retention", fmt.Sprintf("%s %v %v %s %s after %t", askedOf(&q.Report), q.Start, q.Return, q.Period, q.Cohort, q.After), n.RetentionAnswer)
}

func (n *Engine) RetentionEntities(_ context.Context, q *query.RetentionEntities) (*query.Entities, query.AsOf, error) {
	return noted(n, "retention/entities", fmt.Sprintf("%s %v %v %s %s after %t at %d cell %d limit %d after %s", askedOf(&q.Report), q.Start, q.Return, q.Period, q.Cohort, q.Retention.After, q.At, q.Cell, q.Limit, q.EntityPage.After), n.EntitiesAnswer)
}

func (n *Engine) Paths(_ context.Context, q *query.Paths) (*query.PathsAnswer, query.AsOf, error) {
	return noted(n, "paths", fmt.Sprintf("%s %v %v then %q depth %d of %s each %t fold %q limit %d", askedOf(&q.Report), q.Start, q.End, q.Then, q.Depth, q.Of, q.Each, q.Fold, q.Limit), n.PathsAnswer)
}

// fullPeopleReports are answers with all there may be in them: funnels of two steps, one with a
// single step of a series.
func fullPeopleReports() PeopleReports {
	steps := []query.FunnelStep{{Count: 9}, {Count: 3, Timed: true, Median: 6257, P90: 8927034}}
	return PeopleReports{
		FunnelAnswer: &query.FunnelAnswer{
			FunnelRow: query.FunnelRow{Steps: steps},
			Split: []query.FunnelRow{
				{Value: query.Text{Text: "ON"}, In: []query.InValue{{Field: "country", Text: "CA"}}, Steps: steps},
				{Value: query.Text{Null: true}, Steps: []query.FunnelStep{{Count: 2}, {}}},
				{Other: true, Steps: []query.FunnelStep{{Count: 1}, {}}},
			},
			Series: []query.FunnelTime{{Time: SomeDay, Entered: 9, Converted: 3}},
		},
		RetentionAnswer: &query.RetentionAnswer{
			Cohorts: []query.RetentionCohort{
				{Period: SomeDay, Size: 3, Cells: []query.RetentionCell{{Users: 2, Complete: true}, {Users: 1}}},
				{Period: SomeDay + 7*86_400_000, Cells: []query.RetentionCell{{}}},
				{Period: SomeDay + 14*86_400_000, Size: 5},
			},
			Average: []query.RetentionAverage{{Returned: 2, Size: 3}, {}},
		},
		PathsAnswer: &query.PathsAnswer{
			Anchored: 12,
			Columns:  []query.PathsColumn{{Rows: []query.PathsRow{{Label: "/a", Count: 5}, {Label: "/b", Count: 3}}, Other: 1, Stopped: 3}, {}, {Rows: []query.PathsRow{{Label: "=c", Count: 1}}}},
			Links:    []query.PathsLink{{From: query.Text{Null: true}, To: "/a", Count: 5}, {Column: 1, From: query.Text{Text: "/a"}, To: "/c", Count: 2}},
		},
		EntitiesAnswer: &query.Entities{IDs: []string{"u-1", "u <2>"}, Next: SomeID},
	}
}
