package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/http/dialect"
	"cairn/http/matomo"
)

// commented matches a line of config.example.toml that is a key or a table behind a #. A
// line of prose has a space after its #.
var commented = regexp.MustCompile(`(?m)^#([a-z_]+ = |\[)`)

// example is the file for operators at the top of the repository.
const example = "../../config.example.toml"

// Operators start from the example. It must name every key, with the value that the key
// has when it is left out.
func TestExampleIsTheDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseConfig("config.example.toml", string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	emptyIsNil(reflect.ValueOf(&got).Elem())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("unchanged:\n got %+v\nwant %+v", got, want)
	}

	all := commented.ReplaceAllString(string(text), "$1")
	got, err = parseConfig("config.example.toml", all)
	if err != nil {
		t.Fatal(err)
	}
	emptyIsNil(reflect.ValueOf(&got).Elem())
	site, goal := DefaultSite(), matomo.DefaultGoal()
	site.Name = "shop"
	goal.ID, goal.Name = 1, "signup"
	site.Goals = []matomo.Goal{goal}
	want.Sites = []Site{site}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("with the site:\n got %+v\nwant %+v", got, want)
	}

	// Every key is there, under its table.
	have := map[string]bool{}
	table := ""
	for line := range strings.Lines(all) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[]") + "."
		} else if key, _, ok := strings.Cut(line, " = "); ok && !strings.HasPrefix(line, "#") {
			have[table+key] = true
		}
	}
	for path := range keyPaths() {
		if !have[path] {
			t.Errorf("the example lacks %s", path)
		}
		delete(have, path)
	}
	for path := range have {
		t.Errorf("the example has %s, which is not a key", path)
	}
}

// emptyIsNil sets the empty slices of v to nil, because both mean the same.
func emptyIsNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		for i := range v.Len() {
			emptyIsNil(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				emptyIsNil(f)
			}
		}
	}
}

