package engine

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var drawnPairs = rapid.SliceOf(rapid.Custom(func(t *rapid.T) uint64 {
	return pairOf(rapid.SampledFrom([]int{0, 1, 7, 8, 9, pairRowsMax - 1}).Draw(t, "row"), rapid.SampledFrom([]uint64{1, 2, 300, 1 << 39, 1<<40 - 1}).Draw(t, "ordinal"))
}))

// Packed pairs are the pairs.
func TestPackPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := sortPairs(drawnPairs.Draw(t, "pairs"))
		if got := unpackPairs(nil, packPairs(want)); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// Pairs are sorted the same however many they are.
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

// However pairs come together, in lists and under other numbers of rows, they are
// a set.
func TestPairListsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lists pairLists
		model := map[uint64]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "lists") {
			var bag pairBag
			for _, p := range drawnPairs.Draw(t, "pairs") {
				if row, _ := splitPair(p); row < 10 {
					bag.add(p)
				}
			}
			pairs := sortPairs(bag.pairs)
			numbers := rapid.Permutation([]int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}).Draw(t, "numbers")
			rows := make(map[int]int)
			table := make([]int, 10)
			for _, p := range pairs {
				row, ord := splitPair(p)
				if _, ok := rows[row]; !ok {
					rows[row] = numbers[len(rows)]
					table[row] = rows[row]
				}
				model[pairOf(rows[row], ord)] = true
			}
			lists.add(renumber(nil, pairs, table))
		}
		if got, want := lists.all(), slices.Sorted(maps.Keys(model)); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// A bag gives back what came into it, also when it had to sort out.
func TestPairBag(t *testing.T) {
	var bag pairBag
	for i := range 3 * bagMax {
		bag.add(uint64(i * 7 % (bagMax / 2)))
	}
	if len(bag.pairs) > bagMax {
		t.Errorf("%d pairs in the bag", len(bag.pairs))
	}
	if pairs := sortPairs(bag.pairs); len(pairs) != bagMax/2 || pairs[0] != 0 || pairs[len(pairs)-1] != bagMax/2-1 {
		t.Errorf("%d pairs", len(pairs))
	}
	if bag.empty(); len(bag.pairs) != 0 {
		t.Errorf("%d pairs left", len(bag.pairs))
	}
}
