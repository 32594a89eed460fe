// This file takes ids out of the table when no event has them any more.
//
// Deleted rows may be the last ones of an id. Only the sequencer writes the table, and while
// somebody looks for the last rows new events come in. So it goes in two steps. Watch tells the
// table which ids are in question; from then on it notes which of them an event meets. Forget
// then removes those that no row has, unless an event has met them meanwhile. They are looked
// at again.

package identity

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Name is an id in a row, as the table of ids may have it.
type Name struct {
	Key string // in Pebble

	// A living row keeps the id if it satisfies all of these.
	Fields  []string      // one of these fields has the id; none = any row
	ID      string        // the text
	Dialect event.Dialect // "" = any
	Session string        // the session that the row names; "" = any
	Type    event.Type    // "" = any
	Ord     uint64        // ordinal of the session; 0 = any
}

// NamesIn calls yield with every id of a row that the table of ids may have. e has the dialect,
// type, name, ids, session, SessionOf and fingerprint of the row, and its ordinals. The same row gives the
// same names, and may give one twice.
func NamesIn(site uint32, e *event.Event, yield func(Name)) {
	dialect := DialectNumber(e.Dialect)
	key := func(kind byte, id string) string { return string(appendKey(nil, site, kind, dialect, id)) }
	name := func(kind, of byte, id, field string) {
		if id != "" && e.Session != "" {
			yield(Name{Key: string(appendNameKey(nil, site, dialect, of, id, e.Session)), Fields: []string{field}, ID: id, Dialect: e.Dialect, Session: e.Session})
		}
	}
	for _, id := range [...]string{e.User, e.Previous} {
		if id != "" {
			yield(userName(site, id))
		}
	}
	for _, id := range [...]string{e.Anonymous, e.Previous} {
		if id != "" {
			yield(AnonymousName(site, id))
		}
	}
	name(kindName, KindAnonymous, e.Anonymous, event.FieldAnonymous)
	name(kindName, KindUser, e.User, event.FieldUser)
	if e.Session != "" {
		yield(Name{Key: key(kindSession, e.Session), Fields: []string{event.FieldSession}, ID: e.Session, Dialect: e.Dialect})
	}
	if e.SessionOrd != 0 {
		yield(Name{Key: key(kindNamed, visitID(e.SessionOrd)), Ord: e.SessionOrd})
	}
	if e.SessionOf != "" { // only the row that begins the session has it
		yield(Name{Key: key(kindImported, e.SessionOf), Ord: e.SessionOrd})
	}
	if !event.NewestRule(e.Dialect).Visits {
		return
	}
	if e.SessionOrd != 0 {
		yield(Name{Key: key(kindVisit, visitID(e.SessionOrd)), Ord: e.SessionOrd})
	}
	if visitor := visitorOf(e); visitor != "" {
		n := Name{Key: key(kindVisitor, visitor), Fields: []string{event.FieldUser}, ID: e.User, Dialect: e.Dialect}
		if e.User == "" {
			n.Fields[0], n.ID = event.FieldAnonymous, e.Anonymous
		}
		yield(n)
	}
	if f := fingerprintOf(e); f != "" {
		yield(Name{Key: key(kindFingerprint, f), Fields: []string{event.PrefixExtra + event.Fingerprint}, ID: f, Dialect: e.Dialect})
	}
	if e.Type == event.Order && e.Name != "" {
		yield(Name{Key: key(kindOrder, e.Name), Fields: []string{event.FieldName}, ID: e.Name, Dialect: e.Dialect, Type: event.Order})
	}
}

// AnonymousName is the Name of an anonymous id. An alias names its previous id as one of both
// kinds, so a text that is an id of one kind is kept as one of the other, too: the anchor that an
// alias leaves behind would give it to a person who has come since.
func AnonymousName(site uint32, id string) Name {
	return Name{Key: string(appendKey(nil, site, KindAnonymous, 0, id)), Fields: []string{event.FieldAnonymous, event.FieldPrevious, event.FieldUser}, ID: id}
}