// A wrong file is refused. The error names the line and what to do.
func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"misspelt":           {"listn = \":1\"\n", "c.toml:1: unknown key \"listn\", did you mean \"listen\"?\n    1 | listn = \":1\"\n      | ^^^^^"},
		"misspelt in a site": {"\n[[site]]\n  secrt_key = \"x\"\n", "c.toml:3: unknown key \"site.secrt_key\", did you mean \"secret_key\"?\n    3 |   secrt_key = \"x\"\n      |   ^^^^^^^^^"},
		"swapped letters":    {"lsiten = 1\n", `did you mean "listen"?`},
		"wrong table":        {"[[site]]\nmemory = \"64MiB\"\n", "it belongs at the top of the file"},
		"site key on top":    {"write_key = \"x\"\n", "it belongs in [[site]]"},
		"in the goal":        {"[[site]]\n[[site.goal]]\npatern = \"x\"\n", `c.toml:3: unknown key "site.goal.patern", did you mean "pattern"?`},
		"unknown table":      {"[gio]\ndatabase = \"\"\n", `c.toml:1: unknown key "gio", did you mean "geo"?`},
		"nothing near":       {"zzzzzzzz = 1\n", "c.toml:1: unknown key \"zzzzzzzz\"\n"},
		"quoted":             {"\"memori\" = 1\n", `c.toml:1: unknown key "memori", did you mean "memory"?`},
		"bad size":           {"memory = \"12 parsecs\"\n", `c.toml:1: "12 parsecs" is not a size; use for example "64MiB"`},
		"bad duration":       {"[[site]]\nmatomo.cdt_window = \"soon\"\n", `"soon" is not a duration; use for example "24h" or "7d"`},
		"wrong type":         {"data_dir = 80\n", `line 1 (last key "data_dir")`},
		"no list":            {"listen = 80\n", `c.toml:1: 80 is neither a text nor a list of texts`},
		"syntax":             {"listen = \n", "c.toml:1: "},
		"twice":              {"listen = \"a\"\nlisten = \"b\"\n", "c.toml:2: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig("c.toml", c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// A flag wins over the environment, the environment over the file, and the file over the
// default.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.toml")
	secret := filepath.Join(dir, "secret")
	writeTestFile(t, secret, "from-a-file\n")
	writeTestFile(t, file, `
listen = "127.0.0.1:1"
data_dir = "file"
memory = "100MiB"
trusted_proxies = ["10.0.0.0/8"]
[[site]]
name = "my-shop"
secret_key = "file"
read_key_file = "`+secret+`"
[[site]]
name = "blog"
gpc = false
`)
	env := []string{"CAIRN_CONFIG=" + file, "CAIRN_LISTEN=127.0.0.1:2", "CAIRN_DATA_DIR=env", "CAIRN_IP_RATE=1.5",
		"CAIRN_TRUSTED_PROXIES=192.0.2.1, 2001:db8::/32", "CAIRN_GEO_DATABASE=x.mmdb",
		"CAIRN_SITE_MY_SHOP_SECRET_KEY=env", "CAIRN_SITE_BLOG_MATOMO_CDT_WINDOW=7d", "CAIRN_SITE_BLOG_MATOMO_DIMENSIONS=1,2",
		"CAIRN_PORT=tcp://10.0.0.1:80", "HOME=/"}
	cfg, warnings, err := Load(Flags{DataDir: "flag"}, env)
	if err != nil {
		t.Fatal(err)
	}
	shop, blog := cfg.Sites[0], cfg.Sites[1]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"flag over env and file", cfg.DataDir, "flag"},
		{"env over file", cfg.Listen, List{"127.0.0.1:2"}},
		{"env over default", cfg.IPRate, 1.5},
		{"file over default", cfg.Memory, dialect.Size(100 << 20)},
		{"default", cfg.DedupHours, 24},
		{"list from env", cfg.TrustedProxies, []string{"192.0.2.1", "2001:db8::/32"}},
		{"table from env", cfg.Geo.Database, "x.mmdb"},
		{"site from env", shop.SecretKey, "env"},
		{"secret from a file", shop.ReadKey, "from-a-file"},
		{"site default", shop.GPC, true},
		{"site file", blog.GPC, false},
		{"site table from env", time.Duration(blog.Matomo.CDTWindow), 7 * 24 * time.Hour},
		{"numbers from env", blog.Matomo.Dimensions, []int{1, 2}},
		{"sites given", cfg.implicit, false},
		{"warnings", warnings, []string{"the environment variable CAIRN_PORT matches no configuration key and is ignored"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	if _, _, err := Load(Flags{}, []string{"CAIRN_DEDUP_HOURS=many"}); err == nil || err.Error() != `CAIRN_DEDUP_HOURS: "many" is not a whole number` {
		t.Errorf("a bad variable: %v", err)
	}
	cfg, _, err = Load(Flags{}, []string{"CAIRN_SITE_DEFAULT_SECRET_KEY=mine"})
	if err != nil || !cfg.implicit || cfg.Sites[0].SecretKey != "mine" || cfg.Sites[0].ID != 1 {
		t.Errorf("the implicit site: %+v, %v", cfg.Sites, err)
	}
}

func writeTestFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Invalid values are refused before anything is opened. The error names the key.
func TestValidate(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`dedup_hours = 0`, "dedup_hours"},
		{`ip_rate = 0`, "ip_rate"},
		{`purge = "59m"`, "purge"},
		{`purge = "31d"`, "purge"},
		{`retention_bytes = "1MiB"`, "retention_bytes"},
		{`reserve = "much"`, "reserve"},
		{`trusted_proxies = ["10.0.0.0/99"]`, "trusted_proxies"},
		{`tls_cert = "x"`, "tls_cert"},
		{`acme_hosts = ["x"]`, "acme_hosts"},
		{`acme_hosts = ["*.example.com"]`, "list each name"},
		{`acme_email = "a, b@example.com"`, "acme_email"},
		{`acme_directory = "http://ca.example"`, "acme_directory"},
		{`listen_http = ":80"`, "acme_hosts"},
		{"listen_http = \"80\"\nacme_hosts = [\"a.example\"]", "listen_http"},
		{"listen_http = \"127.0.0.1:8080\"\nacme_hosts = [\"a.example\"]", "twice"},
		{`listen = []`, "listen"},
		{`listen = ""`, "listen"},
		{`listen = ["127.0.0.1:1", "127.0.0.1:1"]`, "twice"},
		{`listen = ["127.0.0.1:1", "127.0.0.1"]`, "must be an address and a port"},
		{`trusted_proxies = ["unix:"]`, "trusted_proxies"},
		{`log_level = "loud"`, "log_level"},
		{"[[site]]\nname = \"a b\"", "name"},
		{"[[site]]\nname = \"\"", "name"},
		{"[[site]]\nname = \"a\"\n[[site]]\nname = \"a\"", "twice"},
		{"[[site]]\nname = \"a\"\nid = 7\n[[site]]\nname = \"b\"\nid = 7", "same id"},
		{"[[site]]\nname = \"a\"\nsecret_key = \"k\"\n[[site]]\nname = \"b\"\nread_key = \"k\"", `sites "a" and "b" use the same key`},
		{"[[site]]\nname = \"a\"\nsecret_key = \"k\"\nread_key = \"k\"", `site "a" uses one key for two purposes`},
		{"[[site]]\nname = \"a\"\ntimezone = \"Mars/Phobos\"", "timezone"},
		{"[[site]]\nname = \"a\"\ncurrency = \"Euro\"", "currency"},
		{"[[site]]\nname = \"a\"\ncurrency = \"€\"", "currency"},
		{"[[site]]\nname = \"a\"\nip = \"sell\"", "ip ="},
		{"[[site]]\nname = \"a\"\nretention_days = 1", "retention_days"},
		{"[[site]]\nname = \"a\"\nexclude_ips = [\"office\"]", "exclude_ips"},
		{"[[site]]\nname = \"a\"\nmatomo.tracker_file = \"no/such.js\"", "matomo.tracker_file"},
		{"[[site]]\nname = \"a\"\nmatomo.tracker_file = \"config.go\"\n[[site]]\nname = \"b\"\nmatomo.tracker_file = \"other.js\"", "all sites share one matomo.js"},
		{"[[site]]\nname = \"a\"\n[[site.goal]]\nid = 1\nname = \"g\"\nmatch = \"urll\"", `did you mean "url"?`},
		{"[[site]]\nname = \"a\"\n[[site.goal]]\nid = 1\nname = \"g\"\nmatch = \"url\"\npattern = \"(\"\npattern_type = \"regex\"", "pattern"},
		{"[[site]]\nname = \"a\"\n[[site.goal]]\nid = 1\nname = \"g\"\n[[site.goal]]\nid = 1\nname = \"h\"", "goal 1 is configured twice"},
	} {
		cfg, err := parseConfig("c.toml", c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		cfg.DataDir = t.TempDir()
		if err = cfg.Validate(); err == nil {
			if _, err = FillKeys(&cfg, Known{}, false); err == nil {
				_, err = BuildSites(cfg.Sites)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// Reports know the goals of a site in the order of the file, and its currency.
func TestGoalsAndCurrency(t *testing.T) {
	cfg, err := parseConfig("c.toml", "[[site]]\nname = \"a\"\ncurrency = \"eur\"\n[[site.goal]]\nid = 7\nname = \"signup\"\n[[site.goal]]\nid = 2\nname = \"call\"\n[[site]]\nname = \"b\"")
	if err != nil {
		t.Fatal(err)
	}
	cfg.DataDir = t.TempDir()
	if _, err = FillKeys(&cfg, Known{}, false); err != nil {
		t.Fatal(err)
	}
	sites, err := BuildSites(cfg.Sites)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(sites[0].Site.Goals, sites[0].Site.Currency, sites[1].Site.Goals, sites[1].Site.Currency); got != "[{7 signup} {2 call}]EUR[]" {
		t.Errorf("%s", got)
	}
}

// Too little memory is taken as the least there can be, with a warning.
func TestLeastMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte(`memory = "1MiB"`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Load(Flags{File: file}, nil)
	if err != nil || cfg.Memory != engine.MemoryLeast || len(warnings) != 1 || !strings.Contains(warnings[0], `"1MiB" is too little; the server uses "64MiB"`) {
		t.Errorf("memory %v, warnings %q, %v", cfg.Memory, warnings, err)
	}
}

func FuzzConfig(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(commented.ReplaceAllString(string(text), "$1"))
	f.Add("[[site]]\n[[site.goal]]\npatern = \"x\"\n")
	f.Add("[a.b]\nc = 1\n[x\n")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parseConfig("c.toml", text)
		if err == nil {
			cfg.Validate()
		}
	})
}

// A window of over 30 days is taken with a warning.
func TestWindowWarning(t *testing.T) {
	for window, want := range map[string]int{"4h": 0, "30d": 0, "31d": 1, "3650d": 1} {
		cfg, warnings, err := Load(Flags{}, []string{"CAIRN_SITE_DEFAULT_MATOMO_CDT_WINDOW=" + window})
		if err == nil {
			err = cfg.Validate()
		}
		if err != nil || len(warnings) != want || want > 0 && !strings.HasPrefix(warnings[0], `site "default": matomo.cdt_window`) {
			t.Errorf("%s: %q, %v", window, warnings, err)
		}
	}
}

// A file with secrets that every user can read is a warning; so is a file that a secret is
// read from.
func TestReadableSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	writeTestFile(t, secret, "0123456789012345678901234567890123456789")
	for _, c := range []struct {
		name, text             string
		config, secret         os.FileMode
		warnConfig, warnSecret bool
	}{
		{"secrets", "admin_token = \"a\"", 0o644, 0o600, true, false},
		{"a site's secret", "[[site]]\nname = \"a\"\nclient_secret = \"a\"", 0o604, 0o600, true, false},
		{"closed", "admin_token = \"a\"", 0o600, 0o600, false, false},
		{"for a group", "metrics_token = \"a\"", 0o640, 0o600, false, false},
		{"nothing secret", "listen = \":80\"\n[[site]]\nname = \"a\"\nwrite_key = \"a\"\nclient_id = \"b\"", 0o644, 0o600, false, false},
		{"a secret elsewhere", "admin_token_file = '" + secret + "'\n", 0o644, 0o644, false, true},
		{"a site's secret elsewhere", "[[site]]\nname = \"a\"\nread_key_file = '" + secret + "'\n", 0o644, 0o600, false, false},
	} {
		file := filepath.Join(dir, "cairn.toml")
		writeTestFile(t, file, c.text)
		for name, mode := range map[string]os.FileMode{file: c.config, secret: c.secret} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		_, warnings, err := Load(Flags{File: file}, nil)
		if err != nil {
			t.Fatal(c.name, err)
		}
		text := strings.Join(warnings, "\n")
		if strings.Contains(text, file) != c.warnConfig || strings.Contains(text, secret+",") != c.warnSecret {
			t.Errorf("%s: %q", c.name, warnings)
		}
	}
}

// An address that nothing can listen on is refused before the store is opened. Several come from a
// list in the file, or from a text with commas, wherever it is.
func TestListenAddress(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "", ":8080": "", "[::1]:0": "", "localhost:http": "",
		"unix:/run/cairn.sock": "", "127.0.0.1:80, unix:/run/cairn.sock": "", "/run/cairn.sock": "must be an address and a port",
		"8080": "must be an address and a port", "127.0.0.1": "must be an address and a port", "127.0.0.1:no-such-port": "must be an address and a port",
		"127.0.0.1:99999": "must be an address and a port",
	} {
		cfg, _, err := Load(Flags{Listen: address}, nil)
		if err == nil {
			err = cfg.Validate()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	want := List{"127.0.0.1:80", "unix:/run/cairn.sock"}
	for _, text := range []string{`listen = ["127.0.0.1:80", "unix:/run/cairn.sock"]`, `listen = "127.0.0.1:80, unix:/run/cairn.sock"`} {
		if cfg, err := parseConfig("cairn.toml", text); err != nil || !slices.Equal(cfg.Listen, want) {
			t.Errorf("%s: %q %v", text, cfg.Listen, err)
		}
	}
	if cfg, _, err := Load(Flags{}, []string{"CAIRN_LISTEN=127.0.0.1:80,unix:/run/cairn.sock"}); err != nil || !slices.Equal(cfg.Listen, want) {
		t.Errorf("%q %v", cfg.Listen, err)
	}
	for _, text := range []string{"listen = 80", "listen = [80]", "listen = {a = 1}"} {
		if _, err := parseConfig("cairn.toml", text); err == nil || !strings.Contains(err.Error(), "text") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
