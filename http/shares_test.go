package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
)

// sharer is a server with two events, and what its shares answer.
type sharer struct {
	*testServer
	now atomic.Int64 // Unix nanoseconds
}

func startSharer(t *testing.T) *sharer {
	t.Helper()
	s := &sharer{}
	s.now.Store(time.Now().UnixNano())
	s.testServer = onStore(t, engine.Options{}, func(o *Options) { o.Now = func() time.Time { return time.Unix(0, s.now.Load()) } }, testSite(1, "shop"))
	withGate(t)(s.Server)
	if a := s.send("POST", "/api/v1/events", `[{"name":"a","user":"ada","properties":{"plan":"pro","mail":"ada@example.com"}},{"name":"b","user":"bob","properties":{"plan":"free"}}]`, secret, "Content-Type: application/json"); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	return s
}

// save saves something and returns its id and, of a share, its token.
func (s *sharer) save(body string) (id, token string) {
	s.t.Helper()
	a := s.send("POST", "/api/v1/saved", body, secret, "Content-Type: application/json")
	var saved struct{ ID, Token string }
	if err := json.Unmarshal([]byte(a.body), &saved); err != nil || a.status != 200 {
		s.t.Fatal(a.status, a.body, err)
	}
	return saved.ID, saved.Token
}

// ask asks a call by a share: the status, a space and the body, or "nobody".
func (s *sharer) ask(token, call string, headers ...string) string {
	s.t.Helper()
	call, raw, _ := strings.Cut(call, "?")
	return s.send("GET", "/gate/shared?"+raw, "", append(headers, "X-Token: "+token, "X-Call: "+call)...).body
}

