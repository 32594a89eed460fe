// Snapshots: restorable copies of the store; see restore.go for the way back.

package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A snapshot is a directory:
//
//	store/         a Pebble checkpoint
//	keys.toml      the keys of the sites, when the data directory has them
//	sites.toml     the sites that were made at run time, when the data directory has them
//	SNAPSHOT.json  the manifest: length and SHA-256 of every other file
//
// The manifest is written last. Then the directory is renamed into place. An unfinished
// snapshot therefore never looks like a finished one. Its name ends with PartialSuffix, and the
// file PARTIAL in it has the path of the data directory, so that the next snapshot removes it if
// the process was killed. A finished snapshot may still have that file after a power cut.
const (
	ManifestName  = "SNAPSHOT.json" // a directory that has it is a snapshot
	partialSuffix = ".partial"
	partialName   = "PARTIAL"
)

// manifest is the JSON of a manifest.
type manifest struct {
	Version int            `json:"version"`
	Created time.Time      `json:"created"`
	Events  uint64         `json:"events"`
	Files   []manifestFile `json:"files"`
	Sum     string         `json:"sum,omitempty"` // SHA-256 of the manifest without it; older cairns wrote none
}

// text returns the JSON of a manifest, with its sum.
func (m manifest) text() ([]byte, error) {
	m.Sum = ""
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	m.Sum = hex.EncodeToString(sum[:])
	text, err = json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
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
	Written *Written         // knows the sums of the tables

	manifestBegun atomic.Bool // Pebble has written a manifest since it was opened, see ensureManifest
}

// Make writes a snapshot of the store to dir, which must not exist. The snapshot contains
// every event acknowledged before the call, and none that came after Make returned.
func (s *Snapshots) Make(dir string) (query.Snapshot, error) {
	if _, err := s.FS.Stat(dir); err == nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %s exists", dir)
	}
	if err := RemovePartial(s.FS, s.FS.PathDir(dir), s.Dir); err != nil {
		return query.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	part := dir + partialSuffix
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

// RemovePartial removes the unfinished snapshots of a data directory from a directory of
// snapshots. It leaves those that have no mark of this data directory, but for a directory that
// a crash has left before anything was in it. No snapshot may be under way.
func RemovePartial(fs vfs.FS, snapshots, dataDir string) error {
	list, err := fs.List(snapshots)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range list {
		part := fs.PathJoin(snapshots, name)
		if !strings.HasSuffix(name, partialSuffix) {
			continue
		}
		if of, err := readAll(fs, fs.PathJoin(part, partialName)); err != nil || string(of) != dataDir {
			if abandoned(fs, part) {
				_ = fs.Remove(part) // which removes no directory that has something
			}
			continue
		}
		if err := fs.RemoveAll(part); err != nil {
			return fmt.Errorf("remove an unfinished snapshot: %w", err)
		}
	}
	return nil
}

// abandonedAfter is how long a snapshot of another cairn may have no mark. It has none for an
// instant only.
const abandonedAfter = time.Minute

// abandoned reports whether a directory is empty and has been for a while.
func abandoned(fs vfs.FS, dir string) bool {
	info, err := fs.Stat(dir)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < abandonedAfter {
		return false
	}
	list, err := fs.List(dir)
	return err == nil && len(list) == 0
}

func (s *Snapshots) write(part, dir string) (query.Snapshot, error) {
	fs := s.FS
	if err := MakeDir(fs, part); err != nil {
		return query.Snapshot{}, err
	}
	mark := fs.PathJoin(part, partialName)
	if err := WriteFile(fs, mark, []byte(s.Dir)); err != nil {
		return query.Snapshot{}, err
	}
	known := s.knownSums() // of tables that a compaction may remove while they are copied
	if err := s.checkpoint(Dir(fs, part)); err != nil {
		return query.Snapshot{}, err
	}
	maps.Copy(known, s.knownSums())
	if err := CopySettings(fs, s.Dir, part); err != nil {
		return query.Snapshot{}, err
	}
	// Look at the copy as a start would. This also counts its events.
	copied, err := lookAtCopy(fs, part)
	if err != nil {
		return query.Snapshot{}, fmt.Errorf("the copy is not whole: %w", err)
	}
	m := manifest{Version: 1, Created: s.Now().UTC(), Events: copied.Events}
	var total int64
	err = eachFile(fs, part, "", func(name string) error {
		if name == partialName {
			return nil
		}
		f, err := s.sumOf(part, name, known)
		m.Files = append(m.Files, f)
		total += f.Size
		return err
	})
	if err != nil {
		return query.Snapshot{}, err
	}
	text, err := m.text()
	if err != nil {
		return query.Snapshot{}, err
	}
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
	if err := fs.Remove(fs.PathJoin(dir, partialName)); err != nil {
		return query.Snapshot{}, err
	}
	return query.Snapshot{Path: dir, Events: copied.Events, Bytes: total}, nil
}

// knownSums returns the sums of tables that need not be read again, by name.
func (s *Snapshots) knownSums() map[string]TableSum {
	known := make(map[string]TableSum)
	if s.Written != nil {
		for _, t := range s.Written.Tables() {
			known[t.Name] = t
		}
	}
	return known
}

// sumOf returns the line of the manifest for a file. It takes the sum of a table from the time
// when the table was written. A table of an older cairn is read once: if its blocks are good,
// its sum is known from then on.
func (s *Snapshots) sumOf(part, name string, known map[string]TableSum) (manifestFile, error) {
	path := joinName(s.FS, part, name)
	table, isTable := strings.CutPrefix(name, Name+"/")
	isTable = isTable && strings.HasSuffix(table, ".sst")
	if t, ok := known[table]; isTable && ok {
		info, err := s.FS.Stat(path)
		if err == nil && info.Size() != t.Size {
			err = DamagedFile(name, fmt.Errorf("it has %d bytes, but %d were written", info.Size(), t.Size))
		}
		return manifestFile{name, t.Size, t.SHA256}, err
	}
	size, sum, err := sumFile(s.FS, path)
	if err != nil || !isTable || s.Written == nil {
		return manifestFile{name, size, sum}, err
	}
	if err := validTable(s.FS, path); err != nil {
		return manifestFile{}, DamagedFile(name, err)
	}
	s.Written.Learn(TableSum{table, size, sum})
	return manifestFile{name, size, sum}, nil
}

// validTable reads all blocks of a table and compares their checksums.
func validTable(fs vfs.FS, path string) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return err // NewReader has closed the file
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
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
		err = fmt.Errorf("not a finished snapshot: %w", err) // names the file
	}
	if err != nil {
		return nil, err
	}
	listed := []string{ManifestName, partialName}
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

