// Probe: an event of a store whose ids are damaged is refused before any of it is taken in.

package identity

import (
	"math"

	"cairn/engine/event"
)

// Damaged says that some of the stored ids cannot be read, so that Probe reads what Assign
// would. It is called before the table has an entry.
func (t *IDs) Damaged() { t.damaged = true }

// probedMost is the greatest number of events of a request that is probed without known damage.
// A request costs so much more than its probe that the probe does not show. In a large batch it
// would be a tenth of what an event costs.
const probedMost = 8

// Probes reports whether a request of so many events is probed.
func (t *IDs) Probes(events int) bool { return t.damaged || events <= probedMost }

// Probe fails when an entry that Assign would need for the event cannot be read. It changes
// nothing. A request is probed before any of its events is assigned, because an error of Assign
// leaves it half taken.
func (t *IDs) Probe(site uint32, e *event.Event, q *Question) error {
	r := t.rules[site].At(e.Dialect, math.MaxUint64)
	for _, id := range t.probed(e, q, r) {
		if id.id == "" {
			continue
		}
		k, err := t.get(site, id.kind, id.dialect, id.id)
		if err != nil {
			return err
		}
		if k == nil || id.kind != kindVisitor && id.kind != kindFingerprint && (id.kind != kindImported || !r.Visits) {
			continue
		}
		for _, l := range k.sessions {
			v, err := t.visit(site, l.ord)
			if err != nil {
				return err
			}
			if v != nil && v.visit.bare != "" { // see unite
				if _, err := t.get(site, KindAnonymous, 0, v.visit.bare); err != nil {
					return err
				}
			}
		}
	}
	if e.Anonymous != "" && r.NamedIdle > 0 { // a later event of the request may join its session
		if err := t.probeTie(site, e, e.Anonymous); err != nil {
			return err
		}
	}
	if e.Session == "" && r.JoinWithin > 0 {
		return t.probeJoin(site, e)
	}
	if e.Session == "" || r.NamedIdle == 0 {
		return nil
	}
	for _, of := range [...]struct {
		kind byte
		id   string
	}{{KindAnonymous, e.Anonymous}, {KindUser, e.User}} {
		if of.id == "" {
			continue
		}
		if err := t.probeName(site, e, of.kind, of.id, e.Session); err != nil {
			return err
		}
	}
	return nil
}

// probedID is an id whose entry is probed; "" = none.
type probedID struct {
	kind, dialect byte
	id            string
}

// probed returns the ids of an event whose entries Assign may need by the rule of its dialect. They are
// valid until the next call.
func (t *IDs) probed(e *event.Event, q *Question, r *event.Rule) []probedID {
	dialect := DialectNumber(e.Dialect)
	visits := q.Hit != nil || r.Visits || e.Imported
	t.probes = append(t.probes[:0],
		probedID{KindUser, 0, e.User}, probedID{KindUser, 0, e.Previous},
		probedID{KindAnonymous, 0, e.Anonymous}, probedID{KindAnonymous, 0, e.Previous},
		probedID{kindImported, dialect, e.SessionOf})
	if visits || r.ReturnsIDs {
		t.probes = append(t.probes, probedID{KindAnonymous, 0, e.User})
	}
	if visits || r.NamedIdle == 0 {
		t.probes = append(t.probes, probedID{kindSession, dialect, e.Session})
	}
	if visits {
		t.probes = append(t.probes, probedID{kindOrder, 0, e.Name}, probedID{kindVisitor, 0, visitorOf(e)},
			probedID{kindFingerprint, 0, fingerprintOf(e)}, probedID{kindFingerprint, 0, q.Before})
	}
	return t.probes
}

// probeName probes the entry of a session's name within an id, and its sessions.
func (t *IDs) probeName(site uint32, e *event.Event, kind byte, id, name string) error {
	t.key = appendNameKey(t.key[:0], site, DialectNumber(e.Dialect), kind, id, name)
	k, err := t.find()
	if k == nil || err != nil {
		return err
	}
	for _, l := range k.sessions {
		if _, err := t.getNamed(site, l.ord); err != nil {
			return err
		}
	}
	return nil
}

// probeJoin probes what an event without a session id may join, see join.
func (t *IDs) probeJoin(site uint32, e *event.Event) error {
	if e.User == "" {
		return nil
	}
	dialect := DialectNumber(e.Dialect)
	user, err := t.get(site, KindUser, 0, e.User)
	if user == nil || err != nil {
		return err
	}
	with := user.seenWith(dialect)
	if with == "" {
		return nil
	}
	return t.probeTie(site, e, with)
}

// probeTie probes the named session that an anonymous id was in last, and its name within the
// user of the event.
func (t *IDs) probeTie(site uint32, e *event.Event, anonymous string) error {
	dialect := DialectNumber(e.Dialect)
	anon, err := t.get(site, KindAnonymous, 0, anonymous)
	if anon == nil || err != nil {
		return err
	}
	ord := anon.named(dialect)
	if ord == 0 {
		return nil
	}
	session, err := t.getNamed(site, ord)
	if session == nil || err != nil {
		return err
	}
	if e.User == "" {
		return nil
	}
	return t.probeName(site, e, KindUser, e.User, session.session.name)
}
