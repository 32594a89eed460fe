package httpd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dashboard"
	"cairn/http/dialect"
)

// gated is a dialect that shows what the gate says, as the dashboard uses it.
type gated struct{ dashboard.Gate }

func (gated) Name() event.Dialect { return event.Native }

func (gated) Routes() []dialect.Route {
	return []dialect.Route{
		{Methods: []string{"POST"}, Path: "/gate/*", Auth: dialect.AuthNone, Acts: true, Body: 4096},
		{Methods: []string{"GET"}, Path: "/gate/*", Auth: dialect.AuthNone, Acts: true},
	}
}

func (gated) Decode(*dialect.Request, *dialect.Batch) error { return nil }

func (gated) Reply(_ *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.Status, res.Body = result.Failure.Status(), append(res.Body[:0], result.Err.Error()...)
}

func (g gated) Act(_ context.Context, req *dialect.Request, res *dialect.Response) (err error) {
	cookie, status := "", "nobody"
	switch what := strings.TrimPrefix(req.Path, "/gate/"); what {
	case "login":
		cookie, err = g.Login(req, string(req.Body))
	case "open":
		cookie, err = g.Open(req, string(req.Body))
	case "logout":
		cookie = g.Logout(req)
	case "form":
		status = fmt.Sprint(g.FromPage(req), " ", g.Readable(req))
	case "shared": // with a token asks a call
		var v *dashboard.Viewer
		if v, err = g.Share(req, req.Header("X-Token")); v != nil {
			answer := g.Gate.(*Server).Ask(context.Background(), v, v.Sites[0], strings.Clone(req.Header("X-Call")), strings.Clone(req.RawQuery))
			status = fmt.Sprint(answer.Status, " ", string(answer.Body))
		}
	default:
		if v := g.Viewer(req, what == "screen"); v != nil {
			status = fmt.Sprintf("admin %v, save %v", v.Admin, v.Save)
			for _, s := range v.Sites {
				status += " " + s.Name
			}
		}
	}
	if err != nil {
		return err
	}
	if cookie != "" {
		res.Header = append(res.Header, [2]string{"Set-Cookie", cookie})
	}
	res.Status, res.Body = 200, append(res.Body, status...)
	return nil
}

// withGate adds gated to the routes of a server.
func withGate(t testing.TB) func(*Server) {
	return func(s *Server) {
		all := *s.sites.Load()
		var err error
		if all.table, err = newTable(s.routes(s.sites.Load().dashboard, append(dialects(s.native, nil, false), gated{s}))); err != nil {
			t.Fatal(err)
		}
		s.sites.Store(&all)
	}
}

func startGate(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	return start(t, func(o *Options) {
		twoSites(o)
		o.Dashboard = true
		if change != nil {
			change(o)
		}
	}, withGate(t))
}

const ownPage = "Origin: http://example.com"

// login logs in with a key and returns the header with the cookie.
func (s *testServer) login(key string) string {
	s.t.Helper()
	s.tries = newMeters(pace{}) // another test counts them
	a := s.send("POST", "/gate/login", key, ownPage)
	if a.status != 200 || a.header["set-cookie"] == "" {
		s.t.Fatalf("login with %q: %d %s", key, a.status, a.body)
	}
	pair, _, _ := strings.Cut(a.header["set-cookie"], ";")
	return "Cookie: " + pair
}

