package httpd

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/http/native"
)

// This file tries who may come to /mcp, how often, and what holds a program that asks the API for an assistant.

// Who may come, by Host, then by Origin, then by key.
func TestAssistantDoor(t *testing.T) {
	t.Parallel()
	addresses, err := NewAddresses("https://stats.example/base", "")
	if err != nil {
		t.Fatal(err)
	}
	public := func(o *Options) {
		o.Addresses = addresses
		o.Assistants.Hosts, o.Assistants.Origins = []string{"Intranet.example"}, []string{"https://chat.example"}
	}
	plainly := startAssisted(t, nil)
	named := startAssisted(t, public)
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	const hostWhy, originWhy = "the server is not known by the Host", "pages of this Origin may not ask"
	post := func(s *assisted, change func(*http.Request)) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+s.addr+"/mcp", strings.NewReader(ping))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Authorization", "Bearer shop-read")
		change(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body), res.Header
	}
	for _, test := range []struct {
		s                    *assisted
		host, origin, header string
		status               int
		says                 string
	}{
		{plainly, "", "", "", 200, ""},
		{plainly, "localhost:8080", "", "", 200, ""},
		{plainly, "[::1]:80", "", "", 200, ""},
		{plainly, "192.0.2.7", "", "", 200, ""},
		{plainly, "evil.example", "", "", 403, hostWhy},
		{plainly, "evil.example:80", "http://evil.example:80", "", 403, hostWhy},
		{plainly, "stats.example", "", "", 403, hostWhy},
		{plainly, "127.0.0.1", "", "X-Forwarded-Host: evil.example", 403, hostWhy},
		{plainly, "127.0.0.1", "", "X-Forwarded-Host: localhost, evil.example", 403, hostWhy},
		{plainly, "127.0.0.1", "", "X-Forwarded-Host: a b", 403, hostWhy},
		{plainly, "evil.example", "", "X-Forwarded-Host: localhost", 200, ""}, // of a trusted proxy
		{plainly, "localhost", "http://localhost", "", 200, ""},
		{plainly, "localhost:8080", "http://localhost:8080", "", 200, ""},
		{plainly, "localhost:8080", "http://localhost", "", 403, originWhy},
		{plainly, "localhost", "http://localhost.evil.example", "", 403, originWhy},
		{plainly, "localhost", "https://evil.example", "", 403, originWhy},
		{plainly, "localhost", "null", "", 403, originWhy},
		{plainly, "localhost", "https://chat.example", "", 403, originWhy},
		{named, "stats.example", "", "", 200, ""},
		{named, "STATS.example:443", "", "", 200, ""},
		{named, "stats.example.", "", "", 200, ""},
		{named, "intranet.example:8080", "", "", 200, ""},
		{named, "evil.example", "https://stats.example", "", 403, hostWhy},
		{named, "notstats.example", "", "", 403, hostWhy},
		{named, "localhost", "https://stats.example", "", 200, ""},
		{named, "localhost", "https://chat.example", "", 200, ""},
		{named, "localhost", "http://chat.example", "", 403, originWhy},
		{named, "localhost", "http://localhost", "", 403, originWhy},
	} {
		status, body, header := post(test.s, func(r *http.Request) {
			if test.host != "" {
				r.Host = test.host
			}
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				r.Header.Set(name, value)
			}
		})
		if status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("Host %q, Origin %q, %s: %d %s", test.host, test.origin, test.header, status, body)
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("Origin %q: %s", test.origin, name)
			}
		}
	}
	two := func(r *http.Request) { r.Header["Origin"] = []string{"http://" + plainly.addr, "https://evil.example"} }
	if status, body, _ := post(plainly, two); status != 403 {
		t.Errorf("two origins: %d %s", status, body)
	}
	for key, want := range map[string]int{"Bearer shop-read": 200, "Bearer shop-secret": 200, "Bearer admin": 200, "bearer shop-read": 200,
		"": 401, "Bearer wrong": 401, "Basic shop-read": 401, "Bearer shop-write": 403, "Bearer shop-token": 403, "Bearer shop-client-secret": 403} {
		status, body, header := post(plainly, func(r *http.Request) { r.Header.Set("Authorization", key) })
		if status != want || (status == 401) != (header.Get("Www-Authenticate") == "Bearer") || header.Get("Cache-Control") != "no-store" && want == 200 {
			t.Errorf("%q: %d %s %v", key, status, body, header)
		}
	}
	// The session of a browser is no key here.
	login := plainly.send("POST", "/dashboard/login", "key=shop-secret", "Content-Type: application/x-www-form-urlencoded", "Origin: http://example.com")
	cookie, _, _ := strings.Cut(login.header["set-cookie"], ";")
	if cookie == "" {
		t.Fatal(login.status, login.body)
	}
	if status, _, _ := post(plainly, func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("Cookie", cookie) }); status != 401 {
		t.Errorf("the session of a browser: %d", status)
	}
	for _, method := range []string{"GET", "DELETE", "PUT", "HEAD"} {
		if a := plainly.send(method, "/mcp", "", secret); a.status != 405 || a.header["allow"] != "OPTIONS, POST" {
			t.Errorf("%s: %d %v", method, a.status, a.header)
		}
	}
	if a := plainly.send("OPTIONS", "/mcp", "", "Origin: https://evil.example", "Access-Control-Request-Method: POST"); a.status != 204 || a.header["access-control-allow-origin"] != "" || a.header["access-control-allow-methods"] != "" {
		t.Errorf("OPTIONS: %d %v", a.status, a.header)
	}
	off := start(t, nil)
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		if a := off.send(method, "/mcp", "", secret); a.status != 404 {
			t.Errorf("%s while it is off: %d %s", method, a.status, a.body)
		}
	}
}

