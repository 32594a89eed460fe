// The value reader: which values of a property the rows of a part count under.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"
)

// valueReader reads which values of one property the rows of a row range count under. It
// finds in columns what event.Counts finds in a whole event. One goroutine uses it.
type valueReader struct {
	property string
	explicit []pathColumn // columns that may contain the property
	detected *pathColumn  // the detected value that the property replaces; may be nil
	literal  *rowInts     // codes of the column whose key is the property itself
	overflow *pathColumn  // the properties without a column

	types          *pathColumn
	flags          *rowInts
	increments     *pathColumn
	notCounted     *pathColumn
	capped         *cappedProperty // nil when no row has a capped value of the property
	cappedCells    *cappedCells    // nil when no row has anything over a cap
	leftOutCodes   []uint32        // codes of capped cells by which rows leave the property out
	otherCodes     []uint32        // for the property event.Other: codes of capped cells by which rows count under it
	cut            *cutColumn      // nil when all rows count completely
	parser         event.Parser
	nameID         int32 // number of the property's name in names
	names          *terms
	countableTypes []int8        // by code of the type: always or never; 0 = not read yet
	ids            idSet         // scratch of values
	withOther      idSet         // scratch of values
	over           *cappedValues // of the row that values reads; nil when none of its values is over the cap
	overCounts     bool          // the row counts a value that is over the cap

	allCountable int8        // whether the rows take part in counters: always or never; 0 = it differs
	soleColumn   *pathColumn // the only column that can have a value; nil when there are several or it has many codes
	valueByCode  []int32     // by code of soleColumn: what valueOfCode returns, plus 3; 0 = not read yet
	single       [1]int32    // scratch of values
}

// newValueReader prepares to read the rows [from, to) of a part. capped is that of the same
// rows.
func newValueReader(p index.Part, property string, names *terms, from, to int, capped *cappedCells) *valueReader {
	vr := &valueReader{property: property, names: names, flags: newRowInts(p.Ints(event.IntFlags))}
	for _, a := range pathAlts(event.PrefixProperty, property) {
		if col := openPathColumn(p, a.Field, a.Path, names); col != nil {
			if table.IsOverflow(a.Field) {
				vr.overflow = col
			}
			vr.explicit = append(vr.explicit, *col)
		}
	}
	if col := p.Column(event.PrefixProperty + property); col != nil {
		vr.literal = newRowInts(col.Codes())
	}
	switch {
	case property == "name":
		vr.detected = openPathColumn(p, event.FieldName, "", names)
	case event.Detected(property):
		vr.detected = openPathColumn(p, event.PrefixContext+property, "", names)
		if vr.detected == nil { // see contextAlts
			vr.detected = openPathColumn(p, event.PrefixContext, property, names)
		}
	}
	vr.types = openPathColumn(p, event.FieldType, "", names)
	vr.increments = openPathColumn(p, event.FieldIncrements, "", names)
	vr.notCounted = openPathColumn(p, event.FieldNotCounted, "", names)
	vr.capped, vr.cappedCells = capped.ofProperty(property), capped
	if property == event.Other {
		vr.otherCodes = capped.leftOutCodes(property)
	} else {
		vr.leftOutCodes = capped.leftOutCodes(property)
	}
	if col := p.Column(event.FieldCut); col != nil {
		vr.cut = &cutColumn{col: col, codes: newRowInts(col.Codes())}
	}
	vr.nameID = names.idCloned(property)
	vr.findConstants(from, to)
	return vr
}

// findConstants finds out what the rows [from, to) have in common, so that it is not read
// row by row.
func (vr *valueReader) findConstants(from, to int) {
	if vr.types != nil {
		_, one := constant(vr.types.codes.col, from, to)
		if _, same := constant(vr.flags.col, from, to); one && same {
			if vr.isCountable(from) {
				vr.allCountable = always
			} else {
				vr.allCountable = never
			}
		}
	}
	for _, col := range []**pathColumn{&vr.increments, &vr.notCounted} {
		if *col != nil {
			if code, same := constant((*col).codes.col, from, to); same && code == 0 {
				*col = nil
			}
		}
	}
	if vr.notCounted != nil && !vr.mayBeLeftOut() {
		vr.notCounted = nil
	}
	if vr.cut != nil {
		if code, same := constant(vr.cut.codes.col, from, to); same && code == 0 {
			vr.cut = nil
		}
	}
	if col := vr.findSoleColumn(); col != nil && col.col.Card() <= rangeRowsMax {
		vr.soleColumn = col
	}
}

// findSoleColumn returns the only column that can have a value, or nil when there are
// several.
func (vr *valueReader) findSoleColumn() *pathColumn {
	switch {
	case vr.detected == nil && len(vr.explicit) == 1:
		return &vr.explicit[0]
	case len(vr.explicit) == 0 && vr.literal == nil && vr.overflow == nil:
		return vr.detected
	}
	return nil
}

