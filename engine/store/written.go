// Written: how much of each file of the store is on the disk, and its checksum, known from
// the writes themselves and not from reading the files again.

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Extent is a synced beginning of a file of the store: its length and the xxhash64 of it.
type Extent struct {
	Name string // below the directory of the store
	Size int64
	Sum  uint64
}

// TableSum is the length and the SHA-256, in hex digits, of a table of the store.
type TableSum struct {
	Name   string
	Size   int64
	SHA256 string
}

// Written is a file system that follows what is written to the files of one store: its log,
// its manifest and its tables. Pebble writes each of them once, from the beginning to the end.
//
// A table made elsewhere and linked into the store, as a new run is, brings its sum along if it
// was written through Written too.
type Written struct {
	vfs.FS
	dir string // of the store

	mu       sync.Mutex
	files    map[string]*writtenFile // by path
	manifest Extent                  // the current manifest when Pebble has written none yet
	current  string                  // name of the manifest that Pebble has begun, "" = manifest
	tables   map[string]TableSum     // by name: tables of earlier processes
}

// writtenFile is a file that was written through Written.
type writtenFile struct {
	mu     sync.Mutex // also held while Written.mu is
	size   int64
	sum    xxhash.Digest // of a log or a manifest
	sha    hash.Hash     // of a table
	synced Extent
	sha256 string // of a table, once it is closed
	bad    bool   // a write has failed
}

// followed matches the names of the files that Written follows.
var followed = regexp.MustCompile(`^(\d+\.(log|sst)|MANIFEST-\d+|run-\d+\.sst)$`)

// Follow returns the file system for the store in dir. Nothing is known of it yet.
func Follow(fs vfs.FS, dir string) *Written {
	return &Written{FS: fs, dir: dir, files: make(map[string]*writtenFile), tables: make(map[string]TableSum)}
}

// Begin says which manifest the store has, as far as it is good, and which sums of its tables
// are known.
func (w *Written) Begin(manifest Extent, tables []TableSum) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest = manifest
	for _, t := range tables {
		w.tables[t.Name] = t
	}
}

// ManifestBegun says that Pebble now uses the manifest of that name.
func (w *Written) ManifestBegun(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current = name
}

// Extents returns what is surely on the disk: first the current manifest, then the log files,
// sorted by name.
func (w *Written) Extents() []Extent {
	w.mu.Lock()
	defer w.mu.Unlock()
	manifest := w.manifest
	if f := w.files[w.FS.PathJoin(w.dir, w.current)]; w.current != "" && f != nil {
		manifest = f.extent()
	}
	all := []Extent{manifest}
	for _, path := range slices.Sorted(maps.Keys(w.files)) {
		if !strings.HasSuffix(path, ".log") {
			continue
		}
		if log := w.files[path].extent(); log.Size > 0 {
			all = append(all, log)
		}
	}
	return all
}

func (f *writtenFile) extent() Extent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced
}

// Tables returns the known sums of tables of the store, sorted by name.
func (w *Written) Tables() []TableSum {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Collect(maps.Values(w.tables))
	slices.SortFunc(all, func(a, b TableSum) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Learn adds the sum of a table that was computed by reading it, if the table is still there.
func (w *Written) Learn(t TableSum) {
	if _, err := w.FS.Stat(w.FS.PathJoin(w.dir, t.Name)); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tables[t.Name] = t
}

// Create is vfs.FS's.
func (w *Written) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return w.follow(name, f), nil
}

// ReuseForWrite is vfs.FS's.
func (w *Written) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	w.forget(old)
	f, err := w.FS.ReuseForWrite(old, name, category)
	if err != nil {
		return nil, err
	}
	return w.follow(name, f), nil
}

// Remove is vfs.FS's.
func (w *Written) Remove(name string) error {
	err := w.FS.Remove(name)
	if err == nil {
		w.forget(name)
	}
	return err
}

// Link is vfs.FS's.
func (w *Written) Link(old, name string) error {
	if err := w.FS.Link(old, name); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.files[old]; f != nil && f.sha256 != "" {
		w.keep(name, f)
	}
	return nil
}

