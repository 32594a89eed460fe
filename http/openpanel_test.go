package httpd

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"cairn/engine"
)

// shownVisitors names visitors after what they show.
type shownVisitors struct{}

func (shownVisitors) Visitor(_ uint32, parts ...string) (today, yesterday string) {
	return strings.Join(parts[1:], "|"), ""
}

// withDevices runs a server of one site on a real store that knows devices.
func withDevices(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	site := testSite(1, "shop")
	site.GPC = true
	return onStore(t, engine.Options{Visitors: shownVisitors{}}, change, site)
}

const (
	clientID     = "openpanel-client-id: shop-client"
	clientSecret = "openpanel-client-secret: shop-client-secret"
	shopOrigin   = "Origin: https://shop.example"
	firefox      = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	googlebot    = "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	visitor      = "X-Forwarded-For: 203.0.113.9"
)

// Who may send. Each row is one request and the number of events after it.
func TestOpenPanelWho(t *testing.T) {
	t.Parallel()
	log := &syncBuffer{}
	s := withDevices(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(log, nil)) })
	const click = `{"type":"track","payload":{"name":"click"}}`
	const money = `{"type":"track","payload":{"name":"revenue","properties":{"__revenue":100}}}`
	const unauthorized = `{"status":401,"error":"Invalid client credentials"`
	stored := 0
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string
		stores                     int
	}{
		{"id and secret", "POST", "/track", click, []string{clientID, clientSecret}, 200, `"deviceId":"203.0.113.9|"`, 1},
		{"below /api", "POST", "/api/track", click, []string{clientID, clientSecret}, 200, `"sessionId":"`, 1},
		{"with a slash", "POST", "/track/", click, []string{clientID, clientSecret}, 200, `"sessionId":"`, 1},
		{"by origin", "POST", "/track", click, []string{clientID, shopOrigin, firefox}, 200, `"deviceId":"203.0.113.9|Mozilla`, 1},
		{"by its www", "POST", "/track", click, []string{clientID, "Origin: https://www.shop.example", firefox}, 200, ``, 1},
		{"a secret of a foreign origin", "POST", "/track", click, []string{clientID, clientSecret, "Origin: https://elsewhere.example"}, 200, ``, 1},
		{"the id alone", "POST", "/track", click, []string{clientID}, 401, unauthorized, 0},
		{"a foreign origin", "POST", "/track", click, []string{clientID, "Origin: https://shop.example.attacker.net"}, 401, unauthorized, 0},
		{"a wrong secret", "POST", "/track", click, []string{clientID, clientSecret + "x"}, 401, unauthorized, 0},
		{"a wrong secret of the right origin", "POST", "/track", click, []string{clientID, clientSecret + "x", shopOrigin}, 401, unauthorized, 0},
		{"another id", "POST", "/track", click, []string{clientID + "x", clientSecret}, 401, unauthorized, 0},
		{"nobody", "POST", "/track", click, nil, 401, unauthorized, 0},
		{"another key of the site", "POST", "/track", click, []string{clientID, "openpanel-client-secret: shop-secret"}, 401, unauthorized, 0},
		{"by the body", "POST", "/track", `{"clientId":"shop-client","clientSecret":"shop-client-secret",` + click[1:], nil, 200, ``, 1},
		{"revenue with a secret", "POST", "/track", money, []string{clientID, clientSecret}, 200, ``, 1},
		{"revenue of a browser", "POST", "/track", money, []string{clientID, shopOrigin, firefox}, 401, unauthorized, 0},
		{"a bot", "POST", "/track", click, []string{clientID, shopOrigin, googlebot}, 202, `"bot":{"name":"Googlebot"`, 0},
		{"a bot's agent with a secret", "POST", "/track", click, []string{clientID, clientSecret, googlebot}, 200, ``, 1},
		{"an opt-out", "POST", "/track", click, []string{clientID, shopOrigin, firefox, "Sec-GPC: 1"}, 200, `{"deviceId":"","sessionId":""}`, 0},
		{"an opt-out passed on by a server", "POST", "/track", click, []string{clientID, clientSecret, "Sec-GPC: 1"}, 200, ``, 1},
		{"no type", "POST", "/track", `{}`, []string{clientID, clientSecret}, 400, `"message":"type: must be`, 0},
		{"too long a value", "POST", "/track", `{"type":"track","payload":{"name":"a","properties":{"a":"` + strings.Repeat("x", 300<<10) + `"}}}`, []string{clientID, clientSecret}, 400, `"status":400`, 0},
		{"too long a body", "POST", "/track", strings.Repeat("x", 3<<20+1), []string{clientID, clientSecret}, 413, `"status":413`, 0},
		{"a replay of 2 MB", "POST", "/track", `{"type":"replay","payload":{"chunk_index":0,"events_count":1,"is_full_snapshot":true,"started_at":"2026-11-20T12:00:00Z","ended_at":"2026-11-20T12:00:00Z","payload":"` + strings.Repeat("x", 2<<20) + `"}}`,
			[]string{clientID, shopOrigin, firefox}, 200, `"deviceId":"203.0.113.9|Mozilla`, 0},
		{"who am I", "GET", "/track/device-id", "", []string{clientID, shopOrigin, firefox}, 200, `"deviceId":"203.0.113.9|Mozilla`, 0},
		{"who am I, of a foreign origin", "GET", "/track/device-id", "", []string{clientID, "Origin: https://elsewhere.example"}, 401, unauthorized, 0},
		{"an old event", "POST", "/event", `{"name":"a"}`, []string{"mixan-client-id: shop-client", "mixan-client-secret: shop-client-secret"}, 202, `ok`, 1},
		{"an old profile", "POST", "/profile", `{"profileId":"ada"}`, []string{clientID, clientSecret}, 202, `ada`, 1},
		{"an old increment", "POST", "/api/profile/increment", `{"profileId":"ada","property":"n"}`, []string{clientID, clientSecret}, 202, `ada`, 1},
		{"groups", "POST", "/track", `{"type":"assign_group","payload":{"profileId":"ada","groupIds":["a","b"]}}`, []string{clientID, clientSecret}, 200, `"deviceId":"`, 1},
		{"reading by origin", "GET", "/export/events?projectId=shop", "", []string{clientID, shopOrigin}, 403, `"status":403`, 0},
		{"another method", "PUT", "/track", click, []string{clientID, clientSecret}, 405, `"status":405`, 0},
		{"a query for a type", "POST", "/track", click, []string{clientID, clientSecret, "Content-Type: text/plain"}, 200, ``, 1},
	} {
		got := s.send(c.method, c.target, c.body, append(c.headers, visitor)...)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s, want %d with %s", c.name, got.status, got.body, c.status, c.want)
		}
		if cors := got.header["access-control-allow-origin"]; (cors == "*") != !strings.HasPrefix(c.target, "/export") {
			t.Errorf("%s: Access-Control-Allow-Origin %q", c.name, cors)
		}
		stored += c.stores
		if n := s.total(); n != stored {
			t.Errorf("%s: %d events, want %d", c.name, n, stored)
			stored = n
		}
	}
	m := s.send("GET", "/metrics", "", adminKey).body
	for _, want := range []string{
		`cairn_origin_refused_total{site="shop",origin="https://shop.example.attacker.net"} 1`,
		`cairn_origin_refused_total{site="shop",origin="https://elsewhere.example"} 1`,
		`cairn_events_excluded_total{reason="bot"} 1`, `cairn_events_excluded_total{reason="replay"} 1`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	// The page does not learn the reason, the operator does.
	const refused = `"msg":"origin refused: it is not in the site's origins","site":"shop","origin":"https://shop.example.attacker.net"`
	if !strings.Contains(log.String(), refused) {
		t.Errorf("the log lacks %s:\n%s", refused, log)
	}
	if strings.Contains(log.String(), "shop-client-secret") {
		t.Error("the log holds a secret")
	}
}

