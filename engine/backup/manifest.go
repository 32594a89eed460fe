package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cairn/engine/store"
)

// This file is about manifests: what a snapshot in a bucket consists of.

// A snapshot in a bucket is
//
//	obj/…            the content of its files, each named by its hash
//	snap/TIME.json   the manifest, written last and only if there is none of the name
//
// A manifest of an encrypted bucket has only its key and its sealed text.
const (
	SnapPrefix  = "snap/"
	snapEnd     = ".json"
	snapLayout  = "20060102T150405.000Z" // names are in the order of time
	manifestNow = 1                      // version

	manifestBytesMax = 256 << 20
)

// Manifest is the list of the files of a snapshot.
type Manifest struct {
	Name string `json:"-"` // of the object

	Version     int       `json:"version"`
	Created     time.Time `json:"created"` // all acknowledged before it is in the snapshot
	Events      uint64    `json:"events"`
	Line        string    `json:"line"`        // of stores
	Incarnation string    `json:"incarnation"` // that made it
	Files       []File    `json:"files"`
}

// File is one file of a snapshot.
type File struct {
	Name   string `json:"name"` // slash-separated, as in a snapshot of a directory
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Parts  []Part `json:"parts,omitempty"` // empty = Size is 0
}

// Part is an object with a stretch of a file.
type Part struct {
	Object string `json:"object"`
	Size   int64  `json:"size"`   // of the text
	SHA256 string `json:"sha256"` // of the text
}

// envelope is the JSON of the object: a manifest with a sum, or one that is encrypted.
type envelope struct {
	Key      string          `json:"key,omitempty"` // of the store, see vault.go
	Sealed   []byte          `json:"sealed,omitempty"`
	Manifest json.RawMessage `json:"manifest,omitempty"`
	Sum      string          `json:"sum,omitempty"` // SHA-256 of Manifest, hex digits
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// snapName is the name of the manifest of a snapshot.
func snapName(at time.Time) string { return SnapPrefix + at.UTC().Format(snapLayout) + snapEnd }

// snapTime is the time in the name of a manifest.
func snapTime(name string) (time.Time, bool) {
	text, isSnap := strings.CutPrefix(name, SnapPrefix)
	text, isJSON := strings.CutSuffix(text, snapEnd)
	at, err := time.Parse(snapLayout, text)
	return at, isSnap && isJSON && err == nil
}

// put stores a manifest under the name of its time.
func (m *Manifest) put(ctx context.Context, v *Vault) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var e envelope
	if v.key == nil {
		sum := sha256.Sum256(text)
		e = envelope{Manifest: text, Sum: hex.EncodeToString(sum[:])}
	} else {
		e.Key = v.key.wrapped
		if e.Sealed, err = v.key.seal(text); err != nil {
			return err
		}
	}
	if text, err = json.Marshal(e); err != nil {
		return err
	}
	m.Name = snapName(m.Created)
	_, err = putObject(ctx, v.Bucket, m.Name, append(text, '\n'), Condition{New: true})
	return err
}

// errManifest is the error of a manifest that was read and is of no use: to read it again does not help.
var errManifest = errors.New("the manifest is damaged")

// ReadManifest reads a manifest. Its error says what is wrong with it.
func ReadManifest(ctx context.Context, v *Vault, name string) (*Manifest, error) {
	text, _, err := readObject(ctx, v.Bucket, name, manifestBytesMax)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, err := v.parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.Name = name
	return m, nil
}

func (v *Vault) parseManifest(text []byte) (*Manifest, error) {
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	text = e.Manifest
	switch {
	case e.Sealed != nil && v.key == nil:
		return nil, ErrNoPassphrase
	case e.Sealed != nil:
		var err error
		if text, err = v.key.open(e.Sealed); err != nil {
			return nil, fmt.Errorf("%w: %w", errManifest, err)
		}
	case v.key != nil:
		return nil, fmt.Errorf("%w: it is not encrypted, but the backup is", errManifest)
	default:
		if sum := sha256.Sum256(text); e.Sum != hex.EncodeToString(sum[:]) {
			return nil, fmt.Errorf("%w: its checksum differs", errManifest)
		}
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	if m.Version != manifestNow {
		return nil, fmt.Errorf("version %d of a backup is not known to this cairn: use a newer cairn", m.Version)
	}
	return m, m.check()
}

// check refuses names that lead out of a data directory, and sizes that do not add up.
func (m *Manifest) check() error {
	seen := make(map[string]bool)
	var all int64
	for _, f := range m.Files {
		if err := store.CheckFileName(f.Name); err != nil || seen[f.Name] {
			return fmt.Errorf("%w: file name %q", errManifest, f.Name)
		}
		seen[f.Name] = true
		var size int64
		for _, p := range f.Parts {
			// The sum of all is what a restore looks for room for: it must not wrap around.
			if p.Size <= 0 || p.Size > math.MaxInt64-all || !strings.HasPrefix(p.Object, ObjectPrefix) {
				return fmt.Errorf("%w: parts of %s", errManifest, f.Name)
			}
			size += p.Size
			all += p.Size
		}
		if size != f.Size {
			return fmt.Errorf("%w: the parts of %s have %d bytes, not %d", errManifest, f.Name, size, f.Size)
		}
	}
	return nil
}

// Manifests lists the names of the manifests of a bucket, oldest first.
func Manifests(ctx context.Context, b Bucket) (names []string, err error) {
	err = b.List(ctx, SnapPrefix, func(i Info) error {
		if _, ok := snapTime(i.Name); ok {
			names = append(names, i.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}
