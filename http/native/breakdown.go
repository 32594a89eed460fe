package native

import (
	"context"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers GET /api/v1/breakdown: events by the values of one or two fields.

// fieldNamed reads the name of a field that a parameter has as its value. Nothing is taken off
// it: an operator or quotes would be part of the name. A name that begins with visit. is that of a
// dimension of visits; visits says that such a one may be named.
func fieldNamed(param, text string, visits bool) (string, error) {
	known := with(without(filterParams, "has"), "timezone")
	name, about := strings.CutPrefix(text, "visit.")
	if visits {
		known = with(known, visitFields...)
	}
	field, ok := fieldOf(known, name)
	switch {
	case !ok || about && !visits:
		return "", badField(param, "must name a field: "+strings.Join(filterFields, ", ")+", a key of the context, prop.PATH or extra.PATH")
	case about:
		field = "visit." + field
	}
	return field, nil
}

// byFields reads the parameter by.
func (q *params) byFields() (fields []string, err error) {
	for _, text := range q.lists["by"] {
		field, err := fieldNamed("by", text, true)
		if err != nil {
			return nil, err
		}
		if slices.Contains(fields, field) {
			return nil, badField("by", "names a field twice")
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// breakdown is GET /api/v1/breakdown.
func (n *API) breakdown(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	q := query.BreakdownQuery{Report: a.Report, Rows: a.Rows}
	if q.By, err = c.query.byFields(); err != nil {
		return err
	}
	q.Metrics = c.query.metrics()
	if a.CSV {
		a.Interval, q.Steps, q.CompareSteps = "", nil, nil // the table is that of the rows
	}
	answer, err := n.engine.Breakdown(ctx, q)
	if err != nil {
		return engineError(err)
	}
	as := answer.AsOf
	if c.has(as) {
		return nil
	}
	numbers := func(dst []byte, t, total *query.Totals) []byte {
		dst = a.totals(dst, t)
		if a.Shows("events") && total != nil {
			dst = appendRate(dst, "share", t.Events, total.Events)
		}
		return dst
	}
	row := func(dst []byte, i int) []byte {
		r := &answer.Rows[i]
		dst = appendRowValue(append(dst, '{'), &q, r)
		dst = appendIn(dst, r.In)
		dst = numbers(dst, &r.Totals, &answer.Total)
		if r.Was != nil {
			dst = append(appendFirst(append(dst, `,"was":{`...), numbers(nil, r.Was, answer.Compared)), '}')
		}
		return append(dst, '}')
	}
	if a.CSV {
		c.sendCSV(a.rowColumns(q.By, numberColumns(a.Metrics, "share")), len(answer.Rows), row)
		return nil
	}
	dst := append(a.open(c.out, as), `,"rows":[`...)
	for i := range answer.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = row(dst, i)
	}
	total := func(dst []byte, t *query.Totals) []byte {
		return append(appendFirst(append(dst, '{'), a.totals(nil, t)), '}')
	}
	dst = total(append(dst, `],"total":`...), &answer.Total)
	dst = appendCount(dst, "count", uint64(answer.Count))
	if answer.Whole {
		dst = append(dst, `,"next":null`...)
	} else {
		dst = a.next(dst, len(answer.Rows), answer.Count)
	}
	series := func(dst []byte, s query.Span, starts []int64, of func(*query.BreakdownRow) []query.Totals) []byte {
		rows := answer.Rows
		if answer.Other != nil {
			rows = append(rows[:len(rows):len(rows)], *answer.Other)
		}
		dst = append(dst, '[')
		for i := range rows {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst = append(dst, '{'); rows[i].Other {
				dst = append(dst, `"other":true`...)
			} else {
				dst = appendIn(appendRowValue(dst, &q, &rows[i]), rows[i].In)
			}
			steps := of(&rows[i])
			dst = a.appendSteps(append(dst, `,"steps":`...), s, starts, as, func(dst []byte, k int) []byte { return a.totals(dst, &steps[k]) })
			dst = append(dst, '}')
		}
		return append(dst, ']')
	}
	if a.Interval != "" {
		dst = append(append(append(dst, `,"interval":"`...), a.Interval...), `","series":`...)
		dst = series(dst, a.Span, a.Steps, func(r *query.BreakdownRow) []query.Totals { return r.Steps })
	}
	if a.Compare != nil {
		dst = appendTime(append(dst, `,"compare":{"from":`...), a.Compare.From)
		dst = appendTime(append(dst, `,"to":`...), a.Compare.To)
		dst = total(append(dst, `,"total":`...), answer.Compared)
		if a.Interval != "" {
			dst = series(append(dst, `,"series":`...), *a.Compare, a.CompareSteps, func(r *query.BreakdownRow) []query.Totals { return r.WasSteps })
		}
		dst = append(dst, '}')
	}
	c.out = append(dst, '}')
	return nil
}

// totals appends the metrics that are asked for, each with a comma before it.
func (a *asked) totals(dst []byte, t *query.Totals) []byte {
	for i, n := range [...]uint64{t.Events, t.Users, t.Sessions} {
		if a.Shows(metricNames[i]) {
			dst = appendCount(dst, metricNames[i], n)
		}
	}
	return dst
}

// appendFirst appends members, each with a comma before it, to an object without any.
func appendFirst(dst, members []byte) []byte {
	if len(members) == 0 {
		return dst
	}
	return append(dst, members[1:]...)
}

// appendRowValue appends "value":… and with a second field ,"with":…
func appendRowValue(dst []byte, q *query.BreakdownQuery, r *query.BreakdownRow) []byte {
	dst = appendTextOrNull(append(dst, `"value":`...), r.Value)
	if len(q.By) > 1 {
		dst = appendTextOrNull(append(dst, `,"with":`...), r.With)
	}
	return dst
}

// appendIn appends ,"in":{…}, or nothing when a value lies in nothing.
func appendIn(dst []byte, in []query.InValue) []byte {
	for i := range in {
		if i == 0 {
			dst = append(dst, `,"in":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, in[i].Field), ':')
		dst = appendTextOrNull(dst, query.Text{Text: in[i].Text, Null: in[i].Text == ""})
	}
	if len(in) > 0 {
		dst = append(dst, '}')
	}
	return dst
}

// rowColumns are the columns of a table of events by fields.
func (a *asked) rowColumns(by, numbers []string) []string {
	columns := []string{"value"}
	if len(by) > 1 {
		columns = append(columns, "with")
	}
	for _, name := range by {
		for _, in := range inFields[strings.TrimPrefix(name, "visit.")] {
			if !slices.Contains(columns, "in."+in) {
				columns = append(columns, "in."+in)
			}
		}
	}
	columns = append(columns, numbers...)
	if a.Compare != nil {
		for _, name := range numbers {
			columns = append(columns, "was."+name)
		}
	}
	return columns
}

// inFields has the fields that a field lies in.
var inFields = map[string][]string{
	"region": {"country"}, "city": {"country", "region"}, "browser_version": {"browser"}, "os_version": {"os"},
}

// numberColumns are metrics, with what comes with events.
func numberColumns(metrics []string, withEvents string) []string {
	if slices.Contains(metrics, "events") {
		return with(metrics, withEvents)
	}
	return metrics
}
