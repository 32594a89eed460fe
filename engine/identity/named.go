// This file decides about sessions whose ids clients send, in dialects where such an id is
// a name within its visitor. Two visitors may send the same name and are in two sessions.
//
// The table of ids has these entries:
//
//	name within an anonymous id ─┐
//	                             ├─▶ named session     the newest sessions of that name that
//	name within a user ──────────┘                     the id was in
//
// An event that names no session may join one: a server knows its user alone and means the
// visit that the user's browser is in. So a user's entry remembers the anonymous id that it
// was last seen with, and an anonymous id's entry the newest named session that it was in.

package identity

import (
	"encoding/binary"
	"slices"
	"strings"

	"cairn/engine/event"
)

const (
	sessionsOfNameMax = 4 // sessions of one name that an id remembers
	stretchesMax      = 8 // stretches that a named session remembers
)

// namedSession is what the table knows of a session that a client named.
type namedSession struct {
	name      string
	first     int64     // event time of its earliest row
	stretches []stretch // ascending; at least one, at most stretchesMax, the newest
}

// stretch is a part of a session in which each row is close to the next.
type stretch struct{ from, to int64 } // event times of its first and last row

// last is the event time of the newest row.
func (s *namedSession) last() int64 { return s.stretches[len(s.stretches)-1].to }

// accepts reports whether a row of that time is in the session when it has the name.
func (s *namedSession) accepts(time int64, r *event.Rule) bool {
	return time-s.last() < r.NamedIdle && s.first-time < r.NamedIdle
}

// near reports whether the session has a row at most so many milliseconds before or after a
// time.
func (s *namedSession) near(time, within int64) bool {
	return slices.ContainsFunc(s.stretches, func(x stretch) bool { return time >= x.from-within && time <= x.to+within })
}

// take takes in a row. Rows at most gap milliseconds apart are in one stretch.
func (s *namedSession) take(time, gap int64) {
	if len(s.stretches) == 0 {
		s.first = time
	}
	s.first = min(s.first, time)
	at := len(s.stretches) // of the earliest stretch that ends at most a gap before the row, or later
	for at > 0 && s.stretches[at-1].to >= time-gap {
		at--
	}
	if at == len(s.stretches) || s.stretches[at].from > time+gap {
		if s.stretches = slices.Insert(s.stretches, at, stretch{time, time}); len(s.stretches) > stretchesMax {
			s.stretches = slices.Delete(s.stretches, 0, 1)
		}
		return
	}
	x := &s.stretches[at]
	x.from, x.to = min(x.from, time), max(x.to, time)
	if next := at + 1; next < len(s.stretches) && s.stretches[next].from-gap <= x.to {
		x.to = max(x.to, s.stretches[next].to)
		s.stretches = slices.Delete(s.stretches, next, next+1)
	}
}

// ties are what an id remembers so that events without a session id can join a session.
type ties struct {
	seenWith []sighting // of a user: by dialect, the anonymous id that it was last seen with
	named    []namedTie // of an anonymous id: by dialect, the newest named session that it was in
}

// sighting is an anonymous id that a user was seen with.
type sighting struct {
	dialect   byte // DialectNumber
	anonymous string
	time      int64 // event time
}

// namedTie is a named session that an id was in.
type namedTie struct {
	dialect byte   // DialectNumber
	ord     uint64 // of the session
}

// tied returns the ties of an entry, which it makes if there are none.
func (k *idEntry) tied() *ties {
	if k.ties == nil {
		k.ties = new(ties)
	}
	return k.ties
}

// named returns the ordinal of the newest named session that an id was in, 0 = none.
func (k *idEntry) named(dialect byte) uint64 {
	if k.ties != nil {
		for _, n := range k.ties.named {
			if n.dialect == dialect {
				return n.ord
			}
		}
	}
	return 0
}

// seenWith returns the anonymous id that a user was last seen with, "" = none.
func (k *idEntry) seenWith(dialect byte) string {
	if k.ties != nil {
		for i := range k.ties.seenWith {
			if s := &k.ties.seenWith[i]; s.dialect == dialect {
				return s.anonymous
			}
		}
	}
	return ""
}

// see takes in that a user was seen with an anonymous id, which see copies.
func (t *IDs) see(user *idEntry, dialect byte, anonymous string, time int64) {
	of := user.tied()
	at := slices.IndexFunc(of.seenWith, func(s sighting) bool { return s.dialect == dialect })
	if at < 0 {
		at = len(of.seenWith)
		of.seenWith = append(of.seenWith, sighting{dialect: dialect, time: time})
	}
	s := &of.seenWith[at]
	if time < s.time || time == s.time && s.anonymous == anonymous {
		return
	}
	if s.time = time; s.anonymous != anonymous {
		s.anonymous = strings.Clone(anonymous)
	}
	t.change(user)
}

