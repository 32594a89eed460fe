// Snapshots: restorable copies of the store; see restore.go for the way back.

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A snapshot is a directory:
//
//	store/         a Pebble checkpoint
//	keys.toml      the keys of the sites, when the data directory has them
//	SNAPSHOT.json  the manifest: length and SHA-256 of every other file
//
// The manifest is written last. Then the directory is renamed into place. An unfinished
// snapshot therefore never looks like a finished one.
const (
	ManifestName = "SNAPSHOT.json" // a directory that has it is a snapshot
	keysName     = "keys.toml"
)

// manifest is the JSON of a manifest.
type manifest struct {
	Version int            `json:"version"`
	Created time.Time      `json:"created"`
	Events  uint64         `json:"events"`
	Files   []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"` // slash-separated, relative
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Snapshots makes snapshots of an open store, one at a time. Its fields are set before the
// first one and do not change.
type Snapshots struct {
	FS      vfs.FS
	Dir     string           // the data directory
	DB      *pebble.DB       // of the store
	Install sync.Locker      // locked while a run replaces its rows in the log; a checkpoint locks it too
	Now     func() time.Time // for the manifest

	manifestBegun atomic.Bool // Pebble has written a manifest since it was opened, see ensureManifest
}

// Make writes a snapshot of the store to dir, which must not exist. The snapshot contains
// every event acknowledged before the call, and none that came after Make returned.
func (s *Snapshots) Make(dir string) (query.Snapshot, error) {
	if _, err := s.FS.Stat(dir); err == nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %s exists", dir)
	}
	part := dir + ".partial"
	if err := s.FS.RemoveAll(part); err != nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	info, err := s.write(part, dir)
	if err != nil {
		_ = s.FS.RemoveAll(part)
		return query.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	return info, nil
}

func (s *Snapshots) write(part, dir string) (query.Snapshot, error) {
	fs := s.FS
	if err := MakeDir(fs, part); err != nil {
		return query.Snapshot{}, err
	}
	if err := s.checkpoint(Dir(fs, part)); err != nil {
		return query.Snapshot{}, err
	}
	keys := fs.PathJoin(s.Dir, keysName)
	if _, err := fs.Stat(keys); err == nil {
		if _, err := copyFile(fs, keys, fs.PathJoin(part, keysName)); err != nil {
			return query.Snapshot{}, err
		}
	}
	// Count the events in the copy; this also proves that it can be opened.
	events, err := countEvents(fs, Dir(fs, part))
	if err != nil {
		return query.Snapshot{}, err
	}
	m := manifest{Version: 1, Created: s.Now().UTC(), Events: events}
	var bytes int64
	err = eachFile(fs, part, "", func(name string) error {
		size, sum, err := sumFile(fs, joinName(fs, part, name))
		m.Files = append(m.Files, manifestFile{name, size, sum})
		bytes += size
		return err
	})
	if err != nil {
		return query.Snapshot{}, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return query.Snapshot{}, err
	}
	text = append(text, '\n')
	if _, err := parseManifest(text); err != nil { // a restore parses it too
		return query.Snapshot{}, err
	}
	if err := WriteFile(fs, fs.PathJoin(part, ManifestName), text); err != nil {
		return query.Snapshot{}, err
	}
	if err := errors.Join(wal.SyncDir(fs, Dir(fs, part)), wal.SyncDir(fs, part)); err != nil {
		return query.Snapshot{}, err
	}
	if err := fs.Rename(part, dir); err != nil {
		return query.Snapshot{}, err
	}
	if err := wal.SyncDir(fs, fs.PathDir(dir)); err != nil {
		return query.Snapshot{}, err
	}
	return query.Snapshot{Path: dir, Events: events, Bytes: bytes}, nil
}

// checkpoint copies the store to dir. Pebble panics when it cannot sync a directory of the
// copy. The copy is then useless, but the store is unharmed.
func (s *Snapshots) checkpoint(dir string) (err error) {
	if err := s.ensureManifest(); err != nil {
		return err
	}
	s.Install.Lock()
	defer s.Install.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("checkpoint: %v", r)
		}
	}()
	return s.DB.Checkpoint(dir)
}

