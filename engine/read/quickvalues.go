// Quick values: the values that many rows count under, by the codes of one column.

package read

import (
	"cairn/engine/event"
	"cairn/engine/table"
)

// reuse takes over what another reader of the same part, property and names has read of its sole
// column. o may be nil.
func (vr *valueReader) reuse(o *valueReader) {
	if o == nil || o.soleColumn == nil || vr.soleColumn == nil || o.soleColumn.field != vr.soleColumn.field || o.soleColumn.path != vr.soleColumn.path {
		return
	}
	vr.soleColumn, vr.valueByCode, vr.overByCode = o.soleColumn, o.valueByCode, o.overByCode
}

// What a code of a capped cell says of a property, in overByCode. A number from overID on is that
// of the only value over the cap plus overID.
const (
	overUnknown = iota
	overNothing
	overAll
	overSome // several values
	overID
)

// quickValues appends what quickValue returns for each of rows, which ascend in one page. It calls
// timedOut before it reads a cell; when that is true, the numbers mean nothing.
func (vr *valueReader) quickValues(rows, ids []int32, timedOut func() bool) []int32 {
	if vr.soleColumn == nil || vr.notCounted != nil || vr.cut != nil || vr.leftOutCodes != nil || vr.otherCodes != nil ||
		vr.capped != nil && table.IsOverflow(vr.soleColumn.field) {
		for _, row := range rows {
			if timedOut() {
				ids = append(ids, noValue)
			} else {
				ids = append(ids, vr.quickValue(int(row)))
			}
		}
		return ids
	}
	from := len(ids)
	for _, code := range vr.soleColumn.codes.of(rows) {
		value := int32(noValue)
		switch {
		case uint(code) < uint(len(vr.valueByCode)) && vr.valueByCode[code] != 0:
			value = vr.valueByCode[code] - 3
		case !timedOut():
			value = vr.valueOfCode(code)
		}
		ids = append(ids, value)
	}
	if vr.capped == nil {
		return ids
	}
	for i, code := range vr.cappedCells.codes.of(rows) {
		if id := &ids[from+i]; code > 0 && *id >= 0 {
			*id = vr.capValue(*id, code)
		}
	}
	return ids
}

// capValue returns what a row with a value counts under when its capped cell has a code.
func (vr *valueReader) capValue(value int32, code int64) int32 {
	if code > int64(vr.cappedCells.col.Card()) {
		return value
	}
	if vr.overByCode == nil {
		vr.overByCode = make([]int32, vr.cappedCells.col.Card()+1)
	}
	over := vr.overByCode[code]
	if over == overUnknown {
		over = vr.readOver(code)
		vr.overByCode[code] = over
	}
	switch {
	case over == overNothing:
		return value
	case over == overAll || over == value+overID:
		return vr.names.id(event.Other)
	case over == overSome:
		if values, _ := vr.capped.ofCode(uint32(code)); values.has(vr.names.names[value]) {
			return vr.names.id(event.Other)
		}
	}
	return value
}

// readOver reads which values are over the cap in the capped cell of a code.
func (vr *valueReader) readOver(code int64) int32 {
	values, some := vr.capped.ofCode(uint32(code))
	switch {
	case !some || !values.all && len(values.values) == 0:
		return overNothing
	case values.all:
		return overAll
	case len(values.values) > 1:
		return overSome
	}
	for value := range values.values {
		return vr.names.idCloned(value) + overID
	}
	return overNothing
}
