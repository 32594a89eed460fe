// A cell column of a sealed run: its dictionary, its codes, and where each code is.

package index

import (
	"fmt"
	"slices"
	"sort"
)

type runColumn struct {
	part       *runPart
	h          *columnHeader
	num        uint16
	codes      Ints
	starts     *pagedInts
	cells      pagedCells
	firsts     pagedCells // the first cell of each dictionary page
	listStarts *pagedInts // set when the first list is read
	blocks     *pagedInts
	unit       *[unitWords]uint64 // scratch
	text       []byte             // scratch
}

func newRunColumn(p *runPart, h *columnHeader, num uint16) *runColumn {
	c := &runColumn{part: p, h: h, num: num}
	c.starts = c.ints(secStarts, h.card+1)
	if h.sparse {
		c.codes = &sparseInts{rowset: c.ints(secRowSet, h.present), codes: c.ints(secInts, h.present), rows: p.header.rows}
	} else {
		c.codes = c.ints(secInts, p.header.rows)
	}
	c.cells = pagedCells{part: p, num: num, sec: secDict, firsts: h.dict, n: h.card}
	c.firsts = pagedCells{part: p, num: num, sec: secFirsts, firsts: h.firsts, n: len(h.dict)}
	return c
}

func (c *runColumn) ints(sec section, n int) *pagedInts {
	return &pagedInts{part: c.part, col: c.num, sec: sec, n: n}
}

func (c *runColumn) Card() int { return c.h.card }

func (c *runColumn) Scalars() int { return c.h.scalars }
func (c *runColumn) Codes() Ints  { return c.codes }
func (c *runColumn) Rows() int    { return c.h.present }

func (c *runColumn) Everywhere() bool {
	return c.h.present == c.part.header.rows && c.h.scalars == c.h.card
}

func (c *runColumn) Count(code uint32) int {
	return int(c.starts.At(int(code)) - c.starts.At(int(code)-1))
}

// Cell returns the cell of a code. It aliases a page and must not be changed.
func (c *runColumn) Cell(code uint32) []byte {
	i := int(code) - 1
	if i < 0 || i >= c.h.card {
		c.part.fail(c.part.run.corrupt(fmt.Sprintf("column %s: no code %d", c.h.name, code)))
		return nil
	}
	return c.cells.at(i)
}

// pagedCells reads dictionary pages. It keeps the page that it read last.
type pagedCells struct {
	part   *runPart
	num    uint16
	sec    section
	firsts []int // index of each page's first cell
	n      int
	page   int // number of cur plus 1; 0 = none
	cur    dictPage
	buf    []byte // memory of cur when the cache does not keep it
}

// at returns the i-th cell, nil when its page is missing or damaged.
func (p *pagedCells) at(i int) []byte {
	first := 0
	if p.page > 0 {
		first = p.firsts[p.page-1]
	}
	if p.page == 0 || i < first || i >= first+p.cur.n {
		if p.part.err != nil { // the answer is lost already: a page that cannot be read is not read for each of its cells
			return nil
		}
		page := sort.Search(len(p.firsts), func(page int) bool { return p.firsts[page] > i }) - 1
		p.page, p.cur, first = page+1, dictPage{}, p.firsts[page]
		k := pageKey{p.part.run.Run, p.num, p.sec, uint32(page)}
		var b []byte
		var err error
		if p.part.run.cache.keeps(k) {
			b, err = p.part.run.load(k, openDict)
		} else {
			b, err = p.part.run.loadInto(p.buf, k, openDict)
			p.buf = b
		}
		if err != nil {
			p.part.fail(err)
			return nil
		}
		p.cur = trustedDict(b)
	}
	if i-first >= p.cur.n {
		p.part.fail(p.part.run.corrupt(fmt.Sprintf("column %d section %d page %d is short", p.num, p.sec, p.page-1)))
		return nil
	}
	return p.cur.cell(i - first)
}

