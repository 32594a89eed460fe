package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		f, err := FillKeys(&cfg, Known{}, false)
		if err == nil {
			err = f.Write()
		}
		if err != nil {
			t.Fatal(err)
		}
		return &cfg, f.Made
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
	if err := ShowKeys(&cfg); err == nil {
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
	if _, err := FillKeys(&cfg, Known{}, false); err == nil {
		t.Error("no error")
	}
}

// A keys file that is not what cairn wrote is refused by name, with the way on. So no site gets
// another one's events, and no client loses its key.
func TestKeysThatWereChanged(t *testing.T) {
	const sites = "[[site]]\nname = \"blog\"\n[[site]]\nname = \"shop\"\n"
	const swapped = "[[site]]\nname = \"shop\"\n[[site]]\nname = \"blog\"\n"
	fill := func(dir, text string, known Known, accept bool) (*Config, *Filled, error) {
		t.Helper()
		cfg, err := parseConfig("c.toml", text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.DataDir = dir
		f, err := FillKeys(&cfg, known, accept)
		if err == nil {
			err = f.Write()
		}
		return &cfg, f, err
	}
	dir := t.TempDir()
	first, _, err := fill(dir, sites, Known{}, false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, KeysName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	known := Known{IDs: map[string]uint32{"blog": 1, "shop": 2}, Signed: true, Events: 9}
	unsigned, _, _ := strings.Cut(string(good), "\n# The last line")
	if again, f, err := fill(dir, swapped, known, false); err != nil || f.Made || again.Sites[0].SiteKeys != first.Sites[1].SiteKeys {
		t.Errorf("in another order: %v, %+v", err, again.Sites)
	}
	refused := func(what, text string, known Known) {
		t.Helper()
		for _, sites := range []string{sites, swapped} {
			if text == "removed" {
				os.Remove(path)
			} else {
				writeTestFile(t, path, text)
			}
			_, _, err := fill(dir, sites, known, false)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cairn keys -accept") {
				t.Errorf("%s: %v", what, err)
			}
			if after, err := os.ReadFile(path); text != "removed" && string(after) != text || text == "removed" && err == nil {
				t.Errorf("%s: the file has changed", what)
			}
		}
	}
	for _, c := range []struct{ from, to string }{{"id = 1", "id = 3"}, {"\"shop\"", "\"shoq\""}, {"sk_", "sk-"}, {keysSum, "# sha257 "}} {
		refused(c.to, strings.Replace(string(good), c.from, c.to, 1), known)
	}
	for n := 0; n < len(good); n += 3 {
		refused(fmt.Sprintf("cut to %d bytes", n), string(good[:n]), known)
		flipped := slices.Clone(good)
		flipped[n] ^= 1
		refused(fmt.Sprintf("byte %d flipped", n), string(flipped), known)
	}
	refused("removed", "removed", known)
	refused("emptied", "", known)
	refused("an older store without its file", "removed", Known{Events: 9})
	refused("an older store with an emptied file", "", Known{Events: 9})
	refused("ids that the store does not have", strings.Replace(unsigned, "id = 1", "id = 7", 1), Known{IDs: known.IDs, Events: 9})

	// A file of an older cairn is taken once, and then has a checksum.
	writeTestFile(t, path, unsigned)
	if again, f, err := fill(dir, sites, Known{Events: 9}, false); err != nil || f.Made || !f.Signed() || again.Sites[0].SiteKeys != first.Sites[0].SiteKeys {
		t.Errorf("a file without a checksum: %v, %+v", err, again.Sites)
	}
	if text, _ := os.ReadFile(path); string(text) != string(good) {
		t.Errorf("the file became %s", text)
	}
	// Without a file the ids come from the store when the operator accepts new keys.
	os.Remove(path)
	if again, _, err := fill(dir, swapped, known, true); err != nil || again.Sites[0].ID != 2 || again.Sites[1].ID != 1 || again.Sites[0].SecretKey == first.Sites[1].SecretKey {
		t.Errorf("accepted without a file: %v, %+v", err, again.Sites)
	}
	// An edited file is valid as it is when the operator accepts it.
	writeTestFile(t, path, strings.Replace(string(good), "id = 1", "id = 3", 1))
	if again, _, err := fill(dir, sites, known, true); err != nil || again.Sites[0].ID != 3 {
		t.Errorf("accepted after an edit: %v, %+v", err, again.Sites)
	}
	if _, err := ReadKeys(path); err != nil {
		t.Error(err)
	}
	// A new site of a store that has events gets its keys.
	if again, f, err := fill(dir, sites+"[[site]]\nname = \"third\"\n", Known{IDs: map[string]uint32{"blog": 3, "shop": 2, "gone": 4}, Used: []uint32{1, 5}, Signed: true, Events: 9}, false); err != nil || !f.Made || again.Sites[2].ID != 6 {
		t.Errorf("a new site: %v, %+v", err, again.Sites)
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

// An id in the configuration wins over the one that was kept for the name, but not silently.
func TestAnotherIDIsTold(t *testing.T) {
	t.Parallel()
	known := Known{IDs: map[string]uint32{"blog": 1, "shop": 2}, Events: 5}
	for _, c := range []struct {
		sites string
		words []string // of the warning; none = no warning
	}{
		{"[[site]]\nname = \"blog\"\nid = 1\n", nil},
		{"[[site]]\nname = \"blog\"\n", nil},
		{"[[site]]\nname = \"news\"\nid = 7\n", nil},
		{"[[site]]\nname = \"blog\"\nid = 2\n", []string{`site "blog"`, "sets the id 2", "kept the id 1", `those of the site "shop"`, "events of id 1 are hidden", "Set id = 1"}},
		{"[[site]]\nname = \"shop\"\nid = 9\n", []string{`site "shop"`, "sets the id 9", "kept the id 2", "the events of id 9;"}},
	} {
		cfg, err := parseConfig("c.toml", c.sites)
		if err != nil {
			t.Fatal(err)
		}
		cfg.DataDir = t.TempDir()
		f, err := FillKeys(&cfg, known, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Warnings) != min(1, len(c.words)) {
			t.Errorf("%q: %q", c.sites, f.Warnings)
			continue
		}
		for _, words := range c.words {
			if !strings.Contains(f.Warnings[0], words) {
				t.Errorf("%q: %q does not say %q", c.sites, f.Warnings[0], words)
			}
		}
	}
}
