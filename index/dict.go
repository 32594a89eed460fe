// Dictionary pages: the distinct cells of a column, sorted, cut into pages of a size
// that a single lookup can afford to read.
//	+------+-----------+-------------------------------+-------+
//	| kind | count u32 | lengths or ends, little endian | bytes |
//	+------+-----------+-------------------------------+-------+
//
// Kind 0: all cells have the same length, given as u32. Kind 1: the ends as u16. Kind
// 2: the ends as u32. Kind 3 is how kind 0 is stored: the first bytes of all cells,
// then the second bytes and so on. The first bytes of sorted cells are nearly all the
// same and compress to almost nothing.

package index

import (
	"encoding/binary"
	"slices"
)

// DictPageBytes is about how many bytes of cells a dictionary page holds. It is small
// because reading one row reads one page in each of its columns. A single larger cell
// has a page of its own.
const DictPageBytes = 4 << 10

// dictCellsMax bounds how many cells a page may claim to have.
const dictCellsMax = 1 << 24

// appendDict appends a page of the cells. The i-th cell ends at ends[i].
func appendDict(dst, cells []byte, ends []uint32) []byte {
	n, size := len(ends), int(ends[0])
	same := len(cells) == n*size
	for i := 0; i < n && same; i++ {
		same = int(ends[i]) == (i+1)*size
	}
	kind := byte(1)
	if same {
		kind = 3
	} else if len(cells) > 1<<16-1 {
		kind = 2
	}
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	switch kind {
	case 1:
		for _, end := range ends {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(end))
		}
	case 2:
		for _, end := range ends {
			dst = binary.LittleEndian.AppendUint32(dst, end)
		}
	case 3:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
		start := len(dst)
		dst = slices.Grow(dst, len(cells))[:start+len(cells)]
		transpose(dst[start:], cells, n, size)
		return dst
	}
	return append(dst, cells...)
}

// transpose copies a matrix of rows×cols bytes from row order to column order.
func transpose(dst, src []byte, rows, cols int) {
	for c := range cols {
		column := dst[c*rows : (c+1)*rows]
		at := c
		for r := range column {
			column[r] = src[at]
			at += cols
		}
	}
}

// dictPage reads one dictionary page. The zero value is empty.
type dictPage struct {
	kind byte
	n    int
	size int // of a cell, in kind 0
	ends []byte
	data []byte
}

// openDict opens a page as it is stored. It checks the page, so that no later read
// leaves it, and turns kind 3 into kind 0. The page is a copy, in dst when its capacity
// is enough.
func openDict(dst, b []byte) (page []byte, ok bool) {
	if len(b) < 9 || b[0] != 3 {
		page = append(dst[:0], b...)
		_, ok = parseDict(page)
		return page, ok
	}
	cells, width, data := uint64(binary.LittleEndian.Uint32(b[1:])), uint64(binary.LittleEndian.Uint32(b[5:])), b[9:]
	if cells == 0 || cells > 1<<24 || cells*width != uint64(len(data)) {
		return dst, false
	}
	n, size := int(cells), int(width)
	page = append(slices.Grow(dst[:0], len(b)), b[:9]...)[:len(b)]
	page[0] = 0
	transpose(page[9:], data, size, n)
	_, ok = parseDict(page)
	return page, ok
}

// parseDict checks a page of kind 0, 1 or 2.
func parseDict(b []byte) (p dictPage, ok bool) {
	if len(b) < 9 || b[0] > 2 {
		return p, false
	}
	n := uint64(binary.LittleEndian.Uint32(b[1:]))
	if n == 0 || n > dictCellsMax {
		return p, false
	}
	if b[0] == 0 {
		size := uint64(binary.LittleEndian.Uint32(b[5:]))
		return trustedDict(b), size*n == uint64(len(b)-9)
	}
	if uint64(len(b)) < 5+2*uint64(b[0])*n {
		return p, false
	}
	p = trustedDict(b)
	last := 0
	for i := 0; i < p.n; i++ {
		e := p.end(i)
		if e < last {
			return dictPage{}, false
		}
		last = e
	}
	return p, last == len(p.data)
}

// trustedDict opens a page that parseDict has accepted.
func trustedDict(b []byte) dictPage {
	p := dictPage{kind: b[0], n: int(binary.LittleEndian.Uint32(b[1:]))}
	if p.kind == 0 {
		p.size, p.data = int(binary.LittleEndian.Uint32(b[5:])), b[9:]
		return p
	}
	ends := 5 + 2*int(p.kind)*p.n
	p.ends, p.data = b[5:ends], b[ends:]
	return p
}

func (p *dictPage) end(i int) int {
	if p.kind == 1 {
		return int(binary.LittleEndian.Uint16(p.ends[2*i:]))
	}
	return int(binary.LittleEndian.Uint32(p.ends[4*i:]))
}

// cell returns the i-th cell. 0 <= i < n.
func (p *dictPage) cell(i int) []byte {
	if p.kind == 0 {
		return p.data[i*p.size : (i+1)*p.size : (i+1)*p.size]
	}
	start := 0
	if i > 0 {
		start = p.end(i - 1)
	}
	e := p.end(i)
	return p.data[start:e:e]
}