// tie takes in that an anonymous id was in a named session.
func (t *IDs) tie(anon *idEntry, dialect byte, session uint64) {
	of := anon.tied()
	at := slices.IndexFunc(of.named, func(n namedTie) bool { return n.dialect == dialect })
	if at < 0 {
		at = len(of.named)
		of.named = append(of.named, namedTie{dialect: dialect})
	}
	if n := &of.named[at]; n.ord < session {
		n.ord = session
		t.change(anon)
	}
}

// getName returns the entry of a session's name within an id. It adds a new entry with the
// ordinal ord. of is the entry of the id, and kind its kind.
func (t *IDs) getName(site uint32, dialect, kind byte, of *idEntry, id, name string, ord uint64) (*idEntry, error) {
	if k := of.recent; k != nil && !k.gone && t.watched == nil && isNameKey(k.key, dialect, id, name) {
		k.used = t.clock
		return k, nil // a visitor seldom changes the name
	}
	t.key = appendNameKey(t.key[:0], site, dialect, kind, id, name)
	k, err := t.find()
	if k == nil && err == nil {
		k = t.add(ord)
	}
	if err == nil {
		of.recent = k
	}
	return k, err
}

// newestNamed returns the session at index at among those of a name.
func (t *IDs) newestNamed(site uint32, name *idEntry, at int) (*idEntry, error) {
	ord := name.sessions[at].ord
	if s := name.recent; s != nil && !s.gone && t.watched == nil && s.ord == ord {
		s.used = t.clock
		return s, nil
	}
	return t.getNamed(site, ord)
}

// getNamed returns the entry of a named session, nil when the table has none.
func (t *IDs) getNamed(site uint32, ord uint64) (*idEntry, error) {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], ord)
	t.key = append(appendKey(t.key[:0], site, kindNamed, 0, ""), id[:]...)
	k, err := t.find()
	if k != nil && k.session == nil {
		return nil, damagedID(site, errEntry)
	}
	return k, err
}

// addNamed adds the named session that begins at seq.
func (t *IDs) addNamed(site uint32, seq uint64, name string) *idEntry {
	k := t.addNumbered(site, kindNamed, seq)
	k.session = &namedSession{name: strings.Clone(name)}
	return k
}

// assignNamed assigns the session that the event at seq names. The event is in the session
// of that name in which its anonymous id has been, else in that of its user, else it begins
// one. An event without an id is in none.
func (t *IDs) assignNamed(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *idEntry, p *Assignment) error {
	p.SessionID = e.Session
	dialect := DialectNumber(e.Dialect)
	var names [2]*idEntry
	var session *idEntry
	for i, of := range [...]*idEntry{anon, user} {
		if of == nil {
			continue
		}
		kind, id := byte(KindAnonymous), e.Anonymous
		if i == 1 {
			kind, id = KindUser, e.User
		}
		k, err := t.getName(site, dialect, kind, of, id, e.Session, seq)
		if err != nil {
			return err
		}
		names[i] = k
		for at := len(k.sessions) - 1; at >= 0 && session == nil; at-- {
			s, err := t.newestNamed(site, k, at)
			if err != nil {
				return err
			}
			if s != nil && s.session.accepts(e.Time, r) {
				session = s
			}
		}
	}
	if names[0] == nil && names[1] == nil {
		return nil
	}
	if session == nil {
		session = t.addNamed(site, seq, e.Session)
	}
	for _, k := range names {
		if k != nil {
			t.addSession(k, session.ord)
			k.recent = session
		}
	}
	t.takeNamed(session, e, r, anon, p)
	return nil
}

// takeNamed takes an event into the named session that was assigned to it. anon is the entry
// of the anonymous id that is then in the session; nil = none.
func (t *IDs) takeNamed(session *idEntry, e *event.Event, r *event.Rule, anon *idEntry, p *Assignment) {
	p.Session, p.SessionID = session.ord, session.session.name
	session.session.take(e.Time, 2*r.JoinWithin)
	t.change(session)
	if anon != nil {
		t.tie(anon, DialectNumber(e.Dialect), session.ord)
	}
}

// addSession adds a session to the newest ones of a name, in ascending order.
func (t *IDs) addSession(k *idEntry, ord uint64) {
	at, found := slices.BinarySearchFunc(k.sessions, ord, func(l sessionRef, ord uint64) int {
		switch {
		case l.ord < ord:
			return -1
		case l.ord > ord:
			return 1
		}
		return 0
	})
	if found {
		return
	}
	if k.sessions = slices.Insert(k.sessions, at, sessionRef{ord: ord}); len(k.sessions) > sessionsOfNameMax {
		k.sessions = slices.Delete(k.sessions, 0, 1)
	}
	t.change(k)
}