// total is how many events the site has.
func (s *testServer) total() int {
	s.t.Helper()
	var count struct{ Events int }
	a := s.send("GET", "/api/v1/count", "", secret)
	if err := json.Unmarshal([]byte(a.body), &count); err != nil {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	return count.Events
}

// A preflight of any origin is answered that the browser may send.
func TestOpenPanelPreflight(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	const wanted = "content-type,openpanel-client-id,openpanel-client-secret,openpanel-client-ip,openpanel-sdk-name,openpanel-sdk-version"
	for _, target := range []string{"/track", "/api/track", "/track/device-id"} {
		a := s.send("OPTIONS", target, "", "Origin: https://anybody.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: "+wanted)
		if a.status != 204 || a.header["access-control-allow-headers"] != wanted || a.header["access-control-allow-origin"] != "*" {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
	}
}

// The same track, sent twice at once from one browser, is one event. From two browsers,
// without an origin, or of another type it is two.
func TestOpenPanelDuplicates(t *testing.T) {
	s := withDevices(t, nil)
	send := func(body string, headers ...string) string {
		a := s.send("POST", "/track", body, append([]string{clientID, visitor}, headers...)...)
		if a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		return a.body
	}
	const click = `{"type":"track","payload":{"name":"click"}}`
	const plus = `{"type":"increment","payload":{"profileId":"ada","property":"n"}}`
	var ids struct {
		DeviceID, SessionID string
		Duplicate           bool
	}
	sent, duplicates, session := 0, 0, ""
	for round := 0; duplicates == 0 && round < 50; round++ { // on a busy machine eight take longer than the 100 ms
		var wait sync.WaitGroup
		answers := make([]string, 8)
		for i := range answers {
			wait.Add(1)
			go func() {
				defer wait.Done()
				answers[i] = send(click, shopOrigin, firefox)
			}()
		}
		wait.Wait()
		sent += len(answers)
		for _, a := range answers {
			ids.Duplicate = false
			if err := json.Unmarshal([]byte(a), &ids); err != nil || ids.SessionID == "" || session != "" && ids.SessionID != session {
				t.Errorf("%s", a)
			}
			if session = ids.SessionID; ids.Duplicate {
				duplicates++
			}
		}
	}
	if n := s.total(); n+duplicates != sent || duplicates == 0 {
		t.Errorf("%d events and %d duplicates of %d requests", n, duplicates, sent)
	}
	before := s.total()
	send(click, shopOrigin, "User-Agent: "+strings.TrimPrefix(firefox, "User-Agent: ")+"x", "X-Forwarded-For: 203.0.113.10")
	send(click, clientSecret)
	send(click, clientSecret)
	send(plus, shopOrigin)
	send(plus, shopOrigin)
	if n := s.total() - before; n != 5 {
		t.Errorf("%d events, want all 5", n)
	}
	// A request with a key of its own is no duplicate; the same key is one for a day.
	for i, want := range []bool{false, true, false} {
		a := send(plus, clientSecret, fmt.Sprintf("Idempotency-Key: k%d", i/2))
		if strings.Contains(a, `"duplicate":true`) != want {
			t.Errorf("request %d: %s", i, a)
		}
	}
}

// 64 concurrent increments are 64, and the profile has them at once.
func TestOpenPanelIncrements(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	post := func(body string) {
		if a := s.send("POST", "/track", body, clientID, clientSecret, visitor); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	post(`{"type":"identify","payload":{"profileId":"ada","properties":{"n":0.5,"plan":{"seats":1}}}}`)
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if i%4 == 3 {
				post(`{"type":"decrement","payload":{"profileId":"ada","property":"n","value":0.25}}`)
			} else {
				post(`{"type":"increment","payload":{"profileId":"ada","property":"n","value":1.5}}`)
			}
			post(`{"type":"increment","payload":{"profileId":"ada","property":"plan.seats"}}`)
		}()
	}
	wait.Wait()
	a := s.send("GET", "/api/v1/users/ada", "", secret)
	if !strings.Contains(a.body, `"n":68.5`) || !strings.Contains(a.body, `"plan":{"seats":65}`) {
		t.Errorf("%s", a.body)
	}
}

// An increment of a property that is no number is refused, however long ago and in whatever
// dialect it was set, until it is a number or gone.
func TestOpenPanelIncrementOfNoNumber(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	panel := func(body string) int {
		return s.send("POST", "/track", body, clientID, clientSecret, visitor).status
	}
	increment := func(property string) int {
		return panel(`{"type":"increment","payload":{"profileId":"ada","property":"` + property + `"}}`)
	}
	native := func(body string) int { return s.send("POST", "/api/v1/events", body, secret).status }
	identify := func(properties string) int {
		return panel(`{"type":"identify","payload":{"profileId":"ada","properties":` + properties + `}}`)
	}
	for i, step := range []struct {
		do   func() int
		want int
	}{
		{func() int { return increment("word") }, 200}, // of nobody yet
		{func() int { return identify(`{"word":"abc","plan":{"seats":"many"},"n":1}`) }, 200},
		{func() int { return increment("word") }, 400},
		{func() int { return identify(`{"other":1}`) }, 200},
		{func() int { return increment("word") }, 400},
		{func() int { return increment("word.x") }, 400},
		{func() int { return increment("plan.seats") }, 400},
		{func() int { return increment("n") }, 200},
		{func() int { return increment("new") }, 200},
		{func() int { return identify(`{"word":"","plan":null}`) }, 200}, // changes nothing
		{func() int { return increment("word") }, 400},
		{func() int { return native(`{"type":"identify","user":"ada","properties":{"n":"five","word":7}}`) }, 200},
		{func() int { return increment("n") }, 400},
		{func() int { return increment("word") }, 200},
		{func() int { return native(`{"type":"identify","user":"ada","properties":{"n":null,"plan":null}}`) }, 200}, // erases
		{func() int { return increment("n") }, 200},
		{func() int { return increment("plan.seats") }, 200},
		{func() int {
			return s.send("POST", "/v1/identify", `{"writeKey":"shop-write","userId":"ada","traits":{"segment":"x"}}`).status
		}, 200},
		{func() int { return increment("segment") }, 400},
		{func() int { return s.send("GET", "/?si=shop&ti=a&uid=ada&tracker=x", "").status }, 200},
		{func() int { return increment("tracker") }, 400},
		{func() int { return increment("segment") }, 400},
		{func() int { return increment("n") }, 200},
	} {
		if got := step.do(); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	a := s.send("GET", "/api/v1/users/ada", "", secret)
	for _, want := range []string{`"n":2`, `"word":8`, `"plan":{"seats":1}`, `"new":1`, `"segment":"x"`, `"tracker":"x"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s lacks %s", a.body, want)
		}
	}
}

// Answers say what is left of a rate, and a 429 says when to come again.
func TestOpenPanelRates(t *testing.T) {
	s := withDevices(t, func(o *Options) { o.IPRate, o.IPBurst = 0.01, 3 })
	const click = `{"type":"track","payload":{"name":"click","properties":{"i":%d}}}`
	for i, want := range []string{"2", "1", "0", "429"} {
		a := s.send("POST", "/track", fmt.Sprintf(click, i), clientID, shopOrigin, firefox, visitor)
		if want == "429" {
			if a.status != 429 || a.header["retry-after"] == "" || a.header["x-ratelimit-remaining"] != "0" || a.header["x-ratelimit-reset"] == "0" ||
				!strings.HasPrefix(a.body, `{"status":429,"error":"Too Many Requests","message":"`) || a.header["access-control-allow-origin"] != "*" {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			continue
		}
		if a.status != 200 || a.header["x-ratelimit-limit"] != "3" || a.header["x-ratelimit-remaining"] != want {
			t.Errorf("request %d: %d %v", i, a.status, a.header)
		}
	}
	// One noisy visitor does not silence another, nor the site's own server.
	if a := s.send("POST", "/track", fmt.Sprintf(click, 9), clientID, shopOrigin, firefox, "X-Forwarded-For: 198.51.100.3"); a.status != 200 {
		t.Errorf("another visitor: %d", a.status)
	}
	for range 10 {
		if a := s.send("POST", "/track", fmt.Sprintf(click, 9), clientID, clientSecret, "X-Forwarded-For: 198.51.100.4"); a.status != 200 {
			t.Fatalf("a server: %d %v", a.status, a.header)
		}
	}
}

// Before the first session there is no id of one: an identify does not make one up.
func TestOpenPanelNoSessionYet(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	const identify, track = `{"type":"identify","payload":{"profileId":"ada"}}`, `{"type":"track","payload":{"name":"a"}}`
	session := func(body string) string {
		var ids struct{ DeviceID, SessionID string }
		a := s.send("POST", "/track", body, clientID, shopOrigin, firefox, visitor)
		if err := json.Unmarshal([]byte(a.body), &ids); err != nil || ids.DeviceID == "" || !strings.Contains(a.body, `"sessionId":"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		return ids.SessionID
	}
	if id := session(identify); id != "" {
		t.Errorf("the first identify is in session %q", id)
	}
	began := session(track)
	if id := session(identify); id != began || began == "" {
		t.Errorf("the identify after %q is in session %q", began, id)
	}
	if a := s.send("GET", "/api/v1/sessions/"+began, "", secret); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The route handler for Next.js has no secret. Its server is one of trusted_proxies, so the
// address that it names is believed, and equal events of many visitors at once are many.
func TestOpenPanelBehindNext(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	const click = `{"type":"track","payload":{"name":"click"}}`
	devices := map[string]bool{}
	for i := range 40 {
		address := fmt.Sprintf("198.51.100.%d", i/2)
		a := s.send("POST", "/track", click, clientID, shopOrigin, firefox+strings.Repeat("x", i%2), "openpanel-client-ip: "+address+":443")
		var ids struct{ DeviceID string }
		if err := json.Unmarshal([]byte(a.body), &ids); err != nil || a.status != 200 || !strings.HasPrefix(ids.DeviceID, address+"|") {
			t.Errorf("%d %s", a.status, a.body)
		}
		devices[ids.DeviceID] = true
	}
	if n := s.total(); n != 40 || len(devices) != 40 {
		t.Errorf("%d events of %d devices, want 40 of 40", n, len(devices))
	}
}

// An address that is claimed counts with a secret, or from a client that is a trusted proxy.
// Somebody behind such a proxy is not one.
func TestOpenPanelClaims(t *testing.T) {
	t.Parallel()
	s := withDevices(t, nil)
	const body = `{"type":"track","payload":{"name":"a","properties":{"__ip":"%s"}}}`
	for _, c := range []struct {
		ip      string
		headers []string
		want    string
	}{
		{"", []string{clientSecret, firefox}, "203.0.113.9"},
		{"", []string{clientSecret, firefox, "x-client-ip: 198.51.100.7"}, "198.51.100.7"},
		{"198.51.100.8", []string{clientSecret, firefox, "x-client-ip: 198.51.100.7"}, "198.51.100.8"},
		{"198.51.100.8", []string{shopOrigin, firefox, "x-client-ip: 198.51.100.7"}, "203.0.113.9"},
	} {
		a := s.send("POST", "/track", fmt.Sprintf(body, c.ip), append(c.headers, clientID, visitor)...)
		if !strings.Contains(a.body, `"deviceId":"`+c.want+`|`) {
			t.Errorf("%q %v: %s", c.ip, c.headers, a.body)
		}
	}
}
