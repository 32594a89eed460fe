package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Story: sites that were made at run time are kept in sites.toml as a person would write them, and
// read again as they were. Whatever is wrong with the file is refused and named.

// madeDir is a data directory with a sites.toml of sites.
func madeDir(t *testing.T, sites ...Site) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeSites(filepath.Join(dir, SitesName), &MadeSites{Sites: sites}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// named is a site with settings.
func named(t *testing.T, name string, id uint32, settings string) Site {
	t.Helper()
	s := DefaultSite()
	s.Name, s.ID = name, id
	var values map[string]any
	if err := json.Unmarshal([]byte(settings), &values); err != nil {
		t.Fatal(err)
	}
	if err := SetSite(&s, values); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMadeSitesRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), SitesName)
	made := MadeSites{
		Sites: []Site{
			named(t, "plain", 1, `{}`),
			named(t, "shop", 7, `{"timezone":"Europe/Rome","hosts":["a.example","b.example"],"gpc":false,"event_limit":"64KiB","batch_limit":1000,
				"exclude_agents":["\"quoted\" \\ back","tab\there"],"retention_days":30,"rate_limit":"5","origins":"https://a.example, https://b.example",
				"openpanel":{"unsafe_revenue":true},"matomo":{"cdt_window":"36h","dimensions":[1,2],"debug":"true"},"matomo.only_hosts":true,
				"goal":[{"id":1,"name":"Sold","match":"url","pattern":"/thanks","revenue":2},{"id":2,"name":"Half","match":"url","pattern":"x","revenue":1.5}]}`),
		},
		Removed: []RemovedSite{{"old", 2, true}, {"older", 3, false}},
	}
	if err := writeSites(path, &made); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSites(path)
	if err != nil {
		t.Fatal(err)
	}
	made.found = true
	if !reflect.DeepEqual(got, made) {
		text, _ := os.ReadFile(path)
		t.Errorf("read\n%+v\nwant\n%+v\nfile:\n%s", got, made, text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, want 0600", info.Mode())
	}
	// What is shown can be set again, and nothing secret is shown.
	var shown map[string]any
	if err := json.Unmarshal(ShowSite(&made.Sites[1]), &shown); err != nil {
		t.Fatal(err)
	}
	delete(shown, "name")
	delete(shown, "id")
	again := DefaultSite()
	if err := SetSite(&again, shown); err != nil {
		t.Fatal(err)
	}
	again.Name, again.ID = "shop", 7
	if a, b := ShowSite(&again), ShowSite(&made.Sites[1]); string(a) != string(b) {
		t.Errorf("set again:\n%s\nwant\n%s", a, b)
	}
	secret := named(t, "s", 9, `{}`)
	secret.SecretKey, secret.TokenAuth, secret.Matomo.TrackingToken, secret.SecretKeyFile = "sssss", "sssss", "sssss", "sssss"
	if text := string(ShowSite(&secret)); strings.Contains(text, "sssss") {
		t.Errorf("a secret is shown: %s", text)
	}
}

// Every byte of sites.toml that is changed or cut off is noticed.
func TestMadeSitesDamaged(t *testing.T) {
	dir := madeDir(t, named(t, "shop", 2, `{"timezone":"Europe/Rome"}`))
	path := filepath.Join(dir, SitesName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(Flags{DataDir: dir}, nil); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "Nothing was changed") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		try("changed", bad)
		try("cut", good[:i])
	}
	// An edit is accepted, and written with a checksum.
	edited := strings.Replace(string(good), "Rome", "Oslo", 1)
	try("edited", []byte(edited))
	cfg, _, err := Load(Flags{DataDir: dir, Accept: true}, nil)
	if err != nil || cfg.Site("shop").Timezone != "Europe/Oslo" {
		t.Fatal(err)
	}
	if err := cfg.WriteSites(); err != nil {
		t.Fatal(err)
	}
	if cfg, _, err = Load(Flags{DataDir: dir}, nil); err != nil || cfg.Site("shop").Timezone != "Europe/Oslo" {
		t.Errorf("%v %+v", err, cfg.Sites)
	}
	// A mistake has its line.
	try("a misspelt key", []byte(strings.Replace(string(good), "timezone", "timezon", 1)))
	if _, _, err := Load(Flags{DataDir: dir, Accept: true}, nil); err == nil || !strings.Contains(err.Error(), SitesName+":6: unknown key \"site.timezon\", did you mean \"timezone\"?") {
		t.Errorf("%v", err)
	}
}

