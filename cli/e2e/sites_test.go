package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/cli"
	"cairn/cli/config"
)

// This file tests that a running server changes: sites that are made, changed and removed, and a
// configuration that is read again. It runs the real binary.

// admin asks a call with the admin's token, and returns the status and the answer.
func (s *testServer) admin(method, path, body string) (int, string) {
	s.Helper()
	h := http.Header{"Authorization": {"Bearer " + s.running().Keys.AdminToken}, "Content-Type": {"application/json"}}
	status, answer, err := request(method, s.url()+path, h, body)
	if err != nil {
		s.Fatal(err)
	}
	return status, string(answer)
}

// keysOf are the keys of a site as keys.toml has them now.
func (s *testServer) keysOf(name string) config.SiteKeys {
	s.Helper()
	all, err := config.ReadKeys(filepath.Join(s.options.Dir, config.KeysName))
	if err != nil {
		s.Fatal(err)
	}
	for _, k := range all.Sites {
		if k.Name == name {
			return k
		}
	}
	s.Fatalf("keys.toml has no site %q", name)
	return config.SiteKeys{}
}

// hit sends a page view by Opentracker for a site and returns the status.
func (s *testServer) hit(site string) int {
	s.Helper()
	status, _, err := request("POST", s.url()+"/?si="+site, http.Header{"Content-Type": {"application/json"}}, `{"ti":"a","uid":"u","sid":"s"}`)
	if err != nil {
		s.Fatal(err)
	}
	return status
}

// sends an event with a key and returns the status.
func (s *testServer) sends(key string) int {
	s.Helper()
	status, _, err := request("POST", s.url()+"/api/v1/events", http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}, `{"name":"a"}`)
	if err != nil {
		s.Fatal(err)
	}
	return status
}

// count is how many events a key reads, or the status of the refusal.
func (s *testServer) count(key string) string {
	s.Helper()
	return ask(s.T, s.running(), key)
}

