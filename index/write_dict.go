// Writing the dictionary of a column: the sorted cells of all sources, each once.

package index

import (
	"bytes"
	"slices"
	"sort"
)

// dictHead is a source's next cell.
type dictHead struct {
	*columnSource
	source int
	code   uint32
	cell   []byte
}

func (h *dictHead) pull() bool {
	h.code++
	if int(h.code) > h.card {
		return false
	}
	h.cell = h.columnSource.cell(h.code)
	return true
}

// dictionary writes the cells and their first ones, learns how the codes of the
// sources become those of the run, and returns the pages of the starts.
func (c *columnWriter) dictionary() (starts [][]byte) {
	sums := &intsWriter{emit: func(_ uint32, data []byte) { starts = append(starts, data) }}
	sums.add(0)
	dict := &dictWriter{emit: func(page uint32, data []byte) { c.set(pageKey{c.run, c.num, secDict, page}, data) }}
	var heads []*dictHead
	for i, s := range c.sources {
		if s != nil {
			if h := (&dictHead{columnSource: s, source: i}); h.pull() {
				heads = append(heads, h)
			}
		}
	}
	if many := len(c.runWriter.sources) > 1; many {
		c.remap = make([]packedInts, len(c.sources))
	}
	// The heads stay in order of their cells, so that the next cell is found in a few
	// comparisons.
	put := func(h *dictHead, among []*dictHead) []*dictHead {
		i := sort.Search(len(among), func(i int) bool { return c.format.Compare(among[i].cell, h.cell) >= 0 })
		return slices.Insert(among, i, h)
	}
	sorted := heads[:0:0]
	for _, h := range heads {
		sorted = put(h, sorted)
	}
	heads = sorted
	sum := int64(0)
	var term, before []byte
	same := make([]*dictHead, 0, len(heads))
	for len(heads) > 0 && c.err == nil {
		if len(heads[0].cell) == 0 || c.h.card > 0 && c.format.Compare(before, heads[0].cell) >= 0 {
			c.err = errUnsorted
			break
		}
		before = append(before[:0], heads[0].cell...)
		cell := before
		c.h.card++
		dict.add(cell)
		if c.format.Scalar(cell) {
			c.h.scalars++
			if c.filter != nil {
				term = c.format.AppendTerm(term[:0], cell)
				c.filter.add(term)
			}
		} else {
			c.format.Leaves(cell, func(path, term string) bool {
				c.leafSum += mix(leafHash(path, term), int64(c.h.card))
				return true
			})
		}
		same = same[:0]
		for len(heads) > 0 && bytes.Equal(heads[0].cell, cell) {
			same = append(same, heads[0])
			heads = slices.Delete(heads, 0, 1)
		}
		for _, h := range same {
			n := h.count(h.code)
			sum += int64(n)
			c.rowSum += uint64(n) * mix(int64(c.h.card), 0)
			if c.remap != nil {
				c.remap[h.source].add(int64(c.h.card))
			}
			if h.pull() {
				heads = put(h, heads)
			}
		}
		sums.add(sum)
	}
	sums.flush()
	dict.flush()
	c.h.dict = dict.firsts
	firsts := &dictWriter{emit: func(page uint32, data []byte) { c.set(pageKey{c.run, c.num, secFirsts, page}, data) }}
	for _, cell := range dict.firstCells {
		firsts.add(cell)
	}
	firsts.flush()
	c.h.firsts = firsts.firsts
	for i := range c.remap {
		c.remap[i].done()
	}
	return starts
}

// dictWriter cuts cells into dictionary pages.
type dictWriter struct {
	emit       func(page uint32, data []byte)
	n          int
	firsts     []int    // number of each page's first cell
	firstCells [][]byte // the same cells
	cells      [][]byte // of the page being filled
	buf        []byte   // what they hold
}

func (w *dictWriter) add(cell []byte) {
	if len(w.buf)+len(cell) > DictPageBytes {
		w.flush()
	}
	if len(w.cells) == 0 {
		w.firsts = append(w.firsts, w.n)
		w.firstCells = append(w.firstCells, bytes.Clone(cell))
		if cap(w.buf) < max(DictPageBytes, len(cell)) {
			w.buf = make([]byte, 0, max(DictPageBytes, len(cell)))
		}
	}
	start := len(w.buf)
	w.buf = append(w.buf, cell...)
	w.cells = append(w.cells, w.buf[start:])
	w.n++
}

// flush ends the last page.
func (w *dictWriter) flush() {
	if len(w.cells) > 0 {
		w.emit(uint32(len(w.firsts)-1), appendDict(nil, w.cells))
		w.cells, w.buf = w.cells[:0], w.buf[:0]
	}
}

// packedInts are integers in memory, in pages.
type packedInts struct {
	n     int
	pages []intPage
	out   *intsWriter
}

func (p *packedInts) add(v int64) {
	if p.out == nil {
		p.out = &intsWriter{emit: func(_ uint32, data []byte) { p.pages = append(p.pages, viewInts(data)) }}
	}
	p.out.add(v)
	p.n++
}

// done ends the adding.
func (p *packedInts) done() {
	if p.out != nil {
		p.out.flush()
		p.out = nil
	}
}

func (p *packedInts) at(i int) int64 { return p.pages[i/PageRows].at(i % PageRows) }
