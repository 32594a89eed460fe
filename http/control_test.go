package httpd

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"cairn/http/native"
)

// This file tests what Prepare replaces while requests come, and has a process for other tests.

// oneSite is a process with the site of a name that can do everything.
type oneSite struct{ name string }

func (o oneSite) AllSites() []native.ConfiguredSite {
	return []native.ConfiguredSite{{Name: o.name, ID: 1, Made: true, Settings: []byte("{}")}}
}
func (o oneSite) change() (native.Change, error) {
	return native.Change{Site: &o.AllSites()[0]}, nil
}
func (o oneSite) Reload() (native.Change, error)                        { return o.change() }
func (o oneSite) AddSite(string, map[string]any) (native.Change, error) { return o.change() }
func (o oneSite) SetSite(string, map[string]any) (native.Change, error) { return o.change() }
func (o oneSite) RemoveSite(string, bool) (native.Change, error)        { return o.change() }
func (o oneSite) Removable(string) error                                { return nil }

// Each option that Prepare takes is in force for the next request, and not before apply.
func TestPrepare(t *testing.T) {
	s := start(t, nil)
	base := s.sites.Load().options
	try := func(what string, change func(*Options), send func() parsed, before, after string) {
		t.Helper()
		o := base
		change(&o)
		apply, err := s.Prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		shown := func(a parsed) string { return fmt.Sprint(a.status, " ", a.header["location"], a.body) }
		if got := shown(send()); !strings.Contains(got, before) {
			t.Errorf("%s: %s before, want %s", what, got, before)
		}
		apply()
		if got := shown(send()); !strings.Contains(got, after) {
			t.Errorf("%s: %s after, want %s", what, got, after)
		}
	}
	get := func(path string, headers ...string) func() parsed {
		return func() parsed { return s.send("GET", path, "", headers...) }
	}
	try("admin token", func(o *Options) { o.AdminToken = "other" }, get("/api/v1/site?site=shop", "Authorization: Bearer other"), "401", "200")
	try("metrics token", func(o *Options) { o.MetricsToken = "mt" }, get("/metrics", "Authorization: Bearer mt", "X-Forwarded-For: 8.8.8.8"), "401", "200")
	try("dashboard", func(o *Options) { o.Dashboard = true }, get("/", "Accept: text/html"), "200", "302 /dashboard")
	try("base path", func(o *Options) { o.Dashboard = true; o.Addresses, _ = NewAddresses("", "/in") }, get("/in/", "Accept: text/html"), "404", "302 /in/dashboard")
	try("sites", func(o *Options) { o.Sites = []*Site{testSite(2, "blog")} }, get("/api/v1/count", "Authorization: Bearer blog-read"), "401", "200")
	apply, err := s.Prepare(base)
	if err != nil {
		t.Fatal(err)
	}
	apply()
	for what, change := range map[string]func(*Options){
		"no site":         func(o *Options) { o.Sites = nil },
		"a key twice":     func(o *Options) { o.AdminToken = "shop-read" },
		"a base path":     func(o *Options) { o.Addresses, _ = NewAddresses("", "/api") },
		"a metrics token": func(o *Options) { o.MetricsToken = "admin" },
	} {
		o, before := base, s.sites.Load()
		change(&o)
		if _, err := s.Prepare(o); err == nil || s.sites.Load() != before {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// keepingNames is oneSite that keeps the names it is told, as the process does with a removed site.
type keepingNames struct {
	oneSite
	kept []string
}

func (k *keepingNames) SetSite(name string, _ map[string]any) (native.Change, error) {
	k.kept = append(k.kept, name)
	return k.change()
}

func (k *keepingNames) RemoveSite(name string, _ bool) (native.Change, error) {
	k.kept = append(k.kept, name)
	return k.change()
}

// What the process is told in the path of a call is its own: no later request writes over it.
func TestControlKeepsNames(t *testing.T) {
	k := &keepingNames{oneSite: oneSite{"shop"}}
	s := start(t, func(o *Options) { o.Control = k })
	const site, admin = "/api/v1/admin/sites/shop", "Authorization: Bearer admin"
	s.send("DELETE", site, "", admin)
	s.send("PATCH", site, "{}", admin, "Content-Type: application/json")
	s.send("GET", "/healthz", "")
	if got := strings.Join(k.kept, ","); got != "shop,shop" {
		t.Errorf("the process was told of the sites %q", got)
	}
}

// While clients ask, the settings go back and forth between two states that differ in everything.
// Each answer is of one of them: the key, the site, its proxies and its base path fit together.
func TestPrepareUnderLoad(t *testing.T) {
	s := start(t, nil)
	base := s.sites.Load().options
	state := func(n int) Options {
		o := base
		o.AdminToken = fmt.Sprintf("admin-%d", n)
		o.Addresses, _ = NewAddresses(fmt.Sprintf("https://host-%d.example", n), "")
		o.Dashboard = true
		if n == 1 {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		return o
	}
	swap := func(n int) {
		apply, err := s.Prepare(state(n))
		if err != nil {
			t.Error(err)
			return
		}
		apply()
	}
	swap(0)
	var wg sync.WaitGroup
	done := make(chan struct{})
	answered := [3][2]int{}
	for g := range answered {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				n := i % 2
				a := s.send("POST", "/api/v1/admin/login-link", "", fmt.Sprintf("Authorization: Bearer admin-%d", n))
				switch {
				case a.status == 401: // the other state
				case a.status != 200 || !strings.Contains(a.body, fmt.Sprintf(`"https://host-%d.example/`, n)):
					t.Errorf("the admin's token of state %d got %d %s", n, a.status, a.body)
				default:
					answered[g][n]++
				}
			}
		})
	}
	for i := range 300 {
		swap(i % 2)
		if i%10 == 0 {
			s.send("GET", "/healthz", "")
		}
	}
	close(done)
	wg.Wait()
	if sum := answered[0][0] + answered[1][0] + answered[2][0]; sum == 0 {
		t.Error("nobody was answered")
	}
}
