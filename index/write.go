// Writing a run out of parts that follow one another: column by column, in one
// stream, so that memory is bounded by a few pages a part and by small numbers a
// distinct cell. Sealing writes one part in memory, merging several runs.

package index

import (
	"fmt"
	"slices"
	"strings"
)

// Sink takes the keys of a run in ascending order; an sstable writer.
type Sink interface {
	Set(key, value []byte) error
}

const (
	// listCard and listShare say which columns list where their cells are: those
	// of more than listCard cells, which fewer than listShare rows each have. Of
	// other cells the newest are soon found by looking at all rows.
	listCard  = 64
	listShare = 256

	// blockRows is how exactly a list says where a cell is: a stretch of the
	// column's codes that is looked through in about a microsecond.
	blockRows = 1024

	// sparseShare: a column that fewer than one row in so many has keeps the list
	// of these rows instead of a code for every row.
	sparseShare = 16

	// listPass bounds the entries of the lists that are made in one pass over a
	// column, and so its memory: 6 bytes for each.
	listPass = 2 << 20
)

// source is a part a run is written from.
type source interface {
	rows() int
	ints(col int) Ints
	fields() []string                  // sorted
	column(field string) *columnSource // nil when no row has the field
	totals() totalsCursor
	err() error
}

// columnSource is one cell column of a source. Its cells are numbered from 1 in
// the order of Format.Compare, and all are in use.
type columnSource struct {
	card    int
	scalars int
	present int // rows that have it
	leaves  func() leafCursor
	cell    func(code uint32) []byte // good until the next call
	count   func(code uint32) int
	each    func(yield func(row int, code uint32)) // rows that have it, ascending
}

// leafCursor walks what is inside the arrays and objects of a column, by (hash,
// code).
type leafCursor interface{ next() (l leaf, ok bool) }

type leaf struct{ hash, code int64 }

// totalsCursor walks totals by (property, day, value).
type totalsCursor interface{ next() (t Total, ok bool) }

// runWriter writes one run.
type runWriter struct {
	w       Sink
	run     uint64
	format  *Format
	filter  string // field of the column with a filter
	pass    int    // listPass
	sources []source
	firsts  []int // row of each source, then the number of all
	header  header
	err     error
}

// writeRun writes the rows of the sources, in their order, as run id.
func writeRun(w Sink, id uint64, numInts int, format *Format, filterField string, sources []source) error {
	b := &runWriter{w: w, run: id, format: format, filter: filterField, pass: listPass, sources: sources, firsts: []int{0}}
	return b.write(numInts)
}

func (b *runWriter) write(numInts int) error {
	for _, s := range b.sources {
		b.firsts = append(b.firsts, b.firsts[len(b.firsts)-1]+s.rows())
	}
	b.header = header{rows: b.firsts[len(b.sources)], ints: numInts}
	for col := range numInts {
		b.ints(col)
	}
	var fields []string
	for _, s := range b.sources {
		fields = append(fields, s.fields()...)
	}
	slices.Sort(fields)
	var filter filterPages
	for _, field := range slices.Compact(fields) {
		c := b.column(field)
		if c == nil {
			continue
		}
		if field == b.filter {
			filter = newFilter(c.h.present)
			c.filter = filter
		}
		c.write()
		b.header.columns = append(b.header.columns, c.h)
	}
	b.totals()
	b.header.filter = len(filter)
	for i, page := range filter {
		b.set(pageKey{run: b.run, col: colFilter, page: uint32(i)}, page)
	}
	b.set(pageKey{run: b.run, col: colHeader}, b.header.append(nil))
	b.check()
	if b.err != nil {
		return fmt.Errorf("write run %d: %w", b.run, b.err)
	}
	return nil
}

// check takes over what went wrong with a source; it is the cause of anything else.
func (b *runWriter) check() {
	for _, s := range b.sources {
		if err := s.err(); err != nil {
			b.err = err
			return
		}
	}
}

func (b *runWriter) set(k pageKey, value []byte) {
	if b.err == nil {
		b.err = b.w.Set(k.append(make([]byte, 0, 16)), value)
	}
}

