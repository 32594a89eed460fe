// A filter of all known ids, so that a new id costs no read of Pebble.

package identity

import (
	"hash/maphash"
	"math/bits"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// idFilter is a Bloom filter that sets the bits of an id in one cache line. It is filled
// at open and grows by layers. When its memory is used up, it answers that it may contain
// every id, and Pebble is asked as without a filter.
//
// The filters of runs (index/filter.go) differ: their format is frozen, their hash has no
// seed, and their size is known before the first term. bits-and-blooms/bloom spreads the
// bits of an id over all its memory, which has its full size from the start. It took 2.8
// times as long to add an id.
type idFilter struct {
	layers [][]uint64 // each is twice as large as the one before, up to an eighth of max
	free   int        // ids that still fit into the newest layer
	max    int        // words of all layers
	words  int        // of them in use
	full   bool       // there was no space for another layer
}

const (
	filterLine      = 8       // words
	filterLineIDs   = 40      // ids of a line: 512 bits, 12.8 for each id
	filterFirstLine = 1 << 10 // lines of the first layer
)

// newIDFilter returns an empty filter that takes at most that many bytes.
func newIDFilter(bytes int64) *idFilter {
	return &idFilter{max: int(bytes / 8)}
}

// load adds the key of every stored id. seed is that of the hashes.
func (f *idFilter) load(r pebble.Reader, seed maphash.Seed) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixID}, UpperBound: []byte{store.PrefixID + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && !f.full; ok = it.Next() {
		f.add(maphash.Bytes(seed, it.Key()))
	}
	return it.Close()
}

// add adds the key of an id with that hash.
func (f *idFilter) add(h uint64) {
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
	line := filterLineOf(f.layers[len(f.layers)-1], h)
	for i := range line {
		line[i] |= filterBit(h, i)
	}
}

// mayContain returns false only for the hash of a key that was never added.
func (f *idFilter) mayContain(h uint64) bool {
	if f.full {
		return true
	}
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

// filterLineOf returns the line of a key with that hash.
func filterLineOf(layer []uint64, h uint64) []uint64 {
	n := uint64(len(layer) / filterLine) // a power of two
	at := (h>>48*0x9e3779b1 ^ h) & (n - 1) * filterLine
	return layer[at : at+filterLine]
}

// filterBit returns the bit that a key sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 {
	return 1 << (h * (2*uint64(i)*0x9e3779b97f4a7c15 + 0xbf58476d1ce4e5b9) >> 58)
}
