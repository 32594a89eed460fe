// Writing a cell column: the codes of its rows, the lists of where each code is, and
// the leaves of arrays and objects. write_dict.go writes its dictionary.

package index

import "slices"

const (
	// listCard and listShare say which columns have lists. Such a column has more than
	// listCard cells, and on average fewer than listShare rows have each. The newest
	// rows of any other cell are found soon by reading all rows.
	listCard  = 64
	listShare = 256

	// blockRows is the resolution of a list: a block of the column's codes, which is
	// searched in about a microsecond.
	blockRows = 1024

	// sparseShare: a column is sparse when fewer than one row in sparseShare has it. It
	// then keeps a list of these rows instead of a code for every row.
	sparseShare = 16

	// listPass bounds how many entries of lists are made in one pass over a column. An
	// entry takes 10 bytes of memory.
	listPass = 1 << 19
)

// columnSource is one cell column of a source. Its cells are numbered from 1 in the
// order of Format.Compare. At least one row has each.
type columnSource struct {
	card    int
	present int                                // rows that have the field
	bounds  func() (first, last []byte)        // first and last scalar; nil when there are none
	cells   func() cellCursor                  // in their order
	codes   func(yield func(stretch *stretch)) // by ascending row
	leaves  func() leafCursor
	// same checks that every row has the one cell there is, without codes; nil = that is
	// known. It is called when card is 1 and every row has the field.
	same func()
}

// cellCursor walks the cells of a column. count is the number of rows that have the
// cell. A cell is valid until the next call.
type cellCursor interface {
	next() (cell []byte, count int, ok bool)
}

// leafCursor walks the leaves inside the arrays and objects of a column, ordered by
// (hash, code).
type leafCursor interface{ next() (l leaf, ok bool) }

type leaf struct{ hash, code int64 }

// stretch is some rows and their codes; code 0 means that the row lacks the field. The
// receiver may change it.
type stretch struct {
	first int     // without at, the rows are first, first+1, …
	at    []int64 // the rows, when they are not consecutive
	codes []int64
}

// columnWriter writes one cell column.
type columnWriter struct {
	*runWriter
	num     uint16
	h       columnHeader
	sources []*columnSource // nil where no row of the source has the field
	remap   []codeMap       // by source: from its codes to those of the run; nil = the codes are the same
	starts  [][]byte        // pages of section 3
	rowSum  uint64          // sum of mix of the code of each row
	leafSum uint64          // sum of mix of each leaf
	filter  filterPages     // nil = no filter
	most    int             // cells of the column that are read, but not written; 0 = it is written

	last, first []byte // scratch: terms that separator compares
}

// column prepares the column of a field, nil when no row has it.
func (b *runWriter) column(field string) *columnWriter {
	c := &columnWriter{runWriter: b, num: uint16(b.header.ints + len(b.header.columns)), h: columnHeader{name: field}}
	for _, s := range b.sources {
		col := s.column(field)
		if col != nil && col.present == 0 {
			col = nil
		}
		c.sources = append(c.sources, col)
		if col != nil {
			c.h.present += col.present
		}
	}
	if c.h.present == 0 {
		return nil
	}
	return c
}