// Every kind of key at the login. A wrong one and an empty one get one answer.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := startGate(t, func(o *Options) {
		o.MetricsToken = "metrics"
		o.Sites[0].TrackingToken = "shop-tracking"
	})
	s.tries = newMeters(pace{})
	const sends, none = "403 this key can only send; use a read_key, a secret_key or the admin_token", "401 this is no key of a site"
	for key, want := range map[string]string{
		"shop-read":      "admin false, save false shop",
		" blog-secret\n": "admin false, save true blog",
		"admin":          "admin true, save true shop blog",
		"shop-write":     sends, "shop-client": sends, "shop-client-secret": sends, "shop-token": sends, "shop-tracking": sends, "metrics": sends,
		"": none, "wrong": none, "SHOP-READ": none, "shop": none, strings.Repeat("x", 4000): none,
	} {
		a := s.send("POST", "/gate/login", key, ownPage)
		got := fmt.Sprint(a.status, " ", a.body)
		if a.status == 200 {
			pair, _, _ := strings.Cut(a.header["set-cookie"], ";")
			got = s.send("GET", "/gate/screen", "", "Cookie: "+pair).body
		}
		if got != want {
			t.Errorf("%.20q: %s; want %s", key, got, want)
		}
	}
}

// The name and the attributes of the cookie, byte for byte.
func TestCookie(t *testing.T) {
	t.Parallel()
	both := func(changes ...func(*Options)) func(*Options) {
		return func(o *Options) {
			for _, c := range changes {
				c(o)
			}
		}
	}
	tls := []string{"X-Forwarded-Proto: https", "Origin: https://example.com"}
	for name, test := range map[string]struct {
		change      func(*Options)
		headers     []string
		begin, rest string
	}{
		"plain":            {nil, []string{ownPage}, "cairn-c0ffee=", "; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax"},
		"plain, base path": {addressedAt(t, "", "/stats"), []string{ownPage}, "cairn-c0ffee=", "; Path=/stats; Max-Age=%d; HttpOnly; SameSite=Lax"},
		"a proxy's TLS":    {strangers, tls, "__Host-cairn-c0ffee=", "; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax; Secure"},
		"a stranger's TLS": {nil, tls, "cairn-c0ffee=", "; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax"},
		"TLS, base path":   {both(strangers, addressedAt(t, "", "/stats")), tls, "__Secure-cairn-c0ffee=", "; Path=/stats; Max-Age=%d; HttpOnly; SameSite=Lax; Secure"},
		"public":           {addressedAt(t, "https://p.example", ""), []string{"Origin: https://p.example"}, "__Host-cairn-c0ffee=", "; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax; Secure"},
		"public, path":     {addressedAt(t, "https://p.example/a", ""), []string{"Origin: https://p.example"}, "__Secure-cairn-c0ffee=", "; Path=/a; Max-Age=%d; HttpOnly; SameSite=Lax; Secure"},
	} {
		s := startGate(t, test.change)
		a := s.send("POST", "/gate/login", "shop-read", test.headers...)
		cookie := a.header["set-cookie"]
		secret, rest, _ := strings.Cut(strings.TrimPrefix(cookie, test.begin), ";")
		if !strings.HasPrefix(cookie, test.begin) || len(secret) != 43 || ";"+rest != fmt.Sprintf(test.rest, 30*24*60*60) {
			t.Errorf("%s: %d %s %q", name, a.status, a.body, cookie)
			continue
		}
		own := "Cookie: other=1; " + test.begin + secret + "; more=2"
		if a := s.send("GET", "/gate/screen", "", append(test.headers, own)...); a.body != "admin false, save false shop" {
			t.Errorf("%s: %s", name, a.body)
		}
		// A cookie that any page of the host could have set does not count over TLS.
		bare := "Cookie: cairn-c0ffee=" + secret
		if a := s.send("GET", "/gate/screen", "", append(test.headers, bare)...); strings.HasPrefix(test.begin, "__") && a.body != "nobody" {
			t.Errorf("%s: without its prefix: %s", name, a.body)
		}
		// A new value at each login, and the old one ends.
		again := s.send("POST", "/gate/login", "shop-read", append(test.headers, own)...).header["set-cookie"]
		if strings.Contains(again, secret) || again == "" {
			t.Errorf("%s: the same value again", name)
		}
		if a := s.send("GET", "/gate/screen", "", append(test.headers, own)...); a.body != "nobody" {
			t.Errorf("%s: the session before the login goes on: %s", name, a.body)
		}
		pair, _, _ := strings.Cut(again, ";")
		out := s.send("POST", "/gate/logout", "", append(test.headers, "Cookie: "+pair)...)
		if out.header["set-cookie"] != test.begin+fmt.Sprintf(test.rest, 0) {
			t.Errorf("%s: %q deletes it", name, out.header["set-cookie"])
		}
		if a := s.send("GET", "/gate/screen", "", append(test.headers, "Cookie: "+pair)...); a.body != "nobody" {
			t.Errorf("%s: after the logout: %s", name, a.body)
		}
	}
}

