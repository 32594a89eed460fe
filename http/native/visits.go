package native

import (
	"context"
	"slices"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers the reports of visits and pages.

// visitNumbers are the numbers of visits, the default of sort first. Those after events come with
// a goal alone.
var visitNumbers = []string{
	"visits", "visitors", "new_visits", "views", "events", "bounces", "bounce_rate", "views_per_visit", "duration", "duration_timed", "duration_median",
	"converted", "conversions", "conversion_rate", "goal_value",
}

// goalNumbers is how many of visitNumbers a goal brings.
const goalNumbers = 4

// visits is GET /api/v1/visits.
func (n *API) visits(ctx context.Context, c *reading) error {
	var goal []query.Cond
	var but []string
	if text := c.query.single["goal"]; text != "" {
		var err error
		if goal, err = filterIn("goal", text); err != nil {
			return err
		}
	} else {
		but = visitNumbers[len(visitNumbers)-goalNumbers:]
	}
	a, err := n.ask(ctx, c, but...)
	if err != nil {
		return err
	}
	by := c.query.lists["by"]
	switch {
	case len(by) > 1 && a.CSV:
		return badField("format", "csv has one table; ask for one by")
	case len(by) != 1 && c.query.single["after"] != "":
		return badField("after", "needs a single by")
	}
	for i, name := range by {
		if slices.Contains(by[:i], name) {
			return badField("by", shorten(name, 128)+" is given more than once")
		}
	}
	q := query.VisitsQuery{Report: a.Report, By: by, Goal: goal, Rows: a.Rows, NoVisitors: !a.Shows("visitors"), NoMedian: !a.Shows("duration_median")}
	answer, err := n.engine.VisitReport(ctx, q)
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	v := visitsWriter{asked: a, goal: goal != nil}
	step := func(dst []byte, i int) []byte { return v.step(dst, &answer.Series[i]) }
	if a.CSV {
		v.csv(c, by, answer, step)
		return nil
	}
	dst := a.open(c.out, answer.AsOf)
	dst = append(v.numbers(append(dst, `,"total":{`...), &answer.Total, true), '}')
	dst = a.series(dst, answer.AsOf, step)
	dst = append(dst, `,"by":{`...)
	for i, name := range by {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, name), `:{"rows":[`...)
		table := &answer.By[i]
		for k := range table.Rows {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = v.row(dst, name, &table.Rows[k])
		}
		dst = appendUint(append(dst, ']'), `,"count":`, uint64(table.Count))
		if len(by) == 1 && table.More {
			dst = a.next(dst, len(table.Rows), table.Count)
		} else {
			dst = append(dst, `,"next":null`...)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, '}')
	dst = a.compare(dst, answer.AsOf, func(dst []byte) []byte {
		return append(v.numbers(append(dst, '{'), answer.Compared, true), '}')
	}, func(dst []byte, i int) []byte { return v.step(dst, &answer.ComparedSteps[i]) })
	c.out = append(dst, '}')
	return nil
}

// visitsWriter writes the numbers of visits that are asked for.
type visitsWriter struct {
	*asked
	goal bool
}

// numbers appends the numbers of a total, or of a row, without braces.
func (v *visitsWriter) numbers(dst []byte, n *query.VisitNumbers, total bool) []byte {
	start := len(dst)
	for _, name := range v.Metrics {
		if name != "events" || total {
			dst = v.number(dst, name, n)
		}
	}
	return withoutComma(dst, start)
}

// withoutComma takes off the comma at the start.
func withoutComma(dst []byte, start int) []byte {
	if len(dst) > start && dst[start] == ',' {
		return append(dst[:start], dst[start+1:]...)
	}
	return dst
}

// number appends ,"name":value.
func (v *visitsWriter) number(dst []byte, name string, n *query.VisitNumbers) []byte {
	switch name {
	case "visits":
		return appendCount(dst, name, n.Visits)
	case "visitors":
		return appendCount(dst, name, n.Visitors)
	case "new_visits":
		return appendCount(dst, name, n.New)
	case "views":
		return appendCount(dst, name, n.Views)
	case "events":
		return appendCount(dst, name, n.Events)
	case "bounces":
		return appendCount(dst, name, n.Bounces)
	case "bounce_rate":
		return appendRate(dst, name, n.Bounces, n.Visits)
	case "views_per_visit":
		return appendMean(dst, name, int64(n.VisitViews), int64(n.Visits), 1)
	case "duration":
		return appendMean(dst, name, n.Milliseconds, 1000*int64(n.Visits), 1)
	case "duration_timed":
		return appendMean(dst, name, n.Milliseconds, 1000*int64(n.Timed), 1)
	case "duration_median":
		if n.Visits == 0 {
			return append(appendKey(dst, name), "null"...)
		}
		return strconv.AppendInt(appendKey(dst, name), n.Median, 10)
	case "converted":
		return appendCount(dst, name, n.Converted)
	case "conversions":
		return appendCount(dst, name, n.Conversions)
	case "conversion_rate":
		return appendRate(dst, name, n.Converted, n.Visits)
	}
	return n.GoalValue.Append(appendKey(dst, name))
}

// stepNumbers are the numbers of a step.
var stepNumbers = []string{"visits", "visitors", "views", "events", "bounces", "duration", "converted", "conversions", "conversion_rate", "goal_value"}

