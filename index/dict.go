// Dictionary pages: the distinct cells of a column, in order, cut into pages
// that one read can afford.
//
//	+------+-----------+-------------------------------+-------+
//	| kind | count u32 | lengths or ends, little endian | bytes |
//	+------+-----------+-------------------------------+-------+
//
// kind 0: all cells have one length, given as u32. kind 1: ends as u16. kind 2:
// ends as u32.

package index

import "encoding/binary"

// DictPageBytes is about how many bytes of cells a dictionary page holds; a
// single larger cell has a page of its own.
const DictPageBytes = 16 << 10

// dictPageLen says how many of cells fill one page.
func dictPageLen(cells [][]byte) int {
	n, size := 0, 0
	for n < len(cells) && (n == 0 || size+len(cells[n]) <= DictPageBytes) {
		size += len(cells[n])
		n++
	}
	return n
}

func appendDict(dst []byte, cells [][]byte) []byte {
	same, size := true, 0
	for _, c := range cells {
		same = same && len(c) == len(cells[0])
		size += len(c)
	}
	kind := byte(1)
	if same {
		kind = 0
	} else if size > 1<<16-1 {
		kind = 2
	}
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(cells)))
	if kind == 0 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(cells[0])))
	}
	end := 0
	for _, c := range cells {
		end += len(c)
		switch kind {
		case 1:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(end))
		case 2:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(end))
		}
	}
	for _, c := range cells {
		dst = append(dst, c...)
	}
	return dst
}

// dictPage reads one dictionary page. The zero value is empty.
type dictPage struct {
	kind byte
	n    int
	size int // kind 0
	ends []byte
	data []byte
}

func parseDict(b []byte) (p dictPage, ok bool) {
	if len(b) < 5 || b[0] > 2 {
		return p, false
	}
	p.kind = b[0]
	n := binary.LittleEndian.Uint32(b[1:])
	b = b[5:]
	if n == 0 || uint64(n) > 1<<24 {
		return dictPage{}, false
	}
	p.n = int(n)
	switch p.kind {
	case 0:
		if len(b) < 4 {
			return dictPage{}, false
		}
		size := binary.LittleEndian.Uint32(b)
		p.size, p.data = int(size), b[4:]
		return p, uint64(size)*uint64(n) == uint64(len(p.data))
	default:
		w := 2 * int(p.kind)
		if len(b) < w*p.n {
			return dictPage{}, false
		}
		p.ends, p.data = b[:w*p.n], b[w*p.n:]
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
}

func (p *dictPage) end(i int) int {
	if p.kind == 1 {
		return int(binary.LittleEndian.Uint16(p.ends[2*i:]))
	}
	return int(binary.LittleEndian.Uint32(p.ends[4*i:]))
}

// cell returns the i-th cell; 0 <= i < n.
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
