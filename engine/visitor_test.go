package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// visitors is a store whose clock the test sets.
type visitors struct {
	testing.TB
	fs     vfs.FS
	clock  atomic.Int64 // Unix milliseconds
	site   *engine.Site
	seal   int
	memory int64
	engine *engine.Engine
}

func newVisitors(t testing.TB, seal int) *visitors {
	v := &visitors{TB: t, fs: vfs.NewMem(), site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}}, seal: seal}
	v.clock.Store(epoch.UnixMilli())
	v.open()
	t.Cleanup(func() {
		v.engine.Close()
		report, err := check.Store(context.Background(), v.fs, "visitors")
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("check: %v %v", err, report.Problems)
		}
	})
	return v
}

func (v *visitors) now() time.Time { return time.UnixMilli(v.clock.Load()).UTC() }

func (v *visitors) open() {
	e, err := engine.Open(engine.Options{
		Dir: "visitors", FS: v.fs, Sites: engine.SitesOf(v.site), Reserve: -1, SealRows: v.seal, Memory: v.memory,
		Now: v.now,
	})
	if err != nil {
		v.Fatal(err)
	}
	v.engine = e
}

func (v *visitors) reopen() {
	if err := v.engine.Close(); err != nil {
		v.Fatal(err)
	}
	v.open()
}

// hit sends one event and returns its visitor and session as the engine resolved them.
func (v *visitors) hit(e event.Event) (who, session string) {
	v.Helper()
	e.Dialect, e.Type = event.Opentracker, event.Track
	r := &event.Record{Event: e}
	out, err := v.engine.Ingest(v.Context(), []engine.Record{{Site: v.site, Record: r}}, true, nil)
	e = r.Event
	if err != nil || out[0].Status == event.Rejected {
		v.Fatalf("%+v: %+v %v", e, out, err)
	}
	if out[0].Session == "" || e.User+e.Anonymous == "" || e.User != "" && e.Anonymous != "" {
		v.Fatalf("answered user %q, anonymous %q, session %q", e.User, e.Anonymous, out[0].Session)
	}
	return e.User + e.Anonymous, out[0].Session
}

func (v *visitors) totals() query.Totals {
	t, err := v.engine.Count(v.Context(), query.Query{Site: &v.site.Site})
	if err != nil {
		v.Fatal(err)
	}
	return t
}

// The steps of resolving a visitor, in their order. Each step is tried with rows in memory, with
// sealed rows and after a restart.
func TestVisitors(t *testing.T) {
	for _, seal := range []int{0, 1, 3} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("seal %d, restart %t", seal, restart), func(t *testing.T) {
				v := newVisitors(t, seal)
				pause := func(d time.Duration) {
					v.clock.Add(d.Milliseconds())
					if restart {
						v.reopen()
					}
				}
				same := func(what, got, want string) {
					t.Helper()
					if got != want {
						t.Errorf("%s: %q, want %q", what, got, want)
					}
				}
				// Only a session: always the same user.
				first, sid := v.hit(event.Event{Session: "0eb12a"})
				pause(time.Hour)
				again, _ := v.hit(event.Event{Session: "0eb12a"})
				same("the session's owner", again, first)
				same("the session sent", sid, "0eb12a")
				// A session that began with a user belongs to that user.
				v.hit(event.Event{User: "ann", Session: "s2"})
				pause(0)
				who, _ := v.hit(event.Event{Session: "s2"})
				same("the owner sent", who, "ann")
				// An event of another user keeps that user; the session keeps its owner.
				who, _ = v.hit(event.Event{User: "bob", Session: "s2"})
				same("the user sent", who, "bob")
				pause(0)
				who, _ = v.hit(event.Event{Session: "s2"})
				same("the first owner", who, "ann")
				// Only a user: the user's current session for 30 minutes, also one that was sent.
				_, sid = v.hit(event.Event{User: "bob"})
				same("bob's current session", sid, "s2")
				pause(29 * time.Minute)
				_, sid = v.hit(event.Event{User: "bob"})
				same("29 minutes on", sid, "s2")
				pause(30 * time.Minute)
				_, sid = v.hit(event.Event{User: "bob"})
				if sid == "s2" {
					t.Error("after 30 minutes the session is still the same")
				}
				who, _ = v.hit(event.Event{Session: sid})
				same("the owner of a session cairn made", who, "bob")
				// No ids at all: a new visitor, whom the returned ids identify.
				before := v.totals()
				made, madeSession := v.hit(event.Event{})
				if len(made) != 32 || len(madeSession) != 32 {
					t.Errorf("visitor %q, session %q", made, madeSession)
				}
				pause(time.Minute)
				who, sid = v.hit(event.Event{User: made})
				same("the user made", who, made)
				same("and the session", sid, madeSession)
				v.hit(event.Event{User: made, Session: madeSession})
				v.hit(event.Event{Session: madeSession})
				if got := v.totals(); got.Users != before.Users+1 || got.Sessions != before.Sessions+1 {
					t.Errorf("with one more visitor the totals are %+v, before %+v", got, before)
				}
				// An event that is hours late has its own session.
				_, sid = v.hit(event.Event{User: made, Time: v.now().Add(-3 * time.Hour).UnixMilli()})
				if sid == madeSession {
					t.Error("an event of three hours ago is in the current session")
				}
				pause(0)
				_, sid = v.hit(event.Event{User: made})
				same("the session after it", sid, madeSession)
			})
		}
	}
}

