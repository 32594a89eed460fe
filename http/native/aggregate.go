package native

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/query"
)

// This file answers GET /api/v1/aggregate: sums, means and percentiles of numbers.

// aggregateMetrics are the numbers of an aggregate.
var aggregateMetrics = []string{"count", "sum", "avg", "min", "max", "p50", "p90", "p95", "p99", "distinct"}

// aggregate is GET /api/v1/aggregate.
func (n *API) aggregate(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	q := query.AggregateQuery{Report: a.Report, Rows: a.Rows}
	if q.Of, err = c.query.aggregated(); err != nil {
		return err
	}
	by, err := c.query.byFields()
	if err != nil {
		return err
	}
	if len(by) > 0 {
		q.By = by[0]
	}
	q.NoRanks = !slices.ContainsFunc(a.Metrics, func(m string) bool { return m[0] == 'p' || m == "distinct" })
	if a.CSV {
		switch {
		case q.By != "":
			a.Interval, q.Steps, q.CompareSteps = "", nil, nil // the table is that of the rows
		case a.Interval == "":
			return badField("format", "needs by or interval: a table has rows or steps")
		}
	}
	answer, err := n.engine.Aggregate(ctx, q)
	if err != nil {
		return engineError(err)
	}
	as := answer.AsOf
	if c.has(as) {
		return nil
	}
	numbers := func(dst []byte, n *query.Numbers) []byte { return a.numbers(dst, n, answer.Error == 0) }
	object := func(dst []byte, n *query.Numbers) []byte {
		return append(appendFirst(append(dst, '{'), numbers(nil, n)), '}')
	}
	row := func(dst []byte, i int) []byte {
		r := &answer.Rows[i]
		dst = appendIn(appendTextOrNull(append(dst, `{"value":`...), r.Value), r.In)
		if dst = numbers(dst, &r.Numbers); r.Was != nil {
			dst = object(append(dst, `,"was":`...), r.Was)
		}
		return append(dst, '}')
	}
	columns := with(a.Metrics, "not_numbers")
	switch {
	case a.CSV && q.By != "":
		c.sendCSV(a.rowColumns(by, columns), len(answer.Rows), row)
		return nil
	case a.CSV:
		c.sendCSV(slices.Concat([]string{"time"}, columns, []string{"partial"}), len(a.Steps), func(dst []byte, i int) []byte {
			dst = numbers(appendTime(append(dst, `{"time":`...), a.Steps[i]), &answer.Steps[i])
			return append(strconv.AppendBool(append(dst, `,"partial":`...), partial(a.Span, a.Steps[i], a.Interval, as.Time, a.Site)), '}')
		})
		return nil
	}
	dst := object(append(a.open(c.out, as), `,"total":`...), &answer.Total)
	dst = append(dst, `,"rows":[`...)
	for i := range answer.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = row(dst, i)
	}
	dst = appendCount(append(dst, ']'), "count", uint64(answer.Count))
	if answer.Whole {
		dst = append(dst, `,"next":null`...)
	} else {
		dst = a.next(dst, len(answer.Rows), answer.Count)
	}
	dst = appendExact(dst, answer)
	// series appends the steps of the total, or of each row and of all others.
	series := func(dst []byte, s query.Span, starts []int64, total []query.Numbers, of func(*query.AggregateRow) []query.Numbers) []byte {
		steps := func(dst []byte, steps []query.Numbers) []byte {
			return a.appendSteps(dst, s, starts, as, func(dst []byte, i int) []byte { return numbers(dst, &steps[i]) })
		}
		if q.By == "" {
			return steps(dst, total)
		}
		dst = append(dst, '[')
		for i := range answer.Rows {
			if i > 0 {
				dst = append(dst, ',')
			}
			r := &answer.Rows[i]
			dst = appendIn(appendTextOrNull(append(dst, `{"value":`...), r.Value), r.In)
			dst = append(steps(append(dst, `,"steps":`...), of(r)), '}')
		}
		if answer.Other != nil {
			if len(answer.Rows) > 0 {
				dst = append(dst, ',')
			}
			dst = append(steps(append(dst, `{"other":true,"steps":`...), of(answer.Other)), '}')
		}
		return append(dst, ']')
	}
	if a.Interval != "" {
		dst = append(append(append(dst, `,"interval":"`...), a.Interval...), `","series":`...)
		dst = series(dst, a.Span, a.Steps, answer.Steps, func(r *query.AggregateRow) []query.Numbers { return r.Steps })
	}
	if a.Compare != nil {
		dst = appendTime(append(dst, `,"compare":{"from":`...), a.Compare.From)
		dst = appendTime(append(dst, `,"to":`...), a.Compare.To)
		if dst = object(append(dst, `,"total":`...), answer.Compared); a.Interval != "" {
			dst = series(append(dst, `,"series":`...), *a.Compare, a.CompareSteps, answer.WasSteps, func(r *query.AggregateRow) []query.Numbers { return r.WasSteps })
		}
		dst = append(dst, '}')
	}
	c.out = append(dst, '}')
	return nil
}

// aggregated reads the parameter of.
func (q *params) aggregated() (string, error) {
	field, err := fieldNamed("of", q.single["of"], false)
	if prefix, _, dotted := strings.Cut(field, "."); err != nil || field != "value" && (!dotted || prefix != "prop" && prefix != "extra") {
		return "", badField("of", "must be value, prop.PATH or extra.PATH")
	}
	return field, nil
}

// numbers appends the metrics that are asked for, each with a comma before it. exact says that all
// different numbers are known.
func (a *asked) numbers(dst []byte, n *query.Numbers, exact bool) []byte {
	number := func(dst []byte, text string) []byte {
		if text == "" {
			text = "null"
		}
		return append(dst, text...)
	}
	for _, m := range a.Metrics {
		dst = appendKey(dst, m)
		switch m {
		case "count":
			dst = strconv.AppendUint(dst, n.Count, 10)
		case "sum":
			dst = n.Sum.Append(dst)
		case "avg":
			if n.Count == 0 {
				dst = append(dst, "null"...)
			} else {
				dst = n.Sum.AppendQuotient(dst, n.Count, 6)
			}
		case "min":
			dst = number(dst, n.Min)
		case "max":
			dst = number(dst, n.Max)
		case "distinct":
			if exact {
				dst = strconv.AppendUint(dst, n.Distinct, 10)
			} else {
				dst = append(dst, "null"...)
			}
		default:
			dst = number(dst, n.Percentiles[slices.Index(aggregateMetrics, m)-slices.Index(aggregateMetrics, "p50")])
		}
	}
	return appendCount(dst, "not_numbers", n.NotNumbers)
}

// appendExact appends ,"exact":{…}. Every number of a row or step is in the total of its range.
func appendExact(dst []byte, a *query.AggregateAnswer) []byte {
	exact := a.Total.Sum.Exact() && (a.Compared == nil || a.Compared.Sum.Exact())
	dst = strconv.AppendBool(append(dst, `,"exact":{"sum":`...), exact)
	dst = strconv.AppendBool(append(dst, `,"percentiles":`...), a.Error == 0)
	if a.Error != 0 {
		dst = strconv.AppendFloat(append(dst, `,"error":`...), a.Error, 'f', -1, 64)
	}
	return append(dst, '}')
}
