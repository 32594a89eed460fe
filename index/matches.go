// Matches: which rows of a run have a code. The cache keeps them beside the pages they
// were found in. Rows of a run never change, so matches are valid as long as the run
// exists.

package index

import (
	"encoding/binary"
	"math/bits"
)

const (
	// unitRows is how many rows are searched, and cached, at a time.
	unitRows  = 1 << 16
	unitWords = unitRows / 64
)

// matchesKey names the matches of a code in one unit of a column. Such a page exists
// only in the cache.
func matchesKey(run uint64, col uint16, code uint32, unit int) pageKey {
	return pageKey{run, col, secMatches, uint32(unit)<<16 | code}
}

// markCode adds to b the rows from lo on that have the code. Row lo is number 0 of b.
// The column has a code for every row.
func (c *runColumn) markCode(code uint32, lo int, b *bitmap) {
	codes := c.codes.(*pagedInts)
	for at := lo; at < lo+b.n; {
		unit := at / unitRows
		start, end := unit*unitRows, min((unit+1)*unitRows, lo+b.n)
		words := b.words[(at-lo)/64 : (end-lo+63)/64]
		key := matchesKey(c.part.run.Run, c.num, code, unit)
		kept := []byte(nil)
		if code < 1<<16 {
			kept = c.part.run.cache.get(key)
		}
		switch {
		case kept != nil:
			orMatches(words, kept, at-start)
		case end-at > PageRows && code < 1<<16:
			if c.unit == nil {
				c.unit = new([unitWords]uint64)
			}
			clear(c.unit[:])
			for page := start / PageRows; page < (start+unitRows)/PageRows && page*PageRows < codes.n; page++ {
				codes.page(page).equal(int64(code), c.unit[(page*PageRows-start)/64:])
			}
			for i := range words {
				words[i] |= c.unit[(at-start)/64+i]
			}
			if c.part.err == nil {
				c.part.run.cache.put(key, packMatches(c.unit[:]))
			}
		default:
			for page := at / PageRows; page*PageRows < end; page++ {
				codes.page(page).equal(int64(code), b.words[(page*PageRows-lo)/64:])
			}
		}
		at = end
	}
	b.trim() // a unit may have more rows than b
}

// Matches are packed as a list of row numbers in 16 bits or as a bitmap, whichever is
// shorter. The first byte says which. nil means that the matches are not known.
const (
	matchesList   = 1
	matchesBitmap = 2
)

func packMatches(words []uint64) []byte {
	n := 0
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	if 2*n >= 8*len(words) {
		b := append(make([]byte, 0, 1+8*len(words)), matchesBitmap)
		for _, w := range words {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		return b
	}
	b := append(make([]byte, 0, 1+2*n), matchesList)
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			b = binary.LittleEndian.AppendUint16(b, uint16(i*64+bits.TrailingZeros64(w)))
		}
	}
	return b
}

// orMatches adds the packed matches from number first on to words. first is a multiple
// of 64.
func orMatches(words []uint64, packed []byte, first int) {
	kind, b := packed[0], packed[1:]
	if kind == matchesBitmap {
		b = b[first/8:]
		for i := range words {
			words[i] |= binary.LittleEndian.Uint64(b[8*i:])
		}
		return
	}
	for ; len(b) > 0; b = b[2:] {
		i := int(binary.LittleEndian.Uint16(b)) - first
		if uint(i) < uint(64*len(words)) {
			words[i/64] |= 1 << (i % 64)
		}
	}
}
