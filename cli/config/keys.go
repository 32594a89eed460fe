package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// This file generates the keys that the configuration leaves out and keeps them in
// DATA_DIR/keys.toml (mode 0600). A key in the configuration wins over one in that file.

// KeysName is the file of the generated keys below the data directory.
const KeysName = "keys.toml"

// GeneratedKeys is the content of keys.toml: the keys that cairn generated itself, and
// the id of each site that has an entry.
type GeneratedKeys struct {
	AdminToken string     `toml:"admin_token"`
	Sites      []SiteKeys `toml:"site"`
}

// MakeDataDir makes the data directory with mode 0700. A directory that exists gets this
// mode too; the caller has checked that it is cairn's.
func MakeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// randomHex is n random bytes in lower-case hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the process rather than return weak bytes
	return hex.EncodeToString(b)
}

// randomKey is 32 letters and digits with over 160 random bits. It looks like a write
// key of Segment's.
func randomKey() string {
	return rand.Text() + strings.ToLower(rand.Text()[:6])
}

// randomUUID is a version 4 UUID.
func randomUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// KeyShape is one kind of credential.
type KeyShape struct {
	Name  string                  // its key in the configuration and in keys.toml
	Of    func(*SiteKeys) *string // where a site has it
	fresh func() string
	About string // who takes it, for the operator
}

// KeyShapes are the credentials of a site. Each has the form that its dialect uses.
var KeyShapes = []KeyShape{
	{"secret_key", func(k *SiteKeys) *string { return &k.SecretKey }, func() string { return "sk_" + randomHex(24) }, "native API and Oppizi; reads and writes"},
	{"read_key", func(k *SiteKeys) *string { return &k.ReadKey }, func() string { return "rk_" + randomHex(24) }, "only reads"},
	{"write_key", func(k *SiteKeys) *string { return &k.WriteKey }, randomKey, "Segment; only writes, may be public"},
	{"client_id", func(k *SiteKeys) *string { return &k.ClientID }, randomUUID, "OpenPanel; may be public"},
	{"client_secret", func(k *SiteKeys) *string { return &k.ClientSecret }, func() string { return "sec_" + randomHex(20) }, "OpenPanel; reads and writes"},
	{"token_auth", func(k *SiteKeys) *string { return &k.TokenAuth }, func() string { return randomHex(16) }, "Matomo; sends on behalf of visitors, imports logs"},
}

// FillKeys fills in the admin token of cfg, and the id and credentials of every site. It
// takes each from the configuration, else from keys.toml, else it generates a new one.
// New ones are on disk when it returns, and made is then true. With create unset it
// generates nothing, and a missing key is an error.
func FillKeys(cfg *Config, create bool) (made bool, err error) {
	path := filepath.Join(cfg.DataDir, KeysName)
	kept, err := ReadKeys(path)
	if err != nil {
		return false, err
	}
	if cfg.AdminToken == "" {
		if kept.AdminToken == "" {
			kept.AdminToken, made = "adm_"+randomHex(24), true
		}
		cfg.AdminToken = kept.AdminToken
	}
	for i := range cfg.Sites {
		if kept.fill(&cfg.Sites[i].SiteKeys, usedIDs(cfg, &kept)) {
			made = true
		}
	}
	if !made {
		return false, nil
	}
	if !create {
		return false, fmt.Errorf("%s has no keys yet; start the server once to generate them", cfg.DataDir)
	}
	// A refused configuration must leave no files behind.
	if _, err := BuildSites(cfg.Sites); err != nil {
		return false, err
	}
	if err := MakeDataDir(cfg.DataDir); err != nil {
		return false, err
	}
	return true, writeKeys(path, &kept)
}

// usedIDs are the site ids that are taken. They include the ids of sites that are no
// longer configured, because their events are still in the store.
func usedIDs(cfg *Config, kept *GeneratedKeys) map[uint32]bool {
	used := map[uint32]bool{}
	for _, s := range cfg.Sites {
		used[s.ID] = true
	}
	for _, k := range kept.Sites {
		used[k.ID] = true
	}
	return used
}

// fill completes one site's keys from g. What g lacks too is generated.
func (g *GeneratedKeys) fill(s *SiteKeys, used map[uint32]bool) (made bool) {
	at := -1
	for i := range g.Sites {
		if g.Sites[i].Name == s.Name {
			at = i
		}
	}
	if at < 0 {
		g.Sites = append(g.Sites, SiteKeys{Name: s.Name, ID: s.ID})
		at = len(g.Sites) - 1
	}
	k := &g.Sites[at]
	if s.ID == 0 {
		for id := uint32(1); k.ID == 0; id++ {
			if !used[id] {
				k.ID, made = id, true
			}
		}
		s.ID = k.ID
	}
	for _, shape := range KeyShapes {
		to, from := shape.Of(s), shape.Of(k)
		if *to != "" {
			continue
		}
		if *from == "" {
			*from, made = shape.fresh(), true
		}
		*to = *from
	}
	return made
}

// ReadKeys reads the keys.toml at path. Without such a file it returns no keys and no error.
func ReadKeys(path string) (k GeneratedKeys, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		_, err = toml.Decode(string(text), &k)
	}
	if err != nil {
		return k, fmt.Errorf("read the keys in %s: %w", path, err)
	}
	return k, nil
}

// writeKeys replaces keys.toml. After a crash there is either the old file or the new one.
func writeKeys(path string, k *GeneratedKeys) error {
	var b strings.Builder
	b.WriteString("# Keys that cairn made because the configuration leaves them out.\n# Whoever reads this file can read and write your events.\n\n")
	if k.AdminToken != "" {
		fmt.Fprintf(&b, "admin_token = %q\n", k.AdminToken)
	}
	for i := range k.Sites {
		s := &k.Sites[i]
		fmt.Fprintf(&b, "\n[[site]]\nname = %q\nid = %d\n", s.Name, s.ID)
		for _, shape := range KeyShapes {
			if v := *shape.Of(s); v != "" {
				fmt.Fprintf(&b, "%s = %q\n", shape.Name, v)
			}
		}
	}
	if err := writeFileSync(path, []byte(b.String())); err != nil {
		return fmt.Errorf("write the keys: %w", err)
	}
	return nil
}

// writeFileSync writes a file of mode 0600 atomically and durably.
func writeFileSync(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
