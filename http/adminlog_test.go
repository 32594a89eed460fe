package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/http/adminlog"
	"cairn/http/auth"
)

// adminLines are the lines of an admin.log without their times.
func adminLines(t *testing.T, dir string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, adminlog.Name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var at map[string]any
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			t.Fatal(err)
		}
		delete(at, "time")
		short, _ := json.Marshal(at)
		lines = append(lines, string(short))
	}
	return lines
}

// Each deletion, export, import, snapshot and login link is there once, with the name of the key
// and the network of who asked. What changes nothing is not there, and nothing that was asked for
// is: no id of a person, no key, no whole address.
func TestAdminLog(t *testing.T) {
	dir := t.TempDir()
	s := onStore(t, engine.Options{}, func(o *Options) {
		strangers(o)
		o.AdminToken, o.Dashboard, o.SnapshotDir = "admin", true, filepath.Join(t.TempDir(), "snapshots")
		o.AdminLog = adminlog.Open(dir, slog.New(slog.DiscardHandler))
	}, testSite(1, "shop"), testSite(2, "blog"))
	for _, c := range []struct {
		method, target, key, from, body string
		status                          int
	}{
		{"POST", "/api/v1/events", "shop-secret", "203.0.113.77", `{"name":"a","user":"ada"}`, 200},
		{"POST", "/api/v1/events?import=1", "shop-secret", "203.0.113.77", `{"name":"b","user":"bob"}`, 200},
		{"POST", "/api/v1/events?import=1", "shop-secret", "203.0.113.78", `{"name":"c","user":"eve"}`, 200},
		{"POST", "/api/v1/events?import=1", "shop-secret", "203.0.114.78", `{"name":"d"}`, 200},
		{"POST", "/api/v1/events?import=1", "shop-secret", "203.0.115.78", `{"name":"d","dialect":"x"}`, 400},
		{"GET", "/api/v1/export", "shop-read", "2001:db8:1:2::3", "", 200},
		{"GET", "/api/v1/export?format=x", "shop-read", "2001:db8:1:2::3", "", 400},
		{"DELETE", "/api/v1/users/ada?dry_run=1", "shop-secret", "203.0.113.77", "", 200},
		{"DELETE", "/api/v1/users/nobody", "shop-secret", "203.0.113.77", "", 404},
		{"DELETE", "/api/v1/users/ada?reason=asked", "shop-secret", "203.0.113.77", "", 200},
		{"DELETE", "/api/v1/users/ada", "shop-write", "203.0.113.77", "", 403},
		{"DELETE", "/api/v1/admin/sites/shop?purge=1", "admin", "198.51.100.1", "", 200},
		{"POST", "/api/v1/admin/login-link", "admin", "198.51.100.1", "", 200},
		{"POST", "/api/v1/admin/snapshot", "admin", "198.51.100.1", "", 200},
	} {
		if a := s.send(c.method, c.target, c.body, "Authorization: Bearer "+c.key, "X-Forwarded-For: "+c.from); a.status != c.status {
			t.Fatalf("%s %s: %d %s", c.method, c.target, a.status, a.body)
		}
	}
	want := []string{
		`{"action":"import","by":"secret_key","from":"203.0.113.0/24","site":"shop"}`,
		`{"action":"import","by":"secret_key","from":"203.0.114.0/24","site":"shop"}`,
		`{"action":"export","by":"read_key","from":"2001:db8:1::/48","site":"shop","what":"ndjson"}`,
		`{"action":"deletion","by":"secret_key","from":"203.0.113.0/24","site":"shop","what":"1"}`,
		`{"action":"deletion","by":"admin token","from":"198.51.100.0/24","site":"shop","what":"2"}`,
		`{"action":"login link","by":"admin token","from":"198.51.100.0/24"}`,
	}
	got := adminLines(t, dir)
	if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if last := got[len(got)-1]; !strings.Contains(last, `"action":"snapshot"`) || !strings.Contains(last, `"what":"snapshot-20`) {
		t.Error(last)
	}
}

// A log that cannot be written stops nothing.
func TestAdminLogUnwritable(t *testing.T) {
	s := onStore(t, engine.Options{}, func(o *Options) {
		o.AdminLog = adminlog.Open(filepath.Join(t.TempDir(), "there", "is", "none"), slog.New(slog.DiscardHandler))
		o.Degraded = o.AdminLog.Troubles
	}, testSite(1, "shop"))
	s.send("POST", "/api/v1/events", `{"name":"a","user":"ada"}`, "Authorization: Bearer shop-secret")
	if a := s.send("DELETE", "/api/v1/users/ada", "", "Authorization: Bearer shop-secret"); a.status != 200 {
		t.Error(a.status, a.body)
	}
	if a := s.send("GET", "/healthz", ""); !strings.Contains(a.body, `"degraded","reasons":["admin.log`) {
		t.Error(a.body)
	}
}