// The questions of assistants count among those of the key, and a credential has so many calls a
// minute.
func TestAssistantLimits(t *testing.T) {
	t.Parallel()
	s := startAssisted(t, nil)
	one, other := s.connect("shop-read"), s.connect("shop-secret")
	// Four are at work with the key: a fifth waits, and gives up with its caller.
	g, _, _ := s.sites.Load().registry.Authorize("Bearer shop-read", "", 0, false)
	for g.Queries.Take(queriesMax) {
	}
	ask := &assistant{s: s.Server, sites: s.sites.Load(), key: "Bearer shop-read"}
	q, _ := native.QuestionNamed("site")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if a := ask.Ask(over, &q, ""); a.Status != 429 {
		t.Errorf("a fifth question: %d %s", a.Status, a.Body)
	}
	for range queriesMax {
		g.Queries.Give()
	}
	if a := ask.Ask(t.Context(), &q, ""); a.Status != 200 || g.Queries.Count() != 0 {
		t.Errorf("then: %d %s, %d at work", a.Status, a.Body, g.Queries.Count())
	}
	g.Calls.Store(time.Now().Add(240 * time.Hour).UnixNano()) // long after every call
	if got := s.call(one, "site", nil); !got.refused || !strings.HasPrefix(got.text, "60 calls a minute are allowed; wait ") {
		t.Errorf("%s", got.text)
	}
	if got := s.call(other, "site", nil); got.refused {
		t.Errorf("another key: %s", got.text)
	}
	// A reload gives nobody more.
	apply, err := s.Prepare(s.sites.Load().options)
	if err != nil {
		t.Fatal(err)
	}
	apply()
	if got := s.call(one, "site", nil); !got.refused {
		t.Error("a reload gives more calls")
	}
	if a := s.send("POST", "/mcp", `{"x":"`+strings.Repeat("x", 64<<10)+`"}`, secret, "Content-Type: application/json"); a.status != 403 { // the Host of send is none
		t.Errorf("%d %s", a.status, a.body)
	}
	large := url.Values{"x": {strings.Repeat("x", 64<<10)}}.Encode()
	res, err := (&http.Client{Transport: keyed("shop-read")}).Post("http://"+s.addr+"/mcp", "application/json", strings.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("a message that is too long: %d", res.StatusCode)
	}
}

// A program that asks the API for an assistant has the server hold it to less than its key may, and
// sees in the answer that it did.
func TestAssistantHeader(t *testing.T) {
	t.Parallel()
	s := startAssisted(t, func(o *Options) { o.Assistants.Enabled = false })
	s.tell(someEvents)
	for _, test := range []struct {
		limits, call string
		status       int
		says, told   string
	}{
		{"numbers", "visits?range=7d", 200, `"visits":2`, "numbers"},
		{"numbers", "visits?user=ada%40example.com", 403, "user: an assistant may not name user", ""},
		{"numbers", "breakdown?by=prop.plan", 403, "an assistant may not name prop.plan", ""},
		{"numbers&prop=plan&prop=a%26b", "breakdown?by=prop.plan", 200, "pro", "numbers"},
		{"numbers&prop=*", "breakdown?by=prop.mail", 200, "ada@", "numbers"},
		{"numbers&prop=*", "breakdown?by=user", 403, "an assistant", ""},
		{"numbers", "events", 403, "an assistant may see numbers alone", ""},
		{"numbers", "users/ada@example.com", 403, "an assistant may see numbers alone", ""},
		{"numbers", "export", 403, "an assistant may see numbers alone", ""},
		{"numbers", "saved", 403, "an assistant may see numbers alone", ""},
		{"numbers", "sites", 403, "", ""},
		{"numbers", "site", 200, `"scope":"numbers"`, "numbers"},
		{"people", "site", 400, "Cairn-Assistant: must be numbers", ""},
		{"numbers&people=1", "site", 400, "Cairn-Assistant", ""},
		{"prop=plan", "site", 400, "Cairn-Assistant", ""},
		{"", "events", 200, "ada@example.com", ""},
	} {
		a := s.send("GET", "/api/v1/"+test.call, "", "Authorization: Bearer shop-secret", "Cairn-Assistant: "+test.limits)
		if a.status != test.status || !strings.Contains(a.body, test.says) || a.header["cairn-assistant"] != test.told {
			t.Errorf("%s, %s: %d %v %s", test.limits, test.call, a.status, a.header, a.body)
		}
	}
	// Nobody is told that they have an answer which was made within other limits.
	first := s.send("GET", "/api/v1/fields?range=7d", "", secret, "Cairn-Assistant: numbers")
	for _, limits := range []string{"numbers&prop=*", "numbers&prop=plan"} {
		if a := s.send("GET", "/api/v1/fields?range=7d", "", secret, "Cairn-Assistant: "+limits, "If-None-Match: "+first.header["etag"]); a.status != 200 || first.header["etag"] == "" || !strings.Contains(a.body, "prop.plan") {
			t.Errorf("%s: %d %s", limits, a.status, a.body)
		}
	}
	// The admin's token is held, too.
	if a := s.send("GET", "/api/v1/events?site=shop", "", adminKey, "Cairn-Assistant: numbers"); a.status != 403 {
		t.Errorf("the admin: %d %s", a.status, a.body)
	}
	login := s.send("POST", "/dashboard/login", "key=shop-secret", "Content-Type: application/x-www-form-urlencoded", ownPage)
	cookie, _, _ := strings.Cut(login.header["set-cookie"], ";")
	if a := s.send("GET", "/api/v1/site", "", "Cookie: "+cookie, "Cairn-Assistant: numbers"); a.status != 400 {
		t.Errorf("a browser: %d %s", a.status, a.body)
	}
}
