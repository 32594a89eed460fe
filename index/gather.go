// Gathering: the values of a few rows and the cells of a few codes, which mostly lie on pages
// of their own. Where the cache lacks a page, one value is taken from it as it is stored: the
// page is checked as usual, but not copied, not turned, and not cached unless it is asked for
// again soon. So the pages of one listing evict nothing, and leave no garbage.

package index

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// Gather sets to[i] to the value of rows[i]. It reads each page once when the rows ascend.
func Gather(col Ints, rows []int, to []int64) {
	p, ok := col.(*pagedInts)
	if !ok {
		for i, row := range rows {
			to[i] = col.At(row)
		}
		return
	}
	for len(rows) > 0 {
		page, n := rows[0]/PageRows, 1
		for n < len(rows) && rows[n]/PageRows == page {
			n++
		}
		p.gather(page, rows[:n], to[:n])
		rows, to = rows[n:], to[n:]
	}
}

// gather is Gather for rows of one page.
func (p *pagedInts) gather(page int, rows []int, to []int64) {
	clear(to)
	k := pageKey{p.part.run.Run, p.col, p.sec, uint32(page)}
	see := func(ints *intPage) {
		for i, row := range rows {
			if at := row % PageRows; at < ints.n {
				to[i] = ints.at(at)
			}
		}
	}
	if p.at == page+1 {
		see(&p.cur)
		return
	}
	if p.part.err != nil { // the answer is lost already
		return
	}
	cache := p.part.run.cache
	whole := func(ints *intPage) bool { return ints.n == min(PageRows, p.n-page*PageRows) }
	if b := cache.get(k); b != nil {
		if ints := trustedInts(b); whole(&ints) {
			see(&ints)
			return
		}
		p.page(page) // tells of the damage
		return
	}
	err := p.part.run.see(k, func(b []byte) bool {
		ints, ok := parseInts(b)
		if !ok || !whole(&ints) {
			return false
		}
		see(&ints)
		cache.offer(k, len(b), func() []byte { return slices.Clone(b) })
		return true
	})
	if err != nil {
		p.part.fail(err)
	}
}

// EachCell calls fn with the cell of codes[i] and i, in any order. A cell is valid until fn
// returns. It is nil when the code or its page is damaged: Part.Err then says so. EachCell
// reads each page once.
func EachCell(col Column, codes []uint32, fn func(i int, cell []byte)) {
	c, ok := col.(*runColumn)
	if !ok {
		for i, code := range codes {
			fn(i, col.Cell(code))
		}
		return
	}
	order := make([]int, len(codes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(codes[a]) - int(codes[b]) })
	for len(order) > 0 {
		i := int(codes[order[0]]) - 1
		if i < 0 || i >= c.h.card || !c.part.run.cache.keeps(pageKey{sec: secDict}) {
			fn(order[0], c.Cell(codes[order[0]]))
			order = order[1:]
			continue
		}
		page := sort.Search(len(c.h.dict), func(page int) bool { return c.h.dict[page] > i }) - 1
		n := 1
		for n < len(order) && int(codes[order[n]])-1 < c.cells.end(page) {
			n++
		}
		c.gatherCells(page, codes, order[:n], fn)
		order = order[n:]
	}
}

// end returns the index of the first cell after a page.
func (p *pagedCells) end(page int) int {
	if page+1 < len(p.firsts) {
		return p.firsts[page+1]
	}
	return p.n
}

// gatherCells is EachCell for codes of one page.
func (c *runColumn) gatherCells(page int, codes []uint32, order []int, fn func(i int, cell []byte)) {
	cache := c.part.run.cache
	k := pageKey{c.part.run.Run, c.num, secDict, uint32(page)}
	kept := c.cells.page == page+1
	if !kept && c.part.err == nil {
		if b := cache.get(k); b != nil {
			c.cells.page, c.cells.cur, kept = page+1, trustedDict(b), true
		}
	}
	first := c.h.dict[page]
	if kept || c.part.err != nil {
		for _, i := range order {
			fn(i, c.Cell(codes[i]))
		}
		return
	}
	err := c.part.run.see(k, func(b []byte) bool {
		stored, ok := parseStoredDict(b)
		if !ok || stored.n < c.cells.end(page)-first {
			return false
		}
		for _, i := range order {
			c.text = stored.append(c.text[:0], int(codes[i])-1-first)
			fn(i, c.text)
		}
		cache.offer(k, len(b), func() []byte {
			opened, _ := openDict(nil, b)
			return opened
		})
		return true
	})
	if err != nil {
		c.part.fail(err)
		for _, i := range order {
			fn(i, nil)
		}
	}
}

// storedDict is a dictionary page as it is stored: kind 3 is not turned into kind 0.
type storedDict struct {
	dictPage
	turned bool // data has the first bytes of all cells, then the second ones and so on
}

// parseStoredDict checks a page as openDict does, without a copy of it.
func parseStoredDict(b []byte) (d storedDict, ok bool) {
	if len(b) < 9 || b[0] != 3 {
		d.dictPage, ok = parseDict(b)
		return d, ok
	}
	cells, width := uint64(binary.LittleEndian.Uint32(b[1:])), uint64(binary.LittleEndian.Uint32(b[5:]))
	if cells == 0 || cells > dictCellsMax || cells*width != uint64(len(b)-9) {
		return d, false
	}
	return storedDict{dictPage{n: int(cells), size: int(width), data: b[9:]}, true}, true
}

// append appends the i-th cell. 0 <= i < n.
func (d *storedDict) append(dst []byte, i int) []byte {
	if !d.turned {
		return append(dst, d.cell(i)...)
	}
	for at := i; at < len(d.data); at += d.n {
		dst = append(dst, d.data[at])
	}
	return dst
}

// see calls use with a page as it is stored, valid until use returns. The page is damaged when
// use returns false.
func (r *Run) see(k pageKey, use func(b []byte) bool) error {
	ok := false
	if err := r.read(k, func(b []byte) { ok = use(b) }); err != nil {
		return err
	}
	if !ok {
		return r.corrupt(fmt.Sprintf("column %d section %d page %d is damaged", k.col, k.sec, k.page))
	}
	return nil
}