// ensureManifest makes Pebble write a manifest if it has written none since it was opened.
// That is so after a start without a log to replay. A checkpoint would then copy
// nothing of the manifest.
func (s *Snapshots) ensureManifest() error {
	if s.manifestBegun.Load() {
		return nil
	}
	version, err := Get(s.DB, Key("version"))
	if err != nil {
		return err
	}
	// A flush writes a manifest only if there is something to flush.
	if err := errors.Join(s.DB.Set(Key("version"), version, pebble.Sync), s.DB.Flush()); err != nil {
		return fmt.Errorf("begin a manifest: %w", err)
	}
	s.manifestBegun.Store(true)
	return nil
}

// VerifySnapshot reads the manifest of a snapshot and compares every file with it. It returns
// an error for a file that differs, is missing or is not in the manifest.
func VerifySnapshot(fs vfs.FS, dir string) (*manifest, error) {
	m, err := readManifest(fs, dir)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("not a finished snapshot: %w", err)
	}
	if err != nil {
		return nil, err
	}
	listed := []string{ManifestName}
	for _, f := range m.Files {
		listed = append(listed, f.Name)
		size, sum, err := sumFile(fs, joinName(fs, dir, f.Name))
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Name, err)
		}
		if size != f.Size || sum != f.SHA256 {
			return nil, fmt.Errorf("file %s is damaged", f.Name)
		}
	}
	err = eachFile(fs, dir, "", func(name string) error {
		if !slices.Contains(listed, name) {
			return fmt.Errorf("file %s does not belong to the snapshot", name)
		}
		return nil
	})
	return m, err
}

// manifestBytesMax is the greatest length of a manifest: about 400,000 files.
const manifestBytesMax = 64 << 20

// parseManifest rejects names that lead out of the snapshot, and a manifest that is too
// long. Make parses a manifest before it writes it.
func parseManifest(text []byte) (*manifest, error) {
	if len(text) > manifestBytesMax {
		return nil, fmt.Errorf("a manifest of more than %d bytes", manifestBytesMax)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("damaged manifest: %w", err)
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("snapshot version %d is not known to this cairn", m.Version)
	}
	for _, f := range m.Files {
		parts := strings.Split(f.Name, "/")
		if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool {
			return p == "" || p == "." || p == ".." || strings.ContainsAny(p, "\\\x00")
		}) {
			return nil, fmt.Errorf("damaged manifest: file name %q", f.Name)
		}
	}
	return &m, nil
}

// joinName returns the path of a file of a snapshot. name is slash-separated.
func joinName(fs vfs.FS, dir, name string) string {
	return fs.PathJoin(append([]string{dir}, strings.Split(name, "/")...)...)
}

// eachFile calls fn with the name of every file in dir and its subdirectories, sorted. Names
// are slash-separated and begin with below.
func eachFile(fs vfs.FS, dir, below string, fn func(name string) error) error {
	list, err := fs.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(list)
	for _, name := range list {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = eachFile(fs, path, below+name+"/", fn)
		} else {
			err = fn(below + name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sumFile returns the length and the SHA-256, in hex digits, of a file.
func sumFile(fs vfs.FS, path string) (size int64, sum string, err error) {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// copyFile copies and syncs a file. It returns its SHA-256 in hex digits.
func copyFile(fs vfs.FS, from, to string) (sum string, err error) {
	src, err := fs.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return "", err
	}
	defer src.Close()
	dst, err := fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(h, dst), src) // h first: a file system may change the buffer that it writes
	if err == nil {
		err = dst.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, dst.Close())
}

// CopyKeys copies keys.toml from a data directory to another, if it has one.
func CopyKeys(fs vfs.FS, from, to string) error {
	_, err := copyFile(fs, fs.PathJoin(from, keysName), fs.PathJoin(to, keysName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// WriteFile writes and syncs a file. It does not sync its directory.
func WriteFile(fs vfs.FS, path string, data []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// countEvents opens a store read-only and counts its events.
func countEvents(fs vfs.FS, path string) (uint64, error) {
	db, err := OpenPebble(path, ReadOnlyOptions(fs))
	if err != nil {
		return 0, err
	}
	last, err := LastSeqs(db)
	var events uint64
	for _, seq := range last {
		events += seq
	}
	return events, errors.Join(err, db.Close())
}
