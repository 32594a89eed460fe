// This file decides which visit a hit is in. A hit is a request of Matomo's. A visit is a
// session by Matomo's rules: it goes on until half an hour after its last action, within
// one day of the site's zone. A visitor is known by an id, or by a fingerprint of what the
// request reveals. The sequencer decides about one hit after the other, so the first hits
// of a visit begin one visit even when they arrive together.
//
// The table of ids has these entries:
//
//	visitor ─────┐
//	             ├─▶ visit     a visitor's id: the newest visits that it was in;
//	fingerprint ─┘             a fingerprint: the newest visits that began with it
//	order                      an order's id

package identity

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
)

const (
	visitActionsMax = 10_000 // actions that end a visit
	visitGoalsMax   = 1000   // goals that a visit remembers
	visitsOfIDMax   = 4      // visits that an id remembers

	// VisitorDigits is the number of hexadecimal digits of a visitor's id and of a
	// fingerprint.
	VisitorDigits = 16
)

// Actions are the types of events that count as an act of the visitor. Nobody changes it.
var Actions = []event.Type{event.Track, event.Page, event.Screen, event.Download, event.Outlink, event.Search}

// Visit is what the table knows of a visit. The zero Visit has no event yet.
type Visit struct {
	id      string // of its session
	visitor string // the id that its newest hit came with; "" = none
	user    string
	bare    string // the fingerprint that its first hit without an id had as anonymous id; "" = none
	known   uint64 // ordinal of the first anonymous id in it that is no fingerprint; 0 = none
	Arrival
	viewed      bool  // it has a page view
	first, last int64 // event times
	actions     uint64
	goals       []int64
	heartbeats  *Heartbeats // nil = not read yet; they are stored by themselves
}

// Arrival is where a visit came from. Arrivals are compared with ==.
type Arrival struct {
	Campaign string // as sent; "" = none
	keyword  string
	referred bool // by a campaign or another site
}

// arrivalOf returns where an event's visitor came from. first says that the visit has no
// page view yet: such a page view may name the campaign that the visitor's client
// remembers.
func arrivalOf(e *event.Event, first bool) (a Arrival) {
	c := e.Context
	for _, key := range [...]string{"utm_campaign", "utm_source", "utm_medium"} {
		if a.Campaign = c.Get(key).Text; a.Campaign != "" {
			break
		}
	}
	a.keyword = c.Get("utm_term").Text
	if a.Campaign == "" && first && e.Type == event.Page {
		if a.Campaign = e.Extra.Get("_rcn").Text; a.Campaign != "" {
			a.keyword = e.Extra.Get("_rck").Text
		}
	}
	a.referred = a.Campaign != "" || c.Get("referrer_host").Text != ""
	return a
}

// fingerprintOf returns the fingerprint that the event has, "" when it has none.
func fingerprintOf(e *event.Event) string { return e.Extra.Get(event.Fingerprint).Text }

// visitorOf returns the id by which the visit of an event is looked for, "" when the event
// has nothing but a fingerprint. The id of a user is made from the user's own id, as in all
// of Matomo's clients.
func visitorOf(e *event.Event) string {
	if e.User != "" {
		sum := sha1.Sum([]byte(e.User))
		return hex.EncodeToString(sum[:VisitorDigits/2])
	}
	if e.Anonymous != fingerprintOf(e) {
		return e.Anonymous
	}
	return ""
}

// visitID returns the id under which the table has a visit: its ordinal in 8 bytes,
// big-endian.
func visitID(ord uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ord)
	return string(b[:])
}

// visit returns the entry of a visit, nil when the table has none.
func (t *IDs) visit(site uint32, ord uint64) (*idEntry, error) {
	k, err := t.get(site, kindVisit, 0, visitID(ord))
	if k != nil && k.visit == nil {
		return nil, damagedID(site, errEntry)
	}
	return k, err
}