// The value of the cookie of another path, which a browser may send first, hides no session; and
// many of them take no long.
func TestCookieOfAnotherPath(t *testing.T) {
	t.Parallel()
	s := startGate(t, nil)
	cookie := s.login("shop-read")
	name, _, _ := strings.Cut(strings.TrimPrefix(cookie, "Cookie: "), "=")
	for n, want := range map[int]string{1: "admin false, save false shop", secretsMax - 1: "admin false, save false shop", secretsMax: "nobody"} {
		header := strings.Replace(cookie, ": ", ": "+strings.Repeat(name+"=x; ", n), 1)
		if a := s.send("GET", "/gate/screen", "", header); a.body != want {
			t.Errorf("after %d others: %s", n, a.body)
		}
	}
}

// A one-time link opens one session with the rights of the admin's token, and ends with it.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := startGate(t, nil)
	s.tries = newMeters(pace{})
	code := func() string {
		a := s.send("POST", "/api/v1/admin/login-link", "", adminKey)
		_, code, found := strings.Cut(a.body, `"url":"http://example.com/dashboard/open/`)
		if a.status != 200 || !found {
			t.Fatal(a.status, a.body)
		}
		code, _, _ = strings.Cut(code, `"`)
		return code
	}
	link := code()
	if a := s.send("POST", "/gate/open", link, "Origin: http://evil.example"); a.status != 403 {
		t.Errorf("from another page: %d %s", a.status, a.body)
	}
	var opened, spent atomic.Int32
	var cookie atomic.Pointer[string]
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			switch a := s.send("POST", "/gate/open", link, ownPage); a.status {
			case 200:
				opened.Add(1)
				pair, _, _ := strings.Cut(a.header["set-cookie"], ";")
				cookie.Store(&pair)
			case 404:
				spent.Add(1)
			}
		})
	}
	if all.Wait(); opened.Load() != 1 || spent.Load() != 63 {
		t.Fatalf("%d opened, %d were told that it is spent", opened.Load(), spent.Load())
	}
	if a := s.send("GET", "/gate/screen", "", "Cookie: "+*cookie.Load()); a.body != "admin true, save true shop blog" {
		t.Error(a.body)
	}
	link = code()
	if err := s.setSites([]*Site{testSite(1, "shop"), testSite(2, "blog")}, false, "another"); err != nil {
		t.Fatal(err)
	}
	withGate(t)(s.Server)
	if a := s.send("POST", "/gate/open", link, ownPage); a.status != 404 || !strings.Contains(a.body, "cairn dashboard") {
		t.Errorf("with another admin token: %d %s", a.status, a.body)
	}
	if a := s.send("GET", "/gate/screen", "", "Cookie: "+*cookie.Load()); a.body != "nobody" {
		t.Errorf("with another admin token: %s", a.body)
	}
}

// Without a dashboard there are no links.
func TestNoLoginLink(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.SetAddress("http://127.0.0.1:1")
	if _, _, err := s.LoginLink(); !errors.Is(err, errNoDashboard) {
		t.Error(err)
	}
	if a := s.send("POST", "/api/v1/admin/login-link", "", adminKey); a.status != 404 {
		t.Error(a.status, a.body)
	}
}

