// A column of the part in memory: its distinct cells, and the code of each row.

package index

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
)

// memColumn grows only at its end, so the pages of a snapshot do not change.
type memColumn struct {
	name  string
	pages []memPage      // of codes; fewer than the part has when the newest rows lack the field
	end   int            // row after the newest that has the field
	cells paged[cellRef] // by code-1
	last  uint32         // the code of the newest row
	next  *memColumn     // set last after this one in a row
	other *memColumn     // set before that
	table []memSlot      // of all codes, by hash; a power of two, at most 3/4 full

	// terms finds codes by the leafHash of what their cells hold, for all cells but
	// strings. A query fills it for the cells up to termed when it needs them; ingest
	// does not.
	mu     sync.Mutex
	terms  map[int64][]uint32
	termed int
}

// memPage is the codes of a page of rows. A dense page has a code for each row up to
// the last one with the field. A sparse page has codes only for the rows with the
// field. So the memory of a field depends on how often it occurred, not on the number
// of rows.
type memPage struct {
	codes []uint32
	rows  []uint16 // row of each code within the page, ascending; nil = dense
	n     int      // number of codes other than 0
}

// A page becomes dense when more than one row in denseShare has a code, and sparse when
// at most one in sparseRows has. In between it stays as it is.
const (
	denseShare = 4
	sparseRows = 8
)

// memColumnBytes is about how many bytes a column uses beside its name, its cells, its
// table and its codes.
const memColumnBytes = 800

// memPageBytes is how many bytes a page uses beside its codes.
const memPageBytes = 56

// set gives a row after all others a code. It returns by how many bytes the column
// grew.
func (c *memColumn) set(row int, code uint32) (grown int64) {
	for len(c.pages) <= row/PageRows {
		c.pages = append(c.pages, memPage{})
		grown += memPageBytes
	}
	p, at := &c.pages[row/PageRows], row%PageRows
	p.n++
	before := p.bytes()
	switch dense := p.rows == nil; {
	case dense && at >= sparseRows*p.n:
		p.makeSparse()
	case dense && at == 0:
		size := 64
		if row > 0 && c.pages[row/PageRows-1].n > PageRows/2 {
			size = PageRows // likely to become as full as the page before
		}
		p.codes = make([]uint32, 0, size)
	case !dense && at < denseShare*p.n:
		p.makeDense()
	}
	if p.rows != nil {
		p.rows = append(p.rows, uint16(at))
	}
	for p.rows == nil && len(p.codes) < at {
		p.codes = append(p.codes, 0)
	}
	p.codes = append(p.codes, code)
	return grown + p.bytes() - before
}

// next sets the code of the row at a place of the page, if the page is dense, the row
// is its next and there is capacity. This is the usual case. Otherwise next does
// nothing and returns false.
func (p *memPage) next(at uint, code uint32) bool {
	n := uint(len(p.codes))
	if at != n || n >= uint(cap(p.codes)) || p.rows != nil {
		return false
	}
	p.codes = p.codes[:n+1]
	p.codes[n] = code
	p.n++
	return true
}

func (p *memPage) bytes() int64 { return int64(4*cap(p.codes) + 2*cap(p.rows)) }

// makeSparse makes the page sparse, in new memory.
func (p *memPage) makeSparse() {
	codes, rows := make([]uint32, 0, p.n), make([]uint16, 0, p.n)
	for at, code := range p.codes {
		if code != 0 {
			codes, rows = append(codes, code), append(rows, uint16(at))
		}
	}
	p.codes, p.rows = codes, rows
}

// makeDense makes the page dense, in new memory.
func (p *memPage) makeDense() {
	codes := make([]uint32, int(p.rows[len(p.rows)-1])+1, min(PageRows, denseShare*p.n+64))
	for i, at := range p.rows {
		codes[at] = p.codes[i]
	}
	p.codes, p.rows = codes, nil
}

// upTo returns the codes of the first rows as they are now.
func (c *memColumn) upTo(rows int) []memPage {
	pages := slices.Clone(c.pages[:min(len(c.pages), (rows+PageRows-1)/PageRows)])
	if last := len(pages) - 1; last >= 0 {
		p, end := &pages[last], rows-last*PageRows
		if p.rows == nil {
			p.codes = p.codes[:min(len(p.codes), end)]
		} else if end < PageRows {
			n, _ := slices.BinarySearch(p.rows, uint16(end))
			p.codes, p.rows = p.codes[:n], p.rows[:n]
		}
	}
	return pages
}

