package config

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	SitesFile  bool       `toml:"sites_file"` // there is a sites.toml beside it
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

// freshAdmin is an admin token.
func freshAdmin() string { return "adm_" + randomHex(24) }

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

// Known is what a store knows of its sites, whatever keys.toml says. The zero Known is that of
// a new store.
type Known struct {
	IDs    map[string]uint32 // by name
	Used   []uint32          // ids that have events
	Signed bool              // keys.toml has had a checksum since
	Events uint64            // how many events the store has
}

// Filled is what FillKeys has found and made.
type Filled struct {
	Made     bool     // keys or ids are new
	Warnings []string // ids in the configuration that are not the ones kept, one sentence each

	kept    GeneratedKeys
	path    string
	write   bool // what keys.toml has is not kept
	dropped bool // keys.toml has keys of sites that were removed
}

// KeysError says that keys.toml is missing or not what cairn wrote, so that keys would change
// or belong to other events.
type KeysError struct{ Path, What string }

func (e *KeysError) Error() string {
	return fmt.Sprintf("%s %s. Nothing was changed, and no event is lost. Copy the file from the newest snapshot or from a backup. "+
		"Or accept it as it is with \"cairn keys -accept\", with the same -config and -data as the server; keys that are missing are then made anew, and clients have to get them", e.Path, e.What)
}

// FillKeys fills in the admin token of cfg, and the id and credentials of every site. It takes
// each from the configuration, else from keys.toml. It takes an id that neither has from the
// store. What nobody has is generated. FillKeys writes nothing: Filled.Write does.
//
// The error is a *KeysError when keys.toml cannot be trusted: it was edited, cut or removed. With
// accept set it is trusted as long as it can be read.
func FillKeys(cfg *Config, known Known, accept bool) (*Filled, error) {
	f := &Filled{path: filepath.Join(cfg.DataDir, KeysName)}
	file, err := readKeysFile(f.path)
	if err != nil && !(accept && errors.As(err, new(*KeysError))) {
		return nil, err
	}
	f.kept = file.GeneratedKeys
	f.write = !file.signed
	if !accept {
		if err := f.trust(cfg, &file, known); err != nil {
			return nil, err
		}
	}
	if f.kept.SitesFile && !cfg.made.found && !accept {
		return nil, &SitesError{filepath.Join(cfg.DataDir, SitesName), "is missing"}
	}
	if f.kept.SitesFile != cfg.made.found {
		f.kept.SitesFile, f.write = cfg.made.found, true
	}
	f.dropRemoved(cfg)
	f.Warnings = otherIDs(cfg, &f.kept, known)
	all := known
	if gone := cfg.removedNames(); len(gone) > 0 {
		known.IDs = maps.Clone(known.IDs)
		for _, name := range gone {
			delete(known.IDs, name)
		}
	}
	if cfg.AdminToken == "" {
		if f.kept.AdminToken == "" {
			f.kept.AdminToken, f.Made = freshAdmin(), true
		}
		cfg.AdminToken, cfg.adminGenerated = f.kept.AdminToken, true
	}
	used := usedIDs(cfg, &f.kept, all)
	for i := range cfg.Sites {
		cfg.Sites[i].noteGenerated()
		if f.kept.fill(&cfg.Sites[i].SiteKeys, known.IDs, used) {
			f.Made = true
		}
	}
	if f.Made && !accept && !file.exists && known.Events > 0 && (known.Signed || len(known.IDs) == 0) {
		what := "is missing"
		if file.found {
			what = "has no keys: it was emptied or cut"
		}
		return nil, &KeysError{f.path, fmt.Sprintf("%s, and the configuration does not have all keys of this store of %d events", what, known.Events)}
	}
	f.write = f.write && (f.Made || file.exists) || f.Made
	// A refused configuration must leave no files behind.
	if f.write {
		if _, err := BuildSites(cfg.Sites); err != nil {
			return nil, cfg.Refused(err)
		}
	}
	return f, nil
}

// trust compares keys.toml with what the store knows.
func (f *Filled) trust(cfg *Config, file *keysFile, known Known) error {
	if file.exists && !file.signed && known.Signed {
		return &KeysError{f.path, "has lost the checksum in its last line"}
	}
	for i := range cfg.Sites {
		s := &cfg.Sites[i]
		if s.ID != 0 {
			continue // the operator says so
		}
		for _, k := range file.Sites {
			if id, has := known.IDs[s.Name]; k.Name == s.Name && k.ID != 0 && has && id != k.ID {
				return &KeysError{f.path, fmt.Sprintf("gives the id %d to the site %q, whose events have the id %d", k.ID, s.Name, id)}
			}
		}
	}
	return nil
}

// dropRemoved drops the keys of sites that were removed at run time: a site of the same name gets
// other keys.
func (f *Filled) dropRemoved(cfg *Config) {
	n := len(f.kept.Sites)
	f.kept.Sites = slices.DeleteFunc(f.kept.Sites, func(k SiteKeys) bool {
		return siteOf(cfg.Sites, k.Name) == nil && slices.ContainsFunc(cfg.made.Removed, func(r RemovedSite) bool { return r.Name == k.Name })
	})
	f.dropped = len(f.kept.Sites) < n
	f.write = f.write || f.dropped
}

