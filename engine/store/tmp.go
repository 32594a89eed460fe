// Temporary files: the next start removes those that a crash has left.

package store

import (
	"fmt"
	"regexp"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TemporaryFiles matches the names of cairn's temporary files: pairs spilled by queries, runs
// that are about to be added to the store, and a link that says whether there can be links.
var TemporaryFiles = regexp.MustCompile(`^(pairs-\d+|run-\d+\.sst|` + linkName + `)$`)

const linkName = "link"

// EmptyTmp makes the directory for temporary files, and removes the temporary files that an
// interrupted process left in it. Files with other names are not cairn's and stay.
func EmptyTmp(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !TemporaryFiles.MatchString(name) {
			continue
		}
		if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
			return fmt.Errorf("remove a temporary file: %w", err)
		}
	}
	return nil
}
