// Number cells: the numbers of an answer to an aggregate, cell by cell.

package report

import (
	"slices"

	"cairn/engine/query"
)

// numberCells are the numbers of an answer: those of the total, of each shown row, and of each step
// of each series.
type numberCells struct {
	stats []numberStats
	tally *numberTally // nil = no ranks
}

func (c *numberCells) relativeError() float64 {
	if c.tally == nil {
		return 0
	}
	return c.tally.relativeError()
}

// answers returns the numbers as they are shown.
func (c *numberCells) answers() []query.Numbers {
	all := make([]query.Numbers, len(c.stats))
	for i := range all {
		s := &c.stats[i]
		if all[i] = (query.Numbers{Events: s.events, Count: s.count, NotNumbers: s.not, Sum: s.sum}); s.count > 0 {
			all[i].Min, all[i].Max = s.min.text(), s.max.text()
		}
	}
	if c.tally != nil {
		c.tally.ranks(func(cell int) *query.Numbers { return &all[cell] })
	}
	return all
}

func (c *numberCells) err() error {
	if c.tally == nil {
		return nil
	}
	return c.tally.err
}

// take adds the terms of a slice, always in the same order.
func (c *numberCells) take(n *sliceCells) {
	keys := make([]uint64, 0, len(n.terms))
	for key := range n.terms {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	type parsed struct {
		number
		sum query.Sum
	}
	known := make(map[uint32]*parsed)
	for _, key := range keys {
		cell, id, times := uint32(key>>32), uint32(key), uint64(n.terms[key])
		s := &c.stats[cell]
		if !n.isNumber(int32(id)) {
			s.not += times
			continue
		}
		p := known[id]
		if p == nil {
			text := n.texts.Text(int32(id))
			p = &parsed{number: numberOf(text)}
			p.sum.Add(text)
			known[id] = p
		}
		s.add(p.number, p.sum, times)
		if c.tally != nil {
			c.tally.add(cell, p.number, times)
		}
	}
	for cell, events := range n.events {
		c.stats[cell].events += events
	}
	clear(n.terms)
	clear(n.events)
}