// An address has ten tries a minute, whichever way it tries; a network of IPv6 counts as one.
func TestLoginTries(t *testing.T) {
	t.Parallel()
	s := startGate(t, strangers)
	if s.tries.pace != newPace(10/60.0, 10) {
		t.Errorf("%+v", s.tries.pace)
	}
	s.tries = newMeters(newPace(1e-6, triesAtOnce)) // however long this takes
	try := func(path, key, from string) parsed {
		return s.send("POST", path, key, ownPage, "X-Forwarded-For: "+from)
	}
	for i := range triesMinute {
		path := []string{"/gate/login", "/gate/open"}[i%2]
		if a := try(path, "wrong", fmt.Sprintf("2001:db8::%d", i)); a.status != 401 && a.status != 404 {
			t.Fatal(i, a.status, a.body)
		}
	}
	for _, key := range []string{"wrong", "shop-read"} {
		if a := try("/gate/login", key, "2001:db8::ff"); a.status != 429 || a.header["retry-after"] == "" {
			t.Errorf("the next with %s: %d %v", key, a.status, a.header)
		}
	}
	if a := try("/gate/login", "shop-read", "2001:db8:0:1::"); a.status != 200 {
		t.Errorf("another network: %d %s", a.status, a.body)
	}
	// A page elsewhere cannot use them up.
	for range 2 * triesMinute {
		s.send("POST", "/gate/login", "wrong", "Origin: http://evil.example", "X-Forwarded-For: 192.0.2.1")
	}
	if a := try("/gate/login", "shop-read", "192.0.2.1"); a.status != 200 {
		t.Errorf("after tries of a page elsewhere: %d %s", a.status, a.body)
	}
}

// Which Origin is the server's own, and when a key travels readable.
func TestFromPage(t *testing.T) {
	t.Parallel()
	proxied := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: stats.example"}
	for name, test := range map[string]struct {
		change  func(*Options)
		headers []string
		want    string
	}{
		"none":               {nil, nil, "false true"},
		"own":                {nil, []string{ownPage}, "true true"},
		"own over TLS":       {nil, []string{"Origin: https://example.com"}, "true true"},
		"case":               {nil, []string{"Origin: HTTP://EXAMPLE.com"}, "true true"},
		"the usual port":     {nil, []string{"Origin: http://example.com:80"}, "true true"},
		"another port":       {nil, []string{"Origin: http://example.com:81"}, "false true"},
		"another host":       {nil, []string{"Origin: http://example.com.evil.example"}, "false true"},
		"a part":             {nil, []string{"Origin: http://xample.com"}, "false true"},
		"null":               {nil, []string{"Origin: null"}, "false true"},
		"empty":              {nil, []string{"Origin:"}, "false true"},
		"two":                {nil, []string{ownPage, "Origin: http://evil.example"}, "false true"},
		"another scheme":     {nil, []string{"Origin: ftp://example.com"}, "false true"},
		"a path":             {nil, []string{"Origin: http://example.com/"}, "false true"},
		"a stranger's host":  {nil, append(proxied, "Origin: https://stats.example"), "false true"},
		"a proxy's":          {strangers, append(proxied, "Origin: https://stats.example"), "true false"},
		"a proxy's, no TLS":  {strangers, append(proxied, "Origin: http://stats.example"), "false false"},
		"public":             {addressedAt(t, "https://p.example/a", ""), []string{"Origin: https://p.example"}, "true false"},
		"public, plain":      {addressedAt(t, "https://p.example/a", ""), []string{"Origin: http://p.example"}, "false false"},
		"public, the Host":   {addressedAt(t, "https://p.example/a", ""), []string{ownPage}, "false false"},
		"public without TLS": {addressedAt(t, "http://p.example", ""), []string{"Origin: http://p.example"}, "true true"},
	} {
		s := startGate(t, test.change)
		if a := s.send("GET", "/gate/form", "", test.headers...); a.body != test.want {
			t.Errorf("%s: %s, want %s", name, a.body, test.want)
		}
	}
	s := startGate(t, nil)
	answer, _ := s.raw("GET /gate/form HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n", 5*time.Second)
	if !strings.HasSuffix(answer, "false false") {
		t.Errorf("from this machine: %s", answer)
	}
}

