// What ingest knows of an id: since when there is such a user, visitor or
// session, and the visitor's current session. Derived state: a function of the
// log, kept in a table that is bounded in bytes. As soon as the changed entries come to a
// few MB, the group at hand writes all of them and the seq they cover. So a group stays
// small, and a crash finds the table as it was at one seq.

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// IDs is the table. It belongs to the sequencer. All entries lie in Pebble but those
// that have changed since they were last written; those asked for lately are in memory,
// the very latest as they are and more of them packed.
type IDs struct {
	filter  *idFilter // of every id there is; nil = none is kept
	db      pebble.Reader
	max     int // bytes of hot that stay when there is no need for them
	part    int // bytes of changed entries that are written in one go
	hot     map[string]*idEntry
	bytes   int        // sizes of all in hot
	changed []*idEntry // the dirty ones
	dirty   int        // their sizes
	pack    *idPack
	upTo    map[uint32]uint64 // newest seq learnt, by site
	key     []byte
}

// Stored returns what an entry in memory would be stored as; known is false when there is
// no such entry.
func (t *IDs) Stored(key []byte) (form []byte, known bool) {
	k := t.hot[string(key)]
	if k == nil {
		return nil, false
	}
	return k.append(nil), true
}

// Len is the number of entries in memory.
func (t *IDs) Len() int { return len(t.hot) }

// ChangedBytes is about how many bytes the entries take that are to be written.
func (t *IDs) ChangedBytes() int { return t.dirty }

// Bound says how many bytes of changed entries are written in one go. It is called before
// the first entry comes.
func (t *IDs) Bound(part int) { t.part, t.max = part, min(t.max, 16*part) }

// LoadFilter makes the filter of all ids that are stored, of so many bytes. It reads
// all their keys.
func (t *IDs) LoadFilter(bytes int64) error {
	t.filter = newIDFilter(bytes)
	return t.filter.load(t.db)
}

// NewIDs makes a table with about so many bytes of memory for entries that are written.
// With a nil db nothing is stored.
func NewIDs(db pebble.Reader, bytes int) *IDs {
	return &IDs{
		db: db, max: bytes / 2, part: min(bytes/2, PartMax),
		hot: make(map[string]*idEntry), pack: newIDPack(bytes / 2), upTo: make(map[uint32]uint64),
	}
}

const (
	// PartMax bounds the changed entries that are written with one group. Larger
	// parts hold up everybody's writes for longer; smaller ones write entries that
	// change all the time more often.
	PartMax = 4 << 20

	// idOverhead is about what an entry takes in memory beside its size.
	idOverhead = 200

	// idVisitBytes is about what a visit takes beside its texts.
	idVisitBytes = 128
)

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

// held is about how many bytes of memory the entries take that are not packed.
func (t *IDs) held() int { return t.bytes + idOverhead*len(t.hot) }

// Due says that the group at hand should write what has changed: it is a part, or memory
// is full of entries that can only be dropped after they are written.
func (t *IDs) Due() bool { return t.dirty >= t.part || t.held()/4 >= t.max }

// Over says that entries should leave memory once all are written.
func (t *IDs) Over() bool { return t.held() > t.max }

// change notes that an entry has changed.
func (t *IDs) change(k *idEntry) {
	if !k.dirty {
		k.dirty = true
		t.changed = append(t.changed, k)
		t.dirty += k.bytes
	}
	t.measure(k)
}

