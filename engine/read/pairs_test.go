package read

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn/engine/identity"
	"cairn/engine/store"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

var drawnPairs = rapid.SliceOf(rapid.Custom(func(t *rapid.T) uint64 {
	return identity.PairOf(rapid.SampledFrom([]int{0, 1, 7, 8, 9, identity.PairRowsMax - 1}).Draw(t, "row"), rapid.SampledFrom([]uint64{1, 2, 300, 1 << 39, 1<<40 - 1}).Draw(t, "ordinal"))
}))

// Unpacking packed pairs returns the same pairs.
func TestPackPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := sortPairs(drawnPairs.Draw(t, "pairs"))
		if got := unpackPairs(nil, packPairs(want)); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// radixSort sorts like slices.Sort, for any number of pairs.
func TestRadixSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint64().Draw(t, "bits")
		got := make([]uint64, rapid.IntRange(1, 2000).Draw(t, "pairs"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range got {
			got[i] = random.Uint64() & bits
		}
		want := slices.Sorted(slices.Values(got))
		if radixSort(got); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// Each bag returns every pair added to it, once and in order, from memory and from the
// file. The bags here hold few pairs each and share a small budget.
func TestPairBagsAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := newTestPairBudget(vfs.NewMem(), rapid.IntRange(1, 40).Draw(t, "bag"))
		sp := budget{ctx: context.Background(), end: time.Now().Add(time.Hour), pairs: pairs}.spill()
		bags := make([]pairBag, 3)
		models := make([]map[uint64]bool, len(bags))
		for i := range bags {
			bags[i].spill, models[i] = sp, make(map[uint64]bool)
		}
		for range rapid.IntRange(0, 20).Draw(t, "times") {
			i := rapid.IntRange(0, len(bags)-1).Draw(t, "bag")
			for _, p := range drawnPairs.Draw(t, "pairs") {
				bags[i].add(p)
				models[i][p] = true
			}
		}
		for i := range bags {
			for range 2 { // each can be called repeatedly
				var got []uint64
				if err := bags[i].each(func(pairs []uint64) { got = append(got, pairs...) }); err != nil {
					t.Fatal(err)
				}
				if want := slices.Sorted(maps.Keys(models[i])); !slices.Equal(got, want) {
					t.Fatalf("%x, want %x", got, want)
				}
			}
			bags[i].empty()
		}
		if sp.close(); pairs.free.Load() != int64(4*pairs.bagPairs) {
			t.Fatalf("%d of %d pairs are free", pairs.free.Load(), 4*pairs.bagPairs)
		}
		if left, _ := pairs.fs.List(pairs.dir); len(left) > 0 {
			t.Fatalf("left over: %q", left)
		}
	})
}

// newTestPairBudget returns a budget of four times as many pairs as a bag may hold without
// reserving any.
func newTestPairBudget(fs vfs.FS, bag int) *pairBudget {
	if err := fs.MkdirAll(store.TmpName, 0o700); err != nil {
		panic(err)
	}
	return newPairBudget(&Options{FS: fs, Dir: store.TmpName, Disk: &wal.Disk{}, Pairs: 4 * bag})
}

// A bag needs much memory only for many different pairs, and an empty bag keeps little.
func TestPairBagMemory(t *testing.T) {
	sp := budget{ctx: context.Background(), end: time.Now().Add(time.Hour), pairs: newTestPairBudget(vfs.NewMem(), bagMax)}.spill()
	defer sp.close()
	bag := pairBag{spill: sp}
	for i := range 3 * bagMax {
		bag.add(uint64(i * 7 % (bagMax / 2)))
	}
	if len(bag.pairs) > bagMax || len(bag.runs) > 0 {
		t.Errorf("%d pairs in the bag, %d runs in the file", len(bag.pairs), len(bag.runs))
	}
	for i := range 9 * bagMax {
		bag.add(uint64(i))
	}
	if cap(bag.pairs) > 5*bagMax || len(bag.runs) == 0 {
		t.Errorf("memory for %d pairs in the bag, %d runs in the file", cap(bag.pairs), len(bag.runs))
	}
	if bag.empty(); cap(bag.pairs) > bagMax {
		t.Errorf("an empty bag has memory for %d pairs", cap(bag.pairs))
	}
}
