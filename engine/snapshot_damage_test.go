// Snapshots: damage of any file of one is found, what a killed snapshot leaves is removed, and
// a snapshot does not read tables whose sums are known.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"cairn/engine"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	fs := good.mem(t)
	e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(8, 3))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Snapshot(context.Background(), "data/snapshots/one"); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	snapshot := readFiles(t, fs, "data/snapshots/one")
	if err := store.Restore(restorable(t, snapshot), "snapshot", "restored", nil); err != nil {
		t.Fatal(err)
	}
	refuse := func(what, name string, data []byte) {
		t.Helper()
		fs := restorable(t, snapshot.with(name, data))
		if err := store.Restore(fs, "snapshot", "restored", nil); err == nil {
			t.Errorf("%s of %s: it restores", what, name)
		} else if !strings.Contains(err.Error(), name) && name != store.ManifestName && !strings.Contains(err.Error(), "manifest") {
			t.Errorf("%s of %s: %v names no file", what, name, err)
		}
	}
	manifest := snapshot[store.ManifestName]
	for at := range manifest {
		data := append([]byte{}, manifest...)
		data[at] ^= 1
		refuse(fmt.Sprintf("byte %d flipped", at), store.ManifestName, data)
		if at < len(manifest)-1 { // the last byte is a line break
			refuse(fmt.Sprintf("cut to %d bytes", at), store.ManifestName, append([]byte{}, manifest[:at]...))
		}
	}
	refuse("deleted", store.ManifestName, nil)
	trials := *damageTrials / 3
	for i := range trials {
		what, name, data := harm(rand.New(rand.NewPCG(*damageSeed+uint64(i), 78)), snapshot)
		refuse(what, name, data)
	}
	// The manifest of an older cairn has no sum.
	older := string(manifest)
	i := strings.Index(older, ",\n  \"sum\"")
	if i < 0 {
		t.Fatal("the manifest has no sum")
	}
	if err := store.Restore(restorable(t, snapshot.with(store.ManifestName, []byte(older[:i]+"\n}\n"))), "snapshot", "restored", nil); err != nil {
		t.Errorf("a manifest without a sum: %v", err)
	}
}

// restorable is a file system with the files of a snapshot.
func restorable(t *testing.T, snapshot files) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	snapshot.write(t, fs, "snapshot")
	return fs
}

// A snapshot of a killed process is removed by the next one, if it is of the same data
// directory. Other directories stay.
func TestUnfinishedSnapshots(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	fs := good.mem(t)
	files{
		"old.partial/PARTIAL": []byte("data"), "old.partial/store/1.sst": []byte("x"),
		"other.partial/PARTIAL": []byte("/elsewhere"), "mine.partial/notes": []byte("x"), "PARTIAL": []byte("data"),
	}.write(t, fs, "data/snapshots")
	e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(8, 3))))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Snapshot(context.Background(), "data/snapshots/one"); err != nil {
		t.Fatal(err)
	}
	left := readFiles(t, fs, "data/snapshots")
	for name, want := range map[string]bool{"old.partial/store/1.sst": false, "other.partial/PARTIAL": true, "mine.partial/notes": true, "PARTIAL": true, "one/PARTIAL": false} {
		if _, is := left[name]; is != want {
			t.Errorf("%s is there: %t", name, is)
		}
	}
}

// The sums of tables are known from when they were written: a snapshot reads no table whole,
// not even after a restart.
func TestSnapshotReadsNoTables(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	var read atomic.Int64
	var counting atomic.Bool
	fs := errorfs.Wrap(good.mem(t), errorfs.InjectorFunc(func(op errorfs.Op) error {
		// A table is opened from the beginning to the end only to compute its sum.
		if op.Kind == errorfs.OpFileRead && strings.HasSuffix(op.Path, ".sst") && counting.Load() {
			read.Add(1)
		}
		return nil
	}))
	e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(8, 3))))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	counting.Store(true)
	if _, err := e.Snapshot(context.Background(), "data/snapshots/one"); err != nil {
		t.Fatal(err)
	}
	if n := read.Load(); n > 0 {
		t.Errorf("%d reads of whole tables", n)
	}
	counting.Store(false)
	if _, err := store.VerifySnapshot(vfs.FS(fs), "data/snapshots/one"); err != nil {
		t.Error(err)
	}
}
