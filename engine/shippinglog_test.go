// What the log in a bucket promises, one story each: moments, deletions, faults of the bucket, holes.

package engine_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// line is a store with one site whose log is shipped.
type line struct {
	*shipped
	site *engine.Site
	at   time.Time // what its clock says
	opts engine.Options
	sent int
}

func newLine(t testing.TB, change func(*engine.Options)) *line {
	l := &line{site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l.opts = engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(l.site), Reserve: -1, Now: func() time.Time { return l.at }}
	if change != nil {
		change(&l.opts)
	}
	l.shipped = newShipped(t, l.opts.FS, l.opts.Now)
	l.open()
	return l
}

func (l *line) open() {
	l.Helper()
	e, err := engine.Open(l.opts)
	if err != nil {
		l.Fatal(err)
	}
	l.opened(e)
	l.Cleanup(func() { _ = e.Close() }) // it may be closed
}

func (l *line) reopen() {
	l.Helper()
	if err := l.engine.Close(); err != nil {
		l.Fatal(err)
	}
	l.open()
}

// send ingests one request with an event for each user.
func (l *line) send(users ...string) {
	l.Helper()
	var records []event.Record
	for _, u := range users {
		l.sent++
		records = append(records, event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("e%d", l.sent), User: u, Time: l.at.UnixMilli()}})
	}
	l.sendRecords(records...)
}

func (l *line) sendRecords(records ...event.Record) {
	l.Helper()
	var all []engine.Record
	for i := range records {
		all = append(all, engine.Record{Site: l.site, Record: &records[i]})
	}
	if _, err := l.engine.Ingest(context.Background(), all, true, nil); err != nil {
		l.Fatal(err)
	}
}

// wait lets time pass.
func (l *line) wait(d time.Duration) { l.at = l.at.Add(d) }

// names returns the names of the events of a data directory, and leaves it.
func (l *line) names(dir string) string {
	l.Helper()
	sound(l, l.fs, dir)
	o := l.opts
	o.Dir = dir
	e, err := engine.Open(o)
	if err != nil {
		l.Fatal(err)
	}
	defer e.Close()
	events, err := walk(e, query.Query{Site: &l.site.Site, Ascending: true, Limit: 1000})
	if err != nil {
		l.Fatal(err)
	}
	var names []string
	for _, ev := range events {
		names = append(names, ev.Name)
	}
	return strings.Join(names, " ")
}

var restores int

// restored restores a moment and returns the names of its events.
func (l *line) restored(m *backup.Manifest, until time.Time) (names string, done backup.Replayed) {
	l.Helper()
	restores++
	dir := fmt.Sprintf("restored-line-%d", restores)
	done, _ = l.restore(l.fs, m, dir, until)
	return l.names(dir), done
}

// A moment has the events that were received up to it. A request is never cut in two.
func TestRestoreOfAMoment(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	m := l.snapshots[0]
	start := l.at
	for i := range 12 { // a request each two seconds, shipped each six
		l.wait(2 * time.Second)
		l.send("a", "b")
		if i%3 == 2 {
			l.wait(time.Millisecond)
			l.ship()
		}
	}
	for second := range 26 {
		until := start.Add(time.Duration(second)*time.Second + 500*time.Millisecond)
		names, done := l.restored(m, until)
		want := min(second/2, 12) * 2
		if got := len(strings.Fields(names)); got != want {
			t.Errorf("after %d s: %d events, want %d", second, got, want)
		}
		if end := start.Add(24*time.Second + 4*time.Millisecond); until.Before(end) != done.Until.Equal(until) || until.Before(end) != (done.Why == "") {
			t.Errorf("after %d s: restored up to %s: %s", second, done.Until, done.Why)
		}
	}
	spans, err := backup.Spans(t.Context(), l.vault, l.snapshots)
	if err != nil || len(spans) != 1 || !spans[0].From.Equal(start) || !spans[0].To.Equal(start.Add(24*time.Second+4*time.Millisecond)) {
		t.Errorf("%+v, %v", spans, err)
	}
}

// Events that get their seqs in another order than they were received in do not get lost at the edge
// of a moment, and events of an import are where they stand.
func TestMomentWithLateAndImportedEvents(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	m, start := l.snapshots[0], l.at
	at := func(s int, name string, imported bool) {
		l.at = start.Add(time.Duration(s) * time.Second)
		r := event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: name, User: "u", Time: l.at.UnixMilli()}}
		if imported {
			r.Event.Received, r.Event.Imported, r.Import = start.Add(-time.Hour).UnixMilli(), true, new(event.Import)
		}
		l.sendRecords(r)
	}
	at(2, "a", false)
	at(4, "late", false)
	at(3, "b", false) // received before "late"
	at(5, "c", false)
	at(6, "old", true)
	at(7, "d", false)
	l.wait(time.Second)
	l.ship()
	for s, want := range map[int]string{1: "", 2: "a", 3: "a late b", 4: "a late b", 5: "a late b c old", 6: "a late b c old", 7: "a late b c old d"} {
		if got, _ := l.restored(m, start.Add(time.Duration(s)*time.Second)); got != want {
			t.Errorf("after %d s: %q, want %q", s, got, want)
		}
	}
}

