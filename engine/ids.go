// What ingest knows of an id: since when there is such a user, visitor or
// session, and the visitor's current session. Derived state: a function of the
// log, kept in a table that is bounded in bytes. As soon as the changed entries come to a
// few MB, the group at hand writes all of them and the seq they cover. So a group stays
// small, and a crash finds the table as it was at one seq.

package engine

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
	kindUser      = 'u'
	kindAnonymous = 'a'
	kindSession   = 's' // a session id a client sent; the id begins with the dialect's number
)

// known is what the engine knows of one id. Its ordinal is the seq of the event
// the id first appeared in: it names the person or session in rows.
type known struct {
	key    string
	ord    uint64
	linked bool // of an anonymous id: it has met its first user
	dirty  bool // it has changed since it was last written
	live   []live
	visit  *hitVisit // of a visit, see hits.go
	bytes  int       // its size as the table last counted it
}

// live is a visitor's newest session in one dialect.
type live struct {
	dialect byte
	id      string
	ord     uint64
	last    int64 // event time of its newest event
}

// ids is the table. It belongs to the sequencer. All entries lie in Pebble but those
// that have changed since they were last written; those asked for lately are in memory,
// the very latest as they are and more of them packed.
type ids struct {
	filter  *idFilter // of every id there is; nil = none is kept
	db      pebble.Reader
	max     int // bytes of hot that stay when there is no need for them
	part    int // bytes of changed entries that are written in one go
	hot     map[string]*known
	bytes   int      // sizes of all in hot
	changed []*known // the dirty ones
	dirty   int      // their sizes
	pack    *idPack
	upTo    map[uint32]uint64 // newest seq learnt, by site
	key     []byte
}

// stored returns what an entry in memory would be stored as; known is false when there is
// no such entry.
func (t *ids) stored(key []byte) (form []byte, known bool) {
	k := t.hot[string(key)]
	if k == nil {
		return nil, false
	}
	return k.append(nil), true
}

// len is the number of entries in memory.
func (t *ids) len() int { return len(t.hot) }

// changedBytes is about how many bytes the entries take that are to be written.
func (t *ids) changedBytes() int { return t.dirty }

// bound says how many bytes of changed entries are written in one go. It is called before
// the first entry comes.
func (t *ids) bound(part int) { t.part, t.max = part, min(t.max, 16*part) }

// filterStored makes the filter of all ids that are stored, of so many bytes. It reads
// all their keys.
func (t *ids) filterStored(bytes int64) error {
	t.filter = newIDFilter(bytes)
	return t.filter.load(t.db)
}

// newIDs makes a table with about so many bytes of memory for entries that are written.
// With a nil db nothing is stored.
func newIDs(db pebble.Reader, bytes int) *ids {
	return &ids{
		db: db, max: bytes / 2, part: min(bytes/2, idPartMax),
		hot: make(map[string]*known), pack: newIDPack(bytes / 2), upTo: make(map[uint32]uint64),
	}
}

const (
	// idPartMax bounds the changed entries that are written with one group. Larger
	// parts hold up everybody's writes for longer; smaller ones write entries that
	// change all the time more often.
	idPartMax = 4 << 20

	// idOverhead is about what an entry takes in memory beside its size.
	idOverhead = 200

	// idVisitBytes is about what a visit takes beside its texts.
	idVisitBytes = 128
)

// size is about how many bytes the entry is stored in.
func (k *known) size() int {
	n := len(k.key) + 16
	for i := range k.live {
		n += 16 + len(k.live[i].id)
	}
	if v := k.visit; v != nil {
		n += idVisitBytes + len(v.id) + len(v.visitor) + len(v.user) + len(v.campaign) + len(v.keyword) + 8*len(v.goals)
		if v.pinged != nil {
			for _, said := range v.pinged.vars {
				n += said.bytes()
			}
		}
	}
	return n
}

// held is about how many bytes of memory the entries take that are not packed.
func (t *ids) held() int { return t.bytes + idOverhead*len(t.hot) }

// due says that the group at hand should write what has changed: it is a part, or memory
// is full of entries that can only be dropped after they are written.
func (t *ids) due() bool { return t.dirty >= t.part || t.held()/4 >= t.max }

// over says that entries should leave memory once all are written.
func (t *ids) over() bool { return t.held() > t.max }

// change notes that an entry has changed.
func (t *ids) change(k *known) {
	if !k.dirty {
		k.dirty = true
		t.changed = append(t.changed, k)
		t.dirty += k.bytes
	}
	t.measure(k)
}

