// Anchors: a person or a session whose first event is deleted is answered about after the purge as
// before it.

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// anchored is a store of one site, of which single events are deleted.
type anchored struct {
	*testing.T
	*engine.Engine
	fs    vfs.FS
	site  *engine.Site
	clock *clock
	names []string // of the events sent, by seq from 1
}

func newAnchored(t *testing.T) *anchored {
	a := &anchored{T: t, fs: vfs.NewMem(), site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}}, clock: newClock(epoch)}
	a.open()
	return a
}

func (a *anchored) open() {
	a.Helper()
	e, err := engine.Open(engine.Options{Dir: "data", FS: a.fs, Reserve: -1, Sites: engine.SitesOf(a.site), Now: a.clock.now, Purge: 1000 * time.Hour})
	if err != nil {
		a.Fatal(err)
	}
	a.Engine = e
}

// send stores events, each a minute after the one before. Their names are their seqs.
func (a *anchored) send(records ...event.Record) {
	a.Helper()
	for i := range records {
		a.clock.set(a.clock.now().Add(time.Minute))
		r := records[i]
		if r.Hit == nil || !r.Hit.Ping {
			a.names = append(a.names, fmt.Sprint("event ", len(a.names)+1))
			r.Event.Name = a.names[len(a.names)-1]
		}
		if r.Event.Type == "" {
			r.Event.Type = event.Page
		}
		out, err := a.Ingest(a.Context(), []engine.Record{{Site: a.site, Record: &r}}, true, nil)
		if err != nil || out[0].Status != event.Stored && !r.Hit.Ping {
			a.Fatalf("%+v: %+v, %v", r.Event, out, err)
		}
	}
}

// delete hides events by their seqs.
func (a *anchored) delete(seqs ...int) {
	a.Helper()
	var names []string
	for _, seq := range seqs {
		names = append(names, a.names[seq-1])
	}
	r, err := a.Delete(a.Context(), &a.site.Site, query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: names}}})
	if err != nil || int(r.Rows) != len(seqs) {
		a.Fatalf("delete %d: %+v, %v", seqs, r, err)
	}
}

// purge carries all deletions out, and checks that the answers are as before, also after a start.
func (a *anchored) purge() {
	a.Helper()
	before := a.answers()
	a.clock.set(a.clock.now().Add(2000 * time.Hour))
	all, err := a.Deletions(a.Context(), &a.site.Site)
	if err != nil {
		a.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.Context(), time.Minute)
	defer cancel()
	for _, r := range all {
		if r, err := a.WaitPurged(ctx, &a.site.Site, r.ID); err != nil {
			a.Fatalf("%+v: %v", r, err)
		}
	}
	for _, when := range []string{"after the purge", "after a start"} {
		if after := a.answers(); !slices.Equal(before, after) {
			a.Errorf("%s:\n%q\nbefore:\n%q", when, after, before)
		}
		if err := a.Close(); err != nil {
			a.Fatal(err)
		}
		if report, err := check.Store(a.Context(), a.fs, "data"); err != nil || len(report.Problems) > 0 {
			a.Errorf("%s: check: %q, %v", when, report.Problems, err)
		}
		a.open()
	}
}

