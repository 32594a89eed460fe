package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a crash leaves of a snapshot is removed, and nothing else.
func TestRemovePartial(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name string
		mark string // "-" = no file; otherwise what is in it
		more bool   // something else is in it
		old  bool
		goes bool
	}{
		{"own.partial", "/data", true, false, true},
		{"others.partial", "/other", true, true, false},
		{"empty.partial", "-", false, true, true},
		{"begun.partial", "-", false, false, false},
		{"unmarked.partial", "-", true, true, false},
		{"empty", "-", false, true, false},
	} {
		part := filepath.Join(dir, c.name)
		if err := os.Mkdir(part, 0o700); err != nil {
			t.Fatal(err)
		}
		if c.mark != "-" {
			if err := os.WriteFile(filepath.Join(part, partialName), []byte(c.mark), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.more {
			if err := os.WriteFile(filepath.Join(part, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.old {
			if err := os.Chtimes(part, old, old); err != nil {
				t.Fatal(err)
			}
		}
		if err := RemovePartial(vfs.Default, dir, "/data"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(part); os.IsNotExist(err) != c.goes {
			t.Errorf("%s: %v, want removed %v", c.name, err, c.goes)
		}
	}
}
