// This file decides who an event is from and which session it is in.

package identity

import (
	"slices"
	"strings"

	"cairn/engine/event"
)

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
