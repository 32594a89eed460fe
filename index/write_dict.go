// Writing the dictionary of a column: the cells of all sources, sorted and without
// repeats.

package index

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// dictHead is the next cell of a source. The heads are ordered by key and then by
// Compare, so that mostly two numbers decide which cell is next.
type dictHead struct {
	key uint64
	*dictSource
}

type dictSource struct {
	cells    cellCursor
	cell     []byte
	count    int
	lastCode int // the run's code of the previous cell; 0 = none
	remap    *codeMap
}

// dictionary writes the cells and what separates their pages. It learns how the codes of each
// source map to those of the run, and makes the pages of the starts. With c.most it writes nothing,
// and ends when there are more cells.
func (c *columnWriter) dictionary() {
	sums := keepPages(c.scratch, &c.starts)
	sums.add(0)
	dict := &c.dict
	dict.reset(func(page uint32, data []byte) { c.set(pageKey{c.run, c.num, secDict, page}, data) })
	dict.separate = c.separator
	if many := len(c.runWriter.sources) > 1; many {
		c.remap = make([]codeMap, len(c.sources))
	}
	skip := c.sharedPrefix()
	var heads []dictHead
	less := func(a, b *dictHead) bool {
		return a.key < b.key || a.key == b.key && c.format.Compare(a.cell, b.cell) < 0
	}
	// sift moves the first head, whose cell is new, to its place in the order.
	sift := func() {
		h, i := heads[0], 0
		for i+1 < len(heads) && less(&heads[i+1], &h) {
			heads[i] = heads[i+1]
			i++
		}
		heads[i] = h
	}
	// advance moves the first head on to its next cell.
	advance := func() {
		h := &heads[0]
		cell, count, ok := h.cells.next()
		if !ok {
			heads = slices.Delete(heads, 0, 1)
			return
		}
		if count < 1 {
			c.err = errCounts
			return
		}
		h.key, h.cell, h.count = c.format.order(cell, skip), cell, count
		sift()
	}
	for i, s := range c.sources {
		if s != nil {
			h := &dictSource{cells: s.cells()}
			if c.remap != nil {
				c.remap[i] = newCodeMap(s.card)
				h.remap = &c.remap[i]
			}
			heads = slices.Insert(heads, 0, dictHead{dictSource: h})
			advance()
		}
	}
	sum, last := int64(0), uint64(0)
	var term, before []byte
	var hashes []int64
	for len(heads) > 0 && c.err == nil && (c.most == 0 || c.h.card <= c.most) {
		key, cell := heads[0].key, heads[0].cell
		if len(cell) == 0 || key < last || key == last && len(before) > 0 && c.format.Compare(before, cell) >= 0 {
			c.err = errUnsorted
			break
		}
		last, before = key, append(before[:0], cell...)
		c.h.card++
		if c.most == 0 {
			dict.add(before)
		}
		if key < notScalar {
			c.h.scalars++
			if c.filter != nil {
				term = c.format.AppendTerm(term[:0], before)
				c.filter.add(term)
			}
		} else {
			hashes = c.format.leafHashes(hashes[:0], before)
			for _, hash := range hashes {
				c.leafSum += mix(hash, int64(c.h.card))
			}
		}
		rows := 0
		for len(heads) > 0 && heads[0].key == key && bytes.Equal(heads[0].cell, before) {
			h := heads[0].dictSource
			if h.lastCode == c.h.card {
				c.err = errUnsorted // twice in one source
				break
			}
			h.lastCode = c.h.card
			rows += h.count
			if h.remap != nil {
				h.remap.add(c.h.card)
			}
			advance()
		}
		sum += int64(rows)
		c.rowSum += uint64(rows) * mix(int64(c.h.card), 0)
		sums.add(sum)
	}
	sums.flush()
	if c.most > 0 {
		return
	}
	if sum != int64(c.h.present) && c.err == nil {
		c.err = errCounts
	}
	dict.flush()
	c.h.dict = slices.Clone(dict.firsts)
	cells := dict.separators
	dict.separators = nil
	dict.separate = nil
	dict.reset(func(page uint32, data []byte) { c.set(pageKey{c.run, c.num, secFirsts, page}, data) })
	for _, cell := range cells {
		dict.add(cell)
	}
	dict.flush()
	c.h.firsts = slices.Clone(dict.firsts)
}

// separatorShort is up to which length in bytes a first cell separates pages itself.
const separatorShort = 64

// separator returns what is written of a page's first cell, in new memory: a cell whose term
// is not above that of the first cell, and above that of the last cell of the page before.
// Readers only compare it with the term that they look for. It is short where the first cell
// is long: the first cells of a column of long texts are nearly all of it. Pages that do not
// begin with a scalar are never searched. last is nil for the first page.
func (c *columnWriter) separator(last, first []byte) []byte {
	switch {
	case len(first) <= separatorShort || c.version == 1:
		return bytes.Clone(first)
	case !c.format.Scalar(first):
		return bytes.Clone(first[:1])
	case !c.format.Text(first):
		return bytes.Clone(first)
	}
	c.first = c.format.AppendTerm(c.first[:0], first)
	n := 0
	if last != nil {
		c.last = c.format.AppendTerm(c.last[:0], last)
		for n < min(len(c.last), len(c.first)) && c.last[n] == c.first[n] {
			n++
		}
	}
	return c.format.AppendText(nil, string(c.first[:min(n+1, len(c.first))]))
}

