// Integer pages: up to PageRows int64 in frame-of-reference blocks, with random access.
//	+----------+-----------+--------+
//	| 0        | count u16 | base i64 |                         every value is base
//	+----------+-----------+--------+
//	| 1        | count u16 | base i64 | directory | bits | pad   blocks of 128
//	+----------+-----------+--------+
//
// The directory has one entry for each block: base u32 (added to the base of the page),
// width u8 (bits of a value), offset u16 (where its bits start, in units of 16 bytes).
// Kind 2 is kind 1 with a u64 base in the entry; it is for pages that span more than 32
// bits. A page ends with 8 bytes of padding, so that every read is one 64-bit load.
// Little endian.

package index

import (
	"encoding/binary"
	"math/bits"
)

// PageRows is how many values an integer page holds.
const PageRows = 8192

const (
	blockLen   = 128
	pageHeader = 1 + 2 + 8
)

// appendInts appends a page of the values. There are at most PageRows.
func appendInts(dst []byte, values []int64) []byte {
	var lo, hi int64
	for i, v := range values {
		if i == 0 || v < lo {
			lo = v
		}
		if i == 0 || v > hi {
			hi = v
		}
	}
	span := uint64(hi) - uint64(lo)
	if span == 0 {
		return appendConstant(dst, lo, len(values))
	}
	kind := byte(1)
	if span > 1<<32-1 {
		kind = 2
	}
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(values)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(lo))
	blocks := (len(values) + blockLen - 1) / blockLen
	entry := entrySize(kind)
	dir := len(dst)
	dst = append(dst, make([]byte, blocks*entry)...)
	data := len(dst)
	for b := 0; b < blocks; b++ {
		vs := values[b*blockLen : min((b+1)*blockLen, len(values))]
		base, top := vs[0], vs[0]
		for _, v := range vs[1:] {
			base, top = min(base, v), max(top, v)
		}
		width := bits.Len64(uint64(top) - uint64(base))
		for (len(dst)-data)%16 != 0 {
			dst = append(dst, 0)
		}
		e := dst[dir+b*entry:]
		rel := uint64(base) - uint64(lo)
		if kind == 1 {
			binary.LittleEndian.PutUint32(e, uint32(rel))
			e = e[4:]
		} else {
			binary.LittleEndian.PutUint64(e, rel)
			e = e[8:]
		}
		e[0] = byte(width)
		binary.LittleEndian.PutUint16(e[1:], uint16((len(dst)-data)/16))
		dst = appendBits(dst, vs, base, width)
	}
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}

// appendConstant appends a page of n times v.
func appendConstant(dst []byte, v int64, n int) []byte {
	dst = binary.LittleEndian.AppendUint16(append(dst, 0), uint16(n))
	return binary.LittleEndian.AppendUint64(dst, uint64(v))
}

func entrySize(kind byte) int {
	if kind == 1 {
		return 4 + 1 + 2
	}
	return 8 + 1 + 2
}

func appendBits(dst []byte, vs []int64, base int64, width int) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64
	var have int
	for _, v := range vs {
		x := uint64(v) - uint64(base)
		acc |= x << have
		if have+width >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			acc = 0
			if have > 0 {
				acc = x >> (64 - have)
			}
			have += width - 64
			if have == 0 {
				acc = 0
			}
			continue
		}
		have += width
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// intPage reads one integer page. The zero value and a damaged page are empty.
type intPage struct {
	kind byte
	n    int
	base int64
	dir  []byte
	data []byte
}

// parseInts checks a page, so that no later read leaves it.
func parseInts(b []byte) (p intPage, ok bool) {
	if len(b) < pageHeader || b[0] > 2 {
		return p, false
	}
	n := int(binary.LittleEndian.Uint16(b[1:]))
	if n > PageRows {
		return p, false
	}
	if b[0] == 0 {
		return trustedInts(b), len(b) == pageHeader
	}
	if blocks := (n + blockLen - 1) / blockLen; len(b) < pageHeader+blocks*entrySize(b[0])+8 {
		return p, false
	}
	p = trustedInts(b)
	for i := 0; i*blockLen < n; i++ {
		_, width, off := p.entry(i)
		if width > 64 || off*16+(min(blockLen, n-i*blockLen)*width+7)/8+8 > len(p.data) {
			return intPage{}, false
		}
	}
	return p, true
}

// trustedInts opens a page that parseInts has accepted.
func trustedInts(b []byte) intPage {
	p := intPage{kind: b[0], n: int(binary.LittleEndian.Uint16(b[1:])), base: int64(binary.LittleEndian.Uint64(b[3:]))}
	if p.kind != 0 {
		data := pageHeader + (p.n+blockLen-1)/blockLen*entrySize(p.kind)
		p.dir, p.data = b[pageHeader:data], b[data:]
	}
	return p
}

