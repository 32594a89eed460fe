// Writing pairs: the slot of each row is noted while the codes of the counted field are written.
// With it the rows of each code of a later column are counted while that column is. The fields
// of a run are written in their order, so those before the counted one have no pairs.

package index

import "slices"

// pairsWriter counts the pairs of one run.
type pairsWriter struct {
	*runWriter
	codes   []int    // of the field that are counted; nil = all
	slotsN  int      // how many these are; 0 = nothing is counted, or the field is still to come
	all     []uint32 // by slot: rows that are no blanks; nil = nobody has asked for them
	columns []pairsPages
	bytes   int // that all pages take
}

// pairsPages are the pages of a column.
type pairsPages struct {
	pairsColumn
	pages [][]byte
	bytes int
}

// pairCounter counts the rows of the codes of a column, or notes the slots of the counted field.
type pairCounter struct {
	*pairsWriter
	col   *columnWriter
	noted []uint8 // by code of the counted field: its slot; nil = this is another column
	width int     // cells of a code
}

// counterOf begins to count the pairs of a column, whose starts are known; nil = it has none.
func (p *pairsWriter) counterOf(col *columnWriter) *pairCounter {
	switch {
	case p.paired == "" || p.header.rows > pairRows:
		return nil
	case col.h.name == p.paired:
		return p.note(col)
	case p.slotsN == 0:
		return nil
	}
	k := &pairCounter{pairsWriter: p, col: col, width: p.slotsN + 1}
	if most := min(pairCells, col.h.present+countsExtra); col.h.card >= most/k.width {
		return nil
	}
	p.cells = sized(p.cells, (col.h.card+1)*k.width)
	clear(p.cells)
	return k
}

// note begins to note the slots of the counted field.
func (p *pairsWriter) note(col *columnWriter) *pairCounter {
	k := &pairCounter{pairsWriter: p, col: col, noted: make([]uint8, col.h.card+1)}
	var chosen []uint32
	if p.slotsN = min(col.h.card, pairSlots); p.slotsN < col.h.card {
		chosen = chooseCodes(col, p.slotsN)
	}
	for code := 1; code <= col.h.card; code++ {
		switch {
		case chosen == nil:
			k.noted[code] = uint8(code)
		case chosen[code] != 0:
			k.noted[code] = uint8(chosen[code])
			p.codes = append(p.codes, code)
		}
	}
	p.slots = sized(p.slots, p.header.rows)
	clear(p.slots)
	return k
}

// add takes a stretch of rows and their codes.
func (k *pairCounter) add(s *stretch) {
	slots, cells, width := k.slots, k.cells, k.width
	if s.at == nil {
		slots = slots[s.first:][:len(s.codes)]
	}
	switch {
	case k.noted != nil && s.at == nil:
		for i, code := range s.codes {
			slots[i] = k.noted[code]
		}
	case k.noted != nil:
		for i, row := range s.at {
			slots[row] = k.noted[s.codes[i]]
		}
	case s.at == nil:
		for i, code := range s.codes {
			cells[int(code)*width+int(slots[i])]++
		}
	default:
		for i, row := range s.at {
			cells[int(s.codes[i])*width+int(slots[row])]++
		}
	}
}

// same is add for a column of which every row has the only code.
func (k *pairCounter) same() {
	if k.noted != nil {
		for row := range k.slots {
			k.slots[row] = 1
		}
	} else {
		if k.all == nil {
			k.all = make([]uint32, k.width)
			for _, slot := range k.slots {
				k.all[slot]++
			}
		}
		copy(k.cells[k.width:], k.all)
	}
	k.end()
}

// end makes pages of the pairs of a column. Where all pages take too many bytes, the columns with
// the most of them lose theirs.
func (k *pairCounter) end() {
	if k.noted != nil {
		if k.blanks.n > 0 {
			k.blanks.ascend(0, func(row int) bool {
				k.slots[row] = 0
				return true
			})
		}
		return
	}
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
