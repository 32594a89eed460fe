// Upgrade: what a start does with a store of an older format version. It keeps a
// snapshot of the store as it is, then raises the version. Nothing else is changed:
// this cairn reads what every older one has written.

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// upgrade raises the store's format version, which was from. An older cairn refuses
// the store from then on; it can restore the snapshot, which lies in the data
// directory under a name that no start uses twice.
func (e *Engine) upgrade(from byte) error {
	dir, err := e.keepOlder()
	if err != nil {
		return fmt.Errorf("keep a snapshot of format version %d before it is raised to %d; the store is unchanged: %w", from, storeVersion, err)
	}
	if err := e.db.Set(storeKey("version"), []byte{storeVersion}, pebble.Sync); err != nil {
		return fmt.Errorf("raise format version: %w", err)
	}
	e.log.Info("store: format version raised; an older cairn can restore the snapshot", "from", from, "to", storeVersion, "snapshot", dir)
	return nil
}

// keepOlder makes the snapshot and returns where it is. The snapshot of an interrupted
// upgrade is used again if no event has come since.
func (e *Engine) keepOlder() (dir string, err error) {
	fs := e.opts.FS
	for n := 1; ; n++ {
		dir = fs.PathJoin(e.opts.Dir, fmt.Sprintf("before-version-%d", storeVersion))
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		m, err := readManifest(fs, dir)
		switch {
		case err == nil && m.Events == e.total():
			return dir, nil
		case errors.Is(err, os.ErrNotExist):
			if _, err := fs.Stat(dir); err != nil {
				_, err := e.Snapshot(context.Background(), dir)
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
