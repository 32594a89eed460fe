package native

import (
	"context"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers GET /api/v1/fields and /api/v1/values: what there is to filter by.

// fields is GET /api/v1/fields.
func (n *API) fields(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	q := query.FieldsQuery{Report: a.Report, Search: a.Search, Limit: a.Limit}
	answer, err := n.engine.Fields(ctx, q)
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	dst := append(a.open(c.out, answer.AsOf), `,"fields":[`...)
	first := true
	for i := range answer.Fields {
		f := &answer.Fields[i]
		if !c.shows(f.Field) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = event.AppendString(append(dst, `{"field":`...), f.Field)
		dst = append(append(append(dst, `,"kind":"`...), f.Kind...), '"')
		dst = appendCount(dst, "values_about", f.About)
		dst = strconv.AppendBool(append(dst, `,"numbers":`...), f.Numbers)
		dst = append(event.AppendStrings(append(dst, `,"examples":`...), f.Examples), '}')
	}
	if dst = append(dst, ']'); answer.More {
		dst = append(dst, `,"more":true`...)
	}
	c.out = append(dst, '}')
	return nil
}

// values is GET /api/v1/values.
func (n *API) values(ctx context.Context, c *reading) error {
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	q := query.ValuesQuery{Report: a.Report, Rows: a.Rows}
	if q.Field, err = fieldNamed("field", c.query.single["field"], true); err != nil {
		return err
	}
	answer, err := n.engine.Values(ctx, q)
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	dst := append(a.open(c.out, answer.AsOf), `,"rows":[`...)
	for i := range answer.Rows {
		r := &answer.Rows[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendIn(appendTextOrNull(append(dst, `{"value":`...), r.Value), r.In)
		dst = append(appendCount(dst, "events", r.Events), '}')
	}
	dst = appendCount(append(dst, ']'), "count", uint64(answer.Count))
	if answer.Whole {
		dst = append(dst, `,"next":null`...)
	} else {
		dst = a.next(dst, len(answer.Rows), answer.Count)
	}
	c.out = append(dst, '}')
	return nil
}
