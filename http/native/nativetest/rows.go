package nativetest

import (
	"context"
	"fmt"

	"cairn/engine/query"
)

// RowReports has the answers to reports of events by fields; nil = an answer of nothing.
type RowReports struct {
	BreakdownAnswer *query.BreakdownAnswer
	AggregateAnswer *query.AggregateAnswer
	FieldsAnswer    query.FieldsAnswer
}

// noteReport notes the question that a report is asked.
func (n *Engine) noteReport(call string, q *query.Report) {
	n.Asked = fmt.Sprintf("%s %s%s [%d,%d) steps %d", call, q.Site.Name, filters(q.Where), q.From, q.To, len(q.Steps)) + aged(q.MaxAge)
	if q.Compare != nil {
		n.Asked += fmt.Sprintf(" before [%d,%d) steps %d", q.Compare.From, q.Compare.To, len(q.CompareSteps))
	}
}

// noteRows notes which rows are asked for.
func (n *Engine) noteRows(r query.Rows) {
	n.Asked += fmt.Sprintf(" sort %s", r.Sort)
	if r.Ascending {
		n.Asked += " asc"
	}
	n.Asked += fmt.Sprintf(" limit %d", r.Limit)
	if r.Search != "" || r.AtLeast > 0 || r.Offset > 0 {
		n.Asked += fmt.Sprintf(" search %s at least %d offset %d", r.Search, r.AtLeast, r.Offset)
	}
}

func (n *Engine) Breakdown(_ context.Context, q query.BreakdownQuery) (*query.BreakdownAnswer, error) {
	n.noteReport("breakdown", &q.Report)
	n.Asked += fmt.Sprintf(" by %q metrics %b", q.By, q.Metrics)
	n.noteRows(q.Rows)
	if n.Err != nil {
		return nil, n.Err
	}
	answer := query.BreakdownAnswer{}
	if n.BreakdownAnswer != nil {
		answer = *n.BreakdownAnswer
	}
	answer.AsOf = n.AsOf
	if q.Compare == nil {
		answer.Compared = nil
	} else if answer.Compared == nil {
		answer.Compared = new(query.Totals)
	}
	rows := answer.Rows
	answer.Rows = nil
	for _, r := range rows {
		answer.Rows = append(answer.Rows, fitRow(r, &q.Report))
	}
	if answer.Other != nil {
		other := fitRow(*answer.Other, &q.Report)
		answer.Other = &other
	}
	return &answer, nil
}

// fitRow gives a row the series that are asked for.
func fitRow(r query.BreakdownRow, q *query.Report) query.BreakdownRow {
	r.Steps = append(r.Steps, make([]query.Totals, len(q.Steps))...)[:len(q.Steps)]
	r.WasSteps = append(r.WasSteps, make([]query.Totals, len(q.CompareSteps))...)[:len(q.CompareSteps)]
	if q.Compare == nil {
		r.Was = nil
	} else if r.Was == nil {
		r.Was = new(query.Totals)
	}
	return r
}

func (n *Engine) Aggregate(_ context.Context, q query.AggregateQuery) (*query.AggregateAnswer, error) {
	n.noteReport("aggregate", &q.Report)
	n.Asked += fmt.Sprintf(" of %s by %q ranks %t", q.Of, q.By, !q.NoRanks)
	n.noteRows(q.Rows)
	if n.Err != nil {
		return nil, n.Err
	}
	answer := query.AggregateAnswer{}
	if n.AggregateAnswer != nil {
		answer = *n.AggregateAnswer
	}
	answer.AsOf = n.AsOf
	fit := func(steps []query.Numbers, n int) []query.Numbers {
		return append(steps[:len(steps):len(steps)], make([]query.Numbers, n)...)[:n]
	}
	answer.Steps, answer.WasSteps = fit(answer.Steps, len(q.Steps)), fit(answer.WasSteps, len(q.CompareSteps))
	if q.Compare == nil {
		answer.Compared = nil
	} else if answer.Compared == nil {
		answer.Compared = new(query.Numbers)
	}
	rows := answer.Rows
	if answer.Other != nil {
		rows = append(rows[:len(rows):len(rows)], *answer.Other)
	}
	answer.Rows, answer.Other = nil, nil
	for _, r := range rows {
		r.Steps, r.WasSteps = fit(r.Steps, len(q.Steps)), fit(r.WasSteps, len(q.CompareSteps))
		if q.Compare == nil {
			r.Was = nil
		} else if r.Was == nil {
			r.Was = new(query.Numbers)
		}
		if r.Other {
			answer.Other = &r
		} else if q.By != "" {
			answer.Rows = append(answer.Rows, r)
		}
	}
	return &answer, nil
}

