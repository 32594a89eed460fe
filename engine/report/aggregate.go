// Aggregates: the numbers that rows of the log have under a field.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Aggregate answers a report of numbers.
func (r *Reports) Aggregate(ctx context.Context, q query.AggregateQuery) (*query.AggregateAnswer, error) {
	if prefix, path, dotted := strings.Cut(q.Of, "."); q.Of != "value" && (!dotted || path == "" || prefix != "prop" && prefix != "extra") {
		return nil, query.Bad("of", "must be value, prop.PATH or extra.PATH")
	}
	if q.By != "" {
		if err := checkRowDim("by", q.By); err != nil {
			return nil, err
		}
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	type kept struct {
		query.AggregateAnswer
		keys []groupKey // of the rows
	}
	size := func(a *kept) int { return aggregateBytes(&a.AggregateAnswer) }
	key := fmt.Sprintf("aggregate %q %q %v %t %v", q.Of, q.By, q.Where, q.NoRanks, q.Rows)
	answer, as, err := read.Kept(rows, &q.Report, key, size, func() (*kept, error) {
		room := rows.Room()
		defer room.Close()
		c, err := newAggregate(rows, room, &q, q.Span, q.Steps, r.tuples)
		if err != nil {
			return nil, err
		}
		var a kept
		shown, err := c.page(&a.AggregateAnswer)
		for _, group := range shown {
			a.keys = append(a.keys, c.groups.key(group))
		}
		return &a, err
	})
	if err != nil || answer == nil {
		return &query.AggregateAnswer{AsOf: as}, err
	}
	full := answer.AggregateAnswer
	full.AsOf = as
	if q.Compare == nil {
		return &full, nil
	}
	was := q
	was.Span, was.Steps, was.Tag = *q.Compare, q.CompareSteps, ""
	key = fmt.Sprintf("aggregate before %q %q %v %t %x", q.Of, q.By, q.Where, q.NoRanks, hashKeys(answer.keys))
	before, _, err := read.Kept(rows, &was.Report, key, size, func() (*kept, error) {
		room := rows.Room()
		defer room.Close()
		c, err := newAggregate(rows, room, &was, was.Span, was.Steps, r.tuples)
		if err != nil {
			return nil, err
		}
		shown := make([]int32, len(answer.keys))
		for i, key := range answer.keys {
			shown[i] = c.groups.find(key)
		}
		var a kept
		return &a, c.fill(shown, &a.AggregateAnswer)
	})
	if err != nil {
		return nil, err
	}
	full.Compared, full.WasSteps, full.Rows = &before.Total, before.Steps, slices.Clone(full.Rows)
	for i := range full.Rows {
		full.Rows[i].Was, full.Rows[i].WasSteps = &before.Rows[i].Numbers, before.Rows[i].Steps
	}
	if full.Other != nil || before.Other != nil {
		other := query.AggregateRow{Other: true, Steps: make([]query.Numbers, len(q.Steps)), WasSteps: make([]query.Numbers, len(q.CompareSteps))}
		if full.Other != nil {
			other.Steps = full.Other.Steps
		}
		if before.Other != nil {
			other.WasSteps = before.Other.Steps
		}
		full.Other = &other
	}
	full.Error = max(full.Error, before.Error)
	return &full, nil
}

func aggregateBytes(a *query.AggregateAnswer) int {
	const numbers = 256
	n := numbers * (1 + len(a.Steps))
	for i := range a.Rows {
		n += numbers*(1+len(a.Rows[i].Steps)) + 128 + len(a.Rows[i].Value.Text)
	}
	if a.Other != nil {
		n += numbers * len(a.Other.Steps)
	}
	return n
}

// aggregate is the numbers of one range.
type aggregate struct {
	rows   *read.Rows
	q      *query.AggregateQuery
	steps  []int64
	tuples int

	sel    *read.Selection
	groups *rowGroups
	counts []numberStats // by group: events, count and not alone
}

// newAggregate finds the groups of a range, of rows that have the field.
func newAggregate(rows *read.Rows, room *read.Room, q *query.AggregateQuery, span query.Span, steps []int64, tuples int) (*aggregate, error) {
	c := &aggregate{rows: rows, q: q, steps: steps, tuples: tuples}
	var err error
	if c.sel, err = rows.Select(q.Where, span); err != nil {
		return nil, err
	}
	var by []string
	if q.By != "" {
		by = append(by, q.By)
	}
	dims, err := dimsOf(rows, by, q.Where, span, 4*tuples)
	if err != nil {
		return nil, err
	}
	c.groups = newRowGroups(dims, room)
	if len(dims) == 0 {
		return c, nil
	}
	type sliceStats struct {
		*sliceNumbers
		counts []numberStats
	}
	return c, read.InOrder(c.sel, func(s *read.Slice) (*sliceStats, error) {
		if s.Lacks(q.Of) {
			return nil, nil
		}
		n := &sliceStats{sliceNumbers: c.open(s)}
		return n, n.each(s, func(row int, elements, groups []int32) {
			count := uint64(0)
			for _, id := range elements {
				if n.isNumber(id) {
					count++
				}
			}
			for _, group := range groups {
				n.counts = grownTo(n.counts, int(group))
				of := &n.counts[group]
				of.events++
				of.count += count
				of.not += uint64(len(elements)) - count
			}
		})
	}, func(n *sliceStats) error {
		for group := range n.sliceGroups.groups {
			to, err := c.groups.group(n.sliceGroups, int32(group), true)
			if err != nil {
				return err
			}
			c.counts = grownTo(c.counts, int(to))
			of := &c.counts[to]
			of.events += n.counts[group].events
			of.count += n.counts[group].count
			of.not += n.counts[group].not
		}
		return rows.Check()
	})
}

// sliceNumbers reads the numbers of a slice.
type sliceNumbers struct {
	*sliceGroups
	rows  *read.Rows
	field read.Field
	texts read.Terms
	is    []int8 // by number of a term: 1 = it is a number, -1 = it is none
}

func (c *aggregate) open(s *read.Slice) *sliceNumbers {
	n := &sliceNumbers{sliceGroups: newSliceGroups(s, c.groups.dims, c.rows.Zone()), rows: c.rows}
	n.field = s.Elements(c.q.Of, &n.texts)
	return n
}

// each calls fn with the rows that have the field, their terms and groups.
func (n *sliceNumbers) each(s *read.Slice, fn func(row int, elements, groups []int32)) error {
	w := work{rows: n.rows}
	err := s.Each(func(rows []int32) {
		for _, row := range rows {
			if w.failed() || s.TimedOut() {
				return
			}
			elements := n.field.Terms(int(row))
			if len(elements) == 0 {
				continue
			}
			groups := n.of(int(row))
			fn(int(row), elements, groups)
			w.did(len(elements) * len(groups))
		}
		if w.set(n.check()); n.texts.Bytes() > 2*splitBytesMax {
			w.set(tooManyValues("of"))
		}
	})
	return cmp.Or(err, w.err)
}

func (n *sliceNumbers) isNumber(id int32) bool {
	n.is = grownTo(n.is, int(id))
	if n.is[id] == 0 {
		if n.is[id] = -1; event.IsNumber(n.texts.Text(id)) {
			n.is[id] = 1
		}
	}
	return n.is[id] > 0
}

// page sets the rows that are asked for, and returns their groups.
func (c *aggregate) page(to *query.AggregateAnswer) (shown []int32, err error) {
	if len(c.groups.dims) == 0 {
		return nil, c.fill(nil, to)
	}
	var number func(i int32) ratio
	whole := func(of func(s *numberStats) uint64) func(i int32) ratio {
		return func(i int32) ratio { return ratio{float64(of(&c.counts[i])), 1} }
	}
	switch sort := cmp.Or(c.q.Rows.Sort, "count"); sort {
	case "value":
	case "count":
		number = whole(func(s *numberStats) uint64 { return s.count })
	case "not_numbers":
		number = whole(func(s *numberStats) uint64 { return s.not })
	default:
		if number, err = c.sortedBy(sort); err != nil {
			return nil, err
		}
	}
	page := pageGroups(c.groups, &c.q.Rows, func(i int32) uint64 { return c.counts[i].events }, number)
	to.Count, to.Whole = page.count, page.whole
	if err := c.rows.Check(); err != nil {
		return nil, err
	}
	return page.shown, c.fill(page.shown, to)
}

// AggregateNumberNames are the numbers of a row of an aggregate, by which a table may be sorted.
var AggregateNumberNames = []string{"count", "not_numbers", "sum", "avg", "min", "max", "p50", "p90", "p95", "p99", "distinct"}

// sortedBy returns how to read a number of a group that takes another pass.
func (c *aggregate) sortedBy(name string) (func(i int32) ratio, error) {
	if len(c.groups.groups) > c.tuples/4 {
		return nil, query.Bad("sort", "more than %d rows; sort by count or value, or add a filter", c.tuples/4)
	}
	every := make([]int32, len(c.groups.groups))
	for i := range every {
		every[i] = int32(i)
	}
	ranks := name == "distinct" || strings.HasPrefix(name, "p")
	cells, err := c.numbers(every, nil, ranks)
	if err != nil {
		return nil, err
	}
	var all []query.Numbers
	if ranks {
		all = cells.answers()
	}
	decimal := func(text string) ratio {
		if text == "" {
			return ratio{}
		}
		return ratio{keyFloat(numberOf(text).key), 1}
	}
	return func(i int32) ratio {
		s := &cells.stats[1+i]
		switch name {
		case "sum":
			return ratio{s.sum.Float(), 1}
		case "avg":
			return ratio{s.sum.Float(), float64(s.count)}
		case "distinct":
			return ratio{float64(all[1+i].Distinct), 1}
		}
		switch {
		case s.count == 0:
			return ratio{}
		case name == "min":
			return ratio{keyFloat(s.min.key), 1}
		case name == "max":
			return ratio{keyFloat(s.max.key), 1}
		}
		for k, p := range query.Percentiles {
			if name == fmt.Sprint("p", p) {
				return decimal(all[1+i].Percentiles[k])
			}
		}
		return ratio{}
	}, nil
}

// fill sets the numbers of some groups, -1 = one of which there is nothing, with their series.
func (c *aggregate) fill(shown []int32, to *query.AggregateAnswer) error {
	if (len(shown)+1)*len(c.steps) > query.BreakdownStepsMax {
		return query.Bad("interval", "more than %d steps of all rows together; ask for a longer interval or fewer rows", query.BreakdownStepsMax)
	}
	if len(shown) > max(c.tuples/4, query.LimitMax) {
		return query.Bad("by", "more than %d rows in one answer; add a filter", max(c.tuples/4, query.LimitMax))
	}
	cells, err := c.numbers(shown, c.steps, !c.q.NoRanks)
	if err != nil {
		return err
	}
	all := cells.answers()
	to.Total, to.Error = all[0], cells.relativeError()
	steps := func(i int) []query.Numbers {
		from := 1 + len(shown) + i*len(c.steps)
		return all[from : from+len(c.steps) : from+len(c.steps)]
	}
	if len(c.groups.dims) == 0 {
		if len(c.steps) > 0 {
			to.Steps = steps(0)
		}
		return nil
	}
	to.Rows = make([]query.AggregateRow, len(shown))
	for i, group := range shown {
		row := &to.Rows[i]
		if row.Numbers = all[1+i]; len(c.steps) > 0 {
			row.Steps = steps(i)
		}
		if group >= 0 {
			text := c.groups.row(group)
			row.Value, row.In = text.value, text.in
		}
	}
	if len(c.steps) > 0 {
		other := steps(len(shown))
		if slices.ContainsFunc(other, func(n query.Numbers) bool { return n.Events > 0 }) {
			to.Other = &query.AggregateRow{Other: true, Steps: other}
		}
	}
	return nil
}

// sliceCells is what a slice adds to the cells: how often each term is in each.
type sliceCells struct {
	*sliceNumbers
	terms  map[uint64]uint32 // cell u32 | number of a term u32
	events map[uint32]uint64 // by cell
}

// cellsPending is how many terms of cells a slice has at most before they are added.
const cellsPending = 1 << 18

// numbers collects the numbers of the cells of some groups.
func (c *aggregate) numbers(shown []int32, starts []int64, ranks bool) (*numberCells, error) {
	series := 0
	if len(starts) > 0 {
		series = 1
		if len(c.groups.dims) > 0 {
			series = len(shown) + 1
		}
	}
	cells := &numberCells{stats: make([]numberStats, 1+len(shown)+series*len(starts))}
	if ranks {
		cells.tally = newNumberTally(c.tuples)
		cells.tally.room = c.groups.room
	}
	places := make([]int32, len(c.groups.groups)) // by group
	for i := range places {
		places[i] = int32(len(shown)) // other
	}
	for i, group := range shown {
		if group >= 0 {
			places[group] = int32(i)
		}
	}
	var mu sync.Mutex // of the cells
	flush := func(n *sliceCells) {
		mu.Lock()
		defer mu.Unlock()
		cells.take(n)
	}
	return cells, read.InOrder(c.sel, func(s *read.Slice) (*sliceCells, error) {
		if s.Lacks(c.q.Of) {
			return nil, nil
		}
		n := &sliceCells{sliceNumbers: c.open(s), terms: make(map[uint64]uint32), events: make(map[uint32]uint64)}
		var times *read.Column
		if len(starts) > 0 {
			times = s.Ints(event.IntTime)
		}
		stepAt := stepOf(starts)
		add := func(cell int, elements []int32) {
			n.events[uint32(cell)]++
			for _, id := range elements {
				n.terms[uint64(cell)<<32|uint64(id)]++
			}
		}
		return n, n.each(s, func(row int, elements, groups []int32) {
			add(0, elements)
			step := 0
			if times != nil {
				step = stepAt(times.At(row))
			}
			if len(c.groups.dims) == 0 {
				if times != nil {
					add(1+step, elements)
				}
			} else {
				other := false
				for _, group := range groups {
					place := int(c.groups.place(n.sliceGroups, group, places))
					if place < len(shown) {
						add(1+place, elements)
					} else if other {
						continue
					} else {
						other = true
					}
					if times != nil {
						add(1+len(shown)+place*len(starts)+step, elements)
					}
				}
			}
			if len(n.terms) > cellsPending {
				flush(n)
			}
		})
	}, func(n *sliceCells) error {
		flush(n)
		return cmp.Or(c.rows.Check(), cells.err())
	})
}
