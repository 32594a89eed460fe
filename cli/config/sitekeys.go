package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cairn/http/auth"
)

// This file knows the keys of a site beside those of the configuration and of keys.toml: they are
// made at run time, shown once, and kept as SHA-256 in sites.toml. It adds, rotates and removes
// keys. Each change is a KeyChange, which has what the files are to say and writes them.

// keysMost is how many keys made at run time a site may have, those that have ended included.
const keysMost = 100

// keyNameMost is how many characters the name of a key may have.
const keyNameMost = 64

// graceMost is how long a key may live on after its rotation.
const graceMost = 366 * 24 * time.Hour

// endsMost is how far in the future a key may end.
const endsMost = 100 * 366 * 24 * time.Hour

// MadeKey is one [[key]] of sites.toml. It belongs to a site of sites.toml or of the configuration.
type MadeKey struct {
	Site    string    `toml:"site"`
	ID      string    `toml:"id"`
	Name    string    `toml:"name"`
	Kind    string    `toml:"kind"`
	SHA256  string    `toml:"sha256"` // hex digits
	Created time.Time `toml:"created"`
	Ends    time.Time `toml:"ends"` // zero = never
}

// madeKeyID matches the ids of keys made at run time. No kind looks like that.
var madeKeyID = regexp.MustCompile(`^k[0-9a-f]{10}$`)

// KeyInfo is a key of a site as an operator sees it. It does not have the key itself.
type KeyInfo struct {
	ID      string // the kind, for a key of the configuration or of keys.toml
	Name    string
	Kind    string
	Source  string // the name of the file that has it
	SHA256  [32]byte
	Created time.Time // zero = not known
	Ends    time.Time // zero = never
}

// KeyFault says why a change of keys is refused.
type KeyFault int

// The faults.
const (
	KeyUnknown KeyFault = iota // there is no such site or key
	KeyInvalid                 // a wrong value
	KeyFixed                   // it cannot be changed here
)

// KeyError is the refusal of a change of keys. It never has a key.
type KeyError struct {
	Fault KeyFault
	Field string // with KeyInvalid
	What  string
}

func (e *KeyError) Error() string { return e.What }

func keyFault(fault KeyFault, format string, args ...any) error {
	return &KeyError{Fault: fault, What: fmt.Sprintf(format, args...)}
}

func badKey(field, what string) error {
	return &KeyError{KeyInvalid, field, field + ": " + what}
}

// kindOf finds the shape of a kind. Matomo's tracking token is optional, so it is made when
// somebody asks for it alone.
func kindOf(kind string) (KeyShape, bool) {
	for _, shape := range KeyShapes {
		if shape.Name == kind {
			return shape, true
		}
	}
	return trackingShape, kind == trackingShape.Name
}

var trackingShape = KeyShape{string(auth.TrackingToken), nil, func() string { return randomHex(16) }, "Matomo; sends on behalf of visitors, cannot read"}

// Kinds are the kinds of keys, for an operator.
func Kinds() (names []string) {
	for _, shape := range KeyShapes {
		names = append(names, shape.Name)
	}
	return append(names, trackingShape.Name)
}

// digest is the SHA-256 of the key.
func (k *MadeKey) digest() (d [32]byte, ok bool) {
	raw, err := hex.DecodeString(k.SHA256)
	if err != nil || len(raw) != len(d) {
		return d, false
	}
	return [32]byte(raw), true
}

// check refuses a [[key]] that cairn did not write.
func (k *MadeKey) check() error {
	_, kind := kindOf(k.Kind)
	_, digest := k.digest()
	switch {
	case !siteName.MatchString(k.Site):
		return fmt.Errorf("site = %q is no name of a site", k.Site)
	case !madeKeyID.MatchString(k.ID):
		return fmt.Errorf("id = %q is no id of a key", k.ID)
	case checkKeyName(k.Name) != nil:
		return fmt.Errorf("name = %q is no name of a key", k.Name)
	case !kind:
		return fmt.Errorf("kind = %q: must be one of %s", k.Kind, strings.Join(Kinds(), ", "))
	case !digest:
		return errors.New("sha256 must be 64 hexadecimal digits")
	}
	return nil
}

// checkKeyName refuses names that would look like something else in a list or in a log.
func checkKeyName(name string) error {
	switch {
	case name == "":
		return badKey("name", "is missing")
	case !utf8.ValidString(name), utf8.RuneCountInString(name) > keyNameMost:
		return badKey("name", fmt.Sprintf("must be text of at most %d characters", keyNameMost))
	case strings.TrimSpace(name) != name, strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return badKey("name", "must not have line breaks, control characters or spaces around it")
	}
	return nil
}

