// This file has the entries of the table of ids: their keys and their stored form.

package identity

import (
	"encoding/binary"
	"errors"
	"slices"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Kinds of ids.
const (
	KindUser      = 'u'
	KindAnonymous = 'a'
	kindSession   = 's' // a session id a client sent; the id begins with the dialect's number
)

// idEntry is what the engine knows of one id. Its ordinal is the seq of the event
// the id first appeared in: it names the person or session in rows.
type idEntry struct {
	key      string
	ord      uint64
	linked   bool // of an anonymous id: it has met its first user
	dirty    bool // it has changed since it was last written
	sessions []sessionRef
	visit    *Visit // of a visit, see hits.go
	bytes    int    // its size as the table last counted it
}

// sessionRef is a visitor's newest session in one dialect.
type sessionRef struct {
	dialect byte
	id      string
	ord     uint64
	last    int64 // event time of its newest event
}

// size is about how many bytes the entry is stored in.
func (k *idEntry) size() int {
	n := len(k.key) + 16
	for i := range k.sessions {
		n += 16 + len(k.sessions[i].id)
	}
	if v := k.visit; v != nil {
		n += idVisitBytes + len(v.id) + len(v.visitor) + len(v.user) + len(v.Campaign) + len(v.keyword) + 8*len(v.goals)
		if v.pinged != nil {
			for _, said := range v.pinged.Vars {
				n += said.bytes()
			}
		}
	}
	return n
}

// DialectNumber is how keys and entries name a dialect.
func DialectNumber(d event.Dialect) byte { return byte(slices.Index(event.Dialects, d)) }

// Key appends the key of an id.
func Key(dst []byte, site uint32, kind byte, dialect byte, id string) []byte {
	dst = append(dst, store.PrefixID)
	dst = binary.BigEndian.AppendUint32(dst, site)
	dst = append(dst, kind)
	if kind == kindSession {
		dst = append(dst, dialect)
	}
	return append(dst, id...)
}

// FirstOfSession is the seq of the first event with a session id that a client sent, 0 when
// none is stored.
func FirstOfSession(db pebble.Reader, site uint32, d event.Dialect, id string) (uint64, error) {
	v, err := store.Get(db, Key(nil, site, kindSession, DialectNumber(d), id))
	if v == nil || err != nil {
		return 0, err
	}
	k, err := parseEntry(v)
	if err != nil {
		return 0, err
	}
	return k.ord, nil
}

const (
	entryVersion = 1
	visitVersion = 2
)

// append is the stored form:
//
//	version 1 | ord uvarint | linked 1 | count uvarint | count x live
//	live: dialect 1 | id length uvarint, bytes | ord uvarint | last varint
//
// and of a visit
//
//	version 2 | ord uvarint | visit, see hits.go
func (k *idEntry) append(dst []byte) []byte {
	if k.visit != nil {
		return k.visit.append(binary.AppendUvarint(append(dst, visitVersion), k.ord))
	}
	dst = append(dst, entryVersion)
	dst = binary.AppendUvarint(dst, k.ord)
	linked := byte(0)
	if k.linked {
		linked = 1
	}
	dst = append(dst, linked)
	dst = binary.AppendUvarint(dst, uint64(len(k.sessions)))
	for _, l := range k.sessions {
		dst = append(dst, l.dialect)
		dst = binary.AppendUvarint(dst, uint64(len(l.id)))
		dst = append(dst, l.id...)
		dst = binary.AppendUvarint(dst, l.ord)
		dst = binary.AppendVarint(dst, l.last)
	}
	return dst
}

var errEntry = errors.New("damaged record of an id")

func parseEntry(b []byte) (*idEntry, error) {
	visit := len(b) > 0 && b[0] == visitVersion
	bad := len(b) == 0 || b[0] != entryVersion && !visit
	take := func(n uint64) []byte {
		if bad || n > uint64(len(b)) {
			bad = true
			return make([]byte, min(n, 1))
		}
		v := b[:n]
		b = b[n:]
		return v
	}
	uvarint := func() uint64 {
		v, w := binary.Uvarint(b)
		if w <= 0 {
			bad = true
			return 0
		}
		b = b[w:]
		return v
	}
	varint := func() int64 {
		v, w := binary.Varint(b)
		if w <= 0 {
			bad = true
			return 0
		}
		b = b[w:]
		return v
	}
	take(1)
	k := &idEntry{ord: uvarint()}
	if visit {
		v := &Visit{}
		flags := take(1)[0]
		bad = bad || flags > 3
		v.referred, v.viewed = flags&1 != 0, flags&2 != 0
		v.first, v.last, v.actions = varint(), varint(), uvarint()
		for _, s := range [...]*string{&v.id, &v.visitor, &v.user, &v.Campaign, &v.keyword} {
			*s = string(take(uvarint()))
		}
		for n := uvarint(); n > 0 && !bad; n-- {
			v.goals = append(v.goals, varint())
		}
		k.visit = v
	} else {
		k.linked = take(1)[0] == 1
		for n := uvarint(); n > 0 && !bad; n-- {
			l := sessionRef{dialect: take(1)[0]}
			l.id = string(take(uvarint()))
			l.ord = uvarint()
			l.last = varint()
			k.sessions = append(k.sessions, l)
		}
	}
	if bad || len(b) != 0 {
		return nil, errEntry
	}
	return k, nil
}
