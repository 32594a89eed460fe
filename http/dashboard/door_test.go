package dashboard

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// lock is a gate that one key and one code open.
type lock struct {
	openGate
	foreign bool // forms come from elsewhere
}

func (l *lock) Login(_ *dialect.Request, key string) (string, error) {
	if key == "again" {
		return "", &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many tries"}
	}
	if key != "right" {
		return "", errors.New("no such key")
	}
	return "cairn-1=secret", nil
}

func (l *lock) Open(_ *dialect.Request, code string) (string, error) {
	if code != "AAAA-BBBB" {
		return "", errors.New("this link was used")
	}
	return "cairn-1=secret", nil
}
func (l *lock) Logout(*dialect.Request) string        { return "cairn-1=; Max-Age=0" }
func (l *lock) FromPage(*dialect.Request) bool        { return !l.foreign }
func (l *lock) Viewer(*dialect.Request, bool) *Viewer { return l.v }

// asks sends a request to whichever route takes it.
func (d *Dashboard) asks(t *testing.T, method, target, body string) *dialect.Response {
	t.Helper()
	path, raw, _ := strings.Cut(target, "?")
	var found *Route
	for _, r := range d.Routes() {
		prefix, open := strings.CutSuffix(r.Path, "*")
		if slices.Contains(r.Methods, method) && (r.Path == path || open && strings.HasPrefix(path, prefix)) {
			found = &r
		}
	}
	if found == nil {
		t.Fatalf("no route for %s %s", method, path)
	}
	res := new(dialect.Response)
	found.Serve(t.Context(), &dialect.Request{Method: method, Path: path, RawQuery: raw, Body: []byte(body), Header: func(string) string { return "" }}, res)
	return res
}

func header(res *dialect.Response, name string) (value string) {
	for _, h := range res.Header {
		if h[0] == name {
			value = h[1]
		}
	}
	return value
}

func TestDoor(t *testing.T) {
	one := &dialect.Site{Site: query.Site{ID: 1, Name: "a/b"}}
	two := &dialect.Site{Site: query.Site{ID: 2, Name: "two"}}
	for _, c := range []struct {
		what         string
		gate         *lock
		method, path string
		form         url.Values
		status       int
		location     string
		cookie       string
		text         string
	}{
		{"nobody", &lock{}, "GET", "/dashboard", nil, 303, "/dashboard/login", "", ""},
		{"one site", &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{one}}}}, "GET", "/dashboard", nil, 303, "/dashboard/site/a%2Fb", "", ""},
		{"two sites", &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{one, two}}}}, "GET", "/dashboard", nil, 303, "/dashboard/sites", "", ""},
		{"a screen", &lock{}, "GET", "/dashboard/site/two?range=7d&country=DE", nil, 303, "/dashboard/login?next=%2Fdashboard%2Fsite%2Ftwo%3Frange%3D7d%26country%3DDE", "", ""},
		{"a fragment", &lock{}, "GET", "/dashboard/site/two?_panel=chart", nil, 401, "", "", "log in"},
		{"another's site", &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{one}}}}, "GET", "/dashboard/site/two", nil, 404, "", "", textNotFound},
		{"a slash at the end", &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{two}}}}, "GET", "/dashboard/site/two/pages/", nil, 303, "/dashboard/site/two/pages", "", ""},
		{"no such screen", &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{two}}}}, "GET", "/dashboard/site/two/nothing", nil, 404, "", "", textNotFound},
		{"the form", &lock{}, "GET", "/dashboard/login?next=/dashboard/site/two", nil, 200, "", "", `name="next" value="/dashboard/site/two"`},
		{"right", &lock{}, "POST", "/dashboard/login", url.Values{"key": {" right "}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"right, and next", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/site/two?range=7d"}}, 303, "/dashboard/site/two?range=7d", "cairn-1=secret", ""},
		{"next elsewhere", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"https://evil.example/dashboard/"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next of slashes", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"//evil.example/dashboard/"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next through slashes", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard//evil.example"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next with a line", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/x\r\nSet-Cookie: a=b"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next out of it", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/../metrics"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next out of it, spelled", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/%2e%2e/metrics"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next with a line in its query", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/x?\r\nSet-Cookie: a=b"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"next of a backslash", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {"/dashboard/\\evil.example"}}, 303, "/dashboard", "cairn-1=secret", ""},
		{"wrong", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"wrong"}, "next": {"/dashboard/site/two"}}, 403, "", "", "no such key"},
		{"too often", &lock{}, "POST", "/dashboard/login", url.Values{"key": {"again"}}, 429, "", "", "too many tries"},
		{"foreign", &lock{foreign: true}, "POST", "/dashboard/login", url.Values{"key": {"right"}}, 403, "", "", textForeign},
		{"a link", &lock{}, "GET", "/dashboard/open/AAAA-BBBB", nil, 200, "", "", "data-press"},
		{"a link pressed", &lock{}, "POST", "/dashboard/open/AAAA-BBBB", nil, 303, "/dashboard", "cairn-1=secret", ""},
		{"a spent link", &lock{}, "POST", "/dashboard/open/AAAA-CCCC", nil, 403, "", "", "cairn dashboard"},
		{"a foreign press", &lock{foreign: true}, "POST", "/dashboard/open/AAAA-BBBB", nil, 403, "", "", textForeign},
		{"out", &lock{}, "POST", "/dashboard/logout", nil, 303, "/dashboard/login", "cairn-1=; Max-Age=0", ""},
		{"out, foreign", &lock{foreign: true}, "POST", "/dashboard/logout", nil, 403, "", "", textForeign},
	} {
		d := New(Options{Reports: madeOverview(plainName), Gate: c.gate, Addresses: atRoot{}, Now: func() time.Time { return shown }})
		res := d.asks(t, c.method, c.path, c.form.Encode())
		if res.Status != c.status || header(res, "Location") != c.location || header(res, "Set-Cookie") != c.cookie || !strings.Contains(string(res.Body), c.text) {
			t.Errorf("%s: %d, Location %q, Set-Cookie %q, %s", c.what, res.Status, header(res, "Location"), header(res, "Set-Cookie"), res.Body)
		}
		if strings.Contains(string(res.Body), "evil") {
			t.Errorf("%s: %s", c.what, res.Body)
		}
	}
}

