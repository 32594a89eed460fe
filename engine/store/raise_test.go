package store

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Deletions, imports and sinks raise the version at the same time: the store has the newest of theirs.
func TestRaise(t *testing.T) {
	t.Parallel()
	for range 50 {
		db, err := pebble.Open("store", &pebble.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if err := Raise(db, []byte{VersionSinks, VersionDeletions}[i%2]); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if version, err := Get(db, Key("version")); err != nil || len(version) != 1 || version[0] != VersionSinks {
			t.Fatalf("version %v, %v", version, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