func (c *columnWriter) write() {
	c.dictionary()
	c.check()
	if c.err != nil {
		return
	}
	c.h.sparse = c.h.present < c.header.rows/sparseShare
	c.h.lists = c.h.card > listCard && c.h.present/c.h.card < listShare && c.header.rows <= blockRows<<16
	c.setPages(c.num, secStarts, c.starts)
	var lists listWriter
	if c.h.lists {
		lists.begin(c)
	}
	codes := c.pages(c.num, secInts)
	counted := c.counting.wants(c.h.name)
	pairs := c.pairing.counterOf(c)
	if c.h.card == 1 && c.h.present == c.header.rows {
		if counted {
			c.counting.same()
		}
		if pairs != nil {
			pairs.same()
		}
		for _, s := range c.sources {
			if s != nil && s.same != nil {
				s.same()
			}
		}
		codes.constant(1, c.header.rows)
		c.leaves()
		return
	}
	var rowPages [][]byte
	rows := keepPages(c.scratch, &rowPages)
	next, sum := 0, uint64(0)
	var counter *codeCounter
	if counted {
		counter = c.counting.countCodes(c)
	}
	c.each(func(s *stretch) {
		if counter != nil {
			counter.add(s)
		}
		if pairs != nil {
			pairs.add(s)
		}
		for _, code := range s.codes {
			sum += mix(code, 0) // the mix of 0 is 0
		}
		switch {
		case c.h.sparse:
			c.compact(s, rows)
			lists.add(next, s.codes)
			codes.addAll(s.codes)
			next += len(s.codes)
		case s.at == nil:
			lists.add(s.first, s.codes)
			codes.zeros(s.first - next)
			codes.addAll(s.codes)
			next = s.first + len(s.codes)
		default:
			for i, row := range s.at {
				lists.add(int(row), s.codes[i:i+1])
				codes.zeros(int(row) - next)
				codes.add(s.codes[i])
				next = int(row) + 1
			}
		}
	})
	if !c.h.sparse {
		codes.zeros(c.header.rows - next)
	}
	codes.flush()
	rows.flush()
	if counter != nil {
		counter.end()
	}
	if pairs != nil {
		pairs.end()
	}
	if sum != c.rowSum && c.err == nil {
		c.err = errCounts
	}
	c.setPages(c.num, secRowSet, rowPages)
	if c.h.lists {
		lists.write()
	}
	c.leaves()
}

// compact removes the rows without a code from a stretch, and adds the other rows to
// rows.
func (c *columnWriter) compact(s *stretch, rows *intsWriter) {
	n := 0
	for i, code := range s.codes {
		if code == 0 {
			continue
		}
		row := int64(s.first + i)
		if s.at != nil {
			row = s.at[i]
		}
		rows.add(row)
		s.codes[n] = code
		n++
	}
	s.codes = s.codes[:n]
}

// each calls yield, by ascending row, with the rows of the run that have the column;
// other rows may come too. The codes are those of the run.
func (c *columnWriter) each(yield func(s *stretch)) {
	for i, s := range c.sources {
		if s == nil || c.err != nil {
			continue
		}
		first, card := c.firsts[i], uint64(c.h.card)
		if c.remap != nil {
			c.flat = c.remap[i].flat(c.flat)
			card = uint64(len(c.flat) - 1)
		}
		s.codes(func(s *stretch) {
			s.first += first
			for k := range s.at {
				s.at[k] += int64(first)
			}
			flat := c.flat
			for k, code := range s.codes {
				if uint64(code) > card {
					c.err = errCode
				} else if c.remap != nil {
					s.codes[k] = int64(flat[code])
				}
			}
			if c.err == nil {
				yield(s)
			}
		})
	}
}

// listWriter collects the blocks that each code is in. It does so for a range of codes
// at a time, in memory for as many entries as these codes have rows. The first range is
// done while the codes are written.
type listWriter struct {
	c      *columnWriter
	starts *startsCursor
	lo     int    // the range begins with code lo+1
	spans  []span // by code of the range: where its entries are, relative to the start of the range
	lists  []uint16
}

// span is where the entries of a code begin, and where those collected so far end.
type span struct{ first, end uint32 }

func (l *listWriter) begin(c *columnWriter) {
	l.c, l.starts = c, &startsCursor{pages: c.starts, buf: c.take()}
	c.spans = sized(c.spans, min(c.h.card, c.pass)+1)
	l.next(0)
}

// next prepares the range of codes that begins with code lo+1.
func (l *listWriter) next(lo int) {
	c := l.c
	l.lo, l.spans = lo, c.spans[:0]
	base, entries := l.starts.at(lo), int64(0)
	for lo+len(l.spans) < c.h.card {
		end := l.starts.at(lo+len(l.spans)+1) - base
		if len(l.spans) > 0 && end > int64(c.pass) {
			break
		}
		l.spans = append(l.spans, span{uint32(entries), uint32(entries)})
		entries = end
	}
	l.spans = append(l.spans, span{uint32(entries), uint32(entries)}) // where the last code's end
	c.spans = l.spans
	c.scratch.blocks = sized(c.scratch.blocks, int(entries))
	l.lists = c.scratch.blocks
}

