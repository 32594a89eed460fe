package httpd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/http/testkit"
	"cairn/http/wire"
)

// twoSites makes a server of two sites.
func twoSites(o *Options) { o.Sites = []*Site{testSite(1, "shop"), testSite(2, "blog")} }

// TestRights is rule 17: which key may do what, and how others are refused.
func TestRights(t *testing.T) {
	one, two := start(t, nil), start(t, twoSites)
	const event = `{"name":"a"}`
	for _, test := range []struct {
		key, target string
		server      *testServer
		write, read int
	}{
		{"shop-secret", "", one, 200, 200},
		{"shop-write", "", one, 200, 403},
		{"shop-read", "", one, 403, 200},
		{"shop-token", "", one, 403, 403},
		{"shop-client-secret", "", one, 403, 403},
		{"shop-client", "", one, 403, 403},
		{"admin", "", one, 200, 200},
		{"admin", "?site=shop", one, 200, 200},
		{"admin", "?site=nothing", one, 404, 404},
		{"admin", "", two, 400, 400},
		{"admin", "?site=blog", two, 200, 200},
		{"admin", "?site=b%6Cog", two, 200, 200},
		{"", "", one, 401, 401},
		{"wrong", "", one, 401, 401},
		{"shop-secret ", "", one, 200, 200},
		{"shop-secret x", "", one, 401, 401},
		{strings.Repeat("a", 4000), "", one, 401, 401},
	} {
		header := "Authorization: Bearer " + test.key
		w := test.server.send("POST", "/api/v1/events"+test.target, event, header)
		r := test.server.send("GET", "/api/v1/events"+test.target, "", header)
		if w.status != test.write || r.status != test.read {
			t.Errorf("%.30q%s: write %d, read %d; want %d, %d", test.key, test.target, w.status, r.status, test.write, test.read)
		}
		for _, a := range []parsed{w, r} {
			if (a.status == 401) != (a.header["www-authenticate"] == "Bearer") {
				t.Errorf("%.30q: %d with WWW-Authenticate %q", test.key, a.status, a.header["www-authenticate"])
			}
			want := "no-store"
			if a.header["etag"] != "" || a.status == 200 && a.header["cache-control"] == "private, no-cache" {
				want = "private, no-cache" // the caller may ask whether it is still so
			}
			if a.header["cache-control"] != want {
				t.Errorf("%.30q: Cache-Control %q", test.key, a.header["cache-control"])
			}
		}
	}
	for header, want := range map[string]int{
		"Authorization: bearer shop-secret":     200,
		"Authorization:   BEARER   shop-secret": 200,
		"Authorization: Basic shop-secret":      401,
		"Authorization: shop-secret":            401,
		"Authorization: Bearer":                 401,
		"X-Authorization: Bearer shop-secret":   401,
	} {
		if a := one.send("GET", "/api/v1/count", "", header); a.status != want {
			t.Errorf("%q: %d, want %d", header, a.status, want)
		}
	}
	if a := one.send("GET", "/api/v1/count?key=shop-secret", ""); a.status != 401 {
		t.Errorf("a key in the query: %d", a.status)
	}

	// The site comes from the key: one site's key never shows another's events.
	two.send("POST", "/api/v1/events", `{"name":"of-shop"}`, "Authorization: Bearer shop-secret")
	if a := two.send("GET", "/api/v1/events", "", "Authorization: Bearer blog-read"); strings.Contains(a.body, "of-shop") {
		t.Errorf("a neighbour's event: %s", a.body)
	}
	for key, want := range map[string]int{"admin": 200, "shop-secret": 403, "wrong": 401} {
		if a := two.send("POST", "/api/v1/admin/snapshot", "", "Authorization: Bearer "+key); a.status != want {
			t.Errorf("snapshot with %s: %d %s", key, a.status, a.body)
		}
	}
}