// leftOutCellsMax is how many cells mayBeLeftOut reads.
const leftOutCellsMax = 64

// mayBeLeftOut reports whether some event may say that the property is not counted.
func (vr *valueReader) mayBeLeftOut() bool {
	card := vr.notCounted.col.Card()
	for code := 1; code <= min(card, leftOutCellsMax); code++ {
		if slices.Contains(vr.notCounted.terms(int64(code)), vr.nameID) {
			return true
		}
	}
	return card > leftOutCellsMax
}

// Values of allCountable and countableTypes.
const (
	always = 1
	never  = 2
)

// Special results of quickValue and valueOfCode.
const (
	noValue   = -1 // the row counts under no value
	askValues = -2 // only values can tell
)

// byCode reports whether every row counts once, under what valueOfCode returns for its
// code in soleColumn.
func (vr *valueReader) byCode() bool {
	return vr.soleColumn != nil && vr.notCounted == nil && vr.capped == nil && vr.leftOutCodes == nil && vr.otherCodes == nil && vr.cut == nil && vr.increments == nil
}

// quickValue returns the number of the only value that a row counts under, noValue or
// askValues.
func (vr *valueReader) quickValue(row int) int32 {
	if vr.soleColumn == nil || vr.otherCodes != nil || vr.notCounted != nil && vr.notCounted.codes.at(row) != 0 || vr.cut.at(row) != nil {
		return askValues
	}
	if vr.cappedCells.contains(vr.leftOutCodes, row) {
		return noValue
	}
	code := vr.soleColumn.codes.at(row)
	if code == 0 {
		return noValue
	}
	if vr.capped != nil {
		if _, some := vr.capped.at(row); some {
			return askValues
		}
	}
	if uint(code) < uint(len(vr.valueByCode)) && vr.valueByCode[code] != 0 {
		return vr.valueByCode[code] - 3
	}
	return vr.valueOfCode(code)
}

// valueOfCode is quickValue for the rows with a code of soleColumn.
func (vr *valueReader) valueOfCode(code int64) int32 {
	card := vr.soleColumn.col.Card()
	if code <= 0 || code > int64(card) {
		return noValue
	}
	if vr.valueByCode == nil {
		vr.valueByCode = make([]int32, card+1)
	}
	value := int32(askValues)
	switch ids := vr.soleColumn.terms(code); len(ids) {
	case 0:
		value = noValue
	case 1:
		value = ids[0]
	}
	vr.valueByCode[code] = value + 3
	return value
}

// isCountable reports whether the row takes part in counters.
func (vr *valueReader) isCountable(row int) bool {
	if vr.allCountable == always {
		return true
	}
	if vr.types == nil || vr.flags.at(row)&event.FlagUncounted != 0 {
		return false
	}
	code := int(vr.types.codes.at(row))
	if code == 0 || code > vr.types.col.Card() {
		return false
	}
	if vr.countableTypes == nil {
		vr.countableTypes = make([]int8, vr.types.col.Card()+1)
	}
	if vr.countableTypes[code] == 0 {
		vr.countableTypes[code] = never
		if event.Countable(event.Type(event.CellValue(vr.types.col.Cell(uint32(code))).Text)) {
			vr.countableTypes[code] = always
		}
	}
	return vr.countableTypes[code] == always
}

// values returns the different values that the row counts under, as numbers in names.
// Capped values are event.Other. The slice is valid until the next call.
func (vr *valueReader) values(row int) []int32 {
	switch vr.single[0] = vr.quickValue(row); vr.single[0] {
	case noValue:
		return nil
	case askValues:
	default:
		return vr.single[:]
	}
	ids := vr.valuesBelowNameCap(row)
	if vr.cappedCells.contains(vr.otherCodes, row) && !vr.isLeftOut(row) {
		vr.withOther.reset()
		for _, id := range ids {
			vr.withOther.add(id)
		}
		vr.withOther.add(vr.names.id(event.Other))
		return vr.withOther.list
	}
	return ids
}

// isLeftOut reports whether the event says that the property is not counted.
func (vr *valueReader) isLeftOut(row int) bool {
	return vr.notCounted != nil && slices.Contains(vr.notCounted.at(row), vr.nameID)
}

// valuesBelowNameCap is values without the event.Other that stands for capped names.
func (vr *valueReader) valuesBelowNameCap(row int) []int32 {
	if vr.cappedCells.contains(vr.leftOutCodes, row) || vr.isLeftOut(row) {
		return nil
	}
	if vr.over = nil; vr.capped != nil {
		if values, some := vr.capped.at(row); some {
			vr.over, vr.overCounts = &values, false
		}
	}
	var ids []int32
	cut := vr.cut.at(row)
	switch {
	case cut != nil || vr.over != nil:
		ids = vr.valuesBeforeCut(row, cut)
	case vr.detected == nil && len(vr.explicit) == 1:
		ids = vr.explicit[0].at(row)
	case len(vr.explicit) == 0 && (vr.detected == nil || !vr.isReplaced(row)):
		if vr.detected != nil {
			ids = vr.detected.at(row)
		}
	default:
		vr.ids.reset()
		for i := range vr.explicit {
			vr.collect(vr.explicit[i].at(row))
		}
		if vr.detected != nil && !vr.isReplaced(row) {
			vr.collect(vr.detected.at(row))
		}
		ids = vr.ids.list
	}
	return ids
}