// What a share answers: its filter holds beside the viewer's own, whatever that is, and its scope
// holds for every call.
func TestShared(t *testing.T) {
	t.Parallel()
	s := startSharer(t)
	filter, _ := s.save(`{"kind":"filter","name":"f","query":"name=a"}`)
	visits, _ := s.save(`{"kind":"filter","name":"v","query":"visit.source=Google"}`)
	s.save(`{"kind":"goal","name":"what ada did","query":"user=ada"}`)
	s.save(`{"kind":"goal","name":"a goal of all","query":"name=a"}`)
	_, numbers := s.save(`{"kind":"share","name":"n","scope":"numbers","props":["plan"]}`)
	_, filtered := s.save(`{"kind":"share","name":"nf","scope":"numbers","filter":"` + filter + `"}`)
	_, people := s.save(`{"kind":"share","name":"p","scope":"people","filter":"` + filter + `"}`)
	_, sourced := s.save(`{"kind":"share","name":"v","scope":"people","filter":"` + visits + `"}`)
	_, whole := s.save(`{"kind":"share","name":"w","scope":"people"}`)
	var events struct{ Events []struct{ ID, Name string } }
	if err := json.Unmarshal([]byte(s.send("GET", "/api/v1/events", "", secret).body), &events); err != nil || len(events.Events) != 2 {
		t.Fatal(err)
	}
	for _, test := range []struct{ token, call, begin, has, lacks string }{
		{numbers, "count", "200", `"events":2`, ""},
		{numbers, "count?name=b", "200", `"events":1`, ""},
		{numbers, "breakdown?by=prop.plan", "200", `"pro"`, ""},
		{numbers, "breakdown?by=prop.mail", "403", "by", "ada"},
		{numbers, "count?user=ada", "403", "user", ""},
		{numbers, "users", "403", "", "ada"},
		{numbers, "events", "403", "", "ada"},
		{numbers, "fields", "200", "prop.plan", "mail"},
		{numbers, "fields", "200", `"name"`, `"user"`},
		{numbers, "site", "200", `"rights":["read"],"scope":"numbers"`, "write_key"},
		{numbers, "site", "200", `"name":"shop"`, "version"},
		{numbers, "saved", "403", "", "token"},
		{numbers, "goals", "200", "a goal of all", "ada"},
		{whole, "goals", "200", "what ada did", ""},
		{numbers, "sites", "403", "", "shop"},
		{filtered, "count", "200", `"events":1`, ""},
		{filtered, "count?name=b", "200", `"events":0`, ""}, // not a or b
		{filtered, "count?name=a&name=b", "200", `"events":1`, ""},
		{filtered, "count?saved=" + filter, "200", `"events":1`, ""},
		{filtered, "breakdown?by=name", "200", `"a"`, `"b"`},
		{filtered, "values?field=name", "200", `"a"`, `"b"`},
		{filtered, "fields", "403", "filter", "plan"},
		{filtered, "site", "200", `"scope":"numbers"`, "write_key"},
		{people, "users", "200", `"ada"`, "bob"},
		{people, "events", "200", "ada@example.com", "bob"},
		{people, "events?name=b", "200", "", "bob"},
		{people, "events/" + events.Events[0].ID, "403", "filter", "bob"},
		{people, "users/bob", "403", "filter", "free"},
		{people, "users/bob/events", "200", "", "free"},
		{people, "users/ada/events", "200", "pro", ""},
		{people, "site", "200", `"scope":"people"`, "write_key"},
		{people, "saved", "403", "", "token"},
		{people, "sites", "403", "", "shop"},
		{whole, "events/" + events.Events[0].ID, "200", "bob", ""},
		{whole, "fields", "200", `"user"`, ""},
		{whole, "saved", "403", "", "token"},
		{whole, "sites", "403", "", "shop"},
		{sourced, "visits", "200", "", "ada"},
		{sourced, "events", "200", "", "ada"},
	} {
		got := s.ask(test.token, test.call)
		if !strings.HasPrefix(got, test.begin) || !strings.Contains(got, test.has) || test.lacks != "" && strings.Contains(got, test.lacks) {
			t.Errorf("%s: %.300s; want %s with %s and without %q", test.call, got, test.begin, test.has, test.lacks)
		}
	}
	// Nothing is changed by a share.
	v := &dashboard.Viewer{Save: true, Share: &dashboard.Share{}, Key: &looker{new(auth.Work), &sharing{limits: &dialect.Share{}, load: new(load)}}}
	if a := s.Change(t.Context(), v, &s.sites.Load().registry.ByID(1).Site, "DELETE", "saved/"+filter, nil); a.Status != 403 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Every call that takes filters satisfies that of the share, and every other one is refused but
// for what a site is.
func TestSharedCalls(t *testing.T) {
	t.Parallel()
	s := startSharer(t)
	filter, _ := s.save(`{"kind":"filter","name":"f","query":"name=nothing"}`)
	_, token := s.save(`{"kind":"share","name":"p","scope":"people","filter":"` + filter + `"}`)
	needed := map[string]string{"breakdown": "?by=name", "aggregate": "?of=value", "values": "?field=name", "funnel": "?step=name%3Da&step=name%3Db",
		"funnel/entities": "?step=name%3Da&step=name%3Db", "retention/entities": "?from=2026-11-20&to=2026-11-21&period=day&at=2026-11-21"}
	refused := map[string]bool{"export": true, "fields": true, "saved": true, "sites": true, "events/x": true, "users/ada": true, "sessions/x": true, "groups/x": true}
	seen := 0
	for _, r := range s.native.Routes() {
		if r.Methods[0] != "GET" || r.Lasts {
			continue
		}
		seen++
		call := strings.ReplaceAll(strings.TrimPrefix(r.Path, "/api/v1/"), "*", "x")
		if strings.HasPrefix(call, "users/") {
			call = strings.Replace(call, "x", "ada", 1)
		}
		got := s.ask(token, call+needed[call])
		switch {
		case call == "site":
		case refused[call], strings.HasPrefix(call, "admin/"):
			if !strings.HasPrefix(got, "403") {
				t.Errorf("%s: %s", call, got)
			}
		case !strings.HasPrefix(got, "200"):
			t.Errorf("%s: %s", call, got)
		case strings.Contains(got, "ada") || strings.Contains(got, "pro\"") || strings.Contains(got, `"events":1`) || strings.Contains(got, `"events":2`) || strings.Contains(got, `"users":2`):
			t.Errorf("%s tells of what the filter hides: %s", call, got)
		}
	}
	if seen < 20 {
		t.Errorf("%d calls", seen)
	}
}

// A share ends at once when it is removed, and at its time. What is no token opens nothing.
func TestSharedEnds(t *testing.T) {
	t.Parallel()
	s := startSharer(t)
	id, removed := s.save(`{"kind":"share","name":"n","scope":"numbers"}`)
	_, expires := s.save(fmt.Sprintf(`{"kind":"share","name":"e","scope":"numbers","expires":%d}`, time.Unix(0, s.now.Load()).Add(time.Hour).UnixMilli()))
	for _, token := range []string{removed, expires} {
		if got := s.ask(token, "count"); !strings.HasPrefix(got, "200") {
			t.Errorf("%s", got)
		}
		for _, wrong := range []string{token[1:], token + "a", strings.ToUpper(token), id, "", strings.Repeat("a", len(token))} {
			if got := s.ask(wrong, "count"); got != "nobody" {
				t.Errorf("%q: %s", wrong, got)
			}
		}
	}
	if a := s.send("DELETE", "/api/v1/saved/"+id, "", secret); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	if got := s.ask(removed, "count"); got != "nobody" {
		t.Errorf("removed: %s", got)
	}
	s.now.Add(int64(time.Hour))
	if got := s.ask(expires, "count"); got != "nobody" {
		t.Errorf("over: %s", got)
	}
}

// An address may try 60 wrong tokens a minute. Then a right one is refused too.
func TestSharedGuesses(t *testing.T) {
	t.Parallel()
	s := startSharer(t)
	if s.guesses.pace != newPace(1, 60) {
		t.Errorf("%+v", s.guesses.pace)
	}
	s.guesses = newMeters(newPace(1e-6, guessesMinute)) // however long this takes
	_, token := s.save(`{"kind":"share","name":"n","scope":"numbers"}`)
	for i := range guessesMinute {
		if got := s.ask(strings.Repeat("a", shareBytes), "count", fmt.Sprint("X-Forwarded-For: 2001:db8::", i)); got != "nobody" {
			t.Fatal(i, got)
		}
		if got := s.ask(token, "count", "X-Forwarded-For: 192.0.2.1"); !strings.HasPrefix(got, "200") {
			t.Fatal(i, got)
		}
	}
	for _, token := range []string{token, "wrong"} {
		a := s.send("GET", "/gate/shared", "", "X-Token: "+token, "X-Call: count", "X-Forwarded-For: 2001:db8::ffff")
		if a.status != 429 || a.header["retry-after"] == "" {
			t.Errorf("%s: %d %s", token, a.status, a.body)
		}
	}
	if got := s.ask(token, "count", "X-Forwarded-For: 192.0.2.1"); !strings.HasPrefix(got, "200") {
		t.Errorf("another address: %s", got)
	}
}

// A share has 16 questions at work, and each address that looks four.
func TestSharedLoad(t *testing.T) {
	t.Parallel()
	var all loads
	s := &Server{}
	s.loads.of([32]byte{1}, loadAddr) // the zero value works
	share, own := all.of([32]byte{1}, loadAddr)
	again, same := all.of([32]byte{1}, loadAddr)
	_, other := all.of([32]byte{1}, loadAddr.Next())
	apart, _ := all.of([32]byte{2}, loadAddr)
	if share != again || own != same || other == own || apart == share {
		t.Error("counts are mixed up")
	}
	// A share has a bound of its own, however many addresses look at it.
	var ends []func()
	at := func(i int) *dashboard.Viewer {
		load, own := all.of([32]byte{1}, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		return &dashboard.Viewer{Key: &looker{&own.work, &sharing{load: load, own: own}}}
	}
	for i := range shareQueriesMax {
		end, err := beginWork(t.Context(), at(i))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	more := at(shareQueriesMax)
	if _, err := beginWork(over, more); err != query.ErrTooMany || more.Key.(*looker).work.Count() != 0 {
		t.Error(err)
	}
	for range 3 * loadsMax {
		for i := range 2 {
			all.of([32]byte{3, byte(i)}, loadAddr)
		}
	}
	for i := range 3 * loadsMax {
		all.of([32]byte{4, byte(i), byte(i >> 8)}, loadAddr)
	}
	if got, _ := all.of([32]byte{1}, loadAddr); got != share || len(all.all) > loadsMax+1 {
		t.Errorf("one at work was forgotten, or %d are kept", len(all.all))
	}
	for _, end := range ends {
		end()
	}
	if end, err := beginWork(over, more); err != nil {
		t.Error(err)
	} else {
		end()
	}
}

var loadAddr = netip.MustParseAddr("192.0.2.1")

// A share of people has the stream of events: with its own filter, as long as it is what it was, and
// within its bounds. One of numbers has none.
func TestSharedStream(t *testing.T) {
	t.Parallel()
	s := &sharer{}
	s.now.Store(time.Now().UnixNano())
	s.testServer = onStore(t, engine.Options{}, func(o *Options) {
		o.Dashboard, o.Now = true, func() time.Time { return time.Unix(0, s.now.Load()) }
	}, testSite(1, "shop"))
	named, _ := s.save(`{"kind":"filter","name":"f","query":"name=a"}`)
	sourced, _ := s.save(`{"kind":"filter","name":"v","query":"visit.source=Google"}`)
	_, numbers := s.save(`{"kind":"share","name":"n","scope":"numbers"}`)
	_, unfit := s.save(`{"kind":"share","name":"v","scope":"people","filter":"` + sourced + `"}`)
	until := time.Unix(0, s.now.Load()).Add(time.Hour).UTC().Format(time.RFC3339)
	_, passing := s.save(`{"kind":"share","name":"u","scope":"people","expires":"` + until + `"}`)
	id, people := s.save(`{"kind":"share","name":"p","scope":"people","filter":"` + named + `"}`)
	at := func(token string) string { return "/dashboard/s/" + token + "/data/live/stream" }
	for _, token := range []string{numbers, unfit} {
		if a := s.send("GET", at(token), ""); a.status != 403 {
			t.Errorf("a share that may not: %d %s", a.status, a.body)
		}
	}
	if n := s.lasting.Load() + s.lastingShares.Load(); n != 0 {
		t.Fatalf("%d streams that were refused are counted", n)
	}
	var all []*follower
	for range lastingKeyMax {
		all = append(all, s.followAt(at(people)))
	}
	last := s.followAt(at(passing))
	if a := s.send("GET", at(people), ""); a.status != 429 || a.header["retry-after"] != "10" {
		t.Errorf("one too many: %d %v", a.status, a.header)
	}
	s.send("POST", "/api/v1/events", `[{"name":"b","user":"bob"},{"name":"a","user":"ada"}]`, secret, "Content-Type: application/json")
	for _, f := range all {
		if _, data, err := f.next("event"); err != nil || !strings.Contains(data, `"name":"a"`) {
			t.Errorf("the first event of the filter: %s %v", data, err)
		}
	}
	if a := s.send("DELETE", "/api/v1/saved/"+id, "", secret); a.status != 200 && a.status != 204 {
		t.Fatal(a.status, a.body)
	}
	for _, f := range all {
		if _, _, err := f.next("nothing"); err == nil || err.Error() != "EOF" {
			t.Errorf("the stream of a share that was ended ends with %v", err)
		}
	}
	s.now.Add(int64(2 * time.Hour))
	if _, _, err := last.next("nothing"); err == nil || err.Error() != "EOF" {
		t.Errorf("the stream of a share that is over ends with %v", err)
	}
	within(t, "no stream left", func() bool { return s.lasting.Load() == 0 && s.lastingShares.Load() == 0 })
	// All shares have a bound together.
	s.lastingShares.Store(lastingSharesMax)
	defer s.lastingShares.Store(0)
	_, whole := s.save(`{"kind":"share","name":"w","scope":"people"}`)
	if a := s.send("GET", at(whole), ""); a.status != 429 {
		t.Errorf("one too many of all shares: %d", a.status)
	}
}

// A share knows the goals that it may see by their names.
func TestGoalsOfShares(t *testing.T) {
	t.Parallel()
	s := &sharer{testServer: onStore(t, engine.Options{}, func(o *Options) { o.Dashboard = true }, testSite(1, "shop"))}
	s.send("POST", "/api/v1/events", `{"name":"a","user":"ada"}`, secret, "Content-Type: application/json")
	s.save(`{"kind":"goal","name":"What ada did","query":"user=ada"}`)
	s.save(`{"kind":"goal","name":"A goal of all","query":"name=a"}`)
	_, numbers := s.save(`{"kind":"share","name":"n","scope":"numbers"}`)
	a := s.send("GET", "/dashboard/s/"+numbers+"?_goal=name%3Da&_wait=1", "")
	if a.status != 200 || !strings.Contains(a.body, "Conversions of <bdi>A goal of all</bdi>") || strings.Contains(a.body, "ada") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
