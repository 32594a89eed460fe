// Searching an integer page for values as it is packed, several at a time.

package index

import (
	"encoding/binary"
	"math/bits"
)

// equal sets the i-th bit of words for every i-th value of the page that is v.
func (p *intPage) equal(v int64, words []uint64) { p.equalIn(0, p.n, v, words) }

// equalIn sets the i-th bit of words for every i-th of the values from..to-1 that is v. from is
// the first value of a block.
//
// One load has at least 57 bits of a block, which are 57/width values. They are
// compared at once: the difference to as many copies of v has a zero field for each
// value that is v. Adding a field's largest number without the top bit carries into the
// top bit unless the lower bits are zero, and never carries into the next field.
func (p *intPage) equalIn(from, to int, v int64, words []uint64) {
	if p.kind == 0 {
		if v == p.base {
			setBits(words, 0, to-from)
		}
		return
	}
	for first := 0; first < to-from; first += blockLen {
		base, width, off := p.entry((from + first) / blockLen)
		n := min(blockLen, to-from-first)
		want := uint64(v) - uint64(p.base) - base
		switch {
		case width < 64 && want>>width != 0:
		case width == 0:
			setBits(words, first, n)
		case width > 28:
			for i := range n {
				if loadBits(p.data[off*16:], i*width, width) == want {
					words[(first+i)/64] |= 1 << ((first + i) % 64)
				}
			}
		default:
			f := fieldsOf(width)
			data, copies := p.data[off*16:], want*f.ones
			for i, pos := 0, 0; i < n; i, pos = i+f.n, pos+f.n*width {
				x := binary.LittleEndian.Uint64(data[pos>>3:])>>(pos&7) ^ copies
				same := ^((x & f.low) + f.low | x) & f.top
				for ; same != 0; same &= same - 1 {
					at := i + int(f.index[bits.TrailingZeros64(same)])
					if at >= n {
						break
					}
					at += first
					words[at/64] |= 1 << (at % 64)
				}
			}
		}
	}
}

// fields is the constants for the values of one width in a load.
type fields struct {
	n              int
	ones, low, top uint64    // in every field: the lowest bit, all bits but the top, the top bit
	index          [64]uint8 // by bit: the field that it is in
}

var allFields = func() (all [29]fields) {
	for width := 1; width < len(all); width++ {
		f := &all[width]
		f.n = 57 / width
		for i := range f.n {
			f.ones |= 1 << (i * width)
			f.top |= 1 << (i*width + width - 1)
			for bit := range width {
				f.index[i*width+bit] = uint8(i)
			}
		}
		f.low = f.top - f.ones
	}
	return all
}()

func fieldsOf(width int) *fields { return &allFields[width] }

// within sets the i-th bit of words for every i-th value of the page that lies in
// [from, to). In a column that is nearly ascending, the bounds of most blocks decide
// without a look at the values.
func (p *intPage) within(from, to int64, words []uint64) {
	if p.kind == 0 {
		if from <= p.base && p.base < to {
			setBits(words, 0, p.n)
		}
		return
	}
	var buf [blockLen]int64
	for first := 0; first < p.n; first += blockLen {
		base, width, _ := p.entry(first / blockLen)
		n := min(blockLen, p.n-first)
		lo := int64(uint64(p.base) + base)
		if width < 63 {
			hi := lo + int64(uint64(1)<<width-1)
			if hi >= lo && from <= lo && hi < to {
				setBits(words, first, n)
				continue
			}
			if hi >= lo && (hi < from || lo >= to) {
				continue
			}
		}
		p.decodeFrom(first, buf[:n])
		for i, v := range buf[:n] {
			if from <= v && v < to {
				words[(first+i)/64] |= 1 << ((first + i) % 64)
			}
		}
	}
}

// setBits sets n bits from first on.
func setBits(words []uint64, first, n int) {
	for ; n > 0 && first%64 != 0; first, n = first+1, n-1 {
		words[first/64] |= 1 << (first % 64)
	}
	for ; n >= 64; first, n = first+64, n-64 {
		words[first/64] = ^uint64(0)
	}
	if n > 0 {
		words[first/64] |= 1<<n - 1
	}
}