// measure notes how large an entry is now.
func (t *IDs) measure(k *idEntry) {
	grown := k.size() - k.bytes
	k.bytes += grown
	t.bytes += grown
	if k.dirty {
		t.dirty += grown
	}
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

// get returns what is known of an id, nil when it is new.
func (t *IDs) get(site uint32, kind byte, dialect byte, id string) (*idEntry, error) {
	t.key = Key(t.key[:0], site, kind, dialect, id)
	if k := t.hot[string(t.key)]; k != nil {
		return k, nil
	}
	if v := t.pack.get(t.key); v != nil {
		return t.found(v)
	}
	if t.filter != nil && !t.filter.maybe(t.key) {
		return nil, nil
	}
	if t.db == nil {
		return nil, nil
	}
	v, closer, err := t.db.Get(t.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read id: %w", err)
	}
	defer closer.Close()
	return t.found(v)
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

// found takes in the stored form of the entry get has looked for.
func (t *IDs) found(v []byte) (*idEntry, error) {
	k, err := parseEntry(v)
	if err != nil {
		return nil, err
	}
	t.hold(k)
	return k, nil
}

// hold keeps an entry in memory by the key get has looked up.
func (t *IDs) hold(k *idEntry) {
	k.key = string(t.key)
	t.hot[k.key] = k
	t.measure(k)
}

// add makes a new id known, with the key get has just looked up.
func (t *IDs) add(ord uint64) *idEntry {
	k := &idEntry{ord: ord}
	t.hold(k)
	if t.filter != nil {
		t.filter.add(t.key)
	}
	t.change(k)
	return k
}

func (t *IDs) getOrAdd(site uint32, kind byte, dialect byte, id string, ord uint64) (*idEntry, error) {
	k, err := t.get(site, kind, dialect, id)
	if k == nil && err == nil {
		k = t.add(ord)
	}
	return k, err
}

// Link says that the persons named by two ordinals are one.
type Link struct{ A, B uint64 }

// Assignment is what the table decides for an event.
type Assignment struct {
	Person, Session uint64
	SessionID       string
	Links           []Link
	verdict         // of a hit
}

// Question is what an event on its way in asks besides what is stored of it. A replay has
// none: its answer is in the row. The zero Question is that of an event which asks nothing.
type Question struct {
	Old      bool // the event comes too late for any session
	JoinOnly bool // it joins a session and begins none

	Hit    *event.Hit // nil where the event is no hit
	Before string     // the hit's fingerprint under the salt of the day before; "" = none
	Day    [2]int64   // from the beginning of the hit's day in the site's zone to its end, Unix milliseconds
}

// Assign takes in the event at seq and gives it its person and session. It keeps nothing
// of q. newSession names a new session.
func (t *IDs) Assign(site uint32, seq uint64, e *event.Event, q *Question, newSession func(event.Dialect) string) (p Assignment, err error) {
	if q.Hit != nil && !e.SessionSent {
		return t.assignHit(site, seq, e, q, newSession)
	}
	r := event.RuleAt(e.Dialect, seq)
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		return p, t.sentSession(site, seq, e, r, user, anon, &p)
	}
	if q.Old {
		return p, nil
	}
	l, keeps := t.current(e, r, user, anon)
	if !keeps {
		return p, nil
	}
	switch {
	case l.ord == 0 || r.Ends(e.Time-l.last):
		if q.JoinOnly {
			return p, nil
		}
		p.Session, p.SessionID = seq, newSession(e.Dialect)
	case l.strays(e.Time, r):
		// Too late for this session, and the one before is over.
		if !r.ReturnsIDs {
			return p, nil
		}
		p.Session, p.SessionID = seq, newSession(e.Dialect)
	default:
		p.Session, p.SessionID = l.ord, l.id
	}
	return p, t.keepSession(site, seq, e, r, &l, &p)
}

// Replay takes in an event as the log has it: what was decided is in the row.
func (t *IDs) Replay(site uint32, seq uint64, e *event.Event) (p Assignment, err error) {
	r := event.RuleAt(e.Dialect, seq)
	if r.Visits && !e.SessionSent {
		return t.replayHit(site, seq, e, r)
	}
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		return p, t.sentSession(site, seq, e, r, user, anon, &p)
	}
	if e.SessionOrd == 0 {
		return p, nil
	}
	p.Session, p.SessionID = e.SessionOrd, e.Session
	l, keeps := t.current(e, r, user, anon)
	if !keeps {
		return p, nil
	}
	if p.Session != seq {
		p.Session = l.ord // the same, or check finds that it is not
	}
	return p, t.keepSession(site, seq, e, r, &l, &p)
}

// keepSession notes the session that was chosen for an event which came without.
func (t *IDs) keepSession(site uint32, seq uint64, e *event.Event, r *event.Rule, l *currentSession, p *Assignment) error {
	if !l.strays(e.Time, r) {
		t.follow(l, p, e.Time)
	}
	if p.Session != seq || !r.ReturnsIDs {
		return nil
	}
	// The client knows the id from now on and may send it.
	_, err := t.getOrAdd(site, kindSession, DialectNumber(e.Dialect), p.SessionID, seq)
	return err
}

// register makes the ids of an event known and links the persons it shows to be one.
func (t *IDs) register(site uint32, seq uint64, e *event.Event, r *event.Rule, p *Assignment) (user, anon *idEntry, err error) {
	t.upTo[site] = seq
	if e.User != "" {
		if user, err = t.getOrAdd(site, KindUser, 0, e.User, seq); err != nil {
			return nil, nil, err
		}
		p.Person = user.ord
	}
	if e.Anonymous != "" {
		if anon, err = t.getOrAdd(site, KindAnonymous, 0, e.Anonymous, seq); err != nil {
			return nil, nil, err
		}
		if user == nil {
			p.Person = anon.ord
		} else {
			t.join(p, anon, user.ord)
		}
	} else if user != nil && r.ReturnsIDs {
		// An id that was made for a visitor comes back as a user's that was sent.
		if anon, err = t.get(site, KindAnonymous, 0, e.User); err != nil {
			return nil, nil, err
		}
		if anon != nil {
			t.join(p, anon, user.ord)
			if !anon.visits(e.Dialect) { // an alias introduced it: the user's session goes on
				anon = nil
			}
		}
	}
	if e.Type != event.Alias || e.Previous == "" || p.Person == 0 {
		return user, anon, nil
	}
	was, err := t.getOrAdd(site, KindUser, 0, e.Previous, seq)
	if err != nil {
		return nil, nil, err
	}
	if was.ord != p.Person {
		p.Links = append(p.Links, Link{was.ord, p.Person})
	}
	if was, err = t.getOrAdd(site, KindAnonymous, 0, e.Previous, seq); err != nil {
		return nil, nil, err
	}
	t.join(p, was, p.Person)
	return user, anon, nil
}