// userName is the Name of a user id.
func userName(site uint32, id string) Name {
	return Name{Key: string(appendKey(nil, site, KindUser, 0, id)), Fields: []string{event.FieldUser, event.FieldPrevious, event.FieldAnonymous}, ID: id}
}

// Twin is, of the Name of a user id, that of the anonymous id of the same text, and the other way
// round. The same rows keep both of them, but the row of one kind names it as that kind alone.
func (n *Name) Twin() Name {
	site := binary.BigEndian.Uint32([]byte(n.Key[1:5]))
	if n.Key[5] == KindUser {
		return AnonymousName(site, n.ID)
	}
	return userName(site, n.ID)
}

// IsPerson reports whether the key of a Name is that of a user or an anonymous id: its ordinal
// may name a person.
func (n *Name) IsPerson() bool { return IsPersonKey(n.Key) }

// IsPersonKey reports whether a key of the table is that of a user or an anonymous id.
func IsPersonKey(key string) bool { kind := key[5]; return kind == KindUser || kind == KindAnonymous }

// IsVisit reports whether the key of a Name is that of a visit.
func (n *Name) IsVisit() bool { return n.Key[5] == kindVisit }

// Visitor is the id of a visitor if the key of a Name is that of one, else "".
func (n *Name) Visitor() string {
	if n.Key[5] != kindVisitor {
		return ""
	}
	return n.Key[6:]
}

// Entry is what the table has under a key.
type Entry struct {
	Ord      uint64
	Sessions []uint64 // of a person's id, the ordinals of the sessions that its next event may go on with
	Named    []uint64 // of an anonymous id, the ordinals of the named sessions that a user's next event may join
	SeenWith []string // of a user, the anonymous ids that it was last seen with
	VisitID  string   // of a visit, the id of its session
}

// Watch tells the table that ids are in question, besides those that are already. It returns the
// entry of each, nil for those that the table does not have.
func (t *IDs) Watch(keys []string) (entries []*Entry, err error) {
	watched := t.watched
	t.watched = nil // what Watch itself reads meets nothing
	defer func() { t.watched = watched }()
	for _, key := range keys {
		t.key = append(t.key[:0], key...)
		k, err := t.find()
		if err != nil {
			return nil, err
		}
		entries = append(entries, k.entry(key))
	}
	if watched == nil {
		watched = make(map[string]bool, len(keys))
	}
	for _, key := range keys {
		if _, known := watched[key]; !known {
			watched[key] = false
		}
	}
	return entries, nil
}

// entry returns what an entry has, nil for none.
func (k *idEntry) entry(key string) *Entry {
	if k == nil {
		return nil
	}
	e := &Entry{Ord: k.ord}
	if IsPersonKey(key) {
		for _, s := range k.sessions {
			e.Sessions = append(e.Sessions, s.ord)
		}
	}
	if k.ties != nil {
		for _, s := range k.ties.seenWith {
			e.SeenWith = append(e.SeenWith, s.anonymous)
		}
		for _, n := range k.ties.named {
			e.Named = append(e.Named, n.ord)
		}
	}
	if k.visit != nil {
		e.VisitID = k.visit.id
	}
	return e
}

// ParseEntry reads what the table has stored under a key. It is never nil.
func ParseEntry(key string, value []byte) (*Entry, error) {
	k, err := parseEntry(value)
	if err != nil {
		return new(Entry), err
	}
	return k.entry(key), nil
}

// Unwatch ends what Watch has begun.
func (t *IDs) Unwatch() { t.watched = nil }

// meet notes that an event needs the entry under t.key.
func (t *IDs) meet() {
	if _, watched := t.watched[string(t.key)]; watched {
		t.watched[string(t.key)] = true
	}
}

