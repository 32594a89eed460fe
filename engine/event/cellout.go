package event

import "strings"

// Writing cells without making an event of them, for an export: it reads columns, and most of
// the cells in a column are the same.

// AppendCellJSON appends the value of a cell as AppendJSON writes it. A cell that AppendCell
// cannot have made is null, and so is the shape of an object in pieces, see Shape.
func AppendCellJSON(dst, cell []byte) []byte {
	if len(cell) == 0 || cell[0] == tagShape {
		return append(dst, "null"...)
	}
	return AppendValue(dst, aliasValue(cell))
}

// AppendCellText appends the value of a cell as text: a string as it is, anything else as JSON.
// Nothing stands for null and for what AppendCell cannot have made.
func AppendCellText(dst, cell []byte) []byte {
	if len(cell) == 0 || cell[0] == tagShape {
		return dst
	}
	return appendCellText(dst, cell)
}

// AppendCellAt appends the cell of the value at a dotted path inside a cell, nothing when there
// is none. GetPath has the rules.
func AppendCellAt(dst, cell []byte, path string) []byte {
	if len(cell) == 0 || cell[0] != tagJSON {
		return dst
	}
	v := aliasValue(cell)
	if !v.IsObject() {
		return dst
	}
	return AppendCell(dst, pathIn(v.Text, path))
}

// CellKind is the kind of the value of a cell, see CellValue.
func CellKind(cell []byte) Kind {
	if len(cell) == 0 {
		return Absent
	}
	switch cell[0] {
	case tagString, tagUUID, tagHex, tagSDKID:
		return String
	case tagNumber:
		return Number
	case tagTrue, tagFalse:
		return Bool
	case tagNull:
		return Null
	case tagJSON:
		return JSON
	}
	return Absent
}

// AppendTime appends a time in Unix milliseconds as AppendJSON writes it.
func AppendTime(dst []byte, ms int64) []byte { return appendTime(dst, ms) }

// A Shape is what a cell says of an object of Extra that is stored in pieces: the JSON of the
// object, and which values go where. It does not change.
type Shape struct {
	parts []shapePart
	tail  string // after the last part
}

type shapePart struct {
	before string // JSON, safe inside HTML
	field  string // of the value
}

// ShapeOf reads the shape in a cell. field is that of the cell. nil stands for a cell that is no
// shape, or that AppendBody cannot have made.
func ShapeOf(field string, cell []byte) *Shape {
	if !IsShape(cell) {
		return nil
	}
	s, text := new(Shape), string(cell[1:])
	done := 0
	w := shapeWalk{shape: text, path: append([]byte(nil), field...)}
	sound := w.all(func(path []byte, ref byte, at int) bool {
		p := shapePart{before: string(appendSafe(nil, text[done:at]))}
		if p.field, done = string(path), at+1; ref != 0 {
			p.field, done = PrefixContext+refKeys[ref-refBase], at+2
		}
		s.parts = append(s.parts, p)
		return true
	})
	if !sound {
		return nil
	}
	s.tail = string(appendSafe(nil, text[done:]))
	return s
}

// Fields returns the fields of the values, in the order in which Append asks for them.
func (s *Shape) Fields() []string {
	fields := make([]string, len(s.parts))
	for i := range s.parts {
		fields[i] = s.parts[i].field
	}
	return fields
}

// Append appends the JSON of the object. value appends that of the value of a field, by its
// place in Fields, or returns false when the row does not have it; then ok is false.
func (s *Shape) Append(dst []byte, value func(dst []byte, i int) (out []byte, ok bool)) (out []byte, ok bool) {
	for i := range s.parts {
		dst = append(dst, s.parts[i].before...)
		if dst, ok = value(dst, i); !ok {
			return dst, false
		}
	}
	return append(dst, s.tail...), true
}

// Defused returns a text as a cell of CSV has it. A spreadsheet takes what begins with one of
// = + - @, a tab or a carriage return for a formula, so such a text gets an apostrophe before it,
// and so does one that would look like that: one with apostrophes before such a character.
func Defused(text string) string {
	if formula(text) {
		return "'" + text
	}
	return text
}

// Fused returns the text of which Defused has made a cell.
func Fused(cell string) string {
	if len(cell) > 0 && cell[0] == '\'' && formula(cell) {
		return cell[1:]
	}
	return cell
}

// formula reports whether a text begins with any number of apostrophes and a character with
// which formulas begin.
func formula(text string) bool {
	for i := range len(text) {
		if text[i] != '\'' {
			return strings.IndexByte("=+-@\t\r", text[i]) >= 0
		}
	}
	return false
}
