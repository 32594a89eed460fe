// Markers: what points at a file must not outlive it.

package wal

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MarkerFS syncs a directory before a marker is made in it. Pebble names its
// current manifest by an empty file, marker.manifest.N.MANIFEST-N, and syncs the
// directory once, after both are there. A file system that does not keep the
// order of unsynced entries may lose the manifest and keep the marker, and then
// the store does not open. Tried in TestCrashInRecovery.
type MarkerFS struct{ vfs.FS }

func (fs MarkerFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(fs.PathBase(name), "marker.") {
		if err := SyncDir(fs.FS, fs.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return fs.FS.Create(name, category)
}

func (fs MarkerFS) Unwrap() vfs.FS { return fs.FS }
