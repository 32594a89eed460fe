// Counted: which values the rows of a part count under, read from its columns.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"
)

// valueReader reads what counters count in the rows of one part: it answers, from
// columns, what event.Counts answers from a whole event.
type valueReader struct {
	part     index.Part
	property string
	explicit []pathColumn // columns where the property may be
	detected *pathColumn  // the detected value it replaces, if there is one
	literal  *rowInts     // codes of the column of that very key
	rest     *pathColumn  // keys without a column

	types      *pathColumn
	flags      *rowInts
	increments *pathColumn
	notCounted *pathColumn
	capped     *cappedProperty // nil when no row has a value of the property over the cap
	cells      *cappedCells    // nil when nothing of any row is over a cap
	left       []uint32        // codes of cells that leave the property out
	others     []uint32        // of the property event.Other: codes of cells by which a row counts under it
	cut        *cutColumn      // nil when all rows count whole
	parser     event.Parser
	self       int32 // the property's own name, as notCounted has it
	names      *terms
	countables []int8     // by code of the type: always or never, 0 = not looked at
	ids, kept  distinctly // of the row asked last
	with       distinctly // the same with event.Other

	all  int8        // whether the rows take part in counters: always, never, 0 = it differs
	only *pathColumn // sole, where its codes are not many more than a slice has rows
	ones []int32     // by its code, what one returns for it, plus 3; 0 = not looked at
	own  [1]int32    // that value
}

// pathColumn is a column and a path inside its cells, with what each code holds
// there remembered.
type pathColumn struct {
	field string
	col   index.Column
	codes *rowInts
	path  string
	names *terms

	scalars int               // the codes up to it have a term at ""
	memo    [][]int32         // by code; nil = not looked at
	wide    map[int64][]int32 // in its place where codes are many more than a slice has rows
}

func openPath(p index.Part, field, path string, names *terms) *pathColumn {
	col := p.Column(field)
	if col == nil {
		return nil
	}
	return &pathColumn{field: field, col: col, codes: newRowInts(col.Codes()), path: path, names: names, scalars: col.Scalars()}
}

// noTerms is the memory of a code that has nothing at the path.
var noTerms = []int32{}

// at returns the terms at the path in a row's cell.
func (c *pathColumn) at(row int) []int32 { return c.terms(c.codes.at(row)) }

// terms returns the terms at the path in the cell of a code.
func (c *pathColumn) terms(code int64) []int32 {
	card := c.col.Card()
	if code <= 0 || code > int64(card) {
		return nil
	}
	if card > rangeRowsMax {
		ids, known := c.wide[code]
		if !known {
			if c.wide == nil {
				c.wide = make(map[int64][]int32)
			}
			ids = c.look(uint32(code))
			c.wide[code] = ids
		}
		return ids
	}
	if c.memo == nil {
		c.memo = make([][]int32, card+1)
	}
	if c.memo[code] == nil {
		c.memo[code] = c.look(uint32(code))
	}
	return c.memo[code]
}

// look reads what the cell of a code holds at the path.
func (c *pathColumn) look(code uint32) []int32 {
	var ids distinctly
	event.CellTerms(c.col.Cell(code), c.path, func(term string) { ids.add(c.names.own(term)) })
	if len(ids.list) == 0 {
		return noTerms
	}
	return ids.list
}

// distinctly is a list of numbers, each once.
type distinctly struct {
	list []int32
	many map[int32]struct{} // the same, once they are more than a few
}

func (d *distinctly) reset() { d.list, d.many = d.list[:0], nil }

func (d *distinctly) add(id int32) {
	const few = 16
	if len(d.list) < few {
		if !slices.Contains(d.list, id) {
			d.list = append(d.list, id)
		}
		return
	}
	if d.many == nil {
		d.many = make(map[int32]struct{}, 2*few)
		for _, id := range d.list {
			d.many[id] = struct{}{}
		}
	}
	if _, again := d.many[id]; !again {
		d.many[id] = struct{}{}
		d.list = append(d.list, id)
	}
}

// cutColumn says of each row where counting ends in it.
type cutColumn struct {
	col   index.Column
	codes *rowInts
	memo  map[int64]*event.Cut
}

