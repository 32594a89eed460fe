package identity

import (
	"fmt"
	"testing"

	"cairn/engine/event"
	"cairn/engine/event/eventtest"
)

// The package copies what it keeps of an event. It does not change when the buffer of the
// request is overwritten.
func TestTextsAreCopied(t *testing.T) {
	t.Run("session owners", func(t *testing.T) {
		o := NewSessionOwners(2 * (ownerOverhead + len("session-0ada")))
		for i, user := range []string{"ada", "", "bob"} {
			r := eventtest.NewRequest()
			ev := &event.Event{User: r.Text(user + "x")[:len(user)], Anonymous: r.Text("visitor")}
			o.Put(1, 0, r.Text(fmt.Sprint("session-", i)), ev)
			r.Over()
		}
		for i, want := range []Owner{{"ada", ""}, {"", "visitor"}, {"bob", ""}} {
			r := eventtest.NewRequest()
			who, ok := o.Get(1, 0, r.Text(fmt.Sprint("session-", i))) // may move the entry to the younger half
			r.Over()
			again, _ := o.Get(1, 0, fmt.Sprint("session-", i))
			if !ok || who != want || again != want {
				t.Errorf("session-%d: %v %v, then %v; want %v", i, who, ok, again, want)
			}
		}
	})
	t.Run("latest events", func(t *testing.T) {
		s := NewLatestEvents(2 * (latestOverhead + len("ada-0")))
		for i := range 3 {
			r := eventtest.NewRequest()
			s.Put(LatestKey{1, 3, InSession, r.Text(fmt.Sprint("ada-", i))}, Latest{uint64(i + 1), int64(i)}, true)
			r.Over()
		}
		for i := range 3 {
			r := eventtest.NewRequest()
			s.Get(LatestKey{1, 3, InSession, r.Text(fmt.Sprint("ada-", i))})
			r.Over()
			if l, ok := s.Get(LatestKey{1, 3, InSession, fmt.Sprint("ada-", i)}); !ok || l.Seq != uint64(i+1) {
				t.Errorf("ada-%d: %v %v", i, l, ok)
			}
		}
	})
	t.Run("visits", func(t *testing.T) {
		ids := NewIDs(nil, 1<<20)
		r := eventtest.NewRequest()
		hit := &Question{Hit: new(event.Hit), Day: [2]int64{0, 1 << 40}}
		e := &event.Event{
			Dialect: event.Matomo, Type: event.Page, Time: 1000, User: r.Text("ada"), Anonymous: r.Text("0123456789abcdef"),
			Context: event.Object{{Key: "utm_campaign", Value: event.Str(r.Text("spring"))}, {Key: "utm_term", Value: event.Str(r.Text("tea"))}},
			Extra:   event.Object{{Key: event.Fingerprint, Value: event.Str(r.Text("fedcba9876543210"))}},
		}
		p, err := ids.Assign(1, 1, e, hit, func(event.Dialect) string { return r.Text("visit-one") })
		if err != nil {
			t.Fatal(err)
		}
		r.Over()
		k, err := ids.visit(1, p.Session)
		if err != nil || k == nil {
			t.Fatal(k, err)
		}
		want := Visit{id: "visit-one", user: "ada", visitor: visitorOf(&event.Event{User: "ada"}), Arrival: Arrival{"spring", "tea", true}}
		if v := k.visit; v.id != want.id || v.user != want.user || v.visitor != want.visitor || v.Arrival != want.Arrival {
			t.Errorf("%+v, want %+v", *v, want)
		}
		r = eventtest.NewRequest()
		e = &event.Event{Dialect: event.Matomo, Type: event.Page, Time: 2000, Anonymous: r.Text("aaaaaaaaaaaaaaaa"), Extra: event.Object{{Key: event.Fingerprint, Value: event.Str(r.Text("fedcba9876543210"))}}}
		if again, err := ids.Assign(1, 2, e, hit, nil); err != nil || again.Session != p.Session {
			t.Fatal(again, err)
		}
		r.Over()
		if k.visit.visitor != "aaaaaaaaaaaaaaaa" {
			t.Errorf("the visitor is now %q", k.visit.visitor)
		}
	})
	t.Run("sessions", func(t *testing.T) {
		ids := NewIDs(nil, 1<<20)
		r := eventtest.NewRequest()
		e := &event.Event{Dialect: event.Opentracker, Type: event.Track, Time: 1000, User: r.Text("ada"), Session: r.Text("own"), SessionSent: true}
		if _, err := ids.Assign(1, 1, e, new(Question), nil); err != nil {
			t.Fatal(err)
		}
		r.Over()
		e = &event.Event{Dialect: event.Opentracker, Type: event.Track, Time: 2000, User: "ada"}
		if p, err := ids.Assign(1, 2, e, new(Question), func(event.Dialect) string { return "another" }); err != nil || p.Session != 1 || p.SessionID != "own" {
			t.Errorf("session %d %q, %v", p.Session, p.SessionID, err)
		}
	})
}
