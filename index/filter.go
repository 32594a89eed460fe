// Filter: a Bloom filter over the terms of one column, never a wrong no. A term has
// one bit in each of the eight words of one line, which is a cache line; 40 rows a
// line, 12.8 bits a row, make about one wrong yes in three hundred. It is cut into
// small pages by the terms' hashes, so that asking reads one of them.

package index

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

const (
	filterLineBytes = 64
	filterLineTerms = 40

	// filterPageLines is small since the filters of many rows are in nobody's memory:
	// of pages of 16 KiB, twice as much time went into reading one.
	filterPageLines = 16
)

// filterPages are the pages of a filter that is being filled: lines of words, little
// endian.
type filterPages [][]byte

// newFilter makes a filter for so many terms.
func newFilter(terms int) filterPages {
	lines := max(1, (terms+filterLineTerms-1)/filterLineTerms)
	pages := (lines + filterPageLines - 1) / filterPageLines
	f := make(filterPages, pages)
	for i := range f {
		f[i] = make([]byte, (lines+pages-1)/pages*filterLineBytes)
	}
	return f
}

func (f filterPages) add(term []byte) {
	h := xxhash.Sum64(term)
	line := filterLine(f[filterPage(h, len(f))], h)
	for i := range filterLineBytes / 8 {
		word := line[8*i : 8*i+8]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)|filterBit(h, i))
	}
}

// filterPage is the page of a filter of so many in which a term's hash is.
func filterPage(h uint64, pages int) int {
	return int((h * 0x9e3779b97f4a7c15 >> 32) * uint64(pages) >> 32)
}

// filterLine is the line of a page in which a term's hash is, nil of a page without.
func filterLine(page []byte, h uint64) []byte {
	at := h >> 32 * uint64(len(page)/filterLineBytes) >> 32 * filterLineBytes
	return page[at:min(at+filterLineBytes, uint64(len(page)))]
}

// filterSalts are odd and otherwise at random: steps of one number instead would let
// hashes that are alike in the first words be alike in all.
var filterSalts = [filterLineBytes / 8]uint64{
	0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93, 0xa0761d6478bd642f,
	0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f,
}

// filterBit is the bit a term sets in the i-th word of its line.
func filterBit(h uint64, i int) uint64 { return 1 << (h * filterSalts[i] >> 58) }

// filterHas says whether a term with that hash may be in the filter the page is
// of. A page without a line says that it may.
func filterHas(page []byte, h uint64) bool {
	line := filterLine(page, h)
	for i := range len(line) / 8 {
		if binary.LittleEndian.Uint64(line[8*i:])&filterBit(h, i) == 0 {
			return false
		}
	}
	return true
}
