package e2e

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// Base urls that end in a slash, as vendors' documentation prints them, and those of a server below
// a path of a larger site. The clients append a path that begins with a slash.

func TestSDKBaseURL(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]struct {
		dialect string
		command []string
		events  int
	}{
		"@openpanel/sdk":          {"openpanel", []string{"node", "node.mjs"}, 9},
		"@segment/analytics-node": {"segment", []string{"node", "node.mjs"}, 7},
		"analytics-go":            {"segment", []string{"go", "run", "-C", "go", "."}, 6},
	} {
		for _, base := range []string{"/", "/my/stats", "/my/stats/"} {
			t.Run(name+" at "+base, func(t *testing.T) {
				t.Parallel()
				s := newSDK(t, program.dialect, `base_path = "/my/stats"`+"\n")
				s.run(exec.Command(program.command[0], program.command[1:]...), "URL="+s.url()+base)
				s.await("dialect="+program.dialect, program.events)
			})
		}
	}
}

// The requests of clients that are not installed here, as they send them when their url ends
// in a slash. See testdata/sdk for those that are.
func TestBaseURLWithSlash(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), configured(t, "[[site]]\nname = \"shop\"\nid = 1\nhosts = [\"shop.example\"]\n")...)
	k := s.keys()
	for _, r := range []struct{ client, method, target, kind, body, want string }{
		{"matomo-php-tracker", "GET", "//matomo.php?idsite=1&rec=1&apiv=1&r=12&cip=203.0.113.9&token_auth=" + k.TokenAuth + "&_id=0123456789abcdef&url=https%3A%2F%2Fshop.example%2F&urlref=&action_name=Home", "", "", "GIF89a"},
		{"matomo-php-tracker, bulk", "POST", "//matomo.php", "application/json", `{"requests":["?idsite=1&rec=1&url=https%3A%2F%2Fshop.example%2Fa&action_name=A","?idsite=1&rec=1&url=https%3A%2F%2Fshop.example%2Fb&action_name=B"],"token_auth":"` + k.TokenAuth + `"}`, `"tracked":2`},
		{"import_logs.py, the site of a url", "POST", "//", "application/x-www-form-urlencoded", "module=API&format=json2&filter_limit=-1&method=SitesManager.getSitesIdFromSiteUrl&url=shop.example&token_auth=" + k.TokenAuth, `"idsite"`},
		{"import_logs.py, hits", "POST", "//piwik.php", "application/json", `{"token_auth":"` + k.TokenAuth + `","requests":[{"rec":"1","apiv":"1","url":"http://shop.example/c","cdt":"2026-11-28 10:00:00","cip":"203.0.113.9","idsite":"1","dp":"0","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}]}`, `"tracked":1`},
		{"opentracker", "GET", "//?si=shop&ti=Home", "", "", ""},
	} {
		req, err := http.NewRequest(r.method, s.url()+r.target, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", r.kind)
		// As a proxy that forwards the whole url would send it.
		for _, opaque := range []string{"", s.url() + strings.SplitN(r.target, "?", 2)[0]} {
			again := req.Clone(t.Context())
			again.Body, _ = req.GetBody()
			again.URL.Opaque = opaque
			status, body := answerTo(t, again)
			if status != 200 || !strings.Contains(body, r.want) {
				t.Errorf("%s, %s: %d %.200q", r.client, again.URL.RequestURI(), status, body)
			}
		}
	}
	var totals struct{ Events int }
	s.get("/api/v1/count", &totals)
	if totals.Events != 2*(1+2+1+1) {
		t.Errorf("%d events", totals.Events)
	}
}

func answerTo(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}