// SnapshotFile is a file of a snapshot, as its manifest has it.
type SnapshotFile struct {
	Name   string // slash-separated
	Size   int64
	SHA256 string // hex digits
}

// ReadSnapshot reads the manifest of a snapshot and no other file of it.
func ReadSnapshot(fs vfs.FS, dir string) (files []SnapshotFile, events uint64, err error) {
	m, err := readManifest(fs, dir)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range m.Files {
		files = append(files, SnapshotFile(f))
	}
	return files, m.Events, nil
}

// manifestBytesMax is the greatest length of a manifest: about 400,000 files.
const manifestBytesMax = 64 << 20

// parseManifest rejects names that lead out of the snapshot, and a manifest that is too
// long. Make parses a manifest before it writes it.
func parseManifest(text []byte) (*manifest, error) {
	if len(text) > manifestBytesMax {
		return nil, fmt.Errorf("damaged manifest %s: it has more than %d bytes", ManifestName, manifestBytesMax)
	}
	var m manifest
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // the name of a field may be damaged
	err := d.Decode(&m)
	if err == nil && d.InputOffset() < int64(len(bytes.TrimSpace(text))) {
		err = errors.New("something follows it")
	}
	if m.Version > 1 || err == nil && m.Version != 1 {
		return nil, fmt.Errorf("%s: snapshot version %d is not known to this cairn: use a newer cairn", ManifestName, m.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged manifest %s: %w", ManifestName, err)
	}
	if m.Sum != "" {
		if own, err := m.text(); err != nil || !bytes.Equal(own, text) {
			return nil, fmt.Errorf("damaged manifest %s: its checksum differs", ManifestName)
		}
	}
	for _, f := range m.Files {
		if err := CheckFileName(f.Name); err != nil {
			return nil, fmt.Errorf("damaged manifest %s: %w", ManifestName, err)
		}
	}
	return &m, nil
}

// CheckFileName refuses a name of a file of a snapshot that would lead out of it.
func CheckFileName(name string) error {
	parts := strings.Split(name, "/")
	if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool {
		return p == "" || p == "." || p == ".." || strings.ContainsAny(p, "\\\x00")
	}) {
		return fmt.Errorf("file name %q", name)
	}
	return nil
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

// settingsNames are the files of a data directory that a snapshot has beside the store. A site that
// is made meanwhile is in the second file at most, and then gets new keys after a restore; the other
// way round a start would miss a file that the first one names.
var settingsNames = []string{"keys.toml", "sites.toml"}

// CopySettings copies keys.toml and sites.toml from a data directory to another, if it has them.
func CopySettings(fs vfs.FS, from, to string) error {
	for _, name := range settingsNames {
		if _, err := copyFile(fs, fs.PathJoin(from, name), fs.PathJoin(to, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
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