// Who comes through the socket of the data directory with the admin's token is the command.
func TestAdminLogCommand(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "s")
	s := onStore(t, engine.Options{}, func(o *Options) {
		o.AdminToken, o.Dashboard, o.Commands = "admin", true, path
		o.AdminLog = adminlog.Open(dir, slog.New(slog.DiscardHandler))
	}, testSite(1, "shop"))
	for _, at := range []string{path, path + "2"} { // another socket is a proxy's
		ln, err := net.Listen("unix", at)
		if err != nil {
			t.Skip(err)
		}
		go s.Serve(ln)
		client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", at)
		}}}
		req, _ := http.NewRequest("POST", "http://cairn/api/v1/admin/login-link", nil)
		req.Header.Set("Authorization", "Bearer admin")
		res, err := client.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
	if got := strings.Join(adminLines(t, dir), "\n"); got != `{"action":"login link","by":"command"}`+"\n"+`{"action":"login link","by":"admin token"}` {
		t.Error(got)
	}
}

// An import of many requests is noted once an hour, and what is remembered for that is bounded.
func TestImportsNoted(t *testing.T) {
	var n imports
	now := time.Unix(1e9, 0)
	who := importer{"shop", "secret_key", "203.0.113.0/24"}
	if !n.due(who, now) || n.due(who, now.Add(importEvery-1)) || !n.due(who, now.Add(importEvery)) {
		t.Error("not once an hour")
	}
	for i := range 3 * importsMax {
		n.due(importer{site: strconv.Itoa(i)}, now)
	}
	if len(n.noted) > importsMax {
		t.Errorf("%d are remembered", len(n.noted))
	}
}

// A key that has ended is refused as an unknown one, in each protocol's own words, and the log
// says which key it was.
func TestEndedKey(t *testing.T) {
	var logged syncBuffer
	shop := testSite(1, "shop")
	for kind, text := range map[string]string{"secret_key": "old-secret", "write_key": "old-write", "client_secret": "old-client", "token_auth": "old-token"} {
		shop.More = append(shop.More, moreKey("id-"+kind, kind, text, 1))
	}
	shop.More = append(shop.More, moreKey("new", "secret_key", "new-secret", 0))
	s := start(t, func(o *Options) {
		o.Sites = []*Site{shop}
		o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	})
	for _, c := range []struct{ target, body, header, old, wrong string }{
		{"/api/v1/events", `{"name":"a"}`, "Authorization: Bearer KEY", "old-secret", "wrong"},
		{"/tracking/events", `{"eventName":"a"}`, "Authorization: Bearer KEY", "old-secret", "wrong"},
		{"/v1/track", `{"writeKey":"KEY","event":"b","userId":"u"}`, "X: y", "old-write", "wrong"},
		{"/track", `{"type":"track","payload":{"name":"a"}}`, "openpanel-client-id: shop-client\r\nopenpanel-client-secret: KEY", "old-client", "wrong"},
		{"/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fx.example&token_auth=KEY&cip=203.0.113.7", "", "X: y", "old-token", "wrong"},
	} {
		send := func(key string) parsed {
			method := "POST"
			if c.body == "" {
				method = "GET"
			}
			return s.send(method, strings.ReplaceAll(c.target, "KEY", key), strings.ReplaceAll(c.body, "KEY", key), strings.Split(strings.ReplaceAll(c.header, "KEY", key), "\r\n")...)
		}
		before := s.engine.count()
		old, wrong := send(c.old), send(c.wrong)
		if old.status != wrong.status || old.body != wrong.body || s.engine.count() != before {
			t.Errorf("%s: %d %q, an unknown key gets %d %q", c.target, old.status, old.body, wrong.status, wrong.body)
		}
	}
	if a := s.post(`{"name":"a"}`, "Authorization: Bearer new-secret"); a.status != 200 {
		t.Error(a.status, a.body)
	}
	text := logged.String()
	for _, kind := range []string{"secret_key", "write_key", "client_secret", "token_auth"} {
		if !strings.Contains(text, `"key":"the `+kind+` (id-`+kind+`)"`) {
			t.Errorf("the log does not say that the %s has ended: %s", kind, text)
		}
	}
	for _, key := range []string{"old-secret", "old-write", "old-client", "old-token", "new-secret"} {
		if strings.Contains(text, key) {
			t.Errorf("the log has %s", key)
		}
	}
}

// moreKey is a key that was made while the server ran.
func moreKey(id, kind, text string, ends int64) auth.Key {
	return auth.Key{ID: id, Name: "the " + kind, Kind: auth.Kind(kind), SHA256: sha256.Sum256([]byte(text)), Ends: ends}
}
