package dashboard

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/http/dialect"
)

// cannedReports answers calls with what a test has made up, and keeps what was asked.
type cannedReports struct {
	answers map[string]string // by call; a body that begins with a status is that failure's
	mu      sync.Mutex
	asked   map[string][]state
}

func (r *cannedReports) Ask(_ context.Context, _ *Viewer, _ *dialect.Site, call, query string) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[string][]state{}
	}
	r.asked[call] = append(r.asked[call], parseRaw(query))
	body, ok := r.answers[call]
	if !ok {
		return Answer{Status: 404, Body: []byte(`{"error":"not made up"}`)}
	}
	if bad, is := strings.CutPrefix(body, "400 "); is {
		return Answer{Status: 400, Body: []byte(bad)}
	}
	return Answer{Status: 200, Body: []byte(body)}
}

func (r *cannedReports) Change(context.Context, *Viewer, *dialect.Site, string, string, []byte) Answer {
	return Answer{Status: 500}
}

// one is the only question of a call.
func (r *cannedReports) one(t *testing.T, call string) state {
	t.Helper()
	if len(r.asked[call]) != 1 {
		t.Fatalf("%s was asked %d times: %q", call, len(r.asked[call]), r.asked[call])
	}
	return r.asked[call][0]
}

// cannedGate lets everybody look and save.
type cannedGate struct{ sites []*dialect.Site }

func (g cannedGate) Viewer(*dialect.Request, bool) *Viewer {
	return &Viewer{Sites: g.sites, Save: true}
}
func (cannedGate) Login(*dialect.Request, string) (string, error)  { return "", nil }
func (cannedGate) Open(*dialect.Request, string) (string, error)   { return "", nil }
func (cannedGate) Share(*dialect.Request, string) (*Viewer, error) { return nil, nil }
func (cannedGate) Logout(*dialect.Request) string                  { return "" }
func (cannedGate) FromPage(*dialect.Request) bool                  { return true }
func (cannedGate) Readable(*dialect.Request) bool                  { return false }
func (cannedGate) Base() string                                    { return "/base" }
func (cannedGate) Public(_ *dialect.Request, path string) string {
	return "https://stats.example" + path
}
func noHeader(string) string { return "" }

// look asks for a screen below /dashboard/site/shop/, and waits for all of it.
func look(t *testing.T, r *cannedReports, address string) (status int, location, page string) {
	t.Helper()
	site := new(dialect.Site)
	site.Name, site.Location = "shop", time.UTC
	g := cannedGate{[]*dialect.Site{site}}
	d := New(Options{Reports: r, Gate: g, Addresses: g, Now: func() time.Time { return time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC) }})
	path, query, _ := strings.Cut(address, "?")
	if strings.Contains(query, "=") {
		query += "&"
	}
	req := &dialect.Request{Method: "GET", Path: "/dashboard/site/shop/" + path, RawQuery: query + "_wait=1", Header: noHeader}
	var res dialect.Response
	d.siteScreen(t.Context(), req, &res)
	for _, h := range res.Header {
		if h[0] == "Location" {
			location = h[1]
		}
	}
	page = strings.ReplaceAll(string(res.Body), space, " ")
	if strings.Contains(page, "{{") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "<script>alert") {
		t.Errorf("%s: bad HTML:\n%s", address, page)
	}
	return res.Status, location, page
}

// shows fails unless a page has all texts, in their order.
func shows(t *testing.T, page string, texts ...string) {
	t.Helper()
	rest := page
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Fatalf("%q is not there, or not after what comes before it:\n%s", text, rest)
		}
		rest = after
	}
}

// redirected is where a form leads: the query of the address that the server sends the browser to.
func redirected(t *testing.T, r *cannedReports, screen string, form url.Values) state {
	t.Helper()
	form.Set("_form", "1")
	status, location, _ := look(t, r, screen+"?"+form.Encode())
	if status != 303 {
		t.Fatalf("%d", status)
	}
	path, query, _ := strings.Cut(location, "?")
	if path != "/base/dashboard/site/shop/"+screen {
		t.Fatalf("to %s", location)
	}
	s := parseRaw(query)
	for _, p := range s {
		if strings.HasPrefix(p.key, "_") {
			t.Errorf("the address has a field of the form: %s", location)
		}
	}
	return s
}

const hostileText = "<script>alert(1)</script>\u202e\"'"

func TestSegmentsOfPaths(t *testing.T) {
	r := &cannedReports{answers: map[string]string{"funnel/entities": `{"entities":["a b","x/y?z","ü%",".."],"next":null}`}}
	_, _, page := look(t, r, "funnels?step=name%3Da&step=name%3Db&_at=1&_state=dropped&country=DE")
	shows(t, page, `href="/base/dashboard/site/shop/people/a%20b?`, `/people/x%2Fy%3Fz?`, `/people/%C3%BC%25?`, `/people?range=30d&amp;country=DE&amp;user=..`)
	if q := r.one(t, "funnel/entities"); q.get("at") != "1" || q.get("state") != "dropped" || q.get("country") != "DE" || q.get("limit") != "100" || !slices.Equal(q.all("step"), []string{"name=a", "name=b"}) {
		t.Errorf("asked %q", q)
	}
}
