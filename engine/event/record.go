package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The record is the log's form of one event: everything but its place (site,
// seq, public id), and every decision taken at ingest.
//
//	+---------+-------------+------------+---------+--------+------+
//	| version | session ord | person ord | session | capped | body |
//	|    1    |   uvarint   |  uvarint   |  sized  | sized  |      |
//	+---------+-------------+------------+---------+--------+------+
//
//	body:
//	+-------+------+---------+----------+-------+-----+--------+--------+
//	| flags | type | dialect | received | time  | day | fields | field… |
//	|   1   |  1   |    1    |  varint  | varint| var | uvarint|        |
//	+-------+------+---------+----------+-------+-----+--------+--------+
//
//	field, a core one:               a keyed one:
//	+----+-------+                   +--------+--------+-----+-------+
//	| id | sized |                   | 0x20+n | prefix | key | sized |
//	| 1  | cell  |                   |   1    |   1    | n-1 | cell  |
//	+----+-------+                   +--------+--------+-----+-------+
//
// A sized thing is a uvarint length and that many bytes of a cell; 0 is absent.
// Varints are those of encoding/binary, in their shortest form. type and dialect
// are indexes into Types and Dialects. received is Unix milliseconds, time is
// relative to received, day to the UTC day of time. Fields ascend strictly by
// their bytes. Nothing follows the last field.
//
// Versions: 1 is the first. The meaning of a version never changes; the lists
// Types and Dialects, the flags and the field ids only grow.
const recordVersion = 1

// ErrCorrupt is wrapped by every error about a record that AppendRecord cannot
// have written.
var ErrCorrupt = errors.New("corrupt event record")

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
	flagsKnown = 1<<iota - 1
)

// Ints are the integer columns of one event.
type Ints [NumInts]int64

// The cell columns of an event. A core field is one byte; properties, context
// and extra are their prefix and the key.
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
	FieldCapped     = "\x0e" // JSON array of [property, value]

	PrefixContext  = "c"
	PrefixProperty = "p"
	PrefixExtra    = "x"
)

// Head is what a record says only once the event has its place in the log.
type Head struct {
	SessionOrd, PersonOrd uint64
	Session               string
	Capped                []Term
}

const dayMillis = 24 * 60 * 60 * 1000

// utcDay is the day of a time, counted from 1970-01-01.
func utcDay(ms int64) int64 {
	d := ms / dayMillis
	if ms%dayMillis < 0 {
		d--
	}
	return d
}

// AppendBody appends the part of a record that is known before the event has
// its place in the log: all but SessionOrd, PersonOrd, Session and Capped. e has
// passed Validate.
func AppendBody(dst []byte, e *Event) []byte {
	flags := byte(0)
	if e.Uncounted {
		flags |= FlagUncounted
	}
	if e.Late {
		flags |= FlagLate
	}
	if e.SessionSent {
		flags |= FlagSessionSent
	}
	dst = append(dst, flags, byte(max(0, slices.Index(Types, e.Type))), byte(max(0, slices.Index(Dialects, e.Dialect))))
	dst = binary.AppendVarint(dst, e.Received)
	dst = binary.AppendVarint(dst, e.Time-e.Received)
	dst = binary.AppendVarint(dst, int64(e.Day)-utcDay(e.Time))

	fields := len(dst)
	dst = append(dst, 0, 0) // patched below
	n := 0
	text := func(field, s string) {
		if s != "" {
			dst = append(dst, field[0], 0)
			at := len(dst)
			dst = sizeCell(appendStringCell(dst, s), at)
			n++
		}
	}
	text(FieldName, e.Name)
	text(FieldUser, e.User)
	text(FieldAnonymous, e.Anonymous)
	text(FieldPrevious, e.Previous)
	if len(e.Groups) > 0 {
		dst = appendListField(dst, FieldGroups, e.Groups)
		n++
	}
	text(FieldMessageID, e.MessageID)
	if e.Value.Kind != Absent {
		dst = append(dst, FieldValue[0], 0)
		at := len(dst)
		dst = sizeCell(AppendCell(dst, e.Value), at)
		n++
	}
	if len(e.Increments) > 0 {
		dst = append(dst, FieldIncrements[0], 0)
		at := len(dst)
		dst = sizeCell(appendAmounts(append(dst, tagJSON), e.Increments, false), at)
		n++
	}
	if len(e.Segments) > 0 {
		dst = appendListField(dst, FieldSegments, e.Segments)
		n++
	}
	if len(e.NotCounted) > 0 {
		dst = appendListField(dst, FieldNotCounted, e.NotCounted)
		n++
	}
	var k int
	dst, k = appendKeyed(dst, PrefixContext[0], e.Context)
	n += k
	dst, k = appendKeyed(dst, PrefixProperty[0], e.Properties)
	n += k
	dst, k = appendKeyed(dst, PrefixExtra[0], e.Extra)
	n += k

	if n < 0x80 {
		dst[fields] = byte(n)
		return slices.Delete(dst, fields+1, fields+2)
	}
	binary.PutUvarint(dst[fields:], uint64(n)) // below 1<<14: at most 3×256 and the core
	return dst
}

