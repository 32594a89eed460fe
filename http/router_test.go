package httpd

import (
	"slices"
	"strings"
	"testing"

	"cairn/http/dialect"
)

// TestTableDisjoint proves that no request has two answers: no line is there twice, and no
// path matches two patterns that are equally specific.
func TestTableDisjoint(t *testing.T) {
	s := start(t, nil)
	routes := s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false))
	if len(routes) < 15 {
		t.Fatalf("only %d routes", len(routes))
	}
	for i, a := range routes {
		for _, b := range routes[i+1:] {
			if a.Path != b.Path || a.Host != b.Host || a.Query != b.Query || a.Form != b.Form {
				continue
			}
			for _, m := range a.Methods {
				if slices.Contains(b.Methods, m) {
					t.Errorf("%s %s is there twice", m, a.Path)
				}
			}
		}
	}
	// Every literal line must reach itself, and no wildcard of another owner may
	// claim what a literal line owns.
	for _, r := range routes {
		if strings.Contains(r.Path, "*") {
			continue
		}
		for _, m := range r.Methods {
			query := r.Query
			found, _ := s.sites.Load().table.find(m, r.Host, r.Path, query)
			if found != nil {
				found = found.byForm(m, "application/x-www-form-urlencoded", []byte(r.Form))
			}
			if found != r {
				if found == nil || found.Path != r.Path || found.wire != nil && r.wire != nil && found.wire.Name() != r.wire.Name() {
					t.Errorf("%s %s reaches %+v", m, r.Path, found)
				}
			}
		}
	}
	for _, a := range s.sites.Load().table.patterns {
		for _, b := range s.sites.Load().table.patterns {
			if a.routes[0].wire == b.routes[0].wire || a.tail != b.tail || len(a.segments) != len(b.segments) {
				continue
			}
			overlap := true
			for i := range a.segments {
				if a.segments[i] != b.segments[i] && a.segments[i] != "*" && b.segments[i] != "*" {
					overlap = false
				}
			}
			if overlap {
				t.Errorf("%q and %q answer the same paths", a.routes[0].Path, b.routes[0].Path)
			}
		}
	}

	twice := []*route{
		{Route: dialect.Route{Methods: []string{"GET", "POST"}, Path: "/a"}},
		{Route: dialect.Route{Methods: []string{"POST"}, Path: "/a"}},
	}
	if _, err := newTable(twice); err == nil {
		t.Error("a table with a line twice was accepted")
	}
	twice[1].Form = "a"
	if _, err := newTable(twice); err != nil {
		t.Errorf("two routes that a form tells apart: %v", err)
	}
	for _, path := range []string{"", "a", "*/", "*/a/b", "*"} {
		if _, err := newTable([]*route{{Route: dialect.Route{Methods: []string{"GET"}, Path: path}}}); err == nil {
			t.Errorf("path %q was accepted", path)
		}
	}
}

