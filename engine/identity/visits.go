// Hits: which visit a hit of Matomo's is in. A visitor is known by an id, or by what
// the request shows anyway; a visit goes on for half an hour after its last action,
// within one day of the site's zone. Decided in the sequencer, one hit after the
// other, so that the first hits of a visit that come at once begin one.
//
// What is known of visits is a function of the log, like all of ids.go:
//
//	visitor ─┐                  a visitor's id, the newest visits it was in
//	         ├─▶ visit          by the seq of its first event
//	print ───┘                  a fingerprint, the newest visits that began with it
//	order                       an order's id

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

// Kinds of ids, beside those of ids.go.
const (
	kindVisitor = 'v'
	kindPrint   = 'p'
	KindVisit   = 'w' // the id is 8 bytes: the visit's ordinal
	kindOrder   = 'o'
)

// The bounds of a visit.
const (
	visitActions  = 10_000 // so many actions end it
	visitGoals    = 1000   // goals that are known of it
	visitsOfID    = 4      // visits that are known of an id
	VisitorDigits = 16     // of a visitor's id and of a fingerprint
)

// Actions are the types that count as something a visitor did.
var Actions = []event.Type{event.Track, event.Page, event.Screen, event.Download, event.Outlink, event.Search}

// Visit is what is known of a visit.
type Visit struct {
	id          string // of its session
	visitor     string // the id its newest hit came with; "" = none
	user        string
	Arrival           // where it came from
	viewed      bool  // it has a page view
	first, last int64 // event times
	actions     uint64
	goals       []int64
	pinged      *Heartbeats // nil = not yet asked for; stored by itself
}

// Arrival is where a visit came from.
type Arrival struct {
	Campaign, keyword string
	referred          bool // by a campaign or another site; else it came by itself
}

// arrivalOf reads where an event's visitor came from. A page view that is a visit's
// first may say what campaign the visitor's client remembers.
func arrivalOf(e *event.Event, first bool) (a Arrival) {
	c := e.Context
	for _, key := range [...]string{"utm_campaign", "utm_source", "utm_medium"} {
		if a.Campaign = strings.ToLower(c.Get(key).Text); a.Campaign != "" {
			break
		}
	}
	a.keyword = strings.ToLower(c.Get("utm_term").Text)
	if a.Campaign == "" && first && e.Type == event.Page {
		if a.Campaign = e.Extra.Get("_rcn").Text; a.Campaign != "" {
			a.keyword = e.Extra.Get("_rck").Text
		}
	}
	a.referred = a.Campaign != "" || c.Get("referrer_host").Text != ""
	return a
}

// fingerprintOf is the fingerprint an event was stored with.
func fingerprintOf(e *event.Event) string { return e.Extra.Get(event.Fingerprint).Text }

// visitorOf is the id an event's visit is looked for by, "" when it has none but its
// fingerprint. A user's is made of the user's id, as all of Matomo's clients do it.
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

// VisitKey is the id of a visit in the table.
func VisitKey(ord uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ord)
	return string(b[:])
}

func (t *IDs) visit(site uint32, ord uint64) (*idEntry, error) {
	k, err := t.get(site, KindVisit, 0, VisitKey(ord))
	if k != nil && k.visit == nil {
		return nil, errEntry
	}
	return k, err
}

// newest returns, of the visits known of an id, the one with the latest action that
// satisfies ok; nil when none does. One whose latest action is after until is a later
// visit.
func (t *IDs) newest(site uint32, kind byte, id string, until int64, ok func(*Visit) bool) (found *idEntry, err error) {
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
		if k != nil && k.visit.last <= until && ok(k.visit) && k.later(found) {
			found = k
		}
	}
	return found, nil
}

// lastVisit finds the visit a hit may be in: by its visitor's id, whenever that was;
// else by what it shows, if that visit is not idle. Who is logged in is in
// nobody else's.
func (t *IDs) lastVisit(site uint32, e *event.Event, q *Question, r *event.Rule) (*idEntry, error) {
	visitor, until := visitorOf(e), e.Time+r.Idle
	found, err := t.newest(site, kindVisitor, visitor, until, func(v *Visit) bool { return v.visitor == visitor })
	if found != nil || err != nil || q.Hit.IDOnly {
		return found, err
	}
	for _, print := range [...]string{fingerprintOf(e), q.Before} {
		k, err := t.newest(site, kindPrint, print, until, func(v *Visit) bool {
			return !r.Ends(e.Time-v.last) && (e.User == "" || v.user == "" || v.user == e.User)
		})
		if err != nil {
			return nil, err
		}
		if k != nil && k.later(found) {
			found = k
		}
	}
	return found, nil
}

// later says whether the visit's last action is later than the other's; of the same
// millisecond the visit that began later is, since it was asked for.
func (k *idEntry) later(than *idEntry) bool {
	if than == nil || k.visit.last != than.visit.last {
		return than == nil || k.visit.last > than.visit.last
	}
	return k.ord > than.ord
}

// goesOn says whether the visit takes the hit in.
func (v *Visit) goesOn(e *event.Event, q *Question, r *event.Rule) bool {
	if q.Hit.New && !q.Hit.Ping || r.Ends(e.Time-v.last) || v.last < q.Day[0] || v.last >= q.Day[1] || v.actions >= visitActions {
		return false
	}
	a := arrivalOf(e, false)
	return a.Campaign == "" || !v.referred || a.Campaign == v.Campaign && a.keyword == v.keyword
}

