// The manifest names the tables of the store, and a start removes every other table. So a
// store with a damaged manifest is refused, and nothing in it changes.

package engine_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/store"
)

// Each byte of the manifest is flipped in turn, in a store that knows how long its manifest
// is and in one of an older cairn, which does not.
func TestDamagedManifest(t *testing.T) {
	t.Parallel()
	w, good, want := closedStore(t)
	var manifest string
	for _, name := range good.names() {
		if strings.HasPrefix(name, "store/MANIFEST-") && name > manifest {
			manifest = name
		}
	}
	older := files{}
	for name, data := range good {
		if !strings.HasPrefix(name, store.SpareName+"/") {
			older[name] = data
		}
	}
	stride := 5
	if testing.Short() {
		stride = 37
	}
	for name, from := range map[string]files{"marked": good, "of an older cairn": older} {
		refused, lastRecord := 0, 0
		for at := 0; at < len(good[manifest]); at += stride {
			data := slices.Clone(good[manifest])
			data[at] ^= 1
			bad := from.with(manifest, data)
			fs := bad.mem(t)
			options := w.options(fs, rand.New(rand.NewPCG(8, 3)))
			e, err := engine.Open(options)
			if err != nil {
				refused++
				if d := store.Damaged(err); d == nil || !strings.Contains(err.Error(), "cairn repair") {
					t.Fatalf("%s, byte %d: %v does not name a file and a next step", name, at, err)
				}
				for _, n := range bad.differ(readFiles(t, fs, "data")) {
					if n != "store/LOCK" {
						t.Fatalf("%s, byte %d: %s has changed", name, at, n)
					}
				}
				continue
			}
			// Without a mark the newest record may look torn. Then nothing may be missing.
			lines, err := visibleLines(e, w.sites)
			if err != nil || !slices.Equal(lines, want) {
				t.Fatalf("%s, byte %d: the store opens, and %d of %d lines are as before, %v", name, at, same(lines, want), len(want), err)
			}
			lastRecord++
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d refused, %d opened", name, refused, lastRecord)
		if refused == 0 || name == "marked" && lastRecord > 0 {
			t.Errorf("%s: %d refused, %d opened", name, refused, lastRecord)
		}
	}
}
