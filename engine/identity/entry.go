// This file has the entries of the table of ids: their keys and their stored form.

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Kinds of ids. The kind is one byte of an entry's key.
const (
	KindUser      = 'u'
	KindAnonymous = 'a'
	kindSession   = 's' // a session id that a client sent, where it is a name within the site; the dialect's number precedes the id

	// Kinds that only dialects with visits have, see visits.go.
	kindVisitor     = 'v'
	kindFingerprint = 'p'
	kindVisit       = 'w' // the id is the visit's ordinal, see visitID
	kindOrder       = 'o'

	// Kinds that only dialects have whose session ids are names within a visitor, see named.go.
	kindName  = 'n'
	kindNamed = 'r' // the id is the session's ordinal in 8 bytes, big-endian

	kindImported = 'i' // what the store that exported a session calls it; the dialect's number precedes the id, see imported.go
)

// idEntry is what the table knows of one id. Its ordinal is the seq of the event in which
// the id first appeared. The ordinal names the person or the session in rows.
type idEntry struct {
	key      string
	ord      uint64
	linked   bool          // of an anonymous id: it is linked to a person
	partial  bool          // some of its rows were deleted
	dirty    bool          // it has changed since it was last written
	gone     bool          // it has left memory
	sessions []sessionRef  // the visitor's newest session in each dialect, or the newest visits of a visitor or fingerprint
	visit    *Visit        // of a visit, otherwise nil
	session  *namedSession // of a named session, otherwise nil
	ties     *ties         // nil = none
	// recent is not stored. Of an id, it is the entry of the session name that it last sent; of
	// such a name, the session that it was last in. If that is gone, it is of no use: read again,
	// it is another entry.
	recent *idEntry
	bytes  int    // its size when the table last counted it
	used   uint64 // clock of the table when it was last used
}

// sessionRef refers to a session. For a visit and a named session, only the ordinal is set, for
// an imported one the dialect, the id and the ordinal.
type sessionRef struct {
	dialect byte // DialectNumber
	id      string
	ord     uint64
	last    int64 // event time of its newest event
	first   int64 // event time of its earliest event; last where the rule does not need it
}

// size returns about how many bytes the stored form has.
func (k *idEntry) size() int {
	n := len(k.key) + 16
	for i := range k.sessions {
		n += 16 + len(k.sessions[i].id)
	}
	if k.ties != nil {
		n += k.ties.size()
	}
	if k.session != nil {
		n += k.session.size()
	}
	if v := k.visit; v != nil {
		n += idVisitBytes + len(v.id) + len(v.visitor) + len(v.user) + len(v.bare) + len(v.Campaign) + len(v.keyword) + 8*len(v.goals)
		if v.heartbeats != nil {
			for _, variable := range v.heartbeats.Vars {
				n += variable.bytes()
			}
		}
	}
	return n
}

// DialectNumber returns the number that names a dialect in keys and entries. It never
// changes.
func DialectNumber(d event.Dialect) byte { return byte(slices.Index(event.Dialects, d)) }

// appendKey appends the key of an id's entry:
//
//	store.PrefixID | site u32, big-endian | kind 1 | of a session: dialect 1 | id
func appendKey(dst []byte, site uint32, kind byte, dialect byte, id string) []byte {
	dst = append(dst, store.PrefixID)
	dst = binary.BigEndian.AppendUint32(dst, site)
	dst = append(dst, kind)
	if kind == kindSession || kind == kindImported {
		dst = append(dst, dialect)
	}
	return append(dst, id...)
}

// numbered reports whether a key is that of a visit or a named session: its id is its ordinal.
func numbered(key []byte) bool {
	return len(key) > 5 && (key[5] == kindVisit || key[5] == kindNamed) // a key in a damaged store may be shorter
}

// FirstOfSession returns the seq of the first event with a session id that a client sent.
// It returns 0 when the store has no such session. It does not see entries that the table
// has not written yet.
func FirstOfSession(db pebble.Reader, site uint32, d event.Dialect, id string) (uint64, error) {
	v, err := store.Get(db, appendKey(nil, site, kindSession, DialectNumber(d), id))
	if v == nil || err != nil {
		return 0, err
	}
	k, err := parseEntry(v)
	if err != nil {
		return 0, damagedID(site, err)
	}
	return k.ord, nil
}

// damagedID is the damage of an entry of a site.
func damagedID(site uint32, err error) error {
	return store.DamagedFile(fmt.Sprintf("ids of site %d", site), err)
}

