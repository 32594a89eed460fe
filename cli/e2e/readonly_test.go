package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/cli/config"
)

// treeBytes has the kind, mode, size, time and content of every file below dir.
func treeBytes(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%v %d %v", info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %x", sha256.Sum256(text))
		}
		all[path] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestReadOnly looks at a snapshot and at a stopped data directory: every read works, every write
// is refused, and no name, byte, mode or time there changes.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := startServer(t, dir)
	status, body, err := request("POST", s.url()+"/api/v1/events", secretHeader(s.keys()), `{"name":"seen","user":"ada","properties":{"plan":"pro"}}`)
	if err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	admin := http.Header{"Authorization": {"Bearer " + s.running().Keys.AdminToken}}
	var made struct{ Path string }
	if _, body, err = request("POST", s.url()+"/api/v1/admin/snapshot", admin, ""); err != nil || json.Unmarshal(body, &made) != nil {
		t.Fatalf("%s %v", body, err)
	}
	s.finish()
	for name, dir := range map[string]string{"snapshot": made.Path, "data directory": dir} {
		t.Run(name, func(t *testing.T) {
			before := treeBytes(t, dir)
			looking := startServer(t, dir, "-read-only")
			var count struct{ Events int }
			looking.get("/api/v1/count", &count)
			if count.Events != 1 {
				t.Errorf("%d events", count.Events)
			}
			k := looking.keys()
			read := http.Header{"Authorization": {"Bearer " + k.ReadKey}}
			for path, want := range map[string]string{
				"/api/v1/events": `"seen"`, "/api/v1/counters?property=plan": `"pro"`, "/api/v1/users": `"ada"`,
				"/api/counts?site=" + k.Name + "&key=" + k.ReadKey + "&property=plan":                                                 "",
				"/index.php?module=API&method=VisitsSummary.get&idSite=1&period=day&date=today&format=json&token_auth=" + k.TokenAuth: "",
				"/tracking/events": "", "/readyz": "ready", "/healthz": `"ok"`,
			} {
				header := read
				if path == "/tracking/events" {
					header = secretHeader(k)
				}
				status, body, err := request("GET", looking.url()+path, header, "")
				if err != nil || status != 200 || !strings.Contains(string(body), want) {
					t.Errorf("%s: %d %s %v", path, status, body, err)
				}
			}
			for _, w := range readOnlyWrites(k) {
				status, body, err := request(w.method, looking.url()+w.path, w.header, w.body)
				if err != nil || status != 503 || !w.silent && !strings.Contains(string(body), "read-only") {
					t.Errorf("%s %s: %d %s %v", w.method, w.path, status, body, err)
				}
			}
			token := http.Header{"Authorization": {"Bearer " + looking.running().Keys.AdminToken}}
			var link struct{ URL string }
			if _, body, err := request("POST", looking.url()+"/api/v1/admin/login-link", token, ""); err != nil || json.Unmarshal(body, &link) != nil || link.URL == "" {
				t.Errorf("no link to the dashboard: %s %v", body, err)
			} else {
				readOnlyDashboard(t, link.URL)
			}
			if err := looking.running().Stop(); err != nil {
				t.Error(err)
			}
			after := treeBytes(t, dir)
			for path, was := range before {
				if after[path] != was {
					t.Errorf("%s was %q and is %q", path, was, after[path])
				}
			}
			if !maps.Equal(before, after) {
				for path := range after {
					if _, was := before[path]; !was {
						t.Errorf("%s is new", path)
					}
				}
			}
		})
	}
}

func secretHeader(k *config.SiteKeys) http.Header {
	return http.Header{"Authorization": {"Bearer " + k.SecretKey}, "Content-Type": {"application/json"}}
}

// write is a write of one dialect. silent says that its errors have no text.
type write struct {
	method, path, body string
	header             http.Header
	silent             bool
}

// readOnlyWrites are writes of all dialects, and changes of the native API.
func readOnlyWrites(k *config.SiteKeys) []write {
	secret := secretHeader(k)
	return []write{
		{method: "POST", path: "/api/v1/events", body: `{"name":"a"}`, header: secret},
		{method: "POST", path: "/api/v1/saved", body: `{"kind":"filter","name":"x","query":"name=a"}`, header: secret},
		{method: "DELETE", path: "/api/v1/users/ada", header: secret},
		{method: "POST", path: "/tracking/events", body: `{"eventName":"a","value":1}`, header: secret},
		{method: "POST", path: "/v1/track", body: `{"event":"a","userId":"b"}`, header: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(k.WriteKey+":"))}, "Content-Type": {"application/json"}}},
		{method: "POST", path: "/track", body: `{"type":"track","payload":{"name":"a"}}`, header: http.Header{"openpanel-client-id": {k.ClientID}, "openpanel-client-secret": {k.ClientSecret}, "Content-Type": {"application/json"}}},
		{method: "GET", path: "/?si=" + k.Name + "&ti=x", header: http.Header{}},
		{method: "GET", path: "/matomo.php?rec=1&idsite=1&url=https://shop.example/", header: http.Header{}, silent: true},
	}
}

// readOnlyDashboard opens the dashboard as a browser does: it says that it is read-only.
func readOnlyDashboard(t *testing.T, link string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("POST", link, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	client := &http.Client{Jar: jar}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(text), "Read-only: ") {
		t.Errorf("%s: %d: the dashboard does not say that it is read-only: %.2000s %v", res.Request.URL.Path, res.StatusCode, text, err)
	}
	site := req.URL.Scheme + "://" + req.URL.Host + "/dashboard/site/default"
	for _, path := range []string{"", "/setup", "/funnels", "/events?name=seen", "/people/ada"} {
		res, err := client.Get(site + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || strings.Contains(string(text), `/saved"`) || strings.Contains(string(text), "cairn forget") {
			t.Errorf("%s: %d: a read-only dashboard offers a change, %v", path, res.StatusCode, err)
		}
	}
}