// join assigns the session of the anonymous id that the user of an event was last seen with.
// It assigns none, and joined is false, when that id's newest session has no row close to the
// event.
func (t *IDs) join(site uint32, seq uint64, e *event.Event, r *event.Rule, user *idEntry, p *Assignment) (joined bool, err error) {
	dialect := DialectNumber(e.Dialect)
	id := user.seenWith(dialect)
	if id == "" {
		return false, nil
	}
	anon, err := t.get(site, KindAnonymous, 0, id)
	if anon == nil || err != nil {
		return false, err
	}
	own := currentSession{of: anon}
	if at := slices.IndexFunc(anon.sessions, func(l sessionRef) bool { return l.dialect == dialect }); at >= 0 {
		own.at, own.sessionRef = at, anon.sessions[at]
	}
	if ord := anon.named(dialect); ord > own.ord {
		session, err := t.getNamed(site, ord)
		if session == nil || err != nil || !session.session.near(e.Time, r.JoinWithin) {
			return false, err
		}
		t.takeNamed(session, e, r, nil, p)
		name, err := t.getName(site, dialect, KindUser, user, e.User, session.session.name, seq)
		if err != nil {
			return false, err
		}
		t.addSession(name, ord) // now the user has been in it
		return true, nil
	}
	if own.ord == 0 || e.Time < own.first-r.JoinWithin || e.Time > own.last+r.JoinWithin {
		return false, nil
	}
	p.Session, p.SessionID = own.ord, own.id
	t.advance(&own, p, e.Time, r)
	return true, nil
}

// appendNameKey appends the key of the entry of a session's name within an id:
//
//	store.PrefixID | site u32, big-endian | kindName | dialect 1 | kind of the id 1 |
//	length of the id uvarint | id | name
func appendNameKey(dst []byte, site uint32, dialect, kind byte, id, name string) []byte {
	dst = append(appendKey(dst, site, kindName, 0, ""), dialect, kind)
	return append(appendText(dst, id), name...)
}

// isNameKey reports whether key is that of the entry of a session's name within an id. The
// caller knows that it is one of a name within that id.
func isNameKey(key string, dialect byte, id, name string) bool {
	const start = 1 + 4 + 1 // prefix, site, kindName
	length := 1
	for n := len(id); n >= 0x80; n >>= 7 {
		length++
	}
	return key[start] == dialect && len(key) == start+2+length+len(id)+len(name) && strings.HasSuffix(key, name)
}

// append appends the stored form:
//
//	name: length uvarint, bytes | first varint | count uvarint |
//	count × ( from − first uvarint | to − from uvarint )
func (s *namedSession) append(dst []byte) []byte {
	dst = binary.AppendVarint(appendText(dst, s.name), s.first)
	dst = binary.AppendUvarint(dst, uint64(len(s.stretches)))
	for _, x := range s.stretches {
		dst = binary.AppendUvarint(dst, uint64(x.from-s.first))
		dst = binary.AppendUvarint(dst, uint64(x.to-x.from))
	}
	return dst
}

// namedSession reads the stored form of a named session.
func (d *decoder) namedSession() *namedSession {
	s := &namedSession{name: d.text(), first: d.varint()}
	n := d.uvarint()
	d.bad = d.bad || n == 0 || n > stretchesMax
	for ; n > 0 && !d.bad; n-- {
		from := s.first + int64(d.uvarint())
		s.stretches = append(s.stretches, stretch{from, from + int64(d.uvarint())})
	}
	return s
}

// empty reports whether there are no ties.
func (x *ties) empty() bool { return x == nil || len(x.seenWith)+len(x.named) == 0 }

// append appends the stored form:
//
//	count uvarint | count × ( dialect 1 | anonymous id: length uvarint, bytes | time varint ) |
//	count uvarint | count × ( dialect 1 | ord uvarint )
func (x *ties) append(dst []byte) []byte {
	if x == nil {
		x = new(ties)
	}
	dst = binary.AppendUvarint(dst, uint64(len(x.seenWith)))
	for _, s := range x.seenWith {
		dst = binary.AppendVarint(appendText(append(dst, s.dialect), s.anonymous), s.time)
	}
	dst = binary.AppendUvarint(dst, uint64(len(x.named)))
	for _, n := range x.named {
		dst = binary.AppendUvarint(append(dst, n.dialect), n.ord)
	}
	return dst
}

// ties reads the stored form of ties, nil when there are none.
func (d *decoder) ties() *ties {
	x := new(ties)
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		x.seenWith = append(x.seenWith, sighting{d.byte(), d.text(), d.varint()})
	}
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		x.named = append(x.named, namedTie{d.byte(), d.uvarint()})
	}
	if x.empty() {
		return nil
	}
	return x
}

// size returns about how many bytes the stored form has.
func (s *namedSession) size() int { return len(s.name) + 16 + 16*len(s.stretches) }

func (x *ties) size() (n int) {
	if x == nil {
		return 0
	}
	for i := range x.seenWith {
		n += 48 + len(x.seenWith[i].anonymous)
	}
	return n + 16*len(x.named)
}