// checkKeyEnds refuses an end that is no future; zero is never.
func checkKeyEnds(ends, now time.Time) error {
	if !ends.IsZero() && (!ends.Truncate(time.Second).After(now) || ends.Sub(now) > endsMost) {
		return badKey("ends", "must be in the future, and within a hundred years")
	}
	return nil
}

// checkKeys refuses keys that cairn did not write.
func (m *MadeSites) checkKeys() error {
	ids := make(map[string]bool)
	for i := range m.Keys {
		k := &m.Keys[i]
		if err := k.check(); err != nil {
			return fmt.Errorf("[[key]] %d: %w", i+1, err)
		}
		if ids[k.ID] {
			return fmt.Errorf("[[key]] %d: there are two keys with the id %s", i+1, k.ID)
		}
		ids[k.ID] = true
	}
	return nil
}

// dropKeys drops the keys of sites that were removed: a site of the same name gets other keys.
func (c *Config) dropKeys() {
	c.made.Keys = slices.DeleteFunc(slices.Clone(c.made.Keys), func(k MadeKey) bool {
		return siteOf(c.Sites, k.Site) == nil && slices.ContainsFunc(c.made.Removed, func(r RemovedSite) bool { return r.Name == k.Site })
	})
}

// addKeys gives each site its keys made at run time.
func (c *Config) addKeys() {
	for i := range c.Sites {
		s := &c.Sites[i]
		s.keys = nil
		for _, k := range c.made.Keys {
			if k.Site == s.Name {
				s.keys = append(s.keys, k)
			}
		}
	}
}

// more are the keys made at run time as http wants them.
func (s *Site) more() (list []auth.Key) {
	for i := range s.keys {
		k := &s.keys[i]
		digest, ok := k.digest()
		if !ok {
			continue // ReadSites has refused it
		}
		one := auth.Key{ID: k.ID, Name: k.Name, Kind: auth.Kind(k.Kind), SHA256: digest}
		if !k.Ends.IsZero() {
			one.Ends = max(k.Ends.UnixMilli(), 1) // 0 is never
		}
		list = append(list, one)
	}
	return list
}

// Keys lists the keys of a site: those of the configuration and of keys.toml, then those made at
// run time. The caller has filled in the keys.
func (c *Config) Keys(site string) ([]KeyInfo, error) {
	s := siteOf(c.Sites, site)
	if s == nil {
		return nil, keyFault(KeyUnknown, "no such site")
	}
	var list []KeyInfo
	for _, kind := range Kinds() {
		if text := *s.plain(kind); text != "" {
			list = append(list, KeyInfo{ID: kind, Name: kind, Kind: kind, Source: c.sourceOf(s, kind), SHA256: sha256.Sum256([]byte(text))})
		}
	}
	for i := range s.keys {
		k := &s.keys[i]
		// A rotation that was cut: the key has not been replaced yet.
		if text := *s.plain(k.Kind); text != "" && k.SHA256 == sumOf(text) {
			continue
		}
		list = append(list, k.info())
	}
	return list, nil
}

func (k *MadeKey) info() KeyInfo {
	digest, _ := k.digest()
	return KeyInfo{k.ID, k.Name, k.Kind, SitesName, digest, k.Created, k.Ends}
}

// plain is where a site has the key of a kind that is known itself.
func (s *Site) plain(kind string) *string {
	if shape, _ := kindOf(kind); shape.Of != nil {
		return shape.Of(&s.SiteKeys)
	}
	return &s.Matomo.TrackingToken
}

// sourceOf is the name of the file that has the key of a kind.
func (c *Config) sourceOf(s *Site, kind string) string {
	if s.isGenerated(kind) {
		return KeysName
	}
	for _, secret := range s.secrets() {
		if secret.key == kind && secret.file != "" {
			return secret.file
		}
	}
	return c.File()
}

// noteGenerated notes which keys the configuration does not have. Once all are filled in it finds
// nothing new.
func (s *Site) noteGenerated() {
	var none []string
	for _, shape := range KeyShapes {
		if *shape.Of(&s.SiteKeys) == "" {
			none = append(none, shape.Name)
		}
	}
	s.generated = append(s.generated[:len(s.generated):len(s.generated)], none...)
}

// isGenerated reports whether the key of a kind is in keys.toml and not in the configuration.
func (s *Site) isGenerated(kind string) bool { return slices.Contains(s.generated, kind) }

// NewKey is what somebody asks for.
type NewKey struct {
	Name, Kind string
	Ends       time.Time // zero = never
}

// KeyChange is a change of keys before it is written.
type KeyChange struct {
	Key    KeyInfo // the new one, or the one that was removed
	Secret string  // the new key itself; it is shown once
	Old    KeyInfo // of a rotation: the key that ends
	Next   *Config // with the change

	sites bool           // sites.toml changes
	kept  *GeneratedKeys // keys.toml changes to this; nil = it does not
}