const (
	entryVersion = 1
	visitVersion = 2
	namedVersion = 3
	tiedVersion  = 4

	partialNamedVersion = 5
)

// append appends the stored form:
//
//	version 1 | ord uvarint | flags 1 | count uvarint | count × session
//	flags: 1 = linked, 2 = partial
//	session: dialect 1 | id length uvarint, bytes | ord uvarint | last varint
//
// The stored form of a visit is:
//
//	version 2 | ord uvarint | visit, see Visit.append
//
// The stored form of a named session is:
//
//	version 3 | ord uvarint | session, see namedSession.append
//
// Version 5 is version 3 of a session of which some rows were deleted.
//
// Version 4 is version 1 with more: last − first uvarint after each session, and at the end the
// ties, see ties.append. An entry has it only if it has more, so an entry that older rules made
// keeps its form.
func (k *idEntry) append(dst []byte) []byte {
	if k.visit != nil {
		return k.visit.append(binary.AppendUvarint(append(dst, visitVersion), k.ord), k.partial)
	}
	if k.session != nil {
		version := byte(namedVersion)
		if k.partial {
			version = partialNamedVersion
		}
		return k.session.append(binary.AppendUvarint(append(dst, version), k.ord))
	}
	more := !k.ties.empty() || slices.ContainsFunc(k.sessions, func(l sessionRef) bool { return l.first != l.last })
	version := byte(entryVersion)
	if more {
		version = tiedVersion
	}
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, k.ord)
	flags := byte(0)
	if k.linked {
		flags |= 1
	}
	if k.partial {
		flags |= 2
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(len(k.sessions)))
	for _, l := range k.sessions {
		dst = append(dst, l.dialect)
		dst = appendText(dst, l.id)
		dst = binary.AppendUvarint(dst, l.ord)
		dst = binary.AppendVarint(dst, l.last)
		if more {
			dst = binary.AppendUvarint(dst, uint64(l.last-l.first))
		}
	}
	if more {
		dst = k.ties.append(dst)
	}
	return dst
}

var errEntry = errors.New("damaged record of an id")

// parseEntry reads the stored form of an entry. The entry has copies of all texts and no
// key. The only error is errEntry.
func parseEntry(b []byte) (*idEntry, error) {
	d := decoder{b: b}
	version := d.byte()
	k := &idEntry{ord: d.uvarint()}
	switch version {
	case visitVersion:
		k.visit, k.partial = d.visit()
	case namedVersion, partialNamedVersion:
		k.session, k.partial = d.namedSession(), version == partialNamedVersion
	case entryVersion, tiedVersion:
		flags := d.byte()
		d.bad = d.bad || flags > 3
		k.linked, k.partial = flags&1 != 0, flags&2 != 0
		for n := d.uvarint(); n > 0 && !d.bad; n-- {
			l := sessionRef{dialect: d.byte()}
			l.id = d.text()
			l.ord = d.uvarint()
			l.last = d.varint()
			if l.first = l.last; version == tiedVersion {
				l.first -= int64(d.uvarint())
			}
			k.sessions = append(k.sessions, l)
		}
		if version == tiedVersion {
			k.ties = d.ties()
		}
	default:
		d.bad = true
	}
	if d.bad || d.more() {
		return nil, errEntry
	}
	return k, nil
}

// appendText appends a text behind its length as a uvarint.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decoder reads stored forms. Damage sets bad and skips the rest; what is read from then on
// is zero.
type decoder struct {
	b   []byte
	at  int // index in b of what is read next
	bad bool
}

// more reports whether there is anything left to read.
func (d *decoder) more() bool { return d.at < len(d.b) }

func (d *decoder) fail() { d.at, d.bad = len(d.b), true }

func (d *decoder) byte() byte {
	if !d.more() {
		d.fail()
		return 0
	}
	d.at++
	return d.b[d.at-1]
}

func (d *decoder) uvarint() uint64 {
	if d.more() && d.b[d.at] < 0x80 { // as most are
		d.at++
		return uint64(d.b[d.at-1])
	}
	v, w := binary.Uvarint(d.b[d.at:])
	if w <= 0 {
		d.fail()
		return 0
	}
	d.at += w
	return v
}

func (d *decoder) varint() int64 {
	v, w := binary.Varint(d.b[d.at:])
	if w <= 0 {
		d.fail()
		return 0
	}
	d.at += w
	return v
}

// text reads what appendText appends. It returns a copy.
func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)-d.at) {
		d.fail()
		return ""
	}
	start := d.at
	d.at += int(n)
	return string(d.b[start:d.at])
}