func (vr *valueReader) collect(ids []int32) {
	for _, id := range ids {
		vr.ids.add(id)
	}
}

// addTerm adds a value to ids, or notes that a value is over the cap. Values over the cap
// get no number: there may be very many of them.
func (vr *valueReader) addTerm(term string) {
	if vr.over != nil && vr.over.has(term) {
		vr.overCounts = true
		return
	}
	vr.ids.add(vr.names.idCloned(term))
}

// addCell adds the values at the path in the row's cell.
func (vr *valueReader) addCell(col *pathColumn, row int) {
	if vr.over == nil {
		vr.collect(col.at(row))
	} else {
		event.CellTerms(col.cell(row), col.path, vr.addTerm)
	}
}

// valuesBeforeCut returns the values of a row of which not all count under their own name:
// counting ends at cut, or some are over the cap. It does the same as event.Counts.
func (vr *valueReader) valuesBeforeCut(row int, cut *event.Cut) []int32 {
	vr.ids.reset()
	add := vr.addTerm
	if cut == nil || len(vr.property) <= event.MaxPathBytes {
		for i := range vr.explicit {
			col := &vr.explicit[i]
			if !table.IsOverflow(col.field) {
				switch n := cut.Of(col.field[1:]); n {
				case 0:
				case event.AllLeaves:
					vr.addCell(col, row)
				default:
					event.CellTermsOf(col.cell(row), col.path, n, add)
				}
				continue
			}
			members, _ := event.CellValue(col.cell(row)).Object(&vr.parser)
			for _, m := range members {
				path, under := strings.CutPrefix(vr.property, m.Key)
				if under && path != "" {
					path, under = strings.CutPrefix(path, ".")
					path = event.Inside(path)
				}
				if under {
					event.CellTermsOf(event.AppendCell(nil, m.Value), path, cut.Of(m.Key), add)
				}
			}
			vr.parser.Reset()
		}
	}
	if vr.detected != nil && !vr.isReplaced(row) {
		vr.addCell(vr.detected, row)
	}
	if vr.overCounts && vr.over != nil {
		vr.ids.add(vr.names.id(event.Other)) // all capped values of one row are one Other
	}
	return vr.ids.list
}

// presenceColumn returns the column that alone determines whether a row isPresent: it is
// when the row's cell has a term. It returns nil when there is no such column.
func (vr *valueReader) presenceColumn() *pathColumn {
	if vr.allCountable != always || vr.notCounted != nil || vr.cut != nil || vr.leftOutCodes != nil || vr.otherCodes != nil {
		return nil
	}
	return vr.findSoleColumn()
}

// isPresent reports whether the row counts under any value, as values would return it.
func (vr *valueReader) isPresent(row int) bool {
	if vr.cut.at(row) != nil {
		return len(vr.values(row)) > 0
	}
	if vr.cappedCells.contains(vr.leftOutCodes, row) {
		return false
	}
	any := vr.cappedCells.contains(vr.otherCodes, row)
	for i := range vr.explicit {
		any = any || vr.explicit[i].hasTerm(vr.explicit[i].codes.at(row))
	}
	if !any && vr.detected != nil && vr.detected.hasTerm(vr.detected.codes.at(row)) {
		any = !vr.isReplaced(row)
	}
	return any && !vr.isLeftOut(row)
}

// empty reports that no row counts under the property. False means that some may.
func (vr *valueReader) empty() bool {
	return vr.detected == nil && len(vr.explicit) == 0 && len(vr.otherCodes) == 0
}

// isReplaced reports whether the event has a property with the name of the detected value.
func (vr *valueReader) isReplaced(row int) bool {
	if vr.literal != nil && vr.literal.at(row) != 0 {
		return true
	}
	if cell := vr.overflow.cell(row); cell != nil {
		members, err := event.CellValue(cell).Object(&vr.parser)
		return err == nil && members.Get(vr.property).Kind != event.Absent
	}
	return false
}

// amount returns what the row adds to the property's totals: 1, or the amount of an
// increment.
func (vr *valueReader) amount(row int) int64 {
	if cell := vr.increments.cell(row); cell != nil {
		e := new(event.Event)
		if e.SetCell(event.FieldIncrements, cell) == nil {
			for _, a := range e.Increments {
				if a.Property == vr.property {
					return a.By
				}
			}
		}
	}
	return 1
}
