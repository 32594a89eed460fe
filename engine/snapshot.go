// Snapshots: a restorable copy of the store, and a store made from one.

package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
// The manifest is written last and the directory is renamed into place after
// it, so an unfinished snapshot cannot be taken for one.
const (
	ManifestName = "SNAPSHOT.json" // a directory that has it is a snapshot
	keysName     = "keys.toml"
)

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

// Snapshot implements API. Every event acknowledged before the call is in it,
// none that came after it returned.
func (e *Engine) Snapshot(_ context.Context, dir string) (query.Snapshot, error) {
	if err := e.failure(); err != nil {
		return query.Snapshot{}, query.ErrFailed
	}
	fs := e.opts.FS
	if _, err := fs.Stat(dir); err == nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %s exists", dir)
	}
	part := dir + ".partial"
	if err := fs.RemoveAll(part); err != nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	info, err := e.snapshot(part, dir)
	if err != nil {
		_ = fs.RemoveAll(part)
		return query.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	return info, nil
}

func (e *Engine) snapshot(part, dir string) (query.Snapshot, error) {
	fs := e.opts.FS
	if err := makeDir(fs, part); err != nil {
		return query.Snapshot{}, err
	}
	if err := e.checkpoint(storeDir(fs, part)); err != nil {
		return query.Snapshot{}, err
	}
	keys := fs.PathJoin(e.opts.Dir, keysName)
	if _, err := fs.Stat(keys); err == nil {
		if _, err := copyFile(fs, keys, fs.PathJoin(part, keysName)); err != nil {
			return query.Snapshot{}, err
		}
	}
	// Reading the copy tells what is in it, and that it can be opened.
	events, err := countEvents(fs, storeDir(fs, part))
	if err != nil {
		return query.Snapshot{}, err
	}
	m := manifest{Version: 1, Created: e.now().UTC(), Events: events}
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
	if _, err := parseManifest(text); err != nil { // as whoever restores it will
		return query.Snapshot{}, err
	}
	if err := writeFile(fs, fs.PathJoin(part, ManifestName), text); err != nil {
		return query.Snapshot{}, err
	}
	if err := errors.Join(wal.SyncDir(fs, storeDir(fs, part)), wal.SyncDir(fs, part)); err != nil {
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

// checkpoint copies the store to dir. Pebble panics when it cannot sync a
// directory of the copy; the copy is worth nothing then, the store is unharmed.
func (e *Engine) checkpoint(dir string) (err error) {
	if err := e.beginManifest(); err != nil {
		return err
	}
	e.sealer.install.Lock()
	defer e.sealer.install.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("checkpoint: %v", r)
		}
	}()
	return e.db.Checkpoint(dir)
}

// beginManifest makes Pebble write a manifest if it has written none since it was
// opened. Of the one that it has only read it would copy nothing, which is so after a
// start that found no log to replay.
func (e *Engine) beginManifest() error {
	if e.manifest.Load() {
		return nil
	}
	version, err := get(e.db, storeKey("version"))
	if err != nil {
		return err
	}
	// A flush of nothing would write none.
	if err := errors.Join(e.db.Set(storeKey("version"), version, pebble.Sync), e.db.Flush()); err != nil {
		return fmt.Errorf("begin a manifest: %w", err)
	}
	e.manifest.Store(true)
	return nil
}

