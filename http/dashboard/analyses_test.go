package dashboard

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

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
func redirected(t *testing.T, r *made, screen string, form url.Values) state {
	t.Helper()
	form.Set("_form", "1")
	status, location, _ := look(t, r, screen+"?"+form.Encode())
	if status != 303 {
		t.Fatalf("%d", status)
	}
	path, query, _ := strings.Cut(location, "?")
	if path != "/cairn/dashboard/site/shop/"+screen {
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
	r := &made{answers: map[string]string{"funnel/entities": `{"entities":["a b","x/y?z","ü%",".."],"next":null}`}}
	_, _, page := look(t, r, "funnels?step=name%3Da&step=name%3Db&_at=1&_state=dropped&country=DE")
	shows(t, page, `href="/cairn/dashboard/site/shop/people/a%20b?`, `/people/x%2Fy%3Fz?`, `/people/%C3%BC%25?`, `/people?range=30d&amp;country=DE&amp;user=..`)
	if q := r.one(t, "funnel/entities"); q.get("at") != "1" || q.get("state") != "dropped" || q.get("country") != "DE" || q.get("limit") != "100" || !slices.Equal(q.all("step"), []string{"name=a", "name=b"}) {
		t.Errorf("asked %q", q)
	}
}
