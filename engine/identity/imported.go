// This file takes in events whose session another store has decided. They say what that store
// calls the session (event.SessionOf), and events that say the same are in one session, whoever
// they are from.
//
// The table of ids has an entry for each such name within a dialect: the session's ordinal and
// its id. The row of the session's first event has the name, so a replay makes the same entry.
// The rows after it have the ordinal alone. So the entries are as many as the sessions, and leave
// memory like all others; an import that is broken off finds them again.
//
// An imported session goes on like any other: a hit continues its visit, and an event without a
// session id that comes in time joins it. Only a native or Segment client that names such a
// session begins another one, because the export does not say which names clients sent.

package identity

import (
	"strings"

	"cairn/engine/event"
)

// assignImported is Assign for an imported event.
func (t *IDs) assignImported(site uint32, seq uint64, e *event.Event, newSession func(event.Dialect) string) (p Assignment, err error) {
	r := t.rules[site].At(e.Dialect, seq)
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil || e.SessionOf == "" {
		return p, err
	}
	k, err := t.get(site, kindImported, DialectNumber(e.Dialect), e.SessionOf)
	if err != nil {
		return p, err
	}
	if k == nil {
		name := e.Session
		if name == "" {
			name = newSession(e.Dialect)
		}
		k = t.addImported(e.Dialect, name, seq)
	}
	p.Session, p.SessionID = k.ord, k.sessions[0].id
	err = t.followImported(site, seq, e, r, user, anon, &p)
	return p, err
}

// replayImported is Replay for an imported event. A row that has the name of its session begins
// it. If it does not, p differs from the row, which check finds.
func (t *IDs) replayImported(site uint32, seq uint64, e *event.Event) (p Assignment, err error) {
	r := t.rules[site].At(e.Dialect, seq)
	user, anon, err := t.register(site, seq, e, r, &p)
	if err != nil {
		return p, err
	}
	p.SessionID = e.Session
	switch {
	case e.SessionOf != "":
		k, err := t.get(site, kindImported, DialectNumber(e.Dialect), e.SessionOf)
		if err != nil {
			return p, err
		}
		if k == nil {
			k = t.addImported(e.Dialect, e.Session, seq)
		}
		p.Session = k.ord
	case e.SessionOrd == 0 || e.SessionOrd >= seq:
		return p, nil
	default:
		p.Session = e.SessionOrd
	}
	err = t.followImported(site, seq, e, r, user, anon, &p)
	return p, err
}

// addImported adds the entry that get was just asked for: the session begins at seq. The entry
// has a copy of the session's id.
func (t *IDs) addImported(d event.Dialect, id string, seq uint64) *idEntry {
	k := t.add(seq)
	k.sessions = []sessionRef{{dialect: DialectNumber(d), id: strings.Clone(id), ord: seq}}
	t.change(k)
	return k
}

// followImported takes an imported event into its session, so that the session goes on.
func (t *IDs) followImported(site uint32, seq uint64, e *event.Event, r *event.Rule, user, anon *idEntry, p *Assignment) error {
	if r.Visits {
		return t.updateVisit(site, seq, e, r, anon, p)
	}
	// The session that the visitor was in last is the one that the next event may join.
	if l, keeps := t.current(e, r, user, anon); keeps && (l.ord == p.Session || l.ord == 0 || e.Time >= l.last) {
		t.advance(&l, p, e.Time, r)
	}
	if p.Session != seq || !r.ReturnsIDs {
		return nil
	}
	// The client may send the id.
	_, err := t.getOrAdd(site, kindSession, DialectNumber(e.Dialect), p.SessionID, seq)
	return err
}
