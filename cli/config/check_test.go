package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

const manyMistakes = `listen = "nowhere"
dedup_hours = 0
ip_rat = 5
log_level = "loud"

[geo]
databas = "x"

[[site]]
name = "shop"
timezone = "Mars/Olympus"

[[site]]
name = "blog"
ip = "hide"

[[site]]
name = "good"
read_key_file = "/does/not/exist"

[backup]
to = "s3://bucket/prefix"
every = "1s"
credentials = "x"
access_secret_file = "/does/not/exist"
passphrase_file = "/does/not/exist"
`

// TestCheckFindsAll finds every mistake of a file with its line, of a variable and of a flag.
func TestCheckFindsAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cairn.toml")
	if err := os.WriteFile(file, []byte(manyMistakes), 0o600); err != nil {
		t.Fatal(err)
	}
	_, mistakes, warnings := Check(Flags{File: file, DataDir: filepath.Join(t.TempDir(), "no")}, []string{"CAIRN_IP_CONNS=many", "CAIRN_SITE_GOOD_RATE_LIMIT=x", "CAIRN_PORT=1", "CAIRN_RESERVE=much"})
	all := strings.Join(mistakes, "\n")
	for _, want := range []string{
		file + `:1: listen = "nowhere"`, file + `:2: dedup_hours`, file + `:3: unknown key "ip_rat"`, file + `:4: log_level = "loud"`,
		file + `:7: unknown key`, file + `:11: site "shop": timezone`, file + `:15: site "blog": ip = "hide"`, file + `:19: read_key_file`,
		file + `:23: backup: every`, file + `:24: backup: credentials`, file + `:25: backup.access_secret_file`, file + `:26: backup.passphrase_file`,
		"CAIRN_IP_CONNS: ", "CAIRN_SITE_GOOD_RATE_LIMIT: ", "CAIRN_RESERVE: reserve",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not found: %s", want)
		}
	}
	if len(mistakes) != 15 || len(warnings) != 2 || !strings.Contains(warnings[0], "CAIRN_PORT") || !strings.Contains(warnings[1], "passphrase") {
		t.Errorf("%d mistakes:\n%s\nwarnings %q", len(mistakes), all, warnings)
	}
	if _, mistakes, _ := Check(Flags{Listen: "x", DataDir: t.TempDir()}, nil); len(mistakes) != 1 || !strings.HasPrefix(mistakes[0], "-listen: ") {
		t.Errorf("%q", mistakes)
	}
	broken := filepath.Join(t.TempDir(), "broken.toml")
	if err := os.WriteFile(broken, []byte("listen = \"a\"\nlisten = \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, mistakes, _ := Check(Flags{File: broken}, nil); len(mistakes) != 1 || !strings.HasPrefix(mistakes[0], broken+":2: ") {
		t.Errorf("%q", mistakes)
	}
}

// TestCheckAgreesWithLoad finds nothing in the example and in what serve starts with.
func TestCheckAgreesWithLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "no")
	for _, file := range []string{"", "../../config.example.toml"} {
		if _, mistakes, _ := Check(Flags{File: file, DataDir: dir}, nil); len(mistakes) != 0 {
			t.Errorf("%s: %q", file, mistakes)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the data directory was made")
	}
}

// TestShow shows every key once, with its origin, and no secret. What it shows can be read again.
func TestShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cairn.toml")
	text := "memory = \"512MiB\"\nadmin_token = \"very-secret-admin-token-1\"\n[[site]]\nname = \"shop\"\nsecret_key = \"very-secret-key-of-shop\"\n[[site.goal]]\nid = 1\nname = \"g\"\npattern = \"x\"\n[site.matomo]\ntracking_token = \"very-secret-tracking-token\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fl := Flags{File: file, DataDir: filepath.Join(t.TempDir(), "data")}
	environ := []string{"CAIRN_IP_CONNS=7", "CAIRN_SITE_SHOP_CURRENCY=EUR"}
	cfg, _, err := Load(fl, environ)
	if err != nil {
		t.Fatal(err)
	}
	shown := cfg.Show(NewOrigins(&cfg, fl, environ))
	if strings.Contains(shown, "very-secret") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	lines := map[string]string{}
	for _, l := range strings.Split(shown, "\n") {
		key, rest, _ := strings.Cut(l, " = ")
		lines[key] = rest
	}
	for key, want := range map[string][2]string{
		"memory": {`"512MiB"`, file + ":1"}, "ip_conns": {"7", "CAIRN_IP_CONNS"}, "data_dir": {`"` + fl.DataDir + `"`, "-data"},
		"listen": {`["127.0.0.1:8080"]`, "default"}, "secret_key": {`"********"`, file + ":5"}, "currency": {`"EUR"`, "CAIRN_SITE_SHOP_CURRENCY"},
		"pattern": {`"x"`, file + ":9"}, "tracking_token": {`"********"`, file + ":11"}, "read_key": {`""`, "generated, in keys.toml"}, "admin_token": {`"********"`, file + ":2"},
	} {
		value, from, _ := strings.Cut(lines[key], "#")
		if strings.TrimSpace(value) != want[0] || strings.TrimSpace(from) != want[1] {
			t.Errorf("%s = %s, want %v", key, lines[key], want)
		}
	}
	again := Default()
	again.Sites = defaultSites(shown)
	if meta, err := toml.Decode(shown, &again); err != nil || len(meta.Undecoded()) > 0 {
		t.Errorf("what is shown cannot be read: %v %v", err, meta.Undecoded())
	}
	for path := range keyPaths() {
		key := path[strings.LastIndexByte(path, '.')+1:]
		if !strings.Contains("\n"+shown, "\n"+key+" = ") {
			t.Errorf("%s is not shown", path)
		}
	}
}

// What a start refuses is a mistake, and what it warns of is a warning.
func TestCheckFindsWhatAStartSays(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"[backup]\nto = \"s3://b/p\"\npassphrase_file = \"/does/not/exist\"\n",
		"[backup]\nto = \"s3://b/p\"\naccess_secret = \"a\"\naccess_secret_file = \"b\"\n",
		"[backup]\nto = \"s3://b/p\"\nendpoint = \"http://minio\"\n",
		"admin_token = \"aaaaaaaaaaaaaaaaaaaaaaaa\"\n",
		"metrics_token_file = \"" + open + "\"\n",
		"memory = \"1MiB\"\n",
	} {
		file := filepath.Join(dir, "cairn.toml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fl := Flags{File: file, DataDir: filepath.Join(dir, "no")}
		_, said, err := Load(fl, nil)
		_, mistakes, warnings := Check(fl, nil)
		if err == nil && len(said) == 0 {
			t.Errorf("%s: a start says nothing", text)
		}
		if (err != nil) != (len(mistakes) > 0) {
			t.Errorf("%s: a start says %v, the check %q", text, err, mistakes)
		}
		for _, w := range said {
			if !slices.Contains(warnings, w) {
				t.Errorf("%s: the check does not warn: %s", text, w)
			}
		}
	}
}
