// Visits: in total, step by step, and by dimensions.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// Visits answers a report of visits.
func (r *Reports) VisitReport(ctx context.Context, q query.VisitsQuery) (*query.VisitsAnswer, error) {
	dims := make([]dim, len(q.By))
	for i, name := range q.By {
		d, ok := dimOf(name)
		if !ok {
			return nil, badDim(name)
		}
		dims[i] = d
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	key := fmt.Sprintf("visits %q %v %v %v %v %t %t", q.By, q.Where, q.Goal, q.Rows, q.Steps, q.NoVisitors, q.NoMedian)
	answer, as, err := read.Kept(rows, &q.Report, key, visitBytes, func() (*query.VisitsAnswer, error) {
		c := visitCount{rows: rows, q: &q, span: q.Span, steps: q.Steps, lengthBytes: r.lengthBytes}
		if err := c.count(dims); err != nil {
			return nil, err
		}
		return c.answer()
	}, read.RulesOf(q.Goal)...)
	if err != nil || answer == nil {
		return &query.VisitsAnswer{AsOf: as}, err
	}
	full := *answer
	full.AsOf = as
	if q.Compare != nil {
		return &full, r.compareVisits(rows, q, dims, &full)
	}
	return &full, nil
}

// compareVisits adds what the compared range has.
func (r *Reports) compareVisits(rows *read.Rows, q query.VisitsQuery, dims []dim, full *query.VisitsAnswer) error {
	was := q
	was.Span, was.Steps, was.Tag = *q.Compare, q.CompareSteps, ""
	shown := make([]map[string]bool, len(dims))
	var names []string
	for i := range full.By {
		shown[i] = make(map[string]bool)
		for _, row := range full.By[i].Rows {
			key := rowKey(&dims[i], row.Value, row.In)
			shown[i][key] = true
			names = append(names, fmt.Sprint(i, key))
		}
	}
	key := fmt.Sprintf("visits before %q %v %v %x %v %t %t", q.By, q.Where, q.Goal, hashTexts(names), was.Steps, q.NoVisitors, q.NoMedian)
	before, _, err := read.Kept(rows, &was.Report, key, visitBytes, func() (*query.VisitsAnswer, error) {
		c := visitCount{rows: rows, q: &was, span: was.Span, steps: was.Steps, lengthBytes: r.lengthBytes}
		if err := c.count(dims); err != nil {
			return nil, err
		}
		return c.shown(shown)
	}, read.RulesOf(q.Goal)...)
	if err != nil {
		return err
	}
	full.Compared, full.ComparedSteps = &before.Total, before.Series
	full.By = slices.Clone(full.By)
	for i := range full.By {
		known := make(map[string]*query.VisitNumbers)
		for k := range before.By[i].Rows {
			row := &before.By[i].Rows[k]
			known[rowKey(&dims[i], row.Value, row.In)] = &row.VisitNumbers
		}
		rows := slices.Clone(full.By[i].Rows)
		for k := range rows {
			if rows[k].Was = known[rowKey(&dims[i], rows[k].Value, rows[k].In)]; rows[k].Was == nil {
				rows[k].Was = new(query.VisitNumbers)
			}
		}
		full.By[i].Rows = rows
	}
	return nil
}

// rowKey returns a text that is the same for the same value of a dimension.
func rowKey(d *dim, value query.Text, in []string) string {
	if value.Null {
		return ""
	}
	text := value.Text
	if d.fold {
		text = query.Fold(text)
	}
	return "." + strings.Join(append(slices.Clone(in), text), dimSep)
}

// visitBytes estimates the bytes of an answer.
func visitBytes(a *query.VisitsAnswer) int {
	const numbers = 176
	n := numbers * (2 + len(a.Series))
	for _, t := range a.By {
		for _, row := range t.Rows {
			n += numbers + 96 + len(row.Value.Text) + 24*len(row.In)
		}
	}
	return n
}

// visitCount counts the visits of one range.
type visitCount struct {
	rows        *read.Rows
	q           *query.VisitsQuery
	span        query.Span
	steps       []int64
	lengthBytes int // of lengths that are counted in one pass

	pass    *visitPass
	tables  []*table
	at      []int // index of each table's dimension in the pass
	total   query.VisitNumbers
	series  []query.VisitNumbers
	sets    read.PairSets
	room    *read.Room
	people  *read.PairSet // row 0
	inSteps *read.PairSet

	sums []*visitSum
}

// count makes the pass.
func (c *visitCount) count(dims []dim) error {
	var err error
	if c.pass, err = newVisitPass(c.rows, c.q.Where, c.span); err != nil {
		return err
	}
	c.pass.goal, c.pass.fresh = c.q.Goal, true
	c.at = nil
	for i := range dims {
		c.at = append(c.at, c.pass.need(&dims[i]))
	}
	c.sets = c.rows.PairSetsOf(c.pass.workers())
	defer c.sets.Close()
	c.room = c.rows.Room()
	defer c.room.Close()
	c.reset(dims)
	err = c.pass.run(func() { c.sets.Reset(); c.room.Reset(); c.reset(dims) }, func() visitSink {
		s, step := c.newSum(), stepOf(c.steps) // which is for one goroutine
		return func(texts *read.Terms, v *visitFacts) error { return s.add(texts, v, step) }
	})
	if err != nil {
		return err
	}
	for _, s := range c.sums {
		c.total.Add(&s.total)
		for i := range s.series {
			c.series[i].Add(&s.series[i])
		}
		c.people.Take(s.people)
		c.inSteps.Take(s.inSteps)
		for i, t := range c.tables {
			t.take(s.tables[i])
		}
	}
	if err := c.countPeople(); err != nil {
		return err
	}
	if !c.q.NoMedian {
		if err := c.medians(); err != nil {
			return err
		}
	}
	total, steps, err := countRows(c.rows, c.q.Where, c.span, c.steps)
	if err != nil {
		return err
	}
	c.total.Events, c.total.Views = total.events, total.views
	for i := range steps {
		c.series[i].Events, c.series[i].Views = steps[i].events, steps[i].views
	}
	return nil
}

func (c *visitCount) reset(dims []dim) {
	c.total, c.series = query.VisitNumbers{}, make([]query.VisitNumbers, len(c.steps))
	c.people, c.inSteps = c.sets.New(), c.sets.New()
	c.tables, c.sums = nil, nil
	for i := range dims {
		t := newTable(&dims[i], c.room)
		t.people = c.sets.New()
		c.tables = append(c.tables, t)
	}
}

// answer returns the answer with the rows that are asked for.
func (c *visitCount) answer() (*query.VisitsAnswer, error) {
	a := &query.VisitsAnswer{Total: c.total, Series: c.series}
	for _, t := range c.tables {
		a.By = append(a.By, t.page(&c.q.Rows))
	}
	return a, nil
}

// shown returns the answer with some rows, by rowKey.
func (c *visitCount) shown(keys []map[string]bool) (*query.VisitsAnswer, error) {
	a := &query.VisitsAnswer{Total: c.total, Series: c.series}
	for i, t := range c.tables {
		var page query.VisitTable
		for k := range t.rows {
			row := t.visitRow(k)
			if keys[i][rowKey(t.dim, row.Value, row.In)] {
				page.Rows = append(page.Rows, row)
			}
		}
		a.By = append(a.By, page)
	}
	return a, nil
}

// visitRow returns a row as it is shown.
func (t *table) visitRow(i int) query.VisitRow {
	r := &t.rows[i]
	row := query.VisitRow{Value: query.Text{Text: r.text, Null: r.null}, VisitNumbers: r.VisitNumbers}
	row.Views = row.VisitViews
	if len(t.in) > 0 && !r.null {
		parts := strings.Split(r.text, dimSep)
		row.Value.Text, row.In = parts[len(parts)-1], parts[:len(parts)-1]
	}
	return row
}

// page returns the rows that are asked for.
func (t *table) page(q *query.Rows) query.VisitTable {
	all := make([]query.VisitRow, 0, len(t.rows))
	search := query.NewSearch(q.Search)
	for i := range t.rows {
		row := t.visitRow(i)
		if t.order == nil && (row.Visits < q.AtLeast || q.Search != "" && (row.Value.Null || !search.Matches(row.Value.Text))) {
			continue
		}
		all = append(all, row)
	}
	if t.order != nil {
		slices.SortFunc(all, func(a, b query.VisitRow) int {
			return slices.Index(t.order, a.Value.Text) - slices.Index(t.order, b.Value.Text)
		})
		return query.VisitTable{Rows: all, Count: len(all)}
	}
	number := visitNumber(cmp.Or(q.Sort, "visits"))
	var of func(*query.VisitRow) ratio
	if number != nil {
		of = func(r *query.VisitRow) ratio { return number(&r.VisitNumbers) }
	}
	sortRows(all, q.Ascending, func(r *query.VisitRow) (query.Text, []string) { return r.Value, r.In }, of)
	var table query.VisitTable
	table.Rows, table.Count, table.More = cutRows(all, q)
	return table
}

// VisitNumberNames are the numbers of a row of visits, by which a table may be sorted.
var VisitNumberNames = []string{
	"visits", "visitors", "new_visits", "views", "bounces", "bounce_rate", "views_per_visit", "duration", "duration_timed", "duration_median",
	"converted", "conversions", "conversion_rate", "goal_value",
}

// visitNumber returns how to read a number of a row by its name, nil for "value".
func visitNumber(name string) func(*query.VisitNumbers) ratio {
	whole := func(of func(*query.VisitNumbers) uint64) func(*query.VisitNumbers) ratio {
		return func(n *query.VisitNumbers) ratio { return ratio{float64(of(n)), 1} }
	}
	per := func(of, by func(*query.VisitNumbers) uint64) func(*query.VisitNumbers) ratio {
		return func(n *query.VisitNumbers) ratio { return ratio{float64(of(n)), float64(by(n))} }
	}
	visits := func(n *query.VisitNumbers) uint64 { return n.Visits }
	switch name {
	case "visitors":
		return whole(func(n *query.VisitNumbers) uint64 { return n.Visitors })
	case "new_visits":
		return whole(func(n *query.VisitNumbers) uint64 { return n.New })
	case "views":
		return whole(func(n *query.VisitNumbers) uint64 { return n.VisitViews })
	case "bounces":
		return whole(func(n *query.VisitNumbers) uint64 { return n.Bounces })
	case "bounce_rate":
		return per(func(n *query.VisitNumbers) uint64 { return n.Bounces }, visits)
	case "views_per_visit":
		return per(func(n *query.VisitNumbers) uint64 { return n.VisitViews }, visits)
	case "duration":
		return per(func(n *query.VisitNumbers) uint64 { return uint64(n.Milliseconds) }, visits)
	case "duration_timed":
		return per(func(n *query.VisitNumbers) uint64 { return uint64(n.Milliseconds) }, func(n *query.VisitNumbers) uint64 { return n.Timed })
	case "duration_median":
		return func(n *query.VisitNumbers) ratio { return ratio{float64(n.Median), float64(min(n.Visits, 1))} }
	case "converted":
		return whole(func(n *query.VisitNumbers) uint64 { return n.Converted })
	case "conversions":
		return whole(func(n *query.VisitNumbers) uint64 { return n.Conversions })
	case "conversion_rate":
		return per(func(n *query.VisitNumbers) uint64 { return n.Converted }, visits)
	case "goal_value":
		return func(n *query.VisitNumbers) ratio { return ratio{n.GoalValue.Float(), 1} }
	case "value":
		return nil
	}
	return whole(visits)
}
