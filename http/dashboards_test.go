package httpd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
	"cairn/http/native"
)

// No protocol answers below /dashboard: a cookie counts there.
func TestNoDialectBelowDashboard(t *testing.T) {
	for _, d := range dialects(native.New(native.Options{}), nil, false) {
		for _, r := range d.Routes() {
			if r.Path == "/dashboard" || strings.HasPrefix(r.Path, "/dashboard/") {
				t.Errorf("%s answers %s", d.Name(), r.Path)
			}
		}
	}
}

// The way of a browser from / to the numbers of the only site, and what a server without a
// dashboard answers in its place.
func TestWayToDashboard(t *testing.T) {
	t.Parallel()
	on := onStore(t, engine.Options{}, func(o *Options) { o.Dashboard = true }, testSite(1, "shop"))
	off := onStore(t, engine.Options{}, func(o *Options) { o.Dashboard = false }, testSite(1, "shop"))
	if a := on.send("GET", "/", "", "Accept: text/html"); a.status != http.StatusFound || a.header["location"] != "/dashboard" {
		t.Errorf("/: %d, %s", a.status, a.header["location"])
	}
	if a := on.send("GET", "/", "", "Accept: application/json"); a.status != 200 || a.body != `{"status":"ok"}` {
		t.Errorf("/ without text/html: %d %s", a.status, a.body)
	}
	if a := on.send("GET", "/dashboard", ""); a.status != http.StatusSeeOther || a.header["location"] != "/dashboard/login" {
		t.Errorf("/dashboard: %d, %s", a.status, a.header["location"])
	}
	login := on.send("POST", "/dashboard/login", "key=shop-secret", "Content-Type: application/x-www-form-urlencoded", ownPage)
	if login.status != http.StatusSeeOther {
		t.Fatalf("login: %d %s", login.status, login.body)
	}
	cookie, _, _ := strings.Cut(login.header["set-cookie"], ";")
	if a := on.send("GET", "/dashboard/site/shop?_wait=1", "", "Cookie: "+cookie); a.status != 200 || !strings.Contains(a.body, "Waiting for the first event") {
		t.Errorf("the first screen of an empty site: %d %s", a.status, a.body)
	}
	on.send("POST", "/api/v1/events", `{"type":"page","name":"Home","anonymous":"ada","context":{"path":"/first"}}`, secret, "Content-Type: application/json")
	if a := on.send("GET", "/dashboard/site/shop?_wait=1", "", "Cookie: "+cookie); a.status != 200 || !strings.Contains(a.body, "/first") || !strings.Contains(a.body, "Visitors") {
		t.Errorf("the first screen: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/dashboard", "/dashboard/login", "/dashboard/sites", "/dashboard/site/shop", "/dashboard/s/x", "/dashboard/e/x", "/dashboard/assets/x"} {
		if a := off.send("GET", path, "", "Accept: text/html"); a.status != 404 {
			t.Errorf("without a dashboard %s is %d", path, a.status)
		}
	}
	if a := off.send("GET", "/", "", "Accept: text/html"); a.status != 200 || !strings.Contains(a.body, "This is an event store") {
		t.Errorf("without a dashboard: %d %s", a.status, a.body)
	}
}

// Only the parameter format asks for CSV, whose answer may take longer than ten seconds. A value
// that looks like it does not.
func TestAsksCSV(t *testing.T) {
	for raw, want := range map[string]bool{
		"format=csv": true, "range=7d&format=csv&name=a": true, "format=%63sv": true, "f%6frmat=csv": true,
		"": false, "format=json": false, "name=format=csv": false, "prop.format=csv": false, "search=x%26format=csv": false,
	} {
		if got := asksCSV(raw); got != want {
			t.Errorf("%q: %t", raw, got)
		}
	}
}

// A question of a page waits until another one of its session ends, and not for ever.
func TestWorkOfSessionWaits(t *testing.T) {
	t.Parallel()
	work := new(auth.Work)
	v := &dashboard.Viewer{Key: &looker{work: work}}
	var ends []func()
	for range queriesMax {
		end, err := beginWork(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := beginWork(over, v); !errors.Is(err, query.ErrTooMany) {
		t.Errorf("more than the session may: %v", err)
	}
	got := make(chan error)
	go func() {
		end, err := beginWork(t.Context(), v)
		if err == nil {
			end()
		}
		got <- err
	}()
	ends[0]() // auth's tests show that it waits until now
	if err := <-got; err != nil {
		t.Errorf("after another one has ended: %v", err)
	}
	if n := work.Count(); n != queriesMax-1 {
		t.Errorf("%d questions are counted", n)
	}
}

// writes is a writer that tells of each write.
type writes func()

func (f writes) Write(p []byte) (int, error) { f(); return len(p), nil }

// A CSV is at work while it is sent, and one that nobody reads counts for nothing.
func TestCSVIsWork(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	work := new(auth.Work)
	v := &dashboard.Viewer{Key: &looker{work: work}}
	site := &s.sites.Load().registry.ByID(1).Site
	for _, call := range []string{"events", "visits"} {
		ctx, cancel := context.WithCancel(t.Context())
		a := s.Ask(ctx, v, site, call, "range=7d&format=csv")
		if a.Status != 200 || a.Stream == nil || work.Count() != 0 {
			t.Fatalf("%s: %d %s, %d at work", call, a.Status, a.Body, work.Count())
		}
		sent := 0
		if err := a.Stream(writes(func() {
			if sent++; work.Count() != 1 {
				t.Errorf("%s: %d at work while it is sent", call, work.Count())
			}
		})); err != nil || sent == 0 || work.Count() != 0 {
			t.Errorf("%s: %v, %d writes, %d at work", call, err, sent, work.Count())
		}
		for work.Take(queriesMax) {
		}
		cancel() // it would wait for others
		if err := a.Stream(io.Discard); !errors.Is(err, query.ErrTooMany) || work.Count() != queriesMax {
			t.Errorf("%s: one too many: %v, %d at work", call, err, work.Count())
		}
		for range queriesMax {
			work.Give()
		}
	}
}

// So it is for a key, whose CSV of a call with kept answers has a place until it is sent; what the
// stream itself asks needs no other one.
func TestCSVOfAKeyIsWork(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"visits", "users", "count"} {
		s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
		g, _, _ := s.sites.Load().registry.Authorize("Bearer shop-secret", "", dialect.Read, false)
		for range queriesMax - 1 {
			g.Queries.Take(queriesMax)
		}
		path := "/api/v1/" + call + "?format=csv"
		if a := s.send("GET", path, "", secret); a.status != 200 {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
		within(t, "at rest", func() bool { return g.Queries.Count() == queriesMax-1 })
		s.send("GET", "/api/v1/visits", "", secret) // it is kept from now on
		g.Queries.Take(queriesMax)
		if a := s.send("GET", path, "", secret); a.status != 429 || a.header["retry-after"] == "" {
			t.Errorf("%s: one too many: %d", call, a.status)
		}
	}
}
