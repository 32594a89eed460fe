// Properties: the list of all properties that are counted. The events and the numbers of
// values come from the totals of runs. Sessions and users must be counted row by row. But
// most properties are in the same rows, mostly in all of them. Sessions and users are
// therefore counted once for each different set of rows; a hash identifies the set.

package read

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"
)

// property is a line of the list in the making.
type property struct {
	name       string
	events     int64
	values     map[string]struct{}
	sharedRows int    // number of rows that count under it; 0 if readShared has not read it
	rows       uint64 // which rows count under it: the sum of the hashes of all row ranges
}

// properties lists the properties that are counted. The error of a query with values or a
// segment wraps query.ErrBadQuery.
func (rd *Reader) properties(v *view, q *query.CounterQuery) (query.CounterPage, error) {
	if len(q.Values) > 0 || q.Segment != "" {
		return query.CounterPage{}, fmt.Errorf("%w: values and segments are those of a property", query.ErrBadQuery)
	}
	names, err := rd.propertyNames(v)
	if err != nil {
		return query.CounterPage{}, err
	}
	pred, err := planCounters(q, v)
	if err != nil {
		return query.CounterPage{}, err
	}
	l := &propertyList{view: v, pred: pred, query: q, byRow: len(q.Where) > 0}
	l.seed = maphash.MakeSeed()
	l.numbers, l.pairs = make(nameNumbers, len(names)), rd.Pairs
	for name := range names {
		l.numbers[name] = int32(len(l.lines))
		l.lines = append(l.lines, property{name: name, values: make(map[string]struct{})})
	}
	if err := l.read(); err != nil {
		return query.CounterPage{}, err
	}
	return l.page()
}

