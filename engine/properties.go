// Properties: the list of what is counted. Its events and numbers of values come
// from the totals of runs. Its sessions and users have to be told apart row by
// row, but most properties are in the same rows, all of them, so that is done
// once for all that are.

package engine

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"
)

// property is a line of the list as it is made.
type property struct {
	name   string
	events int64
	values map[string]struct{}
	rows   maphash.Hash // of which rows count under it, slice by slice
}

// properties lists the properties that are counted.
func (e *Engine) properties(b budget, v *view, q *CounterQuery) (CounterPage, error) {
	if len(q.Values) > 0 || q.Segment != "" {
		return CounterPage{}, fmt.Errorf("%w: values and segments are those of a property", ErrBadQuery)
	}
	names, err := e.propertyNames(v)
	if err != nil {
		return CounterPage{}, err
	}
	w, err := q.plan(v)
	if err != nil {
		return CounterPage{}, err
	}
	l := &propertyList{view: v, where: w, query: q, budget: b, byRow: len(q.Where) > 0 || q.From != 0 || q.To != 0}
	l.seed = maphash.MakeSeed()
	l.any.SetSeed(l.seed)
	for name := range names {
		l.add(name)
	}
	if err := l.read(); err != nil {
		return CounterPage{}, err
	}
	return l.page()
}

// propertyNames is every property that may be in v, and maybe some of rows that
// came since.
func (e *Engine) propertyNames(v *view) (map[string]bool, error) {
	names := make(map[string]bool)
	// The log first: rows sealed meanwhile are then seen twice, not never.
	err := wal.Notes(e.db, v.site.id, 0, v.last+1, func(_ uint64, note []byte) error {
		return index.ReadTotals(note, func(t index.Total) { names[t.Property] = true })
	})
	if err != nil {
		return nil, err
	}
	for _, r := range v.site.sealed() {
		properties, err := r.Properties()
		if err != nil {
			return nil, err
		}
		for _, name := range properties {
			names[name] = true
		}
	}
	return names, nil
}

// propertyList is the list being made.
type propertyList struct {
	view   *view
	where  *where
	query  *CounterQuery
	budget budget
	byRow  bool // totals do not tell what is asked

	seed   maphash.Seed
	lines  []property
	any    maphash.Hash // of which rows count under any property
	events int
	all    distinct
}

func (l *propertyList) add(name string) {
	p := property{name: name, values: make(map[string]struct{})}
	p.rows.SetSeed(l.seed)
	l.lines = append(l.lines, p)
}

// propertySlice is what a slice adds to the list.
type propertySlice struct {
	rows    []uint64 // hashes of which rows count, by property; 0 = none
	any     uint64
	events  int
	all     distinct
	counted []propertyValues // by property, where totals do not tell
}

