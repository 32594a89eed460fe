package httpd

import (
	"strings"
	"testing"
)

func TestAddressesOfConfiguration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ public, base, links, taken, scheme, host string }{
		{"", "", "", "", "", ""},
		{"https://stats.example", "", "", "", "https", "stats.example"},
		{"https://Stats.Example:443/", "", "", "", "https", "stats.example"},
		{"http://stats.example:443/", "", "", "", "http", "stats.example:443"},
		{"http://[::1]:80", "", "", "", "http", "[::1]"},
		{"https://example.com/cairn/", "", "/cairn", "/cairn", "https", "example.com"},
		{"https://example.com/cairn", "/stats", "/cairn", "/stats", "https", "example.com"},
		{"https://example.com", "/stats", "", "/stats", "https", "example.com"},
		{"", "/a/b.c-d_e~f/", "/a/b.c-d_e~f", "/a/b.c-d_e~f", "", ""},
		{"", "/", "", "", "", ""},
	} {
		want := Addresses{scheme: test.scheme, host: test.host, links: test.links, taken: test.taken}
		if a, err := NewAddresses(test.public, test.base); err != nil || a != want {
			t.Errorf("%q, %q: %+v, %v; want %+v", test.public, test.base, a, err, want)
		}
	}
	for _, public := range []string{"stats.example", "//stats.example", "ftp://stats.example", "https://", "https://:443", "https://a b", "https://u@stats.example", "https://stats.example?a", "https://stats.example/?", "https://stats.example/#", "https://stats.example//a", "https://stats.example/%61", "https://stats.example/a b", "javascript:alert(1)", "https://ä.example"} {
		if _, err := NewAddresses(public, ""); err == nil || !strings.Contains(err.Error(), "public_url") {
			t.Errorf("%q: %v", public, err)
		}
	}
	for _, base := range []string{"stats", "/a//b", "/../a", "/a/.", "/a;b", "/a%2fb", "/a\"b", "/" + strings.Repeat("a", baseBytesMax)} {
		if _, err := NewAddresses("", base); err == nil || !strings.Contains(err.Error(), "base_path") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// addressedAt sets the addresses of a server.
func addressedAt(t testing.TB, public, base string) func(*Options) {
	a, err := NewAddresses(public, base)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) { o.Addresses = a }
}

// A base path that begins as a path of cairn's own would make two paths of one.
func TestBasePathIsFree(t *testing.T) {
	for _, base := range []string{"/api", "/v1/x", "/track", "/js", "/healthz"} {
		o := Options{Engine: &fakeEngine{}, Sites: []*Site{testSite(1, "shop")}}
		addressedAt(t, "", base)(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "base_path") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// somePath is a path of a route.
func somePath(r *route) string {
	path := r.Path
	if name, ok := strings.CutPrefix(path, "*/"); ok {
		path = "/x/" + name
	}
	return strings.ReplaceAll(path, "*", "y")
}

// Every route answers with the base path and without.
func TestBasePath(t *testing.T) {
	s := start(t, addressedAt(t, "", "/my/stats"))
	for _, r := range s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false)) {
		path := somePath(r)
		for _, m := range r.Methods {
			query := ""
			if r.Query != "" {
				query = "?" + r.Query
			}
			plain := s.send(m, path+query, "")
			for _, base := range []string{"/my/stats", "//my///stats", "http://a/my/stats"} {
				if a := s.send(m, base+path+query, ""); a.status != plain.status {
					t.Errorf("%s %s: %d, and %d below %s", m, path, plain.status, a.status, base)
				}
			}
		}
	}
	if a := s.send("GET", "/", "", "Accept: text/html"); strings.Count(a.body, `href="/my/stats/`) != 3 || strings.Count(a.body, "href=") != 3 {
		t.Errorf("the start page leads elsewhere: %s", a.body)
	}
	for target, want := range map[string]int{
		"/my/stats/healthz": 200, "/my/statshealthz": 404, "/my/healthz": 404, "/stats/healthz": 404,
		"/my/stats": 200, "/my/stats/": 200, "/my/stats?a=b": 200, "/my/stats/my/stats/healthz": 404,
		// An empty id stays one.
		"/my/stats/api/v1/users//events": 404, "//my//stats//api/v1/users//events": 404,
	} {
		if a := s.send("GET", target, "", secret); a.status != want {
			t.Errorf("%s: %d, want %d", target, a.status, want)
		}
	}
}

// The address of a path is that of public_url, else that of the request. Only a trusted proxy
// may say that it is another one.
func TestAddress(t *testing.T) {
	forwarded := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example, stats.example:81"}
	for name, test := range map[string]struct {
		change  func(*Options)
		headers []string
		want    string
	}{
		"of the request":           {nil, nil, `"apiHost":"example.com/v1","protocol":"http"`},
		"a stranger":               {nil, forwarded, `"apiHost":"example.com/v1","protocol":"http"`},
		"a trusted proxy":          {strangers, forwarded, `"apiHost":"stats.example:81/v1","protocol":"https"`},
		"no host":                  {strangers, []string{"X-Forwarded-Host: a b"}, `"apiHost":"example.com/v1","protocol":"http"`},
		"the last line":            {strangers, []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Host: stats.example"}, `"apiHost":"stats.example/v1","protocol":"http"`},
		"base path":                {addressedAt(t, "", "/stats"), nil, `"apiHost":"example.com/stats/v1","protocol":"http"`},
		"public":                   {addressedAt(t, "https://p.example/cairn", ""), nil, `"apiHost":"p.example/cairn/v1","protocol":"https"`},
		"public, whatever is sent": {func(o *Options) { strangers(o); addressedAt(t, "http://p.example", "")(o) }, forwarded, `"apiHost":"p.example/v1","protocol":"http"`},
	} {
		a := start(t, test.change).send("GET", "/v1/projects/shop-write/settings", "", test.headers...)
		if a.status != 200 || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
