package httpd

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/testkit"
)

var writeKey = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("shop-write:"))

const trackCall = `{"event":"e","userId":"u"}`

// Trackers compress as they like and name the encoding as they like. A body that does not
// decode, or is a bomb, is refused in the protocol's words.
func TestSegmentBodies(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	bomb := make([]byte, 64<<20)
	for _, test := range []struct {
		name, path, encoding, body string
		status                     int
		want                       string
	}{
		{"plain", "/v1/t", "", trackCall, 200, `{"success": true}`},
		{"gzip", "/v1/t", "gzip", string(testkit.Pack(t, "gzip", []byte(trackCall))), 200, `{"success": true}`},
		{"deflate", "/v1/t", "deflate", string(testkit.Pack(t, "deflate", []byte(trackCall))), 200, `{"success": true}`},
		{"a byte order mark", "/v1/t", "", "\uFEFF" + trackCall, 200, `{"success": true}`},
		{"corrupt", "/v1/t", "gzip", "\x1f\x8b\x08nonsense", 400, `"Message":"Error reading request body","Details":`},
		{"not what it says", "/v1/batch", "gzip", `{"batch":[` + trackCall + `]}`, 400, `{"Success":false,"Errors":[{"Error":"Bad Request","Message":"Error reading request body","Details":`},
		{"an encoding nobody knows", "/v1/t", "br", trackCall, 400, `{"Error":"Bad Request","Message":"Error reading request body","Details":"`},
		{"one on top of another", "/v1/batch", "gzip, gzip", trackCall, 400, `{"Success":false,"Errors":[{"Error":"Bad Request","Message":"Error reading request body","Details":"`},
		{"a bomb", "/v1/t", "gzip", string(testkit.Pack(t, "gzip", bomb)), 413, `{"Error":"Request Entity Too Large","Message":"Error reading request body","Details":"HTTP request too large"}`},
		{"a bomb for many", "/v1/batch", "gzip", string(testkit.Pack(t, "gzip", bomb)), 413, `{"Success":false,"Errors":[{"Error":"Bad Request","Message":"Error reading request body","Details":"HTTP request too large"}]}`},
		{"too long, plain", "/v1/batch", "", strings.Repeat(" ", 512001), 413, `{"Success":false,"Errors":[{"Error":"Bad Request","Message":"Error reading request body","Details":"HTTP request too large"}]}`},
	} {
		for _, media := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", ""} {
			headers := []string{writeKey}
			if media != "" {
				headers = append(headers, "Content-Type: "+media)
			}
			if test.encoding != "" {
				headers = append(headers, "Content-Encoding: "+test.encoding)
			}
			if a := s.send("POST", test.path, test.body, headers...); a.status != test.status || !strings.Contains(a.body, test.want) || a.header["content-type"] != "application/json" {
				t.Errorf("%s as %q: %d %s", test.name, media, a.status, a.body)
			}
		}
	}
}

// A failure that passes by itself is never a 4xx except 429, and says when to come back.
func TestSegmentTroubles(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, test := range []struct {
		admit, fail error
		status      int
		error       string
	}{
		{query.ErrDiskFull, nil, 503, "Service Unavailable"},
		{query.ErrStopping, nil, 503, "Service Unavailable"},
		{nil, query.ErrBusy, 503, "Service Unavailable"},
		{nil, query.ErrDiskFull, 503, "Service Unavailable"},
		{nil, fmt.Errorf("open /secret/path: broken"), 503, "Service Unavailable"},
	} {
		s.engine.admit, s.engine.fail = test.admit, test.fail
		single := s.send("POST", "/v1/track", trackCall, writeKey)
		batch := s.send("POST", "/v1/batch", `{"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u"}]}`, writeKey)
		for _, a := range []parsed{single, batch} {
			if a.status != test.status || a.header["retry-after"] != "1" || !strings.Contains(a.body, `"Error":"`+test.error+`"`) || strings.Contains(a.body, "secret") {
				t.Errorf("%v %v: %d, Retry-After %q, %s", test.admit, test.fail, a.status, a.header["retry-after"], a.body)
			}
		}
		if !strings.HasPrefix(single.body, `{"Error":`) || !strings.HasPrefix(batch.body, `{"Success":false,"Errors":[{"Error":`) {
			t.Errorf("%s %s", single.body, batch.body)
		}
	}
	limited := start(t, func(o *Options) { o.Sites[0].RateLimit = 1 })
	var last parsed
	for range 5 {
		last = limited.send("POST", "/v1/track", trackCall, writeKey)
	}
	if last.status != 429 || last.header["retry-after"] == "" || !strings.Contains(last.body, `"Error":"Too Many Requests"`) {
		t.Errorf("over the rate: %d %v %s", last.status, last.header, last.body)
	}
}