// begin begins a change of the keys of a site.
func (c *Config) begin(site string) (*KeyChange, *Site, error) {
	next := *c
	next.Sites = slices.Clone(c.Sites)
	next.made.Sites, next.made.Keys = slices.Clone(c.made.Sites), slices.Clone(c.made.Keys)
	s := siteOf(next.Sites, site)
	if s == nil {
		return nil, nil, keyFault(KeyUnknown, "no such site")
	}
	return &KeyChange{Next: &next}, s, nil
}

// AddKey makes one more key of a site.
func (c *Config) AddKey(site string, k NewKey, now time.Time) (*KeyChange, error) {
	change, s, err := c.begin(site)
	if err != nil {
		return nil, err
	}
	if err := checkKeyName(k.Name); err != nil {
		return nil, err
	}
	shape, ok := kindOf(k.Kind)
	if !ok {
		return nil, badKey("kind", "must be one of "+strings.Join(Kinds(), ", ")+DidYouMean(k.Kind, Kinds()))
	}
	if err := checkKeyEnds(k.Ends, now); err != nil {
		return nil, err
	}
	change.Secret = shape.fresh()
	return change, change.put(s, MadeKey{Name: k.Name, Kind: k.Kind, SHA256: sumOf(change.Secret), Created: now, Ends: k.Ends}, &change.Key)
}

// put adds a key to sites.toml.
func (change *KeyChange) put(s *Site, k MadeKey, info *KeyInfo) error {
	made := &change.Next.made
	n := 0
	for _, other := range made.Keys {
		if other.Site == s.Name {
			n++
		}
	}
	if n >= keysMost {
		return keyFault(KeyFixed, "the site has %d keys that were made at run time, which is as many as it may have; remove some, for example those that have ended", n)
	}
	k.Site, k.ID = s.Name, "k"+randomHex(5)
	k.Created, k.Ends = k.Created.UTC().Truncate(time.Second), k.Ends.UTC().Truncate(time.Second)
	made.Keys = append(made.Keys, k)
	*info = k.info()
	change.sites = true
	change.Next.addKeys()
	return nil
}

// fixed is why a key of the configuration, or the one in keys.toml, cannot be changed.
func (c *Config) fixed(s *Site, kind string) error {
	return keyFault(KeyFixed, "the %s of the site %s is in %s: change it there", kind, s.Name, c.sourceOf(s, kind))
}

// find finds a key by its id: a kind, or the index of one made at run time; else -1.
func (c *Config) findKey(s *Site, id string) (kind string, made int, err error) {
	if shape, ok := kindOf(id); ok && *s.plain(id) != "" {
		return shape.Name, -1, nil
	}
	made = slices.IndexFunc(c.made.Keys, func(k MadeKey) bool { return k.Site == s.Name && k.ID == id })
	if made < 0 {
		return "", -1, keyFault(KeyUnknown, "no such key")
	}
	return "", made, nil
}

// RotateKey makes a key that takes the place of another one, which lives on for grace.
func (c *Config) RotateKey(site, id string, grace time.Duration, now time.Time) (*KeyChange, error) {
	change, s, err := c.begin(site)
	if err != nil {
		return nil, err
	}
	if grace < 0 || grace > graceMost {
		return nil, badKey("grace", `must be from "0s" to "366d"`)
	}
	kind, at, err := c.findKey(s, id)
	ends := now.Add(grace)
	switch {
	case err != nil:
		return nil, err
	case at < 0 && !s.isGenerated(kind):
		return nil, c.fixed(s, kind)
	case at < 0:
		return change, change.rotateGenerated(s, kind, now, ends)
	}
	old := &change.Next.made.Keys[at]
	if !old.Ends.IsZero() && !old.Ends.After(now) {
		return nil, keyFault(KeyFixed, "the key has ended; add another one")
	}
	if old.Ends.IsZero() || old.Ends.After(ends) {
		old.Ends = ends.UTC().Truncate(time.Second)
	}
	change.Old = old.info()
	shape, _ := kindOf(old.Kind)
	change.Secret = shape.fresh()
	return change, change.put(s, MadeKey{Name: old.Name, Kind: old.Kind, SHA256: sumOf(change.Secret), Created: now}, &change.Key)
}

