// Merge: one run of several that follow one another.

package index

import "fmt"

// Merge writes the rows of the runs, which follow one another, as run id: the
// very run that Build makes of all their rows. The runs' pages are read through
// their caches. Memory is bounded by a few pages a run, a byte or two a cell of
// the column at hand, and the filter.
//
// A run merged with none is written again from its columns: what follows from
// them, starts, lists and leaves, is made anew.
func Merge(w Sink, id uint64, runs []*Run, numInts int, filterField string) error {
	sources := make([]source, len(runs))
	for i, r := range runs {
		v := r.View().(*runView)
		if v.err == nil && v.header.ints != numInts {
			v.err = r.corrupt(fmt.Sprintf("%d integer columns", v.header.ints))
		}
		if v.err != nil {
			return fmt.Errorf("merge: %w", v.err)
		}
		sources[i] = &runSource{v}
	}
	return writeRun(w, id, numInts, runs[0].format, filterField, sources)
}

// runSource is a run to be merged.
type runSource struct{ *runView }

func (s *runSource) rows() int            { return s.Len() }
func (s *runSource) ints(col int) Ints    { return s.Ints(col) }
func (s *runSource) fields() []string     { return s.Fields() }
func (s *runSource) err() error           { return s.Err() }
func (s *runSource) totals() totalsCursor { return &runTotals{view: s.runView} }

func (s *runSource) column(field string) *columnSource {
	col, ok := s.Column(field).(*runColumn)
	if !ok {
		return nil
	}
	h := col.h
	src := &columnSource{card: h.card, scalars: h.scalars, present: h.present, cell: col.Cell, count: col.Count, each: col.each}
	src.leaves = func() leafCursor {
		return &runLeaves{n: h.leaves, hashes: col.ints(secLeaves, h.leaves), owners: col.ints(secOwners, h.leaves)}
	}
	return src
}

// each calls yield with the rows that have the column, ascending.
func (c *runColumn) each(yield func(row int, code uint32)) {
	buf := make([]int64, PageRows)
	if s, ok := c.codes.(*sparseInts); ok {
		rows := make([]int64, PageRows)
		for first := 0; first < c.h.present && c.view.err == nil; first += PageRows {
			codes := s.codes.Page(first/PageRows, buf)
			for i, row := range s.rowset.Page(first/PageRows, rows) {
				if row >= 0 && int(row) < c.view.header.rows && codes[i] > 0 {
					yield(int(row), uint32(codes[i]))
				}
			}
		}
		return
	}
	for first := 0; first < c.view.header.rows && c.view.err == nil; first += PageRows {
		for i, code := range c.codes.Page(first/PageRows, buf) {
			if code > 0 {
				yield(first+i, uint32(code))
			}
		}
	}
}

// runLeaves walks the leaves of a run's column.
type runLeaves struct {
	at, n          int
	hashes, owners *pagedInts
}

func (c *runLeaves) next() (l leaf, ok bool) {
	if c.at >= c.n || c.hashes.view.err != nil {
		return l, false
	}
	l = leaf{c.hashes.At(c.at), c.owners.At(c.at)}
	c.at++
	return l, true
}

// runTotals walks all totals of a run.
type runTotals struct {
	view     *runView
	property int
	page     int // of the property
	totals   []Total
}

func (c *runTotals) next() (t Total, ok bool) {
	for len(c.totals) == 0 {
		all := c.view.header.totals
		if c.view.err != nil || c.property >= len(all) {
			return t, false
		}
		h := &all[c.property]
		if c.page >= len(h.days) {
			c.property, c.page = c.property+1, 0
			continue
		}
		err := c.view.run.totalsPage(h, c.page, func(t Total) { c.totals = append(c.totals, t) })
		if err != nil {
			c.view.fail(err)
			return t, false
		}
		c.page++
	}
	t = c.totals[0]
	c.totals = c.totals[1:]
	return t, true
}