func TestTableFind(t *testing.T) {
	line := func(path, host, query string, methods ...string) *route {
		return &route{Route: dialect.Route{Path: path, Host: host, Query: query, Methods: methods}}
	}
	table, err := newTable([]*route{
		line("/", "", "", "GET"),
		line("/", "", "module=API", "GET"),
		line("/", "", "si", "GET"),
		line("/", "log", "", "GET"),
		line("/", "", "", "POST"),
		line("/a/b", "", "", "GET"),
		line("/a/*", "", "", "GET"),
		line("/a/*/c", "", "", "GET", "DELETE"),
		line("/a/*/c/*", "", "", "GET"),
		line("*/matomo.php", "", "", "GET", "POST", "HEAD"),
		{Route: dialect.Route{Path: "/r/*", Methods: []string{"GET"}, Rest: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, host, path, query string
		want                      string // path|host|query of the route; "405" or "404"
	}{
		{"GET", "x", "/", "", "/||"},
		{"GET", "x", "/", "module=API&method=a", "/||module=API"},
		{"GET", "x", "/", "module=CoreHome", "/||"},
		{"GET", "x", "/", "a=b&si=shop", "/||si"},
		{"GET", "x", "/", "sid=shop", "/||"},
		{"GET", "log.example.com", "/", "si=shop", "/|log|"},
		{"GET", "LOG:8080", "/", "", "/|log|"},
		{"GET", "logs.example.com", "/", "", "/||"},
		{"POST", "x", "/", "", "/||"},
		{"PUT", "x", "/", "", "405"},
		{"HEAD", "x", "/", "", "405"}, // no Reads: HEAD must be listed
		{"GET", "x", "/a/b", "", "/a/b||"},
		{"GET", "x", "/a/x", "", "/a/*||"},
		{"GET", "x", "/a/x/y", "", "/a/*||"},
		{"GET", "x", "/a/x/c", "", "/a/*/c||"},
		{"GET", "x", "/a/x%2Fy/c", "", "/a/*/c||"},
		{"DELETE", "x", "/a/x/c", "", "/a/*/c||"},
		{"DELETE", "x", "/a/x", "", "405"},
		{"GET", "x", "/a/x/c/d", "", "/a/*/c/*||"},
		{"GET", "x", "/a", "", "404"},
		{"GET", "x", "/a/", "", "404"},
		{"GET", "x", "/A/b", "", "404"},
		{"GET", "x", "/a/b/", "", "/a/*||"},
		{"GET", "x", "/matomo.php", "", "*/matomo.php||"},
		{"GET", "x", "/a/matomo.php", "", "/a/*||"},
		{"GET", "x", "/r/matomo.php", "", "*/matomo.php||"},
		{"GET", "x", "/r/b/c", "", "/r/*||"},
		{"HEAD", "x", "/x/y/matomo.php", "", "*/matomo.php||"},
		{"GET", "x", "/x//matomo.php", "", "404"},
		{"GET", "x", "//matomo.php", "", "404"},
		{"GET", "x", "/../matomo.php", "", "404"},
		{"GET", "x", "/x/%2e%2E/matomo.php", "", "404"},
		{"GET", "x", "/a/.", "", "404"},
		{"GET", "x", "/a/..", "", "404"},
		{"GET", "x", "/a/%2e", "", "404"},
		{"GET", "x", "/a/.%2e/c", "", "404"},
		{"GET", "x", "/a/b;x", "", "404"},
		{"GET", "x", "/a/x;y/c", "", "404"},
		{"GET", "x", "/a/b%00", "", "404"},
		{"GET", "x", "/a\\b", "", "404"},
		{"GET", "x", "/a/x\\..\\c", "", "404"},
		{"GET", "x", "/a/b#x", "", "404"},
		{"GET", "x", "/matomo.php/", "", "404"},
		{"GET", "x", "/%6datomo.php", "", "404"},
		{"GET", "x", "", "", "404"},
		{"GET", "x", "*", "", "404"},
	} {
		found, other := table.find(test.method, test.host, test.path, test.query)
		got := "404"
		if found != nil {
			got = found.Path + "|" + found.Host + "|" + found.Query
		} else if other != nil {
			got = "405"
		}
		if got != test.want {
			t.Errorf("%s %s%s?%s: %s, want %s", test.method, test.host, test.path, test.query, got, test.want)
		}
	}
}

// TestMethods asks for what is not there, in the ways attackers do.
func TestMethods(t *testing.T) {
	s := start(t, nil)
	for _, test := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/", 200, ""},
		{"HEAD", "/", 200, ""},
		{"PUT", "/", 405, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/", 204, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "*", 204, "GET, HEAD, OPTIONS, POST"},
		{"TRACE", "/", 501, ""},
		{"BREW", "/", 501, ""},
		{"get", "/", 501, ""},
		{"GET", "/nothing", 404, ""},
		{"OPTIONS", "/nothing", 404, ""},
		{"GET", "//", 200, ""},
		{"GET", "//healthz", 200, ""},
		{"PUT", "//tracking///events", 405, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "//tracking//events", 204, "GET, HEAD, OPTIONS, POST"},
		{"GET", "//api//v1/count", 200, ""},
		{"GET", "/api/v1//count", 404, ""},
		{"GET", "/api/v1/users//events", 404, ""},
		{"GET", "/api/v1/nothing/matomo.php", 404, ""},
		{"GET", "//dashboard/x/matomo.php", 404, ""},
		{"GET", "/healthz/", 404, ""},
		{"GET", "/Healthz", 404, ""},
		{"GET", "/%68ealthz", 404, ""},
		{"GET", "/./healthz", 404, ""},
		{"GET", "/x/../healthz", 404, ""},
		{"GET", "/%2e%2e/healthz", 404, ""},
		{"GET", "/healthz;a=b", 404, ""},
		{"GET", "/healthz%00", 404, ""},
		{"GET", "/healthz?a=b", 200, ""},
		{"PUT", "/tracking/events", 405, "GET, HEAD, OPTIONS, POST"},
		{"PUT", "/api/v1/events", 405, "DELETE, GET, HEAD, OPTIONS, POST"},
		{"GET", "/api/v1/admin/snapshot", 405, "OPTIONS, POST"},
		{"GET", "/api/v1/nothing", 404, ""},
		{"GET", "/api/v2/events", 404, ""},
	} {
		a := s.send(test.method, test.target, "", secret, "X-Echo: marker")
		if a.status != test.status || a.header["allow"] != test.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", test.method, test.target, a.status, a.header["allow"], test.status, test.allow)
		}
		if strings.Contains(a.body, "marker") {
			t.Errorf("%s %s echoes the request", test.method, test.target)
		}
		if a.status >= 400 && a.header["content-type"][:16] != "application/json" {
			t.Errorf("%s %s: %s", test.method, test.target, a.header["content-type"])
		}
		if a.status == 404 && a.body != `{"error":"there is nothing here","status":404}` {
			t.Errorf("%s %s: %s", test.method, test.target, a.body)
		}
	}
}

// The form in a body chooses among the routes of a path when nothing else does.
func TestTableByForm(t *testing.T) {
	line := func(host, query, form string, reads bool, methods ...string) *route {
		return &route{Route: dialect.Route{Path: "/", Host: host, Query: query, Form: form, Reads: reads, Methods: methods}}
	}
	table, err := newTable([]*route{
		line("", "si", "", false, "GET", "POST"),
		line("log", "", "", false, "POST"),
		line("", "", "si", false, "POST"),
		line("", "", "", false, "POST"),
		line("", "module=API", "", true, "GET", "POST"),
		line("", "", "module=API", true, "POST"),
	})
	if err != nil {
		t.Fatal(err)
	}
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		host, query, kind, body string
		want                    string // host|query|form
	}{
		{"x", "", form, "module=API&method=a", "||module=API"},
		{"x", "", form + "; charset=UTF-8", "method=a&module=API", "||module=API"},
		{"x", "", form, "module=API&si=shop", "||si"},
		{"x", "", form, "si=shop", "||si"},
		{"x", "", form, "module=CoreHome", "||"},
		{"x", "", form, "", "||"},
		{"x", "", "application/json", "module=API", "||"},
		{"x", "si=shop", form, "module=API", "|si|"},
		{"log.x", "", form, "module=API", "log||"},
		{"x", "module=API", form, "si=shop", "|module=API|"},
	} {
		found, _ := table.find("POST", test.host, "/", test.query)
		if found == nil {
			t.Fatalf("%+v: nothing found", test)
		}
		found = found.byForm("POST", test.kind, []byte(test.body))
		if got := found.Host + "|" + found.Query + "|" + found.Form; got != test.want {
			t.Errorf("%+v: found %s", test, got)
		}
	}
}

// A credential in the body is known too late and proves too little to manage with.
func TestTableManage(t *testing.T) {
	for auth, want := range map[dialect.Auth]bool{dialect.AuthBearer: true, dialect.AuthBody: false, dialect.AuthNone: false} {
		r := &route{Route: dialect.Route{Methods: []string{"POST"}, Path: "/a", Auth: auth, Right: dialect.Manage}}
		if _, err := newTable([]*route{r}); (err == nil) != want {
			t.Errorf("auth %d: %v", auth, err)
		}
	}
}