// answers is all that the store says about its persons and sessions.
func (a *anchored) answers() (lines []string) {
	a.Helper()
	add := func(line string, err error) {
		if err != nil && !errors.Is(err, query.ErrNotFound) {
			a.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %v", line, err))
	}
	ctx, site := a.Context(), &a.site.Site
	users, _, err := a.Users(ctx, query.Query{Site: site, Limit: 100})
	add("users", err)
	for _, u := range users {
		add(fmt.Sprintf("%+v", u), nil)
		same, err := a.User(ctx, site, u.ID)
		add(fmt.Sprintf("%+v", same), err)
		n, err := a.Count(ctx, query.Query{Site: site, Where: []query.Cond{{Field: "user", Values: []string{u.ID}}}})
		add(fmt.Sprintf("%+v", n), err)
	}
	some, _, err := a.Users(ctx, query.Query{Site: site, Limit: 100, From: 1})
	add(fmt.Sprintf("%+v", some), err)
	sessions, _, err := a.Sessions(ctx, query.Query{Site: site, Limit: 100})
	add("sessions", err)
	for _, s := range sessions {
		add(fmt.Sprintf("%+v", s), nil)
		for _, id := range []string{s.Cursor, s.ID} {
			same, err := a.Session(ctx, site, id)
			add(fmt.Sprintf("%s: %+v", id, same), err)
			found, err := a.List(ctx, query.Query{Site: site, Limit: 100, Where: []query.Cond{{Field: "session", Values: []string{id}}}})
			add(fmt.Sprint(id, ": ", seqs(found.Events)), err)
		}
	}
	return lines
}

// native is an event of a visitor.
func native(anonymous, user, session string) event.Record {
	return event.Record{Event: event.Event{Dialect: event.Native, Anonymous: anonymous, User: user, Session: session}}
}

// A person stays in lists when the id is deleted that was first, and another id is left.
func TestPurgedRootOfAPerson(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	described := func(r event.Record) event.Record { // in no session, which would name the person as well
		r.Event.Type = event.Identify
		return r
	}
	a.send(described(native("a", "", "")), described(native("a", "u", "")), native("", "u", ""), native("b", "", ""))
	a.delete(1, 2) // all of a
	a.purge()
	users, _, err := a.Users(a.Context(), query.Query{Site: &a.site.Site, Limit: 10})
	if err != nil || len(users) != 2 || users[1].ID != "u" || users[1].Events != 1 || len(users[1].Anonymous) > 0 {
		t.Errorf("users: %+v, %v", users, err)
	}
	// The run is written again, and the name is still needed.
	a.send(native("", "u", ""))
	a.delete(4)
	a.purge()
	// When the other id goes, too, nothing is left.
	a.delete(3, 5)
	a.purge()
	if users, _, err := a.Users(a.Context(), query.Query{Site: &a.site.Site, Limit: 10}); err != nil || len(users) > 0 {
		t.Errorf("users: %+v, %v", users, err)
	}
	a.send(native("a", "u", ""))
	if users, _, err := a.Users(a.Context(), query.Query{Site: &a.site.Site, Limit: 10}); err != nil || len(users) != 1 || users[0].Events != 1 {
		t.Errorf("users: %+v, %v", users, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// A session whose first event is deleted keeps its name and its key; where it came from, its
// begin and its entry are those of what is left.
func TestPurgedFirstEventOfASession(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	from := func(r event.Record, campaign string) event.Record {
		r.Event.Context.Set("utm_campaign", event.Str(campaign))
		r.Event.Context.Set("referrer", event.Str("https://"+campaign+".example/"))
		r.Event.Context.Set("referrer_host", event.Str(campaign+".example"))
		return r
	}
	hit := func(ping bool) event.Record {
		return event.Record{Event: event.Event{Dialect: event.Matomo, Anonymous: "aaaaaaaaaaaaaaaa"}, Source: event.Source{UserAgent: "a browser"}, Hit: &event.Hit{Ping: ping}}
	}
	a.send(
		from(native("a", "", "named"), "first"), from(native("a", "", "named"), "second"), native("a", "", "named"), // 1 2 3
		from(native("b", "", ""), "third"), from(native("b", "", ""), "fourth"), // 4 5
		from(hit(false), "fifth"), hit(false), hit(true), // 6 7
		event.Record{Event: event.Event{Dialect: event.OpenPanel, Type: event.Track, Anonymous: "c"}}, event.Record{Event: event.Event{Dialect: event.OpenPanel, Type: event.Track, Anonymous: "c"}}, // 8 9
		native("d", "", "other"), native("d", "", "other"), // 10 11
	)
	a.delete(1, 4, 6, 8, 10, 11)
	a.purge()
	sessions, _, err := a.Sessions(a.Context(), query.Query{Site: &a.site.Site, Limit: 10})
	if err != nil || len(sessions) != 4 {
		t.Fatalf("sessions: %+v, %v", sessions, err)
	}
	visit := sessions[1]
	if visit.Dialect != event.Matomo || visit.Events != 1 || visit.Beyond != 61_000 {
		t.Errorf("the visit with a heartbeat: %+v", visit)
	}
	for i, campaign := range map[int]string{2: "fourth", 3: "second"} {
		if s := sessions[i]; s.Campaign != campaign || s.Referrer != "https://"+campaign+".example/" || s.ReferrerType != "campaign" {
			t.Errorf("session %d: %+v", i, s)
		}
	}
	// What is left goes on: named sessions by their name, others by time.
	at := a.clock.now()
	a.clock.set(epoch.Add(20 * time.Minute))
	a.send(native("a", "", "named"), native("b", "", ""), hit(true), hit(false), native("d", "", "other"))
	a.clock.set(at)
	more, _, err := a.Sessions(a.Context(), query.Query{Site: &a.site.Site, Limit: 10})
	if err != nil || len(more) != 5 || more[4].Cursor != sessions[3].Cursor || more[4].Events != 3 || more[3].Events != 2 || more[2].Events != 2 {
		t.Errorf("later: %+v, %v", more, err)
	}
	a.delete(2, 3, 7, 12)
	a.purge()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// An imported session keeps the name that it has in the other store as long as it has an event.
func TestPurgedFirstEventOfAnImportedSession(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	of := func(session byte, minute int) {
		t.Helper()
		a.names = append(a.names, fmt.Sprint("event ", len(a.names)+1))
		at := epoch.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339)
		line := fmt.Sprintf(`{"type":"page","name":%q,"dialect":"matomo","anonymous":"v%c","session":"s%c","session_of":"%032x","time":%q,"received":%q}`,
			a.names[len(a.names)-1], session, session, session, at, at)
		if out, err := a.Ingest(t.Context(), parseImports(t, a.clock.now(), a.site, [][]byte{[]byte(line)}), true, nil); err != nil || out[0].Status != event.Stored {
			t.Fatalf("%s: %+v, %v", line, out, err)
		}
	}
	count := func(want ...uint64) {
		t.Helper()
		sessions, _, err := a.Sessions(t.Context(), query.Query{Site: &a.site.Site, Limit: 10})
		var events []uint64
		for _, s := range sessions {
			events = append(events, s.Events)
		}
		if err != nil || !slices.Equal(events, want) {
			t.Errorf("sessions with %d events, %v; want %d", events, err, want)
		}
	}
	a.clock.set(epoch.Add(time.Hour))
	of('a', 1)
	of('a', 2)
	of('b', 3)
	of('b', 4)
	a.delete(1, 3, 4)
	a.purge()
	count(1)
	of('a', 5) // the import goes on
	count(2)
	of('b', 6) // nothing is left of the session, so it begins anew
	count(1, 2)
	a.delete(2, 5)
	a.purge()
	count(1)
	of('a', 7)
	count(1, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(t.Context(), a.fs, "data"); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %q, %v", report.Problems, err)
	}
}
