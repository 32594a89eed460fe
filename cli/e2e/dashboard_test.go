package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// This file has what the tests of the dashboard in a real browser share. A test starts the real
// binary and runs a script of testdata/sdk/dashboard, which drives the browser and prints what is
// wrong. A script that wants something done to the server asks the test over HTTP.
//
// As the tests of the SDKs, these run only with CAIRN_SDK=1. CAIRN_PICTURES=FOLDER leaves pictures
// of each screen there, in both themes and three widths: "CAIRN_SDK=1 CAIRN_PICTURES=/tmp/pictures
// go test -run '^TestDashboard$/^walk$' ./cli/e2e".

// newDashboard starts a server for a script.
func newDashboard(t *testing.T, config string) *sdk {
	t.Helper()
	return newSDK(t, "dashboard", config)
}

// script runs a script and logs what it prints. A fault that it finds fails the test.
func (s *sdk) script(name string, env ...string) {
	s.Helper()
	if text := strings.TrimSpace(s.node(name, env...)); text != "" {
		s.Logf("%s:\n%s", name, text)
	}
}

// control serves acts to a script, by name: its answer, or why it did not work. It returns the
// variable of the environment that tells the script where.
func (s *sdk) control(acts map[string]func() (string, error)) (env string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		act := acts[strings.TrimPrefix(r.URL.Path, "/")]
		if act == nil {
			http.NotFound(w, r)
			return
		}
		text, err := act()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		fmt.Fprint(w, text)
	}))
	s.Cleanup(server.Close)
	return "CONTROL=" + server.URL
}

// allKeys are the keys that no variable of the environment has.
func (s *sdk) allKeys() (string, error) {
	c := s.running()
	text, err := json.Marshal(map[string]string{"ReadKey": c.Keys.Sites[0].ReadKey, "AdminToken": c.Keys.AdminToken})
	return string(text), err
}

// The first minutes with cairn: the link that "cairn dashboard" prints opens an empty site, once;
// one event of each protocol appears; each kind of key is let in or told why not.
func TestDashboardFirstRun(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "")
	link, err := exec.Command(s.options.Exe, "dashboard", "-data", s.options.Dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	s.script("first.mjs", "LINK="+strings.TrimSpace(string(link)), s.control(map[string]func() (string, error){"keys": s.allKeys}))
}

// The seeded site: its numbers, all of its screens, and what the browser loads.
func TestDashboard(t *testing.T) {
	t.Parallel()
	s, sown := sow(t)
	for _, part := range []struct {
		name, script string
		env          []string
	}{
		// Each number is what the API answers, some of them what was sent.
		{"numbers", "numbers.mjs", []string{sown.recount().env()}},
		// So it is on the screens of analyses, events and people, which are used by keys and clicks.
		{"reports", "reports.mjs", nil},
		// Every screen, with and without script, and where its links lead.
		{"walk", "walk.mjs", nil},
		// Without script forms and links do what people do.
		{"forms", "forms.mjs", nil},
		// No screen and no dialog hinders anybody, as far as axe-core sees.
		{"axe", "axe.mjs", nil},
		// The keyboard alone reaches everything and does what a click does.
		{"keyboard", "keys.mjs", nil},
		// The first view is small.
		{"first view", "view.mjs", nil},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			own := &sdk{testServer: &testServer{T: t, options: s.options, child: s.running()}, dialect: s.dialect}
			own.script(part.script, part.env...)
		})
	}
}
