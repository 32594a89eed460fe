package event

import (
	"fmt"
	"slices"
	"strings"
)

// An event as columns: a few integers and a cell for every field that it has. The index
// stores events in this form. ScanRecord takes a record apart into columns; SetInt,
// SetCell and Finish make an event from them.

// The integer columns of an event.
const (
	IntReceived = iota // Unix milliseconds
	IntTime            // Unix milliseconds
	IntSession         // SessionOrd
	IntPerson          // PersonOrd
	IntDay             // Day
	IntFlags           // Flag bits
	NumInts
)

// Bits of IntFlags.
const (
	FlagUncounted = 1 << iota
	FlagLate
	FlagSessionSent
	FlagImported
	flagsKnown = 1<<iota - 1
)

// Ints are the integer columns of one event.
type Ints [NumInts]int64

// The cell columns of an event. A core field is one byte; properties, context
// and extra are their prefix and the key. split.go has the fields of an object in pieces.
const (
	FieldType       = "\x01"
	FieldDialect    = "\x02"
	FieldName       = "\x03"
	FieldUser       = "\x04"
	FieldAnonymous  = "\x05"
	FieldSession    = "\x06"
	FieldPrevious   = "\x07"
	FieldGroups     = "\x08" // JSON array of strings
	FieldMessageID  = "\x09"
	FieldValue      = "\x0a"
	FieldIncrements = "\x0b" // JSON object: dotted path → integer
	FieldSegments   = "\x0c" // JSON array of strings
	FieldNotCounted = "\x0d" // JSON array of strings
	FieldCapped     = "\x0e" // JSON array, see recordVersion
	FieldCut        = "\x0f" // JSON array: key of a property, number of its leaves that count
	FieldGone       = "\x10" // true; only of blanks, see index.FieldGone
	FieldSessionOf  = "\x11" // 32 hex digits; only the first event of an imported session has it

	PrefixContext  = "c"
	PrefixProperty = "p"
	PrefixExtra    = "x"
)

// SetInt sets one integer column.
func (e *Event) SetInt(i int, v int64) {
	switch i {
	case IntReceived:
		e.Received = v
	case IntTime:
		e.Time = v
	case IntSession:
		e.SessionOrd = uint64(v)
	case IntPerson:
		e.PersonOrd = uint64(v)
	case IntDay:
		e.Day = int32(v)
	case IntFlags:
		e.Uncounted, e.Late = v&FlagUncounted != 0, v&FlagLate != 0
		e.SessionSent, e.Imported = v&FlagSessionSent != 0, v&FlagImported != 0
	}
}

// SetCell sets one cell column. The event must not have that field yet. The cell is
// copied. Call Finish after the last one. The error wraps ErrCorrupt.
func (e *Event) SetCell(field string, cell []byte) error {
	return e.SetValue(field, cell, CellValue(cell))
}

// SetValue is SetCell for a caller that has the CellValue of the cell, whose text the event then
// shares.
func (e *Event) SetValue(field string, cell []byte, v Value) error {
	if len(cell) == 0 || field == "" {
		return fmt.Errorf("%w: empty field or cell", ErrCorrupt)
	}
	return e.set(field, v)
}

// set is SetCell with the value of the cell.
func (e *Event) set(field string, v Value) error {
	if len(field) > 1 {
		m := Member{field[1:], v}
		switch field[:1] {
		case PrefixContext:
			e.Context = append(e.Context, m)
		case PrefixProperty:
			e.Properties = append(e.Properties, m)
		case PrefixExtra:
			e.Extra = append(e.Extra, m)
		default:
			return fmt.Errorf("%w: field %q", ErrCorrupt, field)
		}
		return nil
	}
	ok := v.Kind == String
	switch field {
	case FieldType:
		e.Type = Type(v.Text)
	case FieldDialect:
		e.Dialect = Dialect(v.Text)
	case FieldName:
		e.Name = v.Text
	case FieldUser:
		e.User = v.Text
	case FieldAnonymous:
		e.Anonymous = v.Text
	case FieldSession:
		e.Session = v.Text
	case FieldPrevious:
		e.Previous = v.Text
	case FieldSessionOf:
		e.SessionOf = v.Text
	case FieldMessageID:
		e.MessageID = v.Text
	case FieldValue:
		e.Value, ok = v, v.Kind == String || v.Kind == Number
	case FieldGroups:
		e.Groups, ok = listOf(v)
	case FieldSegments:
		e.Segments, ok = listOf(v)
	case FieldNotCounted:
		e.NotCounted, ok = listOf(v)
	case FieldIncrements:
		e.Increments, ok = amountsOf(v)
	case FieldCapped:
		e.CappedNames, e.Capped, e.CappedByProperty, ok = cappedOf(v)
	case FieldCut:
		e.Cut, ok = cutIn(v)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: field %q with a value of kind %d", ErrCorrupt, field, v.Kind)
	}
	return nil
}

// Finish completes an event that was set column by column: it sorts properties, context
// and extra by key, and joins the objects of extra that are stored in pieces. The error
// wraps ErrCorrupt.
func (e *Event) Finish() error {
	for _, o := range [...]Object{e.Properties, e.Context, e.Extra} {
		slices.SortFunc(o, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
	}
	return e.join()
}
