package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// This file makes the keys that the configuration leaves out, keeps them in
// DATA_DIR/keys.toml (mode 0600), and shows them to the operator: once when they
// are made, and again with "cairn keys". The configuration wins over the file.

// keysName is the file of the generated keys below the data directory.
const keysName = "keys.toml"

// generatedKeys is what keys.toml holds: only what cairn made itself, and the
// id of each site that has an entry.
type generatedKeys struct {
	AdminToken string     `toml:"admin_token"`
	Sites      []siteKeys `toml:"site"`
}

// randomHex is n random bytes in lower-case hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the process rather than return weak bytes
	return hex.EncodeToString(b)
}

// randomKey is 32 letters and digits, over 160 random bits, as Segment's write
// keys are.
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

// keyShapes are the credentials of a site, each as its dialect writes it.
var keyShapes = []struct {
	name  string
	of    func(*siteKeys) *string
	fresh func() string
	about string
}{
	{"secret_key", func(k *siteKeys) *string { return &k.SecretKey }, func() string { return "sk_" + randomHex(24) }, "native API and Oppizi: reads and writes"},
	{"read_key", func(k *siteKeys) *string { return &k.ReadKey }, func() string { return "rk_" + randomHex(24) }, "reads only"},
	{"write_key", func(k *siteKeys) *string { return &k.WriteKey }, randomKey, "Segment; public, writes only"},
	{"client_id", func(k *siteKeys) *string { return &k.ClientID }, randomUUID, "OpenPanel"},
	{"client_secret", func(k *siteKeys) *string { return &k.ClientSecret }, func() string { return "sec_" + randomHex(20) }, "OpenPanel"},
	{"token_auth", func(k *siteKeys) *string { return &k.TokenAuth }, func() string { return randomHex(16) }, "Matomo"},
}

// fillKeys gives every site of cfg its id and credentials and cfg its admin
// token: from the configuration, else from keys.toml, else new ones, which are
// on disk when it returns. made says that there are new ones; with create unset
// nothing is made, and what is missing is an error.
func fillKeys(cfg *config, create bool) (made bool, err error) {
	path := filepath.Join(cfg.DataDir, keysName)
	kept, err := readKeys(path)
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
		if kept.fill(&cfg.Sites[i].siteKeys, usedIDs(cfg, &kept)) {
			made = true
		}
	}
	if !made {
		return false, nil
	}
	if !create {
		return false, fmt.Errorf("%s has no keys yet: start the server once", cfg.DataDir)
	}
	// A configuration that is refused leaves nothing behind.
	if _, err := buildSites(cfg.Sites); err != nil {
		return false, err
	}
	if err := makeDataDir(cfg.DataDir); err != nil {
		return false, err
	}
	return true, writeKeys(path, &kept)
}

// usedIDs are the site ids that are taken, also those of sites that were
// configured once: their events are still in the store.
func usedIDs(cfg *config, kept *generatedKeys) map[uint32]bool {
	used := map[uint32]bool{}
	for _, s := range cfg.Sites {
		used[s.ID] = true
	}
	for _, k := range kept.Sites {
		used[k.ID] = true
	}
	return used
}

// fill completes one site's keys from g and makes what g does not have either.
func (g *generatedKeys) fill(s *siteKeys, used map[uint32]bool) (made bool) {
	at := -1
	for i := range g.Sites {
		if g.Sites[i].Name == s.Name {
			at = i
		}
	}
	if at < 0 {
		g.Sites = append(g.Sites, siteKeys{Name: s.Name, ID: s.ID})
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
	for _, shape := range keyShapes {
		to, from := shape.of(s), shape.of(k)
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

// readKeys reads keys.toml; there being none is no error.
func readKeys(path string) (k generatedKeys, err error) {
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

// writeKeys replaces keys.toml so that a crash leaves the old or the new one.
func writeKeys(path string, k *generatedKeys) error {
	var b strings.Builder
	b.WriteString("# Keys that cairn made because the configuration leaves them out.\n# Whoever reads this file can read and write your events.\n\n")
	if k.AdminToken != "" {
		fmt.Fprintf(&b, "admin_token = %q\n", k.AdminToken)
	}
	for i := range k.Sites {
		s := &k.Sites[i]
		fmt.Fprintf(&b, "\n[[site]]\nname = %q\nid = %d\n", s.Name, s.ID)
		for _, shape := range keyShapes {
			if v := *shape.of(s); v != "" {
				fmt.Fprintf(&b, "%s = %q\n", shape.name, v)
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

// curlLines are one line to try per dialect that is built in. base is the
// server's address without a slash at its end.
var curlLines = []struct {
	dialect string
	line    func(base string, k *siteKeys) string
}{
	{"native", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS %s/api/v1/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"name":"signup","user":"ada","properties":{"plan":"pro"}}'`, base, k.SecretKey)
	}},
	{"oppizi", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS %s/tracking/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"eventName":"Purchase","value":250,"metadata":{"orderId":182394}}'`, base, k.SecretKey)
	}},
	{"opentracker", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS '%s/?si=%s&ti=Hello&gender=male&json'`, base, k.Name)
	}},
	{"segment", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS %s/v1/track -u '%s:' -H 'Content-Type: application/json' -d '{"event":"Order Completed","userId":"ada","properties":{"revenue":49.9}}'`, base, k.WriteKey)
	}},
	{"openpanel", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS %s/track -H 'openpanel-client-id: %s' -H 'openpanel-client-secret: %s' -H 'Content-Type: application/json' -d '{"type":"track","payload":{"name":"my_event","profileId":"ada","properties":{"foo":"bar"}}}'`, base, k.ClientID, k.ClientSecret)
	}},
	{"matomo", func(base string, k *siteKeys) string {
		return fmt.Sprintf(`curl -sS %s/matomo.php -d '{"requests":["?idsite=%d&rec=1&url=https://shop.example/&action_name=Hello"]}'`, base, k.ID)
	}},
}

// showKeys prints the keys of every site and the lines to try them.
func showKeys(w io.Writer, cfg *config, base string) {
	fmt.Fprintf(w, "admin_token    %s   (every site, snapshots)\n", cfg.AdminToken)
	for i := range cfg.Sites {
		k := &cfg.Sites[i].siteKeys
		fmt.Fprintf(w, "\nsite %q, id %d\n", k.Name, k.ID)
		for _, shape := range keyShapes {
			fmt.Fprintf(w, "  %-14s %s   (%s)\n", shape.name, *shape.of(k), shape.about)
		}
		fmt.Fprintln(w, "\n  Send an event:")
		for _, c := range curlLines {
			fmt.Fprintf(w, "  # %s\n  %s\n", c.dialect, c.line(base, k))
		}
		fmt.Fprintf(w, "\n  See what came in:\n  curl -sS '%s/api/v1/events?limit=10' -H 'Authorization: Bearer %s'\n", base, k.ReadKey)
	}
}

// printKeys is "cairn keys".
func printKeys(args []string, stdout, stderr io.Writer) int {
	f := newFlags("keys", "[flags]", "Print the keys of every site, those of the configuration and those cairn made,\nwith a line to try each dialect.")
	var cf configFlags
	cf.register(f)
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	cfg, _, err := loadConfig(cf, os.Environ())
	if err == nil {
		_, err = fillKeys(&cfg, false)
	}
	if err == nil {
		_, err = buildSites(cfg.Sites)
	}
	if err != nil {
		return fail(stderr, "keys", err)
	}
	showKeys(stdout, &cfg, cfg.baseURL(cfg.Listen))
	return exitOK
}