// Left is an id that stays although some of its rows went.
type Left struct {
	Key      string
	Sessions map[uint64]bool // of a person's id: the ordinals of the sessions in which it still has a row
	SeenWith map[string]bool // of a user: the anonymous ids with which it still has a row
	Rows     []*event.Event  // of a visit: the rows that are left; nil = it stays as it is
}

// Forget adds to w the deletion of some watched ids, those in gone, and takes from those in left
// what no row says any more. Ids that an event has met since Watch stay as they are, and are
// returned. None of them is watched any more. The caller lets Flush write to w as well, and nobody
// else may have written entries since.
func (t *IDs) Forget(w *pebble.Batch, gone []string, left []Left) (met []string, err error) {
	watched := t.watched
	t.watched = nil // what Forget itself reads meets nothing
	defer func() { t.watched = watched }()
	stays := func(key string) bool {
		is := watched[key]
		if delete(watched, key); is {
			met = append(met, key)
		}
		return is
	}
	for _, key := range gone {
		if stays(key) {
			continue
		}
		hash := maphash.String(t.seed, key)
		if k := t.hot.get(hash, key); k != nil {
			t.remove(hash, k)
		}
		t.pack.drop(hash)
		if err := w.Delete([]byte(key), nil); err != nil {
			return nil, err
		}
	}
	t.changed = slices.DeleteFunc(t.changed, func(c changedEntry) bool { return !c.dirty })
	for i := range left {
		if stays(left[i].Key) {
			continue
		}
		t.key = append(t.key[:0], left[i].Key...)
		k, err := t.find()
		if err != nil {
			return nil, err
		}
		if k != nil {
			k.strike(&left[i])
			t.change(k)
		}
	}
	for k := range t.hot.all {
		k.recent = nil // it may be gone
	}
	return met, nil
}

// remove takes an entry out of memory; hash is that of its key. The caller takes those that are
// not dirty out of changed.
func (t *IDs) remove(hash uint64, k *idEntry) {
	t.hot.remove(hash, k.key)
	t.bytes -= k.bytes
	if k.dirty {
		t.dirty -= k.bytes
		k.dirty = false
	}
}

// strike takes from an entry what no row says any more.
func (k *idEntry) strike(l *Left) {
	k.partial = true
	if l.Sessions != nil {
		k.sessions = slices.DeleteFunc(k.sessions, func(s sessionRef) bool { return !l.Sessions[s.ord] })
		if k.ties != nil {
			k.ties.named = slices.DeleteFunc(k.ties.named, func(n namedTie) bool { return !l.Sessions[n.ord] })
		}
	}
	if l.SeenWith != nil && k.ties != nil {
		k.ties.seenWith = slices.DeleteFunc(k.ties.seenWith, func(s sighting) bool { return !l.SeenWith[s.anonymous] })
	}
	if k.ties.empty() {
		k.ties = nil
	}
	if k.visit != nil && l.Rows != nil {
		k.visit = k.visit.of(l.Rows)
	}
}

// of returns the visit as its rows alone make it.
func (v *Visit) of(rows []*event.Event) *Visit {
	now := &Visit{id: v.id, known: v.known, heartbeats: v.heartbeats, first: rows[0].Time, last: rows[0].Time}
	for _, e := range rows {
		if visitor := visitorOf(e); visitor != "" {
			now.visitor = strings.Clone(visitor)
		}
		if now.bare == "" && e.Anonymous != "" && e.Anonymous == fingerprintOf(e) {
			now.bare = strings.Clone(e.Anonymous)
		}
		now.Take(e)
	}
	return now
}

// DeleteHeartbeats removes the heartbeats of a visit.
func DeleteHeartbeats(w *pebble.Batch, site uint32, visit uint64) error {
	return w.Delete(HeartbeatsKey(site, visit), nil)
}

// DeleteLinks removes the links that the event at seq has made.
func DeleteLinks(w *pebble.Batch, site uint32, seq uint64) error {
	return w.Delete(store.LinkKey(site, seq), nil)
}
