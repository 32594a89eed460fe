package httpd

import (
	"strings"
	"testing"

	"cairn/engine"
)

// Imported events go through the site's exclusions, privacy settings and detection with the source
// that they name, and without one nothing is detected. Each bad one is refused for itself.
func TestImport(t *testing.T) {
	site := testSite(1, "shop")
	var err error
	if site.Exclude, err = NewExclusions([]string{"198.51.100.0/24"}, []string{"probe"}); err != nil {
		t.Fatal(err)
	}
	s := onStore(t, engine.Options{}, nil, site)
	const key = "Authorization: Bearer shop-secret"
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	lines := strings.Join([]string{
		`{"type":"page","name":"found","message_id":"1","time":"2020-01-01T00:00:00Z","context":{"url":"https://shop.example/a?utm_source=x"},"source":{"ip":"203.0.113.77","user_agent":"` + firefox + `","accept_language":"de"}}`,
		`{"type":"page","name":"known","message_id":"2","dialect":"matomo","time":"2020-01-01T00:00:00Z","session_of":null,"context":{"url":"https://shop.example/a?utm_source=x"}}`,
		`{"type":"page","name":"address","message_id":"3","source":{"ip":"198.51.100.7"}}`,
		`{"type":"page","name":"agent","message_id":"4","source":{"user_agent":"a probe"}}`,
		`{"type":"page","name":"bot","message_id":"5","dialect":"matomo","source":{"user_agent":"Googlebot/2.1 (+http://www.google.com/bot.html)"}}`,
		`{"type":"page","name":"no address","source":{"ip":"localhost"}}`,
		`{"type":"page","name":"no session","session_of":"x"}`,
		`{"type":"page","name":"future","received":4102444800}`,
	}, "\n")
	const want = `{"accepted":2,"duplicates":0,"excluded":3,"rejected":[` +
		`{"index":5,"error":"source.ip: is not an address","field":"source.ip"},` +
		`{"index":6,"error":"session_of: must be 32 hexadecimal digits, the id of an event, or null for an event in no session","field":"session_of"},` +
		`{"index":7,"error":"received: is in the future","field":"received"}]}`
	if a := s.send("POST", "/api/v1/events?import=1", lines, key, "Content-Type: application/x-ndjson"); a.status != 207 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s\nwant %s", a.status, a.body, want)
	}
	if a := s.send("POST", "/api/v1/events?import=1", lines, key, "Content-Type: application/x-ndjson"); !strings.HasPrefix(a.body, `{"accepted":0,"duplicates":2,`) {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	list := s.send("GET", "/api/v1/events?order=asc", "", key).body
	for _, part := range []string{
		`"name":"found","time":"2020-01-01T00:00:00.000Z","received":"2020-01-01T00:00:00.000Z"`, `"browser":"Firefox"`, `"language":"de"`, `"ip":"203.0.113.0"`, `"utm_source":"x"`,
		`"dialect":"matomo","type":"page","name":"known","time":"2020-01-01T00:00:00.000Z","received":"2020-01-01T00:00:00.000Z","message_id":"2","context":{"url":"https://shop.example/a?utm_source=x"}}`,
	} {
		if !strings.Contains(list, part) {
			t.Errorf("%s is not in %s", part, list)
		}
	}
	for _, gone := range []string{firefox, "203.0.113.77"} {
		if strings.Contains(list, gone) {
			t.Errorf("%s is stored: %s", gone, list)
		}
	}
	for query, status := range map[string]int{"import=yes": 400, "import=1&import=1": 400, "import=1": 400} {
		if a := s.send("POST", "/api/v1/events?"+query, `{"name":"a","dialect":"x"}`, key); a.status != status {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}
