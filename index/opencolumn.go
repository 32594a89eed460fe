// A column of the open part: its cells, each kept once, and the code of each row.

package index

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
)

// openColumn grows at the end only, so a snapshot's pages stay as they are.
type openColumn struct {
	name  string
	pages []openPage     // of codes; fewer than the part has when the newest rows lack the field
	end   int            // row after the newest that has the field
	cells paged[cellRef] // by code-1
	last  uint32         // the code of the newest row
	table []openSlot     // of all codes, by hash; a power of two, at most 3/4 full

	// terms finds the codes of all but strings by leafHash of what they hold. It
	// is made of the cells up to termed when a query wants it, not while events
	// come in.
	mu     sync.Mutex
	terms  map[int64][]uint32
	termed int
}

// openPage is the codes of a page of rows. Where many rows have the field it has one for
// each row up to the last of these, else for these alone: what a name costs depends on
// how often it came, not on how many rows there are.
type openPage struct {
	codes []uint32
	rows  []uint16 // of the codes, counted from the page's first, ascending; nil = codes are by row
	n     int      // codes that are not 0
}

// A page comes to have a code for every row when one in denseShare has one, and not to
// when it is fewer than one in sparseRows. Between the two it stays as it is.
const (
	denseShare = 4
	sparseRows = 8
)

// openColumnBytes is about what a column takes in memory beside its name, its cells and
// what finds and lists their codes.
const openColumnBytes = 800

// openPageBytes is what a page takes beside its codes.
const openPageBytes = 56

