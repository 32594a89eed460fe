// A filter of all known ids, so that a new id costs no read of Pebble.

package identity

import (
	"hash/maphash"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// idFilter is a Bloom filter that sets the bits of an id in one cache line. It is filled
// at open and grows by layers. When its memory is used up, its lines take more ids than
// they should: then it knows fewer and fewer of the ids that do not exist. In the end it
// knows none, and Pebble is asked as without a filter.
//
// It has no visits and no named sessions. Their ids are their ordinals, which the table
// has from other entries.
//
// The filters of runs (index/filter.go) differ: their format is frozen, their hash has no
// seed, and their size is known before the first term. bits-and-blooms/bloom spreads the
// bits of an id over all its memory, which has its full size from the start. It took 2.8
// times as long to add an id.
type idFilter struct {
	layers [][]uint64 // each is twice as large as the one before, but for the last
	free   int        // ids that still fit into the newest layer
	max    int        // words of all layers
	words  int        // of them in use
	over   int        // ids that were added when no other layer fitted
	full   bool       // it knows of no id any more that it does not exist
}

const (
	filterLine      = 8       // words
	filterLineIDs   = 40      // ids of a line: 512 bits, 12.8 for each id
	filterLineMost  = 120     // with more, nearly every id passes some layer
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
		if !numbered(it.Key()) {
			f.add(maphash.Bytes(seed, it.Key()))
		}
	}
	return it.Close()
}

// add adds the key of an id with that hash.
func (f *idFilter) add(h uint64) {
	if f.full {
		return
	}
	if f.free == 0 {
		f.grow()
	}
	layer := f.layers[len(f.layers)-1]
	switch {
	case f.free > 0:
		f.free--
	case f.over >= f.words/filterLine*(filterLineMost-filterLineIDs):
		f.full, f.layers = true, nil
		return
	default:
		layer = f.layerOf(f.over)
		f.over++
	}
	for i, line := 0, filterLineOf(layer, h); i < filterLine; i++ {
		line[i] |= filterBit(h, i)
	}
}

// grow adds a layer if there is memory for one.
func (f *idFilter) grow() {
	lines := min(filterFirstLine<<len(f.layers), (f.max-f.words)/filterLine)
	if len(f.layers) > 0 && lines < filterFirstLine {
		return
	}
	lines = max(1, lines)
	f.layers = append(f.layers, make([]uint64, lines*filterLine))
	f.words += lines * filterLine
	f.free = lines * filterLineIDs
}

// layerOf returns the layer that takes the n-th of the ids that are over. The layers take turns, each
// as often as it has lines.
func (f *idFilter) layerOf(n int) []uint64 {
	n %= f.words / filterLine
	for _, layer := range f.layers {
		if n -= len(layer) / filterLine; n < 0 {
			return layer
		}
	}
	return f.layers[0]
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
	n := uint64(len(layer) / filterLine) // far below 1<<32
	at := (h>>48*0x9e3779b1 ^ h) & (1<<32 - 1) * n >> 32 * filterLine
	return layer[at : at+filterLine]
}

// filterBit returns the bit that a key sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 {
	return 1 << (h * (2*uint64(i)*0x9e3779b97f4a7c15 + 0xbf58476d1ce4e5b9) >> 58)
}
