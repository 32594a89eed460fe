package event

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// A cell is the stored form of one Value: a tag byte and a payload that runs to the end
// of the cell.
//
//	+-----+----------------------------+
//	| tag | payload                    |
//	+-----+----------------------------+
//	 's'   UTF-8 of a string
//	 'u'   16 bytes: a string that is a UUID in lower case, 8-4-4-4-12
//	 'h'   16 bytes: a string of 32 lower-case hexadecimal digits
//	 'i'   23 bytes: a message id of one of Segment's SDKs, see appendSDKID
//	 'd'   the literal of a number
//	 't'   true, 'f' false, 'n' null: nothing
//	 'j'   compact JSON of an array or object
//	 'o'   the shape of an object that is stored in pieces, see split.go
//
// The absent value is the empty cell. Each value has exactly one cell and each cell
// exactly one value, so equal values have equal cells. Two things are not so: an object in
// pieces has several cells, and older cairns wrote an SDK's id as a plain string (Repacked).
const (
	tagString = 's'
	tagUUID   = 'u'
	tagHex    = 'h'
	tagSDKID  = 'i'
	tagNumber = 'd'
	tagTrue   = 't'
	tagFalse  = 'f'
	tagNull   = 'n'
	tagJSON   = 'j'
	tagShape  = 'o'
)

// tagSessionOf begins the session of a record that holds its SessionOf as well. No cell
// begins with it.
const tagSessionOf = 'q'

// sessionOfCell is the length of the cell of a SessionOf.
const sessionOfCell = 17

// AppendCell appends the cell of v.
func AppendCell(dst []byte, v Value) []byte {
	switch v.Kind {
	case String:
		return appendStringCell(dst, v.Text)
	case Number:
		return append(append(dst, tagNumber), v.Text...)
	case Bool:
		if v.Text == "true" {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case Null:
		return append(dst, tagNull)
	case JSON:
		return append(append(dst, tagJSON), v.Text...)
	}
	return dst
}

func appendStringCell(dst []byte, s string) []byte {
	if maybePacked(len(s)) {
		if out, ok := appendPacked(dst, s); ok {
			return out
		}
	}
	return append(append(dst, tagString), s...)
}

// maybePacked reports whether a string of n bytes may have the form of a packed cell.
func maybePacked(n int) bool { return n == 32 || n == 36 || n == sdkIDBytes || n == sdkIDBytes+1 }

// Repacked returns the cell that AppendCell makes now of the value of a stored cell. That is
// the cell itself, unless an older cairn wrote an SDK's id. The result may lie in buf.
func Repacked(cell, buf []byte) []byte {
	if n := len(cell) - 1; n >= sdkIDBytes && maybePacked(n) && cell[0] == tagString {
		return appendStringCell(buf[:0], aliasString(cell[1:]))
	}
	return cell
}

// packable reports whether a string has the form of a packed cell.
func packable(s string) bool {
	var buf [24]byte
	_, ok := appendPacked(buf[:0], s)
	return ok
}

// appendPacked appends the cell of a packable string.
func appendPacked(dst []byte, s string) (out []byte, ok bool) {
	switch {
	case len(s) == 32:
		return appendUnhex(append(dst, tagHex), s)
	case len(s) == 36:
		return appendUnUUID(append(dst, tagUUID), s)
	case len(s) >= sdkIDBytes:
		return appendSDKID(dst, s)
	}
	return dst, false
}

// sdkIDs are the texts with which the message ids of Segment's SDKs begin. The list only
// grows: a cell has the index.
var sdkIDs = [...]string{"ajs-next-", "node-next-"}

// sdkIDBytes is the length of the shorter ids: the beginning, 13 digits, a dash and a UUID.
const sdkIDBytes = len("ajs-next-") + 13 + 1 + 36

// appendSDKID appends the cell of a message id of one of Segment's SDKs, such as
// ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501:
//
//	+-----+--------------+----------------+------+
//	| tag | 0 ajs-next-  | Unix ms in     | UUID |
//	|     | 1 node-next- | 13 digits, u48 |      |
//	|  1  |      1       |       6        |  16  |
//	+-----+--------------+----------------+------+
func appendSDKID(dst []byte, s string) (out []byte, ok bool) {
	for i, start := range sdkIDs {
		rest, found := strings.CutPrefix(s, start)
		if !found || len(rest) != 13+1+36 || rest[13] != '-' || rest[0] == '0' || digitsEnd(rest, 0) != 13 {
			continue
		}
		ms, err := strconv.ParseUint(rest[:13], 10, 48)
		if err != nil {
			return dst, false
		}
		dst = binary.BigEndian.AppendUint16(append(dst, tagSDKID, byte(i)), uint16(ms>>32))
		return appendUnUUID(binary.BigEndian.AppendUint32(dst, uint32(ms)), rest[14:])
	}
	return dst, false
}

// appendSDKText appends the text of a tagSDKID cell without its tag. It reports whether
// appendSDKID can have made the cell.
func appendSDKText(dst, p []byte) (out []byte, ok bool) {
	if len(p) != 1+6+16 || int(p[0]) >= len(sdkIDs) {
		return dst, false
	}
	start := len(dst)
	if dst = appendSDKStart(dst, p); len(dst)-start != len(sdkIDs[p[0]])+13 {
		return dst[:start], false
	}
	return appendUUID(append(dst, '-'), p[7:]), true
}

// appendSDKStart appends the text before the UUID and its dash, the longest start that ids
// of one moment share. p is that of appendSDKText.
func appendSDKStart(dst, p []byte) []byte {
	ms := uint64(binary.BigEndian.Uint16(p[1:]))<<32 | uint64(binary.BigEndian.Uint32(p[3:]))
	if int(p[0]) >= len(sdkIDs) {
		return dst
	}
	return strconv.AppendUint(append(dst, sdkIDs[p[0]]...), ms, 10)
}

func appendUUID(dst, p []byte) []byte {
	dst = append(appendHex(dst, p[:4]), '-')
	dst = append(appendHex(dst, p[4:6]), '-')
	dst = append(appendHex(dst, p[6:8]), '-')
	dst = append(appendHex(dst, p[8:10]), '-')
	return appendHex(dst, p[10:])
}

// appendUnUUID appends the bytes of a UUID in lower case, which has 36 digits and dashes.
func appendUnUUID(dst []byte, s string) (out []byte, ok bool) {
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return dst, false
	}
	for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		if dst, ok = appendUnhex(dst, part); !ok {
			break
		}
	}
	return dst, ok
}

