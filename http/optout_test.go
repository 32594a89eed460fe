package httpd

import (
	"regexp"
	"testing"

	"cairn/engine"
)

// A visitor who opted out is answered as others are: with the id of an event, which is not
// stored.
func TestOpentrackerOptOut(t *testing.T) {
	t.Parallel()
	site := testSite(1, "shop")
	site.GPC = true
	s := onStore(t, engine.Options{}, nil, site)
	for target, want := range map[string]string{
		"/?si=shop&ti=a":               `^[0-9a-f]{32}$`,
		"/?si=shop&ti=a&json=1":        `^\{"eid":"[0-9a-f]{32}","sid":"","uid":""\}$`,
		"/?si=shop&ti=a&eid=own&uid=u": `^own$`,
	} {
		a := s.send("GET", target, "", firefox, "Sec-GPC: 1")
		if a.status != 200 || !regexp.MustCompile(want).MatchString(a.body) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if n := s.total(); n != 0 {
		t.Errorf("%d events are stored", n)
	}
}
