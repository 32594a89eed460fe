// Upgrade: what a start does with a store of an older format version. It makes a snapshot of
// the store as it is, then raises the version. All that it adds is what the caller notes about
// the rows that older cairns wrote: this cairn reads them as they are.

package store

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Upgrade raises the store's format version to Version. from is the version it has, events
// is its number of events. note adds to the batch that raises the version. Upgrade first makes
// a snapshot in the data directory and returns the snapshot's directory. An older cairn no
// longer opens the store, but it can restore the snapshot.
func (s *Snapshots) Upgrade(from byte, events uint64, note func(*pebble.Batch) error) (dir string, err error) {
	if dir, err = s.snapshotOlder(events); err != nil {
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
func (s *Snapshots) snapshotOlder(events uint64) (dir string, err error) {
	fs := s.FS
	for n := 1; ; n++ {
		dir = fs.PathJoin(s.Dir, fmt.Sprintf("before-version-%d", Version))
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		m, err := readManifest(fs, dir)
		switch {
		case err == nil && m.Events == events:
			return dir, nil
		case errors.Is(err, os.ErrNotExist):
			if _, err := fs.Stat(dir); err != nil {
				_, err := s.Make(dir)
				return dir, err
			}
		}
	}
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