// Unwrap is vfs.FS's.
func (w *Written) Unwrap() vfs.FS { return w.FS }

// forget drops what is known of a file that is gone.
func (w *Written) forget(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.files, path)
	if w.FS.PathDir(path) == w.dir {
		delete(w.tables, w.FS.PathBase(path))
	}
}

// follow wraps a new file.
func (w *Written) follow(path string, f vfs.File) vfs.File {
	name := w.FS.PathBase(path)
	if !followed.MatchString(name) {
		return f
	}
	file := &writtenFile{synced: Extent{Name: name}}
	if strings.HasSuffix(name, ".sst") {
		file.sha = sha256.New()
	} else if w.FS.PathDir(path) != w.dir {
		return f // of a checkpoint
	}
	file.sum.Reset()
	w.mu.Lock()
	w.files[path] = file
	w.mu.Unlock()
	return &followedFile{File: f, w: w, path: path, file: file}
}

// keep notes the sum of a complete table under its name, if it lies in the store. The caller
// holds mu.
func (w *Written) keep(path string, f *writtenFile) {
	if w.FS.PathDir(path) != w.dir {
		return
	}
	name := w.FS.PathBase(path)
	w.tables[name] = TableSum{Name: name, Size: f.size, SHA256: f.sha256}
}

// followedFile is one file that is being written.
type followedFile struct {
	vfs.File
	w    *Written
	path string
	file *writtenFile
}

// Write is vfs.File's.
func (f *followedFile) Write(p []byte) (int, error) {
	f.file.mu.Lock()
	f.file.size += int64(len(p))
	if f.file.sha != nil {
		_, _ = f.file.sha.Write(p) // before the write: a file system may change p
	} else {
		_, _ = f.file.sum.Write(p)
	}
	f.file.mu.Unlock()
	n, err := f.File.Write(p)
	if err != nil || n != len(p) {
		f.spoil()
	}
	return n, err
}

// WriteAt is vfs.File's. Pebble does not use it for these files.
func (f *followedFile) WriteAt(p []byte, at int64) (int, error) {
	f.spoil()
	return f.File.WriteAt(p, at)
}

// spoil notes that the file is not what was written to it in order.
func (f *followedFile) spoil() {
	f.file.mu.Lock()
	defer f.file.mu.Unlock()
	f.file.bad = true
}

// sync runs a sync, and notes what it has made durable.
func (f *followedFile) sync(run func() (bool, error)) (full bool, err error) {
	f.file.mu.Lock()
	state := Extent{Name: f.file.synced.Name, Size: f.file.size, Sum: f.file.sum.Sum64()}
	f.file.mu.Unlock()
	if full, err = run(); !full || err != nil {
		return full, err
	}
	f.file.mu.Lock()
	defer f.file.mu.Unlock()
	if !f.file.bad && state.Size >= f.file.synced.Size {
		f.file.synced = state
	}
	return full, nil
}

// Sync is vfs.File's.
func (f *followedFile) Sync() error {
	_, err := f.sync(func() (bool, error) { return true, f.File.Sync() })
	return err
}

// SyncData is vfs.File's.
func (f *followedFile) SyncData() error {
	_, err := f.sync(func() (bool, error) { return true, f.File.SyncData() })
	return err
}

// SyncTo is vfs.File's.
func (f *followedFile) SyncTo(length int64) (full bool, err error) {
	return f.sync(func() (bool, error) { return f.File.SyncTo(length) })
}

// Close is vfs.File's. It completes the sum of a table.
func (f *followedFile) Close() error {
	err := f.File.Close()
	f.file.mu.Lock()
	table := f.file.sha != nil
	good := table && err == nil && !f.file.bad
	if good {
		f.file.sha256 = hex.EncodeToString(f.file.sha.Sum(nil))
	}
	f.file.sha = nil
	f.file.mu.Unlock()
	if !table {
		return err
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	inStore := f.w.FS.PathDir(f.path) == f.w.dir
	if good && inStore {
		f.w.keep(f.path, f.file)
	}
	if !good || inStore {
		delete(f.w.files, f.path)
	}
	return err
}
