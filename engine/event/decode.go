package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Reading records. Their bytes come from a disk, so everything is checked before it is
// used.

// The fields that a body does not hold as cells, and the cells of every type and
// dialect.
var (
	fieldType, fieldDialect   = []byte(FieldType), []byte(FieldDialect)
	fieldSession, fieldCapped = []byte(FieldSession), []byte(FieldCapped)
	fieldSessionOf            = []byte(FieldSessionOf)
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

// ScanRecord checks a whole record, fills ints and calls cell with every column that
// the record has: type, dialect, session_of, session, capped, then the fields in their order. The
// slices alias record or constants and are read only. An error of cell ends the scan
// and is returned. Other errors wrap ErrCorrupt and say where the damage is. Cells that
// were passed before an error must be discarded.
func ScanRecord(record []byte, ints *Ints, cell func(field, cell []byte) error) error {
	return scanRecord(record, ints, validCell, cell)
}

// ScanOwnRecord is ScanRecord of a record that this process has made and no disk has had. It
// does not look into cells: Validate has.
func ScanOwnRecord(record []byte, ints *Ints, cell func(field, cell []byte) error) error {
	return scanRecord(record, ints, ownCell, cell)
}

func ownCell(c []byte) bool { return len(c) > 0 }

// scanRecord is ScanRecord. valid reports whether a cell is one that AppendCell makes.
func scanRecord(record []byte, ints *Ints, valid func(cell []byte) bool, cell func(field, cell []byte) error) error {
	r := reader{record: record}
	if len(record) > RecordReadMax {
		return fmt.Errorf("%w: %d bytes, where at most %d are read", ErrCorrupt, len(record), RecordReadMax)
	}
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
		ints[IntDay] != int64(int32(ints[IntDay])) {
		return r.corrupt("head")
	}
	if err := cell(fieldType, typeCells[kind]); err != nil {
		return err
	}
	if err := cell(fieldDialect, dialectCells[from]); err != nil {
		return err
	}
	if len(session) > 0 {
		if session[0] == tagSessionOf {
			if len(session) < 1+sessionOfCell || session[1] != tagHex || flags&FlagImported == 0 {
				return r.corrupt("session of")
			}
			if err := cell(fieldSessionOf, session[1:1+sessionOfCell]); err != nil {
				return err
			}
			session = session[1+sessionOfCell:]
		}
		if !valid(session) || !stringCell(session) {
			return r.corrupt("session")
		}
		if err := cell(fieldSession, session); err != nil {
			return err
		}
	}
	if len(capped) > 0 {
		if !valid(capped) || capped[0] != tagJSON {
			return r.corrupt("capped")
		}
		if err := cell(fieldCapped, capped); err != nil {
			return err
		}
	}
	var last []byte
	var pieces []string // fields that must follow: those of the newest shape
	for ; n > 0; n-- {
		field := r.field()
		c := r.sized()
		if r.failed || bytes.Compare(last, field) >= 0 || len(c) == 0 {
			return r.corrupt("field")
		}
		switch {
		case len(pieces) > 0:
			// A piece of the shape before. Nothing else may come between.
			if string(field) != pieces[0] || !valid(c) {
				return r.corrupt("piece")
			}
			pieces = pieces[1:]
		case c[0] == tagShape:
			l := layoutOf(aliasString(field[1:]), aliasString(c[1:]))
			if field[0] != PrefixExtra[0] || bytes.IndexByte(field, KeySep[0]) >= 0 || l == nil {
				return r.corrupt("shape")
			}
			pieces = l.fields
		case !valid(c) || !fits(field, c):
			return r.corrupt("field")
		}
		if err := cell(field, c); err != nil {
			return err
		}
		last = field
	}
	if r.at != len(record) || len(pieces) > 0 {
		return r.corrupt("end")
	}
	return nil
}

func stringCell(c []byte) bool {
	return c[0] == tagString || c[0] == tagUUID || c[0] == tagHex || c[0] == tagSDKID
}

// fits reports whether a body may have this field with this cell.
func fits(field, c []byte) bool {
	if len(field) > 1 {
		return bytes.IndexByte(field, KeySep[0]) < 0
	}
	switch string(field) {
	case FieldName, FieldUser, FieldAnonymous, FieldPrevious, FieldMessageID:
		return stringCell(c)
	case FieldValue:
		return stringCell(c) || c[0] == tagNumber
	case FieldGroups, FieldSegments, FieldNotCounted, FieldIncrements, FieldCut:
		return c[0] == tagJSON
	}
	return false
}

// validCell reports whether AppendCell can have made the cell.
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
		return numberEnd(aliasString(c), 1) == len(c)
	case tagString:
		s := aliasString(c[1:])
		// Older cairns wrote the ids of SDKs as strings.
		return isClean(s) && (len(s) != 32 && len(s) != 36 || !packable(s))
	case tagSDKID:
		var buf [64]byte
		_, ok := appendSDKText(buf[:0], c[1:])
		return ok
	case tagJSON:
		return len(c) > 1 && (c[1] == '[' || c[1] == '{') && skipValue(aliasString(c), 1, 1) == len(c)
	}
	return false
}

// reader reads a record from its start. failed stays set after the first thing that is
// missing or wrong.
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
	if r.at < len(r.record) && r.record[r.at] < 0x80 {
		r.at++
		return uint64(r.record[r.at-1])
	}
	v, n := binary.Uvarint(r.record[r.at:])
	if n <= 0 || n > 1 && r.record[r.at+n-1] == 0 { // missing, or longer than necessary
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

// DecodeRecord returns the event of a record. The event owns its memory: one copy of
// the record, which its strings share. Errors are those of ScanRecord.
func DecodeRecord(record []byte) (*Event, error) {
	e := &Event{Context: make(Object, 0, 16), Properties: make(Object, 0, 8)}
	var ints Ints
	err := ScanRecord(bytes.Clone(record), &ints, func(field, cell []byte) error {
		return e.set(aliasString(field), aliasValue(cell))
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
	// The fields of a record are in the order that Finish makes.
	if err := e.join(); err != nil {
		return nil, err
	}
	return e, nil

}