// read goes through all rows once, and through the totals of runs.
func (l *propertyList) read() error {
	err := sideBySide(l.budget, l.where, l.view.slices(), l.slice, func(s *propertySlice) bool {
		l.events += s.events
		l.all.union(&s.all)
		note(&l.any, s.any)
		for i := range l.lines {
			line := &l.lines[i]
			note(&line.rows, s.rows[i])
			line.events = index.AddSaturating(line.events, s.counted[i].events)
			for _, value := range s.counted[i].values {
				line.values[value] = struct{}{}
			}
		}
		return true
	})
	if err != nil || l.byRow {
		return err
	}
	for _, p := range l.view.parts {
		if p.run == nil {
			continue
		}
		for i := range l.lines {
			if err := l.budget.spent(); err != nil {
				return err
			}
			line := &l.lines[i]
			from, to := l.query.FromDay, l.query.ToDay
			if from == 0 && to == 0 {
				from, to = math.MinInt32, math.MaxInt32
			}
			err := p.run.Totals(line.name, from, to, func(t index.Total) {
				line.values[t.Value] = struct{}{}
				line.events = index.AddSaturating(line.events, t.Sum)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// note adds the hash of one slice's rows to that of all.
func note(h *maphash.Hash, rows uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], rows)
	h.Write(b[:])
}

// slice finds out which rows of a slice count under each property.
func (l *propertyList) slice(r *reader, s *slice) (*propertySlice, error) {
	vp, err := r.open(s)
	if vp == nil {
		return nil, err
	}
	part := vp.get()
	out := &propertySlice{rows: make([]uint64, len(l.lines)), counted: make([]propertyValues, len(l.lines))}
	any := make([]uint64, (s.to-s.from+63)/64)
	for i := range l.lines {
		var values *propertyValues
		if l.byRow || s.of.run == nil {
			values = &out.counted[i]
		}
		rows, err := l.rows(r, s, part, l.lines[i].name, values)
		if err != nil {
			return nil, err
		}
		out.rows[i] = l.hash(rows)
		for k, w := range rows {
			any[k] |= w
		}
	}
	out.any = l.hash(any)
	persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	for k, w := range any {
		out.events += bits.OnesCount64(w)
		for ; w != 0; w &= w - 1 {
			row := s.from + k*64 + bits.TrailingZeros64(w)
			out.all.users.add(uint64(persons.at(row)))
			out.all.sessions.add(uint64(sessions.at(row)))
		}
	}
	return out, vp.err()
}

// propertyValues are those of a slice.
type propertyValues struct {
	events int64
	values []string
}

// rows is a bitmap of the rows of a slice that count under a property, nil when
// there are none. It fills in values if there are any to fill in.
func (l *propertyList) rows(r *reader, s *slice, part index.Part, name string, values *propertyValues) (rows []uint64, err error) {
	var names terms
	var seen []bool // by number in names
	c := newCounted(part, name, &names, s.from, s.to)
	if c.detected == nil && len(c.explicit) == 0 {
		return nil, nil
	}
	count := func(row int) {
		if !c.countable(row) || !c.present(row) {
			return
		}
		if rows == nil {
			rows = make([]uint64, (s.to-s.from+63)/64)
		}
		rows[(row-s.from)/64] |= 1 << ((row - s.from) % 64)
		if values == nil {
			return
		}
		by := c.amount(row)
		for _, id := range c.values(row) {
			values.events = index.AddSaturating(values.events, by)
			for int(id) >= len(seen) {
				seen = append(seen, false)
			}
			seen[id] = true
		}
	}
	err = r.each(s, func(batch []int32) {
		for _, row := range batch {
			count(int(row))
		}
	})
	for id, yes := range seen {
		if yes {
			values.values = append(values.values, names.names[id])
		}
	}
	return rows, err
}

// hash is 0 of no rows.
func (l *propertyList) hash(rows []uint64) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	some := uint64(0)
	var b [8]byte
	for _, w := range rows {
		some |= w
		binary.LittleEndian.PutUint64(b[:], w)
		h.Write(b[:])
	}
	if some == 0 {
		return 0
	}
	return max(1, h.Sum64())
}

// page is the list. Properties of the same rows have the same sessions and users.
func (l *propertyList) page() (page CounterPage, err error) {
	links := l.view.site.links
	// The total of the list is over events, not over their properties.
	page.Total.Events = int64(l.events)
	page.Total.Users, page.Total.Sessions = uint64(l.all.users.countRoots(links)), uint64(l.all.sessions.len())
	known := map[uint64]CounterRow{l.any.Sum64(): page.Total}
	for i := range l.lines {
		line := &l.lines[i]
		if len(line.values) == 0 {
			continue
		}
		row, ok := known[line.rows.Sum64()]
		if !ok {
			var d distinct
			if err := l.distinct(line.name, &d); err != nil {
				return CounterPage{}, err
			}
			row.Users, row.Sessions = uint64(d.users.countRoots(links)), uint64(d.sessions.len())
			known[line.rows.Sum64()] = row
		}
		row.Value, row.Events, row.Values = line.name, line.events, uint64(len(line.values))
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// distinct finds the sessions and users of one property.
func (l *propertyList) distinct(name string, all *distinct) error {
	sums, err := gather(l.budget, l.where, l.view.slices(), func(r *reader, s *slice, d *distinct) error {
		vp, err := r.open(s)
		if vp == nil {
			return err
		}
		part := vp.get()
		rows, err := l.rows(r, s, part, name, nil)
		if err != nil {
			return err
		}
		persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
		for k, w := range rows {
			for ; w != 0; w &= w - 1 {
				row := s.from + k*64 + bits.TrailingZeros64(w)
				d.users.add(uint64(persons.at(row)))
				d.sessions.add(uint64(sessions.at(row)))
			}
		}
		return vp.err()
	})
	for i := range sums {
		all.union(&sums[i])
	}
	return err
}
