// This file decides who an event is from and which session it is in. visits.go does so
// for dialects whose sessions are visits.

package identity

import (
	"slices"
	"strings"

	"cairn/engine/event"
)

// Link says that two ordinals name the same person.
type Link struct{ A, B uint64 }

// Assignment is what the table decides about an event.
type Assignment struct {
	Person    uint64 // ordinal; 0 = nobody
	Session   uint64 // ordinal; 0 = none
	SessionID string // may alias the event or the table
	Links     []Link // which the event makes, at most five

	// Only of a hit. A hit that is skipped or refused is not stored as an event.
	Skip      bool              // there is nothing to store
	Refuse    *event.FieldError // why the hit is refused; nil = it is not
	Begun     int64             // of a heartbeat: event time of the earliest event of its visit
	heartbeat int64             // event time of a heartbeat that is later than the visit's events; 0 = none
}

// Question is what Assign must know about an arriving event and what is not stored with it. A
// replay needs no Question, because the row already has the decision. The zero Question is
// for an event about which there is nothing more to know.
type Question struct {
	Old      bool // the event is too late for any session
	JoinOnly bool // the event joins a session but begins none

	Hit    *event.Hit // nil when the event is not a hit
	Before string     // the hit's fingerprint under the salt of the day before; "" = none
	Day    [2]int64   // start and end of the hit's day in the site's zone, Unix milliseconds
}

// Assign decides about the event at seq of a site's log and takes it in. newSession
// returns the id of a new session of a dialect. Assign copies what it remembers of the
// event and keeps nothing of q. It fails when an entry cannot be read.
func (t *IDs) Assign(site uint32, seq uint64, e *event.Event, q *Question, newSession func(event.Dialect) string) (p Assignment, err error) {
	if e.Imported {
		return t.assignImported(site, seq, e, newSession)
	}
	if q.Hit != nil && !e.SessionSent {
		return t.assignHit(site, seq, e, q, newSession)
	}
	r := t.rules[site].At(e.Dialect, seq)
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		err = t.sentSession(site, seq, e, r, user, anon, &p)
		return p, err
	}
	if q.Old {
		return p, nil
	}
	if joined, err := t.joinSession(site, seq, e, r, user, anon, &p); joined || err != nil {
		return p, err
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
		// The event is too old for this session, and the session before it is over.
		if !r.ReturnsIDs {
			return p, nil
		}
		p.Session, p.SessionID = seq, newSession(e.Dialect)
	default:
		p.Session, p.SessionID = l.ord, l.id
	}
	err = t.updateSession(site, seq, e, r, &l, &p)
	return p, err
}

// Replay takes in the event at seq as the log has it. The row says what Assign decided,
// and Replay repeats it. It fails when an entry cannot be read.
func (t *IDs) Replay(site uint32, seq uint64, e *event.Event) (p Assignment, err error) {
	if e.Imported {
		return t.replayImported(site, seq, e)
	}
	r := t.rules[site].At(e.Dialect, seq)
	if r.Visits && !e.SessionSent {
		return t.replayHit(site, seq, e, r)
	}
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	if e.SessionSent {
		err = t.sentSession(site, seq, e, r, user, anon, &p)
		return p, err
	}
	if joined, err := t.joinSession(site, seq, e, r, user, anon, &p); joined || err != nil {
		return p, err
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
		p.Session = l.ord // the same; otherwise check finds the difference
	}
	err = t.updateSession(site, seq, e, r, &l, &p)
	return p, err
}

// updateSession takes in which session was assigned to an event that came without one.
func (t *IDs) updateSession(site uint32, seq uint64, e *event.Event, r *event.Rule, l *currentSession, p *Assignment) error {
	if !l.strays(e.Time, r) {
		t.advance(l, p, e.Time, r)
	}
	if p.Session != seq || !r.ReturnsIDs {
		return nil
	}
	// The reply tells the client the id, so the client may send it from now on.
	_, err := t.getOrAdd(site, kindSession, DialectNumber(e.Dialect), p.SessionID, seq)
	return err
}