func appendListField(dst []byte, field string, list []string) []byte {
	dst = append(dst, field[0], 0)
	at := len(dst)
	return sizeCell(appendArray(append(dst, tagJSON), list, false), at)
}

// sizeCell puts the length of dst[at:] before it, where one byte is kept free.
func sizeCell(dst []byte, at int) []byte {
	n := len(dst) - at
	if n < 0x80 {
		dst[at-1] = byte(n)
		return dst
	}
	var buf [binary.MaxVarintLen64]byte
	size := buf[:binary.PutUvarint(buf[:], uint64(n))]
	dst = slices.Grow(dst, len(size)-1)
	dst = dst[:len(dst)+len(size)-1]
	copy(dst[at+len(size)-1:], dst[at:])
	copy(dst[at-1:], size)
	return dst
}

// appendKeyed appends the members of o in the order of their keys and says how
// many there were.
func appendKeyed(dst []byte, prefix byte, o Object) (out []byte, n int) {
	var buf [64]uint16
	order := buf[:0]
	for i := range o {
		if k := len(o[i].Key); o[i].Value.Kind == Absent || k == 0 || k > MaxKeyBytes {
			continue
		}
		order = append(order, uint16(i))
		if len(order) <= 32 { // by insertion while they are few
			for j := len(order) - 1; j > 0 && o[order[j]].Key < o[order[j-1]].Key; j-- {
				order[j], order[j-1] = order[j-1], order[j]
			}
		}
	}
	if len(order) > 32 {
		slices.SortFunc(order, func(a, b uint16) int { return strings.Compare(o[a].Key, o[b].Key) })
	}
	for _, i := range order {
		m := &o[i]
		dst = append(dst, byte(0x20+1+len(m.Key)), prefix)
		dst = append(append(dst, m.Key...), 0)
		at := len(dst)
		dst = sizeCell(AppendCell(dst, m.Value), at)
	}
	return dst, len(order)
}

// AppendRecord appends the record made of a head and a body.
func AppendRecord(dst []byte, h *Head, body []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, h.SessionOrd)
	dst = binary.AppendUvarint(dst, h.PersonOrd)
	dst = append(dst, 0)
	if h.Session != "" {
		at := len(dst)
		dst = sizeCell(appendStringCell(dst, h.Session), at)
	}
	dst = append(dst, 0)
	if len(h.Capped) > 0 {
		at := len(dst)
		dst = sizeCell(appendTerms(append(dst, tagJSON), h.Capped), at)
	}
	return append(dst, body...)
}

// typeFields and dialectFields are the cells of every type and dialect.
var (
	fieldType, fieldDialect   = []byte(FieldType), []byte(FieldDialect)
	fieldSession, fieldCapped = []byte(FieldSession), []byte(FieldCapped)
	typeCells, dialectCells   = func() (types, dialects [][]byte) {
		for _, t := range Types {
			types = append(types, AppendCell(nil, Str(string(t))))
		}
		for _, d := range Dialects {
			dialects = append(dialects, AppendCell(nil, Str(string(d))))
		}
		return types, dialects
	}()
)

// ScanRecord checks a whole record, fills ints and calls cell with every column
// that is there: type, dialect, session, capped, then the fields in their order.
// The slices alias record or constants: they are to be read only. An error of
// cell ends the scan and is returned; others wrap ErrCorrupt and say where. The
// cells seen before an error are of no worth.
func ScanRecord(record []byte, ints *Ints, cell func(field, cell []byte) error) error {
	r := reader{record: record}
	if v := r.byte(); v != recordVersion {
		return fmt.Errorf("%w: version %d", ErrCorrupt, v)
	}
	ints[IntSession] = int64(r.uvarint())
	ints[IntPerson] = int64(r.uvarint())
	session, capped := r.sized(), r.sized()
	flags, kind, from := r.byte(), int(r.byte()), int(r.byte())
	ints[IntFlags] = int64(flags)
	ints[IntReceived] = r.varint()
	ints[IntTime] = ints[IntReceived] + r.varint()
	ints[IntDay] = utcDay(ints[IntTime]) + r.varint()
	n := r.uvarint()
	if r.failed || flags&^flagsKnown != 0 || kind >= len(Types) || from >= len(Dialects) ||
		ints[IntDay] != int64(int32(ints[IntDay])) || len(record) > recordBytesMax {
		return r.corrupt("head")
	}
	if err := cell(fieldType, typeCells[kind]); err != nil {
		return err
	}
	if err := cell(fieldDialect, dialectCells[from]); err != nil {
		return err
	}
	if len(session) > 0 {
		if !validCell(session) || !stringCell(session) {
			return r.corrupt("session")
		}
		if err := cell(fieldSession, session); err != nil {
			return err
		}
	}
	if len(capped) > 0 {
		if !validCell(capped) || capped[0] != tagJSON {
			return r.corrupt("capped")
		}
		if err := cell(fieldCapped, capped); err != nil {
			return err
		}
	}
	var last []byte
	for ; n > 0; n-- {
		field := r.field()
		c := r.sized()
		if r.failed || bytes.Compare(last, field) >= 0 || !validCell(c) || !fits(field, c) {
			return r.corrupt("field")
		}
		if err := cell(field, c); err != nil {
			return err
		}
		last = field
	}
	if r.at != len(record) {
		return r.corrupt("end")
	}
	return nil
}