// measure notes how large an entry is now.
func (t *ids) measure(k *known) {
	grown := k.size() - k.bytes
	k.bytes += grown
	t.bytes += grown
	if k.dirty {
		t.dirty += grown
	}
}

// dialectNumber is how keys and entries name a dialect.
func dialectNumber(d event.Dialect) byte { return byte(slices.Index(event.Dialects, d)) }

// idKey appends the key of an id.
func idKey(dst []byte, site uint32, kind byte, dialect byte, id string) []byte {
	dst = append(dst, store.PrefixID)
	dst = binary.BigEndian.AppendUint32(dst, site)
	dst = append(dst, kind)
	if kind == kindSession {
		dst = append(dst, dialect)
	}
	return append(dst, id...)
}

// get returns what is known of an id, nil when it is new.
func (t *ids) get(site uint32, kind byte, dialect byte, id string) (*known, error) {
	t.key = idKey(t.key[:0], site, kind, dialect, id)
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

// firstOfSession is the seq of the first event with a session id that a client sent, 0 when
// none is stored.
func firstOfSession(db pebble.Reader, site uint32, d event.Dialect, id string) (uint64, error) {
	v, err := store.Get(db, idKey(nil, site, kindSession, dialectNumber(d), id))
	if v == nil || err != nil {
		return 0, err
	}
	k, err := parseKnown(v)
	if err != nil {
		return 0, err
	}
	return k.ord, nil
}

// found takes in the stored form of the entry get has looked for.
func (t *ids) found(v []byte) (*known, error) {
	k, err := parseKnown(v)
	if err != nil {
		return nil, err
	}
	t.hold(k)
	return k, nil
}

// hold keeps an entry in memory by the key get has looked up.
func (t *ids) hold(k *known) {
	k.key = string(t.key)
	t.hot[k.key] = k
	t.measure(k)
}

// add makes a new id known, with the key get has just looked up.
func (t *ids) add(ord uint64) *known {
	k := &known{ord: ord}
	t.hold(k)
	if t.filter != nil {
		t.filter.add(t.key)
	}
	t.change(k)
	return k
}

func (t *ids) getOrAdd(site uint32, kind byte, dialect byte, id string, ord uint64) (*known, error) {
	k, err := t.get(site, kind, dialect, id)
	if k == nil && err == nil {
		k = t.add(ord)
	}
	return k, err
}

// link says that the persons named by two ordinals are one.
type link struct{ a, b uint64 }

// place is what the table decides for an event.
type place struct {
	person, session uint64
	sessionID       string
	links           []link
	verdict         // of a hit
}

// decide takes in the event at seq and gives it its person and session.
// newSession names a new session.
func (t *ids) decide(site uint32, seq uint64, e *event.Event, newSession func(event.Dialect) string) (p place, err error) {
	if e.Hit != nil && !e.SessionSent {
		return t.decideHit(site, seq, e, newSession)
	}
	r := event.RuleAt(e.Dialect, seq)
	user, anon, err := t.meet(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		return p, t.sentSession(site, seq, e, r, user, anon, &p)
	}
	if e.Visit.Old {
		return p, nil
	}
	l, keeps := t.current(e, r, user, anon)
	if !keeps {
		return p, nil
	}
	switch {
	case l.ord == 0 || r.Ends(e.Time-l.last):
		if e.Visit.JoinOnly {
			return p, nil
		}
		p.session, p.sessionID = seq, newSession(e.Dialect)
	case l.strays(e.Time, r):
		// Too late for this session, and the one before is over.
		if !r.ReturnsIDs {
			return p, nil
		}
		p.session, p.sessionID = seq, newSession(e.Dialect)
	default:
		p.session, p.sessionID = l.ord, l.id
	}
	return p, t.keepSession(site, seq, e, r, &l, &p)
}

// replay takes in an event as the log has it: what was decided is in the row.
func (t *ids) replay(site uint32, seq uint64, e *event.Event) (p place, err error) {
	r := event.RuleAt(e.Dialect, seq)
	if r.Visits && !e.SessionSent {
		return t.replayHit(site, seq, e, r)
	}
	user, anon, err := t.meet(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		return p, t.sentSession(site, seq, e, r, user, anon, &p)
	}
	if e.SessionOrd == 0 {
		return p, nil
	}
	p.session, p.sessionID = e.SessionOrd, e.Session
	l, keeps := t.current(e, r, user, anon)
	if !keeps {
		return p, nil
	}
	if p.session != seq {
		p.session = l.ord // the same, or check finds that it is not
	}
	return p, t.keepSession(site, seq, e, r, &l, &p)
}

// keepSession notes the session that was chosen for an event which came without.
func (t *ids) keepSession(site uint32, seq uint64, e *event.Event, r *event.Rule, l *visit, p *place) error {
	if !l.strays(e.Time, r) {
		t.follow(l, p, e.Time)
	}
	if p.session != seq || !r.ReturnsIDs {
		return nil
	}
	// The client knows the id from now on and may send it.
	_, err := t.getOrAdd(site, kindSession, dialectNumber(e.Dialect), p.sessionID, seq)
	return err
}

// meet makes the ids of an event known and links the persons it shows to be one.
func (t *ids) meet(site uint32, seq uint64, e *event.Event, r *event.Rule, p *place) (user, anon *known, err error) {
	t.upTo[site] = seq
	if e.User != "" {
		if user, err = t.getOrAdd(site, kindUser, 0, e.User, seq); err != nil {
			return nil, nil, err
		}
		p.person = user.ord
	}
	if e.Anonymous != "" {
		if anon, err = t.getOrAdd(site, kindAnonymous, 0, e.Anonymous, seq); err != nil {
			return nil, nil, err
		}
		if user == nil {
			p.person = anon.ord
		} else {
			t.join(p, anon, user.ord)
		}
	} else if user != nil && r.ReturnsIDs {
		// An id that was made for a visitor comes back as a user's that was sent.
		if anon, err = t.get(site, kindAnonymous, 0, e.User); err != nil {
			return nil, nil, err
		}
		if anon != nil {
			t.join(p, anon, user.ord)
			if !anon.visits(e.Dialect) { // an alias introduced it: the user's session goes on
				anon = nil
			}
		}
	}
	if e.Type != event.Alias || e.Previous == "" || p.person == 0 {
		return user, anon, nil
	}
	was, err := t.getOrAdd(site, kindUser, 0, e.Previous, seq)
	if err != nil {
		return nil, nil, err
	}
	if was.ord != p.person {
		p.links = append(p.links, link{was.ord, p.person})
	}
	if was, err = t.getOrAdd(site, kindAnonymous, 0, e.Previous, seq); err != nil {
		return nil, nil, err
	}
	t.join(p, was, p.person)
	return user, anon, nil
}

// visits reports whether the id has had a session of its own in the dialect.
func (k *known) visits(d event.Dialect) bool {
	dialect := dialectNumber(d)
	return slices.ContainsFunc(k.live, func(l live) bool { return l.dialect == dialect })
}

// join links an anonymous id to the first person it meets (rule: first link
// wins).
func (t *ids) join(p *place, anon *known, person uint64) {
	if anon.linked {
		return
	}
	anon.linked = true
	t.change(anon)
	if anon.ord != person {
		p.links = append(p.links, link{anon.ord, person})
	}
}

// sentSession finds or begins the session the event was sent with. In a dialect
// that returns ids it is then the visitor's current one.
func (t *ids) sentSession(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *known, p *place) error {
	s, err := t.getOrAdd(site, kindSession, dialectNumber(e.Dialect), e.Session, seq)
	if err != nil {
		return err
	}
	p.session, p.sessionID = s.ord, e.Session
	if !r.ReturnsIDs {
		return nil
	}
	if l, keeps := t.current(e, r, user, anon); keeps && (l.ord == p.session || e.Time >= l.last) {
		t.follow(&l, p, e.Time)
	}
	return nil
}

// visit is a visitor's session in a dialect, and where it is kept: with the visitor,
// who is the anonymous id if there is one, else the user.
type visit struct {
	of *known
	at int // in of.live; that many = it has had none
	live
}

// strays says that an event of that time is older than the session by so much that
// it is not in it.
func (v *visit) strays(time int64, r *event.Rule) bool { return v.ord != 0 && r.Strays(v.last-time) }

// current returns the visitor's session in the event's dialect, an empty one when
// it has had none yet; keeps is false when the engine gives events like e none.
func (t *ids) current(e *event.Event, r *event.Rule, user, anon *known) (v visit, keeps bool) {
	visitor := anon
	if visitor == nil {
		visitor = user
	}
	if visitor == nil || !r.InSession(e.Type) {
		return v, false
	}
	dialect := dialectNumber(e.Dialect)
	at := slices.IndexFunc(visitor.live, func(l live) bool { return l.dialect == dialect })
	if at < 0 {
		return visit{visitor, len(visitor.live), live{dialect: dialect}}, true
	}
	return visit{visitor, at, visitor.live[at]}, true
}

// follow moves the visitor's session on by an event that is in it. It keeps a copy
// of a new one's id.
func (t *ids) follow(v *visit, p *place, time int64) {
	if p.session == 0 {
		return // a replay whose log disagrees, which check finds
	}
	if v.ord == p.session {
		v.last = max(v.last, time)
	} else {
		v.live = live{v.dialect, strings.Clone(p.sessionID), p.session, time}
	}
	if v.at == len(v.of.live) {
		v.of.live = append(v.of.live, v.live)
	} else {
		v.of.live[v.at] = v.live
	}
	t.change(v.of)
}

// flush writes every changed entry to w, and how far the table has come. Both are in one
// batch; otherwise a replay would apply events to entries that already contain them. When
// the batch is in Pebble, evict may follow.
func (t *ids) flush(w *pebble.Batch) error {
	slices.SortFunc(t.changed, func(a, b *known) int { return strings.Compare(a.key, b.key) }) // sorted operations cost Pebble less
	var key, v []byte
	for _, k := range t.changed {
		key, v = append(key[:0], k.key...), k.append(v[:0])
		if err := w.Set(key, v, nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
		k.dirty = false
	}
	t.changed, t.dirty = event.Emptied(t.changed, idPartMax/64), 0
	for site, seq := range t.upTo {
		if err := w.Set(store.IDsUpToKey(site), binary.BigEndian.AppendUint64(nil, seq), nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
	}
	clear(t.upTo)
	return nil
}

// evict packs what there is. Nothing may be dirty, and the last flush must be in Pebble.
func (t *ids) evict() {
	if !t.over() {
		return
	}
	for key, k := range t.hot {
		t.pack.put(key, k)
	}
	clear(t.hot)
	t.bytes = 0
}

// replayed writes what a replay has learnt so far, if that is a part, so that it need
// not all be in memory and then in one group.
func (t *ids) replayed(db *pebble.DB) error {
	if !t.due() {
		return nil
	}
	b := db.NewBatch()
	defer b.Close()
	if err := t.flush(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write ids: %w", err)
	}
	t.evict()
	return nil
}

const (
	knownVersion = 1
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
func (k *known) append(dst []byte) []byte {
	if k.visit != nil {
		return k.visit.append(binary.AppendUvarint(append(dst, visitVersion), k.ord))
	}
	dst = append(dst, knownVersion)
	dst = binary.AppendUvarint(dst, k.ord)
	linked := byte(0)
	if k.linked {
		linked = 1
	}
	dst = append(dst, linked)
	dst = binary.AppendUvarint(dst, uint64(len(k.live)))
	for _, l := range k.live {
		dst = append(dst, l.dialect)
		dst = binary.AppendUvarint(dst, uint64(len(l.id)))
		dst = append(dst, l.id...)
		dst = binary.AppendUvarint(dst, l.ord)
		dst = binary.AppendVarint(dst, l.last)
	}
	return dst
}

var errKnown = errors.New("damaged record of an id")

func parseKnown(b []byte) (*known, error) {
	visit := len(b) > 0 && b[0] == visitVersion
	bad := len(b) == 0 || b[0] != knownVersion && !visit
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
	k := &known{ord: uvarint()}
	if visit {
		v := &hitVisit{}
		flags := take(1)[0]
		bad = bad || flags > 3
		v.referred, v.viewed = flags&1 != 0, flags&2 != 0
		v.first, v.last, v.actions = varint(), varint(), uvarint()
		for _, s := range [...]*string{&v.id, &v.visitor, &v.user, &v.campaign, &v.keyword} {
			*s = string(take(uvarint()))
		}
		for n := uvarint(); n > 0 && !bad; n-- {
			v.goals = append(v.goals, varint())
		}
		k.visit = v
	} else {
		k.linked = take(1)[0] == 1
		for n := uvarint(); n > 0 && !bad; n-- {
			l := live{dialect: take(1)[0]}
			l.id = string(take(uvarint()))
			l.ord = uvarint()
			l.last = varint()
			k.live = append(k.live, l)
		}
	}
	if bad || len(b) != 0 {
		return nil, errKnown
	}
	return k, nil
}