// newestVisit returns the visit with the latest action among those that an id remembers
// and ok accepts. It skips visits whose latest action is after until. It returns nil when
// no visit is left.
func (t *IDs) newestVisit(site uint32, kind byte, id string, until int64, ok func(*Visit) bool) (found *idEntry, err error) {
	if id == "" {
		return nil, nil
	}
	of, err := t.get(site, kind, 0, id)
	if of == nil || err != nil {
		return nil, err
	}
	for _, l := range of.sessions {
		k, err := t.visit(site, l.ord)
		if err != nil {
			return nil, err
		}
		if k != nil && k.visit.last <= until && ok(k.visit) && k.laterThan(found) {
			found = k
		}
	}
	return found, nil
}

// findVisit returns the visit that a hit may be in, nil when there is none. It looks by the
// visitor's id first, however old the visit is, then by the fingerprints, for a visit that
// is not idle. A hit of one user is never in the visit of another.
func (t *IDs) findVisit(site uint32, e *event.Event, q *Question, r *event.Rule) (*idEntry, error) {
	visitor, until := visitorOf(e), e.Time+r.Idle
	found, err := t.newestVisit(site, kindVisitor, visitor, until, func(v *Visit) bool { return v.visitor == visitor })
	if found != nil || err != nil || q.Hit.IDOnly {
		return found, err
	}
	for _, fingerprint := range [...]string{fingerprintOf(e), q.Before} {
		k, err := t.newestVisit(site, kindFingerprint, fingerprint, until, func(v *Visit) bool {
			return !r.Ends(e.Time-v.last) && (e.User == "" || v.user == "" || v.user == e.User)
		})
		if err != nil {
			return nil, err
		}
		if k != nil && k.laterThan(found) {
			found = k
		}
	}
	return found, nil
}

// laterThan reports whether the visit's last action is later than that of another visit. If
// both actions are in the same millisecond, the visit that began later is the later one: a
// client has asked for a new visit. Every visit is later than nil.
func (k *idEntry) laterThan(than *idEntry) bool {
	if than == nil || k.visit.last != than.visit.last {
		return than == nil || k.visit.last > than.visit.last
	}
	return k.ord > than.ord
}

// accepts reports whether the hit continues the visit. Otherwise the hit begins another.
func (v *Visit) accepts(e *event.Event, q *Question, r *event.Rule) bool {
	if q.Hit.New && !q.Hit.Ping || r.Ends(e.Time-v.last) || v.last < q.Day[0] || v.last >= q.Day[1] || v.actions >= visitActionsMax {
		return false
	}
	a := arrivalOf(e, false)
	// Links to one page are written in many ways, so case does not count.
	return a.Campaign == "" || !v.referred || strings.EqualFold(a.Campaign, v.Campaign) && strings.EqualFold(a.keyword, v.keyword)
}

// judge sets in p whether a hit is skipped or refused. k is the visit that the hit is in,
// nil when the hit begins one.
func (t *IDs) judge(site uint32, e *event.Event, h *event.Hit, k *idEntry, p *Assignment) error {
	switch {
	case h.Ping:
		p.Skip = true
		if k != nil && e.Time > k.visit.last {
			p.heartbeat, p.Begun = e.Time, k.visit.first
		}
	case h.After > 0 && (k == nil || e.Time-k.visit.first <= h.After):
		p.Skip = true
	case h.Once && k != nil:
		id, ok := goalOf(e)
		p.Skip = ok && slices.Contains(k.visit.goals, id)
	case h.Order:
		order, err := t.get(site, kindOrder, 0, e.Name)
		if err != nil {
			return err
		}
		if order != nil {
			p.Refuse = &event.FieldError{Index: -1, Field: "ec_id", Msg: "the site has an order of this id"}
		}
	}
	return nil
}

// goalOf returns the number of the goal that an event reaches. ok is false when it reaches
// none.
func goalOf(e *event.Event) (id int64, ok bool) {
	if e.Type != event.Goal {
		return 0, false
	}
	id, err := strconv.ParseInt(e.Properties.Get("goal_id").Text, 10, 64)
	return id, err == nil
}