// A clock that is set back by an hour loses nothing without a word.
func TestMomentOfAClockThatWasSetBack(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	m, start := l.snapshots[0], l.at
	l.wait(time.Minute)
	l.send("a")
	l.ship()
	l.wait(time.Hour) // set forward
	l.send("b")
	l.ship()
	l.wait(-time.Hour + time.Minute) // and back
	l.send("c")
	l.ship()
	if names, done := l.restored(m, time.Time{}); names != "e1 e2 e3" || done.Why != "" {
		t.Errorf("all: %q, %s", names, done.Why)
	}
	names, done := l.restored(m, start.Add(5*time.Minute))
	if names != "e1" || !strings.Contains(done.Why, "clock of the store was set back") {
		t.Errorf("%q up to %s: %s", names, done.Until, done.Why)
	}
}

// What was deleted does not come back with an older moment, and not with the log either, whether the
// deletion was purged before it was shipped or not.
func TestDeletedStaysDeletedInOlderMoments(t *testing.T) {
	for _, now := range []bool{false, true} {
		t.Run(fmt.Sprintf("now=%t", now), func(t *testing.T) {
			l := newLine(t, nil)
			l.send("a", "b", "c")
			l.ship()
			m := l.snapshots[0]
			l.wait(10 * time.Second)
			l.send("b", "d")
			l.ship()
			moment := l.at
			l.wait(10 * time.Second)
			d := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"b"}}}, By: "secret_key", Now: now}
			r, err := l.engine.Delete(t.Context(), &l.site.Site, d)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-l.shipper.Due():
			default:
				t.Error("the deletion is not copied at once")
			}
			if now {
				if _, err := l.engine.WaitPurged(t.Context(), &l.site.Site, r.ID); err != nil {
					t.Fatal(err)
				}
				l.reopen() // it was not shipped yet
			}
			l.ship()
			if n := l.bucket.names(backup.DeletionPrefix); len(n) != 1 {
				t.Fatalf("copies: %v", n)
			}
			l.wait(10 * time.Second)
			l.send("e")
			l.ship()
			if names, done := l.restored(m, moment); names != "e1 e3 e5" {
				t.Errorf("the moment before: %q %s", names, done.Why)
			}
			if names, done := l.restored(m, time.Time{}); names != "e1 e3 e5 e6" || done.Why != "" {
				t.Errorf("all: %q %s", names, done.Why)
			}
		})
	}
}

