// Shared cells: what rows count under many properties at once. A property with a column of
// its own is counted quickly from that column. A property inside arrays or objects, or one
// whose key has no column, shares its cells with others. When a list has many properties
// that share cells, the event of each row is rebuilt and counted as a whole, once for all of
// them.

package read

import (
	"cmp"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// nameRows counts the rows of one part under all properties.
type nameRows struct {
	part    index.Part
	columns []nameColumn
	flags   *rowInts
	event   event.Event
	parser  event.Parser
	arena   event.TermArena
}

type nameColumn struct {
	field string
	col   index.Column
	codes *rowInts
}

// sharedLinesMin is how many properties must share cells before readShared reads them.
const sharedLinesMin = 64

// sharesCells reports whether the property may be in cells that contain other properties.
func sharesCells(part index.Part, property string) bool {
	if !event.NameCapped(property) {
		return false // it usually has a column
	}
	for _, a := range pathAlts(event.PrefixProperty, property, nil) {
		if (a.Path != "" || table.IsOverflow(a.Field)) && part.Column(a.Field) != nil {
			return true
		}
	}
	return false
}

// newNameRows prepares to count the rows of a part. It ignores detected values.
func newNameRows(part index.Part) *nameRows {
	n := &nameRows{part: part, flags: newRowInts(part.Ints(event.IntFlags))}
	for _, field := range part.Fields() {
		switch {
		case field[:1] == event.PrefixProperty:
		case field == event.FieldType, field == event.FieldIncrements, field == event.FieldNotCounted, field == event.FieldCapped, field == event.FieldCut:
		default:
			continue
		}
		if col := part.Column(field); col != nil {
			n.columns = append(n.columns, nameColumn{field, col, newRowInts(col.Codes())})
		}
	}
	return n
}

// count calls yield with what a row counts, like event.Counts. The texts are valid until the
// next call.
func (n *nameRows) count(row int, yield func(property, term string, by int64) bool) error {
	n.parser.Reset()
	n.arena.Reset()
	e := &n.event
	*e = event.Event{Properties: e.Properties[:0]}
	e.SetInt(event.IntFlags, n.flags.at(row))
	for i := range n.columns {
		c := &n.columns[i]
		code := c.codes.at(row)
		if code <= 0 || code > int64(c.col.Card()) {
			continue
		}
		cell := c.col.Cell(uint32(code))
		if table.IsOverflow(c.field) {
			members, err := event.CellValue(cell).Object(&n.parser)
			if err != nil {
				return err
			}
			e.Properties = append(e.Properties, members...)
		} else if err := e.SetCell(c.field, cell); err != nil {
			return err
		}
	}
	if err := n.part.Err(); err != nil {
		return err
	}
	e.CountsIn(&n.arena, yield)
	return nil
}

// sharedLines reports for each line whether its property shares cells. It returns nil when
// fewer than sharedLinesMin do.
func (l *propertyList) sharedLines(part index.Part) (shared []bool) {
	if len(l.lines) < sharedLinesMin {
		return nil
	}
	n := 0
	for i := range l.lines {
		if sharesCells(part, l.lines[i].name) {
			if shared == nil {
				shared = make([]bool, len(l.lines))
			}
			shared[i] = true
			n++
		}
	}
	if n < sharedLinesMin {
		return nil
	}
	return shared
}

// readShared does for all shared lines what rowsOf and countRows do for one line. It adds
// their rows to any.
func (l *propertyList) readShared(r *rangeReader, rr *rowRange, part index.Part, shared []bool, byRow bool, any rowSet, sum *propertySum) (err error) {
	rows := make([][]int32, len(l.lines))
	names := newNameRows(part)
	row := int32(0)
	yield := func(property, term string, by int64) bool {
		i, ok := l.numbers[property]
		if !ok || !shared[i] {
			return true
		}
		if n := len(rows[i]); n == 0 || rows[i][n-1] != row {
			rows[i] = append(rows[i], row)
		}
		if byRow {
			sum.lines[i].value(term, by)
		}
		return true
	}
	eachErr := r.each(rr, func(batch []int32) {
		for _, row = range batch {
			if err != nil || r.timedOut() {
				return
			}
			err = names.count(int(row), yield)
		}
	})
	if err = cmp.Or(err, eachErr); err != nil {
		return err
	}
	set := newRowSet(rr)
	for i := range rows {
		if len(rows[i]) == 0 {
			continue
		}
		for _, row := range rows[i] {
			set.add(rr, row)
			any.add(rr, row)
		}
		sum.lines[i].rows += l.hash(rr, set)
		sum.lines[i].sharedRows += len(rows[i])
		for _, row := range rows[i] {
			set.remove(rr, row)
		}
	}
	return nil
}

// value adds an event that counts under a value.
func (p *property) value(term string, by int64) {
	p.events = index.AddSaturating(p.events, by)
	if _, known := p.values[term]; !known {
		if p.values == nil {
			p.values = make(map[string]struct{})
		}
		p.values[strings.Clone(term)] = struct{}{}
	}
}

// nameOrd is the number of a property, and the ordinal of a person or session that has it.
type nameOrd struct {
	name int32
	ord  uint64
}

func (a nameOrd) compare(b nameOrd) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.ord, b.ord))
}