// assignHit is Assign for a hit.
func (t *IDs) assignHit(site uint32, seq uint64, e *event.Event, q *Question, newSession func(event.Dialect) string) (p Assignment, err error) {
	r := t.rules[site].At(e.Dialect, seq)
	k, err := t.findVisit(site, e, q, r)
	if err != nil {
		return p, err
	}
	if k != nil && !k.visit.accepts(e, q, r) {
		k = nil
	}
	if err = t.judge(site, e, q.Hit, k, &p); err != nil || p.Skip || p.Refuse != nil {
		if k != nil {
			p.Session, p.SessionID = k.ord, k.visit.id
		}
		return p, err
	}
	_, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if k != nil {
		p.Session, p.SessionID = k.ord, k.visit.id
	} else {
		p.Session, p.SessionID = seq, newSession(e.Dialect)
	}
	err = t.updateVisit(site, seq, e, r, anon, &p)
	return p, err
}

// replayHit is Replay for the event of a hit.
func (t *IDs) replayHit(site uint32, seq uint64, e *event.Event, r *event.Rule) (p Assignment, err error) {
	_, anon, err := t.register(site, seq, e, r, &p)
	if err != nil || e.SessionOrd == 0 {
		return p, err
	}
	p.Session, p.SessionID = e.SessionOrd, e.Session
	err = t.updateVisit(site, seq, e, r, anon, &p)
	return p, err
}

// updateVisit takes an event into the visit that was assigned to it. anon is the entry of its
// anonymous id, nil when it has none. When the event begins the visit, updateVisit adds the
// visit. When the table has no such visit, p loses its session: the log of a replay is then
// damaged, which check finds.
func (t *IDs) updateVisit(site uint32, seq uint64, e *event.Event, r *event.Rule, anon *idEntry, p *Assignment) error {
	visitor := visitorOf(e)
	if p.Session == seq {
		v := &Visit{id: strings.Clone(p.SessionID), visitor: strings.Clone(visitor), first: e.Time, last: e.Time}
		t.addNumbered(site, kindVisit, seq).visit = v
		if err := t.addVisit(site, kindFingerprint, fingerprintOf(e), seq, seq); err != nil {
			return err
		}
		if err := t.addVisit(site, kindVisitor, visitor, seq, seq); err != nil {
			return err
		}
	}
	k, err := t.visit(site, p.Session)
	if err != nil {
		return err
	}
	if k == nil || k.visit.id != p.SessionID {
		p.Session = 0
		return nil
	}
	if v := k.visit; visitor != "" && visitor != v.visitor {
		v.visitor = strings.Clone(visitor)
		if err := t.addVisit(site, kindVisitor, visitor, p.Session, seq); err != nil {
			return err
		}
	}
	if r.UnitesVisits && anon != nil {
		if err := t.unite(site, e, k.visit, anon, p); err != nil {
			return err
		}
	}
	k.visit.Take(e)
	t.change(k)
	if e.Type == event.Order && e.Name != "" {
		_, err = t.getOrAdd(site, kindOrder, 0, e.Name, seq)
	}
	return err
}

// unite links a fingerprint to the other anonymous ids of its visit: one visit is one person,
// also when the visitor's client has an id only from some hit on. Like every anonymous id, a
// fingerprint is linked once. Ids are not linked to each other, because two visitors behind one
// address may share a fingerprint and so a visit.
func (t *IDs) unite(site uint32, e *event.Event, v *Visit, anon *idEntry, p *Assignment) error {
	if e.Anonymous != fingerprintOf(e) {
		if v.known == 0 {
			v.known = anon.ord
		}
		return t.linkFingerprint(site, v.bare, anon.ord, p)
	}
	if v.known != 0 {
		t.linkOnce(p, anon, v.known)
	}
	switch v.bare {
	case "":
		v.bare = strings.Clone(e.Anonymous)
	case e.Anonymous:
	default: // the salt has changed during the visit
		return t.linkFingerprint(site, v.bare, anon.ord, p)
	}
	return nil
}

