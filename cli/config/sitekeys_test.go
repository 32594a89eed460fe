package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Story: a site gets, replaces and loses keys at run time; what stays on the disk says the same
// after a restart, at whatever moment the process ends, and never has a key made so.

// keyed is a data directory with its configuration.
type keyed struct {
	*testing.T
	dir, file string
	now       time.Time
}

func newKeyed(t *testing.T, text string) *keyed {
	t.Helper()
	k := &keyed{T: t, dir: filepath.Join(t.TempDir(), "data"), now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	if text != "" {
		k.file = filepath.Join(t.TempDir(), "cairn.toml")
		if err := os.WriteFile(k.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := MakeDataDir(k.dir); err != nil {
		t.Fatal(err)
	}
	k.load()
	return k
}

// load is a start.
func (k *keyed) load() *Config {
	k.Helper()
	cfg, _, err := Load(Flags{File: k.file, DataDir: k.dir}, nil)
	if err != nil {
		k.Fatal(err)
	}
	filled, err := FillKeys(&cfg, Known{}, false)
	if err == nil {
		err = filled.Write()
	}
	if err != nil {
		k.Fatal(err)
	}
	if _, err := BuildSites(cfg.Sites); err != nil {
		k.Fatal(err)
	}
	return &cfg
}

// write writes a change.
func (k *keyed) write(change *KeyChange, err error) *KeyChange {
	k.Helper()
	if err == nil {
		err = change.Write()
	}
	if err != nil {
		k.Fatal(err)
	}
	return change
}

// open lists "kind ends" of the keys that open the site with a secret now.
func (k *keyed) opens(cfg *Config, secret string) string {
	k.Helper()
	list, err := cfg.Keys(cfg.Sites[0].Name)
	if err != nil {
		k.Fatal(err)
	}
	for _, one := range list {
		if fmt.Sprintf("%x", one.SHA256) == sumOf(secret) {
			if !one.Ends.IsZero() {
				return one.Kind + " until " + one.Ends.Format(time.RFC3339)
			}
			return one.Kind
		}
	}
	return ""
}

// files is the text of all files of the data directory.
func (k *keyed) files() string {
	k.Helper()
	var all strings.Builder
	names, err := os.ReadDir(k.dir)
	if err != nil {
		k.Fatal(err)
	}
	for _, e := range names {
		text, err := os.ReadFile(filepath.Join(k.dir, e.Name()))
		if err != nil {
			k.Fatal(err)
		}
		all.WriteString(e.Name() + "\n" + string(text))
	}
	return all.String()
}

func TestSiteKeys(t *testing.T) {
	k := newKeyed(t, "")
	ends := k.now.Add(48 * time.Hour)
	ci := k.write(k.load().AddKey("default", NewKey{Name: "ci", Kind: "secret_key", Ends: ends}, k.now))
	web := k.write(k.load().AddKey("default", NewKey{Name: "web", Kind: "write_key"}, k.now))
	track := k.write(k.load().AddKey("default", NewKey{Name: "a tracker", Kind: "tracking_token"}, k.now))
	cfg := k.load()
	for _, c := range []struct{ secret, want string }{
		{ci.Secret, "secret_key until 2026-12-02T12:00:00Z"}, {web.Secret, "write_key"}, {track.Secret, "tracking_token"}, {cfg.Sites[0].SecretKey, "secret_key"},
	} {
		if got := k.opens(cfg, c.secret); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	// Rotated: the new one has no end, and the old one has that of the grace or its own.
	for _, c := range []struct {
		grace time.Duration
		want  string
	}{{72 * time.Hour, "2026-12-02T12:00:00Z"}, {time.Hour, "2026-11-30T13:00:00Z"}, {time.Hour, "2026-11-30T13:00:00Z"}} {
		change, err := k.load().RotateKey("default", ci.Key.ID, c.grace, k.now)
		if err != nil || change.Old.Ends.Format(time.RFC3339) != c.want || !change.Key.Ends.IsZero() || change.Key.Name != "ci" || change.Key.ID == ci.Key.ID {
			t.Fatalf("%+v, %v; want the end %s", change, err, c.want)
		}
		k.write(change, nil)
		if got := k.opens(k.load(), change.Secret); got != "secret_key" {
			t.Errorf("the new key: %q", got)
		}
	}
	var fault *KeyError
	if _, err := k.load().RotateKey("default", ci.Key.ID, 0, k.now.Add(time.Hour)); !errors.As(err, &fault) || fault.Fault != KeyFixed {
		t.Errorf("an ended key is rotated: %v", err)
	}
	k.write(k.load().RemoveKey("default", web.Key.ID))
	if got := k.opens(k.load(), web.Secret); got != "" {
		t.Errorf("the removed key: %q", got)
	}
	text := k.files()
	for _, secret := range []string{ci.Secret, web.Secret, track.Secret} {
		if strings.Contains(text, secret) {
			t.Errorf("a file has the key %s", secret)
		}
	}
	if info, err := os.Stat(filepath.Join(k.dir, SitesName)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The generated key is replaced in keys.toml, and the old one lives on as a hash. Whatever of the
// two files was written when the process ended, the next start has one of the two states.
func TestRotateGenerated(t *testing.T) {
	for _, kind := range []string{"secret_key", "read_key", "write_key", "client_id", "client_secret", "token_auth"} {
		k := newKeyed(t, "")
		cfg := k.load()
		old := *cfg.Sites[0].plain(kind)
		change, err := cfg.RotateKey("default", kind, 24*time.Hour, k.now)
		if err != nil {
			t.Fatal(err)
		}
		// sites.toml alone: the rotation has not happened.
		if err := change.Next.WriteSites(); err != nil {
			t.Fatal(err)
		}
		cut := k.load()
		if got := k.opens(cut, old); got != kind {
			t.Errorf("%s, cut: the old key is %q", kind, got)
		}
		if got := k.opens(cut, change.Secret); got != "" {
			t.Errorf("%s, cut: the new key is %q", kind, got)
		}
		// Tried again.
		again := k.write(cut.RotateKey("default", kind, 48*time.Hour, k.now))
		cfg = k.load()
		if got := k.opens(cfg, old); got != kind+" until 2026-12-02T12:00:00Z" {
			t.Errorf("%s: the old key is %q", kind, got)
		}
		if got := k.opens(cfg, again.Secret); got != kind || *cfg.Sites[0].plain(kind) != again.Secret || again.Key.ID != kind {
			t.Errorf("%s: the new key is %q", kind, got)
		}
		if list, _ := cfg.Keys("default"); len(list) != len(KeyShapes)+1 {
			t.Errorf("%s: %d keys, want one more: %+v", kind, len(list), list)
		}
		if text := k.files(); strings.Contains(text, old) || strings.Contains(text, change.Secret) {
			t.Errorf("%s: a file has the old key, or the one that was never shown", kind)
		}
		var fault *KeyError
		if _, err := cfg.RemoveKey("default", kind); !errors.As(err, &fault) || fault.Fault != KeyFixed {
			t.Errorf("%s is removed: %v", kind, err)
		}
	}
}

// The admin token of keys.toml is renewed; the sites keep their keys.
func TestRenewAdmin(t *testing.T) {
	k := newKeyed(t, "")
	before := k.load()
	change := k.write(before.RenewAdmin())
	after := k.load()
	if change.Secret == before.AdminToken || after.AdminToken != change.Secret || after.Sites[0].SecretKey != before.Sites[0].SecretKey || strings.Contains(k.files(), before.AdminToken) {
		t.Errorf("%q, then %q", before.AdminToken, after.AdminToken)
	}
}

// What is in the configuration stays, and the answer names the file that has it.
func TestConfiguredKeys(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token-of-a-file-000000000"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKeyed(t, fmt.Sprintf("admin_token = \"admin-of-the-configuration\"\n[[site]]\nname = \"shop\"\nsecret_key = \"secret-of-the-configuration\"\ntoken_auth_file = %q\n[site.matomo]\ntracking_token = \"tracking-of-the-configuration\"\n", token))
	cfg := k.load()
	for id, file := range map[string]string{"secret_key": k.file, "token_auth": token, "tracking_token": k.file} {
		_, rotated := cfg.RotateKey("shop", id, 0, k.now)
		_, removed := cfg.RemoveKey("shop", id)
		for _, err := range []error{rotated, removed} {
			var fault *KeyError
			if !errors.As(err, &fault) || fault.Fault != KeyFixed || !strings.Contains(err.Error(), file) {
				t.Errorf("%s: %v; want one that names %s", id, err, file)
			}
		}
	}
	if _, err := cfg.RenewAdmin(); err == nil || !strings.Contains(err.Error(), k.file) {
		t.Error(err)
	}
	// A second key of the same kind is no business of the file.
	change := k.write(cfg.AddKey("shop", NewKey{Name: "b", Kind: "secret_key"}, k.now))
	if got := k.opens(k.load(), change.Secret); got != "secret_key" {
		t.Errorf("%q", got)
	}
	if got := k.opens(k.load(), "secret-of-the-configuration"); got != "secret_key" {
		t.Errorf("%q", got)
	}
}

// What somebody asks for is bounded, and names are text of one line.
func TestSiteKeysRefused(t *testing.T) {
	k := newKeyed(t, "")
	cfg := k.load()
	good := NewKey{Name: "ci", Kind: "read_key"}
	with := func(change func(*NewKey)) NewKey {
		one := good
		change(&one)
		return one
	}
	for name, c := range map[string]struct {
		site  string
		k     NewKey
		fault KeyFault
		field string
	}{
		"no site":        {"none", good, KeyUnknown, ""},
		"hostile site":   {"../../x", good, KeyUnknown, ""},
		"no name":        {"default", with(func(k *NewKey) { k.Name = "" }), KeyInvalid, "name"},
		"a long name":    {"default", with(func(k *NewKey) { k.Name = strings.Repeat("ü", keyNameMost+1) }), KeyInvalid, "name"},
		"a line break":   {"default", with(func(k *NewKey) { k.Name = "a\nb" }), KeyInvalid, "name"},
		"an escape":      {"default", with(func(k *NewKey) { k.Name = "a\x1b[2Jb" }), KeyInvalid, "name"},
		"right to left":  {"default", with(func(k *NewKey) { k.Name = "a\u202eb" }), KeyInvalid, "name"},
		"spaces around":  {"default", with(func(k *NewKey) { k.Name = " a" }), KeyInvalid, "name"},
		"not UTF-8":      {"default", with(func(k *NewKey) { k.Name = "a\xff" }), KeyInvalid, "name"},
		"no kind":        {"default", with(func(k *NewKey) { k.Kind = "" }), KeyInvalid, "kind"},
		"another kind":   {"default", with(func(k *NewKey) { k.Kind = "admin_token" }), KeyInvalid, "kind"},
		"in the past":    {"default", with(func(k *NewKey) { k.Ends = time.Unix(1, 0) }), KeyInvalid, "ends"},
		"in 1,000 years": {"default", with(func(k *NewKey) { k.Ends = time.Date(3026, 1, 1, 0, 0, 0, 0, time.UTC) }), KeyInvalid, "ends"},
	} {
		var fault *KeyError
		if _, err := cfg.AddKey(c.site, c.k, k.now); !errors.As(err, &fault) || fault.Fault != c.fault || fault.Field != c.field {
			t.Errorf("%s: %v; want the fault %v of %q", name, err, c.fault, c.field)
		}
	}
	for _, name := range []string{`quotes " and \ and [[key]]`, strings.Repeat("ü", keyNameMost), "名前 # x", `"""`} {
		change := k.write(k.load().AddKey("default", NewKey{Name: name, Kind: "read_key"}, k.now))
		list, _ := k.load().Keys("default")
		if !slices.ContainsFunc(list, func(i KeyInfo) bool { return i.ID == change.Key.ID && i.Name == name }) {
			t.Errorf("%q is not in %+v", name, list)
		}
	}
	for _, grace := range []time.Duration{-1, graceMost + 1} {
		var fault *KeyError
		if _, err := cfg.RotateKey("default", "read_key", grace, k.now); !errors.As(err, &fault) || fault.Field != "grace" {
			t.Errorf("grace %v: %v", grace, err)
		}
	}
	for _, id := range []string{"", "none", "k0123456789", "tracking_token", "../x"} {
		var fault *KeyError
		if _, err := cfg.RemoveKey("default", id); !errors.As(err, &fault) || fault.Fault != KeyUnknown {
			t.Errorf("%q: %v", id, err)
		}
	}
	cfg = k.load()
	for {
		change, err := cfg.AddKey("default", good, k.now)
		if err != nil {
			var fault *KeyError
			if n := len(cfg.made.Keys); !errors.As(err, &fault) || fault.Fault != KeyFixed || n != keysMost {
				t.Errorf("%v after %d keys", err, n)
			}
			break
		}
		cfg = change.Next
	}
}

// A change does not touch the configuration that it comes from: requests use that meanwhile.
func TestKeyChangeIsACopy(t *testing.T) {
	k := newKeyed(t, "")
	cfg := k.write(k.load().AddKey("default", NewKey{Name: "a", Kind: "read_key"}, k.now)).Next
	before, secret := fmt.Sprint(cfg.made.Keys, cfg.Sites[0].keys), cfg.Sites[0].SecretKey
	for _, do := range []func() (*KeyChange, error){
		func() (*KeyChange, error) { return cfg.AddKey("default", NewKey{Name: "b", Kind: "read_key"}, k.now) },
		func() (*KeyChange, error) { return cfg.RotateKey("default", cfg.made.Keys[0].ID, 0, k.now) },
		func() (*KeyChange, error) { return cfg.RotateKey("default", "secret_key", 0, k.now) },
		func() (*KeyChange, error) {
			name, ends := "c", k.now.Add(time.Hour)
			return cfg.SetKey("default", cfg.made.Keys[0].ID, KeySettings{&name, &ends}, k.now)
		},
		func() (*KeyChange, error) { return cfg.RemoveKey("default", cfg.made.Keys[0].ID) },
	} {
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprint(cfg.made.Keys, cfg.Sites[0].keys); after != before || cfg.Sites[0].SecretKey != secret {
			t.Errorf("%s, before %s", after, before)
		}
	}
}

// The name and the end of a key can be changed, but a key that has ended stays so.
func TestSetKey(t *testing.T) {
	k := newKeyed(t, "")
	cfg := k.write(k.load().AddKey("default", NewKey{Name: "a", Kind: "read_key"}, k.now)).Next
	id, name, ends, never := cfg.made.Keys[0].ID, "b", k.now.Add(time.Hour), time.Time{}
	cfg = k.write(cfg.SetKey("default", id, KeySettings{Name: &name}, k.now)).Next
	if got := cfg.Sites[0].keys[0]; got.Name != "b" || !got.Ends.IsZero() {
		t.Errorf("%+v", got)
	}
	cfg = k.write(cfg.SetKey("default", id, KeySettings{Ends: &ends}, k.now)).Next
	if got := cfg.Sites[0].keys[0]; got.Name != "b" || !got.Ends.Equal(ends.UTC().Truncate(time.Second)) {
		t.Errorf("%+v", got)
	}
	bad, past, far := "a\nb", k.now, k.now.AddDate(101, 0, 0)
	for want, c := range map[string]struct {
		id  string
		set KeySettings
		now time.Time
	}{
		"no such key":           {"k0000000000", KeySettings{Name: &name}, k.now},
		"rotate it":             {"read_key", KeySettings{Name: &name}, k.now},
		"line breaks":           {id, KeySettings{Name: &bad}, k.now},
		"must be in the future": {id, KeySettings{Ends: &past}, k.now},
		"a hundred years":       {id, KeySettings{Ends: &far}, k.now},
		"has ended":             {id, KeySettings{Ends: &never}, ends},
	} {
		if _, err := cfg.SetKey("default", c.id, c.set, c.now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	cfg = k.write(cfg.SetKey("default", id, KeySettings{Ends: &never}, k.now)).Next
	if got := k.load().Sites[0].keys[0]; got.Name != "b" || !got.Ends.IsZero() || !cfg.Sites[0].keys[0].Ends.IsZero() {
		t.Errorf("%+v", got)
	}
}

// FuzzSites reads any sites.toml: it is refused, or what it says is written and read as the same.
func FuzzSites(f *testing.F) {
	f.Add("[[key]]\nsite = \"shop\"\nid = \"k0123456789\"\nname = \"ci\"\nkind = \"read_key\"\nsha256 = \"" + sumOf("x") + "\"\ncreated = 2026-11-30T12:00:00Z\nends = 2026-12-30T12:00:00Z\n")
	f.Add("[[site]]\nname = \"shop\"\n\n[[removed]]\nname = \"blog\"\nid = 2\n")
	f.Add("[[key]]\nname = \"a\\u001b\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), SitesName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		made, err := ReadSites(path)
		if err != nil && !errors.As(err, new(*SitesError)) {
			return
		}
		if err := writeSites(path, &made); err != nil {
			t.Fatal(err)
		}
		again, err := ReadSites(path)
		if err != nil || fmt.Sprintf("%+v", again.Keys) != fmt.Sprintf("%+v", made.Keys) || len(again.Sites) != len(made.Sites) {
			t.Errorf("%v: %+v, want %+v", err, again.Keys, made.Keys)
		}
	})
}

// The checksum is the last line, whatever stands before it: names of keys are free text.
func TestKeyNamedLikeTheChecksum(t *testing.T) {
	k := newKeyed(t, "")
	cfg := k.load()
	change := k.write(cfg.AddKey("default", NewKey{Name: "# sha256 of what", Kind: "read_key"}, k.now))
	if again := k.load(); k.opens(again, change.Secret) == "" {
		t.Error("the key is gone after a restart")
	}
}
