package httpd

import (
	"strings"
	"testing"
)

// TestPublicAnswers asks every route that reads with one key and another. What a shared cache
// may keep must not depend on the key in the header, unless Vary says so.
func TestPublicAnswers(t *testing.T) {
	s := start(t, twoSites)
	keys := []string{"X-Key: none",
		"Authorization: Basic " + "c2hvcC13cml0ZTo=", // shop-write:
		"Authorization: Basic " + "YmxvZy13cml0ZTo=", // blog-write:
		secret, "Authorization: Bearer blog-secret", adminKey}
	kept := 0
	for _, r := range s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false)) {
		if !r.Reads {
			continue
		}
		path := strings.ReplaceAll(strings.Replace(r.Path, "*/", "/", 1), "*", "shop-write")
		if strings.HasPrefix(r.Path, "/") {
			path = strings.ReplaceAll(r.Path, "*", "shop-write")
		}
		first := map[int]string{}
		for _, key := range keys {
			a := s.send("GET", path+"?"+r.Query, "", key)
			cache, vary := a.header["cache-control"], strings.ToLower(a.header["vary"])
			if cache == "" && a.status == 200 {
				cache = "public" // a cache may guess
			}
			if cache == "" || strings.Contains(cache, "no-store") || strings.Contains(cache, "private") && strings.Contains(vary, "authorization") {
				continue
			}
			kept++
			if before, ok := first[a.status]; ok && before != a.body && !strings.Contains(vary, "authorization") {
				t.Errorf("%s answers another text to %q, Cache-Control %q, Vary %q", path, key, a.header["cache-control"], vary)
			} else if !ok {
				first[a.status] = a.body
			}
		}
	}
	if kept == 0 {
		t.Error("nothing may be kept")
	}
	a := s.send("GET", "/sourceConfig/", "", keys[1], "Origin: https://shop.example")
	if a.status != 200 || !strings.Contains(a.body, `"writeKey":"shop-write"`) || !strings.HasPrefix(a.header["cache-control"], "private") || a.header["vary"] != "Authorization, Origin" {
		t.Errorf("sourceConfig: %d %q %s", a.status, a.header, a.body)
	}
}

// TestAnswersByOrigin asks every route with an Origin, with another and without one. Where its
// answer depends on the origin, Vary says so in all of them: a cache that has an answer without
// an Origin would else give it to the pages of one.
func TestAnswersByOrigin(t *testing.T) {
	s := start(t, twoSites)
	echoed := 0
	for _, r := range s.routes(s.sites.Load().dashboard, dialects(s.native, nil, false)) {
		path := strings.ReplaceAll(strings.Replace(r.Path, "*/", "/", 1), "*", "shop-write")
		if strings.HasPrefix(r.Path, "/") {
			path = strings.ReplaceAll(r.Path, "*", "shop-write")
		}
		for _, method := range append([]string{"OPTIONS"}, r.Methods...) {
			allowed := map[string]bool{}
			var vary []string
			for _, origin := range []string{"X-Origin: none", "Origin: https://a.example", "Origin: https://b.example"} {
				a := s.send(method, path+"?"+r.Query, "", origin)
				allowed[a.header["access-control-allow-origin"]] = true
				if !strings.Contains(strings.ToLower(a.header["vary"]), "origin") {
					vary = append(vary, origin)
				}
			}
			if len(allowed) == 1 {
				continue
			}
			echoed++
			if len(vary) > 0 {
				t.Errorf("%s %s depends on the origin, and its Vary does not say so with %q", method, path, vary)
			}
		}
	}
	if echoed == 0 {
		t.Error("no answer depends on the origin")
	}
}
