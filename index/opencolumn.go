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
	codes paged[uint32]  // by row; shorter than the part when the newest rows lack the field
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

// openSlot is a place of the table; code 0 = free.
type openSlot struct{ hash, code uint32 }

// cellRef says where a cell lies: its chunk, where it begins there, its length,
// in 16, 24 and 24 bits. A chunk is 64 KiB or one larger cell, and no cell is
// longer than an event, so it fits.
type cellRef uint64

// chunkLen is how much memory is taken at a time for cells.
const chunkLen = 64 << 10

func cellIn(chunks [][]byte, r cellRef) []byte {
	start, n := int(r>>24&(1<<24-1)), int(r&(1<<24-1))
	return chunks[r>>48][start : start+n : start+n]
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
			o.bytes += int64(len(cell)) + 24
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
	if last < 0 || o.filled+len(cell) > len(o.chunks[last]) {
		size := chunkLen
		if last < 0 { // many sites have but a few rows
			size = chunkLen / 16
		}
		o.chunks = append(o.chunks, make([]byte, max(size, len(cell))))
		last++
		o.filled = 0
	}
	start := o.filled
	o.filled += copy(o.chunks[last][start:], cell)
	return cellRef(last)<<48 | cellRef(start)<<24 | cellRef(len(cell))
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
	for p := range c.codes.list.pages {
		for _, x := range c.codes.list.Page(p, nil) {
			if x == code {
				n++
			}
		}
	}
	return n
}

// mark implements marker.
func (c *openColumnView) mark(codes []uint32, lo int, b *bitmap) {
	for _, wanted := range codes {
		for at := 0; at < b.n; at += PageRows {
			b.setCodes(at, c.codes.list.Page((lo+at)/PageRows, nil), wanted)
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
	list pageList[uint32]
	rows int
}

func (c openCodes) At(row int) int64 {
	if row >= c.list.n {
		return 0
	}
	return int64(c.list.At(row))
}

func (c openCodes) Constant(page int) (int64, bool) { return 0, page*PageRows >= c.list.n }

func (c openCodes) Page(page int, buf []int64) []int64 {
	buf = buf[:min(PageRows, c.rows-page*PageRows)]
	codes := c.list.Page(page, nil)
	for i, code := range codes {
		buf[i] = int64(code)
	}
	clear(buf[len(codes):])
	return buf
}