// set gives a row after all others a code. It returns how many bytes the column grows
// by.
func (c *openColumn) set(row int, code uint32) (grown int64) {
	for len(c.pages) <= row/PageRows {
		c.pages = append(c.pages, openPage{})
		grown += openPageBytes
	}
	p, at := &c.pages[row/PageRows], row%PageRows
	p.n++
	before := p.bytes()
	switch dense := p.rows == nil; {
	case dense && at >= sparseRows*p.n:
		p.thin()
	case dense && at == 0:
		size := 64
		if row > 0 && c.pages[row/PageRows-1].n > PageRows/2 {
			size = PageRows // it will be as full as the one before
		}
		p.codes = make([]uint32, 0, size)
	case !dense && at < denseShare*p.n:
		p.fill()
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

// next gives the row at a place its code if that is the next of a dense page and there
// is room for it, as mostly; else it does nothing.
func (p *openPage) next(at uint, code uint32) bool {
	n := uint(len(p.codes))
	if at != n || n >= uint(cap(p.codes)) || p.rows != nil {
		return false
	}
	p.codes = p.codes[:n+1]
	p.codes[n] = code
	p.n++
	return true
}

func (p *openPage) bytes() int64 { return int64(4*cap(p.codes) + 2*cap(p.rows)) }

// thin leaves the codes of rows that have one, in new memory.
func (p *openPage) thin() {
	codes, rows := make([]uint32, 0, p.n), make([]uint16, 0, p.n)
	for at, code := range p.codes {
		if code != 0 {
			codes, rows = append(codes, code), append(rows, uint16(at))
		}
	}
	p.codes, p.rows = codes, rows
}

// fill gives every row up to the last that has one a code, in new memory.
func (p *openPage) fill() {
	codes := make([]uint32, int(p.rows[len(p.rows)-1])+1, min(PageRows, denseShare*p.n+64))
	for i, at := range p.rows {
		codes[at] = p.codes[i]
	}
	p.codes, p.rows = codes, nil
}

// upTo is the codes of the first rows as they are now.
func (c *openColumn) upTo(rows int) []openPage {
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

// openSlot is a place of the table; code 0 = free.
type openSlot struct{ hash, code uint32 }

// cellRef says where a cell lies: its chunk, where it begins there, its length,
// in 24, 16 and 24 bits. A chunk is 64 KiB, or one larger cell that begins at 0, and
// no cell is longer than a record, so it fits. There is room for a terabyte of chunks.
type cellRef uint64

func refOf(chunk, start, n int) cellRef {
	return cellRef(chunk)<<40 | cellRef(start)<<24 | cellRef(n)
}

// chunkLen is how much memory is taken at a time for cells.
const chunkLen = 64 << 10

func cellIn(chunks [][]byte, r cellRef) []byte {
	start, n := int(r>>24&(1<<16-1)), int(r&(1<<24-1))
	return chunks[r>>40][start : start+n : start+n]
}

func (o *Open) cell(c *openColumn, code uint32) []byte {
	return cellIn(o.chunks, c.cells.at(int(code)-1))
}

// code finds or makes the code of a cell.
func (o *Open) code(c *openColumn, cell []byte) uint32 {
	if (c.cells.n+1)*4 > len(c.table)*3 {
		o.grow(c)
	}
	hash := uint32(maphash.Bytes(o.seed, cell))
	mask := uint32(len(c.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &c.table[i]
		if s.code == 0 {
			c.cells.append(o.keep(cell))
			*s = openSlot{hash, uint32(c.cells.n)}
			o.bytes += 8
			return s.code
		}
		if s.hash == hash && bytes.Equal(o.cell(c, s.code), cell) {
			return s.code
		}
	}
}

// find returns the code of a cell, 0 when it has none.
func (o *Open) find(c *openColumn, cell []byte) uint32 {
	if len(c.table) == 0 {
		return 0
	}
	hash := uint32(maphash.Bytes(o.seed, cell))
	mask := uint32(len(c.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := c.table[i]
		if s.code == 0 || s.hash == hash && bytes.Equal(o.cell(c, s.code), cell) {
			return s.code
		}
	}
}

// grow makes the table four times as large.
func (o *Open) grow(c *openColumn) {
	old := c.table
	c.table = make([]openSlot, max(16, 4*len(old)))
	o.bytes += 8 * int64(len(c.table)-len(old))
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

// keep copies a cell to where it stays.
func (o *Open) keep(cell []byte) cellRef {
	last := len(o.chunks) - 1
	if last < 0 || o.filled+len(cell) > len(o.chunks[last]) || o.filled == chunkLen {
		size := chunkLen
		if last < 0 { // many sites have but a few rows
			size = chunkLen / 16
		}
		o.chunks = append(o.chunks, make([]byte, max(size, len(cell))))
		o.bytes += int64(len(o.chunks[last+1]))
		last++
		o.filled = 0
	}
	start := o.filled
	o.filled += copy(o.chunks[last][start:], cell)
	return refOf(last, start, len(cell))
}

// openColumnView is a column as it was when it was asked for.
type openColumnView struct {
	open   *Open
	col    *openColumn
	codes  openCodes
	cells  pageList[cellRef]
	chunks [][]byte
}

func (c *openColumnView) Card() int               { return c.cells.n }
func (c *openColumnView) Scalars() int            { return 0 }
func (c *openColumnView) Everywhere() bool        { return false }
func (c *openColumnView) Codes() Ints             { return c.codes }
func (c *openColumnView) Cell(code uint32) []byte { return cellIn(c.chunks, c.cells.At(int(code)-1)) }

func (c *openColumnView) Count(code uint32) int {
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
func (c *openColumnView) mark(codes []uint32, lo int, b *bitmap) {
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

func (c *openColumnView) Find(path string, terms []string) []uint32 {
	var maybe []uint32
	format := c.open.format
	if path == "" {
		c.open.mu.RLock()
		for _, t := range terms {
			if code := c.open.find(c.col, format.AppendText(nil, t)); code != 0 {
				maybe = append(maybe, code)
			}
		}
		c.open.mu.RUnlock()
	}
	maybe = c.holding(maybe, path, terms)
	slices.Sort(maybe)
	return slices.DeleteFunc(slices.Compact(maybe), func(code uint32) bool {
		return int(code) > c.cells.n || !format.hasLeaf(c.Cell(code), path, terms)
	})
}

// holding appends the codes of all but strings that may hold one of the terms at
// path.
func (c *openColumnView) holding(codes []uint32, path string, terms []string) []uint32 {
	col, format := c.col, c.open.format
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
		codes = append(codes, col.terms[leafHash(path, t)]...)
	}
	return codes
}

// openCodes is codes in memory; rows past the last one that has the field are 0.
type openCodes struct {
	pages []openPage
	rows  int
}

func (c openCodes) At(row int) int64 {
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

func (c openCodes) Constant(page int) (int64, bool) {
	return 0, page >= len(c.pages) || len(c.pages[page].codes) == 0
}

func (c openCodes) Page(page int, buf []int64) []int64 {
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

// few returns the rows of a page that have a code, counted from its first, and their
// codes, where the page keeps no others.
func (c openCodes) few(page int) (rows []uint16, codes []uint32, ok bool) {
	if page >= len(c.pages) {
		return nil, nil, true
	}
	p := &c.pages[page]
	return p.rows, p.codes, p.rows != nil || len(p.codes) == 0
}