func (n *Engine) Fields(_ context.Context, q query.FieldsQuery) (*query.FieldsAnswer, error) {
	n.noteReport("fields", &q.Report)
	n.Asked += fmt.Sprintf(" search %q limit %d", q.Search, q.Limit)
	answer := n.FieldsAnswer
	answer.AsOf = n.AsOf
	return &answer, n.Err
}

func (n *Engine) Values(ctx context.Context, q query.ValuesQuery) (*query.BreakdownAnswer, error) {
	answer, err := n.Breakdown(ctx, query.BreakdownQuery{Report: q.Report, By: []string{q.Field}, Metrics: query.MetricEvents, Rows: q.Rows})
	n.Asked = "values of " + n.Asked
	return answer, err
}

// someNumbers are numbers of an aggregate.
func someNumbers(texts ...string) query.Numbers {
	n := query.Numbers{Events: 3, Count: 3, NotNumbers: 1, Min: "-0.5", Max: "100", Percentiles: [...]string{"7", "100", "100", "100"}, Distinct: 2}
	for _, text := range texts {
		n.Sum.Add(text)
	}
	return n
}

// fullRowReports are answers with all there may be in them.
func fullRowReports() RowReports {
	return RowReports{
		BreakdownAnswer: &query.BreakdownAnswer{
			Total: query.Totals{Events: 9, Users: 4, Sessions: 5},
			Rows: []query.BreakdownRow{
				{Value: query.Text{Text: "IL"}, With: query.Text{Text: "a<b"}, In: []query.InValue{{Field: "country", Text: "US"}}, Totals: query.Totals{Events: 6, Users: 3, Sessions: 4},
					Was: &query.Totals{Events: 1, Users: 1, Sessions: 1}, Steps: []query.Totals{{Events: 6, Users: 3, Sessions: 4}}, WasSteps: []query.Totals{{Events: 1, Users: 1, Sessions: 1}}},
				{Value: query.Text{Null: true}, With: query.Text{Null: true}, Totals: query.Totals{Events: 2}},
			},
			Other:    &query.BreakdownRow{Other: true, Steps: []query.Totals{{Events: 1, Users: 1, Sessions: 1}}},
			Count:    3,
			Compared: &query.Totals{Events: 2, Users: 1, Sessions: 1},
		},
		FieldsAnswer: query.FieldsAnswer{More: true, Fields: []query.FieldInfo{
			{Field: "name", Kind: "core", About: 2, Examples: []string{"a<b", "c"}},
			{Field: "prop.amount", Kind: "property", About: 300, Numbers: true},
		}},
		AggregateAnswer: &query.AggregateAnswer{
			Total: someNumbers("100", "-0.5", "0.75"),
			Steps: []query.Numbers{someNumbers("100")},
			Rows: []query.AggregateRow{
				{Value: query.Text{Text: "IL"}, In: []query.InValue{{Field: "country", Text: ""}}, Numbers: someNumbers("1"), Steps: []query.Numbers{someNumbers("2")}},
				{Value: query.Text{Null: true}},
			},
			Other: &query.AggregateRow{Other: true, Steps: []query.Numbers{someNumbers("3")}},
			Count: 3,
		},
	}
}
