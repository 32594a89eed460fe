package native

import (
	"context"
	"errors"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file answers GET /api/v1/goals: how often each goal of the configuration and each saved
// goal was reached.

// goalNumberNames are the numbers of a goal.
var goalNumberNames = []string{"conversions", "converted", "visitors", "conversion_rate", "value"}

// goals is GET /api/v1/goals.
func (n *API) goals(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	goals, err := n.GoalsOf(ctx, c.site, c.req.Share)
	if err != nil {
		return err
	}
	answer, err := n.engine.Goals(ctx, query.GoalsQuery{Report: a.Report, Goals: goals, Rows: a.Rows})
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	row := func(dst []byte, i int) []byte {
		return appendGoal(dst, &answer.Rows[i], answer.Visits, answer.WasVisits)
	}
	if a.CSV {
		columns := with([]string{"id", "kind", "query", "name"}, goalNumberNames...)
		if a.Compare != nil {
			for _, name := range goalNumberNames {
				columns = append(columns, "was."+name)
			}
		}
		c.sendCSV(columns, len(answer.Rows), row)
		return nil
	}
	exact := true
	total := func(dst []byte, visits uint64) []byte { return append(appendUint(dst, `{"visits":`, visits), '}') }
	dst := total(append(a.open(c.out, answer.AsOf), `,"total":`...), answer.Visits)
	dst = append(dst, `,"goals":[`...)
	for i := range answer.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = row(dst, i)
		exact = exact && answer.Rows[i].Value.Exact() && (answer.Rows[i].Was == nil || answer.Rows[i].Was.Value.Exact())
	}
	dst = appendCount(append(dst, ']'), "count", uint64(answer.Count))
	dst = appendExactSum(a.next(dst, len(answer.Rows), answer.Count), exact)
	dst = a.compare(dst, answer.AsOf, func(dst []byte) []byte { return total(dst, answer.WasVisits) }, nil)
	c.out = append(dst, '}')
	return nil
}

// GoalsOf returns the goals of a site that a share may see, or all when share is nil.
func (n *API) GoalsOf(ctx context.Context, site *query.Site, share *dialect.Share) ([]query.Goal, error) {
	goals, err := n.goalsOf(ctx, site)
	if err == nil && share != nil && share.Numbers {
		goals = sharedGoals(goals, share)
	}
	return goals, err
}

// goalsOf returns the goals of a site: those of the configuration in their order, then the saved
// ones by name.
func (n *API) goalsOf(ctx context.Context, site *query.Site) (goals []query.Goal, err error) {
	for _, g := range site.Goals {
		id := strconv.Itoa(g.ID)
		goals = append(goals, query.Goal{
			ID: id, Kind: query.GoalOfSite, Query: "type=goal&prop.goal_id=" + id, Name: g.Name,
			Where: []query.Cond{{Field: "type", Values: []string{string(event.Goal)}}, {Field: "prop.goal_id", Values: []string{id}}},
		})
	}
	all, err := n.engine.AllSaved(ctx, site)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Kind != query.SavedGoal {
			continue
		}
		where, err := filterIn("query", s.Query)
		var status *dialect.StatusError
		if errors.As(err, &status) { // a goal of another cairn
			return nil, badField("saved", "the goal "+s.ID+", which is saved, cannot be read: "+status.Msg)
		} else if err != nil {
			return nil, err
		}
		goals = append(goals, query.Goal{ID: s.ID, Kind: query.GoalIsSaved, Query: s.Query, Name: s.Name, Where: where})
	}
	return goals, nil
}

// appendGoal appends a goal with its numbers.
func appendGoal(dst []byte, r *query.GoalRow, visits, wasVisits uint64) []byte {
	for _, member := range [...][2]string{{`{"id":`, r.ID}, {`,"kind":`, string(r.Kind)}, {`,"query":`, r.Query}, {`,"name":`, r.Name}} {
		dst = event.AppendString(append(dst, member[0]...), member[1])
	}
	numbers := func(dst []byte, n *query.GoalNumbers, visits uint64) []byte {
		dst = appendCount(dst, "conversions", n.Conversions)
		dst = appendCount(dst, "converted", n.Converted)
		dst = appendCount(dst, "visitors", n.Visitors)
		dst = appendRate(dst, "conversion_rate", n.Converted, visits)
		return n.Value.Append(appendKey(dst, "value"))
	}
	if dst = numbers(dst, &r.GoalNumbers, visits); r.Was != nil {
		dst = append(dst, `,"was":{`...)
		start := len(dst)
		dst = append(withoutComma(numbers(dst, r.Was, wasVisits), start), '}')
	}
	return append(dst, '}')
}

// appendExactSum says whether all sums of an answer are exact.
func appendExactSum(dst []byte, exact bool) []byte {
	return append(strconv.AppendBool(append(dst, `,"exact":{"sum":`...), exact), '}')
}
