package httpd

import (
	"strings"
	"testing"
)

// TestReadTarget gives each form of a target, with the host, path and query that it means.
func TestReadTarget(t *testing.T) {
	for _, test := range []struct{ method, target, host, path, query string }{
		{"GET", "/", "h", "/", ""},
		{"GET", "/a/b/?c=//d", "h", "/a/b/", "c=//d"},
		{"GET", "//", "h", "/", ""},
		{"GET", "//matomo.php?idsite=1", "h", "/matomo.php", "idsite=1"},
		{"GET", "/a//b///c//", "h", "/a/b/c/", ""},
		{"GET", "///v1//batch", "h", "/v1/batch", ""},
		{"GET", "//api/v1/events", "h", "/api/v1/events", ""},
		{"GET", "/api//v1///users//events", "h", "/api/v1///users//events", ""},
		{"GET", "//api/v1/users//events", "h", "/api/v1/users//events", ""},
		{"GET", "/api/v1//users", "h", "/api/v1//users", ""},
		{"GET", "/api/v1", "h", "/api/v1", ""},
		{"GET", "/api/v1x//users", "h", "/api/v1x/users", ""},
		{"GET", "//dashboard//a//b", "h", "/dashboard//a//b", ""},
		{"GET", "/x//dashboard//a", "h", "/x/dashboard/a", ""},
		{"GET", "/http://x/y", "h", "/http:/x/y", ""},
		{"GET", "http://other:81/a//b?c", "other:81", "/a/b", "c"},
		{"GET", "HTTP://other", "other", "/", ""},
		{"GET", "https://other?a=http://b/", "other", "/", "a=http://b/"},
		{"OPTIONS", "*", "h", "*", ""},
		{"OPTIONS", "http://other", "other", "*", ""},
		{"OPTIONS", "http://other/", "other", "/", ""},
	} {
		host, path, query := new(Addresses).readTarget(test.method, test.target, "h")
		if host != test.host || path != test.path || query != test.query {
			t.Errorf("%s %s: %q, %q, %q", test.method, test.target, host, path, query)
		}
	}
	long := "/api" + strings.Repeat("//x", 10_000)
	if path := foldPath(long); path != "/api"+strings.Repeat("/x", 10_000) {
		t.Errorf("a long path: %d bytes", len(path))
	}
}

// TestFoldedPathsAreChecked asks each route of the table by paths with empty segments,
// without a key and with a wrong one: the answer is the one to the plain path.
func TestFoldedPathsAreChecked(t *testing.T) {
	s := start(t, nil)
	for _, r := range s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false)) {
		path := strings.ReplaceAll(strings.Replace(r.Path, "*/", "/x/", 1), "*", "y")
		if r.own != nil || !strings.HasPrefix(path, "/") {
			continue
		}
		for _, key := range []string{"X-Key: none", "Authorization: Bearer wrong"} {
			for _, m := range r.Methods {
				query := ""
				if r.Query != "" {
					query = "?" + r.Query
				}
				plain := s.send(m, path+query, "", key)
				for _, spelled := range []string{"/" + path, strings.Replace("/"+path, "/", "///", 1), "http://a/" + path} {
					if folded := s.send(m, spelled+query, "", key); folded.status != plain.status {
						t.Errorf("%s %s with %q: %d, and %d for %s", m, spelled, key, folded.status, plain.status, path)
					}
				}
			}
		}
	}
}
