package event

import (
	"encoding/binary"
	"errors"
	"slices"
)

// The record is the form of one event in the log. It has everything but the event's
// place (site, seq, public id), and it has every decision made at ingest.
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
// A sized element is a uvarint length and a cell of that many bytes; length 0 is
// absent. Varints are those of encoding/binary, in their shortest form. type and
// dialect are indexes into Types and Dialects. received is Unix milliseconds. time is
// relative to received, and day to the UTC day of time. Fields are strictly ascending
// by their bytes. Nothing follows the last field.
//
// Versions: 1 is the first. The meaning of a version never changes. The lists Types and
// Dialects, the flags and the field ids only grow.
//
// Version 1 has grown by six things. An older cairn takes them for damage:
//   - FieldCut, in rows that hold more than the counters see of an event (see Cut). A
//     row without it counts
//
// whole, however large it is.
//   - A second form of capped. The first form lists each value with its whole property:
//
// [["a.b","1"],["a.b","2"]]. It is still read, for ever, but no longer written. The
// second form has each property once: the number of bytes it shares with the previous
// property, the rest of its bytes, then its values. A property without values stands
// for all of its values: [[0,"a.b","1","2"],[2,"c"]]. It is longer than the escaped
// values by a few bytes for each leaf and by the names that countedBytes allows. So the
// record of an event that Validate accepts is always below RecordBytesMax.
//   - CappedNames, in front of the second form: one text that has for each name the
//     number of bytes it
//
// shares with the previous name, the number of bytes that follow, and these bytes:
// ["0:5:a.b.c4:1:d",[0,"x","1"]]. It is a single text, however many names there are, so
// that the index has one leaf for it.
//   - Objects of Extra in pieces, see split.go. The whole object is still read, and is
//     still written when it is small.
//   - Message ids of Segment's SDKs in packed cells, see appendSDKID.
//   - FlagImported, and a second form of session: tagSessionOf, the 17 bytes of the cell of
//     SessionOf, then the cell of the session. Only the first event of an imported session
//     has it.
const recordVersion = 1

// ErrCorrupt is wrapped by every error about a record that AppendRecord cannot have
// written.
var ErrCorrupt = errors.New("corrupt event record")

// Head is the part of a record that is known only once the event has its place in the
// log.
type Head struct {
	SessionOrd, PersonOrd uint64
	Session               string
	SessionOf             string // only with a Session
	Capped                []Term
	CappedByProperty      bool
	CappedNames           []string
}

// HeadOf returns the head of an event that has its place. It shares the event's memory.
func HeadOf(e *Event) *Head {
	return &Head{SessionOrd: e.SessionOrd, PersonOrd: e.PersonOrd, Session: e.Session, SessionOf: e.SessionOf, Capped: e.Capped, CappedByProperty: e.CappedByProperty, CappedNames: e.CappedNames}
}

const dayMillis = 24 * 60 * 60 * 1000

// utcDay returns the day of a time, counted from 1970-01-01.
func utcDay(ms int64) int64 {
	d := ms / dayMillis
	if ms%dayMillis < 0 {
		d--
	}
	return d
}

// AppendBody appends the part of a record that is known before the event has its place
// in the log: all but SessionOrd, PersonOrd, Session and Capped. e must have passed
// Validate.
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
	if e.Imported {
		flags |= FlagImported
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
	if e.Cut != nil {
		dst = append(dst, FieldCut[0], 0)
		at := len(dst)
		dst = sizeCell(appendCut(append(dst, tagJSON), e.Cut), at)
		n++
	}
	var k int
	dst, k = appendKeyed(dst, PrefixContext[0], e.Context)
	n += k
	dst, k = appendKeyed(dst, PrefixProperty[0], e.Properties)
	n += k
	dst, k = appendExtra(dst, e.Extra, e.Context)
	n += k

	if n < 0x80 {
		dst[fields] = byte(n)
		return slices.Delete(dst, fields+1, fields+2)
	}
	binary.PutUvarint(dst[fields:], uint64(n)) // below 1<<14: at most 3×256, piecesMax and the core
	return dst
}

func appendListField(dst []byte, field string, list []string) []byte {
	dst = append(dst, field[0], 0)
	at := len(dst)
	return sizeCell(appendArray(append(dst, tagJSON), list, false), at)
}

// sizeCell writes the length of dst[at:] before it. One byte is reserved there.
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

// AppendRecord appends the record made of a head and a body.
func AppendRecord(dst []byte, h *Head, body []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, h.SessionOrd)
	dst = binary.AppendUvarint(dst, h.PersonOrd)
	dst = append(dst, 0)
	if h.Session != "" {
		at := len(dst)
		if h.SessionOf != "" {
			dst = appendStringCell(append(dst, tagSessionOf), h.SessionOf)
		}
		dst = sizeCell(appendStringCell(dst, h.Session), at)
	}
	dst = append(dst, 0)
	if len(h.Capped) > 0 || len(h.CappedNames) > 0 {
		at := len(dst)
		if dst = append(dst, tagJSON); h.CappedByProperty || len(h.CappedNames) > 0 {
			dst = appendCapped(dst, h.CappedNames, h.Capped)
		} else {
			dst = appendTerms(dst, h.Capped)
		}
		dst = sizeCell(dst, at)
	}
	return append(dst, body...)
}
