// Upgrade: what a start does with a store of an older format version. It keeps a
// snapshot of the store as it is, then raises the version. Nothing else is changed:
// this cairn reads what every older one has written.

package store

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Upgrade raises the store's format version, which was from. An older cairn refuses
// the store from then on; it can restore the snapshot, which lies in the data
// directory under a name that no start uses twice.
//
// The store has so many events. dir is where the snapshot is.
func (s *Snapshots) Upgrade(from byte, events uint64) (dir string, err error) {
	if dir, err = s.keepOlder(events); err != nil {
		return "", fmt.Errorf("keep a snapshot of format version %d before it is raised to %d; the store is unchanged: %w", from, Version, err)
	}
	if err := s.DB.Set(Key("version"), []byte{Version}, pebble.Sync); err != nil {
		return "", fmt.Errorf("raise format version: %w", err)
	}
	return dir, nil
}

// keepOlder makes the snapshot and returns where it is. The snapshot of an interrupted
// upgrade is used again if no event has come since.
func (s *Snapshots) keepOlder(events uint64) (dir string, err error) {
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

// readManifest reads what a finished snapshot says of itself.
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
