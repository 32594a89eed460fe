// Markers: an empty file whose name points at another file must not outlive that file.

package wal

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markerFS syncs a directory before a marker is made in it. Pebble names its current
// manifest by an empty file, marker.manifest.N.MANIFEST-N, and syncs the directory once,
// after both are there. A file system that does not keep the order of unsynced entries
// may lose the manifest and keep the marker; then the store does not open. Engine's
// TestCrashInRecovery tries it.
type markerFS struct{ vfs.FS }

func (fs markerFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(fs.PathBase(name), "marker.") {
		if err := SyncDir(fs.FS, fs.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return fs.FS.Create(name, category)
}

func (fs markerFS) Unwrap() vfs.FS { return fs.FS }
