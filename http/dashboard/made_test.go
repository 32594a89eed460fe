package dashboard

import (
	"context"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file has what the tests of screens put in the place of the server: answers that are made up,
// a gate that lets everybody in, and addresses.

// shown is the time of every request.
var shown = time.Date(2026, 11, 29, 19, 0, 0, 0, time.UTC)

// made answers calls from a table: the call, or the call and its query, to the answer. A text that
// begins with a number is an answer of that status.
type made struct {
	mu      sync.Mutex
	answers map[string]string
	asked   []string
	changes []string
}

func (m *made) Ask(_ context.Context, _ *Viewer, _ *dialect.Site, call, query string) Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, call+"?"+query)
	text, ok := m.answers[call+"?"+query]
	if !ok {
		if text, ok = m.answers[call]; !ok {
			text = `404 {"error":"not found","status":404}`
		}
	}
	if strings.HasPrefix(text, "{") {
		return Answer{Status: 200, Body: []byte(text)}
	}
	status := int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
	return Answer{Status: status, Body: []byte(text[4:]), Wait: time.Second}
}

// asks says whether a call was asked with all of some parts in its decoded query.
func (m *made) asks(call string, parts ...string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.asked {
		text, _ := url.QueryUnescape(a)
		all := strings.HasPrefix(a, call+"?")
		for _, part := range parts {
			all = all && strings.Contains(text, part)
		}
		if all {
			return true
		}
	}
	return false
}

// all are the questions of a call.
func (m *made) all(call string) (list []state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.asked {
		if query, ok := strings.CutPrefix(a, call+"?"); ok {
			list = append(list, parseRaw(query))
		}
	}
	return list
}

// one is the only question of a call.
func (m *made) one(t *testing.T, call string) state {
	t.Helper()
	list := m.all(call)
	if len(list) != 1 {
		t.Fatalf("%s was asked %d times: %q", call, len(list), list)
	}
	return list[0]
}

// Send answers with CSV where that is asked for: the question itself. Whoever has the tag has it.
func (m *made) Send(ctx context.Context, req *dialect.Request, v *Viewer, site *dialect.Site, call, query string) Answer {
	a := m.Ask(ctx, v, site, call, query)
	if a.Status != 200 {
		return a
	}
	a.Header = [][2]string{{"ETag", `"tag"`}}
	switch {
	case req.Header("If-None-Match") == `"tag"`:
		a.Status, a.Body = 304, nil
	case strings.Contains(query, "format=csv"):
		a.Header = append(a.Header, [2]string{"Content-Disposition", "attachment"})
		a.Stream, a.Body = func(w io.Writer) error { _, err := io.WriteString(w, call+"?"+query); return err }, nil
	}
	return a
}

// Takes answers by the table of calls of the API.
func (m *made) Takes(call, param string) (takes, known bool) { return native.Takes(call, param) }

// Follow answers with the stream of the table.
func (m *made) Follow(_ *dialect.Request, v *Viewer, site *dialect.Site, query string) Answer {
	a := m.Ask(context.Background(), v, site, "live/stream", query)
	if a.Status == 200 {
		a.Stream, a.Body = func(io.Writer) error { return nil }, nil
	}
	return a
}

// Change takes whatever is saved.
func (m *made) Change(_ context.Context, _ *Viewer, _ *dialect.Site, method, call string, body []byte) Answer {
	m.changes = append(m.changes, method+" "+call+" "+string(body))
	if text := m.answers[method]; text != "" {
		return Answer{Status: 200, Body: []byte(text)}
	}
	return Answer{Status: 200, Body: []byte(`{}`)}
}

// openGate lets everybody in.
type openGate struct{ v *Viewer }

func (g openGate) Viewer(*dialect.Request, bool) *Viewer         { return g.v }
func (openGate) Login(*dialect.Request, string) (string, error)  { return "", nil }
func (openGate) Open(*dialect.Request, string) (string, error)   { return "", nil }
func (openGate) Share(*dialect.Request, string) (*Viewer, error) { return nil, nil }
func (openGate) Logout(*dialect.Request) string                  { return "" }
func (openGate) FromPage(*dialect.Request) bool                  { return true }
func (openGate) Readable(*dialect.Request) bool                  { return false }

type atRoot struct{}

func (atRoot) Base() string                                  { return "" }
func (atRoot) Public(_ *dialect.Request, path string) string { return "http://stats.example" + path }

// below is a server whose paths begin with a base. The paths of requests come without it.
type below struct{ atRoot }

func (below) Base() string { return "/cairn" }

func noHeader(string) string { return "" }

const madeSite = `{"name":"shop","zone":"UTC","first":"2026-01-01T00:00:00.000Z","last":"2026-11-29T18:00:00.000Z","events":9,"dialects":["native"]}`

// get asks for a screen of the site shop, and waits for all of it.
func get(t *testing.T, d *Dashboard, path string) *dialect.Response {
	t.Helper()
	path, raw, _ := strings.Cut(path, "?")
	if raw != "" {
		raw += "&"
	}
	res := new(dialect.Response)
	d.siteScreen(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/site/shop" + path, RawQuery: raw + "_wait=1", Header: noHeader}, res)
	return res
}

// screenOn renders a screen of a site, with whatever it asks answered from a table.
func screenOn(t *testing.T, m *made, path string, change ...func(*Viewer)) string {
	t.Helper()
	return screenAs(t, 200, m, path, change...)
}

// screenAs is screenOn for an answer of some status.
func screenAs(t *testing.T, status int, m *made, path string, change ...func(*Viewer)) string {
	t.Helper()
	if m.answers["site"] == "" {
		m.answers["site"] = madeSite
	}
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	v := &Viewer{Sites: []*dialect.Site{site}}
	for _, f := range change {
		f(v)
	}
	res := get(t, New(Options{Reports: m, Gate: openGate{v}, Addresses: atRoot{}, Now: func() time.Time { return shown }}), path)
	if res.Status != status {
		t.Fatalf("%s: status %d: %s", path, res.Status, res.Body)
	}
	body := string(res.Body)
	whole(t, body)
	return body
}

// look asks for a screen below /dashboard/site/shop/ of a server that has nothing but what the
// answers say, for somebody who may save.
func look(t *testing.T, m *made, address string) (status int, location, page string) {
	t.Helper()
	site := &dialect.Site{Site: query.Site{Name: "shop", Location: time.UTC}}
	d := New(Options{Reports: m, Gate: openGate{&Viewer{Sites: []*dialect.Site{site}, Save: true}}, Addresses: below{}, Now: func() time.Time { return time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC) }})
	res := get(t, d, "/"+address)
	page = strings.ReplaceAll(string(res.Body), space, " ")
	if strings.Contains(page, "{{") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "<script>alert") {
		t.Errorf("%s: bad HTML:\n%s", address, page)
	}
	return res.Status, header(res, "Location"), page
}
