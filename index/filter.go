// Filter: a Bloom filter over the terms of one column, 10 bits a row that has the
// column, 7 probes: about one wrong yes in a hundred, never a wrong no. It is cut
// into pages by the terms' hashes, so that asking reads one of them.

package index

import (
	"github.com/cespare/xxhash/v2"
)

const (
	filterBits      = 10
	filterProbes    = 7
	filterPageBytes = 16 << 10
)

// filterPages are the pages of a filter that is being filled: bits, little endian.
type filterPages [][]byte

// newFilter makes a filter for so many terms.
func newFilter(terms int) filterPages {
	bits := max(64, terms*filterBits)
	pages := (bits + filterPageBytes*8 - 1) / (filterPageBytes * 8)
	f := make(filterPages, pages)
	for i := range f {
		f[i] = make([]byte, (bits/pages+63)/64*8)
	}
	return f
}

func (f filterPages) add(term []byte) {
	h := xxhash.Sum64(term)
	page := f[filterPage(h, len(f))]
	bits, step := uint64(len(page))*8, h>>32|h<<32|1
	for range filterProbes {
		pos := h % bits
		page[pos/8] |= 1 << (pos % 8)
		h += step
	}
}

// filterPage is the page of a filter of so many in which a term's hash is.
func filterPage(h uint64, pages int) int {
	return int((h * 0x9e3779b97f4a7c15 >> 32) * uint64(pages) >> 32)
}

// filterHas says whether a term with that hash may be in the filter the page is
// of. A page of no bits says that it may.
func filterHas(page []byte, h uint64) bool {
	bits, step := uint64(len(page))*8, h>>32|h<<32|1
	if bits == 0 {
		return true
	}
	for range filterProbes {
		pos := h % bits
		if page[pos/8]&(1<<(pos%8)) == 0 {
			return false
		}
		h += step
	}
	return true
}