// step appends the numbers of a step, each with a comma before it.
func (v *visitsWriter) step(dst []byte, n *query.VisitNumbers) []byte {
	for _, name := range stepNumbers {
		if v.Shows(name) {
			dst = v.number(dst, name, n)
		}
	}
	return dst
}

// row appends a row of a table.
func (v *visitsWriter) row(dst []byte, by string, r *query.VisitRow) []byte {
	dst = appendTextOrNull(append(dst, `{"value":`...), r.Value)
	dst = appendIn(dst, inValues(by, r.In))
	if some := v.numbers(append(dst, ','), &r.VisitNumbers, false); len(some) > len(dst)+1 { // metrics=events has none of a row
		dst = some
	}
	if r.Was != nil {
		dst = append(v.numbers(append(dst, `,"was":{`...), r.Was, false), '}')
	}
	return append(dst, '}')
}

// inValues returns what a value of a dimension lies in.
func inValues(by string, texts []string) (in []query.InValue) {
	for i, text := range texts {
		in = append(in, query.InValue{Field: query.Inside[by][i], Text: text})
	}
	return in
}

// csv answers with the rows of the only table, or without one with the series.
func (v *visitsWriter) csv(c *reading, by []string, answer *query.VisitsAnswer, step func([]byte, int) []byte) {
	if len(by) == 0 {
		columns := []string{"time"}
		for _, name := range stepNumbers {
			if v.Shows(name) {
				columns = append(columns, name)
			}
		}
		columns = append(columns, "partial")
		if v.Compare != nil { // the steps of both ranges are paired by position
			for _, name := range without(columns, "partial") {
				columns = append(columns, "was."+name)
			}
		}
		c.sendCSV(columns, len(v.Steps), func(dst []byte, i int) []byte {
			return v.appendStep(dst, v.Span, v.Steps[i], answer.AsOf, func(dst []byte) []byte {
				if dst = step(dst, i); i < len(answer.ComparedSteps) {
					dst = appendTime(append(dst, `,"was":{"time":`...), v.CompareSteps[i])
					dst = append(v.step(dst, &answer.ComparedSteps[i]), '}')
				}
				return dst
			})
		})
		return
	}
	columns := []string{"value"}
	for _, name := range query.Inside[by[0]] {
		columns = append(columns, "in."+name)
	}
	shown := without(v.Metrics, "events")
	columns = append(columns, shown...)
	if v.Compare != nil {
		for _, name := range shown {
			columns = append(columns, "was."+name)
		}
	}
	rows := answer.By[0].Rows
	c.sendCSV(columns, len(rows), func(dst []byte, i int) []byte { return v.row(dst, by[0], &rows[i]) })
}

// pageNumbers are the numbers of a row of pages, the default of sort first.
var pageNumbers = []string{"views", "visits", "visitors", "entries", "exits", "bounces", "bounce_rate", "exit_rate", "time"}

// pages is GET /api/v1/pages.
func (n *API) pages(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	of := c.query.choice("of")
	answer, err := n.engine.Pages(ctx, query.PagesQuery{Report: a.Report, Of: of, Rows: a.Rows})
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	row := func(dst []byte, i int) []byte { return appendPageRow(dst, &answer.Rows[i]) }
	if a.CSV {
		columns := append([]string{"value"}, pageNumbers...)
		if a.Compare != nil {
			for _, name := range pageNumbers {
				columns = append(columns, "was."+name)
			}
		}
		c.sendCSV(columns, len(answer.Rows), row)
		return nil
	}
	dst := a.open(c.out, answer.AsOf)
	dst = append(appendPageTotal(append(dst, `,"total":{`...), &answer.Total), `},"rows":[`...)
	for i := range answer.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = row(dst, i)
	}
	dst = appendUint(append(dst, ']'), `,"count":`, uint64(answer.Count))
	dst = a.next(dst, len(answer.Rows), answer.Count)
	dst = a.compare(dst, answer.AsOf, func(dst []byte) []byte {
		return append(appendPageTotal(append(dst, '{'), answer.Compared), '}')
	}, nil)
	c.out = append(dst, '}')
	return nil
}

// appendPageTotal appends the numbers of the total.
func appendPageTotal(dst []byte, n *query.PageNumbers) []byte {
	start := len(dst)
	for _, one := range []struct {
		name string
		n    uint64
	}{{"views", n.Views}, {"visits", n.Visits}, {"visitors", n.Visitors}, {"entries", n.Entries}, {"exits", n.Exits}, {"bounces", n.Bounces}} {
		dst = appendCount(dst, one.name, one.n)
	}
	return withoutComma(dst, start)
}

// appendPageNumbers appends the numbers of a row.
func appendPageNumbers(dst []byte, n *query.PageNumbers) []byte {
	dst = appendPageTotal(dst, n)
	dst = appendRate(dst, "bounce_rate", n.Bounces, n.Entries)
	dst = appendRate(dst, "exit_rate", n.Exits, n.Visits)
	return appendMean(dst, "time", n.Milliseconds, 1000*int64(n.Timed), 1)
}

func appendPageRow(dst []byte, r *query.PageRow) []byte {
	dst = appendTextOrNull(append(dst, `{"value":`...), r.Value)
	dst = appendPageNumbers(append(dst, ','), &r.PageNumbers)
	if r.Was != nil {
		dst = append(appendPageNumbers(append(dst, `,"was":{`...), r.Was), '}')
	}
	return append(dst, '}')
}