// propertyNames returns all properties in v, and maybe some of newer rows.
func (rd *Reader) propertyNames(v *view) (map[string]bool, error) {
	names := make(map[string]bool)
	// Read the log first: rows that are sealed in the meantime are then seen twice. In the
	// other order they could be missed.
	err := wal.Notes(rd.DB, v.Table.ID, 0, v.Last+1, func(_ uint64, note []byte) error {
		return index.ReadTotals(note, func(t index.Total) {
			if !names[t.Property] {
				names[strings.Clone(t.Property)] = true
			}
		})
	})
	if err != nil {
		return nil, err
	}
	runs := v.Table.Sealed()
	defer runs.Close()
	for _, r := range runs.All {
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

// propertyList makes the list.
type propertyList struct {
	numbers nameNumbers // index in lines by name
	pairs   int         // pairs of a property and a row that fillDistinct may have in memory
	view    *view
	pred    *predicate
	query   *query.CounterQuery
	byRow   bool // the totals of no run answer the query, because it has conditions

	seed maphash.Seed
	propertySum
}

// propertySum is what some row ranges add to the list.
type propertySum struct {
	lines   []property
	anyRows uint64 // which rows count under any property, like property.rows
	events  int    // number of these rows
	all     distinct
}

func (l *propertySum) add(s *propertySum) {
	l.anyRows += s.anyRows
	l.events += s.events
	l.all.union(&s.all)
	for i := range s.lines {
		line, more := &l.lines[i], &s.lines[i]
		line.rows += more.rows
		line.sharedRows += more.sharedRows
		line.events = index.AddSaturating(line.events, more.events)
		for value := range more.values {
			line.values[value] = struct{}{}
		}
	}
}

// read reads all rows once, and the totals of runs.
func (l *propertyList) read() error {
	sums, err := gather(l.view.budget, l.pred, l.view.rowRanges(), l.readRange)
	for i := range sums {
		l.add(&sums[i])
	}
	if err != nil || l.byRow {
		return err
	}
	for _, p := range l.view.Parts {
		if p.Run == nil {
			continue
		}
		days, ok := l.view.totalsOf(p.Run, l.pred)
		if !ok || days.none() {
			continue
		}
		for i := range l.lines {
			if err := l.view.budget.check(); err != nil {
				return err
			}
			line := &l.lines[i]
			err := p.Run.Totals(line.name, days.from, days.to, func(t index.Total) {
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

// readRange finds which rows of a row range count under each property.
func (l *propertyList) readRange(r *rangeReader, rr *rowRange, sum *propertySum) error {
	r.numbers = l.numbers
	opened, err := r.open(rr)
	if opened == nil {
		return err
	}
	if sum.lines == nil {
		sum.lines = make([]property, len(l.lines))
	}
	part := r.metered(opened.Get())
	matched, err := r.rowSet(rr)
	if err != nil {
		return err
	}
	all, any := l.hash(rr, matched), newRowSet(rr)
	byRow := l.byRow || rr.part.Run == nil
	if !byRow {
		_, ok := l.view.totalsOf(rr.part.Run, l.pred)
		byRow = !ok
	}
	shared := l.sharedLines(part)
	if shared != nil {
		if err := l.readShared(r, rr, part, shared, byRow, any, sum); err != nil {
			return err
		}
	}
	for i := range l.lines {
		if shared != nil && shared[i] {
			continue
		}
		line, rows := &sum.lines[i], rowSet(nil)
		if byRow {
			rows, err = l.countRows(r, rr, part, l.lines[i].name, line)
		} else {
			rows, err = l.rowsOf(r, rr, part, l.lines[i].name, matched)
		}
		switch {
		case err != nil:
			return err
		case rows == nil:
		case &rows[0] == &matched[0]: // all matched rows: the usual case
			line.rows += all
			any = matched
		default:
			line.rows += l.hash(rr, rows)
			for k, w := range rows {
				any[k] |= w
			}
		}
	}
	sum.anyRows += l.hash(rr, any)
	for _, w := range any {
		sum.events += bits.OnesCount64(w)
	}
	any.distinct(rr, part, &sum.all)
	return opened.Err()
}

// rowsOf returns the rows of a row range that count under a property, or nil when there are
// none. It returns matched itself when all matched rows do. Usually it reads no row.
func (l *propertyList) rowsOf(r *rangeReader, rr *rowRange, part index.Part, name string, matched rowSet) (rows rowSet, err error) {
	vr, err := r.openValues(rr, part, name, new(terms))
	if err != nil {
		return nil, err
	}
	plain := vr.presenceColumn()
	switch {
	case vr.empty():
		return nil, nil
	case plain != nil && plain.everywhere():
		return matched, nil
	}
	rows = newRowSet(rr)
	err = r.each(rr, func(batch []int32) {
		if plain == nil {
			for _, row := range batch {
				if r.timedOut() {
					return
				}
				if vr.isCountable(int(row)) && vr.isPresent(int(row)) {
					rows.add(rr, row)
				}
			}
			return
		}
		for i, code := range plain.codes.of(batch) {
			if r.timedOut() {
				return
			}
			if plain.hasTerm(code) {
				rows.add(rr, batch[i])
			}
		}
	})
	return rows, err
}

// countRows is rowsOf when there are no totals: it also adds the events and values of the
// rows to line.
func (l *propertyList) countRows(r *rangeReader, rr *rowRange, part index.Part, name string, line *property) (rows rowSet, err error) {
	var names terms
	var seen []bool // by number in names
	vr, err := r.openValues(rr, part, name, &names)
	if err != nil || vr.empty() {
		return nil, err
	}
	rows = newRowSet(rr)
	err = r.each(rr, func(batch []int32) {
		for _, at := range batch {
			if r.timedOut() {
				return
			}
			row := int(at)
			if !vr.isCountable(row) || !vr.isPresent(row) {
				continue
			}
			rows.add(rr, at)
			by := vr.amount(row)
			for _, id := range vr.values(row) {
				line.events = index.AddSaturating(line.events, by)
				for int(id) >= len(seen) {
					seen = append(seen, false)
				}
				seen[id] = true
			}
		}
	})
	for id, yes := range seen {
		if yes {
			if line.values == nil {
				line.values = make(map[string]struct{})
			}
			line.values[names.names[id]] = struct{}{}
		}
	}
	return rows, err
}

// hash identifies a set of rows of a row range. The hash of no rows is 0.
func (l *propertyList) hash(rr *rowRange, rows rowSet) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	maphash.WriteComparable(&h, rr.part.First()+uint64(rr.from))
	any := uint64(0)
	for _, w := range rows {
		any |= w
		maphash.WriteComparable(&h, w)
	}
	if any == 0 {
		return 0
	}
	return h.Sum64()
}

// rowSet is a bitmap of the rows of a row range.
type rowSet []uint64

func newRowSet(rr *rowRange) rowSet { return make(rowSet, (rr.to-rr.from+63)/64) }

func (r rowSet) add(rr *rowRange, row int32) {
	at := int(row) - rr.from
	r[at/64] |= 1 << (at % 64)
}

func (r rowSet) remove(rr *rowRange, row int32) {
	at := int(row) - rr.from
	r[at/64] &^= 1 << (at % 64)
}

// rowSet returns the rows of an open row range that satisfy the query.
func (r *rangeReader) rowSet(rr *rowRange) (rowSet, error) {
	rows := newRowSet(rr)
	err := r.each(rr, func(batch []int32) {
		for _, row := range batch {
			rows.add(rr, row)
		}
	})
	return rows, err
}

// distinct adds the persons and sessions of the rows to all.
func (r rowSet) distinct(rr *rowRange, part index.Part, all *distinct) {
	persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	for k, w := range r {
		for ; w != 0; w &= w - 1 {
			row := rr.from + k*64 + bits.TrailingZeros64(w)
			all.users.Add(uint64(persons.at(row)))
			all.sessions.Add(uint64(sessions.at(row)))
		}
	}
}

// page returns the list. Properties with the same rows have the same sessions and users.
func (l *propertyList) page() (page query.CounterPage, err error) {
	p, err := l.view.persons()
	if err != nil {
		return page, err
	}
	// The total counts each event once, however many properties it has.
	page.Total.Events = int64(l.events)
	page.Total.Users, page.Total.Sessions = uint64(l.all.users.CountPersons(p)), uint64(l.all.sessions.Len())
	known := map[uint64]query.CounterRow{l.anyRows: page.Total}
	if err := l.fillDistinct(known, p); err != nil {
		return query.CounterPage{}, err
	}
	for i := range l.lines {
		line := &l.lines[i]
		if len(line.values) == 0 {
			continue
		}
		row, ok := known[line.rows]
		if !ok {
			var d distinct
			if err := l.distinct(line.name, &d); err != nil {
				return query.CounterPage{}, err
			}
			row.Users, row.Sessions = uint64(d.users.CountPersons(p)), uint64(d.sessions.Len())
			known[line.rows] = row
		}
		row.Value, row.Events, row.Values = line.name, line.events, uint64(len(line.values))
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// distinct collects the sessions and users of one property.
func (l *propertyList) distinct(name string, all *distinct) error {
	sums, err := gather(l.view.budget, l.pred, l.view.rowRanges(), func(r *rangeReader, rr *rowRange, d *distinct) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		part := r.metered(opened.Get())
		rows, err := r.rowSet(rr)
		if err == nil {
			rows, err = l.rowsOf(r, rr, part, name, rows)
		}
		if err != nil {
			return err
		}
		rows.distinct(rr, part, d)
		return opened.Err()
	})
	for i := range sums {
		all.union(&sums[i])
	}
	return err
}
