package engine

import (
	"fmt"
	"testing"

	"cairn/engine/event"
)

// What is remembered of an event survives its request.
func TestRemembersCopies(t *testing.T) {
	t.Run("owners", func(t *testing.T) {
		o := newOwners(2 * (ownerOverhead + len("session-0ada")))
		for i, user := range []string{"ada", "", "bob"} {
			r := newRequest()
			ev := &event.Event{User: r.text(user + "x")[:len(user)], Anonymous: r.text("visitor")}
			o.put(1, r.text(fmt.Sprint("session-", i)), ev)
			r.over()
		}
		for i, want := range []owner{{"ada", ""}, {"", "visitor"}, {"bob", ""}} {
			r := newRequest()
			who, ok := o.get(1, r.text(fmt.Sprint("session-", i))) // may move it to the younger half
			r.over()
			again, _ := o.get(1, fmt.Sprint("session-", i))
			if !ok || who != want || again != want {
				t.Errorf("session-%d: %v %v, then %v; want %v", i, who, ok, again, want)
			}
		}
	})
	t.Run("sightings", func(t *testing.T) {
		s := newSightings(2 * (sightingOverhead + len("ada-0")))
		for i := range 3 {
			r := newRequest()
			s.put(sightingKey{1, 3, inSession, r.text(fmt.Sprint("ada-", i))}, sighting{uint64(i + 1), int64(i)}, true)
			r.over()
		}
		for i := range 3 {
			r := newRequest()
			s.get(sightingKey{1, 3, inSession, r.text(fmt.Sprint("ada-", i))})
			r.over()
			if l, ok := s.get(sightingKey{1, 3, inSession, fmt.Sprint("ada-", i)}); !ok || l.seq != uint64(i+1) {
				t.Errorf("ada-%d: %v %v", i, l, ok)
			}
		}
	})
	t.Run("visits", func(t *testing.T) {
		ids := newIDs(nil, 1<<20)
		r := newRequest()
		e := &event.Event{
			Dialect: event.Matomo, Type: event.Page, Time: 1000, User: r.text("ada"), Anonymous: r.text("0123456789abcdef"), Hit: &event.Hit{Day: [2]int64{0, 1 << 40}},
			Context: event.Object{{Key: "utm_campaign", Value: event.Str(r.text("spring"))}, {Key: "utm_term", Value: event.Str(r.text("tea"))}},
			Extra:   event.Object{{Key: event.Fingerprint, Value: event.Str(r.text("fedcba9876543210"))}},
		}
		p, err := ids.decide(1, 1, e, func(event.Dialect) string { return r.text("visit-one") })
		if err != nil {
			t.Fatal(err)
		}
		r.over()
		k, err := ids.visit(1, p.session)
		if err != nil || k == nil {
			t.Fatal(k, err)
		}
		want := hitVisit{id: "visit-one", user: "ada", visitor: visitorOf(&event.Event{User: "ada"}), arrival: arrival{"spring", "tea", true}}
		if v := k.visit; v.id != want.id || v.user != want.user || v.visitor != want.visitor || v.arrival != want.arrival {
			t.Errorf("%+v, want %+v", *v, want)
		}
		r = newRequest()
		e = &event.Event{Dialect: event.Matomo, Type: event.Page, Time: 2000, Anonymous: r.text("aaaaaaaaaaaaaaaa"), Extra: event.Object{{Key: event.Fingerprint, Value: event.Str(r.text("fedcba9876543210"))}}, Hit: &event.Hit{Day: [2]int64{0, 1 << 40}}}
		if again, err := ids.decide(1, 2, e, nil); err != nil || again.session != p.session {
			t.Fatal(again, err)
		}
		r.over()
		if k.visit.visitor != "aaaaaaaaaaaaaaaa" {
			t.Errorf("the visitor is now %q", k.visit.visitor)
		}
	})
	t.Run("sessions", func(t *testing.T) {
		ids := newIDs(nil, 1<<20)
		r := newRequest()
		e := &event.Event{Dialect: event.Opentracker, Type: event.Track, Time: 1000, User: r.text("ada"), Session: r.text("own"), SessionSent: true}
		if _, err := ids.decide(1, 1, e, nil); err != nil {
			t.Fatal(err)
		}
		r.over()
		e = &event.Event{Dialect: event.Opentracker, Type: event.Track, Time: 2000, User: "ada"}
		if p, err := ids.decide(1, 2, e, func(event.Dialect) string { return "another" }); err != nil || p.session != 1 || p.sessionID != "own" {
			t.Errorf("session %d %q, %v", p.session, p.sessionID, err)
		}
	})
}