// Who may ask with the cookie: screens, fragments, the API, and changes. There is nothing saved
// that could be removed.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	s := startGate(t, nil)
	cookie := s.login("shop-secret")
	site := func(v string) string { return "Sec-Fetch-Site: " + v }
	navigate := []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	for name, test := range map[string]struct {
		headers                          []string
		screen, fragment, read, save, un int
	}{
		"an old browser":           {nil, 200, 200, 200, 403, 403},
		"own page":                 {[]string{site("same-origin"), ownPage, "X-Cairn: 1"}, 200, 200, 200, 200, 404},
		"own page, old browser":    {[]string{ownPage, "X-Cairn: 1"}, 200, 200, 200, 200, 404},
		"typed in":                 {append(navigate, site("none")), 200, 200, 200, 403, 403},
		"a link elsewhere":         {append(navigate, site("cross-site")), 200, 401, 403, 403, 403},
		"a link of the site":       {append(navigate, site("same-site")), 200, 401, 403, 403, 403},
		"a frame":                  {[]string{site("cross-site"), "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 401, 401, 403, 403, 403},
		"a script elsewhere":       {[]string{site("cross-site"), "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", ownPage, "X-Cairn: 1"}, 401, 401, 403, 403, 403},
		"a script of a subdomain":  {[]string{site("same-site"), "Origin: http://blog.example.com", "X-Cairn: 1"}, 401, 401, 403, 403, 403},
		"an unknown word":          {[]string{site("Same-Origin"), ownPage, "X-Cairn: 1"}, 401, 401, 403, 403, 403},
		"a form elsewhere":         {[]string{"Origin: http://evil.example", "X-Cairn: 1"}, 200, 200, 200, 403, 403},
		"a form without an origin": {[]string{"X-Cairn: 1"}, 200, 200, 200, 403, 403},
		"a sandbox":                {[]string{"Origin: null", "X-Cairn: 1"}, 200, 200, 200, 403, 403},
		"without the mark":         {[]string{site("same-origin"), ownPage}, 200, 200, 200, 403, 403},
		"another mark":             {[]string{site("same-origin"), ownPage, "X-Cairn: 2"}, 200, 200, 200, 403, 403},
		// A key, right or wrong, means that the cookie does not count.
		"a wrong key":  {[]string{"Authorization: Bearer wrong", ownPage, "X-Cairn: 1"}, 401, 401, 401, 401, 401},
		"an empty key": {[]string{"Authorization:", ownPage, "X-Cairn: 1"}, 401, 401, 401, 401, 401},
		"a read key":   {[]string{"Authorization: Bearer shop-read", site("cross-site")}, 401, 401, 200, 403, 403},
	} {
		headers := append([]string{cookie, "Content-Type: application/json"}, test.headers...)
		seen := func(path string) int {
			if a := s.send("GET", path, "", headers...); a.status == 200 && a.body == "nobody" {
				return 401
			}
			return 200
		}
		got := []int{seen("/gate/screen"), seen("/gate/fragment"),
			s.send("GET", "/api/v1/events", "", headers...).status,
			s.send("POST", "/api/v1/saved", `{"kind":"filter","name":"a","query":"country=DE"}`, headers...).status,
			s.send("DELETE", "/api/v1/saved/0000000000000001", "", headers...).status}
		if want := []int{test.screen, test.fragment, test.read, test.save, test.un}; !slices.Equal(got, want) {
			t.Errorf("%s: screen, fragment, read, save, remove: %v, want %v", name, got, want)
		}
		for _, path := range []string{"/api/v1/events", "/api/v1/saved"} {
			a := s.send("GET", path, "", headers...)
			for name := range a.header {
				if strings.HasPrefix(name, "access-control") {
					t.Errorf("%s has %s", path, name)
				}
			}
		}
	}
	// Who may only look saves nothing.
	if a := s.send("POST", "/api/v1/saved", `{"kind":"filter","name":"a","query":"country=DE"}`, s.login("shop-read"), ownPage, "X-Cairn: 1", "Content-Type: application/json"); a.status != 403 {
		t.Errorf("a session of a read key: %d %s", a.status, a.body)
	}
}

// The cookie opens the reads of the native API and what is saved; every other route of every
// dialect answers as without it. The dialects' routes may be asked from any Origin.
func TestCookieIsIgnored(t *testing.T) {
	t.Parallel()
	s := startGate(t, nil)
	s.budget.Set(1 << 30)
	page := []string{s.login("admin"), ownPage, "X-Cairn: 1", "Sec-Fetch-Site: same-origin"}
	opened := map[string]bool{}
	for _, r := range s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false)) {
		path := somePath(r)
		query := "?site=shop"
		if r.Query != "" {
			query = "?" + r.Query
		}
		if r.Right&dialect.Admin != 0 {
			query = ""
		}
		for _, m := range r.Methods {
			if r.Lasts || strings.HasPrefix(r.Path, "/dashboard") {
				continue // TestSessionStream asks it; the dashboard's own routes know the cookie
			}
			with, without := s.send(m, path+query, "", page...), s.send(m, path+query, "", page[1:]...)
			if r.Browser != (with.status != 401 && without.status == 401) {
				t.Errorf("%s %s: %d with the cookie, %d without", m, path, with.status, without.status)
			}
			if opened[m+" "+r.Path] = r.Browser; !r.Browser && (with.status != without.status || with.body != without.body) {
				t.Errorf("%s %s: %d %s with the cookie, %d %s without", m, path, with.status, with.body, without.status, without.body)
			}
			if r.Browser && (r.wire.Name() != event.Native || r.CORS != dialect.CORSNone || !r.Reads && !strings.HasPrefix(r.Path, "/api/v1/saved")) {
				t.Errorf("%s %s takes the cookie", m, r.Path)
			}
		}
	}
	for _, closed := range []string{"POST /api/v1/events", "POST /api/v1/admin/snapshot", "POST /api/v1/admin/login-link"} {
		if open, known := opened[closed]; open || !known {
			t.Errorf("%s takes the cookie, or is not there", closed)
		}
	}
	if s.engine.count() != 0 {
		t.Errorf("%d events were stored", s.engine.count())
	}
}