// at is where counting ends in a row, nil when it counts whole.
func (c *cutColumn) at(row int) *event.Cut {
	if c == nil {
		return nil
	}
	code := c.codes.at(row)
	if code <= 0 || code > int64(c.col.Card()) {
		return nil
	}
	cut, known := c.memo[code]
	if !known {
		var e event.Event
		_ = e.SetCell(event.FieldCut, c.col.Cell(uint32(code))) // of a damaged page, which the part tells
		cut = e.Cut
		if c.memo == nil {
			c.memo = make(map[int64]*event.Cut)
		}
		c.memo[code] = cut
	}
	return cut
}

// any says whether the cell of a code has a term at the path.
func (c *pathColumn) any(code int64) bool {
	if code == 0 {
		return false
	}
	return c.path == "" && code > 0 && code <= int64(c.scalars) || len(c.terms(code)) > 0
}

// cell returns the row's cell, nil when there is none.
func (c *pathColumn) cell(row int) []byte {
	if c == nil {
		return nil
	}
	if code := uint32(c.codes.at(row)); code != 0 {
		return c.col.Cell(code)
	}
	return nil
}

// newCounted prepares to read the rows from..to of a part, to excluded. capped is of
// the same rows.
func newValueReader(p index.Part, property string, names *terms, from, to int, capped *cappedCells) *valueReader {
	c := &valueReader{part: p, property: property, names: names, flags: newRowInts(p.Ints(event.IntFlags))}
	for _, a := range pathAlts(event.PrefixProperty, property, nil) {
		if col := openPath(p, a.Field, a.Path, names); col != nil {
			if table.IsOverflow(a.Field) {
				c.rest = col
			}
			c.explicit = append(c.explicit, *col)
		}
	}
	if col := p.Column(event.PrefixProperty + property); col != nil {
		c.literal = newRowInts(col.Codes())
	}
	switch {
	case property == "name":
		c.detected = openPath(p, event.FieldName, "", names)
	case event.Detected(property):
		c.detected = openPath(p, event.PrefixContext+property, "", names)
		if c.detected == nil { // see contextAlts
			c.detected = openPath(p, event.PrefixContext, property, names)
		}
	}
	c.types = openPath(p, event.FieldType, "", names)
	c.increments = openPath(p, event.FieldIncrements, "", names)
	c.notCounted = openPath(p, event.FieldNotCounted, "", names)
	c.capped, c.cells = capped.of(property), capped
	if property == event.Other {
		c.others = capped.leftOut(property)
	} else {
		c.left = capped.leftOut(property)
	}
	if col := p.Column(event.FieldCut); col != nil {
		c.cut = &cutColumn{col: col, codes: newRowInts(col.Codes())}
	}
	c.self = names.own(property)
	c.settle(from, to)
	return c
}

// settle finds out, once for all rows from..to, what they have in common.
func (c *valueReader) settle(from, to int) {
	if c.types != nil {
		_, one := constant(c.types.codes.col, from, to)
		if _, same := constant(c.flags.col, from, to); one && same {
			if c.countable(from) {
				c.all = always
			} else {
				c.all = never
			}
		}
	}
	for _, col := range []**pathColumn{&c.increments, &c.notCounted} {
		if *col != nil {
			if code, same := constant((*col).codes.col, from, to); same && code == 0 {
				*col = nil
			}
		}
	}
	if c.notCounted != nil && !c.mayLeaveOut() {
		c.notCounted = nil
	}
	if c.cut != nil {
		if code, same := constant(c.cut.codes.col, from, to); same && code == 0 {
			c.cut = nil
		}
	}
	if col := c.sole(); col != nil && col.col.Card() <= rangeRowsMax {
		c.only = col
	}
}

// sole is the one column that can tell a value, nil where there are several.
func (c *valueReader) sole() *pathColumn {
	switch {
	case c.detected == nil && len(c.explicit) == 1:
		return &c.explicit[0]
	case len(c.explicit) == 0 && c.literal == nil && c.rest == nil:
		return c.detected
	}
	return nil
}

