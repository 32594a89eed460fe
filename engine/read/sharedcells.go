// Shared cells: what rows count under many properties at once. A property with a column of
// its own is counted quickly from that column. A property inside arrays or objects, or one
// whose key has no column, shares its cells with others. When a list has many properties
// that share cells, the event of each row is rebuilt and counted as a whole, once for all of
// them.

package read

import (
	"cmp"

	"cairn/engine/event"
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
	for _, a := range pathAlts(event.PrefixProperty, property) {
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

// readShared does for all shared lines what rowsOf and countRows do for one line. It adds
// their rows to any, and their persons and sessions to the bags.
func (l *propertyList) readShared(r *rangeReader, rr *rowRange, part index.Part, p *propertyPart, any rowSet, sum *propertySum) (err error) {
	names := newNameRows(part)
	persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	lastRow := make([]int32, len(l.lines)) // the last row added for each line, plus 1
	row := int32(0)
	last, lastLine := "", int32(-1) // most leaves have the name of the leaf before, or are few
	var person, session uint64
	yield := func(property, term string, by int64) bool {
		if property != last || lastLine < 0 {
			line, ok := l.numbers[property]
			if !ok || !p.shared[line] {
				return true
			}
			last, lastLine = l.lines[line].name, line
		}
		line := int(lastLine)
		if lastRow[line] != row+1 {
			lastRow[line] = row + 1
			any.add(rr, row)
			sum.lines[line].shared = true
			if l.distinct {
				sum.bags.pair(line, person, session)
			}
		}
		if p.byRow {
			sum.lines[line].events = index.AddSaturating(sum.lines[line].events, by)
			l.value(&sum.bags, line, term)
		}
		return true
	}
	eachErr := r.each(rr, func(batch []int32) {
		for _, row = range batch {
			if err != nil || r.timedOut() {
				return
			}
			if l.distinct {
				person, session = uint64(persons.at(int(row))), uint64(sessions.at(int(row)))
			}
			err = names.count(int(row), yield)
		}
	})
	return cmp.Or(err, eachErr)
}
