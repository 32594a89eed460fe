// Steps: in which step of a series a time is, and how many rows each has.

package report

import (
	"sort"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// stepOf returns a function that finds the step of a time. Times before the first step are in it.
func stepOf(starts []int64) func(at int64) int {
	last := 0 // most times are in the same step as the time before
	return func(at int64) int {
		if at < starts[last] || last+1 < len(starts) && at >= starts[last+1] {
			last = max(0, sort.Search(len(starts), func(i int) bool { return starts[i] > at })-1)
		}
		return last
	}
}

// rowCounts are the rows of a question, and how many of them are page views.
type rowCounts struct{ events, views uint64 }

// countRows counts the rows that satisfy the conditions, in all and in each step.
func countRows(rows *read.Rows, where []query.Cond, span query.Span, starts []int64) (total rowCounts, steps []rowCounts, err error) {
	sel, err := rows.Select(where, span)
	if err != nil {
		return total, nil, err
	}
	sums, err := read.Gather(sel, func(s *read.Slice, to *[]rowCounts) error {
		if *to == nil {
			*to = make([]rowCounts, max(1, len(starts)))
		}
		col, kinds := typeKinds(s.Part())
		if col == nil {
			return nil
		}
		types, times, step := s.Codes(col), s.Ints(event.IntTime), stepOf(starts)
		return s.Each(func(rows []int32) {
			n, at := &(*to)[0], []int64(nil)
			if len(starts) > 0 {
				at = times.Of(rows)
			}
			for i, code := range types.Of(rows) {
				if at != nil {
					n = &(*to)[step(at[i])]
				}
				n.events++
				if kinds[code]&rowView != 0 {
					n.views++
				}
			}
		})
	})
	steps = make([]rowCounts, len(starts))
	for _, sum := range sums {
		for i := range sum {
			total.add(&sum[i])
			if len(steps) > 0 {
				steps[i].add(&sum[i])
			}
		}
	}
	return total, steps, err
}

func (n *rowCounts) add(o *rowCounts) {
	n.events += o.events
	n.views += o.views
}