// visits reports whether the id has had a session of its own in the dialect.
func (k *idEntry) visits(d event.Dialect) bool {
	dialect := DialectNumber(d)
	return slices.ContainsFunc(k.sessions, func(l sessionRef) bool { return l.dialect == dialect })
}

// join links an anonymous id to the first person it meets (rule: first link
// wins).
func (t *IDs) join(p *Assignment, anon *idEntry, person uint64) {
	if anon.linked {
		return
	}
	anon.linked = true
	t.change(anon)
	if anon.ord != person {
		p.Links = append(p.Links, Link{anon.ord, person})
	}
}

// sentSession finds or begins the session the event was sent with. In a dialect
// that returns ids it is then the visitor's current one.
func (t *IDs) sentSession(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *idEntry, p *Assignment) error {
	s, err := t.getOrAdd(site, kindSession, DialectNumber(e.Dialect), e.Session, seq)
	if err != nil {
		return err
	}
	p.Session, p.SessionID = s.ord, e.Session
	if !r.ReturnsIDs {
		return nil
	}
	if l, keeps := t.current(e, r, user, anon); keeps && (l.ord == p.Session || e.Time >= l.last) {
		t.follow(&l, p, e.Time)
	}
	return nil
}

// currentSession is a visitor's session in a dialect, and where it is kept: with the visitor,
// who is the anonymous id if there is one, else the user.
type currentSession struct {
	of *idEntry
	at int // in of.live; that many = it has had none
	sessionRef
}

// strays says that an event of that time is older than the session by so much that
// it is not in it.
func (v *currentSession) strays(time int64, r *event.Rule) bool {
	return v.ord != 0 && r.Strays(v.last-time)
}

// current returns the visitor's session in the event's dialect, an empty one when
// it has had none yet; keeps is false when the engine gives events like e none.
func (t *IDs) current(e *event.Event, r *event.Rule, user, anon *idEntry) (v currentSession, keeps bool) {
	visitor := anon
	if visitor == nil {
		visitor = user
	}
	if visitor == nil || !r.InSession(e.Type) {
		return v, false
	}
	dialect := DialectNumber(e.Dialect)
	at := slices.IndexFunc(visitor.sessions, func(l sessionRef) bool { return l.dialect == dialect })
	if at < 0 {
		return currentSession{visitor, len(visitor.sessions), sessionRef{dialect: dialect}}, true
	}
	return currentSession{visitor, at, visitor.sessions[at]}, true
}

// follow moves the visitor's session on by an event that is in it. It keeps a copy
// of a new one's id.
func (t *IDs) follow(v *currentSession, p *Assignment, time int64) {
	if p.Session == 0 {
		return // a replay whose log disagrees, which check finds
	}
	if v.ord == p.Session {
		v.last = max(v.last, time)
	} else {
		v.sessionRef = sessionRef{v.dialect, strings.Clone(p.SessionID), p.Session, time}
	}
	if v.at == len(v.of.sessions) {
		v.of.sessions = append(v.of.sessions, v.sessionRef)
	} else {
		v.of.sessions[v.at] = v.sessionRef
	}
	t.change(v.of)
}

// Flush writes every changed entry to w, and how far the table has come. Both are in one
// batch; otherwise a replay would apply events to entries that already contain them. When
// the batch is in Pebble, evict may follow.
func (t *IDs) Flush(w *pebble.Batch) error {
	slices.SortFunc(t.changed, func(a, b *idEntry) int { return strings.Compare(a.key, b.key) }) // sorted operations cost Pebble less
	var key, v []byte
	for _, k := range t.changed {
		key, v = append(key[:0], k.key...), k.append(v[:0])
		if err := w.Set(key, v, nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
		k.dirty = false
	}
	t.changed, t.dirty = event.Emptied(t.changed, PartMax/64), 0
	for site, seq := range t.upTo {
		if err := w.Set(store.IDsUpToKey(site), binary.BigEndian.AppendUint64(nil, seq), nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
	}
	clear(t.upTo)
	return nil
}

// Evict packs what there is. Nothing may be dirty, and the last flush must be in Pebble.
func (t *IDs) Evict() {
	if !t.Over() {
		return
	}
	for key, k := range t.hot {
		t.pack.put(key, k)
	}
	clear(t.hot)
	t.bytes = 0
}

// Replayed writes what a replay has learnt so far, if that is a part, so that it need
// not all be in memory and then in one group.
func (t *IDs) Replayed(db *pebble.DB) error {
	if !t.Due() {
		return nil
	}
	b := db.NewBatch()
	defer b.Close()
	if err := t.Flush(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write ids: %w", err)
	}
	t.Evict()
	return nil
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