// otherIDs says for each site whose id the configuration sets, and whose name has had another id
// in the store or else in keys.toml, which events it shows now.
func otherIDs(cfg *Config, kept *GeneratedKeys, known Known) (warnings []string) {
	had := make(map[string]uint32)
	for _, k := range kept.Sites {
		had[k.Name] = k.ID
	}
	maps.Copy(had, known.IDs)
	for i := range cfg.Sites {
		s := &cfg.Sites[i]
		before := had[s.Name]
		if s.ID == 0 || before == 0 || before == s.ID || s.made {
			continue
		}
		of := ""
		for name, id := range had {
			if id == s.ID && name != s.Name {
				of = fmt.Sprintf(", which were those of the site %q", name)
			}
		}
		warnings = append(warnings, fmt.Sprintf("site %q: the configuration sets the id %d, but the store has kept the id %d for this name. The site now shows the events of id %d%s; the events of id %d are hidden until a site has this id. Set id = %d to show them again",
			s.Name, s.ID, before, s.ID, of, before, before))
	}
	return warnings
}

// Signed reports whether keys.toml has a checksum once Write has returned.
func (f *Filled) Signed() bool { return f.write || f.kept.AdminToken != "" || len(f.kept.Sites) > 0 }

// Write writes keys.toml, if it is not yet as FillKeys has it. The caller holds the lock of the
// data directory, and has held it when it called FillKeys.
func (f *Filled) Write() error {
	if !f.write {
		return nil
	}
	return writeKeys(f.path, &f.kept)
}

// WriteBeside is Write for a change of sites.toml, which sites writes. A site that is on the disk has
// its keys there at any moment: those of a new one are written before it, and those of a removed one
// stay until it is gone.
func (f *Filled) WriteBeside(sites func() error) error {
	if !f.dropped {
		if err := f.Write(); err != nil {
			return err
		}
		return sites()
	}
	if err := sites(); err != nil {
		return err
	}
	if err := f.Write(); err != nil && f.Made { // else the next FillKeys drops them
		return err
	}
	return nil
}

// ShowKeys fills in the keys as FillKeys does, for commands that only read. A key that is
// missing is an error.
func ShowKeys(cfg *Config) error {
	f, err := FillKeys(cfg, Known{}, false)
	if err == nil && f.Made {
		err = fmt.Errorf("%s has no keys yet; start the server once to generate them", cfg.DataDir)
	}
	return err
}

// usedIDs are the site ids that are taken. They include the ids of sites that are no
// longer configured, because their events are still in the store.
func usedIDs(cfg *Config, kept *GeneratedKeys, known Known) map[uint32]bool {
	used := map[uint32]bool{}
	for _, id := range known.IDs {
		used[id] = true
	}
	for _, id := range known.Used {
		used[id] = true
	}
	for _, s := range cfg.Sites {
		used[s.ID] = true
	}
	for _, k := range kept.Sites {
		used[k.ID] = true
	}
	for _, r := range cfg.made.Removed {
		used[r.ID] = true
	}
	return used
}

// fill completes one site's keys from g, and its id from known. What they lack is generated. A new id
// is one that is not in used, to which it is added.
func (g *GeneratedKeys) fill(s *SiteKeys, known map[string]uint32, used map[uint32]bool) (made bool) {
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
		if id := known[s.Name]; k.ID == 0 && id != 0 {
			k.ID, made = id, true
		}
		for id := uint32(1); k.ID == 0; id++ {
			if !used[id] {
				k.ID, made = id, true
			}
		}
		s.ID = k.ID
		used[s.ID] = true
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

// keysFile is a keys.toml.
type keysFile struct {
	GeneratedKeys
	found  bool // there is such a file
	exists bool // it has a key or a site
	signed bool // it ends with its checksum
}

// keysSum begins the last line of keys.toml. The SHA-256 of all lines before it follows.
const keysSum = "# sha256 "

// ReadKeys reads the keys.toml at path. Without such a file it returns no keys and no error.
// The error is a *KeysError when the file is not what cairn wrote.
func ReadKeys(path string) (GeneratedKeys, error) {
	f, err := readKeysFile(path)
	return f.GeneratedKeys, err
}

// readKeysFile reads a keys.toml. With a *KeysError it returns what the file says all the same.
func readKeysFile(path string) (f keysFile, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	f.found = true
	if err == nil {
		_, err = toml.Decode(string(text), &f.GeneratedKeys)
	}
	if err != nil {
		return f, fmt.Errorf("read the keys in %s: %w. Nothing was changed, and no event is lost. Copy the file from the newest snapshot or from a backup, or mend it and run \"cairn keys -accept\"", path, err)
	}
	f.exists = f.AdminToken != "" || len(f.Sites) > 0
	found, right := checksum(string(text))
	if !found {
		return f, nil
	}
	if !right {
		return f, &KeysError{path, "is not what cairn wrote: it was edited, or it is damaged"}
	}
	f.signed = true
	return f, nil
}

// checksum says whether a text has a checksum, and whether it is the right one. What stands before
// the last line may look like one: names of keys and goals are free text.
func checksum(text string) (found, right bool) {
	at := strings.LastIndex(text, keysSum)
	if at < 0 {
		return false, false
	}
	return true, text[at:] == keysSum+sumOf(text[:at])+"\n"
}

// sumOf is the SHA-256 of a text in hex digits.
func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// writeKeys replaces keys.toml. After a crash there is either the old file or the new one.
func writeKeys(path string, k *GeneratedKeys) error {
	var b strings.Builder
	b.WriteString("# Keys that cairn made because the configuration leaves them out.\n# Whoever reads this file can read and write your events.\n\n")
	if k.AdminToken != "" {
		fmt.Fprintf(&b, "admin_token = %q\n", k.AdminToken)
	}
	if k.SitesFile {
		b.WriteString("sites_file = true\n")
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
	b.WriteString("\n# The last line is a checksum of this file. After an edit, run \"cairn keys -accept\".\n")
	b.WriteString(keysSum + sumOf(b.String()) + "\n")
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