// From a first start without a configuration to several sites, and back.
func TestSitesAtRunTime(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	do := func(want int, says string, args ...string) {
		t.Helper()
		if out, code := s.cairnCommand(args[0], args[1:]...); code != want || !strings.Contains(out, says) {
			t.Fatalf("%q: %d, %s; want %d, %s", args, code, out, want, says)
		}
	}
	if status := s.hit("anything"); status >= 300 {
		t.Fatalf("while there is one site, every name means it: %d", status)
	}
	do(cli.ExitFailed, "only site", "site remove", "default")
	do(cli.ExitFailed, `did you mean "timezone"`, "site add", "shop", "timezon=UTC")
	do(cli.ExitFailed, `timezone = "Nowhere": must be the name of a time zone`, "site add", "shop", "timezone=Nowhere")
	if _, err := os.Stat(filepath.Join(s.options.Dir, config.SitesName)); err == nil {
		if made, err := config.ReadSites(filepath.Join(s.options.Dir, config.SitesName)); err != nil || len(made.Sites) > 0 {
			t.Fatalf("a site that was refused is there: %v %+v", err, made)
		}
	}
	do(cli.ExitOK, "from now on an unknown si or idsite is refused", "site add", "shop", "timezone=Europe/Rome", "hosts=a.example,b.example")
	do(cli.ExitFailed, "already", "site add", "shop")
	do(cli.ExitOK, "Europe/Rome", "site list")
	shop := s.keysOf("shop")
	if shop.ID != 2 || s.sends(shop.SecretKey) != 200 || s.hit("shop") >= 300 || s.hit("anything") != 403 || s.hit("default") >= 300 {
		t.Errorf("after the second site: id %d, shop %d, unknown %d", shop.ID, s.hit("shop"), s.hit("anything"))
	}
	do(cli.ExitOK, "for all events at once", "site set", "shop", "timezone=America/New_York", "retention_days=30")
	s.restart()
	do(cli.ExitOK, "America/New_York", "site list")
	if status, answer := s.admin("GET", "/api/v1/admin/sites/shop", ""); status != 200 || !strings.Contains(answer, `"retention_days":30`) {
		t.Errorf("%d %s", status, answer)
	}

	// Without purge the events stay, and so does the id; the keys are others.
	do(cli.ExitOK, "events stay", "site remove", "shop")
	if got := s.count(shop.ReadKey); !strings.HasPrefix(got, "401") {
		t.Errorf("a key of a removed site: %s", got)
	}
	if s.hit("shop") != 403 || s.hit("anything") != 403 {
		t.Error("after a site was removed, its name is taken for another one")
	}
	do(cli.ExitOK, "id 2", "site add", "shop")
	again := s.keysOf("shop")
	if got := s.count(again.ReadKey); !strings.Contains(got, `"events":2`) || again.SecretKey == shop.SecretKey {
		t.Errorf("%s with new keys %v", got, again.SecretKey != shop.SecretKey)
	}
	do(cli.ExitOK, "2 events deleted", "site remove", "-purge", "shop")
	do(cli.ExitOK, "id 3", "site add", "shop")
	if got := s.count(s.keysOf("shop").ReadKey); !strings.Contains(got, `"events":0`) {
		t.Errorf("after a purge: %s", got)
	}

	// A snapshot has the sites.
	snapshot, code := s.cairnCommand("snapshot")
	if code != cli.ExitOK {
		t.Fatal(snapshot)
	}
	snapshot, _, _ = strings.Cut(snapshot, "\n")
	keys := s.keysOf("shop")
	s.finish()
	dir := filepath.Join(t.TempDir(), "restored")
	if code, stderr := runCairn(t, "restore", snapshot, dir); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	restored := startServer(t, dir)
	if restored.keysOf("shop") != keys || restored.sends(keys.SecretKey) != 200 {
		t.Error("the restored store does not have the site")
	}
	restored.finish()

	// A sites.toml that is damaged or gone is refused, and the server takes it back when it is whole.
	path := filepath.Join(dir, config.SitesName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{"cut": good[:len(good)/2], "edited": []byte(strings.Replace(string(good), "shop", "shap", 1)), "empty": {}, "gone": nil} {
		if err = os.WriteFile(path, text, 0o600); what == "gone" {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if code, stderr := runCairn(t, "serve", "-listen", "127.0.0.1:0", "-data", dir); code != cli.ExitFailed || !strings.Contains(stderr, path) || !strings.Contains(stderr, "Nothing was changed") {
			t.Errorf("%s: %d %s", what, code, stderr)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	restored.restart()
	restored.finish()
}

// A site of the configuration is left alone, and the answer names the file.
func TestConfiguredSitesStay(t *testing.T) {
	t.Parallel()
	flags := configured(t, "[[site]]\nname = \"shop\"\n")
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", "/shop", `{"timezone":"UTC"}`}, {"DELETE", "/shop", ""}, {"POST", "", `{"name":"shop"}`},
	} {
		if status, answer := s.admin(c.method, "/api/v1/admin/sites"+c.path, c.body); status != 409 || !strings.Contains(answer, flags[1]) {
			t.Errorf("%s: %d %s", c.method, status, answer)
		}
	}
	if status, answer := s.admin("POST", "/api/v1/admin/sites", `{"name":"blog"}`); status != 200 || !strings.Contains(answer, `"id":2`) {
		t.Errorf("another one: %d %s", status, answer)
	}
	if status, answer := s.admin("GET", "/api/v1/admin/sites", ""); status != 200 || !strings.Contains(answer, `"made":false,"file":"`+flags[1]) {
		t.Errorf("%d %s", status, answer)
	}
	s.restart()
	if status := s.sends(s.keysOf("blog").SecretKey); status != 200 {
		t.Errorf("after a restart: %d", status)
	}
	s.finish()
}

// What a reload takes over at once, what it leaves for a restart, and what it refuses.
func TestReload(t *testing.T) {
	t.Parallel()
	flags := configured(t, "[[site]]\nname = \"shop\"\n")
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	secret := s.keys().SecretKey
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(flags[1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("metrics_token = \"mt-0123456789abcdefgh\"\nlog_level = \"debug\"\ndedup_hours = 48\nlisten = \"127.0.0.1:1\"\nbase_path = \"/in\"\n[[site]]\nname = \"shop\"\n[[site]]\nname = \"blog\"\n")
	out, code := s.cairnCommand("reload", flags...)
	if code != cli.ExitOK || !strings.Contains(out, "metrics_token") || !strings.Contains(out, "site blog") || !strings.Contains(out, "dedup_hours has changed; that needs a restart") {
		t.Fatalf("%d %s", code, out)
	}
	status, _, err := request("GET", s.url()+"/in/metrics", http.Header{"Authorization": {"Bearer mt-0123456789abcdefgh"}, "X-Forwarded-For": {"8.8.8.8"}}, "")
	if err != nil || status != 200 {
		t.Errorf("the new token at the new path: %d %v", status, err)
	}
	if status := s.sends(s.keysOf("blog").SecretKey); status != 200 {
		t.Errorf("the new site: %d", status)
	}
	good := "ip_rate = 100\n[[site]]\nname = \"shop\"\n[[site]]\nname = \"blog\"\n"
	write(good)
	if status, answer := s.admin("POST", "/api/v1/admin/reload", ""); status != 200 || !strings.Contains(answer, "ip_rate") {
		t.Fatalf("%d %s", status, answer)
	}
	for text, want := range map[string]string{
		good + "timezon = \"UTC\"\n":                     flags[1] + `:6: unknown key`,
		good[:len(good)-4]:                               flags[1] + ":5:",
		good + "timezone = \"Nowhere\"\n":                flags[1] + `:6: site \"blog\": timezone = \"Nowhere\"`,
		"ip_rate = -1\n" + good[len("ip_rate = 100\n"):]: "ip_rate = -1",
		good + "[[site]]\nname = \"blog\"\n":             "configured twice",
		good + "read_key = \"" + secret + "\"\n":         "the same key",
		"tls_cert = \"a\"\n" + good:                      "tls_key",
		"base_path = \"/api\"\n" + good:                  "base_path",
		"":                                               "is empty",
	} {
		write(text)
		if status, answer := s.admin("POST", "/api/v1/admin/reload", ""); status != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %s", text, status, answer, want)
		}
		if status, answer := s.admin("GET", "/api/v1/admin/sites", ""); status != 200 || strings.Count(answer, `"made":false`) != 2 || s.sends(secret) != 200 {
			t.Errorf("after a mistake: %d %s", status, answer)
		}
	}
	// SIGHUP does the same, and does not end the process.
	write(good[:len(good)-4])
	hangup := func() {
		t.Helper()
		if err := s.running().Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	write(good + "[[site]]\nname = \"third\"\n")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		hangup()
		if _, answer := s.admin("GET", "/api/v1/admin/sites/third", ""); strings.Contains(answer, `"third"`) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no SIGHUP has reloaded the configuration")
		}
	}
	s.finish()
}

// While clients send to a site without a pause, others are made, changed and removed, and the
// configuration is reloaded. No request is refused, and each event is there once.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"), configured(t, "ip_rate = 100000\n[[site]]\nname = \"shop\"\n")...)
	secret := s.keys().SecretKey
	var sent atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status := s.sends(secret); status != 200 {
					t.Errorf("an event was answered %d", status)
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range 20 {
		name := fmt.Sprintf("site-%d", i)
		for _, c := range []struct{ method, path, body string }{
			{"POST", "/sites", fmt.Sprintf(`{"name":%q}`, name)}, {"PATCH", "/sites/" + name, `{"gpc":false}`}, {"POST", "/reload", ""}, {"DELETE", "/sites/" + name, ""},
		} {
			if status, answer := s.admin(c.method, "/api/v1/admin"+c.path, c.body); status != 200 {
				t.Errorf("%s %s: %d %s", c.method, c.path, status, answer)
			}
		}
	}
	close(done)
	wg.Wait()
	if got, want := s.count(secret), fmt.Sprintf(`"events":%d,`, sent.Load()); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	s.finish()
}

// The server is killed again and again while sites are made, changed and removed. It always starts
// again; an acknowledged change is there, and one that was cut short is there or not.
func TestKillWhileSitesChange(t *testing.T) {
	t.Parallel()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	ids := map[uint32]string{} // that were ever given
	for round := range rounds {
		token, url := s.running().Keys.AdminToken, s.url()
		acked := map[string]string{} // zone, "" = removed
		open := ""                   // the one whose change was cut short
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				name := fmt.Sprintf("r%d-%d", round, i)
				for _, c := range []struct{ method, path, body, zone string }{
					{"POST", "", fmt.Sprintf(`{"name":%q,"timezone":"Europe/Rome"}`, name), "Europe/Rome"},
					{"PATCH", "/" + name, `{"timezone":"Asia/Tokyo"}`, "Asia/Tokyo"},
					{"DELETE", "/" + name, "", ""},
				} {
					if c.method == "DELETE" && i%2 == 0 {
						continue
					}
					open = name
					status, _, err := request(c.method, url+"/api/v1/admin/sites"+c.path, http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}, c.body)
					if err != nil {
						return
					}
					if status != 200 {
						t.Errorf("%s %s: %d", c.method, name, status)
						return
					}
					acked[name], open = c.zone, ""
				}
			}
		}()
		time.Sleep(time.Duration(30+rand.IntN(120)) * time.Millisecond)
		s.running().Kill()
		<-stopped
		s.restart() // fails when the server does not start
		_, answer := s.admin("GET", "/api/v1/admin/sites", "")
		var list struct {
			Sites []struct {
				Name     string
				ID       uint32
				Settings struct{ Timezone string }
			}
		}
		if err := json.Unmarshal([]byte(answer), &list); err != nil {
			t.Fatal(err, answer)
		}
		there := map[string]string{}
		for _, one := range list.Sites {
			there[one.Name] = one.Settings.Timezone
			if other, has := ids[one.ID]; has && other != one.Name {
				t.Errorf("the id %d of %s was given to %s", one.ID, other, one.Name)
			}
			ids[one.ID] = one.Name
		}
		for name, zone := range acked {
			if name != open && there[name] != zone {
				t.Errorf("round %d: %s has the zone %q, want %q", round, name, there[name], zone)
			}
		}
	}
	s.finish()
}
