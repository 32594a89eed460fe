// Writing counts: how many rows are in each unit of an integer column. All rows are counted while
// the column is written, and those of each cell while the codes of the counted field are. For
// that the integers are read a second time, page by page.

package index

import (
	"math"
	"slices"
)

// countsWriter counts the rows of one run.
type countsWriter struct {
	*runWriter
	Counted
	row     int
	ofPages []Bounds

	// units has the units with rows, less first; scratch.ranks tells the place in it of a unit
	// less first. off says that nothing is counted, or that the rows span too many units.
	off   bool
	first int64
	units []int64
	all   countList   // of all rows
	lists []countList // of codes, once they are counted

	lo, hi int64 // the values of the unit that was found last
	last   int   // its place: in scratch.unitRows while all are counted, in units afterwards

	src, page int // of values
	values    []int64
	buf       []int64
}

// newCountsWriter returns a writer of what b counts.
func newCountsWriter(b *runWriter) *countsWriter {
	c := &countsWriter{runWriter: b, Counted: b.counted, off: b.counted.Unit == 0, src: -1}
	c.unitRows = c.unitRows[:0]
	return c
}

// add takes the next values of the column.
func (c *countsWriter) add(values []int64) {
	for len(values) > 0 {
		n := min(len(values), PageRows-c.row%PageRows)
		if c.bounds {
			if c.row%PageRows == 0 {
				c.ofPages = append(c.ofPages, Bounds{math.MaxInt64, math.MinInt64})
			}
			p := &c.ofPages[len(c.ofPages)-1]
			for _, v := range values[:n] {
				p.Least, p.Greatest = min(p.Least, v), max(p.Greatest, v)
			}
		}
		if !c.off {
			c.count(values[:n])
		}
		c.row += n
		values = values[n:]
	}
}

// count counts the values of all rows but blanks.
func (c *countsWriter) count(values []int64) {
	for i := 0; i < len(values) && !c.off; {
		if c.blanks.n > 0 && c.blanks.has(c.row+i) {
			i++
			continue
		}
		if v := values[i]; v < c.lo || v >= c.hi {
			c.find(v)
			continue
		}
		n := 1 // mostly the next rows are of the same unit
		for i+n < len(values) && values[i+n] >= c.lo && values[i+n] < c.hi && c.blanks.n == 0 {
			n++
		}
		c.unitRows[c.last] += uint32(n)
		i += n
	}
}

// unitOf returns the unit of a value.
func (c *countsWriter) unitOf(v int64) int64 {
	unit := v / c.Unit
	if v < unit*c.Unit {
		unit--
	}
	return unit
}

// find makes the unit of a value the last one. unitRows grows at both ends.
func (c *countsWriter) find(v int64) {
	unit := c.unitOf(v)
	if unit < -unitsMost/c.Unit || unit > unitsMost/c.Unit {
		c.off = true // sums with it overflow
		return
	}
	if len(c.unitRows) == 0 {
		c.first = unit
	}
	if unit < c.first {
		gap := c.first - unit
		if gap+int64(len(c.unitRows)) > countsSpanMax {
			c.off = true
			return
		}
		// Room for as many units again, so that older and older rows do not move all of them each.
		more := int(min(gap+int64(len(c.unitRows)), countsSpanMax-int64(len(c.unitRows))))
		c.unitRows = slices.Insert(c.unitRows, 0, make([]uint32, more)...)
		c.first -= int64(more)
	}
	at := unit - c.first
	if at >= countsSpanMax {
		// The room at the front may be what is too much.
		lead := int64(0)
		for c.unitRows[lead] == 0 {
			lead++
		}
		if at-lead >= countsSpanMax {
			c.off = true
			return
		}
		c.unitRows = slices.Delete(c.unitRows, 0, int(lead))
		c.first, at = c.first+lead, at-lead
	}
	if n := int(at) + 1; n > len(c.unitRows) {
		from := len(c.unitRows)
		c.unitRows = slices.Grow(c.unitRows, n-from)[:n]
		clear(c.unitRows[from:])
	}
	c.last, c.lo = int(at), unit*c.Unit
	c.hi = c.lo + c.Unit
}

// end ends the counting of all rows. Then the units with rows are known.
func (c *countsWriter) end() {
	if len(c.unitRows) == 0 { // there are only blanks
		c.off = true
	}
	if c.off {
		return
	}
	lead := slices.IndexFunc(c.unitRows, func(n uint32) bool { return n != 0 })
	rows := c.unitRows[lead:]
	c.first += int64(lead)
	c.ranks = sized(c.ranks, len(rows))
	var list []byte
	before := int64(-1)
	for i, n := range rows {
		c.ranks[i] = uint32(len(c.units))
		if n != 0 {
			c.units = append(c.units, int64(i))
			list = appendCount(list, uint64(int64(i)-before), uint64(n))
			before = int64(i)
		}
	}
	c.all = countList{0, list}
	c.off = len(list) > c.bytesMost()
}

// bytesMost is how many bytes lists may take.
func (c *countsWriter) bytesMost() int { return c.header.rows + countsExtra }

// wants reports whether the codes of a field are counted.
func (c *countsWriter) wants(field string) bool { return !c.off && c.Field == field && field != "" }

// codeCounter counts the rows of the codes of a column.
type codeCounter struct {
	*countsWriter
	slots []uint32 // by code: its place in kept, plus 1; nil = each code has its own
	kept  int      // codes that are counted
}