// verdict is what else may become of a hit than that it is stored.
type verdict struct {
	Skip   bool // there is nothing to store
	ping   int64
	Refuse *event.FieldError
}

// judge says what becomes of a hit, v being the visit it is in, nil when it begins
// one.
func (t *IDs) judge(site uint32, e *event.Event, h *event.Hit, k *idEntry) (d verdict, err error) {
	switch {
	case h.Ping:
		d.Skip = true
		if k != nil && e.Time > k.visit.last {
			d.ping = e.Time
		}
	case h.After > 0 && (k == nil || e.Time-k.visit.first <= h.After):
		d.Skip = true
	case h.Once && k != nil:
		id, ok := goalOf(e)
		d.Skip = ok && slices.Contains(k.visit.goals, id)
	case h.Order:
		order, err := t.get(site, kindOrder, 0, e.Name)
		if err != nil {
			return d, err
		}
		if order != nil {
			d.Refuse = &event.FieldError{Index: -1, Field: "ec_id", Msg: "the site has an order of this id"}
		}
	}
	return d, nil
}

// goalOf is the number of the goal an event tells of.
func goalOf(e *event.Event) (int64, bool) {
	if e.Type != event.Goal {
		return 0, false
	}
	id, err := strconv.ParseInt(e.Properties.Get("goal_id").Text, 10, 64)
	return id, err == nil
}

// assignHit is Assign for a hit.
func (t *IDs) assignHit(site uint32, seq uint64, e *event.Event, q *Question, newSession func(event.Dialect) string) (p Assignment, err error) {
	r := event.RuleAt(e.Dialect, seq)
	k, err := t.lastVisit(site, e, q, r)
	if err != nil {
		return p, err
	}
	if k != nil && !k.visit.goesOn(e, q, r) {
		k = nil
	}
	if p.verdict, err = t.judge(site, e, q.Hit, k); err != nil || p.Skip || p.Refuse != nil {
		if k != nil {
			p.Session, p.SessionID = k.ord, k.visit.id
		}
		return p, err
	}
	if _, _, err = t.register(site, seq, e, r, &p); err != nil {
		return p, err
	}
	if k != nil {
		p.Session, p.SessionID = k.ord, k.visit.id
	} else {
		p.Session, p.SessionID = seq, newSession(e.Dialect)
	}
	return p, t.keepVisit(site, seq, e, &p)
}

// replayHit is replay for a hit.
func (t *IDs) replayHit(site uint32, seq uint64, e *event.Event, r *event.Rule) (p Assignment, err error) {
	if _, _, err = t.register(site, seq, e, r, &p); err != nil || e.SessionOrd == 0 {
		return p, err
	}
	p.Session, p.SessionID = e.SessionOrd, e.Session
	return p, t.keepVisit(site, seq, e, &p)
}

// keepVisit notes what an event that is in a visit says of it. A visit that the log
// does not have leaves p without a session, which check finds.
func (t *IDs) keepVisit(site uint32, seq uint64, e *event.Event, p *Assignment) error {
	visitor := visitorOf(e)
	if p.Session == seq {
		v := &Visit{id: strings.Clone(p.SessionID), visitor: strings.Clone(visitor), first: e.Time, last: e.Time}
		if _, err := t.get(site, KindVisit, 0, VisitKey(seq)); err != nil {
			return err
		}
		t.add(seq).visit = v
		if err := t.refer(site, kindPrint, fingerprintOf(e), seq, seq); err != nil {
			return err
		}
		if err := t.refer(site, kindVisitor, visitor, seq, seq); err != nil {
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
		if err := t.refer(site, kindVisitor, visitor, p.Session, seq); err != nil {
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

// refer notes that an id was in a visit.
func (t *IDs) refer(site uint32, kind byte, id string, visit, seq uint64) error {
	if id == "" {
		return nil
	}
	k, err := t.getOrAdd(site, kind, 0, id, seq)
	if err != nil || slices.ContainsFunc(k.sessions, func(l sessionRef) bool { return l.ord == visit }) {
		return err
	}
	if len(k.sessions) == visitsOfID {
		k.sessions = slices.Delete(k.sessions, 0, 1)
	}
	k.sessions = append(k.sessions, sessionRef{ord: visit})
	t.change(k)
	return nil
}

// Take adds what an event says, of which it keeps copies.
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
	if id, ok := goalOf(e); ok && len(v.goals) < visitGoals && !slices.Contains(v.goals, id) {
		v.goals = append(v.goals, id)
	}
}

// append is the stored form:
//
//	flags 1 | first varint | last varint | actions uvarint |
//	id, visitor, user, campaign, keyword: length uvarint, bytes |
//	count uvarint | count x goal varint
func (v *Visit) append(dst []byte) []byte {
	flags := byte(0)
	if v.referred {
		flags |= 1
	}
	if v.viewed {
		flags |= 2
	}
	dst = binary.AppendVarint(append(dst, flags), v.first)
	dst = binary.AppendUvarint(binary.AppendVarint(dst, v.last), v.actions)
	for _, s := range [...]string{v.id, v.visitor, v.user, v.Campaign, v.keyword} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.goals)))
	for _, g := range v.goals {
		dst = binary.AppendVarint(dst, g)
	}
	return dst
}