// memSlot is an entry of the hash table; code 0 = free.
type memSlot struct{ hash, code uint32 }

// cellRef says where a cell lies: the number of its chunk in 24 bits, its start there
// in 16, its length in 24. A chunk has 64 KiB, or it holds one larger cell that starts
// at 0. No cell is longer than a record, so its length fits. The chunks may hold a
// terabyte.
type cellRef uint64

func refOf(chunk, start, n int) cellRef {
	return cellRef(chunk)<<40 | cellRef(start)<<24 | cellRef(n)
}

// chunkLen is how many bytes of memory are allocated at a time for cells.
const chunkLen = 64 << 10

func cellIn(chunks [][]byte, r cellRef) []byte {
	start, n := int(r>>24&(1<<16-1)), int(r&(1<<24-1))
	return chunks[r>>40][start : start+n : start+n]
}

func (m *MemPart) cell(c *memColumn, code uint32) []byte {
	return cellIn(m.chunks, c.cells.at(int(code)-1))
}

func (m *MemPart) hash(cell []byte) uint32 { return uint32(maphash.Bytes(m.seed, cell)) }

// code finds or makes the code of a cell, whose hash is given.
func (m *MemPart) code(c *memColumn, hash uint32, cell []byte) uint32 {
	if (c.cells.n+1)*4 > len(c.table)*3 {
		m.grow(c)
	}
	mask := uint32(len(c.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &c.table[i]
		if s.code == 0 {
			c.cells.append(m.keep(cell))
			*s = memSlot{hash, uint32(c.cells.n)}
			m.bytes += 8
			return s.code
		}
		if s.hash == hash && bytes.Equal(m.cell(c, s.code), cell) {
			return s.code
		}
	}
}

// find returns the code of a cell, 0 when it has none.
func (m *MemPart) find(c *memColumn, cell []byte) uint32 {
	if len(c.table) == 0 {
		return 0
	}
	hash := m.hash(cell)
	mask := uint32(len(c.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := c.table[i]
		if s.code == 0 || s.hash == hash && bytes.Equal(m.cell(c, s.code), cell) {
			return s.code
		}
	}
}

// grow makes the hash table four times as large.
func (m *MemPart) grow(c *memColumn) {
	old := c.table
	c.table = make([]memSlot, max(16, 4*len(old)))
	m.bytes += 8 * int64(len(c.table)-len(old))
	mask := uint32(len(c.table) - 1)
	for _, s := range old {
		if s.code != 0 {
			i := s.hash & mask
			for c.table[i].code != 0 {
				i = (i + 1) & mask
			}
			c.table[i] = s
		}
	}
}

// keep copies a cell into a chunk.
func (m *MemPart) keep(cell []byte) cellRef {
	last := len(m.chunks) - 1
	if last < 0 || m.filled+len(cell) > len(m.chunks[last]) || m.filled == chunkLen {
		size := chunkLen
		if last < 0 { // many sites have only a few rows
			size = chunkLen / 16
		}
		m.chunks = append(m.chunks, make([]byte, max(size, len(cell))))
		m.bytes += int64(len(m.chunks[last+1]))
		last++
		m.filled = 0
	}
	start := m.filled
	m.filled += copy(m.chunks[last][start:], cell)
	return refOf(last, start, len(cell))
}

// memColumnSnapshot is a column as it was when a snapshot asked for it.
type memColumnSnapshot struct {
	part   *MemPart
	col    *memColumn
	codes  memCodes
	cells  pagedPrefix[cellRef]
	chunks [][]byte
}

func (c *memColumnSnapshot) Card() int        { return c.cells.n }
func (c *memColumnSnapshot) Scalars() int     { return 0 }
func (c *memColumnSnapshot) Everywhere() bool { return false }
func (c *memColumnSnapshot) Codes() Ints      { return c.codes }
func (c *memColumnSnapshot) Cell(code uint32) []byte {
	return cellIn(c.chunks, c.cells.At(int(code)-1))
}

func (c *memColumnSnapshot) Rows() int {
	n := 0
	for p := range c.codes.pages {
		for _, x := range c.codes.pages[p].codes {
			if x != 0 {
				n++
			}
		}
	}
	return n
}

func (c *memColumnSnapshot) Count(code uint32) int {
	n := 0
	for p := range c.codes.pages {
		for _, x := range c.codes.pages[p].codes {
			if x == code {
				n++
			}
		}
	}
	return n
}

// mark implements marker.
func (c *memColumnSnapshot) mark(codes []uint32, lo int, b *bitmap) {
	for at := 0; at < b.n; at += PageRows {
		page := (lo + at) / PageRows
		if page >= len(c.codes.pages) {
			return
		}
		p := &c.codes.pages[page]
		for _, wanted := range codes {
			if p.rows == nil {
				b.setCodes(at, p.codes, wanted)
				continue
			}
			for i, code := range p.codes {
				if code == wanted {
					b.set(at + int(p.rows[i]))
				}
			}
		}
	}
}

func (c *memColumnSnapshot) Find(path string, terms []string) []uint32 {
	var maybe []uint32
	format := c.part.format
	if path == "" {
		c.part.mu.RLock()
		for _, t := range terms {
			if code := c.part.find(c.col, format.AppendText(nil, t)); code != 0 {
				maybe = append(maybe, code)
			}
		}
		c.part.mu.RUnlock()
	}
	maybe = c.candidates(maybe, path, terms)
	slices.Sort(maybe)
	wanted := oneOf(terms)
	return slices.DeleteFunc(slices.Compact(maybe), func(code uint32) bool {
		return int(code) > c.cells.n || !format.hasLeaf(c.Cell(code), path, wanted)
	})
}

// candidates appends the codes of cells, other than strings, that may hold one of the
// terms at path.
func (c *memColumnSnapshot) candidates(codes []uint32, path string, terms []string) []uint32 {
	col, format := c.col, c.part.format
	var hashes []int64
	col.mu.Lock()
	defer col.mu.Unlock()
	for ; col.termed < c.cells.n; col.termed++ {
		cell := c.Cell(uint32(col.termed + 1))
		if format.Text(cell) {
			continue
		}
		if col.terms == nil {
			col.terms = make(map[int64][]uint32)
		}
		hashes = format.leafHashes(hashes[:0], cell)
		for _, h := range hashes {
			col.terms[h] = append(col.terms[h], uint32(col.termed+1))
		}
	}
	for _, t := range terms {
		format.eachHash(path, t, func(h int64) { codes = append(codes, col.terms[h]...) })
	}
	return codes
}

// memCodes is codes in memory. Rows after the last one with the field have code 0.
type memCodes struct {
	pages []memPage
	rows  int
}

func (c memCodes) At(row int) int64 {
	page, at := uint(row)/PageRows, uint(row)%PageRows
	if page >= uint(len(c.pages)) {
		return 0
	}
	p := &c.pages[page]
	if p.rows != nil {
		i, found := slices.BinarySearch(p.rows, uint16(at))
		if !found {
			return 0
		}
		at = uint(i)
	}
	if at >= uint(len(p.codes)) {
		return 0
	}
	return int64(p.codes[at])
}

func (c memCodes) Constant(page int) (int64, bool) {
	return 0, page >= len(c.pages) || len(c.pages[page].codes) == 0
}

func (c memCodes) Page(page int, buf []int64) []int64 {
	buf = buf[:min(PageRows, c.rows-page*PageRows)]
	if page >= len(c.pages) {
		clear(buf)
		return buf
	}
	p := &c.pages[page]
	if p.rows != nil {
		clear(buf)
		for i, at := range p.rows {
			buf[at] = int64(p.codes[i])
		}
		return buf
	}
	for i, code := range p.codes {
		buf[i] = int64(code)
	}
	clear(buf[len(p.codes):])
	return buf
}

// sparse returns the rows of a page that have a code, numbered within the page, and their
// codes. ok is false when the page is dense.
func (c memCodes) sparse(page int) (rows []uint16, codes []uint32, ok bool) {
	if page >= len(c.pages) {
		return nil, nil, true
	}
	p := &c.pages[page]
	return p.rows, p.codes, p.rows != nil || len(p.codes) == 0
}
