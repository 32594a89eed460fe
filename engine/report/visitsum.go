// Visit sums: what goroutines count of visits, and what is found from all of it.

package report

import (
	"slices"

	"cairn/engine/query"
	"cairn/engine/read"
)

// visitSum is what one goroutine counts.
type visitSum struct {
	*visitCount
	total   query.VisitNumbers
	series  []query.VisitNumbers
	people  *read.PairSet
	inSteps *read.PairSet
	tables  []*tablePart
	lengths *lengthCounts
}

func (c *visitCount) newSum() *visitSum {
	s := &visitSum{visitCount: c, series: make([]query.VisitNumbers, len(c.steps)), people: c.sets.New(), inSteps: c.sets.New()}
	s.lengths = newLengths(c.lengthBytes, c.pass.workers(), c.q.NoMedian)
	for _, t := range c.tables {
		p := t.part()
		p.people = c.sets.New()
		s.tables = append(s.tables, p)
	}
	c.sums = append(c.sums, s)
	return s
}

// add counts a visit.
func (c *visitSum) add(texts *read.Terms, v *visitFacts, step func(int64) int) error {
	ms := v.milliseconds(c.span.To)
	addVisit(&c.total, v, ms)
	c.lengths.add(lengthTotal, 0, v.seconds)
	people := v.person
	if c.q.NoVisitors {
		people = 0
	}
	c.people.Add(0, people)
	if len(c.steps) > 0 {
		i := step(v.start)
		addVisit(&c.series[i], v, ms)
		c.inSteps.Add(i, people)
	}
	n := 0
	for i, t := range c.tables {
		row := t.row(texts, v, c.at[i])
		if t.err != nil {
			return t.err
		}
		addVisit(&t.rows[row].VisitNumbers, v, ms)
		t.people.Add(row, people)
		c.lengths.add(i, row, v.seconds)
		n += t.len()
	}
	if n > query.CounterRowsMax {
		return query.Bad("by", "more than %d values; ask for fewer days or add a filter", query.CounterRowsMax)
	}
	return nil
}

// addVisit adds a visit to the numbers of a row.
func addVisit(n *query.VisitNumbers, v *visitFacts, ms int64) {
	n.Visits++
	if v.isNew {
		n.New++
	}
	n.VisitViews += uint64(v.views)
	if v.bounced() {
		n.Bounces++
	}
	n.Milliseconds += ms
	if ms > 0 {
		n.Timed++
	}
	if v.conversions > 0 {
		n.Converted++
		n.Conversions += uint64(v.conversions)
		n.GoalValue.AddSum(v.value)
	}
}

// countPeople counts the visitors of each row and step.
func (c *visitCount) countPeople() error {
	persons, err := c.rows.Persons()
	if err != nil {
		return err
	}
	err = c.people.EachPerson(persons, func(int) { c.total.Visitors++ })
	if err == nil {
		err = c.inSteps.EachPerson(persons, func(i int) { c.series[i].Visitors++ })
	}
	for _, t := range c.tables {
		if err == nil {
			err = t.people.EachPerson(persons, func(i int) { t.rows[i].Visitors++ })
		}
		if err == nil {
			err = c.rows.Check()
		}
	}
	return err
}

// medians finds the median of each row. When the lengths are too many, it makes the pass again,
// for some tables and rows at a time.
func (c *visitCount) medians() error {
	set := func(table, row int, seconds int64) {
		if table == lengthTotal {
			c.total.Median = seconds
		} else {
			c.tables[table].rows[row].Median = seconds
		}
	}
	var lengths []*lengthCounts
	over := false
	for _, s := range c.sums {
		lengths = append(lengths, s.lengths)
		over = over || s.lengths.over
	}
	if !over {
		eachMedian(lengths, set)
		return nil
	}
	if err := c.mediansOf(lengthTotal, 0, 1, set); err != nil {
		return err
	}
	for i, t := range c.tables {
		if err := c.mediansOf(i, 0, len(t.rows), set); err != nil {
			return err
		}
	}
	return nil
}

// mediansOf finds the medians of the rows [from, to) of a table by another pass.
func (c *visitCount) mediansOf(table, from, to int, set func(table, row int, seconds int64)) error {
	var all []*lengthCounts
	err := c.pass.run(func() { all = nil }, func() visitSink {
		lengths := newLengths(c.lengthBytes, c.pass.workers(), false)
		all = append(all, lengths)
		var p *tablePart
		if table != lengthTotal {
			p = c.tables[table].part()
		}
		return func(texts *read.Terms, v *visitFacts) error {
			row := 0
			if table != lengthTotal {
				row = p.row(texts, v, c.at[table])
			}
			if from <= row && row < to {
				lengths.add(table, row, v.seconds)
			}
			return nil
		}
	})
	over := slices.ContainsFunc(all, func(c *lengthCounts) bool { return c.over })
	switch {
	case err != nil:
		return err
	case !over:
		eachMedian(all, set)
		return nil
	case to-from == 1:
		return query.Bad("metrics", "visits of too many different lengths; ask for fewer days, or for metrics without duration_median")
	}
	mid := (from + to) / 2
	if err := c.mediansOf(table, from, mid, set); err != nil {
		return err
	}
	return c.mediansOf(table, mid, to, set)
}