// nameOrds is the persons and sessions of some properties.
type nameOrds struct{ users, sessions []nameOrd }

// distinctOf collects the sessions and users of lines, in one pass over all rows.
func (l *propertyList) distinctOf(lines []int32) (all nameOrds, err error) {
	wanted := make([]bool, len(l.lines))
	for _, i := range lines {
		wanted[i] = true
	}
	sums, err := gather(l.view.budget, l.pred, l.view.rowRanges(), func(r *rangeReader, rr *rowRange, sum *nameOrds) (err error) {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		part := r.metered(opened.Get())
		names := newNameRows(part)
		persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
		row, lastRow := 0, make([]int, len(l.lines)) // the last row added for each line, plus 1
		yield := func(property, _ string, _ int64) bool {
			if i, ok := l.numbers[property]; ok && wanted[i] && lastRow[i] != row+1 {
				lastRow[i] = row + 1
				sum.users = append(sum.users, nameOrd{i, uint64(persons.at(row))})
				sum.sessions = append(sum.sessions, nameOrd{i, uint64(sessions.at(row))})
			}
			return true
		}
		eachErr := r.each(rr, func(batch []int32) {
			for _, at := range batch {
				if err != nil || r.timedOut() {
					return
				}
				row = int(at)
				err = names.count(row, yield)
			}
		})
		return cmp.Or(err, eachErr, opened.Err())
	})
	for i := range sums {
		all.users = append(all.users, sums[i].users...)
		all.sessions = append(all.sessions, sums[i].sessions...)
	}
	slices.SortFunc(all.users, nameOrd.compare)
	slices.SortFunc(all.sessions, nameOrd.compare)
	return all, err
}

// setOf removes the ordinals of a name from the front of list and returns them. list
// ascends, and names are passed in ascending order.
func setOf(list *[]nameOrd, name int32) (set identity.OrdSet) {
	n := 0
	for n < len(*list) && (*list)[n].name <= name {
		if (*list)[n].name == name {
			set.Add((*list)[n].ord)
		}
		n++
	}
	*list = (*list)[n:]
	return set
}

// fillDistinct adds to known the users and sessions of the lines that readShared has read,
// for each set of rows that is not in known. It reads several lines at a time: as many as
// have l.pairs rows together. It skips lines with more rows.
func (l *propertyList) fillDistinct(known map[uint64]query.CounterRow, p identity.Persons) error {
	var batch []int32
	rows := 0
	flush := func() error {
		all, err := l.distinctOf(batch)
		for _, i := range batch {
			users, sessions := setOf(&all.users, i), setOf(&all.sessions, i)
			known[l.lines[i].rows] = query.CounterRow{Users: uint64(users.CountPersons(p)), Sessions: uint64(sessions.Len())}
		}
		batch, rows = batch[:0], 0
		return err
	}
	for i := range l.lines {
		line := &l.lines[i]
		if line.sharedRows == 0 || line.sharedRows > l.pairs || len(line.values) == 0 {
			continue
		}
		if _, ok := known[line.rows]; ok {
			continue
		}
		known[line.rows] = query.CounterRow{} // lines with the same rows need not be read
		if rows+line.sharedRows > l.pairs {
			if err := flush(); err != nil {
				return err
			}
		}
		batch = append(batch, int32(i))
		rows += line.sharedRows
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}
