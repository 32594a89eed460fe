package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Keys are generated once and never change afterwards. Each has the form of its dialect,
// and the file has mode 0600.
func TestKeysAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) (*Config, bool) {
		t.Helper()
		cfg, err := parseConfig("c.toml", text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.DataDir = dir
		made, err := FillKeys(&cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		return &cfg, made
	}
	const blog = "[[site]]\nname = \"blog\"\n"
	const shop = "[[site]]\nname = \"shop\"\nsecret_key = \"mine\"\n"

	first, made := load(shop)
	if !made {
		t.Error("nothing was made at the first start")
	}
	k := first.Sites[0].SiteKeys
	if k.SecretKey != "mine" {
		t.Errorf("a configured key became %q", k.SecretKey)
	}
	for name, c := range map[string]struct{ key, shape string }{
		"admin_token":   {first.AdminToken, `^adm_[0-9a-f]{48}$`},
		"read_key":      {k.ReadKey, `^rk_[0-9a-f]{48}$`},
		"write_key":     {k.WriteKey, `^[A-Za-z0-9]{32}$`},
		"client_id":     {k.ClientID, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		"client_secret": {k.ClientSecret, `^sec_[0-9a-f]{40}$`},
		"token_auth":    {k.TokenAuth, `^[0-9a-f]{32}$`},
	} {
		if !regexp.MustCompile(c.shape).MatchString(c.key) {
			t.Errorf("%s = %q is not of the shape %s", name, c.key, c.shape)
		}
	}
	path := filepath.Join(dir, KeysName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keys.toml: %v, %v", info.Mode(), err)
	}
	if text, _ := os.ReadFile(path); strings.Contains(string(text), "mine") {
		t.Error("keys.toml repeats a configured key")
	}

	again, made := load(shop)
	if made || again.Sites[0].SiteKeys != k || again.AdminToken != first.AdminToken {
		t.Errorf("the second start changed keys:\n%+v\n%+v", k, again.Sites[0].SiteKeys)
	}

	// Another site takes the next free id. It keeps this id in any order of the sites, and
	// when the first site is missing for a while.
	both, made := load(blog + shop)
	if !made || both.Sites[0].ID != 2 || both.Sites[1].SiteKeys != k {
		t.Errorf("with another site: %+v", both.Sites)
	}
	alone, _ := load(blog)
	if alone.Sites[0].SiteKeys != both.Sites[0].SiteKeys {
		t.Errorf("the other site alone: %+v", alone.Sites[0].SiteKeys)
	}
	third, _ := load("[[site]]\nname = \"third\"\n")
	if third.Sites[0].ID != 3 {
		t.Errorf("a third site got id %d, which another site's events are under", third.Sites[0].ID)
	}
}

// "cairn keys" generates no keys.
func TestKeysAreNotMadeByLooking(t *testing.T) {
	cfg := Default()
	cfg.DataDir = t.TempDir()
	cfg.Sites = []Site{DefaultSite()}
	cfg.Sites[0].Name = "default"
	if _, err := FillKeys(&cfg, false); err == nil {
		t.Error("no error without keys")
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, KeysName)); err == nil {
		t.Error("keys.toml was written")
	}
}

// A keys file that does not parse stops the start. New keys would lock out every client.
func TestDamagedKeysStopTheStart(t *testing.T) {
	cfg := Default()
	cfg.DataDir = t.TempDir()
	writeTestFile(t, filepath.Join(cfg.DataDir, KeysName), "admin_token = \"ad")
	if _, err := FillKeys(&cfg, true); err == nil {
		t.Error("no error")
	}
}

// Only the owner may enter the directory that holds secrets.
func TestDataDirMode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MakeDataDir(dir); err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v", info.Mode().Perm())
		}
		os.Chmod(dir, 0o755)
	}
}
