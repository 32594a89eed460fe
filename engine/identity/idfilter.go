// A filter over all known ids, so that a new one costs no look into Pebble.

package identity

import (
	"hash/maphash"
	"math/bits"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// idFilter is a Bloom filter of one cache line an id. It is filled at open and
// grows by layers; once its memory is used up it answers "maybe" to everything
// and Pebble is asked, as it would be without it.
type idFilter struct {
	seed   maphash.Seed
	layers [][]uint64 // each twice the one before, up to an eighth of all; in lines of 8 words
	free   int        // ids the newest layer still takes
	max    int        // words in all
	words  int
	full   bool
}

const (
	filterLine      = 8  // words
	filterLineIDs   = 40 // ids a line takes: 512 bits, 12.8 an id
	filterFirstLine = 1 << 10
)

func newIDFilter(bytes int64) *idFilter {
	return &idFilter{seed: maphash.MakeSeed(), max: int(bytes / 8)}
}

// load adds every id of the store.
func (f *idFilter) load(r pebble.Reader) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixID}, UpperBound: []byte{store.PrefixID + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && !f.full; ok = it.Next() {
		f.add(it.Key())
	}
	return it.Close()
}

func (f *idFilter) add(key []byte) {
	if f.full {
		return
	}
	if f.free == 0 {
		lines := min(filterFirstLine<<len(f.layers), max(filterFirstLine, 1<<bits.Len(uint(f.max/filterLine/16))))
		if f.words+lines*filterLine > f.max {
			f.full, f.layers = true, nil
			return
		}
		f.layers = append(f.layers, make([]uint64, lines*filterLine))
		f.words += lines * filterLine
		f.free = lines * filterLineIDs
	}
	f.free--
	h := maphash.Bytes(f.seed, key)
	line := filterLineOf(f.layers[len(f.layers)-1], h)
	for i := range line {
		line[i] |= filterBit(h, i)
	}
}

// maybe reports false only for an id that was never added.
func (f *idFilter) maybe(key []byte) bool {
	if f.full {
		return true
	}
	h := maphash.Bytes(f.seed, key)
next:
	for _, layer := range f.layers {
		for i, w := range filterLineOf(layer, h) {
			if w&filterBit(h, i) == 0 {
				continue next
			}
		}
		return true
	}
	return false
}

func filterLineOf(layer []uint64, h uint64) []uint64 {
	n := uint64(len(layer) / filterLine) // a power of two
	at := (h>>48*0x9e3779b1 ^ h) & (n - 1) * filterLine
	return layer[at : at+filterLine]
}

// filterBit is the bit an id sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 {
	return 1 << (h * (2*uint64(i)*0x9e3779b97f4a7c15 + 0xbf58476d1ce4e5b9) >> 58)
}