// Browsers of other origins send a preflight before each call, because of its header, and
// must be able to read every answer.
func TestSegmentCORS(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/v1/t", "/v1/batch", "/v1/b", "/v1/m", "/v1/projects/shop-write/settings", "/sourceConfig/", "/v1/pixel/page"} {
		method := "POST"
		if a := s.send("OPTIONS", path, ""); strings.Contains(a.header["allow"], "GET") {
			method = "GET"
		}
		a := s.send("OPTIONS", path, "", "Origin: https://page.example", "Access-Control-Request-Method: "+method, "Access-Control-Request-Headers: authorization,anonymousid,sentat")
		h := a.header
		if a.status != 204 || h["access-control-allow-origin"] != "https://page.example" || h["access-control-allow-headers"] != "authorization,anonymousid,sentat" ||
			!strings.Contains(h["access-control-allow-methods"], method) || h["access-control-max-age"] != "86400" || h["access-control-allow-credentials"] != "true" ||
			h["vary"] != "Origin, Access-Control-Request-Headers" {
			t.Errorf("%s: %d %v", path, a.status, h)
		}
	}
	for _, headers := range [][]string{{writeKey}, {"Authorization: Basic bm9ib2R5"}, {writeKey, "Content-Encoding: br"}} {
		a := s.send("POST", "/v1/t", trackCall, append(headers, "Origin: https://page.example")...)
		if a.header["access-control-allow-origin"] != "https://page.example" || !strings.Contains(a.header["access-control-expose-headers"], "Retry-After") {
			t.Errorf("%d: %v", a.status, a.header)
		}
	}
}

// Settings name the protocol that the client used, also through a trusted proxy.
func TestSegmentSettingsProtocol(t *testing.T) {
	plain, proxied := start(t, nil), start(t, strangers)
	for _, test := range []struct {
		server *testServer
		want   string
	}{{plain, "http"}, {proxied, "https"}} {
		a := test.server.send("GET", "/v1/projects/shop-write/settings", "", "X-Forwarded-Proto: https")
		if a.status != 200 || !strings.Contains(a.body, `"apiHost":"example.com/v1","protocol":"`+test.want+`"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// Each event of a batch may name its own site. Only events that name one are stored.
func TestSegmentManyKeys(t *testing.T) {
	s := start(t, twoSites)
	a := s.send("POST", "/v1/batch", `{"batch":[{"type":"page","userId":"a","writeKey":"shop-write"},{"type":"page","userId":"b","writeKey":"blog-write"},{"type":"page","userId":"c","writeKey":"nobody"},{"type":"page","userId":"d","writeKey":"shop-read"}]}`)
	if a.status != 207 || strings.Count(a.body, "Invalid or missing writekey") != 2 || !strings.Contains(a.body, `"Index":2`) || !strings.Contains(a.body, `"Index":3`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s.engine.count() != 2 || s.engine.sites[0].Name != "shop" || s.engine.sites[1].Name != "blog" {
		t.Errorf("%d events, of %v", s.engine.count(), s.engine.sites)
	}
}