// When keys.toml says that there is a sites.toml, a start without it is refused: its sites would be
// gone, and all their events would go to the site default.
func TestMadeSitesMissing(t *testing.T) {
	dir := madeDir(t, named(t, "shop", 2, `{}`))
	load := func(accept bool) (Config, *Filled, error) {
		t.Helper()
		cfg, _, err := Load(Flags{DataDir: dir, Accept: accept}, nil)
		if err != nil {
			t.Fatal(err)
		}
		filled, err := FillKeys(&cfg, Known{}, accept)
		return cfg, filled, err
	}
	_, filled, err := load(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := filled.Write(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, SitesName)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(false); !errors.As(err, new(*SitesError)) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without the file: %v", err)
	}
	cfg, filled, err := load(true)
	if err == nil {
		err = filled.Write()
	}
	if err != nil || cfg.Sites[0].Name != "default" {
		t.Errorf("accepted: %v %v", err, cfg.Sites)
	}
	if _, _, err := load(false); err != nil {
		t.Errorf("after accepting: %v", err)
	}
}

// Which sites there are, and whether the one of cairn takes every name.
func TestMadeSitesMerged(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "cairn.toml")
	if err := os.WriteFile(conf, []byte("[[site]]\nname = \"shop\"\nid = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shop, other := named(t, "shop", 2, `{"timezone":"Europe/Rome"}`), ImplicitSite()
	for _, c := range []struct {
		name, file string
		made       MadeSites
		want       string // name:id, a star when it can be changed
		implicit   bool
		warned     bool
	}{
		{"nothing", "", MadeSites{}, "default:1*", true, false},
		{"default was changed", "", MadeSites{Sites: []Site{other}}, "default:1*", true, false},
		{"a second one", "", MadeSites{Sites: []Site{other, shop}}, "default:1* shop:2*", false, false},
		{"the second one was removed", "", MadeSites{Sites: []Site{other}, Removed: []RemovedSite{{"shop", 2, false}}}, "default:1*", false, false},
		{"default was removed", "", MadeSites{Sites: []Site{shop}, Removed: []RemovedSite{{"default", 1, false}}}, "shop:2*", false, false},
		{"configured", conf, MadeSites{}, "shop:5", false, false},
		{"configured, and made", conf, MadeSites{Sites: []Site{other}}, "shop:5 default:1*", false, false},
		{"configured wins", conf, MadeSites{Sites: []Site{shop}}, "shop:5", false, true},
	} {
		dir := t.TempDir()
		if err := writeSites(filepath.Join(dir, SitesName), &c.made); err != nil {
			t.Fatal(err)
		}
		cfg, warnings, err := Load(Flags{DataDir: dir, File: c.file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range cfg.Sites {
			one := cfg.Sites[i].Name + ":" + string(rune('0'+cfg.Sites[i].ID))
			if cfg.Sites[i].IsMade() {
				one += "*"
			}
			got = append(got, one)
		}
		if s := strings.Join(got, " "); s != c.want || cfg.Implicit() != c.implicit || (len(warnings) > 0) != c.warned {
			t.Errorf("%s: %s, implicit %v, %v", c.name, s, cfg.Implicit(), warnings)
		}
	}
}

// Ids of removed sites are not given again, and a purged name does not get its old id back.
func TestRemovedIDs(t *testing.T) {
	dir := t.TempDir()
	made := MadeSites{Sites: []Site{ImplicitSite(), named(t, "shop", 0, `{}`), named(t, "blog", 0, `{}`)},
		Removed: []RemovedSite{{"shop", 2, true}, {"old", 3, false}}}
	if err := writeSites(filepath.Join(dir, SitesName), &made); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Load(Flags{DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := Known{IDs: map[string]uint32{"default": 1, "shop": 2, "old": 3, "older": 4}, Used: []uint32{1, 2, 3}}
	if _, err := FillKeys(&cfg, known, false); err != nil {
		t.Fatal(err)
	}
	if shop, blog := cfg.Site("shop").ID, cfg.Site("blog").ID; shop != 5 || blog != 6 {
		t.Errorf("shop has the id %d and blog %d, want 5 and 6", shop, blog)
	}
	if known.IDs["shop"] != 2 {
		t.Error("what the store knows was changed")
	}
}

// What a call may set, and the sentence when it may not.
func TestSetSiteRefused(t *testing.T) {
	for settings, want := range map[string]string{
		`{"timezon":"UTC"}`:                      `unknown key "timezon", did you mean "timezone"?`,
		`{"debug":true}`:                         `unknown key "debug", did you mean "matomo.debug"?`,
		`{"matomo":{"debg":true}}`:               `unknown key "matomo.debg", did you mean "debug"?`,
		`{"matomo.debg":true}`:                   `unknown key "matomo.debg", did you mean "debug"?`,
		`{"timezone.x":"UTC"}`:                   `timezone is not a table`,
		`{"matomo":true}`:                        `matomo: must be an object`,
		`{"timezone":7}`:                         `timezone: must be text`,
		`{"gpc":"maybe"}`:                        `gpc: "maybe" is not true or false`,
		`{"retention_days":1.5}`:                 `retention_days: must be a whole number`,
		`{"retention_days":"soon"}`:              `retention_days: "soon" is not a whole number`,
		`{"hosts":{"a":1}}`:                      `hosts: must be a list`,
		`{"hosts":[["a"]]}`:                      `hosts: must be a list of plain values`,
		`{"goal":{"id":1}}`:                      `goal: must be an array of objects`,
		`{"goal":[{"id":1,"nam":"x"}]}`:          `unknown key "goal[0].nam", did you mean "name"?`,
		`{"name":"other"}`:                       `name is given once`,
		`{"id":7}`:                               `id is given once`,
		`{"secret_key":"sk_1"}`:                  `secret_key is a secret`,
		`{"matomo":{"tracking_token":"x"}}`:      `matomo.tracking_token is a secret`,
		`{"matomo.tracker_file":"/etc/passwd"}`:  `names a file of the server`,
		`{"read_key_file":"/etc/passwd"}`:        `names a file of the server`,
		`{"matomo":{"tracking_token_file":"x"}}`: `names a file of the server`,
	} {
		var values map[string]any
		if err := json.Unmarshal([]byte(settings), &values); err != nil {
			t.Fatal(err)
		}
		s := DefaultSite()
		if err := SetSite(&s, values); !errors.As(err, new(*SettingError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", settings, err, want)
		}
	}
	s := named(t, "a", 1, `{"timezone":"Europe/Rome","hosts":["x"],"matomo":{"debug":true}}`)
	if err := SetSite(&s, map[string]any{"timezone": nil, "hosts": "", "matomo.debug": nil}); err != nil {
		t.Fatal(err)
	}
	if s.Timezone != "UTC" || len(s.Hosts) != 0 || s.Matomo.Debug {
		t.Errorf("null does not set the default: %+v", s)
	}
}

func TestDifferences(t *testing.T) {
	started := Default()
	started.Sites = []Site{ImplicitSite(), named(t, "shop", 2, `{}`)}
	now := started
	now.Listen = List{"127.0.0.1:4711"} // of ":0"
	next := started
	next.Memory, next.DataDir, next.IPRate, next.LogLevel = 1<<30, "elsewhere", 7, "debug"
	next.ListenHTTP, next.TLSCert, next.TLSKey, next.ACMEHosts = ":80", "cert.pem", "key.pem", []string{"a.example"}
	next.Sites = []Site{named(t, "shop", 2, `{"gpc":false}`), named(t, "blog", 3, `{}`)}
	if got, want := next.KeepFixed(&started, &now), []string{"listen_http", "data_dir", "memory"}; !reflect.DeepEqual(got, want) {
		t.Errorf("a restart is needed by %v, want %v", got, want)
	}
	if next.Memory != now.Memory || next.DataDir != now.DataDir || !slices.Equal(next.Listen, now.Listen) {
		t.Errorf("fixed keys have changed: %+v", next)
	}
	if got, want := next.Differences(&now), []string{"ip_rate", "tls_cert", "tls_key", "acme_hosts", "log_level", "site shop", "site blog", "site default"}; !reflect.DeepEqual(got, want) {
		t.Errorf("changed: %v, want %v", got, want)
	}
}

// A site whose removal could not be written keeps its keys.
func TestRemovalThatFails(t *testing.T) {
	k := newKeyed(t, "")
	edit := func(do func(made *MadeSites), sites func(*Config) error) error {
		t.Helper()
		cfg, _, err := Change(Flags{DataDir: k.dir}, nil, func(_ *Config, made *MadeSites) error { do(made); return nil })
		if err != nil {
			t.Fatal(err)
		}
		filled, err := FillKeys(&cfg, Known{}, false)
		if err != nil {
			t.Fatal(err)
		}
		return filled.WriteBeside(func() error { return sites(&cfg) })
	}
	err := edit(func(made *MadeSites) { made.Sites = append(made.Sites, ImplicitSite(), named(t, "shop", 2, `{}`)) }, (*Config).WriteSites)
	if err != nil {
		t.Fatal(err)
	}
	before := k.load().Site("shop").SecretKey
	remove := func(made *MadeSites) {
		made.Sites, made.Removed = made.Sites[:1], append(made.Removed, RemovedSite{Name: "shop", ID: 2})
	}
	if err := edit(remove, func(*Config) error { return os.ErrPermission }); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
	if shop := k.load().Site("shop"); shop == nil || shop.SecretKey != before {
		t.Errorf("after a removal that failed: %+v", shop)
	}
	if err := edit(remove, (*Config).WriteSites); err != nil {
		t.Error(err)
	}
	if k.load().Site("shop") != nil || strings.Contains(k.files(), before) {
		t.Error("the keys of a removed site are still there")
	}
}