func (c *runColumn) Find(path string, terms []string) []uint32 {
	f := c.part.run.format
	var codes []uint32
	if path == "" {
		for _, t := range terms {
			for i := c.search(t); i < c.h.scalars && string(c.term(&c.cells, i)) == t; i++ {
				codes = append(codes, uint32(i+1))
			}
		}
	}
	if n := int(c.h.leaves); n > 0 {
		wanted := oneOf(terms)
		hashes, owners := c.ints(secLeaves, n), c.ints(secOwners, n)
		for _, t := range terms {
			f.eachHash(path, t, func(h int64) {
				i := sort.Search(n, func(i int) bool { return hashes.At(i) >= h })
				for ; i < n && hashes.At(i) == h; i++ {
					code := uint32(owners.At(i))
					if cell := c.Cell(code); cell != nil && f.hasLeaf(cell, path, wanted) {
						codes = append(codes, code)
					}
				}
			})
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// search finds the first scalar whose term is at least t. It finds the page by the
// first cells and then searches that page.
func (c *runColumn) search(t string) int {
	dict := c.h.dict
	pages := sort.SearchInts(dict, c.h.scalars) // pages that begin with a scalar
	page := sort.Search(pages, func(page int) bool { return string(c.term(&c.firsts, page)) >= t }) - 1
	if page < 0 {
		return 0
	}
	lo, hi := dict[page], c.h.scalars
	if page+1 < len(dict) {
		hi = min(hi, dict[page+1])
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return string(c.term(&c.cells, lo+i)) >= t })
}

// term returns the term of the i-th cell, empty when the cell is lost. It is valid
// until the next call.
func (c *runColumn) term(cells *pagedCells, i int) []byte {
	c.text = c.text[:0]
	if cell := cells.at(i); cell != nil {
		c.text = c.part.run.format.AppendTerm(c.text, cell)
	}
	return c.text
}

// fewCodes is the largest number of codes that are found by their lists. For more, all
// codes are read.
const fewCodes = 16

// lists implements lister.
func (c *runColumn) lists(codes []uint32) bool {
	return c.h.sparse || c.h.lists && len(codes) > 0 && len(codes) <= fewCodes
}

// mark implements marker.
func (c *runColumn) mark(codes []uint32, lo int, b *bitmap) {
	if !c.lists(codes) {
		for _, code := range codes {
			c.markCode(code, lo, b)
		}
		return
	}
	s, sparse := c.codes.(*sparseInts)
	first, end, ints := lo, lo+b.n, c.codes
	if sparse {
		first, end, ints = s.rowset.search(lo), s.rowset.search(lo+b.n), s.codes
	}
	set := func(i int) {
		if sparse {
			i = int(s.rowset.At(i))
		}
		if i -= lo; i >= 0 && i < b.n { // i may be anything when the row set is damaged
			b.set(i)
		}
	}
	if !c.h.lists || len(codes) == 0 || len(codes) > fewCodes {
		for i := first; i < end; i++ { // few, since the column is sparse
			if len(codes) == 0 {
				set(i)
			} else if _, ok := slices.BinarySearch(codes, uint32(ints.At(i))); ok {
				set(i)
			}
		}
		return
	}
	paged := ints.(*pagedInts)
	for _, code := range codes {
		lists, listsEnd := c.list(code)
		at := lists + sort.Search(listsEnd-lists, func(i int) bool { return c.blocks.At(lists+i) >= int64(first/blockRows) })
		for ; at < listsEnd; at++ {
			block := int(c.blocks.At(at))
			if block < 0 || block*blockRows >= end {
				break
			}
			paged.inBlock(block, int64(code), func(at int) {
				if at >= first && at < end {
					set(at)
				}
			})
		}
	}
}

// list returns where the list of a code begins and ends in section 6.
func (c *runColumn) list(code uint32) (lo, hi int) {
	if code < 1 || int(code) > c.h.card {
		return 0, 0
	}
	if c.blocks == nil {
		c.listStarts = c.ints(secListStarts, c.h.card+1)
		c.blocks = c.ints(secBlocks, int(c.listStarts.At(c.h.card)))
	}
	lo, hi = int(c.listStarts.At(int(code)-1)), int(c.listStarts.At(int(code)))
	if lo < 0 || hi < lo || hi > c.blocks.n {
		c.part.fail(c.part.run.corrupt(fmt.Sprintf("column %s: list of code %d", c.h.name, code)))
		return 0, 0
	}
	return lo, hi
}

// reach implements lister.
func (c *runColumn) reach(codes []uint32, row int, down bool) (at int, ok bool) {
	s, sparse := c.codes.(*sparseInts)
	i := row // position among the stored codes
	if sparse {
		if i = s.rowset.search(row); down && (i == s.rowset.n || s.rowset.At(i) > int64(row)) {
			i--
		}
		if i < 0 || i >= s.rowset.n {
			return 0, false
		}
	}
	if c.h.lists && len(codes) > 0 && len(codes) <= fewCodes {
		if i, ok = c.reachBlock(codes, i, down); !ok {
			return 0, false
		}
	}
	if !sparse {
		return i, true
	}
	if i < 0 || i >= s.rowset.n {
		return 0, false
	}
	at = int(s.rowset.At(i))
	if at < 0 || at >= c.part.header.rows || down && at > row || !down && at < row { // damaged
		c.part.fail(c.part.run.corrupt(fmt.Sprintf("column %s: row set out of order", c.h.name)))
		return 0, false
	}
	return at, true
}

// reachBlock returns the position nearest to i, in the direction, that lies in a block
// with one of the codes.
func (c *runColumn) reachBlock(codes []uint32, i int, down bool) (at int, ok bool) {
	block := int64(i / blockRows)
	for _, code := range codes {
		lo, hi := c.list(code)
		k := lo + sort.Search(hi-lo, func(k int) bool { return c.blocks.At(lo+k) >= block })
		if down && (k == hi || c.blocks.At(k) > block) {
			k--
		}
		if k < lo || k >= hi {
			continue
		}
		near := i
		switch b := c.blocks.At(k); {
		case b < block:
			near = int(b)*blockRows + blockRows - 1
		case b > block:
			near = int(b) * blockRows
		}
		if !ok || down && near > at || !down && near < at {
			at, ok = near, true
		}
	}
	return at, ok
}
