// Whole properties: what rows have under a key of their properties, with all that is in it.

package read

import (
	"cairn/engine/event"
	"cairn/index"
)

// WholeProperty reads a property of the rows of a slice. One goroutine uses it.
type WholeProperty struct {
	key       string
	own       index.Column // nil = no row of the part has the key as a column
	ownCodes  *rowInts
	rest      index.Column // of the keys without a column; nil = there are none
	restCodes *rowInts
	parser    event.Parser
}

// Whole returns a reader of the property under a key, which is no path.
func (s *Slice) Whole(key string) *WholeProperty {
	w := &WholeProperty{key: key}
	if w.own = s.part.Column(event.PrefixProperty + key); w.own != nil {
		w.ownCodes = newRowInts(w.own.Codes())
	}
	if w.rest = s.part.Column(event.PrefixProperty); w.rest != nil {
		w.restCodes = newRowInts(w.rest.Codes())
	}
	return w
}

// Code returns a number for what a row has under the key, 0 when it certainly has nothing. Rows of
// the slice with the same number have the same value. Rows ascend.
func (w *WholeProperty) Code(row int) int64 {
	if w.own != nil {
		if code := w.ownCodes.at(row); code > 0 && code <= int64(w.own.Card()) {
			return code
		}
	}
	if w.rest != nil {
		if code := w.restCodes.at(row); code > 0 && code <= int64(w.rest.Card()) {
			return -code
		}
	}
	return 0
}

// Value returns the value of a number that Code has returned. It is valid until the next call.
func (w *WholeProperty) Value(code int64) event.Value {
	switch {
	case code > 0:
		return event.CellValue(w.own.Cell(uint32(code)))
	case code == 0:
		return event.Value{}
	}
	w.parser.Reset()
	members, err := event.CellValue(w.rest.Cell(uint32(-code))).Object(&w.parser)
	if err != nil {
		return event.Value{} // a damaged page, which the part reports
	}
	return members.Get(w.key)
}
