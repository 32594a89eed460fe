// The totals of a rewritten run: what its deleted rows counted is taken away.

package engine

import (
	"encoding/binary"
	"iter"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"
)

// lostLists is how many lists of lost totals are kept before they are added up.
const lostLists = 8

// totals finds out what the totals lose. Days on which no counted row is left lose all of
// theirs. What rows of other days counted is read from them.
func (p *thinning) totals() error {
	if p.fresh.Count() == 0 {
		return nil
	}
	lost, left, err := p.days()
	if err != nil {
		return err
	}
	p.how.DayGone = func(day int32) bool { return !left[day] }
	mixed := false
	for day := range lost {
		mixed = mixed || left[day]
	}
	if !mixed {
		return nil
	}
	lists, err := p.counts(func(row int, day int32) bool { return p.fresh.Has(row) && left[day] })
	if err != nil {
		return err
	}
	for _, list := range lists {
		p.how.Lost = append(p.how.Lost, unpackTotals(list))
	}
	return p.increments()
}

// days returns the days of counted rows: those of rows that are lost, and of rows that are left.
func (p *thinning) days() (lost, left map[int32]bool, err error) {
	lost, left = make(map[int32]bool), make(map[int32]bool)
	var types index.Ints
	uncounted := make(map[int64]bool) // codes of types
	if col := p.part.Column(event.FieldType); col != nil {
		types = col.Codes()
		for _, t := range []event.Type{event.Identify, event.Group, event.Alias, event.Increment} {
			for _, code := range col.Find("", []string{string(t)}) {
				uncounted[int64(code)] = true
			}
		}
	}
	buf, typeBuf := make([]int64, index.PageRows), make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < p.part.Len(); page++ {
		if err := p.pace.pace(); err != nil {
			return nil, nil, err
		}
		var of []int64
		if types != nil {
			of = types.Page(page, typeBuf)
		}
		for i, day := range p.part.Ints(event.IntDay).Page(page, buf) {
			row := page*index.PageRows + i
			switch {
			case of != nil && uncounted[of[i]]:
			case p.fresh.Has(row):
				lost[int32(day)] = true
			case !p.how.Blank.Has(row):
				left[int32(day)] = true
			}
		}
	}
	return lost, left, p.part.Err()
}

// counts returns what some rows count, as packed lists.
func (p *thinning) counts(some func(row int, day int32) bool) (lists [][]byte, err error) {
	rows := table.NewCountReader(p.part)
	days := p.part.Ints(event.IntDay)
	var totals index.Totals
	n := 0
	pack := func() {
		if n > 0 {
			lists = append(lists, packTotals(totals.Sorted()))
			totals, n = index.Totals{}, 0
		}
		if len(lists) > lostLists {
			lists = [][]byte{addLists(lists)}
		}
	}
	for row := range p.part.Len() {
		if !some(row, int32(days.At(row))) {
			continue
		}
		ev, err := rows.Read(row)
		if err != nil {
			return nil, err
		}
		ev.Counts(func(property, term string, by int64) bool {
			totals.Add(property, ev.Day, term, by)
			return true
		})
		if n++; n == recountRows {
			pack()
		}
		if err := p.pace.pace(); err != nil {
			return nil, err
		}
	}
	pack()
	return lists, p.part.Err()
}

// addLists adds up packed lists of totals.
func addLists(lists [][]byte) []byte {
	type head struct {
		next func() (index.Total, bool)
		index.Total
	}
	var heads []head
	for _, list := range lists {
		next, stop := iter.Pull(unpackTotals(list))
		defer stop()
		if t, ok := next(); ok {
			heads = append(heads, head{next, t})
		}
	}
	n, property := uint64(0), ""
	var sum []byte
	for len(heads) > 0 {
		least := 0
		for i := range heads {
			if index.CompareTotals(&heads[i].Total, &heads[least].Total) < 0 {
				least = i
			}
		}
		t := heads[least].Total
		t.Sum = 0
		for i := len(heads) - 1; i >= 0; i-- {
			if h := &heads[i]; index.CompareTotals(&h.Total, &t) == 0 {
				t.Sum = index.AddSaturating(t.Sum, h.Sum)
				var ok bool
				if h.Total, ok = h.next(); !ok {
					heads = append(heads[:i], heads[i+1:]...)
				}
			}
		}
		sum = index.AppendTotal(sum, &t, n > 0 && t.Property == property)
		property = t.Property
		n++
	}
	return append(binary.AppendUvarint(nil, n), sum...)
}

// increments notes which totals are left although nothing is left of their sum: increments may
// be negative, or 0.
func (p *thinning) increments() error {
	if p.part.Column(event.FieldIncrements) == nil {
		return nil // each row counts 1
	}
	type key struct {
		property string
		day      int32
		value    string
	}
	stays := make(map[key]bool)
	rows := table.NewCountReader(p.part)
	var err error
	index.NewRawMatcher(p.part, []index.Clause{has(event.FieldIncrements)}, nil).Ascend(0, func(row int) bool {
		if p.how.Blank.Has(row) {
			return true
		}
		var ev *event.Event
		if ev, err = rows.Read(row); err != nil {
			return false
		}
		ev.Counts(func(property, term string, by int64) bool {
			stays[key{property, ev.Day, term}] = true
			return true
		})
		err = p.pace.pace()
		return err == nil
	})
	p.how.Stays = func(t index.Total) bool { return stays[key{t.Property, t.Day, t.Value}] }
	return err
}

// recount counts all living rows of the run.
func (p *thinning) recount() error {
	lists, err := p.counts(func(row int, _ int32) bool { return !p.how.Blank.Has(row) })
	if err != nil {
		return err
	}
	p.how.Lost, p.how.DayGone, p.how.Stays, p.how.Saturated = nil, nil, nil, false
	p.how.Totals = []iter.Seq[index.Total]{}
	for _, list := range lists {
		p.how.Totals = append(p.how.Totals, unpackTotals(list))
	}
	return nil
}