// appendUnhex appends the bytes that lower-case hexadecimal digits encode.
func appendUnhex(dst []byte, s string) (out []byte, ok bool) {
	for i := 0; i < len(s); i += 2 {
		a, b := unhex[s[i]], unhex[s[i+1]]
		if a|b > 15 {
			return dst, false
		}
		dst = append(dst, a<<4|b)
	}
	return dst, true
}

// unhex maps a lower-case hexadecimal digit to its value and any other byte to 255. A cell
// must give back the text it was made of, so upper-case digits do not count here.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range hexDigits {
		t[hexDigits[i]] = byte(i)
	}
	return t
}()

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// appendCellText appends the Value.Text of a cell.
func appendCellText(dst, cell []byte) []byte {
	if len(cell) == 0 {
		return dst
	}
	p := cell[1:]
	switch cell[0] {
	case tagUUID:
		if len(p) != 16 {
			return dst
		}
		return appendUUID(dst, p)
	case tagSDKID:
		dst, _ = appendSDKText(dst, p)
		return dst
	case tagHex:
		return appendHex(dst, p)
	case tagTrue:
		return append(dst, "true"...)
	case tagFalse:
		return append(dst, "false"...)
	case tagNull:
		return dst
	}
	return append(dst, p...)
}

// CellValue returns the value of a cell; its Text is a copy. A cell that AppendCell
// cannot have made is Absent.
func CellValue(cell []byte) Value {
	if len(cell) == 0 {
		return Value{}
	}
	switch cell[0] {
	case tagString:
		return Value{String, string(cell[1:])}
	case tagUUID, tagHex:
		if len(cell) != 17 {
			return Value{}
		}
		var buf [36]byte
		return Value{String, string(appendCellText(buf[:0], cell))}
	case tagSDKID:
		var buf [64]byte
		text, ok := appendSDKText(buf[:0], cell[1:])
		if !ok {
			return Value{}
		}
		return Value{String, string(text)}
	case tagNumber:
		return Value{Number, string(cell[1:])}
	case tagTrue:
		return Value{Bool, "true"}
	case tagFalse:
		return Value{Bool, "false"}
	case tagNull:
		return Value{Null, ""}
	case tagJSON:
		return Value{JSON, string(cell[1:])}
	case tagShape:
		return Value{shaped, string(cell[1:])}
	}
	return Value{}
}