// Restore makes a new data directory from a snapshot whose every file is as the
// manifest says. dataDir must be missing or empty, lost+found aside. The new store begins an
// incarnation of its own, so an id handed out after the snapshot names nothing
// in it.
func Restore(fs vfs.FS, snapshotDir, dataDir string) error {
	if fs == nil {
		fs = vfs.Default
	}
	list, err := fs.List(dataDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if slices.ContainsFunc(list, func(name string) bool {
		info, err := fs.Stat(fs.PathJoin(dataDir, name))
		return name != LostFound || err != nil || !info.IsDir()
	}) {
		return fmt.Errorf("restore: %s is not empty; nothing in it was changed", dataDir)
	}
	m, err := verifySnapshot(fs, snapshotDir)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := restore(fs, snapshotDir, dataDir, m); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// partialName is the store while it is being restored. A directory that has one
// is not opened: it would be taken for a new and empty store.
const partialName = StoreName + ".partial"

// restore copies the store to a name beside its own, makes it ready there and
// then gives it its name.
func restore(fs vfs.FS, snapshotDir, dataDir string, m *manifest) error {
	part := partialName
	if err := makeDir(fs, fs.PathJoin(dataDir, part)); err != nil {
		return err
	}
	mark, err := wal.ReadHighWaterMark(fs, dataDir)
	if err != nil {
		return err
	}
	if err := mark.Write(m.Events); err != nil {
		return err
	}
	for _, f := range m.Files {
		to := f.Name
		if name, ok := strings.CutPrefix(f.Name, StoreName+"/"); ok {
			to = part + "/" + name
		}
		sum, err := copyFile(fs, joinName(fs, snapshotDir, f.Name), joinName(fs, dataDir, to))
		if err != nil {
			return err
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%s changed while it was copied", f.Name)
		}
	}
	if err := errors.Join(wal.SyncDir(fs, fs.PathJoin(dataDir, part)), wal.SyncDir(fs, dataDir)); err != nil {
		return err
	}
	db, err := openPebble(fs.PathJoin(dataDir, part), &pebble.Options{FS: fs, FormatMajorVersion: formatVersion, ErrorIfNotExists: true, Logger: quietLogger{}})
	if err != nil {
		return err
	}
	if err := errors.Join(beginEra(db), db.Close()); err != nil {
		return err
	}
	if err := fs.Rename(fs.PathJoin(dataDir, part), storeDir(fs, dataDir)); err != nil {
		return err
	}
	return wal.SyncDir(fs, dataDir)
}

// beginEra starts a new incarnation after the newest event of every site.
func beginEra(db *pebble.DB) error {
	s, err := readStore(db)
	if err != nil {
		return err
	}
	last, err := lastSeqs(db)
	if err != nil {
		return err
	}
	next := era{number: newEra(s.eras), from: make(map[uint32]uint64)}
	for site, seq := range last {
		next.from[site] = seq + 1
	}
	return db.Set(storeKey("incarnations"), appendEras(nil, append(s.eras, next)), pebble.Sync)
}

// newEra draws the number of an incarnation that is none of the store's. It is
// random, so that two restores of one snapshot do not give the same ids to
// different events.
func newEra(eras []era) uint16 {
	for {
		var b [2]byte
		_, _ = rand.Read(b[:])
		n := binary.BigEndian.Uint16(b[:])
		if n != 0 && !slices.ContainsFunc(eras, func(e era) bool { return e.number == n }) {
			return n
		}
	}
}

// verifySnapshot reads the manifest and compares every file with it.
func verifySnapshot(fs vfs.FS, dir string) (*manifest, error) {
	m, err := readManifest(fs, dir)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("not a finished snapshot: %w", err)
	}
	if err != nil {
		return nil, err
	}
	named := []string{ManifestName}
	for _, f := range m.Files {
		named = append(named, f.Name)
		size, sum, err := sumFile(fs, joinName(fs, dir, f.Name))
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Name, err)
		}
		if size != f.Size || sum != f.SHA256 {
			return nil, fmt.Errorf("file %s is damaged", f.Name)
		}
	}
	err = eachFile(fs, dir, "", func(name string) error {
		if !slices.Contains(named, name) {
			return fmt.Errorf("file %s does not belong to the snapshot", name)
		}
		return nil
	})
	return m, err
}

// parseManifest refuses names that lead out of the snapshot, and a manifest that is
// too long. What it refuses is not written.
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

func joinName(fs vfs.FS, dir, name string) string {
	return fs.PathJoin(append([]string{dir}, strings.Split(name, "/")...)...)
}

// eachFile calls fn with every file below dir, slash-separated, sorted.
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

// copyFile copies and syncs a file and returns its SHA-256.
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
	_, err = io.Copy(io.MultiWriter(h, dst), src) // in this order: a file system may scribble on what it has written
	if err == nil {
		err = dst.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, dst.Close())
}

func writeFile(fs vfs.FS, path string, data []byte) error {
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
	db, err := openPebble(path, readOnlyOptions(fs))
	if err != nil {
		return 0, err
	}
	last, err := lastSeqs(db)
	var events uint64
	for _, seq := range last {
		events += seq
	}
	return events, errors.Join(err, db.Close())
}
