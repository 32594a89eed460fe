// Upgrade: what a start does with a store of an older format version. It makes a snapshot of
// the store as it is, then raises the version. All that it adds is what the caller notes about
// the rows that older cairns wrote: this cairn reads them as they are. An older cairn that meets
// the store later finds the snapshot by its name, and names it in its refusal.

package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Upgrade raises the store's format version to Version. from is the version it has, events
// is its number of events. note adds to the batch that raises the version. Upgrade first makes
// a snapshot in the data directory and returns the snapshot's directory. An older cairn no
// longer opens the store, but it can restore the snapshot. room reports whether the disk has room
// for a number of bytes.
func (s *Snapshots) Upgrade(from byte, events uint64, room func(bytes int64) bool, note func(*pebble.Batch) error) (dir string, err error) {
	if dir, err = s.snapshotOlder(events, room); err != nil {
		return "", fmt.Errorf("keep a snapshot of format version %d before it is raised to %d; the store is unchanged: %w", from, Version, err)
	}
	b := s.DB.NewBatch()
	defer b.Close()
	if err := errors.Join(note(b), b.Set(Key("version"), []byte{Version}, nil)); err != nil {
		return "", fmt.Errorf("raise format version: %w", err)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return "", fmt.Errorf("raise format version: %w", err)
	}
	return dir, nil
}

// snapshotOlder makes the snapshot and returns its directory. If there is one of an
// interrupted upgrade with the same number of events, it returns that.
func (s *Snapshots) snapshotOlder(events uint64, room func(bytes int64) bool) (dir string, err error) {
	fs := s.FS
	for n := 1; ; n++ {
		dir = fs.PathJoin(s.Dir, fmt.Sprintf("%s%d", keptPrefix, Version))
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		m, err := readManifest(fs, dir)
		switch {
		case err == nil && m.Events == events:
			return dir, nil
		case errors.Is(err, os.ErrNotExist):
			if _, err := fs.Stat(dir); err == nil {
				continue
			}
			bytes, err := s.bytes()
			if err != nil {
				return "", err
			}
			if !room(bytes) {
				return "", fmt.Errorf("it takes %d bytes, and so much is not free", bytes)
			}
			_, err = s.Make(dir)
			return dir, err
		}
	}
}

// bytes returns how many bytes of the disk a snapshot in the data directory takes at once: those of
// the logs and lists, which are copied, and those of the tables if the file system has no links.
func (s *Snapshots) bytes() (n int64, err error) {
	fs, tables, table := s.FS, int64(0), ""
	store := Dir(fs, s.Dir)
	names, err := fs.List(store)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin(store, name))
		switch {
		case err != nil || info.IsDir(): // what was removed meanwhile takes nothing
		case strings.HasSuffix(name, ".sst"):
			tables, table = tables+info.Size(), name
		default:
			n += info.Size()
		}
	}
	if table == "" {
		return n, nil
	}
	try := fs.PathJoin(s.Dir, TmpName, linkName)
	if err := fs.Link(fs.PathJoin(store, table), try); err != nil {
		return n + tables, nil
	}
	return n, fs.Remove(try)
}

// keptPrefix begins the names of the snapshots that upgrades make. The version follows that the
// store was raised to. It must stay as it is: older cairns look for it.
const keptPrefix = "before-version-"

var keptName = regexp.MustCompile(`^` + keptPrefix + `(\d+)(-\d+)?$`)

// WayBack tells the operator of a store that a newer cairn has raised to a version that this one
// does not know how to go back. It names the newest snapshot that this cairn can restore, of those
// that were made before the version was raised. It returns "" if no newer cairn has made any.
func WayBack(fs vfs.FS, dir string) string {
	names, err := fs.List(dir)
	if err != nil {
		return ""
	}
	kept, newest, newer := "", &manifest{}, false
	for _, name := range names {
		match := keptName.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		if version, err := strconv.Atoi(match[1]); err != nil || version <= VersionNewest {
			continue
		}
		newer = true
		path := fs.PathJoin(dir, name)
		if m, err := readManifest(fs, path); err == nil && m.Created.After(newest.Created) && opens(fs, path) {
			kept, newest = path, m
		}
	}
	switch {
	case kept != "":
		return fmt.Sprintf("Before a newer cairn raised the version, it kept the store as it was, with %d events, at %s: %s. To go back, run %q and use NEW_DIR as the data directory. Events that came later are in the newer store only",
			newest.Events, newest.Created.Format(time.RFC3339), kept, "cairn restore "+kept+" NEW_DIR")
	case newer:
		return "The snapshots that newer cairns made before they raised the version are too new for this cairn as well"
	}
	return ""
}

// opens reports whether this cairn knows the version of a snapshot.
func opens(fs vfs.FS, dir string) bool {
	db, err := OpenPebble(Dir(fs, dir), ReadOnlyOptions(fs))
	if err != nil {
		return false
	}
	_, err = Read(db)
	return errors.Join(err, db.Close()) == nil
}

// readManifest reads the manifest of a finished snapshot.
func readManifest(fs vfs.FS, dir string) (*manifest, error) {
	f, err := fs.Open(fs.PathJoin(dir, ManifestName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, manifestBytesMax+1))
	if err != nil {
		return nil, err
	}
	return parseManifest(text)
}