// notScalar is the lowest key of a cell that is not a scalar.
const notScalar = 1 << 63

// order returns a number by which cells sort roughly: of two cells with different
// numbers the lower one comes first. skip is how many bytes the terms of all scalars
// share at their start.
func (f *Format) order(cell []byte, skip int) uint64 {
	if f.Scalar(cell) {
		return f.Key(cell, skip) >> 1
	}
	return notScalar | bigEndian(cell)>>1
}

// bigEndian returns the first eight bytes of b as a number, filled up with zeros. A
// lower string never has a higher number.
func bigEndian(b []byte) (n uint64) {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	for i, x := range b {
		n |= uint64(x) << (56 - 8*i)
	}
	return n
}

// sharedPrefix returns how many bytes the terms of all scalars of the column share at
// their start. The first and the last term of each source decide.
func (c *columnWriter) sharedPrefix() int {
	var p termPrefix
	for _, s := range c.sources {
		if s != nil {
			first, last := s.bounds()
			p.add(c.format, first)
			p.add(c.format, last)
		}
	}
	return p.n
}

// termPrefix is what the terms of some cells share at their start.
type termPrefix struct {
	first, term []byte
	n           int
	any         bool
}

// add takes one more cell; nil is ignored.
func (p *termPrefix) add(f *Format, cell []byte) {
	if cell == nil || p.any && p.n == 0 {
		return
	}
	p.term = f.AppendTerm(p.term[:0], cell)
	if !p.any {
		p.first, p.n, p.any = append(p.first, p.term...), len(p.term), true
		return
	}
	n := 0
	for n < min(p.n, len(p.term)) && p.term[n] == p.first[n] {
		n++
	}
	p.n = n
}

// dictWriter cuts cells into dictionary pages.
type dictWriter struct {
	emit       func(page uint32, data []byte)  // data is valid until emit returns
	separate   func(last, first []byte) []byte // makes a separator of two pages; nil = none are made
	n          int
	firsts     []int    // index of each page's first cell
	separators [][]byte // of each page from the page before
	cells      []byte   // of the page being filled
	ends       []uint32 // end of each of them
	last       []byte   // last cell of the page before
	page       []byte
}

// reset begins another dictionary.
func (w *dictWriter) reset(emit func(page uint32, data []byte)) {
	w.emit, w.n = emit, 0
	w.firsts, w.separators, w.cells, w.ends, w.last = w.firsts[:0], w.separators[:0], w.cells[:0], w.ends[:0], nil
}

func (w *dictWriter) add(cell []byte) {
	if len(w.cells)+len(cell) > DictPageBytes {
		w.flush()
	}
	if len(w.ends) == 0 {
		w.firsts = append(w.firsts, w.n)
		if w.separate != nil {
			w.separators = append(w.separators, w.separate(w.last, cell))
		}
	}
	w.cells = append(w.cells, cell...)
	w.ends = append(w.ends, uint32(len(w.cells)))
	w.n++
}

// flush ends the last page.
func (w *dictWriter) flush() {
	if len(w.ends) > 0 {
		w.page = appendDict(w.page[:0], w.cells, w.ends)
		w.emit(uint32(len(w.firsts)-1), w.page)
		start := uint32(0)
		if n := len(w.ends); n > 1 {
			start = w.ends[n-2]
		}
		w.last = w.cells[start:] // valid until the next cell is added
		w.cells, w.ends = w.cells[:0], w.ends[:0]
	}
}

// codeMap maps the codes of a source to those of the run. Both ascend, so mostly one
// byte for each is enough.
type codeMap struct {
	n     int
	last  int
	steps []byte // from each code to the next, uvarints
	marks []codeMark
}

// codeMark is where every codeMarkEvery-th step begins, and the code before it.
type codeMark struct{ at, code uint32 }

const codeMarkEvery = 32

func newCodeMap(card int) codeMap {
	return codeMap{steps: make([]byte, 0, card+card/16), marks: make([]codeMark, 0, card/codeMarkEvery+1)}
}

func (m *codeMap) add(code int) {
	if m.n%codeMarkEvery == 0 {
		m.marks = append(m.marks, codeMark{uint32(len(m.steps)), uint32(m.last)})
	}
	m.steps = binary.AppendUvarint(m.steps, uint64(code-m.last))
	m.n, m.last = m.n+1, code
}

// flat returns the run's codes by those of the source. Code 0 maps to 0. The result is
// in dst when its capacity is enough.
func (m *codeMap) flat(dst []uint32) []uint32 {
	dst = sized(dst, m.n+1)
	dst[0] = 0
	at, code := 0, uint64(0)
	for i := 1; i <= m.n; i++ {
		step := uint64(m.steps[at])
		w := 1
		if step >= 0x80 {
			step, w = binary.Uvarint(m.steps[at:])
		}
		at += w
		code += step
		dst[i] = uint32(code)
	}
	return dst
}

// at returns the run's code for code i of the source. 1 <= i <= n.
func (m *codeMap) at(i int) int64 {
	mark := m.marks[(i-1)/codeMarkEvery]
	at, code := int(mark.at), uint64(mark.code)
	for range (i-1)%codeMarkEvery + 1 {
		step, w := binary.Uvarint(m.steps[at:])
		at += w
		code += step
	}
	return int64(code)
}
