package httpd

import (
	"strings"
	"testing"

	"cairn/engine"
)

// Counters of a property that nobody has say so, and a key of the context that nothing counts
// is refused. A property that was only not met by the question is neither.
func TestCountersOfUnknownProperties(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{SealRows: 4}, nil, testSite(1, "shop"), testSite(2, "blog"))
	for range 10 { // some are sealed
		if a := s.post(`{"name":"a","user":"ada","properties":{"plan":"pro","brand":"Acme"},"context":{"url":"https://shop.example/a","path":"/a","country":"SE"}}`); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	const unknown = `"known":false`
	for _, test := range []struct {
		key, query string
		status     int
		says       string
		known      bool
	}{
		{"shop", "property=plan", 200, `"value":"pro"`, true},
		{"shop", "property=plan&value=free", 200, `"rows":[]`, true},
		{"shop", "property=plan&from=2020-01-01&to=2020-01-02", 200, `"rows":[]`, true},
		{"shop", "property=name", 200, `"value":"a"`, true},
		{"shop", "property=country", 200, `"value":"SE"`, true},
		{"shop", "property=plna", 200, `"rows":[],"total":{"events":0,"sessions":0,"users":0},"known":false,"next":null`, false},
		{"shop", "property=plna&metrics=events", 200, unknown, false},
		{"shop", "property=plna&segment=country", 200, unknown, false},
		{"shop", "property=user", 200, unknown, false},
		{"shop", "property=path", 400, "property: path is in the context of events and is not counted; ask breakdown?by=path", false},
		{"shop", "property=url", 400, "breakdown?by=url", false},
		{"shop", "property=os_version&from=2026-01-01", 400, "breakdown?by=os_version", false},
		{"shop", "property=plan&segment=path", 400, "segment: path ", false},
		{"shop", "property=plan&segment=brand", 200, `"rows":[]`, true}, // no event names it in its segments
		// brand is a key of the context too, but the site has a property of that name.
		{"shop", "property=brand", 200, `"value":"Acme"`, true},
		{"blog", "property=brand", 400, "breakdown?by=brand", false},
		{"blog", "property=plan", 200, unknown, false},
		{"blog", "property=country", 200, unknown, false},
		{"blog", "", 200, `"rows":[]`, true},
	} {
		a := s.send("GET", "/api/v1/counters?"+test.query, "", "Authorization: Bearer "+test.key+"-read")
		if a.status != test.status || !strings.Contains(a.body, test.says) || a.status == 200 && strings.Contains(a.body, unknown) == test.known {
			t.Errorf("%s: %s: %d %s", test.key, test.query, a.status, a.body)
		}
	}
	if a := s.send("GET", "/api/counts?site=shop&key=shop-read&property=path", ""); a.status != 200 || strings.Contains(a.body, "known") {
		t.Errorf("Opentracker's counts: %d %s", a.status, a.body)
	}
}
