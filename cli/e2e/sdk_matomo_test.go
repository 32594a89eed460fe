package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Matomo's own clients and those of others, run against the real binary and read back
// through the native API. sdk_matomo_snippet_test.go tests what the browser tracker
// sends.

// matomoConfig is a site that accepts what these clients send.
const matomoConfig = `[[site]]
name  = "shop"
id    = 1
hosts = ["shop.example"]
[site.matomo]
dimensions = [1, 2]
[[site.goal]]
id   = 1
name = "signup"
`

// hit is a short form of a Matomo event: type, name and value.
func (e *sdkEvent) hit() string {
	return strings.TrimSpace(fmt.Sprint(e.Type, " ", e.Name)) + map[bool]string{true: fmt.Sprint(" = ", e.Value)}[e.Value != nil]
}

func TestSDKMatomoNode(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "matomo", matomoConfig)
	var out struct {
		Answers [][]any
		Errors  []any
		Said    string
	}
	text := s.node("node.mjs")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	const gif = "R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
	for i, want := range []string{"200 image/gif", "204 ", "200 image/gif", "200 image/gif", "400 image/gif", "400 image/gif", "200 image/gif", "200 image/gif"} {
		if i >= len(out.Answers) {
			t.Fatalf("%d answers", len(out.Answers))
		}
		a := out.Answers[i]
		body, _ := base64.StdEncoding.DecodeString(a[2].(string))
		image, _ := base64.StdEncoding.DecodeString(gif)
		if got := fmt.Sprint(a[0], " ", a[1]); got != want || a[1] != "" && !strings.HasPrefix(string(body), string(image)) || a[0] == 200.0 && len(body) != 43 {
			t.Errorf("call %d was answered %s with %q, want %s", i, got, body, want)
		}
	}
	if fmt.Sprint(out.Errors) != "[400]" { // the other one had no listener
		t.Errorf("the tracker reports %v", out.Errors)
	}
	if out.Said != `{"status":"success","tracked":2,"invalid":1}` {
		t.Errorf("the bulk was answered %s", out.Said)
	}
	check := func() {
		t.Helper()
		events := map[string]sdkEvent{}
		var got []string
		for _, e := range s.await("dialect=matomo", 8) {
			got = append(got, e.hit())
			events[e.Name] = e
		}
		slices.Sort(got)
		if want := "download https://shop.example/a.zip, page /piwik, page /plain, page First, page Old, page Shop/Full, search tea, track play = 1.5"; strings.Join(got, ", ") != want {
			t.Errorf("stored %s\n  want %s", strings.Join(got, ", "), want)
		}
		if e := events["Shop/Full"]; e.User != "ada" || e.Context["browser"] != "Firefox" || e.Context["language"] != "de-AT" || e.Context["utm_campaign"] != "Spring" && e.Context["utm_campaign"] != "spring" || at(e.Properties, "cvar.custom variable name") != "custom variable value" {
			t.Errorf("a hit with everything: %+v", e)
		}
		if e := events["play"]; e.Properties["category"] != "Video" || e.Properties["label"] != "Intro" || e.Anonymous != "0123456789abcdef" {
			t.Errorf("an event: %+v", e)
		}
		if e := events["Old"]; e.Context["ip"] != "203.0.113.0" || e.Context["country"] != "FR" || e.Received.Sub(e.Time).Hours() < 47 {
			t.Errorf("a hit of a token: %+v", e)
		}
		if a, b := events["First"], events["tea"]; a.Session == "" || a.Session != b.Session || a.Anonymous != "0123456789abcdee" {
			t.Errorf("two hits of one visitor: %+v\n%+v", a, b)
		}
	}
	check()
	s.restart()
	check()
}

// page opens one page of the dialect's folder, served from another origin than that of
// the server.
func (s *sdk) page(name string, done any) (origin string) {
	s.Helper()
	origin = s.site(map[string]string{"URL": s.url()})
	s.open(origin+"/"+name, done)
	return origin
}

// The snippet as pages contain it, with the tracker that cairn serves.
func TestSDKMatomoBrowser(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "matomo", matomoConfig)
	var out struct{ ID, Cookies string }
	origin := s.page("page.html", &out)
	if len(out.ID) != 16 || !strings.Contains(out.Cookies, "_pk_id.1.1fff") || !strings.Contains(out.Cookies, "_pk_ses.1.1fff") {
		t.Errorf("the page says %+v", out)
	}
	check := func() {
		t.Helper()
		var got []string
		sessions, people := map[string]bool{}, map[string]bool{}
		for _, e := range s.await("dialect=matomo", 11) {
			got = append(got, e.hit())
			sessions[e.Session], people[e.Anonymous+" "+e.User] = true, true
			if browser, _ := e.Context["browser"].(string); !strings.Contains(browser, "Chrom") || e.Context["bot"] != nil {
				t.Errorf("%s: context %v", e.hit(), e.Context)
			}
			if e.Type != "order" && e.Type != "cart" && e.Type != "goal" && at(e.Properties, "dimension1") != "gold" {
				t.Errorf("%s: properties %v", e.hit(), e.Properties)
			}
			if e.Name == "Step 2" && e.Context["url"] != origin+"/page.html?step=2" || e.Name == "Shop" && e.Context["url"] != origin+"/page.html" {
				t.Errorf("%s is at %v", e.Name, e.Context["url"])
			}
		}
		want := []string{"page Shop", "track play = 1.5", "search tea", "content ad", "content ad", "outlink https://elsewhere.example/there", "download " + origin + "/price.pdf",
			"goal signup = 7.5", "cart = 19.8", "order o-1 = 25", "page Step 2"}
		if !slices.Equal(got, want) {
			t.Errorf("stored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		var visits struct {
			Sessions []struct {
				Entry, Exit   string
				Actions       int
				Goals, Orders []string
			}
		}
		s.get("/api/v1/sessions", &visits)
		if v := visits.Sessions; len(v) != 1 || v[0].Entry != origin+"/page.html" || v[0].Exit != origin+"/page.html?step=2" || v[0].Actions != 6 || !slices.Equal(v[0].Goals, []string{"signup"}) || !slices.Equal(v[0].Orders, []string{"o-1"}) {
			t.Errorf("the visit is %+v", v)
		}
		if len(sessions) != 1 || len(people) != 1 || !people[out.ID+" ada"] {
			t.Errorf("sessions %v of %v", sessions, people)
		}
	}
	check()
	s.restart()
	check()
}

// A wrapper for single-page applications that loads /matomo.js from the server.
func TestSDKMatomoJonkoops(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "matomo", matomoConfig)
	var out struct{ Cookies string }
	origin := s.page("jonkoops.html", &out)
	var got []string
	visits := map[string]bool{}
	for _, e := range s.await("dialect=matomo", 7) {
		got = append(got, e.hit())
		visits[e.Session+" "+e.User] = true
		if e.Type == "page" && e.Context["url"] != origin+"/"+strings.ToLower(e.Name) {
			t.Errorf("%s is at %v", e.Name, e.Context["url"])
		}
	}
	want := []string{"page Start", "page Next", "track play = 2", "search tea", "outlink https://elsewhere.example/", "order o-1 = 25", "track buy = 3"}
	if !slices.Equal(got, want) || len(visits) != 1 {
		t.Errorf("stored\n%s\nwant\n%s\nvisits %v", strings.Join(got, "\n"), strings.Join(want, "\n"), visits)
	}
}