// Rows that leave the log of the store before they are shipped are a gap: Ship says so, the troubles
// An answer that is lost, a bucket that fails for a while, and a process that ends at any call of the
// What is new is sent, and nothing when nothing is new.
func TestNothingNewIsNotSent(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	count := func() int { return len(l.bucket.objects) }
	before := count()
	for range 5 {
		l.wait(10 * time.Second)
		l.ship()
	}
	if n := count(); n != before {
		t.Errorf("%d objects more", n-before)
	}
	if !l.shipper.Shipped().Equal(l.at) {
		t.Errorf("shipped up to %s, it is %s", l.shipper.Shipped(), l.at)
	}
	filter, err := l.engine.Save(t.Context(), &l.site.Site, query.Saved{Kind: query.SavedFilter, Name: "f", Query: "country=DE"})
	if err != nil {
		t.Fatal(err)
	}
	l.ship()
	if n := count(); n != before+1 {
		t.Errorf("a saved filter: %d objects more", n-before)
	}
	if err := store.WriteFile(l.fs, "data/keys.toml", []byte("key")); err != nil {
		t.Fatal(err)
	}
	l.ship()
	dir := "restored-saved"
	done, _ := l.restore(l.fs, l.snapshots[0], dir, time.Time{})
	if string(done.Files["keys.toml"]) != "key" {
		t.Errorf("files: %q", done.Files)
	}
	saved := func() []query.Saved {
		o := l.opts
		o.Dir = dir
		e, err := engine.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		all, err := e.AllSaved(t.Context(), &l.site.Site)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := saved(); len(all) != 1 || all[0].ID != filter.ID {
		t.Errorf("saved: %+v", all)
	}
	if err := l.engine.Unsave(t.Context(), &l.site.Site, filter.ID); err != nil {
		t.Fatal(err)
	}
	l.ship()
	dir = "restored-unsaved"
	l.restore(l.fs, l.snapshots[0], dir, time.Time{})
	if all := saved(); len(all) != 0 {
		t.Errorf("removed, but restored: %+v", all)
	}
}

// Heartbeats of a visit that come after the snapshot are there, and so are links of persons.
func TestHeartbeatsAndLinksFromTheLog(t *testing.T) {
	l := newLine(t, nil)
	visit := func(anonymous, user string, ping bool) {
		r := event.Record{Event: event.Event{Dialect: event.Matomo, Anonymous: anonymous, User: user, Time: l.at.UnixMilli()}, Source: event.Source{UserAgent: "a browser"}, Hit: &event.Hit{Ping: ping}}
		if !ping {
			r.Event.Type, r.Event.Name = event.Page, "p"
		}
		l.sendRecords(r)
	}
	visit("aaaaaaaaaaaaaaaa", "", false)
	l.ship()
	m := l.snapshots[0]
	l.wait(time.Minute)
	visit("aaaaaaaaaaaaaaaa", "", true)
	l.ship()
	l.wait(time.Minute)
	visit("bbbbbbbbbbbbbbbb", "ann", false)
	visit("aaaaaaaaaaaaaaaa", "ann", false)
	l.ship()
	l.wait(time.Minute)
	visit("aaaaaaaaaaaaaaaa", "ann", true)
	l.ship()
	ask := func(e *engine.Engine) string {
		users, _, err := e.Users(t.Context(), query.Query{Site: &l.site.Site, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		sessions, _, err := e.Sessions(t.Context(), query.Query{Site: &l.site.Site, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%+v %+v", users, sessions)
	}
	want := ask(l.engine)
	l.restore(l.fs, m, "restored-hits", time.Time{})
	sound(t, l.fs, "restored-hits")
	o := l.opts
	o.Dir = "restored-hits"
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got := ask(e); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What no minute needs is deleted, and the minutes since the time that is kept stay.
func TestPruneOfTheLog(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	start := l.at
	for hour := range 48 {
		l.wait(time.Hour)
		l.send("a")
		l.ship()
		if hour%12 == 11 {
			l.snapshot()
		}
	}
	keep := start.Add(30 * time.Hour)
	before := l.bucket.names(backup.LogPrefix)
	if err := l.shipper.Prune(t.Context(), keep, l.snapshots); err != nil {
		t.Fatal(err)
	}
	if after := l.bucket.names(backup.LogPrefix); len(after) >= len(before)-18 || len(after) < 24 {
		t.Errorf("%d objects of %d stay", len(after), len(before))
	}
	spans, err := backup.Spans(t.Context(), l.vault, l.snapshots)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(spans, func(s backup.Span) bool { return s.From.Equal(start.Add(24 * time.Hour)) })
	if i < 0 || !spans[i].To.Equal(l.at) || !spans[0].To.Equal(spans[0].From) {
		t.Errorf("%+v", spans)
	}
	if names, done := l.restored(l.snapshots[2], keep.Add(time.Minute)); len(strings.Fields(names)) != 30 || done.Why != "" {
		t.Errorf("%q %s", names, done.Why)
	}
}

// A log that is longer than memory has room for is sealed while the store is opened.
func TestOpenOfALongLog(t *testing.T) {
	l := newLine(t, func(o *engine.Options) { o.SealRows, o.HotEvents = 1<<16, 1<<19 })
	l.ship()
	const rows = 3000
	for from := 0; from < rows; from += 100 {
		l.send(slices.Repeat([]string{"a", "b", "c", "d"}, 25)...)
	}
	l.ship()
	want := ids(t, l.engine, []*engine.Site{l.site})
	l.restore(l.fs, l.snapshots[0], "long", time.Time{})
	o := l.opts
	o.Dir, o.SealRows, o.HotEvents = "long", 200, 500
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Runs < rows/200-5 || s.HotEvents > 700 {
		t.Errorf("right after the start %d runs, and %d events in memory", s.Runs, s.HotEvents)
	}
	if got := ids(t, e, []*engine.Site{l.site}); !maps.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, l.fs, "long")
}

// After a power cut at any time the store goes on in its chain, although the bucket may have objects

// What was removed before a start, and not shipped before it, is not restored either.
func TestRemovedBeforeAStartStaysRemoved(t *testing.T) {
	l := newLine(t, nil)
	filter, err := l.engine.Save(t.Context(), &l.site.Site, query.Saved{Kind: query.SavedFilter, Name: "f", Query: "country=DE"})
	if err != nil {
		t.Fatal(err)
	}
	l.send("a")
	l.ship()
	if err := l.engine.Unsave(t.Context(), &l.site.Site, filter.ID); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	l.wait(time.Second)
	l.ship()
	l.restore(l.fs, l.snapshots[0], "restored-removed", time.Time{})
	o := l.opts
	o.Dir = "restored-removed"
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if all, err := e.AllSaved(t.Context(), &l.site.Site); err != nil || len(all) != 0 {
		t.Errorf("removed, but restored: %+v, %v", all, err)
	}
}

// When nobody ships any more, a deletion waits for no copy: its purge ends at once.
func TestDeletionAfterTheEndOfShipping(t *testing.T) {
	l := newLine(t, nil)
	l.send("a", "b")
	l.ship()
	l.engine.EndShipping()
	d := query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"b"}}}, By: "secret_key", Now: true}
	r, err := l.engine.Delete(t.Context(), &l.site.Site, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.engine.WaitPurged(t.Context(), &l.site.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	l.send("c")
	src, err := l.engine.LogSource()
	if err != nil {
		t.Fatal(err)
	}
	if left := src.Deletions(); len(left) != 0 {
		t.Errorf("the seqs of %d deletions are kept for a copy that nobody makes", len(left))
	}
}