// rotateGenerated puts a new key into keys.toml, and the SHA-256 of the old one into sites.toml.
// sites.toml is written first: as long as keys.toml has the old key, that counts, and the key has
// no end.
func (change *KeyChange) rotateGenerated(s *Site, kind string, now, ends time.Time) error {
	kept, err := change.readKept()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(kept.Sites, func(k SiteKeys) bool { return k.Name == s.Name })
	shape, _ := kindOf(kind)
	to := s.plain(kind)
	if at < 0 || *shape.Of(&kept.Sites[at]) != *to {
		return fmt.Errorf("%s has changed since the server has read it", KeysName)
	}
	sum := sumOf(*to)
	change.Next.made.Keys = slices.DeleteFunc(change.Next.made.Keys, func(k MadeKey) bool { return k.Site == s.Name && k.SHA256 == sum })
	if err := change.put(s, MadeKey{Name: kind, Kind: kind, SHA256: sum, Ends: ends}, &change.Old); err != nil {
		return err
	}
	change.Secret = shape.fresh()
	*to, *shape.Of(&kept.Sites[at]) = change.Secret, change.Secret
	change.Key = KeyInfo{ID: kind, Name: kind, Kind: kind, Source: KeysName, SHA256: sha256.Sum256([]byte(change.Secret))}
	return nil
}

// readKept reads keys.toml, which is going to change.
func (change *KeyChange) readKept() (*GeneratedKeys, error) {
	kept, err := ReadKeys(filepath.Join(change.Next.DataDir, KeysName))
	if err != nil {
		return nil, err
	}
	change.kept = &kept
	return &kept, nil
}

// beginMade begins a change of a key that was made at run time, and returns its place. generated says why
// one in keys.toml cannot be changed so, with its kind and the name of the file.
func (c *Config) beginMade(site, id, generated string) (change *KeyChange, at int, err error) {
	change, s, err := c.begin(site)
	if err != nil {
		return nil, 0, err
	}
	kind, at, err := c.findKey(s, id)
	switch {
	case err != nil:
		return nil, 0, err
	case at < 0 && s.isGenerated(kind):
		return nil, 0, keyFault(KeyFixed, generated, kind, KeysName)
	case at < 0:
		return nil, 0, c.fixed(s, kind)
	}
	return change, at, nil
}

// RemoveKey removes a key that was made at run time.
func (c *Config) RemoveKey(site, id string) (*KeyChange, error) {
	change, at, err := c.beginMade(site, id, "a site always has a %s; rotate it with a grace of 0s, and the one in %s ends at once")
	if err != nil {
		return nil, err
	}
	made := &change.Next.made
	change.Key = made.Keys[at].info()
	made.Keys = slices.Delete(made.Keys, at, at+1)
	change.sites = true
	change.Next.addKeys()
	return change, nil
}

// KeySettings are what of a key can be changed; nil = it stays.
type KeySettings struct {
	Name *string
	Ends *time.Time // zero = never
}

// SetKey changes the name or the end of a key that was made at run time.
func (c *Config) SetKey(site, id string, set KeySettings, now time.Time) (*KeyChange, error) {
	change, at, err := c.beginMade(site, id, "the %s in %s has neither a name nor an end; rotate it, and it ends")
	if err != nil {
		return nil, err
	}
	k := &change.Next.made.Keys[at]
	if set.Name != nil {
		if err := checkKeyName(*set.Name); err != nil {
			return nil, err
		}
		k.Name = *set.Name
	}
	if set.Ends != nil {
		if !k.Ends.IsZero() && !k.Ends.After(now) {
			return nil, keyFault(KeyFixed, "the key has ended; add another one")
		}
		if err := checkKeyEnds(*set.Ends, now); err != nil {
			return nil, err
		}
		k.Ends = set.Ends.UTC().Truncate(time.Second)
	}
	change.Key = k.info()
	change.sites = true
	change.Next.addKeys()
	return change, nil
}

// RenewAdmin makes another admin token. The old one ends when the change is in force.
func (c *Config) RenewAdmin() (*KeyChange, error) {
	if !c.adminGenerated {
		file := c.File()
		if c.AdminTokenFile != "" {
			file = c.AdminTokenFile
		}
		return nil, keyFault(KeyFixed, "the admin_token is in %s: change it there", file)
	}
	next := *c
	change := &KeyChange{Next: &next}
	kept, err := change.readKept()
	if err != nil {
		return nil, err
	}
	change.Secret = freshAdmin()
	next.AdminToken, kept.AdminToken = change.Secret, change.Secret
	return change, nil
}

// Write writes what has changed, durably. After a crash the keys are as before or as after it. The
// caller holds the lock of the data directory and has had no other change since.
func (change *KeyChange) Write() error {
	if change.sites {
		if err := change.Next.WriteSites(); err != nil {
			return err
		}
	}
	if change.kept == nil && change.sites {
		// keys.toml says whether there is a sites.toml, so that a lost one is noticed.
		kept, err := ReadKeys(filepath.Join(change.Next.DataDir, KeysName))
		if err != nil || kept.SitesFile {
			return err
		}
		change.kept = &kept
	}
	if change.kept == nil {
		return nil
	}
	change.kept.SitesFile = change.Next.made.found
	return writeKeys(filepath.Join(change.Next.DataDir, KeysName), change.kept)
}