// Each session has its own count of reads. One too many waits until another one ends, since a browser
// that follows a link does not try again.
func TestSessionQueries(t *testing.T) {
	t.Parallel()
	s := startGate(t, nil)
	one, two := s.login("shop-read"), s.login("shop-read")
	s.engine.block, s.engine.entered = make(chan struct{}), make(chan struct{}, 16)
	var all sync.WaitGroup
	ask := func(header string) { // and wait until it is at work
		refused := make(chan int, 1)
		all.Go(func() { refused <- s.send("GET", "/api/v1/events", "", header).status })
		select {
		case <-s.engine.entered:
		case status := <-refused:
			t.Errorf("%s: %d", header, status)
		}
	}
	for range queriesMax {
		ask(one)
	}
	more := make(chan int, 1)
	all.Go(func() { more <- s.send("GET", "/api/v1/events", "", one).status })
	ask(two)
	ask("Authorization: Bearer shop-read")
	select {
	case status := <-more:
		t.Errorf("one more: %d before another one has ended", status)
	case <-s.engine.entered:
		t.Error("one more is at work")
	default:
	}
	s.engine.block <- struct{}{}
	select {
	case status := <-more:
		t.Errorf("one more: %d after another one has ended", status)
	case <-s.engine.entered:
	}
	close(s.engine.block)
	all.Wait()
}