// fewCells is how many cells of a column are looked at beforehand.
const fewCells = 64

// mayLeaveOut says whether some row may say that the property is not counted.
func (c *valueReader) mayLeaveOut() bool {
	card := c.notCounted.col.Card()
	for code := 1; code <= min(card, fewCells); code++ {
		if slices.Contains(c.notCounted.terms(int64(code)), c.self) {
			return true
		}
	}
	return card > fewCells
}

const (
	always = 1
	never  = 2
)

// What one returns for a row that counts under no value, and for one that values
// has to be asked about.
const (
	noValue = -1
	ask     = -2
)

// direct says whether every row of the slice counts once under what one returns
// for its code alone.
func (c *valueReader) direct() bool {
	return c.only != nil && c.notCounted == nil && c.capped == nil && c.left == nil && c.others == nil && c.cut == nil && c.increments == nil
}

// one is the value a row counts under, if that is quickly told.
func (c *valueReader) one(row int) int32 {
	if c.only == nil || c.others != nil || c.notCounted != nil && c.notCounted.codes.at(row) != 0 || c.cut.at(row) != nil {
		return ask
	}
	if c.cells.in(c.left, row) {
		return noValue
	}
	code := c.only.codes.at(row)
	if code == 0 {
		return noValue
	}
	if c.capped != nil {
		if _, some := c.capped.at(row); some {
			return ask
		}
	}
	if uint(code) < uint(len(c.ones)) && c.ones[code] != 0 {
		return c.ones[code] - 3
	}
	return c.ofCode(code)
}

// ofCode is what one returns for rows of a code.
func (c *valueReader) ofCode(code int64) int32 {
	card := c.only.col.Card()
	if code <= 0 || code > int64(card) {
		return noValue
	}
	if c.ones == nil {
		c.ones = make([]int32, card+1)
	}
	value := int32(ask)
	switch ids := c.only.terms(code); len(ids) {
	case 0:
		value = noValue
	case 1:
		value = ids[0]
	}
	c.ones[code] = value + 3
	return value
}

// countable says whether the row takes part in counters at all.
func (c *valueReader) countable(row int) bool {
	if c.all == always {
		return true
	}
	if c.types == nil || c.flags.at(row)&event.FlagUncounted != 0 {
		return false
	}
	code := int(c.types.codes.at(row))
	if code == 0 || code > c.types.col.Card() {
		return false
	}
	if c.countables == nil {
		c.countables = make([]int8, c.types.col.Card()+1)
	}
	if c.countables[code] == 0 {
		c.countables[code] = never
		if event.Countable(event.Type(event.CellValue(c.types.col.Cell(uint32(code))).Text)) {
			c.countables[code] = always
		}
	}
	return c.countables[code] == always
}

// values returns the distinct values the row counts under, capped ones as
// event.Other. The slice is good until the next call.
func (c *valueReader) values(row int) []int32 {
	switch c.own[0] = c.one(row); c.own[0] {
	case noValue:
		return nil
	case ask:
	default:
		return c.own[:]
	}
	ids := c.explicitly(row)
	if c.cells.in(c.others, row) && !c.leavesOut(row) {
		c.with.reset()
		for _, id := range ids {
			c.with.add(id)
		}
		c.with.add(c.names.id(event.Other))
		return c.with.list
	}
	return ids
}

// leavesOut says whether the row says that the property is not counted.
func (c *valueReader) leavesOut(row int) bool {
	return c.notCounted != nil && slices.Contains(c.notCounted.at(row), c.self)
}

// explicitly is values but for what the row counts by names over the cap.
func (c *valueReader) explicitly(row int) []int32 {
	var ids []int32
	cut := c.cut.at(row)
	switch {
	case c.cells.in(c.left, row):
		return nil
	case cut != nil:
		ids = c.within(row, cut)
	case c.detected == nil && len(c.explicit) == 1:
		ids = c.explicit[0].at(row)
	case len(c.explicit) == 0 && (c.detected == nil || !c.replaced(row)):
		if c.detected != nil {
			ids = c.detected.at(row)
		}
	default:
		c.ids.reset()
		for i := range c.explicit {
			c.collect(c.explicit[i].at(row))
		}
		if c.detected != nil && !c.replaced(row) {
			c.collect(c.detected.at(row))
		}
		ids = c.ids.list
	}
	if len(ids) == 0 {
		return nil
	}
	if c.leavesOut(row) {
		return nil
	}
	if c.capped != nil {
		if values, some := c.capped.at(row); some {
			return c.cap(ids, values)
		}
	}
	return ids
}