// aliasValue is CellValue, but the text may alias the cell.
func aliasValue(cell []byte) Value {
	switch cell[0] {
	case tagString:
		return Value{String, aliasString(cell[1:])}
	case tagNumber:
		return Value{Number, aliasString(cell[1:])}
	case tagJSON:
		return Value{JSON, aliasString(cell[1:])}
	case tagShape:
		return Value{shaped, aliasString(cell[1:])}
	}
	return CellValue(cell)
}

// CellIsString reports whether the cell is that of a string. Such a cell is the
// AppendCell of its own term.
func CellIsString(cell []byte) bool { return len(cell) > 0 && stringCell(cell) }

// CellScalar reports whether the cell is a string, a number or a bool.
func CellScalar(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	switch cell[0] {
	case tagString, tagUUID, tagHex, tagSDKID, tagNumber, tagTrue, tagFalse:
		return true
	}
	return false
}

// AppendCellTerm appends the term of a scalar cell, see Value.Term. Other cells have no
// term; dst is then unchanged.
func AppendCellTerm(dst, cell []byte) []byte {
	if !CellScalar(cell) {
		return dst
	}
	if cell[0] == tagNumber {
		s := aliasString(cell[1:])
		if isPlainInteger(s) {
			return append(dst, s...)
		}
		out, num := appendDecimal(dst, s)
		if !num {
			return append(dst, s...)
		}
		return out
	}
	return appendCellText(dst, cell)
}

// CellKey returns eight bytes of a scalar cell's term as a big-endian number. The first
// skip bytes are left out; a term that ends early is filled up with zeros. Cells with
// different keys are ordered as their keys.
func CellKey(cell []byte, skip int) (key uint64) {
	var buf [96]byte
	var term []byte
	switch {
	case cell[0] == tagString:
		term = cell[1:]
	case skip == 0 && len(cell) == 17 && (cell[0] == tagUUID || cell[0] == tagHex):
		term = appendHex(buf[:0], cell[1:5]) // the first eight digits
	case len(cell) == 24 && cell[0] == tagSDKID && skip <= sdkIDBytes-36-1-8:
		term = appendSDKStart(buf[:0], cell[1:]) // eight bytes of it are left
	default:
		term = AppendCellTerm(buf[:0], cell)
	}
	term = term[min(skip, len(term)):]
	if len(term) >= 8 {
		return binary.BigEndian.Uint64(term)
	}
	for i, b := range term {
		key |= uint64(b) << (56 - 8*i)
	}
	return key
}

// CompareCells orders cells. Scalars come first, by the bytes of their terms; equal
// terms by the bytes of the cells. The other cells follow, by their bytes.
func CompareCells(a, b []byte) int {
	sa, sb := CellScalar(a), CellScalar(b)
	switch {
	case sa && !sb:
		return -1
	case !sa && sb:
		return 1
	case !sa || a[0] == b[0] && (a[0] == tagString || a[0] == tagUUID || a[0] == tagHex || a[0] == tagSDKID && len(a) > 1 && len(b) > 1 && a[1] == b[1]):
		return bytes.Compare(a, b)
	}
	var bufA, bufB [96]byte
	if c := bytes.Compare(AppendCellTerm(bufA[:0], a), AppendCellTerm(bufB[:0], b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}
