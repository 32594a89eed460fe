package nativetest

import (
	"context"
	"fmt"

	"cairn/engine/query"
)

// ShopReports has the answers to reports of goals and of a shop; nil = an answer of nothing. They
// are given as they are but for what the question does not ask for.
type ShopReports struct {
	GoalsAnswer *query.GoalsAnswer
	ShopAnswer  *query.ShopAnswer
}

// Goals gives the rows of its answer the goals of the question.
func (n *Engine) Goals(_ context.Context, q query.GoalsQuery) (*query.GoalsAnswer, error) {
	n.noteReport("goals", &q.Report)
	n.Asked += fmt.Sprintf(" %v", q.Goals)
	n.noteRows(q.Rows)
	if n.Err != nil {
		return nil, n.Err
	}
	answer := query.GoalsAnswer{}
	if n.GoalsAnswer != nil {
		answer = *n.GoalsAnswer
	}
	answer.AsOf = n.AsOf
	rows := answer.Rows
	answer.Rows = nil
	for i, r := range rows {
		if i < len(q.Goals) {
			r.Goal = q.Goals[i]
		}
		if q.Compare == nil {
			r.Was = nil
		} else if r.Was == nil {
			r.Was = new(query.GoalNumbers)
		}
		answer.Rows = append(answer.Rows, r)
	}
	return &answer, nil
}

func (n *Engine) Shop(_ context.Context, q query.ShopQuery) (*query.ShopAnswer, error) {
	n.noteReport("shop", &q.Report)
	n.Asked += " by " + q.By
	n.noteRows(q.Rows)
	if n.Err != nil {
		return nil, n.Err
	}
	answer := query.ShopAnswer{}
	if n.ShopAnswer != nil {
		answer = *n.ShopAnswer
	}
	answer.AsOf = n.AsOf
	fit := func(r query.ShopRange, steps int) query.ShopRange {
		r.Series = append(r.Series[:len(r.Series):len(r.Series)], make([]query.ShopStep, steps*len(r.Totals))...)[:steps*len(r.Totals)]
		return r
	}
	answer.ShopRange = fit(answer.ShopRange, len(q.Steps))
	if q.Compare == nil {
		answer.Compared = nil
	} else {
		was := query.ShopRange{}
		if answer.Compared != nil {
			was = *answer.Compared
		}
		was = fit(was, len(q.CompareSteps))
		answer.Compared = &was
	}
	rows := answer.Products
	answer.Products = nil
	for _, r := range rows {
		if q.Compare == nil {
			r.Was = nil
		} else if r.Was == nil {
			r.Was = new(query.ProductNumbers)
		}
		answer.Products = append(answer.Products, r)
	}
	return &answer, nil
}

// sumOf is a sum of numbers.
func sumOf(texts ...string) (s query.Sum) {
	for _, text := range texts {
		s.Add(text)
	}
	return s
}

// fullShopReports are answers with all there may be in them.
func fullShopReports() ShopReports {
	return ShopReports{
		GoalsAnswer: &query.GoalsAnswer{
			Visits: 9,
			Rows: []query.GoalRow{
				{Goal: query.Goal{ID: "1", Kind: query.GoalOfSite, Query: "type=goal&prop.goal_id=1", Name: "sign <up>"}, GoalNumbers: query.GoalNumbers{Conversions: 4, Converted: 3, Visitors: 2, Value: sumOf("19.5", "0.25")}},
				{Goal: query.Goal{ID: "00000000000000aa", Kind: query.GoalIsSaved, Query: "name=buy", Name: "=buy"}, Was: &query.GoalNumbers{Conversions: 1}},
			},
			Count: 3, WasVisits: 4,
		},
		ShopAnswer: &query.ShopAnswer{
			ShopRange: query.ShopRange{
				Visits: 8,
				Totals: []query.ShopTotals{
					{Currency: "EUR", Orders: 3, Revenue: sumOf("100"), Refunds: sumOf("5.5"), Items: sumOf("4"), Subtotal: sumOf("80"), Tax: sumOf("16"), Shipping: sumOf("4"), Discount: sumOf("1"), Customers: 2, Converted: 2, CartsAbandoned: 1, CartsValue: sumOf("9.99")},
					{Refunds: sumOf("1")},
				},
				Series: []query.ShopStep{{Orders: 3, Revenue: sumOf("100"), Refunds: sumOf("5.5")}, {Refunds: sumOf("1")}},
			},
			Products: []query.ProductRow{
				{Value: query.Text{Text: "=sku"}, Currency: "EUR", Name: query.Text{Text: "Tea, green"}, Category: query.Text{Text: "Tea"}, ProductNumbers: query.ProductNumbers{Orders: 3, Quantity: sumOf("3"), Revenue: sumOf("100")}, Was: &query.ProductNumbers{Orders: 1, Quantity: sumOf("1.5"), Revenue: sumOf("10")}},
				{Value: query.Text{Null: true}, Name: query.Text{Null: true}, Category: query.Text{Null: true}},
			},
			Count:    3,
			Compared: &query.ShopRange{Visits: 1, Totals: []query.ShopTotals{{Currency: "USD", Orders: 1}}},
		},
	}
}
