// Build: a run made of one part, whose cells need not be sorted.

package index

import (
	"cmp"
	"errors"
	"slices"
)

// What can be wrong with a part that is written.
var (
	errUnsorted = errors.New("cells are out of order")
	errCode     = errors.New("a code has no cell")
	errCounts   = errors.New("rows and counts of cells differ")
	errLeaves   = errors.New("the leaves are not those of the cells")
)

// Build writes all rows of part as run id. totals is sorted as Totals.Sorted does. The
// run has a filter over the terms of the column filterField; "" = none. The part must
// not change meanwhile.
func Build(w Sink, id uint64, part Part, numInts int, format *Format, totals []Total, filterField string) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	return newRunWriter(w, id, format, filterField, s, []source{&partSource{part, format, totals, s}}).write(numInts)
}

// partSource sorts the columns of a part, one at a time.
type partSource struct {
	part   Part
	format *Format
	sums   []Total
	*scratch
}

func (s *partSource) rows() int        { return s.part.Len() }
func (s *partSource) fields() []string { return s.part.Fields() }
func (s *partSource) totals() []totalsCursor {
	c := sliceTotals(s.sums)
	return []totalsCursor{&c}
}
func (s *partSource) err() error { return s.part.Err() }

func (s *partSource) ints(col int, yield func(values []int64)) { s.pages(s.part.Ints(col), yield) }

func (s *partSource) intsPage(col, page int, buf []int64) []int64 {
	return s.part.Ints(col).Page(page, buf)
}

// pages calls yield with the values of all rows, page by page.
func (s *partSource) pages(ints Ints, yield func(values []int64)) {
	buf := s.take()
	for page := 0; page*PageRows < s.part.Len(); page++ {
		yield(ints.Page(page, buf))
	}
	s.give(buf)
}

// stretches calls yield, page by page, with all rows that have a code; other rows may
// come too. From a sparse page in memory it takes only the rows that have a code, so
// the cost of a column depends on its cells and not on the number of rows.
func (s *partSource) stretches(ints Ints, yield func(*stretch)) {
	open, _ := ints.(memCodes)
	codes, at := s.take(), s.take()
	for page := 0; page*PageRows < s.part.Len(); page++ {
		first := page * PageRows
		rows, few, ok := open.sparse(page)
		if open.rows == 0 || !ok {
			yield(&stretch{first: first, codes: ints.Page(page, codes)})
			continue
		}
		for i, row := range rows {
			at[i], codes[i] = int64(first+int(row)), int64(few[i])
		}
		if len(rows) > 0 {
			yield(&stretch{at: at[:len(rows)], codes: codes[:len(rows)]})
		}
	}
	s.give(codes)
	s.give(at)
}

// sliceTotals is a cursor over totals in memory.
type sliceTotals []Total

func (*sliceTotals) end() {}

func (s *sliceTotals) next() (t Total, ok bool) {
	if len(*s) == 0 {
		return t, false
	}
	t = (*s)[0]
	*s = (*s)[1:]
	return t, true
}

// sliceLeaves is a cursor over leaves in memory.
type sliceLeaves []leaf

func (s *sliceLeaves) next() (l leaf, ok bool) {
	if len(*s) == 0 {
		return l, false
	}
	l = (*s)[0]
	*s = (*s)[1:]
	return l, true
}

