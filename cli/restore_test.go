package cli

import (
	"os"
	"path/filepath"
	"testing"

	"cairn/cli/config"
	"cairn/engine"
)

// The copies of deletions are found for a snapshot that lies among the others, and for one that an
// upgrade has made in the data directory. Without them, deleted events would come back.
func TestDeletionsAreFound(t *testing.T) {
	data := t.TempDir()
	copies := filepath.Join(data, "snapshots", engine.DeletionsName)
	if err := os.MkdirAll(copies, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, snapshot := range []string{"snapshots/snapshot-1", "before-version-5", "before-version-5/"} {
		if got := deletionsFor(config.Flags{}, filepath.Join(data, snapshot)); got != copies {
			t.Errorf("%s: %s", snapshot, got)
		}
	}
}
