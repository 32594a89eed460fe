package engine_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
	chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)

// saltsOfDays makes salts from the day of its clock.
type saltsOfDays struct{ now *time.Time }

func (s saltsOfDays) Visitor(_ uint32, parts ...string) (today, yesterday string) {
	name := func(t time.Time) string { return fmt.Sprintf("%s %s|%.4s", t.UTC().Format("02"), parts[1], parts[2]) }
	return name(*s.now), name(s.now.Add(-24 * time.Hour))
}

// devices is a store that receives OpenPanel events at times that the test sets.
type devices struct {
	t    *testing.T
	e    *engine.Engine
	site *engine.Site
	now  time.Time
	opts engine.Options
}

func openDevices(t *testing.T) *devices {
	d := &devices{t: t, site: &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	d.opts = engine.Options{
		Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(d.site), Enrich: enrich.New(enrich.Options{}),
		Visitors: saltsOfDays{&d.now}, Now: func() time.Time { return d.now }, Reserve: -1,
	}
	d.open()
	t.Cleanup(func() { d.e.Close() })
	return d
}

func (d *devices) open() {
	var err error
	if d.e, err = engine.Open(d.opts); err != nil {
		d.t.Fatal(err)
	}
}

// send stores an event and returns it as stored, and as it was answered.
func (d *devices) send(ev event.Event, agent string) (stored *event.Event, answer event.Outcome) {
	return d.ask(ev, event.Visit{Ask: true}, agent)
}

// ask is send with a question of its own.
func (d *devices) ask(ev event.Event, visit event.Visit, agent string) (stored *event.Event, answer event.Outcome) {
	d.t.Helper()
	ev.Dialect = event.OpenPanel
	if ev.Type == "" {
		ev.Type, ev.Name = event.Track, "click"
	}
	src := event.Source{IP: netip.MustParseAddr("203.0.113.7"), UserAgent: agent}
	out, err := d.e.Ingest(d.t.Context(), []engine.Record{{Site: d.site, Record: &event.Record{Event: ev, Source: src, Visit: visit}}}, true, nil)
	if err != nil || out[0].Status != event.Stored {
		d.t.Fatalf("%+v %v", out, err)
	}
	if stored, err = d.e.Event(d.t.Context(), &d.site.Site, out[0].ID); err != nil {
		d.t.Fatal(err)
	}
	if stored.Session != out[0].Session && stored.Session != "" {
		d.t.Errorf("session %q is stored, %q was answered", stored.Session, out[0].Session)
	}
	return stored, out[0]
}

func (d *devices) after(gap time.Duration) { d.now = d.now.Add(gap) }

// A hash identifies a device. Its session goes on for a gap of 30 minutes, to the millisecond.
func TestDeviceSessions(t *testing.T) {
	d := openDevices(t)
	first, answer := d.send(event.Event{}, safari)
	if first.Anonymous != "20 203.0.113.7|Mozi" || answer.Device != first.Anonymous || answer.Session != first.Session || !answer.Live {
		t.Errorf("stored as %q in %q, answered %+v", first.Anonymous, first.Session, answer)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(first.Session) {
		t.Errorf("session id %q", first.Session)
	}
	d.after(30 * time.Minute)
	if second, _ := d.send(event.Event{}, safari); second.Session != first.Session {
		t.Error("a gap of 30:00 ended the session")
	}
	d.after(30*time.Minute + time.Millisecond)
	third, _ := d.send(event.Event{}, safari)
	if third.Session == first.Session || third.Session == "" {
		t.Error("a gap of 30:00.001 did not begin a session")
	}
	// An event from 15 minutes ago is in the session, a slightly older one is in none.
	if e, _ := d.send(event.Event{Time: d.now.Add(-15 * time.Minute).UnixMilli()}, safari); e.Session != third.Session {
		t.Errorf("15 minutes late: session %q", e.Session)
	}
	e, answer := d.send(event.Event{Time: d.now.Add(-15*time.Minute - time.Millisecond).UnixMilli()}, safari)
	if e.Session != "" || answer.Session != third.Session {
		t.Errorf("more than 15 minutes late: session %q, answered %q", e.Session, answer.Session)
	}
	// Other events than track neither begin nor extend a session, but the answer names it.
	d.after(20 * time.Minute)
	e, answer = d.send(event.Event{Type: event.Identify, User: "ada"}, safari)
	if e.Session != "" || e.Anonymous != third.Anonymous || answer.Session != third.Session {
		t.Errorf("identify: stored in %q of %q, answered %+v", e.Session, e.Anonymous, answer)
	}
	d.after(11 * time.Minute)
	if _, answer = d.send(event.Event{Type: event.Identify, User: "ada"}, safari); answer.Live || answer.Session == "" {
		t.Errorf("after the session the answer to identify was %+v", answer)
	}
	report, err := closeAndCheck(d)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %+v %v", report, err)
	}
}

// A session that is active at midnight keeps its device id. After the session the device has
// its new id.
func TestDeviceAtMidnight(t *testing.T) {
	d := openDevices(t)
	d.now = time.Date(2026, 11, 20, 23, 50, 0, 0, time.UTC)
	first, _ := d.send(event.Event{}, safari)
	for range 4 {
		d.after(25 * time.Minute)
		e, answer := d.send(event.Event{}, safari)
		if e.Session != first.Session || e.Anonymous != first.Anonymous || answer.Device != first.Anonymous {
			t.Errorf("%v: %q in session %q, want %q in %q", d.now, e.Anonymous, e.Session, first.Anonymous, first.Session)
		}
	}
	d.after(31 * time.Minute)
	if e, _ := d.send(event.Event{}, safari); e.Session == first.Session || e.Anonymous == first.Anonymous {
		t.Error("the session went on after it was over")
	}
	// The same after a restart.
	if err := d.e.Close(); err != nil {
		t.Fatal(err)
	}
	last := d.now
	d.open()
	d.after(time.Minute)
	if e, _ := d.send(event.Event{}, safari); e.Anonymous != "21 203.0.113.7|Mozi" {
		t.Errorf("%v after %v: %q", d.now, last, e.Anonymous)
	}
}

// Events of servers never have a session of their own. Those of a profile with an active
// session join it and get its context.
func TestServerEvents(t *testing.T) {
	for _, agent := range []string{"", "node", "axios/1.7.2", "MyShop/1.2.3", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"} {
		t.Run(agent, func(t *testing.T) {
			d := openDevices(t)
			e, answer := d.send(event.Event{User: "ada"}, agent)
			if e.Anonymous != "" || e.Session != "" || answer.Device == "" || answer.Session == "" {
				t.Errorf("without a session: stored %q in %q, answered %+v", e.Anonymous, e.Session, answer)
			}
			page, _ := d.send(event.Event{Type: event.Page, Name: "screen_view", User: "ada", Context: event.Object{
				{Key: "url", Value: event.Str("https://shop.example/cart?x=1")}, {Key: "referrer", Value: event.Str("https://duckduckgo.com/")}, {Key: "country", Value: event.Str("SE")}}}, chrome)
			d.after(10 * time.Minute)
			e, answer = d.send(event.Event{User: "ada"}, agent)
			if e.Session != page.Session || e.Anonymous != page.Anonymous || answer.Device != page.Anonymous || answer.Session != page.Session {
				t.Errorf("stored %q in %q, answered %+v, want %q in %q", e.Anonymous, e.Session, answer, page.Anonymous, page.Session)
			}
			for key, want := range map[string]string{"browser": "Chrome", "os": "Linux", "country": "SE", "path": "/cart", "referrer": "https://duckduckgo.com/"} {
				if got := e.Context.Get(key).Text; got != want {
					t.Errorf("%s = %q, want the session's %q", key, got, want)
				}
			}
			if e, _ := d.send(event.Event{User: "eve"}, agent); e.Session != "" || e.Anonymous != "" {
				t.Error("another profile joined the session")
			}
			// A server's event extends the session like any other event.
			d.after(25 * time.Minute)
			if e, _ := d.send(event.Event{User: "ada"}, agent); e.Session != page.Session {
				t.Error("25 minutes later the session was over")
			}
			d.after(31 * time.Minute)
			if e, _ := d.send(event.Event{User: "ada"}, agent); e.Session != "" || e.Anonymous != "" {
				t.Error("31 minutes later the session went on")
			}
		})
	}
}

// A sent id is the device, for servers too. A group event that is nobody's has no device and
// adds no member. An assign_group always has a device, which becomes a member.
func TestDeviceIDs(t *testing.T) {
	d := openDevices(t)
	if e, _ := d.send(event.Event{Anonymous: "mine"}, "node"); e.Anonymous != "mine" || e.Session != "" {
		t.Errorf("%q in %q", e.Anonymous, e.Session)
	}
	page, _ := d.send(event.Event{Anonymous: "mine"}, chrome)
	if e, answer := d.send(event.Event{Anonymous: "mine"}, "node"); e.Session != page.Session || answer.Device != "mine" {
		t.Errorf("a server's event of a device with a session: session %q, answered %+v", e.Session, answer)
	}
	group := event.Event{Type: event.Group, Groups: []string{"acme"}}
	if e, answer := d.ask(group, event.Visit{Ask: true, Nobody: true}, chrome); e.Anonymous != "" || e.PersonOrd != 0 || answer.Device == "" {
		t.Errorf("a group: %q, answered %+v", e.Anonymous, answer)
	}
	assign := event.Event{Type: event.Group, Groups: []string{"acme"}}
	if e, _ := d.ask(assign, event.Visit{Ask: true, Always: true}, "node"); e.Anonymous != "20 203.0.113.7|node" {
		t.Errorf("assign_group by a server is of %q", e.Anonymous)
	}
	g, err := d.e.Group(t.Context(), &d.site.Site, "acme")
	if err != nil || len(g.Members) != 1 {
		t.Errorf("members %q, %v", g.Members, err)
	}
	// Visit stores nothing.
	before, _ := d.e.Count(t.Context(), query.Query{Site: &d.site.Site})
	for agent, live := range map[string]bool{chrome: false, safari: false} {
		ask := event.Event{Dialect: event.OpenPanel, Type: event.Track}
		src := event.Source{IP: netip.MustParseAddr("203.0.113.7"), UserAgent: agent}
		var answer event.Outcome
		if d.e.Visit(engine.Record{Site: d.site, Record: &event.Record{Event: ask, Source: src, Visit: event.Visit{Ask: true}}}, &answer); answer.Device == "" || answer.Session == "" || answer.Live != live {
			t.Errorf("%+v", answer)
		}
	}
	if after, _ := d.e.Count(t.Context(), query.Query{Site: &d.site.Site}); after != before {
		t.Errorf("Visit changed the totals from %+v to %+v", before, after)
	}
}

// OpenPanel's profiles: deep merges, dotted increments, and no links between the people that
// one server sends events for.
func TestOpenPanelProfiles(t *testing.T) {
	d := openDevices(t)
	identify := func(user, traits string) {
		d.send(event.Event{Type: event.Identify, User: user, Properties: objectFrom(t, traits)}, "node")
	}
	increment := func(path, by string) {
		d.send(event.Event{Type: event.Increment, User: "ada", Name: path, Value: event.Num(by)}, "node")
	}
	identify("ada", `{"firstName":"Ada","plan":{"name":"pro","seats":[1,2]},"visits":2}`)
	identify("eve", `{"firstName":"Eve"}`)
	increment("visits", "1")
	increment("stats.spent", "0.1")
	increment("stats.spent", "0.2")
	identify("ada", `{"firstName":null,"lastName":"","plan":{"seats":[3]},"stats":{"first":true}}`)
	increment("stats.spent", "-0.05")
	u, err := d.e.User(t.Context(), &d.site.Site, "ada")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"firstName":"Ada","plan":{"name":"pro","seats":[3]},"stats":{"spent":0.25,"first":true},"visits":3}`
	if got := string(event.AppendObject(nil, u.Properties)); got != want {
		t.Errorf("profile %s\n   want %s", got, want)
	}
	if u.Events != 6 || len(u.Anonymous) != 0 {
		t.Errorf("%d events, devices %q", u.Events, u.Anonymous)
	}
}

func objectFrom(t *testing.T, text string) event.Object {
	t.Helper()
	o, err := new(event.Parser).Object([]byte(text), event.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func closeAndCheck(d *devices) (check.Report, error) {
	if err := d.e.Close(); err != nil {
		return check.Report{}, err
	}
	report, err := check.Store(d.t.Context(), d.opts.FS, d.opts.Dir)
	d.open()
	return report, err
}