// column sorts the cells of a field. It leaves out cells that no published row has, so
// that a run is a function of its rows (X1). The result is valid until the next call.
func (s *partSource) column(field string) *columnSource {
	col := s.part.Column(field)
	if col == nil {
		return nil
	}
	card := col.Card()
	s.counts = sized(s.counts, card+1)
	clear(s.counts)
	s.stretches(col.Codes(), func(st *stretch) {
		for _, code := range st.codes {
			if uint64(code) <= uint64(card) { // a higher code is damage; the part's error is reported at the end
				s.counts[code]++
			}
		}
	})
	src := &columnSource{}
	var prefix termPrefix
	s.entries = s.entries[:0]
	for c := uint32(1); int(c) <= card; c++ {
		if s.counts[c] == 0 {
			continue
		}
		cell := col.Cell(c)
		e := entry{s.format.order(cell, 0), c}
		if e.key < notScalar {
			prefix.add(s.format, cell)
		}
		s.entries = append(s.entries, e)
		src.present += int(s.counts[c])
	}
	src.card = len(s.entries)
	if prefix.n > 0 {
		for i := range s.entries {
			s.entries[i].key = s.format.order(col.Cell(s.entries[i].code), prefix.n)
		}
	}
	sorted := s.sort(func(a, b uint32) int { return s.format.Compare(col.Cell(a), col.Cell(b)) })
	s.renumber = sized(s.renumber, card+1)
	scalars := 0
	var leaves []leaf
	var hashes []int64
	for i, e := range sorted {
		s.renumber[e.code] = uint32(i + 1)
		if e.key < notScalar {
			scalars++
			continue
		}
		hashes = s.format.leafHashes(hashes[:0], col.Cell(e.code))
		for _, hash := range hashes {
			leaves = append(leaves, leaf{hash, int64(i + 1)})
		}
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.code, b.code))
	})
	src.bounds = func() (first, last []byte) {
		if scalars > 0 {
			first, last = col.Cell(sorted[0].code), col.Cell(sorted[scalars-1].code)
		}
		return first, last
	}
	src.cells = func() cellCursor { return &partCells{col: col, counts: s.counts, entries: sorted} }
	src.leaves = func() leafCursor { c := sliceLeaves(leaves); return &c }
	src.codes = func(yield func(*stretch)) {
		s.stretches(col.Codes(), func(st *stretch) {
			for i, code := range st.codes {
				switch {
				case code == 0:
				case uint64(code) <= uint64(card):
					st.codes[i] = int64(s.renumber[code])
				default:
					st.codes[i] = 0
				}
			}
			yield(st)
		})
	}
	return src
}

// partCells is a cursor over the cells of a part's column in their order.
type partCells struct {
	col     Column
	counts  []uint32
	entries []entry
	at      int    // index of the next entry
	sum     uint32 // of what touch has loaded, so that no load is left out
}

func (c *partCells) next() (cell []byte, count int, ok bool) {
	if c.at == len(c.entries) {
		return nil, 0, false
	}
	if c.at%touchCells == 0 {
		c.touch()
	}
	code := c.entries[c.at].code
	c.at++
	return c.col.Cell(code), int(c.counts[code]), true
}

// touchCells is how many cells are touched at a time.
const touchCells = 32

// touch loads what the next cells need into the processor's caches. In their order, the cells
// lie anywhere in memory, and next would wait for each of them. In a loop of their own the
// processor waits for several at a time.
func (c *partCells) touch() {
	for _, e := range c.entries[c.at:min(c.at+touchCells, len(c.entries))] {
		if cell := c.col.Cell(e.code); len(cell) > 0 {
			c.sum += uint32(cell[0]) + uint32(cell[len(cell)-1]) + c.counts[e.code]
		}
	}
}

// entry is a cell to be sorted.
type entry struct {
	key  uint64 // see Format.order
	code uint32
}

// fewEntries is up to how many entries sort compares instead of using radix sort.
const fewEntries = 256

// sort sorts the entries by key and then by compare. Many entries are sorted byte by
// byte from the last one (radix sort), skipping bytes in which all agree: comparing
// them would take longer than everything else that writes them.
func (s *scratch) sort(compare func(a, b uint32) int) []entry {
	order := func(a, b entry) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return compare(a.code, b.code)
	}
	if len(s.entries) < fewEntries {
		slices.SortFunc(s.entries, order)
		return s.entries
	}
	var counts [8][256]uint32
	for _, e := range s.entries {
		for b := range counts {
			counts[b][byte(e.key>>(8*b))]++
		}
	}
	s.spare = sized(s.spare, len(s.entries))
	for b := range counts {
		starts := &counts[b]
		shift := 8 * b
		if starts[byte(s.entries[0].key>>shift)] == uint32(len(s.entries)) {
			continue // the same byte in all
		}
		at := uint32(0)
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for _, e := range s.entries {
			to := &starts[byte(e.key>>shift)]
			s.spare[*to] = e
			*to++
		}
		s.entries, s.spare = s.spare, s.entries
	}
	for lo := 0; lo < len(s.entries); {
		hi := lo + 1
		for hi < len(s.entries) && s.entries[hi].key == s.entries[lo].key {
			hi++
		}
		if hi-lo > 1 {
			slices.SortFunc(s.entries[lo:hi], order)
		}
		lo = hi
	}
	return s.entries
}