func TestKeysMustDiffer(t *testing.T) {
	for name, change := range map[string]func(a, b *Site){
		"two sites share a key":       func(a, b *Site) { b.ReadKey = a.SecretKey },
		"one site uses a key twice":   func(a, _ *Site) { a.ReadKey = a.WriteKey },
		"a key is the admin's":        func(a, _ *Site) { a.SecretKey = "admin" },
		"two sites share an id":       func(a, b *Site) { b.ID = a.ID },
		"two sites share a name":      func(a, b *Site) { b.Name = a.Name },
		"two sites share a client id": func(a, b *Site) { b.ClientID = a.ClientID },
	} {
		a, b := testSite(1, "shop"), testSite(2, "blog")
		change(a, b)
		if _, err := New(Options{Engine: &fakeEngine{}, Sites: []*Site{a, b}, AdminToken: "admin"}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestOrderOfChecks is rule 18: of several faults the client hears of the first in the order.
func TestOrderOfChecks(t *testing.T) {
	faults := []struct {
		name   string
		status int
	}{{"key", 401}, {"rate", 429}, {"disk", 507}, {"length", 413}, {"encoding", 415}, {"body", 400}}
	for first := range faults {
		t.Run(faults[first].name, func(t *testing.T) {
			wrong := func(name string) bool {
				for _, f := range faults[first:] {
					if f.name == name {
						return true
					}
				}
				return false
			}
			s := start(t, func(o *Options) {
				if wrong("rate") {
					o.Sites[0].RateLimit = 1
				}
			})
			if wrong("rate") {
				s.post(`[{"name":"a"},{"name":"b"}]`) // spends more than a second's worth
			}
			if wrong("disk") {
				s.engine.admit = query.ErrDiskFull
			}
			head := "POST /api/v1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
			if wrong("key") {
				head += "Authorization: Bearer wrong\r\n"
			} else {
				head += secret + "\r\n"
			}
			if wrong("encoding") {
				head += "Content-Encoding: br\r\n"
			}
			if wrong("length") {
				head += "Content-Length: 99999999\r\n\r\n"
			} else {
				head += "Content-Length: 5\r\n\r\n{bad}"
			}
			got, _ := s.raw(head, 2*time.Second)
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", faults[first].status)) {
				t.Errorf("got %.200q", got)
			}
		})
	}
}

// TestEngineErrors sees what a client gets for each error of the engine.
func TestEngineErrors(t *testing.T) {
	s := start(t, nil)
	for _, test := range []struct {
		err         error
		write, read int
		retry       string
	}{
		{query.ErrBusy, 503, 503, "1"},
		{query.ErrStopping, 503, 503, "1"},
		{query.ErrFailed, 503, 503, "1"},
		{query.ErrDiskFull, 507, 507, "10"},
		{query.ErrQueryTimeout, 503, 503, "1"},
		{query.ErrBadCursor, 400, 400, ""},
		{fmt.Errorf("%w: no such field", query.ErrBadQuery), 400, 400, ""},
		{query.ErrNotFound, 404, 404, ""},
		{context.DeadlineExceeded, 503, 503, "1"},
		{fmt.Errorf("open /secret/path: broken"), 500, 500, ""},
	} {
		s.engine.fail = test.err
		for _, a := range []parsed{s.post(`{"name":"a"}`), s.send("GET", "/api/v1/events", "", secret)} {
			want := test.write
			if a.status != want || a.header["retry-after"] != test.retry {
				t.Errorf("%v: %d, Retry-After %q", test.err, a.status, a.header["retry-after"])
			}
			if strings.Contains(a.body, "/secret") || !json.Valid([]byte(a.body)) {
				t.Errorf("%v: %s", test.err, a.body)
			}
		}
	}
}

// TestIdempotencyKey is rule 19.
func TestIdempotencyKey(t *testing.T) {
	s := start(t, nil)
	send := func(body, key string) parsed { return s.post(body, "Idempotency-Key: "+key) }
	if a := send(`{"name":"a"}`, "k1"); a.status != 200 || !strings.Contains(a.body, `"accepted":1`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := send(`{"name":"a"}`, "k1"); a.status != 200 || !strings.Contains(a.body, `"duplicates":1`) || s.engine.count() != 1 {
		t.Errorf("again: %d %s, %d events", a.status, a.body, s.engine.count())
	}
	send(`[{"name":"a"},{"name":"b","message_id":"own"},{"name":"c"}]`, "k2")
	var ids []string
	for _, e := range s.engine.events {
		ids = append(ids, e.MessageID)
	}
	if got := fmt.Sprint(ids); got != "[k1 k2#0 own k2#2]" {
		t.Errorf("message ids: %s", got)
	}
	if a := send(`{"name":"a"}`, strings.Repeat("k", 128)); a.status != 200 {
		t.Errorf("128 characters: %d", a.status)
	}
	if a := send(`{"name":"a"}`, strings.Repeat("k", 129)); a.status != 400 || !strings.Contains(a.body, "Idempotency-Key") {
		t.Errorf("129 characters: %d %s", a.status, a.body)
	}
	if a := s.send("POST", "/tracking/events", `{"eventName":"a","value":1}`, secret, "Idempotency-Key: k9", "Content-Type: application/json"); a.status != 201 {
		t.Errorf("Oppizi: %d %s", a.status, a.body)
	}
	if e := s.engine.events[len(s.engine.events)-1]; e.MessageID != "k9" {
		t.Errorf("Oppizi: message id %q", e.MessageID)
	}
}

// TestBatches sees that a batch is stored in part only where the dialect says so.
func TestBatches(t *testing.T) {
	s := start(t, nil)
	for _, test := range []struct {
		body           string
		status, stored int
	}{
		{`{"name":"a"}`, 200, 1},
		{`{"name":"refuse"}`, 400, 0},
		{`{"nam":"a"}`, 400, 0},
		{`[{"name":"a"},{"name":"b"}]`, 200, 2},
		{`[{"name":"a"},{"name":"refuse"},{"nam":1}]`, 207, 1},
		{`[{"name":"refuse"}]`, 400, 0},
		{`[{"name":"a"},`, 400, 0},
		{`[]`, 200, 0},
		{``, 400, 0},
	} {
		before := s.engine.count()
		a := s.post(test.body)
		if stored := s.engine.count() - before; stored != test.stored || test.body != "[]" && a.status != test.status {
			t.Errorf("%s: %d %s, %d stored", test.body, a.status, a.body, stored)
		}
	}
}

// TestRates tries the limits of a site and of an address.
func TestRates(t *testing.T) {
	t.Run("site", func(t *testing.T) {
		s := start(t, func(o *Options) { twoSites(o); o.Sites[0].RateLimit = 10 })
		ok, limited := 0, 0
		for range 30 {
			switch a := s.post(`{"name":"a"}`); a.status {
			case 200:
				ok++
			case 429:
				limited++
				if a.header["retry-after"] != "1" {
					t.Errorf("Retry-After: %q", a.header["retry-after"])
				}
			default:
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if ok < 10 || ok > 13 || limited == 0 {
			t.Errorf("%d passed, %d did not; the burst is 10", ok, limited)
		}
		if a := s.send("POST", "/api/v1/events", `{"name":"a"}`, "Authorization: Bearer blog-secret"); a.status != 200 {
			t.Errorf("the other site: %d", a.status)
		}
		if a := s.send("GET", "/api/v1/count", "", secret); a.status != 200 {
			t.Errorf("reads are not events: %d", a.status)
		}
	})
	t.Run("address", func(t *testing.T) {
		s := start(t, func(o *Options) { strangers(o); o.IPRate, o.IPBurst = 0.01, 3 })
		statuses := func(key string, from string) (got []int) {
			for range 5 {
				got = append(got, s.send("POST", "/api/v1/events", `{"name":"a"}`, "Authorization: Bearer "+key, "X-Forwarded-For: "+from).status)
			}
			return got
		}
		if got := fmt.Sprint(statuses("shop-write", "192.0.2.1")); got != "[200 200 200 429 429]" {
			t.Errorf("a public key: %s", got)
		}
		if got := fmt.Sprint(statuses("shop-write", "192.0.2.2")); got != "[200 200 200 429 429]" {
			t.Errorf("another address: %s", got)
		}
		if got := fmt.Sprint(statuses("shop-secret", "192.0.2.1")); got != "[200 200 200 200 200]" {
			t.Errorf("a secret: %s", got)
		}
		if got := fmt.Sprint(statuses("shop-write", "127.0.0.1")); got != "[200 200 200 200 200]" {
			t.Errorf("loopback: %s", got)
		}
		if got := fmt.Sprint(statuses("wrong", "192.0.2.3")); got != "[401 401 401 429 429]" {
			t.Errorf("guessing keys: %s", got)
		}
	})
	t.Run("the burst follows the rate", func(t *testing.T) {
		s := start(t, func(o *Options) { strangers(o); o.IPRate = 0.5 })
		var got []int
		for range 5 {
			got = append(got, s.send("POST", "/api/v1/events", `{"name":"a"}`, "Authorization: Bearer shop-write", "X-Forwarded-For: 192.0.2.1").status)
		}
		if fmt.Sprint(got) != "[200 200 200 429 429]" {
			t.Errorf("%v", got)
		}
	})
	t.Run("queries", func(t *testing.T) {
		s := start(t, twoSites)
		s.engine.entered, s.engine.block = make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		for range queriesMax {
			wg.Go(func() { s.send("GET", "/api/v1/events", "", secret) })
			<-s.engine.entered
		}
		if a := s.send("GET", "/api/v1/events", "", secret); a.status != 429 || a.header["retry-after"] == "" {
			t.Errorf("a fifth query: %d", a.status)
		}
		wg.Go(func() {
			if a := s.send("GET", "/api/v1/events", "", "Authorization: Bearer blog-read"); a.status != 200 {
				t.Errorf("another key: %d", a.status)
			}
		})
		<-s.engine.entered
		close(s.engine.block)
		wg.Wait()
		go func() { <-s.engine.entered }()
		if a := s.send("GET", "/api/v1/events", "", secret); a.status != 200 {
			t.Errorf("afterwards: %d", a.status)
		}
	})
}

func TestCORS(t *testing.T) {
	s := start(t, nil)
	const origin = "Origin: https://elsewhere.example"
	a := s.send("OPTIONS", "/tracking/events", "", origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type,x-own")
	if a.status != 204 || a.header["access-control-allow-origin"] != "*" ||
		a.header["access-control-allow-headers"] != "authorization,content-type,x-own" ||
		a.header["access-control-allow-methods"] != "GET, HEAD, OPTIONS, POST" || a.header["access-control-allow-credentials"] != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	if a := s.send("OPTIONS", "/tracking/events", "", origin); a.header["access-control-allow-headers"] != corsHeaders {
		t.Errorf("preflight without names: %v", a.header)
	}
	if a := s.send("OPTIONS", "/tracking/events", "", "Access-Control-Request-Headers: a<b>"); a.header["access-control-allow-headers"] != corsHeaders {
		t.Errorf("preflight with nonsense: %v", a.header)
	}
	for _, a := range []parsed{
		s.send("POST", "/tracking/events", `{"eventName":"a","value":1}`, origin, secret),
		s.send("POST", "/tracking/events", `{`, origin, secret),
		s.send("POST", "/tracking/events", `{}`, origin),
		s.send("PUT", "/tracking/events", `{}`, origin, secret),
	} {
		if a.header["access-control-allow-origin"] != "*" {
			t.Errorf("%d without a CORS header", a.status)
		}
	}
	for _, a := range []parsed{
		s.send("OPTIONS", "/api/v1/events", "", origin, "Access-Control-Request-Method: POST"),
		s.send("GET", "/api/v1/events", "", origin, secret),
		s.post(`{"name":"a"}`, origin),
		s.send("GET", "/healthz", "", origin),
	} {
		for name := range a.header {
			if strings.HasPrefix(name, "access-control") {
				t.Errorf("%d with %s", a.status, name)
			}
		}
	}
}

func TestHealthAndMetrics(t *testing.T) {
	var troubles []string
	s := start(t, func(o *Options) {
		strangers(o)
		o.Metrics = func(put func(name, kind, help string, value float64, labels ...string)) {
			put("geo_x", "gauge", "x", 1_767_225_600, "file", "a\\b \"c\"\n", "of", "é\xff")
			put("geo_x", "gauge", "x", 0.25)
		}
		o.Degraded = func() []string { return troubles }
	})
	s.engine.stats = engine.Stats{
		Accepted: 7, Rejected: map[string]uint64{"limit": 2},
		CommitSeconds: engine.Buckets{Bounds: []float64{0.1}, Counts: []uint64{3, 1}, Sum: 2.5},
	}
	s.engine.numbers = []engine.Metric{{Name: "pebble_x", Kind: "counter", Help: "y", Value: 1 << 40}}
	health := func() string {
		h, r := s.send("GET", "/healthz", ""), s.send("GET", "/readyz", "")
		return fmt.Sprint(h.status, h.body, r.status, r.body)
	}
	if got := health(); got != `200{"status":"ok","reasons":[]}200{"status":"ready","reasons":[]}` {
		t.Error(got)
	}
	s.engine.ready = query.ErrDiskFull
	if got := health(); got != `200{"status":"degraded","reasons":["the disk is nearly full"]}503{"status":"unavailable","reasons":["the disk is nearly full"]}` {
		t.Error(got)
	}
	troubles = []string{"no <geo>"}
	if got := health(); got != `200{"status":"degraded","reasons":["the disk is nearly full","no \u003cgeo\u003e"]}503{"status":"unavailable","reasons":["the disk is nearly full"]}` {
		t.Error(got)
	}
	s.engine.ready, troubles = nil, nil
	s.engine.stats.LinkBytes, s.engine.stats.LinkBytesMax = 900, 900
	if got := health(); got != `200{"status":"ok","reasons":[]}200{"status":"ready","reasons":[]}` {
		t.Error(got)
	}
	s.engine.stats.LinkBytes++
	if got := health(); got != `200{"status":"degraded","reasons":["links between persons take more than their share of memory: raise memory"]}200{"status":"ready","reasons":[]}` {
		t.Error(got)
	}
	if n := s.engine.numbersAsked.Load(); n != 0 { // these may wait for a lock of the store
		t.Errorf("/healthz and /readyz asked the store for its metrics %d times", n)
	}
	s.engine.ready = query.ErrDiskFull
	s.post(`{"name":"a"}`)
	s.post(`{`)

	text := s.send("GET", "/metrics", "", adminKey).body
	for _, want := range []string{
		"\ncairn_events_accepted_total 7\n",
		"\ncairn_events_rejected_total{reason=\"limit\"} 2\n",
		"\ncairn_events_rejected_total{reason=\"undecodable\"} 1\n",
		"\ncairn_commit_seconds_bucket{le=\"0.1\"} 3\n",
		"\ncairn_commit_seconds_bucket{le=\"+Inf\"} 4\n",
		"\ncairn_commit_seconds_sum 2.5\n",
		"\ncairn_links_bytes 901\n",
		"\ncairn_links_bytes_max 900\n",
		"\ncairn_http_requests_total{dialect=\"native\",status=\"200\"} 1\n",
		"\ncairn_http_requests_total{dialect=\"native\",status=\"400\"} 1\n",
		"\ncairn_build_info{version=\"test\"",
		"\nprocess_resident_memory_bytes ",
		"\n# HELP pebble_x y\n# TYPE pebble_x counter\npebble_x 1099511627776\n",
		"\n# HELP geo_x x\n# TYPE geo_x gauge\ngeo_x{file=\"a\\\\b \\\"c\\\"\\n\",of=\"é\ufffd\"} 1767225600\ngeo_x 0.25\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	sample := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? [-+0-9.eInf]+$`)
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") {
			if seen[line] {
				t.Errorf("twice: %s", line)
			}
			seen[line] = true
			continue
		}
		if !sample.MatchString(line) {
			t.Errorf("not a sample: %q", line)
		}
	}
}

func TestStartPage(t *testing.T) {
	s := start(t, nil)
	if a := s.send("GET", "/", ""); a.body != `{"status":"ok"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := s.send("GET", "/", "", "Accept: text/html,*/*")
	if a.status != 200 || !strings.HasPrefix(a.header["content-type"], "text/html") || !strings.Contains(a.body, "cairn") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := s.send("HEAD", "/", "", "Accept: text/html"); a.status != 200 || a.header["content-length"] != fmt.Sprint(len(strings.ReplaceAll(startPage, "BASE", ""))) {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	if a := s.send("GET", "/openapi.json", ""); a.status != 200 || !json.Valid([]byte(a.body)) {
		t.Errorf("openapi.json: %d", a.status)
	}
	if a := s.send("HEAD", "/api/v1/events", "", secret); a.status != 200 {
		t.Errorf("HEAD of a read: %d", a.status)
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestAccessLog sees that the log has nothing of what it must not have.
func TestAccessLog(t *testing.T) {
	log := &syncBuffer{}
	s := start(t, func(o *Options) { strangers(o); o.Log = slog.New(slog.NewJSONHandler(log, nil)) })
	s.post(`{"name":"body-text"}`, "X-Forwarded-For: 192.0.2.77", "User-Agent: agent-text")
	s.send("GET", "/api/v1/users/person-text?after=query-text", "", secret)
	s.send("GET", "/\x1b[31m"+strings.Repeat("z", 1000), "")
	s.send("GET", "/caf\xc3\xa9\xff"+strings.Repeat("z", 1000)+"?token_auth=token-text", "")
	for range 100 {
		s.send("GET", "/flood", "")
	}
	text := log.String()
	for _, never := range []string{"body-text", "agent-text", "person-text", "query-text", "token-text", "192.0.2.77", "127.0.0.1", "shop-secret", "\x1b", strings.Repeat("z", 300)} {
		if strings.Contains(text, never) {
			t.Errorf("the log holds %q", never)
		}
	}
	if n := strings.Count(text, "flood"); n == 0 || n > 3*linesPerSecond {
		t.Errorf("%d lines of a flood of 100", n)
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if !strings.Contains(text, `"route":"/api/v1/users/*"`) {
		t.Errorf("no route: %s", text)
	}
}

// TestPanic sees that a bug in one handler is a 500 and not the end.
func TestPanic(t *testing.T) {
	log := &syncBuffer{}
	s := start(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(log, nil)) }, func(s *Server) {
		for _, r := range s.sites.Load().table.exact["/healthz"] {
			r.own = func(*exchange) { panic("a bug") }
		}
	})
	if a := s.send("GET", "/healthz", ""); a.status != 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.post(`{"name":"a"}`); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	if !strings.Contains(log.String(), "a bug") {
		t.Error("the log says nothing")
	}
}

// TestShutdown stops a server with clients in every state: every request that was received is
// answered, nothing is cut off, and the stop ends in time.
func TestShutdown(t *testing.T) {
	s := start(t, nil)
	s.engine.entered, s.engine.block = make(chan struct{}, 1), make(chan struct{})

	idle := s.dial()
	idle.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(idle, second)
	idleReader := bufio.NewReader(idle)
	if a, err := readAnswer(idleReader, false); err != nil || a.status != 200 {
		t.Fatal(a, err)
	}
	silent := s.dial()

	busy := make(chan parsed, 1)
	go func() { busy <- s.post(`{"name":"a"}`) }()
	<-s.engine.entered

	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		stopped <- s.Shutdown(ctx)
	}()
	for !s.gate.Stopping() {
		time.Sleep(time.Millisecond)
	}
	// A request that is on its way when the server stops is still answered.
	io.WriteString(idle, strings.Replace(second, "healthz", "readyz", 1))
	if a, err := readAnswer(idleReader, false); err != nil || a.status != 503 || !strings.Contains(a.body, "stopping") || a.header["connection"] != "close" {
		t.Errorf("readyz: %+v %v", a, err)
	}
	if _, closed := readUntilClosed(silent, 2*time.Second); !closed {
		t.Error("a silent connection stays open")
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request at work: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.engine.block)
	if a := <-busy; a.status != 200 || a.header["connection"] != "close" {
		t.Errorf("the request at work: %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("still listening")
	}
	if n := s.gate.Size(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// TestShutdownInTime has a request that never ends.
func TestShutdownInTime(t *testing.T) {
	s := start(t, nil)
	s.engine.entered, s.engine.block = make(chan struct{}, 1), make(chan struct{})
	defer close(s.engine.block)
	c := s.dial()
	io.WriteString(c, "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n"+secret+"\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}")
	<-s.engine.entered
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if s.running.Err() == nil {
		t.Error("the engine's calls are not told")
	}
}

// TestShutdownUnderLoad counts requests: every one that was sent whole before the stop has an
// answer, and every answer is true.
func TestShutdownUnderLoad(t *testing.T) {
	for round := range 3 {
		s := start(t, nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		sent, ok := 0, 0
		var stop atomic.Int64 // when Shutdown is called
		stop.Store(math.MaxInt64)
		for range 16 {
			wg.Go(func() {
				c, err := net.Dial("tcp", s.addr)
				if err != nil {
					return
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(5 * time.Second))
				r := bufio.NewReader(c)
				for {
					if _, err := io.WriteString(c, "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n"+secret+"\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}"); err != nil {
						return
					}
					before := time.Now().UnixNano() < stop.Load()
					a, err := readAnswer(r, false)
					mu.Lock()
					sent++
					if err == nil && a.status == 200 {
						ok++
					}
					mu.Unlock()
					if err != nil || a.header["connection"] == "close" {
						if err != nil && before {
							t.Errorf("round %d: a request was sent and not answered: %v", round, err)
						}
						return
					}
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		stop.Store(time.Now().UnixNano())
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		wg.Wait()
		if s.engine.count() != ok || ok == 0 {
			t.Errorf("round %d: %d answered, %d stored, %d sent", round, ok, s.engine.count(), sent)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := testkit.Certificate(t, dir, "old.example")
	certs := new(wire.Certs)
	apply, err := certs.Prepare(wire.CertOptions{Cert: certFile, Key: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	apply()
	s := start(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(certs.Listener(ln))

	dial := func(protocols ...string) (*tls.Conn, error) {
		return tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	}
	c, err := dial("h2", "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("protocol %q", p)
	}
	io.WriteString(c, second)
	if a, err := readAnswer(bufio.NewReader(c), false); err != nil || a.status != 200 {
		t.Errorf("%d %v", a.status, err)
	}
	if _, err := dial("h2"); err == nil {
		t.Error("a client that speaks only HTTP/2 was let in")
	}
	if _, err := certs.Prepare(wire.CertOptions{Cert: certFile, Key: certFile}); err == nil {
		t.Error("a certificate was taken for a key")
	}
}
