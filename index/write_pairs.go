// Writing pairs: the slot of each row is noted before any column is written, for which the counted
// field is read twice. With the slots the rows of each code of a column are counted while that
// column is written.

package index

import "slices"

// pairsWriter counts the pairs of one run.
type pairsWriter struct {
	*runWriter
	codes   []int    // of the field that are counted; nil = all
	width   int      // one more than these are; 0 = nothing is counted
	all     []uint32 // by slot: rows; nil = nobody has asked for them
	columns []pairsPages
	bytes   int // that all pages take
}

// pairsPages are the pages of a column.
type pairsPages struct {
	pairsColumn
	pages [][]byte
	bytes int
}

// newPairsWriter returns a writer of what b counts. It notes the slots of all rows, 0 for blanks.
func newPairsWriter(b *runWriter) *pairsWriter {
	p := &pairsWriter{runWriter: b}
	if b.paired == "" || b.header.rows > pairRows {
		return p
	}
	col := b.column(b.paired)
	many := func(s *columnSource) bool { return s != nil && s.card > pairNames }
	if col == nil || slices.ContainsFunc(col.sources, many) {
		return p
	}
	col.most = pairNames
	if col.dictionary(); col.h.card > col.most || b.err != nil {
		return p
	}
	p.width = min(col.h.card, pairSlots) + 1
	slotOf := make([]uint8, col.h.card+1)
	var chosen []uint32
	if col.h.card > pairSlots {
		chosen = chooseCodes(col, pairSlots)
	}
	for code := 1; code <= col.h.card; code++ {
		switch {
		case chosen == nil:
			slotOf[code] = uint8(code)
		case chosen[code] != 0:
			slotOf[code] = uint8(chosen[code])
			p.codes = append(p.codes, code)
		}
	}
	b.slots = sized(b.slots, b.header.rows)
	clear(b.slots)
	col.each(func(s *stretch) {
		for i, code := range s.codes {
			row := s.first + i
			if s.at != nil {
				row = int(s.at[i])
			}
			b.slots[row] = slotOf[code]
		}
	})
	if b.blanks.n > 0 {
		b.blanks.ascend(0, func(row int) bool {
			b.slots[row] = 0
			return true
		})
	}
	return p
}

// pairCounter counts the rows of the codes of a column.
type pairCounter struct {
	*pairsWriter
	col *columnWriter
}

// counterOf begins to count the pairs of a column, whose starts are known; nil = it has none.
func (p *pairsWriter) counterOf(col *columnWriter) *pairCounter {
	if p.width == 0 || col.h.name == p.paired {
		return nil
	}
	if most := min(pairCells, col.h.present+countsExtra); col.h.card >= most/p.width {
		return nil
	}
	p.cells = sized(p.cells, (col.h.card+1)*p.width)
	clear(p.cells)
	return &pairCounter{p, col}
}

// add takes a stretch of rows and their codes.
func (k *pairCounter) add(s *stretch) {
	slots, cells, width := k.slots, k.cells, k.width
	if s.at != nil {
		for i, row := range s.at {
			cells[int(s.codes[i])*width+int(slots[row])]++
		}
		return
	}
	slots = slots[s.first:][:len(s.codes)]
	for i, code := range s.codes {
		cells[int(code)*width+int(slots[i])]++
	}
}

// same is add for a column of which every row has the only code.
func (k *pairCounter) same() {
	if k.all == nil {
		k.all = make([]uint32, k.width)
		for _, slot := range k.slots {
			k.all[slot]++
		}
	}
	copy(k.cells[k.width:], k.all)
	k.end()
}

// end makes pages of the pairs of a column. Where all pages take too many bytes, the columns with
// the most of them lose theirs.
func (k *pairCounter) end() {
	var all []byte
	ends := make([]int, k.col.h.card)
	for i := range ends {
		before := 0
		for slot, rows := range k.cells[(i+1)*k.width:][:k.width] {
			if slot > 0 && rows != 0 {
				all = appendCount(all, uint64(slot-before), uint64(rows))
				before = slot
			}
		}
		ends[i] = len(all)
	}
	lists, from := make([]countList, len(ends)), 0
	for i, end := range ends {
		lists[i] = countList{i + 1, all[from:end]}
		from = end
	}
	c := pairsPages{pairsColumn: pairsColumn{column: len(k.header.columns)}}
	eachCountPage(lists, func(lists []countList) {
		c.pages = append(c.pages, appendCountPage(nil, lists))
		c.firsts = append(c.firsts, lists[0].code)
		c.bytes += len(c.pages[len(c.pages)-1]) + pairPageBytes
	})
	k.columns = append(k.columns, c)
	for k.bytes += c.bytes; k.bytes > k.header.rows/pairShare+countsExtra; {
		most := 0
		for i := range k.columns {
			if k.columns[i].bytes >= k.columns[most].bytes {
				most = i
			}
		}
		k.bytes -= k.columns[most].bytes
		k.columns = slices.Delete(k.columns, most, most+1)
	}
}

// write writes the pages of all columns.
func (p *pairsWriter) write() {
	if len(p.columns) == 0 {
		return
	}
	h, page := &pairsHeader{field: p.paired, codes: p.codes}, 0
	for _, c := range p.columns {
		c.page = page
		for _, data := range c.pages {
			p.set(pageKey{run: p.run, col: colPairs, page: uint32(page)}, data)
			page++
		}
		h.columns = append(h.columns, c.pairsColumn)
	}
	p.header.pairs = h
}