func (p *intPage) entry(block int) (base uint64, width, off int) {
	if p.kind == 1 {
		e := p.dir[block*7:]
		return uint64(binary.LittleEndian.Uint32(e)), int(e[4]), int(binary.LittleEndian.Uint16(e[5:]))
	}
	e := p.dir[block*11:]
	return binary.LittleEndian.Uint64(e), int(e[8]), int(binary.LittleEndian.Uint16(e[9:]))
}

// at returns the i-th value. 0 <= i < n.
func (p *intPage) at(i int) int64 {
	if p.kind == 0 {
		return p.base
	}
	base, width, off := p.entry(i / blockLen)
	return int64(uint64(p.base) + base + loadBits(p.data[off*16:], (i%blockLen)*width, width))
}

// pick sets to[i] to the value of rows[i]. The rows are of a column of which this is one page.
func (p *intPage) pick(rows []int32, to []int64) {
	if p.kind == 0 {
		for i := range rows {
			to[i] = p.base
		}
		return
	}
	to = to[:len(rows)]
	for i := 0; i < len(rows); {
		block := uint32(rows[i]) % PageRows / blockLen
		base, width, off := p.entry(int(block))
		base += uint64(p.base)
		data := p.data[off*16:]
		if width > 57 {
			for ; i < len(rows) && uint32(rows[i])%PageRows/blockLen == block; i++ {
				to[i] = int64(base + loadBits(data, int(uint32(rows[i])%blockLen)*width, width))
			}
			continue
		}
		mask, w := uint64(1)<<width-1, uint32(width)
		for ; i < len(rows) && uint32(rows[i])%PageRows/blockLen == block; i++ {
			pos := uint32(rows[i]) % blockLen * w
			to[i] = int64(base + binary.LittleEndian.Uint64(data[pos>>3:])>>(pos&7)&mask)
		}
	}
}

// decode writes all values to dst[:n].
func (p *intPage) decode(dst []int64) { p.decodeFrom(0, dst[:p.n]) }

// decodeFrom fills dst with the values from first on. first is the first of a block,
// and the page has len(dst) values from there.
func (p *intPage) decodeFrom(first int, dst []int64) {
	if p.kind == 0 {
		for i := range dst {
			dst[i] = p.base
		}
		return
	}
	for b := first / blockLen; len(dst) > 0; b++ {
		base, width, off := p.entry(b)
		base += uint64(p.base)
		out := dst[:min(blockLen, len(dst))]
		dst = dst[len(out):]
		if width == 0 {
			for i := range out {
				out[i] = int64(base)
			}
			continue
		}
		data := p.data[off*16:]
		if width > 57 {
			for i := range out {
				out[i] = int64(base + loadBits(data, i*width, width))
			}
			continue
		}
		mask, w, pos := uint64(1)<<width-1, uint(width), 0
		switch { // a narrow value lies in one load, and one load has several of the narrowest
		case width <= 7:
			for ; len(out) >= 8; out, pos = out[8:], pos+8*width {
				x, o := binary.LittleEndian.Uint64(data[pos>>3:]), (*[8]int64)(out)
				o[0] = int64(base + x&mask)
				o[1] = int64(base + x>>(w&63)&mask)
				o[2] = int64(base + x>>(2*w&63)&mask)
				o[3] = int64(base + x>>(3*w&63)&mask)
				o[4] = int64(base + x>>(4*w&63)&mask)
				o[5] = int64(base + x>>(5*w&63)&mask)
				o[6] = int64(base + x>>(6*w&63)&mask)
				o[7] = int64(base + x>>(7*w&63)&mask)
			}
		case width <= 14:
			for ; len(out) >= 4; out, pos = out[4:], pos+4*width {
				x, o := binary.LittleEndian.Uint64(data[pos>>3:])>>(pos&7), (*[4]int64)(out)
				o[0] = int64(base + x&mask)
				o[1] = int64(base + x>>(w&63)&mask)
				o[2] = int64(base + x>>(2*w&63)&mask)
				o[3] = int64(base + x>>(3*w&63)&mask)
			}
		}
		for i := 0; i < len(out); i, pos = i+1, pos+width {
			out[i] = int64(base + binary.LittleEndian.Uint64(data[pos>>3:])>>(pos&7)&mask)
		}
	}
}

// loadBits reads width bits at bit pos. At least 8 bytes after the last one are
// readable.
func loadBits(b []byte, pos, width int) uint64 {
	if width == 0 {
		return 0
	}
	shift := pos & 7
	x := binary.LittleEndian.Uint64(b[pos>>3:]) >> shift
	if width+shift > 64 {
		x |= uint64(b[pos>>3+8]) << (64 - shift)
	}
	if width == 64 {
		return x
	}
	return x & (1<<width - 1)
}
