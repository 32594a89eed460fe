package httpd

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/http/dialect"
)

// TestNativeRights is rule 17 for every route of the native API and every kind of key: an
// unknown key is 401, a known key without the right 403, and with the right another site 404.
func TestNativeRights(t *testing.T) {
	s := start(t, func(o *Options) {
		twoSites(o)
		o.MetricsToken = "metrics"
		for _, site := range o.Sites {
			site.TrackingToken = site.Name + "-tracking"
		}
	})
	// What each route takes: a key that reads, one that writes, or the admin's token alone.
	want := map[string]string{
		"POST /api/v1/events":          "write",
		"POST /api/v1/events?import=1": "manage",
		"GET /api/v1/events":           "read",
		"GET /api/v1/events/*":         "read",
		"GET /api/v1/count":            "read",
		"GET /api/v1/series":           "read",
		"GET /api/v1/counters":         "read",
		"GET /api/v1/users":            "read",
		"GET /api/v1/users/*":          "read",
		"GET /api/v1/users/*/events":   "read",
		"GET /api/v1/sessions":         "read",
		"GET /api/v1/sessions/*":       "read",
		"GET /api/v1/groups/*":         "read",
		"GET /api/v1/site":             "read",
		"GET /api/v1/sites":            "admin",
		"GET /api/v1/live":             "read",
		"GET /api/v1/live/stream":      "read",
		"GET /api/v1/export":           "read",
		"GET /api/v1/saved":            "read",
		"POST /api/v1/saved":           "manage",
		"PUT /api/v1/saved/*":          "manage",
		"DELETE /api/v1/saved/*":       "manage",
		"DELETE /api/v1/users/*":       "manage",
		"DELETE /api/v1/events":        "manage",
		"GET /api/v1/breakdown":        "read",
		"GET /api/v1/aggregate":        "read",
		"GET /api/v1/fields":           "read",
		"GET /api/v1/goals":            "read",
		"GET /api/v1/shop":             "read",
		"GET /api/v1/values":           "read",
		"POST /api/v1/admin/snapshot":  "admin",
		"GET /api/v1/admin/backups":    "admin",
		"GET /api/v1/admin/sinks":      "admin",
		"POST /api/v1/admin/backups":   "admin",

		"POST /api/v1/admin/login-link": "admin",
		"DELETE /api/v1/admin/sites/*":  "admin",
		"GET /api/v1/admin/rejected":    "admin",
		"PATCH /api/v1/admin/sites/*":   "admin",
		"GET /api/v1/admin/sites/*":     "admin",
		"GET /api/v1/admin/sites":       "admin",
		"POST /api/v1/admin/sites":      "admin",
		"POST /api/v1/admin/reload":     "admin",

		"GET /api/v1/admin/sites/*/keys":           "admin",
		"POST /api/v1/admin/sites/*/keys":          "admin",
		"GET /api/v1/admin/sites/*/keys/*":         "admin",
		"PATCH /api/v1/admin/sites/*/keys/*":       "admin",
		"DELETE /api/v1/admin/sites/*/keys/*":      "admin",
		"POST /api/v1/admin/sites/*/keys/*/rotate": "admin",
		"POST /api/v1/admin/token":                 "admin",

		"GET /api/v1/admin/retention":   "manage",
		"GET /api/v1/admin/deletions":   "manage",
		"GET /api/v1/admin/deletions/*": "manage",

		"GET /api/v1/funnel":             "read",
		"GET /api/v1/funnel/entities":    "read",
		"GET /api/v1/retention":          "read",
		"GET /api/v1/retention/entities": "read",
		"GET /api/v1/paths":              "read",
		"GET /api/v1/visits":             "read",
		"GET /api/v1/pages":              "read",
	}
	keys := []struct{ key, may string }{
		{"shop-secret", "read write manage"},
		{"shop-read", "read"},
		{"shop-write", "write"},
		{"shop-client", ""},
		{"shop-client-secret", ""},
		{"shop-token", ""},
		{"shop-tracking", ""},
		{"metrics", ""},
		{s.sites.Load().registry.Tickets.Issue(1, time.Minute), ""},
		{"admin", "read write manage admin"},
		{"shop-secre", "unknown"},
		{"", "unknown"},
	}
	ask := func(method, path, key string) int {
		body := ""
		if method == "POST" {
			body = `{"name":"a"}`
		}
		return s.send(method, path, body, "Authorization: Bearer "+key).status
	}
	seen := 0
	for _, r := range s.native.Routes() {
		for _, method := range r.Methods {
			name := method + " " + r.Path
			if r.Query != "" {
				name += "?" + r.Query
			}
			right := want[name]
			if seen++; right == "" {
				t.Errorf("%s is not in the table of this test", name)
			}
			path := strings.ReplaceAll(r.Path, "*", "00000000000000000000000000000000") + "?" + r.Query + "&"
			for _, k := range keys {
				home, other := path+"site=shop", path+"site=nothing"
				if right == "admin" {
					home, other = path, ""
				}
				got := ask(method, home, k.key)
				switch {
				case k.may == "unknown":
					if got != 401 {
						t.Errorf("%s %s with the unknown key %q: %d", method, path, k.key, got)
					}
				case !strings.Contains(k.may, right):
					if got != 403 {
						t.Errorf("%s %s with %q: %d, want 403", method, path, k.key, got)
					}
				case got == 401 || got == 403 || got >= 500:
					t.Errorf("%s %s with %q: %d", method, path, k.key, got)
				case other == "":
				default:
					if k.key != "admin" {
						if got := ask(method, path+"site=blog", k.key); got != 404 {
							t.Errorf("%s %s of another site with %q: %d, want 404", method, path, k.key, got)
						}
					}
					if got := ask(method, other, k.key); got != 404 {
						t.Errorf("%s %s of no site with %q: %d, want 404", method, path, k.key, got)
					}
				}
			}
		}
	}
	// However it is spelled.
	for _, query := range []string{"%69mport=1", "import=%31", "&import=1"} {
		for key, status := range map[string]int{"shop-write": 403, "shop-secret": 200, "admin": 200} {
			if got := ask("POST", "/api/v1/events?"+query+"&site=shop", key); got != status {
				t.Errorf("%s with %s: %d, want %d", query, key, got, status)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d routes, %d in the table of this test", seen, len(want))
	}
	if _, failure, _ := (s.sites.Load().registry).Authorize("Bearer "+strings.Repeat("a", 1<<16), "", dialect.Read, false); failure != dialect.Unauthorized {
		t.Errorf("an endless key: %v", failure)
	}
}

// TestNativeObjectsOfAnotherSite asks for what another site has: it is not there.
func TestNativeObjectsOfAnotherSite(t *testing.T) {
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"), testSite(2, "blog"))
	const blog = "Authorization: Bearer blog-secret"
	var sent struct{ ID string }
	a := s.send("POST", "/api/v1/events", `{"name":"a","user":"ada","session":"s1","groups":["acme"]}`, blog)
	if err := json.Unmarshal([]byte(a.body), &sent); err != nil || sent.ID == "" {
		t.Fatal(a.status, a.body, err)
	}
	s.send("POST", "/api/v1/events", `{"type":"group","user":"ada","groups":["acme"]}`, blog)
	for _, path := range []string{"/api/v1/events/" + sent.ID, "/api/v1/users/ada", "/api/v1/users/ada/events", "/api/v1/sessions/s1", "/api/v1/groups/acme"} {
		if a := s.send("GET", path, "", blog); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := s.send("GET", path, "", secret); a.status != 404 || strings.Contains(a.body, "ada") {
			t.Errorf("%s with another site's key: %d %s", path, a.status, a.body)
		}
		if a := s.send("GET", path+"?site=shop", "", adminKey); a.status != 404 {
			t.Errorf("%s with the admin's token, of another site: %d %s", path, a.status, a.body)
		}
	}
	if a := s.send("GET", "/api/v1/events?after="+sent.ID, "", secret); a.status != 400 {
		t.Errorf("a cursor of another site: %d %s", a.status, a.body)
	}
}
