package httpd

import (
	"strings"
	"testing"
)

// The script and the reporting calls through the real server: which dialect answers on
// shared paths, and what a browser needs in the answer.
func TestMatomoReading(t *testing.T) {
	t.Parallel()
	s := withVisits(t, nil)
	const (
		form = "Content-Type: application/x-www-form-urlencoded"
		call = "module=API&format=json&method=SitesManager.getSiteFromId&filter_limit=-1&idSite=1"
		shop = `{"idsite":"1","name":"shop","main_url":"http://shop.example"`
	)
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string // how the body begins
	}{
		{"the script", "GET", "/matomo.js", "", nil, 200, "(function () {"},
		{"the script, by its old name and with a version", "GET", "/stats/piwik.js?v=3", "", []string{"Origin: https://shop.example"}, 200, "(function () {"},
		{"a look at the script", "HEAD", "/matomo.js", "", nil, 200, ""},
		{"the script in its old folder", "GET", "/js/", "", nil, 200, "(function () {"},
		{"a script that is posted to", "POST", "/matomo.js", "a=b", []string{form}, 405, ""},
		{"a call by form", "POST", "/", call + "&token_auth=shop-token", []string{form}, 200, shop},
		{"a call by form to index.php", "POST", "/index.php", call + "&token_auth=shop-token", []string{form}, 200, shop},
		{"a call to a folder", "POST", "/matomo/", call + "&token_auth=shop-token", []string{form}, 200, shop},
		{"a call by query", "GET", "/?" + call + "&token_auth=shop-token", "", nil, 200, shop},
		{"a call by the admin", "POST", "/?" + call, "token_auth=admin", []string{form}, 200, shop},
		{"a call by a tracker", "POST", "/", call + "&token_auth=shop-tracking", []string{form}, 200, shop},
		{"a call with another key", "POST", "/", call + "&token_auth=shop-write", []string{form}, 200, `{"result":"error"`},
		{"a call that is too long", "POST", "/matomo/", call + strings.Repeat("x", 70<<10), []string{form}, 413, ""},
		{"a form with an si", "POST", "/", "si=shop&ti=Played&module=API", []string{form}, 200, ""},
		{"a form of neither", "POST", "/", "a=b", []string{form}, 400, ""},
	} {
		got := s.send(c.method, c.target, c.body, append(c.headers, "X-Forwarded-For: 203.0.113.9")...)
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) {
			t.Errorf("%s: %d %.200s", c.name, got.status, got.body)
		}
	}
	if got := s.send("GET", "/api/v1/count", "", "Authorization: Bearer shop-secret"); !strings.HasPrefix(got.body, `{"events":1,`) {
		t.Errorf("one of these was an event, of Opentracker: %s", got.body)
	}
	script := s.send("GET", "/matomo.js", "", "Accept-Encoding: gzip", "Origin: https://shop.example")
	if h := script.header; h["content-encoding"] != "gzip" || h["access-control-allow-origin"] != "*" || h["vary"] != "Accept-Encoding" || h["content-type"] != "application/javascript; charset=UTF-8" {
		t.Errorf("the script's header: %v", h)
	}
	if again := s.send("GET", "/matomo.js", "", "Accept-Encoding: gzip", "If-None-Match: "+script.header["etag"]); again.status != 304 || again.body != "" {
		t.Errorf("the script again: %d, %d bytes", again.status, len(again.body))
	}
}