// The ways in which a session ends, each of which ends its stream too. Over a restart of the
// store they are in auth and engine.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *testServer, cookie string, now *atomic.Int64){
		"logout": func(s *testServer, cookie string, _ *atomic.Int64) {
			s.send("POST", "/gate/logout", "", cookie, ownPage)
		},
		"login": func(s *testServer, cookie string, _ *atomic.Int64) {
			s.send("POST", "/gate/login", "shop-read", cookie, ownPage)
		},
		"idle": func(_ *testServer, _ string, now *atomic.Int64) { now.Add(int64(12 * time.Hour)) },
		"key": func(s *testServer, _ string, _ *atomic.Int64) {
			other := testSite(1, "shop")
			other.ReadKey = "another"
			if err := s.setSites([]*Site{other, testSite(2, "blog")}, false, "admin"); err != nil {
				s.t.Error(err)
			}
		},
		"site": func(s *testServer, _ string, _ *atomic.Int64) {
			if err := s.setSites([]*Site{testSite(2, "blog")}, false, "admin"); err != nil {
				s.t.Error(err)
			}
		},
	} {
		var now atomic.Int64
		now.Store(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).UnixNano())
		s := startGate(t, func(o *Options) { o.Now = func() time.Time { return time.Unix(0, now.Load()) } })
		cookie := s.login("shop-read")
		if a := s.send("GET", "/api/v1/events", "", cookie); a.status != 200 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		if err := s.setSites([]*Site{testSite(1, "shop"), testSite(2, "blog")}, false, "another"); err != nil {
			t.Fatal(err)
		}
		withGate(t)(s.Server)
		if a := s.send("GET", "/api/v1/events", "", cookie); a.status != 200 {
			t.Fatalf("%s: with other keys replaced: %d %s", name, a.status, a.body)
		}
		end(s, cookie, &now)
		if a := s.send("GET", "/api/v1/events", "", cookie); a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if n := len(s.engine.browsers); name != "idle" && name != "login" && n != 0 {
			t.Errorf("%s: %d sessions in the store", name, n)
		}
	}
}

// A stream of a session ends with it.
func TestSessionStream(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, func(o *Options) { o.Dashboard = true }, testSite(1, "shop"))
	withGate(t)(s.Server)
	cookie := s.login("shop-read")
	f, other := s.follow(cookie), s.follow(s.login("shop-read"))
	if a := s.send("POST", "/gate/logout", "", cookie, ownPage); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	if _, _, err := f.next("nothing"); err == nil || err.Error() != "EOF" {
		t.Errorf("after the logout it ends with %v", err)
	}
	s.send("POST", "/api/v1/events", `{"name":"a"}`, secret)
	if _, data, err := other.next("event"); err != nil || !strings.Contains(data, `"name":"a"`) {
		t.Errorf("the stream of another session: %s %v", data, err)
	}
}

// A restart of the server revives the sessions that have not ended.
func TestSessionsOverRestart(t *testing.T) {
	t.Parallel()
	o := engine.Options{Dir: t.TempDir()}
	var cookies []string
	t.Run("before", func(t *testing.T) {
		s := onStore(t, o, nil, testSite(1, "shop"))
		withGate(t)(s.Server)
		cookies = []string{s.login("shop-read"), s.login("shop-secret")}
		s.send("POST", "/gate/logout", "", cookies[1], ownPage)
	})
	s := onStore(t, o, nil, testSite(1, "shop"))
	for i, want := range []int{200, 401} {
		if a := s.send("GET", "/api/v1/events", "", cookies[i]); a.status != want {
			t.Errorf("session %d: %d, want %d", i, a.status, want)
		}
	}
}

// While the disk takes no write, a session is in memory.
func TestSessionOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := startGate(t, func(o *Options) { o.Engine.(*fakeEngine).admit = query.ErrDiskFull })
	if a := s.send("GET", "/api/v1/events", "", s.login("shop-read")); a.status != 200 || len(s.engine.browsers) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
