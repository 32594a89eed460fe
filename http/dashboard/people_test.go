package dashboard

import (
	"context"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file tests the screens of events, of people and of now over made-up answers.

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

const madeSite = `{"name":"shop","zone":"UTC","first":"2026-01-01T00:00:00.000Z","last":"2026-11-29T18:00:00.000Z","events":9,"dialects":["native"]}`

// screenOn renders a screen of a site, with whatever it asks answered from a table.
func screenOn(t *testing.T, m *made, path string, change ...func(*Viewer)) string {
	t.Helper()
	if m.answers["site"] == "" {
		m.answers["site"] = madeSite
	}
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	v := &Viewer{Sites: []*dialect.Site{site}}
	for _, f := range change {
		f(v)
	}
	d := New(Options{Reports: m, Gate: openGate{v}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	path, raw, _ := strings.Cut(path, "?")
	if raw != "" {
		raw += "&"
	}
	req := &dialect.Request{Method: "GET", Path: "/dashboard/site/shop" + path, RawQuery: raw + "_wait=1", Header: func(string) string { return "" }}
	res := new(dialect.Response)
	d.siteScreen(context.Background(), req, res)
	if res.Status != 200 {
		t.Fatalf("%s: status %d: %s", path, res.Status, res.Body)
	}
	body := string(res.Body)
	whole(t, body)
	return body
}

var (
	tagPattern  = regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:_-]*(?:="[^"<>]*")?)*)\s*/?>|<!doctype html>`)
	attrPattern = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9:_-]*)(?:="([^"<>]*)")?`)
)

// whole fails when a page has what no page may have: a script or handler of its own, a style, a
// link to where no link may lead, two elements of one id, or a < that begins no element of ours.
func whole(t *testing.T, page string) {
	t.Helper()
	if rest := tagPattern.ReplaceAllString(page, ""); strings.Contains(rest, "<") {
		at := strings.IndexByte(rest, '<')
		t.Errorf("something begins no element: %q", rest[at:min(len(rest), at+200)])
	}
	ids := map[string]bool{}
	for _, tag := range tagPattern.FindAllStringSubmatch(page, -1) {
		if slices.Contains([]string{"img", "iframe", "style", "object", "base"}, tag[2]) {
			t.Errorf("the page has a <%s>", tag[2])
		}
		for _, a := range attrPattern.FindAllStringSubmatch(tag[3], -1) {
			key, value := a[1], html.UnescapeString(a[2])
			switch {
			case key == "style", strings.HasPrefix(key, "on"):
				t.Errorf("<%s> has %s=%q", tag[2], key, value)
			case key == "href" && strings.Contains(value, "#ZgotmplZ"):
				t.Errorf("<%s> has a link that the template took away", tag[2])
			case key == "href" && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "http"):
				t.Errorf("<%s> leads to %q", tag[2], value)
			case key == "id" && ids[value]:
				t.Errorf("two elements have the id %q", value)
			case key == "id":
				ids[value] = true
			}
		}
	}
}

// quoted is a text as JSON.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The texts that whoever sends an event may send.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, `' onclick='x`,
	"\u202eright to left\u202c", "zero\u200bwidth", "🦄", strings.Repeat("long ", 205), `{{.}}`, `</textarea></title>`, `a&b=c#d?e/f+g%2F`, "..", ".", " ", "line\nbreak", "\x00",
}

func mustHave(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q", part)
		}
	}
}

func mustNotHave(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q", part)
		}
	}
}
