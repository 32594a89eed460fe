// Filter: a Bloom filter over the terms of one column, 10 bits a term, 7 probes:
// about one wrong yes in a hundred, never a wrong no.

package index

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

const (
	filterBits   = 10
	filterProbes = 7
)

// buildFilter lays out: bits as u64 little endian.
func buildFilter(terms []string) []byte {
	bits := uint64(max(64, len(terms)*filterBits)+63) &^ 63
	f := make([]byte, bits/8)
	for _, t := range terms {
		h := xxhash.Sum64String(t)
		step := h>>32 | h<<32 | 1
		for i := 0; i < filterProbes; i++ {
			pos := h % bits
			f[pos/8] |= 1 << (pos % 8)
			h += step
		}
	}
	return binary.LittleEndian.AppendUint64(f, bits)
}

// filterHas says whether the term may be there.
func filterHas(f []byte, term string) bool {
	if len(f) < 16 {
		return true
	}
	bits := binary.LittleEndian.Uint64(f[len(f)-8:])
	if bits/8 != uint64(len(f)-8) {
		return true
	}
	h := xxhash.Sum64String(term)
	step := h>>32 | h<<32 | 1
	for i := 0; i < filterProbes; i++ {
		pos := h % bits
		if f[pos/8]&(1<<(pos%8)) == 0 {
			return false
		}
		h += step
	}
	return true
}