// Every page says the same of who may show it and what it may load.
func TestHeadersOfPages(t *testing.T) {
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}
	d := New(Options{Reports: madeOverview(plainName), Gate: &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{site}}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	for _, path := range []string{"/dashboard/login", "/dashboard/open/X", "/dashboard/sites", "/dashboard/site/shop", "/dashboard/site/shop?_panel=pages", "/dashboard/site/none"} {
		res := d.asks(t, "GET", path, "")
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types cairn",
			"Cache-Control":           "private, no-cache", "Vary": "Cookie, Accept-Language, Accept-Encoding", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := header(res, name); got != want {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
		if header(res, "Permissions-Policy") == "" || header(res, "Access-Control-Allow-Origin") != "" || res.ContentType != "text/html; charset=utf-8" {
			t.Errorf("%s: %v, %s", path, res.Header, res.ContentType)
		}
	}
}

// The way in ends at the screen that was asked for, below a base and whatever its filters hold.
func TestWayInBelowBase(t *testing.T) {
	d := New(Options{Reports: madeOverview(plainName), Gate: &lock{}, Addresses: below{}, Now: func() time.Time { return shown }})
	for _, asked := range []string{"/dashboard/site/two/pages?range=7d", "/dashboard/site/two?url=https://a.example//b", "/dashboard/site/two/people/a%2F%2Fb"} {
		login := header(d.asks(t, "GET", asked, ""), "Location")
		_, next, _ := strings.Cut(login, "?next=")
		next, err := url.QueryUnescape(next)
		if err != nil || !strings.HasPrefix(login, "/cairn/dashboard/login?") {
			t.Fatal(login, err)
		}
		res := d.asks(t, "POST", "/dashboard/login", url.Values{"key": {"right"}, "next": {next}}.Encode())
		if got := header(res, "Location"); got != "/cairn"+asked {
			t.Errorf("%s: the login leads to %s", asked, got)
		}
	}
	if body := string(d.asks(t, "GET", "/dashboard/open/AAAA-BBBB", "").Body); !strings.Contains(body, `action="/cairn/dashboard/open/AAAA-BBBB"`) {
		t.Errorf("the one-time link is pressed elsewhere: %s", body)
	}
}

// A form is the call of the API that does the same.
func TestSavedForms(t *testing.T) {
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}
	for _, c := range []struct {
		form url.Values
		want string // method, call, body
		text string // of the answer, or where it leads
	}{
		{url.Values{"do": {"save"}, "kind": {"filter"}, "name": {"Berlin"}, "query": {"visit.city=Berlin&path~=/a*"}, "next": {"/dashboard/site/shop?visit.city=Berlin"}},
			`POST saved {"kind":"filter","name":"Berlin","query":"visit.city=Berlin\u0026path~=/a*"}`, "/dashboard/site/shop?visit.city=Berlin"},
		{url.Values{"do": {"save"}, "kind": {"goal"}, "id": {"0a"}, "revision": {"3"}, "name": {"New"}, "query": {"name=x"}},
			`PUT saved/0a {"id":"0a","kind":"goal","name":"New","query":"name=x","revision":3}`, "/dashboard/site/shop/setup#saved"},
		{url.Values{"do": {"delete"}, "kind": {"goal"}, "id": {"0a"}}, `DELETE saved/0a `, "/dashboard/site/shop/setup#saved"},
		{url.Values{"do": {"delete"}, "kind": {"share"}, "id": {"0a"}, "name": {"Board"}, "confirm": {"Bored"}}, ``, textConfirm},
		{url.Values{"do": {"delete"}, "kind": {"share"}, "id": {"0a"}}, ``, textConfirm},
		{url.Values{"do": {"save"}, "kind": {"goal"}, "id": {"0a"}, "name": {"New"}}, ``, textOldForm},
		{url.Values{"do": {"delete"}, "kind": {"share"}, "id": {"0a"}, "name": {"Board"}, "confirm": {"Board"}}, `DELETE saved/0a `, "/dashboard/site/shop/setup#saved"},
		{url.Values{"do": {"save"}, "kind": {"share"}, "name": {"Board"}, "scope": {"numbers"}, "props": {"plan, size"}, "embed": {"https://a.example"}, "filter": {""}},
			`POST saved {"kind":"share","name":"Board","query":"","scope":"numbers","props":["plan","size"],"embed":["https://a.example"]}`, "http://stats.example/dashboard/s/tok"},
		{url.Values{"do": {"save"}, "kind": {"note"}, "time": {"2026-11-01"}, "text": {"Relaunch"}},
			`POST saved {"kind":"note","name":"","query":"","time":"2026-11-01","text":"Relaunch"}`, "/dashboard/site/shop/setup#saved"},
	} {
		m := &made{answers: map[string]string{}}
		if c.form.Get("kind") == "share" {
			m.answers["POST"] = `{"id":"1","kind":"share","name":"Board","token":"tok"}`
		}
		d := New(Options{Reports: m, Gate: &lock{openGate: openGate{&Viewer{Sites: []*dialect.Site{site}, Save: true}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
		res := d.asks(t, "POST", "/dashboard/site/shop/saved", c.form.Encode())
		if got := strings.Join(m.changes, "\n"); got != c.want {
			t.Errorf("%v: %s", c.form, got)
		}
		if header(res, "Location") != c.text && !strings.Contains(string(res.Body), c.text) {
			t.Errorf("%v: %d, Location %q, %s", c.form, res.Status, header(res, "Location"), res.Body)
		}
	}
	foreign := New(Options{Reports: &made{}, Gate: &lock{foreign: true}, Addresses: atRoot{}, Now: time.Now})
	if res := foreign.asks(t, "POST", "/dashboard/site/shop/saved", "do=delete&id=1"); res.Status != 403 {
		t.Errorf("a foreign form: %d", res.Status)
	}
}

// sharing is a gate that knows one share.
type sharing struct {
	openGate
	share Share
}

func (g *sharing) Viewer(*dialect.Request, bool) *Viewer { return nil }
func (g *sharing) Share(_ *dialect.Request, token string) (*Viewer, error) {
	switch token {
	case "tok":
		share := g.share
		return &Viewer{Sites: []*dialect.Site{{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}}, Share: &share}, nil
	case "tired":
		return nil, &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many tries; wait a minute"}
	case "ill":
		return nil, errors.New("read 000007.sst: input/output error")
	}
	return nil, nil
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		share  Share
		path   string
		status int
		want   []string
		not    []string
	}{
		{Share{}, "/dashboard/s/tok?_wait=1", 200, []string{"361,227", `href="/dashboard/s/tok/pages?range=30d`, `href="/dashboard/s/tok?range=7d`, `/dashboard/s/tok/data/visits?`},
			[]string{"/dashboard/site/", "/api/v1/", "Log out", "/setup", "/dashboard/s/tok/events", "Share</a>"}},
		{Share{}, "/dashboard/s/tok/pages?_wait=1", 200, []string{"name-9"}, nil},
		{Share{}, "/dashboard/s/tok/events", 404, []string{textNotFound}, nil},
		{Share{People: true}, "/dashboard/s/tok?_wait=1", 200, []string{"/dashboard/s/tok/events"}, nil},
		{Share{People: true}, "/dashboard/s/tok/setup", 404, []string{textNotFound}, nil},
		{Share{}, "/dashboard/s/none", 404, []string{textNotFound}, []string{"361,227"}},
		{Share{}, "/dashboard/s/tired", 429, []string{"wait a minute"}, nil},
		{Share{}, "/dashboard/s/tok/data/visits?range=7d", 200, []string{`"visitors":361227`}, nil},
		{Share{}, "/dashboard/s/ill", 500, []string{textFailed}, []string{"sst"}},
		{Share{}, "/dashboard/s/tok/data/admin/snapshot", 404, nil, nil},
		{Share{People: true}, "/dashboard/s/tok/data/live/stream?name=a", 403, []string{"refused"}, nil},
		{Share{People: true}, "/dashboard/s/tok/data/users/a%2Fb", 200, []string{"of a%2Fb"}, nil},
		{Share{}, "/dashboard/e/tok", 403, []string{textNoEmbed}, []string{"361,227"}},
		{Share{Embed: []string{"https://a.example", "http://b.example:8080"}}, "/dashboard/e/tok?_show=numbers,pages&_theme=dark&_bg=transparent&_wait=1", 200,
			[]string{"361,227", "name-9", `data-theme="dark"`, "embed plain"}, []string{"<a ", "<header class=\"bar\"", "Countries", "<form"}},
		{Share{Embed: []string{"*"}}, "/dashboard/e/tok/pages", 404, nil, nil},
		{Share{Embed: []string{"*"}}, "/dashboard/e/tok?_show=nothing&_full=pages&_wait=1", 200, []string{"361,227"}, []string{"name-9"}},
		{Share{Embed: []string{"*"}}, "/dashboard/e/tok?_from=2026-11-01&_to=2026-11-02&_full=pages&_show=numbers,pages&_wait=1", 200, []string{"361,227"}, []string{"<form", "<a "}},
	} {
		m := madeOverview(plainName)
		m.answers["site"], m.answers["users/a%2Fb"], m.answers["live/stream?name=a"] = madeSite, `{"id":"of a%2Fb"}`, `403 {"error":"refused"}`
		d := New(Options{Reports: m, Gate: &sharing{share: c.share}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
		res := d.asks(t, "GET", c.path, "")
		body := string(res.Body)
		if res.Status != c.status {
			t.Errorf("%s: %d", c.path, res.Status)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: lacks %s", c.path, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(body, not) {
				t.Errorf("%s: has %s", c.path, not)
			}
		}
		if header(res, "Referrer-Policy") != "no-referrer" || header(res, "X-Robots-Tag") != "noindex" || header(res, "Set-Cookie") != "" {
			t.Errorf("%s: %v", c.path, res.Header)
		}
		want := "frame-ancestors 'none'"
		if c.share.Embed != nil && strings.HasPrefix(c.path, "/dashboard/e/") {
			want = "frame-ancestors " + strings.Join(c.share.Embed, " ")
		}
		if csp := header(res, "Content-Security-Policy"); csp != "" && !strings.Contains(csp+";", want+";") {
			t.Errorf("%s: %s", c.path, csp)
		}
	}
}