// A duplicate gets the visitor and session of the original.
func TestVisitorsDuplicate(t *testing.T) {
	v := newVisitors(t, 1)
	who, sid := v.hit(event.Event{MessageID: "e1"})
	again, sidAgain := v.hit(event.Event{MessageID: "e1"})
	if who != again || sid != sidAgain || v.totals() != (query.Totals{Events: 1, Users: 1, Sessions: 1}) {
		t.Errorf("%s %s, then %s %s; %+v", who, sid, again, sidAgain, v.totals())
	}
}

// First hits of a session that come at the same time get the same user, while rows are being
// sealed.
func TestVisitorsTogether(t *testing.T) {
	v := newVisitors(t, 7)
	const sessions, hits = 40, 8
	owners := make([]sync.Map, sessions)
	var wg sync.WaitGroup
	for range hits {
		order := rand.Perm(sessions)
		wg.Go(func() {
			for _, i := range order {
				who, _ := v.hit(event.Event{Session: fmt.Sprint("s", i), Properties: event.Object{{Key: "gender", Value: event.Str("male")}}})
				owners[i].Store(who, true)
			}
		})
	}
	wg.Wait()
	for i := range owners {
		n := 0
		owners[i].Range(func(_, _ any) bool { n++; return true })
		if n != 1 {
			t.Errorf("session %d has %d owners", i, n)
		}
	}
	page, err := v.engine.Counters(t.Context(), query.CounterQuery{Site: &v.site.Site, Property: "gender"})
	if want := (query.CounterRow{Value: "male", Events: sessions * hits, Sessions: sessions, Users: sessions}); err != nil || page.Rows[0] != want {
		t.Errorf("%+v, %v", page.Rows, err)
	}
}

// Ids made from a session do not reveal it. They differ by site and store.
func TestVisitorsDerived(t *testing.T) {
	a, b := newVisitors(t, 0), newVisitors(t, 0)
	one, _ := a.hit(event.Event{Session: "s"})
	two, _ := b.hit(event.Event{Session: "s"})
	if one == two || len(one) != 32 {
		t.Errorf("%s in one store, %s in another", one, two)
	}
}

// Neither what the dialect excludes from counting nor what the site excludes is counted.
func TestNotCountedByDialect(t *testing.T) {
	v := newVisitors(t, 0)
	v.site.Uncounted = []string{"plan"}
	props := event.Object{{Key: "revision", Value: event.Str("7")}, {Key: "plan", Value: event.Str("pro")}, {Key: "gender", Value: event.Str("male")}}
	list := append(make([]string, 0, 8), "revision")
	v.hit(event.Event{Properties: props, NotCounted: list})
	if list = list[:2]; list[1] != "" {
		t.Error("the dialect's list was changed")
	}
	for property, want := range map[string]int{"revision": 0, "plan": 0, "gender": 1} {
		page, err := v.engine.Counters(t.Context(), query.CounterQuery{Site: &v.site.Site, Property: property})
		if err != nil || len(page.Rows) != want {
			t.Errorf("%s: %+v, %v", property, page.Rows, err)
		}
	}
}

// counted.PATH selects what counters count: the property, or else the detected value.
func TestWhereCounted(t *testing.T) {
	v := newVisitors(t, 0)
	v.hit(event.Event{Name: "a", Context: event.Object{{Key: "browser", Value: event.Str("Chrome")}}})
	v.hit(event.Event{Name: "b", Context: event.Object{{Key: "browser", Value: event.Str("Chrome")}}, Properties: event.Object{{Key: "browser", Value: event.Str("Kiosk")}}})
	v.hit(event.Event{Name: "c", Properties: event.Object{{Key: "name", Value: event.Str("a")}}})
	for where, want := range map[[2]string]uint64{
		{"counted.browser", "Chrome"}: 1, {"counted.browser", "Kiosk"}: 1, {"browser", "Chrome"}: 2,
		{"counted.name", "a"}: 2, {"counted.name", "c"}: 0, {"counted.name", "b"}: 1, {"counted.zzz", "a"}: 0,
	} {
		got, err := v.engine.Count(t.Context(), query.Query{Site: &v.site.Site, Where: []query.Cond{{Field: where[0], Values: []string{where[1]}}}})
		if err != nil || got.Events != want {
			t.Errorf("%v: %d, %v; want %d", where, got.Events, err, want)
		}
	}
}

// The cache of session owners forgets; forgotten owners are found in the log.
func TestOwnersForgotten(t *testing.T) {
	v := newVisitors(t, 5)
	if err := v.engine.Close(); err != nil {
		t.Fatal(err)
	}
	v.memory = 64 << 10 // four owners in each half
	v.open()
	who := map[string]string{}
	for round := range 3 {
		for i := range 30 {
			sid := fmt.Sprint("s", i)
			e := event.Event{Session: sid}
			if round == 0 && i%2 == 0 {
				e.User = fmt.Sprint("u", i)
			}
			got, _ := v.hit(e)
			if round > 0 && got != who[sid] {
				t.Errorf("round %d: the owner of %s is %q, but was %q before", round, sid, got, who[sid])
			}
			who[sid] = got
		}
	}
	if got := v.totals(); got != (query.Totals{Events: 90, Users: 30, Sessions: 30}) {
		t.Errorf("%+v", got)
	}
}