func (c *valueReader) collect(ids []int32) {
	for _, id := range ids {
		c.ids.add(id)
	}
}

// within is what values finds in a row whose counting ends at cut, as event.Counts
// does.
func (c *valueReader) within(row int, cut *event.Cut) []int32 {
	c.ids.reset()
	add := func(term string) { c.ids.add(c.names.own(term)) }
	if len(c.property) <= event.MaxPathBytes {
		for i := range c.explicit {
			col := &c.explicit[i]
			if !table.IsOverflow(col.field) {
				switch n := cut.Of(col.field[1:]); n {
				case 0:
				case event.AllLeaves:
					c.collect(col.at(row))
				default:
					event.CellTermsOf(col.cell(row), col.path, n, add)
				}
				continue
			}
			members, _ := event.CellValue(col.cell(row)).Object(&c.parser)
			for _, m := range members {
				path, under := strings.CutPrefix(c.property, m.Key)
				if under && path != "" {
					path, under = strings.CutPrefix(path, ".")
				}
				if under {
					event.CellTermsOf(event.AppendCell(nil, m.Value), path, cut.Of(m.Key), add)
				}
			}
			c.parser.Reset()
		}
	}
	if c.detected != nil && !c.replaced(row) {
		c.collect(c.detected.at(row))
	}
	return c.ids.list
}

// cap returns ids with those of the values as event.Other.
func (c *valueReader) cap(ids []int32, values cappedValues) []int32 {
	c.kept.reset()
	for _, id := range ids {
		if values.has(c.names.names[id]) {
			id = c.names.id(event.Other)
		}
		c.kept.add(id) // two capped values of one row are one Other
	}
	return c.kept.list
}

// plain is the column that alone says whether a row is present: it is if its cell has
// a term. nil where there is none such.
func (c *valueReader) plain() *pathColumn {
	if c.all != always || c.notCounted != nil || c.cut != nil || c.left != nil || c.others != nil {
		return nil
	}
	return c.sole()
}

// everywhere says that every row has a term at the path, if that is known without a
// look at any.
func (c *pathColumn) everywhere() bool { return c.path == "" && c.col.Everywhere() }

// present says whether the row counts under any value, as values does.
func (c *valueReader) present(row int) bool {
	if c.cut.at(row) != nil {
		return len(c.values(row)) > 0
	}
	if c.cells.in(c.left, row) {
		return false
	}
	any := c.cells.in(c.others, row)
	for i := range c.explicit {
		any = any || c.explicit[i].any(c.explicit[i].codes.at(row))
	}
	if !any && c.detected != nil && c.detected.any(c.detected.codes.at(row)) {
		any = !c.replaced(row)
	}
	return any && !c.leavesOut(row)
}

// nowhere says that no row counts under the property.
func (c *valueReader) nowhere() bool {
	return c.detected == nil && len(c.explicit) == 0 && len(c.others) == 0
}

// replaced says whether the row has a property of the detected one's very name.
func (c *valueReader) replaced(row int) bool {
	if c.literal != nil && c.literal.at(row) != 0 {
		return true
	}
	if cell := c.rest.cell(row); cell != nil {
		members, err := event.CellValue(cell).Object(&c.parser)
		return err == nil && members.Get(c.property).Kind != event.Absent
	}
	return false
}

// amount is what the row adds to the property's totals.
func (c *valueReader) amount(row int) int64 {
	if cell := c.increments.cell(row); cell != nil {
		e := new(event.Event)
		if e.SetCell(event.FieldIncrements, cell) == nil {
			for _, a := range e.Increments {
				if a.Property == c.property {
					return a.By
				}
			}
		}
	}
	return 1
}