// register adds the new ids of an event and assigns the person. It adds to p the links
// that the event makes. user and anon are the entries of the event's ids, nil for an id
// that the event does not have.
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
			t.linkOnce(p, anon, user.ord)
			if r.JoinWithin > 0 {
				t.see(user, DialectNumber(e.Dialect), e.Anonymous, e.Time)
			}
		}
	} else if user != nil && r.ReturnsIDs {
		// A client may send the id that the engine made for a visitor as a user's.
		if anon, err = t.get(site, KindAnonymous, 0, e.User); err != nil {
			return nil, nil, err
		}
		if anon != nil {
			t.linkOnce(p, anon, user.ord)
			if !anon.hasSession(e.Dialect) { // only an alias named it: the user's session goes on
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
	t.linkOnce(p, was, p.Person)
	return user, anon, nil
}

// hasSession reports whether the id has had a session of its own in the dialect.
func (k *idEntry) hasSession(d event.Dialect) bool {
	dialect := DialectNumber(d)
	return slices.ContainsFunc(k.sessions, func(l sessionRef) bool { return l.dialect == dialect })
}

// linkOnce links an anonymous id to a person, unless the id is linked already: the first
// link of an anonymous id wins.
func (t *IDs) linkOnce(p *Assignment, anon *idEntry, person uint64) {
	if anon.linked {
		return
	}
	anon.linked = true
	t.change(anon)
	if anon.ord != person {
		p.Links = append(p.Links, Link{anon.ord, person})
	}
}

// joinSession assigns to an event that has nothing but a user the session of an anonymous id,
// if the rule has such events join one.
func (t *IDs) joinSession(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *idEntry, p *Assignment) (joined bool, err error) {
	if r.JoinWithin == 0 || user == nil || anon != nil || !r.InSession(e.Type) {
		return false, nil
	}
	return t.join(site, seq, e, r, user, p)
}

// sentSession assigns the session whose id came with the event. It adds a new one. In a
// dialect that returns ids, the session becomes the visitor's current one.
func (t *IDs) sentSession(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *idEntry, p *Assignment) error {
	if r.NamedIdle > 0 {
		return t.assignNamed(site, seq, e, r, user, anon, p)
	}
	s, err := t.getOrAdd(site, kindSession, DialectNumber(e.Dialect), e.Session, seq)
	if err != nil {
		return err
	}
	p.Session, p.SessionID = s.ord, e.Session
	if !r.ReturnsIDs {
		return nil
	}
	if l, keeps := t.current(e, r, user, anon); keeps && (l.ord == p.Session || e.Time >= l.last) {
		t.advance(&l, p, e.Time, r)
	}
	return nil
}

// currentSession is a visitor's session in a dialect. The entry of the visitor has it:
// that of the anonymous id if there is one, otherwise that of the user.
type currentSession struct {
	of *idEntry
	at int // index in of.sessions; len(of.sessions) = the visitor has had no session
	sessionRef
}

// strays reports whether an event of that time is too much older than the session to be
// in it.
func (v *currentSession) strays(time int64, r *event.Rule) bool {
	return v.ord != 0 && r.Strays(v.last-time)
}

// current returns the visitor's session in the event's dialect. Its ordinal is 0 when the
// visitor has had none. keeps is false when such events get no session.
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

// advance makes the assigned session the visitor's current one, with an event of that
// time. It copies the id of a new session.
func (t *IDs) advance(v *currentSession, p *Assignment, time int64, r *event.Rule) {
	if p.Session == 0 {
		return // the log of a replay disagrees, which check finds
	}
	if v.ord == p.Session {
		v.first, v.last = min(v.first, time), max(v.last, time)
	} else {
		v.sessionRef = sessionRef{v.dialect, strings.Clone(p.SessionID), p.Session, time, time}
	}
	if r.JoinWithin == 0 {
		v.first = v.last
	}
	if v.at == len(v.of.sessions) {
		v.of.sessions = append(v.of.sessions, v.sessionRef)
	} else {
		v.of.sessions[v.at] = v.sessionRef
	}
	t.change(v.of)
}
