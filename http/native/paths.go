package native

import (
	"context"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers GET /api/v1/paths.

const (
	pathsFoldMax  = 32   // patterns of one query
	pathsLabelMax = 1024 // bytes of a pattern or label of one query
)

var pathsOf = []string{string(query.PathsPages), string(query.PathsEvents), string(query.PathsBoth)}

// askPaths reads the parameters.
func (n *API) askPaths(ctx context.Context, c *reading) (*asked, query.Paths, error) {
	var q query.Paths
	a, err := n.ask(ctx, c)
	if err != nil {
		return nil, q, err
	}
	q.Report, q.Limit, q.NoLinks = a.Report, a.Limit, a.CSV
	if q.Start, err = c.query.optionalFilter("start"); err != nil {
		return nil, q, err
	}
	if q.End, err = c.query.optionalFilter("end"); err != nil {
		return nil, q, err
	}
	if q.Start != nil && q.End != nil {
		return nil, q, badField("end", "cannot be given together with start")
	}
	q.Depth, q.Of = int(c.query.number("depth")), query.PathsOf(c.query.choice("of"))
	if q.Each = c.query.choice("anchor") == "each"; q.Each && q.Start == nil && q.End == nil {
		return nil, q, badField("anchor", "each needs a start or an end")
	}
	if q.Then = c.query.lists["then"]; len(q.Then) > q.Depth {
		return nil, q, badField("then", "more labels than columns; raise depth")
	}
	q.Fold = c.query.lists["fold"]
	return a, q, nil
}

// paths is GET /api/v1/paths.
func (n *API) paths(ctx context.Context, c *reading) error {
	a, q, err := n.askPaths(ctx, c)
	if err != nil {
		return err
	}
	answer, as, err := n.engine.Paths(ctx, &q)
	if err != nil {
		return engineError(err)
	}
	if c.has(as) {
		return nil
	}
	if a.CSV {
		c.pathsCSV(answer)
		return nil
	}
	dst := append(a.open(c.out, as), map[bool]string{false: `,"unit":"visits"`, true: `,"unit":"rows"`}[q.Each]...)
	dst = append(appendCount(dst, "anchored", answer.Anchored), `,"columns":[`...)
	for i := range answer.Columns {
		column := &answer.Columns[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"rows":[`...)
		for k := range column.Rows {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = event.AppendString(append(dst, `{"label":`...), column.Rows[k].Label)
			dst = append(appendCount(dst, "count", column.Rows[k].Count), '}')
		}
		dst = appendCount(append(dst, ']'), "other", column.Other)
		dst = append(appendCount(dst, "stopped", column.Stopped), '}')
	}
	dst = append(dst, `],"links":[`...)
	for i := range answer.Links {
		link := &answer.Links[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"column":`...), int64(link.Column), 10)
		dst = appendTextOrNull(append(dst, `,"from":`...), link.From)
		dst = event.AppendString(append(dst, `,"to":`...), link.To)
		dst = append(appendCount(dst, "count", link.Count), '}')
	}
	c.out = append(dst, "]}"...)
	return nil
}

// pathsCSV answers with the labels of all columns.
func (c *reading) pathsCSV(answer *query.PathsAnswer) {
	total := 0
	for i := range answer.Columns {
		total += len(answer.Columns[i].Rows)
	}
	column, row := 0, 0
	c.sendCSV([]string{"column", "label", "count"}, total, func(dst []byte, _ int) []byte { // in order
		for row == len(answer.Columns[column].Rows) {
			column, row = column+1, 0
		}
		r := &answer.Columns[column].Rows[row]
		row++
		dst = strconv.AppendInt(append(dst, `{"column":`...), int64(column), 10)
		dst = event.AppendString(append(dst, `,"label":`...), r.Label)
		return append(appendCount(dst, "count", r.Count), '}')
	})
}