// countCodes begins to count the rows of each code of a column, whose starts are known.
func (c *countsWriter) countCodes(col *columnWriter) *codeCounter {
	k := &codeCounter{countsWriter: c, kept: col.h.card}
	if most := countsCells / len(c.units); k.kept > most {
		k.kept = most
		k.slots = chooseCodes(col, most)
	}
	c.cells = sized(c.cells, k.kept*len(c.units))
	clear(c.cells)
	c.src, c.lo, c.hi = -1, 0, 0
	c.buf = c.take()
	return k
}

// chooseCodes returns by code the place, plus 1, of those n that most rows have, ascending.
func chooseCodes(col *columnWriter, n int) []uint32 {
	starts := &startsCursor{pages: col.starts, buf: col.take()}
	rows := make([]uint32, col.h.card)
	for i := range rows {
		rows[i] = uint32(starts.at(i+1) - starts.at(i))
	}
	col.give(starts.buf)
	order := slices.Clone(rows)
	slices.Sort(order)
	least := order[len(order)-n]
	equal := n // of those with the least rows, so many are chosen
	for _, r := range rows {
		if r > least {
			equal--
		}
	}
	slots, next := make([]uint32, col.h.card+1), uint32(1)
	for i, r := range rows {
		if r == least {
			if equal == 0 {
				continue
			}
			equal--
		}
		if r >= least {
			slots[i+1] = next
			next++
		}
	}
	return slots
}

// from returns the values of the rows from a row on, as far as they lie on one page. Rows ascend.
// There are none when the source cannot be read.
func (c *countsWriter) from(row int) []int64 {
	if c.src < 0 || row >= c.firsts[c.src+1] || row < c.firsts[c.src] {
		for c.src = 0; row >= c.firsts[c.src+1]; c.src++ {
		}
		c.page = -1
	}
	at := row - c.firsts[c.src]
	if page := at / PageRows; page != c.page {
		c.page = page
		c.values = c.sources[c.src].intsPage(c.Ints, page, c.buf)
	}
	if at %= PageRows; at < len(c.values) {
		return c.values[at:]
	}
	return nil
}

// add takes a stretch of rows and their codes.
func (k *codeCounter) add(s *stretch) {
	if s.at != nil {
		for i, row := range s.at {
			if values := k.from(int(row)); len(values) > 0 {
				k.rows(int(row), values[:1], s.codes[i:i+1])
			}
		}
		return
	}
	row, codes := s.first, s.codes
	for len(codes) > 0 {
		values := k.from(row)
		n := min(len(values), len(codes))
		if n == 0 {
			return
		}
		k.rows(row, values[:n], codes[:n])
		row, codes = row+n, codes[n:]
	}
}

// rows counts consecutive rows.
func (k *codeCounter) rows(row int, values, codes []int64) {
	units, cells := len(k.units), k.cells
	lo, hi, rank := k.lo, k.hi, k.last
	for i, code := range codes {
		if code == 0 || k.blanks.n > 0 && k.blanks.has(row+i) {
			continue
		}
		if k.slots != nil {
			if code = int64(k.slots[code]); code == 0 {
				continue
			}
		}
		if v := values[i]; v < lo || v >= hi {
			unit := k.unitOf(v)
			at := unit - k.first
			if at < 0 || at >= int64(len(k.ranks)) { // the source has changed
				k.err = errCounts
				return
			}
			lo, rank = unit*k.Unit, int(k.ranks[at])
			hi = lo + k.Unit
		}
		cells[int(code-1)*units+rank]++
	}
	k.lo, k.hi, k.last = lo, hi, rank
}

// end makes lists of the counts, or leaves them out where they take too many bytes.
func (k *codeCounter) end() {
	k.give(k.buf)
	code := 0
	most := k.bytesMost() - len(k.all.list)
	for slot := range k.kept {
		code++
		for k.slots != nil && k.slots[code] == 0 {
			code++
		}
		var list []byte
		before := int64(-1)
		for i, n := range k.cells[slot*len(k.units) : (slot+1)*len(k.units)] {
			if n != 0 {
				list = appendCount(list, uint64(k.units[i]-before), uint64(n))
				before = k.units[i]
			}
		}
		if most -= len(list) + countListBytes; most < 0 {
			k.lists = nil
			return
		}
		k.lists = append(k.lists, countList{code, list})
	}
}

// countListBytes is about how many bytes a list takes beside its entries.
const countListBytes = 3

// same makes the counts of all rows those of the only code: every row has it.
func (c *countsWriter) same() { c.lists = []countList{{1, c.all.list}} }

// write writes the pages of lists.
func (c *countsWriter) write() {
	if c.bounds {
		c.header.bounds = &boundsHeader{c.Ints, c.ofPages}
	}
	if c.off {
		return
	}
	h := &countsHeader{Counted: c.Counted, first: c.first}
	if c.lists == nil {
		h.Field = ""
	}
	eachCountPage(append([]countList{c.all}, c.lists...), func(lists []countList) {
		c.encoded = appendCountPage(c.encoded[:0], lists)
		c.set(pageKey{run: c.run, col: colCounts, page: uint32(len(h.pages))}, c.encoded)
		h.pages = append(h.pages, lists[0].code)
	})
	c.header.counts = h
}

// eachCountPage calls fn with the lists of each page.
func eachCountPage(lists []countList, fn func(lists []countList)) {
	for len(lists) > 0 {
		n, bytes := 0, 0
		for n < len(lists) && (n == 0 || bytes+len(lists[n].list)+countListBytes <= countsPageBytes) {
			bytes += len(lists[n].list) + countListBytes
			n++
		}
		fn(lists[:n])
		lists = lists[n:]
	}
}