// add takes the codes that are stored from position at on. A damaged source may have
// more rows of a code than it counts; write reports that.
func (l *listWriter) add(at int, codes []int64) {
	if l.c == nil {
		return
	}
	n := uint64(len(l.spans) - 1)
	lo := int64(l.lo) + 1
	for i, code := range codes {
		k := uint64(code - lo)
		if k >= n {
			continue
		}
		s := &l.spans[k]
		block := uint16((at + i) / blockRows)
		if s.end == l.spans[k+1].first || s.end > s.first && l.lists[s.end-1] == block {
			continue
		}
		l.lists[s.end] = block
		s.end++
	}
}

// write writes the lists of all codes. For each range after the first it reads the
// codes again.
func (l *listWriter) write() {
	c := l.c
	blocks := c.pages(c.num, secBlocks)
	var startPages [][]byte
	starts := keepPages(c.scratch, &startPages)
	starts.add(0)
	total := int64(0)
	for c.err == nil {
		n := len(l.spans) - 1
		for _, s := range l.spans[:n] {
			for _, block := range l.lists[s.first:s.end] {
				blocks.add(int64(block))
			}
			total += int64(s.end - s.first)
			starts.add(total)
		}
		if l.lo+n >= c.h.card {
			break
		}
		l.next(l.lo + n)
		at := 0
		c.each(func(s *stretch) {
			switch {
			case c.h.sparse:
				codes := slices.DeleteFunc(s.codes, func(code int64) bool { return code == 0 })
				l.add(at, codes)
				at += len(codes)
			case s.at == nil:
				l.add(s.first, s.codes)
			default:
				for i, row := range s.at {
					l.add(int(row), s.codes[i:i+1])
				}
			}
		})
	}
	blocks.flush()
	starts.flush()
	c.give(l.starts.buf)
	c.setPages(c.num, secListStarts, startPages)
}

// startsCursor reads integer pages that keepPages kept, mostly one after another.
type startsCursor struct {
	pages [][]byte
	page  int // number of the page in buf, plus 1
	buf   []int64
}

func (s *startsCursor) at(i int) int64 {
	if page := i / PageRows; s.page != page+1 {
		p := trustedInts(s.pages[page])
		p.decode(s.buf)
		s.page = page + 1
	}
	return s.buf[i%PageRows]
}

// leaves writes the leaves inside arrays and objects. When several sources have the
// same cell, their leaves are merged too.
func (c *columnWriter) leaves() {
	for _, sec := range []section{secLeaves, secOwners} {
		out := c.pages(c.num, sec)
		c.h.leaves = 0
		var sum uint64
		c.eachLeaf(func(l leaf) {
			if sec == secLeaves {
				out.add(l.hash)
			} else {
				out.add(l.code)
			}
			sum += mix(l.hash, l.code)
			c.h.leaves++
		})
		out.flush()
		if sum != c.leafSum && c.err == nil {
			c.err = errLeaves
		}
	}
}

// mix hashes two numbers. The sum of such hashes identifies a set.
func mix(a, b int64) uint64 {
	h := (uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)) * 0xbf58476d1ce4e5b9
	return (h ^ h>>29) * 0x94d049bb133111eb
}

func (c *columnWriter) eachLeaf(yield func(leaf)) {
	type head struct {
		leafCursor
		leaf
		remap *codeMap // nil = the codes are those of the run
	}
	var heads []head
	pull := func(i int) {
		h := &heads[i]
		l, ok := h.next()
		if !ok {
			heads = slices.Delete(heads, i, i+1)
			return
		}
		if h.remap != nil {
			if l.code < 1 || l.code > int64(h.remap.n) {
				heads, c.err = nil, errCode
				return
			}
			l.code = h.remap.at(int(l.code))
		}
		h.leaf = l
	}
	for i, s := range c.sources {
		if s == nil || c.err != nil {
			continue
		}
		h := head{leafCursor: s.leaves()}
		if c.remap != nil {
			h.remap = &c.remap[i]
		}
		heads = append(heads, h)
		pull(len(heads) - 1)
	}
	var same []int64 // codes with the same hash
	for len(heads) > 0 && c.err == nil {
		hash := heads[0].hash
		for _, h := range heads[1:] {
			hash = min(hash, h.hash)
		}
		same = same[:0]
		for i := len(heads) - 1; i >= 0 && c.err == nil; i-- {
			for n := len(heads); len(heads) == n && heads[i].hash == hash; {
				same = append(same, heads[i].code)
				pull(i)
			}
		}
		slices.Sort(same)
		for _, code := range slices.Compact(same) {
			yield(leaf{hash, code})
		}
	}
}