// pages starts the integer pages of one section.
func (b *runWriter) pages(col uint16, sec section) *intsWriter {
	return &intsWriter{emit: func(page uint32, data []byte) { b.set(pageKey{b.run, col, sec, page}, data) }}
}

// intsWriter cuts integers into pages.
type intsWriter struct {
	emit   func(page uint32, data []byte)
	page   uint32
	values []int64
}

func (w *intsWriter) add(v int64) {
	if w.values = append(w.values, v); len(w.values) == PageRows {
		w.flush()
	}
}

func (w *intsWriter) zeros(n int) {
	for ; n > 0; n-- {
		w.add(0)
	}
}

// flush ends the last page.
func (w *intsWriter) flush() {
	if len(w.values) > 0 {
		w.emit(w.page, appendInts(nil, w.values))
		w.page, w.values = w.page+1, w.values[:0]
	}
}

func (b *runWriter) ints(col int) {
	out := b.pages(uint16(col), secInts)
	buf := make([]int64, PageRows)
	for _, s := range b.sources {
		in := s.ints(col)
		for first := 0; first < s.rows(); first += PageRows {
			for _, v := range in.Page(first/PageRows, buf) {
				out.add(v)
			}
		}
	}
	out.flush()
}

// columnWriter writes one cell column.
type columnWriter struct {
	*runWriter
	num     uint16
	h       columnHeader
	sources []*columnSource // nil where no row of the source has the field
	remap   []packedInts    // of each source, from its codes to the run's; nil = the same
	starts  packedInts      // the starts again, to be asked
	rowSum  uint64          // of the codes, once for each row that has them
	leafSum uint64          // of what the arrays and objects hold
	filter  filterPages     // nil = none is kept
}

// column begins the column of a field, nil when no row has it.
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
	starts := c.dictionary()
	c.check()
	for _, page := range starts {
		c.starts.pages = append(c.starts.pages, viewInts(page))
	}
	c.h.sparse = c.h.present < c.header.rows/sparseShare
	c.h.lists = c.h.card > listCard && c.h.present/c.h.card < listShare && c.header.rows <= blockRows<<16
	for page, data := range starts {
		c.set(pageKey{c.run, c.num, secStarts, uint32(page)}, data)
	}
	if c.err != nil {
		return
	}
	codes := c.pages(c.num, secInts)
	next := 0 // row
	sum := uint64(0)
	c.each(func(row int, code uint32) {
		sum += mix(int64(code), 0)
		if !c.h.sparse {
			codes.zeros(row - next)
			next = row + 1
		}
		codes.add(int64(code))
	})
	if !c.h.sparse {
		codes.zeros(c.header.rows - next)
	}
	codes.flush()
	if sum != c.rowSum && c.err == nil {
		c.err = errCounts
	}
	if c.h.sparse {
		rowSet := c.pages(c.num, secRowSet)
		c.each(func(row int, _ uint32) { rowSet.add(int64(row)) })
		rowSet.flush()
	}
	if c.h.lists {
		c.lists()
	}
	c.leaves()
}

// each calls yield with the rows that have the column, and the run's codes.
func (c *columnWriter) each(yield func(row int, code uint32)) {
	for i, s := range c.sources {
		if s == nil || c.err != nil {
			continue
		}
		first := c.firsts[i]
		if c.remap == nil {
			s.each(func(row int, code uint32) { yield(first+row, code) })
			continue
		}
		remap := &c.remap[i]
		s.each(func(row int, code uint32) {
			if int(code) > remap.n {
				c.err = errCode
				return
			}
			yield(first+row, uint32(remap.at(int(code)-1)))
		})
	}
}