// recordBytesMax bounds a record: an event at its cap, all its values capped and
// written again with escapes, and the frame.
const recordBytesMax = 4 * MaxEventBytes

func stringCell(c []byte) bool { return c[0] == tagString || c[0] == tagUUID || c[0] == tagHex }

// fits says whether a field may be in a body with such a cell.
func fits(field, c []byte) bool {
	if len(field) > 1 {
		return true
	}
	switch string(field) {
	case FieldName, FieldUser, FieldAnonymous, FieldPrevious, FieldMessageID:
		return stringCell(c)
	case FieldValue:
		return stringCell(c) || c[0] == tagNumber
	case FieldGroups, FieldSegments, FieldNotCounted, FieldIncrements:
		return c[0] == tagJSON
	}
	return false
}

// validCell says whether AppendCell can have made the cell.
func validCell(c []byte) bool {
	if len(c) == 0 {
		return false
	}
	switch c[0] {
	case tagUUID, tagHex:
		return len(c) == 17
	case tagTrue, tagFalse, tagNull:
		return len(c) == 1
	case tagNumber:
		return numberEnd(view(c), 1) == len(c)
	case tagString:
		s := view(c[1:])
		return isClean(s) && (len(s) != 32 && len(s) != 36 || !packable(s))
	case tagJSON:
		return len(c) > 1 && (c[1] == '[' || c[1] == '{') && skipValue(view(c), 1, 1) == len(c)
	}
	return false
}

// reader reads a record from its start; failed stays set from the first thing
// that is not there.
type reader struct {
	record []byte
	at     int
	failed bool
}

func (r *reader) corrupt(what string) error {
	return fmt.Errorf("%w: %s at byte %d of %d", ErrCorrupt, what, r.at, len(r.record))
}

func (r *reader) byte() byte {
	if r.at >= len(r.record) {
		r.failed = true
		return 0
	}
	r.at++
	return r.record[r.at-1]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.record[r.at:])
	if n <= 0 || n > 1 && r.record[r.at+n-1] == 0 { // not there, or longer than it need be
		r.failed = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) bytes(n uint64) []byte {
	if r.failed || n > uint64(len(r.record)-r.at) {
		r.failed = true
		return nil
	}
	b := r.record[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *reader) sized() []byte { return r.bytes(r.uvarint()) }

func (r *reader) field() []byte {
	n := r.byte()
	if n < 0x20 {
		if r.failed {
			return nil
		}
		return r.record[r.at-1 : r.at : r.at]
	}
	f := r.bytes(uint64(n - 0x20))
	if len(f) < 2 || len(f) > 1+MaxKeyBytes || f[0] != PrefixContext[0] && f[0] != PrefixProperty[0] && f[0] != PrefixExtra[0] {
		r.failed = true
	}
	return f
}

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
		e.Uncounted, e.Late, e.SessionSent = v&FlagUncounted != 0, v&FlagLate != 0, v&FlagSessionSent != 0
	}
}

// SetCell sets one cell column of an event that has none of that field yet. The
// cell is copied. Finish is called after the last one.
func (e *Event) SetCell(field string, cell []byte) error {
	if len(cell) == 0 || field == "" {
		return fmt.Errorf("%w: empty field or cell", ErrCorrupt)
	}
	return e.set(field, CellValue(cell))
}

// set is SetCell with the cell's value.
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
		e.Capped, ok = termsOf(v)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: field %q with a value of kind %d", ErrCorrupt, field, v.Kind)
	}
	return nil
}

// Finish puts an event that was set column by column into its one form:
// properties, context and extra sorted by key.
func (e *Event) Finish() {
	for _, o := range [...]Object{e.Properties, e.Context, e.Extra} {
		slices.SortFunc(o, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
	}
}

// DecodeRecord returns the event of a record. It owns its memory: one copy of the
// record, which its strings share.
func DecodeRecord(record []byte) (*Event, error) {
	e := &Event{Context: make(Object, 0, 16), Properties: make(Object, 0, 8)}
	var ints Ints
	err := ScanRecord(bytes.Clone(record), &ints, func(field, cell []byte) error {
		return e.set(view(field), cellView(cell))
	})
	if err != nil {
		return nil, err
	}
	for i, v := range ints {
		e.SetInt(i, v)
	}
	if len(e.Properties) == 0 {
		e.Properties = nil
	}
	if len(e.Context) == 0 {
		e.Context = nil
	}
	return e, nil // the fields of a record are in the order of Finish

}