// linkFingerprint links a fingerprint to a person; "" is no fingerprint.
func (t *IDs) linkFingerprint(site uint32, fingerprint string, person uint64, p *Assignment) error {
	if fingerprint == "" {
		return nil
	}
	k, err := t.get(site, KindAnonymous, 0, fingerprint)
	if k != nil && err == nil {
		t.linkOnce(p, k, person)
	}
	return err
}

// addVisit adds a visit to the newest ones of an id.
func (t *IDs) addVisit(site uint32, kind byte, id string, visit, seq uint64) error {
	if id == "" {
		return nil
	}
	k, err := t.getOrAdd(site, kind, 0, id, seq)
	if err != nil || slices.ContainsFunc(k.sessions, func(l sessionRef) bool { return l.ord == visit }) {
		return err
	}
	if len(k.sessions) == visitsOfIDMax {
		k.sessions = slices.Delete(k.sessions, 0, 1)
	}
	k.sessions = append(k.sessions, sessionRef{ord: visit})
	t.change(k)
	return nil
}

// Take takes an event into the visit. It keeps copies of the event's texts.
func (v *Visit) Take(e *event.Event) {
	v.first, v.last = min(v.first, e.Time), max(v.last, e.Time)
	if e.User != "" && e.User != v.user {
		v.user = strings.Clone(e.User)
	}
	if a := arrivalOf(e, !v.viewed); !v.referred && a.referred || a.Campaign != "" && !v.viewed && e.Type == event.Page && v.Campaign == "" {
		a.Campaign, a.keyword = strings.Clone(a.Campaign), strings.Clone(a.keyword)
		v.Arrival = a
	}
	v.viewed = v.viewed || e.Type == event.Page
	if slices.Contains(Actions, e.Type) {
		v.actions++
	}
	if id, ok := goalOf(e); ok && len(v.goals) < visitGoalsMax && !slices.Contains(v.goals, id) {
		v.goals = append(v.goals, id)
	}
}

// append appends the stored form:
//
//	flags 1: 1 = referred, 2 = viewed, 4 = has ids, 8 = partial | first varint | last varint | actions uvarint |
//	id, visitor, user, campaign, keyword: length uvarint, bytes |
//	count uvarint | count × goal varint |
//	if it has ids: known uvarint | bare: length uvarint, bytes
func (v *Visit) append(dst []byte, partial bool) []byte {
	flags := byte(0)
	if v.referred {
		flags |= 1
	}
	if v.viewed {
		flags |= 2
	}
	ids := v.known != 0 || v.bare != ""
	if ids {
		flags |= 4
	}
	if partial {
		flags |= 8
	}
	dst = binary.AppendVarint(append(dst, flags), v.first)
	dst = binary.AppendUvarint(binary.AppendVarint(dst, v.last), v.actions)
	for _, s := range [...]string{v.id, v.visitor, v.user, v.Campaign, v.keyword} {
		dst = appendText(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.goals)))
	for _, g := range v.goals {
		dst = binary.AppendVarint(dst, g)
	}
	if ids {
		dst = appendText(binary.AppendUvarint(dst, v.known), v.bare)
	}
	return dst
}

// visit reads the stored form of a visit.
func (d *decoder) visit() (v *Visit, partial bool) {
	v = &Visit{}
	flags := d.byte()
	d.bad = d.bad || flags > 15
	v.referred, v.viewed = flags&1 != 0, flags&2 != 0
	v.first, v.last, v.actions = d.varint(), d.varint(), d.uvarint()
	v.id, v.visitor, v.user = d.text(), d.text(), d.text()
	v.Campaign, v.keyword = d.text(), d.text()
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		v.goals = append(v.goals, d.varint())
	}
	if flags&4 != 0 {
		v.known, v.bare = d.uvarint(), d.text()
		d.bad = d.bad || v.known == 0 && v.bare == ""
	}
	return v, flags&8 != 0
}