// lists writes, for each code, the blocks of codes it is in. They are gathered
// for a range of codes at a time, in room for as many as they have rows.
func (c *columnWriter) lists() {
	blocks := c.pages(c.num, secBlocks)
	var startPages [][]byte
	starts := &intsWriter{emit: func(_ uint32, data []byte) { startPages = append(startPages, data) }}
	starts.add(0)
	total := int64(0)
	var entries []uint16 // of the range: block numbers, code by code
	var ends []uint32    // by code of the range: where its entries end
	for lo := 0; lo < c.h.card && c.err == nil; {
		base, n := c.starts.at(lo), 0
		ends = ends[:0]
		for lo+n < c.h.card && (n == 0 || c.starts.at(lo+n+1)-base <= int64(c.pass)) {
			ends = append(ends, uint32(c.starts.at(lo+n)-base))
			n++
		}
		room := int(c.starts.at(lo+n) - base)
		if cap(entries) < room {
			entries = make([]uint16, room)
		}
		entries = entries[:room]
		at := 0 // among the codes as they are stored
		c.each(func(row int, code uint32) {
			if !c.h.sparse {
				at = row
			}
			block := uint16(at / blockRows)
			at++
			i := int(code) - 1 - lo
			if i < 0 || i >= n {
				return
			}
			end := ends[i]
			if int(end) >= room || int64(end) >= c.starts.at(lo+i+1)-base {
				return // of a damaged source there may be more rows than it counts, which write has found
			}
			if end > 0 && entries[end-1] == block && int64(end) > c.starts.at(lo+i)-base {
				return
			}
			entries[end] = block
			ends[i]++
		})
		for i, end := range ends {
			list := entries[c.starts.at(lo+i)-base : end]
			for _, block := range list {
				blocks.add(int64(block))
			}
			total += int64(len(list))
			starts.add(total)
		}
		lo += n
	}
	blocks.flush()
	starts.flush()
	for page, data := range startPages {
		c.set(pageKey{c.run, c.num, secListStarts, uint32(page)}, data)
	}
}

// leaves writes what is inside arrays and objects. Cells of several sources may
// be one: then their leaves are.
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

// mix hashes two numbers, so that a sum of hashes tells one set from another.
func mix(a, b int64) uint64 {
	h := (uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)) * 0xbf58476d1ce4e5b9
	return (h ^ h>>29) * 0x94d049bb133111eb
}

func (c *columnWriter) eachLeaf(yield func(leaf)) {
	type head struct {
		leafCursor
		leaf
		source int
	}
	var heads []head
	pull := func(i int) {
		h := &heads[i]
		l, ok := h.next()
		if !ok {
			heads = slices.Delete(heads, i, i+1)
			return
		}
		if c.remap != nil {
			if l.code < 1 || int(l.code) > c.remap[h.source].n {
				heads, c.err = nil, errCode
				return
			}
			l.code = c.remap[h.source].at(int(l.code) - 1)
		}
		h.leaf = l
	}
	for i, s := range c.sources {
		if s != nil {
			heads = append(heads, head{leafCursor: s.leaves(), source: i})
			pull(len(heads) - 1)
		}
	}
	var same []int64 // codes of one hash
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

// totals writes the sums of all sources' totals.
func (b *runWriter) totals() {
	var heads []struct {
		totalsCursor
		Total
	}
	pull := func(i int) {
		t, ok := heads[i].next()
		if !ok {
			heads = slices.Delete(heads, i, i+1)
			return
		}
		heads[i].Total = t
	}
	for _, s := range b.sources {
		heads = append(heads, struct {
			totalsCursor
			Total
		}{totalsCursor: s.totals()})
		pull(len(heads) - 1)
	}
	page := totalsPage{}
	number := uint32(0)
	flush := func() {
		if len(page.data) > 0 {
			b.set(pageKey{run: b.run, col: colTotals, page: number}, page.data)
			number++
		}
		page = totalsPage{}
	}
	for len(heads) > 0 && b.err == nil {
		least := 0
		for i := range heads {
			if compareTotals(&heads[i].Total, &heads[least].Total) < 0 {
				least = i
			}
		}
		t := heads[least].Total
		pull(least)
		for i := len(heads) - 1; i >= 0; i-- {
			if compareTotals(&heads[i].Total, &t) == 0 {
				t.Sum = AddSaturating(t.Sum, heads[i].Sum)
				pull(i)
			}
		}
		known := b.header.totals
		if len(known) == 0 || known[len(known)-1].property != t.Property {
			flush()
			b.header.totals = append(known, totalsHeader{property: strings.Clone(t.Property), first: int(number)})
		}
		if len(page.data) >= totalsPageBytes {
			flush()
		}
		if len(page.data) == 0 {
			last := &b.header.totals[len(b.header.totals)-1]
			last.days = append(last.days, t.Day)
		}
		page.add(&t)
	}
	flush()
}
