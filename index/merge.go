// Merge: one run made of several consecutive runs.

package index

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
)

// Merge writes the rows of consecutive runs as run id. The result is byte for byte the
// run that Build makes of all these rows. Most pages are read without the cache. Memory
// is bounded by a few pages for each run, two or three bytes for each cell of the
// current column, four bytes for each cell of the largest run, the filter, and for the counts 4
// MiB (countsCells), a byte for each row up to pairRows, and what they take on disk.
//
// Merging a single run writes it again from its columns. Its starts, lists and leaves
// are made anew.
func Merge(w Sink, id uint64, runs []*Run, numInts int, filterField string) error {
	return MergeRecounted(w, id, runs, nil, numInts, filterField)
}

// Recount replaces an integer column and the totals of a run while it is merged.
type Recount struct {
	Col    int               // the integer column
	Ints   Ints              // its new values, one for each row of the run
	Totals []iter.Seq[Total] // each ordered by property, day and value
	Err    func() error      // the first error of Ints or Totals
}

// MergeRecounted is Merge with new values for some runs: recounts[i] is that of runs[i],
// nil = the run as it is. recounts may be nil.
func MergeRecounted(w Sink, id uint64, runs []*Run, recounts []*Recount, numInts int, filterField string) error {
	return merge(w, id, runs, recounts, numInts, filterField, func(*runWriter) {})
}

// Rebuild writes a run again from its columns, in the format version that it has and with counts
// of what it counts. If the run is good, the result is byte for byte the same.
func Rebuild(w Sink, r *Run, numInts int, filterField string) error {
	h, err := r.loadHeader()
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	var counted Counted
	if h.bounds != nil {
		counted.Ints = h.bounds.ints
	}
	if h.counts != nil {
		counted = h.counts.Counted
	}
	paired := ""
	if h.pairs != nil {
		paired = h.pairs.field
	}
	return merge(w, r.Run, []*Run{r}, nil, numInts, filterField, func(b *runWriter) {
		b.version, b.counted, b.bounds, b.paired = h.version, counted, h.bounds != nil, paired
	})
}

// merge merges runs. as may change how the run is written.
func merge(w Sink, id uint64, runs []*Run, recounts []*Recount, numInts int, filterField string, as func(*runWriter)) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	sources := make([]source, len(runs))
	for i, r := range runs {
		v := r.Part().(*runPart)
		if v.err == nil && v.header.ints != numInts {
			v.err = r.corrupt(fmt.Sprintf("%d integer columns", v.header.ints))
		}
		if v.err != nil {
			return fmt.Errorf("merge: %w", v.err)
		}
		from := &runSource{runPart: v, scratch: s}
		if sources[i] = from; recounts != nil && recounts[i] != nil {
			sources[i] = &recountedSource{from, recounts[i]}
		}
	}
	b := newRunWriter(w, id, runs[0].format, filterField, s, sources)
	as(b)
	return b.write(numInts)
}

// recountedSource is a run to be merged with a Recount.
type recountedSource struct {
	*runSource
	new *Recount
}

func (s *recountedSource) ints(col int, yield func(values []int64)) {
	if col != s.new.Col {
		s.runSource.ints(col, yield)
		return
	}
	buf := s.take()
	for page := 0; page*PageRows < s.rows(); page++ {
		yield(s.new.Ints.Page(page, buf))
	}
	s.give(buf)
}

func (s *recountedSource) intsPage(col, page int, buf []int64) []int64 {
	if col != s.new.Col {
		return s.runSource.intsPage(col, page, buf)
	}
	return s.new.Ints.Page(page, buf)
}

func (s *recountedSource) totals() []totalsCursor { return pulled(s.new.Totals) }

func (s *recountedSource) err() error {
	if err := s.new.Err(); err != nil {
		return err
	}
	return s.runSource.err()
}

// pulled returns cursors over sequences.
func pulled(seqs []iter.Seq[Total]) (all []totalsCursor) {
	for _, seq := range seqs {
		next, stop := iter.Pull(seq)
		all = append(all, pulledTotals{next, stop})
	}
	return all
}

// pulledTotals is a cursor over a sequence.
type pulledTotals struct {
	pull func() (Total, bool)
	stop func()
}

func (p pulledTotals) next() (Total, bool) { return p.pull() }
func (p pulledTotals) end()                { p.stop() }

// runSource is a run to be merged. It reads each page once, so it caches none.
type runSource struct {
	*runPart
	*scratch
	key     []byte
	dictBuf []byte // memory of the current dictionary page
}

func (s *runSource) rows() int              { return s.Len() }
func (s *runSource) fields() []string       { return s.Fields() }
func (s *runSource) err() error             { return s.Err() }
func (s *runSource) totals() []totalsCursor { return []totalsCursor{&runTotals{part: s.runPart}} }

func (s *runSource) ints(col int, yield func(values []int64)) {
	s.pages(uint16(col), secInts, s.Len(), func(_ int, values []int64) { yield(values) })
}

func (s *runSource) intsPage(col, page int, buf []int64) []int64 {
	return s.page(uint16(col), secInts, s.Len(), page, buf)
}

// read calls open with a page as it is stored. The page is valid until open returns.
// open reports whether the page is whole.
func (s *runSource) read(col uint16, sec section, page int, open func(b []byte) bool) {
	if s.runPart.err != nil {
		return
	}
	k := pageKey{s.run.Run, col, sec, uint32(page)}
	s.key = k.append(s.key[:0])
	b, closer, err := s.run.db.Get(s.key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		s.fail(s.run.corrupt(fmt.Sprintf("column %d section %d page %d is missing", col, sec, page)))
		return
	case err != nil:
		s.fail(fmt.Errorf("read run %d: %w", s.run.Run, err))
		return
	}
	ok := open(b)
	if err := closer.Close(); err != nil {
		s.fail(fmt.Errorf("read run %d: %w", s.run.Run, err))
	}
	if !ok {
		s.fail(s.run.corrupt(fmt.Sprintf("column %d section %d page %d is damaged", col, sec, page)))
	}
}

// page decodes one page of an integer section of n values into buf.
func (s *runSource) page(col uint16, sec section, n, page int, buf []int64) []int64 {
	buf = buf[:min(PageRows, n-page*PageRows)]
	s.read(col, sec, page, func(b []byte) bool {
		p, ok := parseInts(b)
		if ok = ok && p.n == len(buf); ok {
			p.decode(buf)
		}
		return ok
	})
	if s.runPart.err != nil {
		return nil
	}
	return buf
}

// pages calls yield with the n values of an integer section, page by page. first is the
// position of the page's first value.
func (s *runSource) pages(col uint16, sec section, n int, yield func(first int, values []int64)) {
	buf := s.take()
	defer s.give(buf)
	for first := 0; first < n; first += PageRows {
		values := s.page(col, sec, n, first/PageRows, buf)
		if values == nil {
			return
		}
		yield(first, values)
	}
}

func (s *runSource) column(field string) *columnSource {
	col, ok := s.Column(field).(*runColumn)
	if !ok {
		return nil
	}
	h := col.h
	src := &columnSource{card: h.card, present: h.present}
	src.bounds = func() (first, last []byte) {
		if h.scalars > 0 {
			first, last = slices.Clone(col.Cell(1)), col.Cell(uint32(h.scalars))
		}
		return first, last
	}
	src.cells = func() cellCursor { return &runCells{runSource: s, col: col} }
	src.leaves = func() leafCursor {
		n := int(h.leaves)
		return &runLeaves{n: n, hashes: col.ints(secLeaves, n), owners: col.ints(secOwners, n)}
	}
	src.same = func() {
		for first := 0; first < s.Len(); first += PageRows {
			s.read(col.num, secInts, first/PageRows, func(b []byte) bool {
				p, ok := parseInts(b)
				return ok && p.kind == 0 && p.base == 1 && p.n == min(PageRows, s.Len()-first)
			})
		}
	}
	src.codes = func(yield func(*stretch)) {
		if !h.sparse {
			s.pages(col.num, secInts, s.Len(), func(first int, codes []int64) { yield(&stretch{first: first, codes: codes}) })
			return
		}
		rows := s.take()
		defer s.give(rows)
		before := int64(-1)
		s.pages(col.num, secInts, h.present, func(first int, codes []int64) {
			at := s.page(col.num, secRowSet, h.present, first/PageRows, rows)
			for _, row := range at {
				if row <= before || row >= int64(s.Len()) {
					s.fail(s.run.corrupt(fmt.Sprintf("column %s: row %d after %d", h.name, row, before)))
				}
				before = row
			}
			if s.runPart.err == nil {
				yield(&stretch{at: at, codes: codes})
			}
		})
	}
	return src
}

// runCells is a cursor over the cells of a run's column.
type runCells struct {
	*runSource
	col    *runColumn
	code   int // of the previous cell
	dict   dictPage
	page   int // number of the dictionary page after the current one
	first  int // index of the current page's first cell
	starts []int64
	buf    []int64
	before int64 // number of rows with lower codes
}

func (c *runCells) next() (cell []byte, count int, ok bool) {
	h := c.col.h
	if c.code == h.card || c.runPart.err != nil {
		c.end()
		return nil, 0, false
	}
	if c.buf == nil {
		c.buf = c.take()
	}
	if c.code == c.first+c.dict.n {
		c.open()
	}
	// The starts begin with a 0, so they have one value more than there are cells.
	if at := c.code + 1; at%PageRows == 0 || c.starts == nil {
		c.starts = c.runSource.page(c.col.num, secStarts, h.card+1, at/PageRows, c.buf)
	}
	if c.runPart.err != nil {
		c.end()
		return nil, 0, false
	}
	c.code++
	end := c.starts[c.code%PageRows]
	count = int(end - c.before)
	c.before = end
	return c.dict.cell(c.code - 1 - c.first), count, true
}

// open reads the next page of the dictionary.
func (c *runCells) open() {
	h := c.col.h
	c.first = c.code
	n := h.card
	if c.page+1 < len(h.dict) {
		n = h.dict[c.page+1]
	}
	n -= c.first
	c.read(c.col.num, secDict, c.page, func(b []byte) (ok bool) {
		if c.dictBuf, ok = openDict(c.dictBuf, b); !ok {
			return false
		}
		c.dict = trustedDict(c.dictBuf)
		return c.dict.n == n
	})
	c.page++
}

func (c *runCells) end() {
	if c.buf != nil {
		c.give(c.buf)
		c.buf = nil
	}
}

// runLeaves is a cursor over the leaves of a run's column.
type runLeaves struct {
	at, n          int
	hashes, owners *pagedInts
}

func (c *runLeaves) next() (l leaf, ok bool) {
	if c.at >= c.n || c.hashes.part.err != nil {
		return l, false
	}
	l = leaf{c.hashes.At(c.at), c.owners.At(c.at)}
	c.at++
	return l, true
}

func (c *runTotals) end() {}

// runTotals is a cursor over all totals of a run.
type runTotals struct {
	part     *runPart
	property int
	page     int // number of the next page of the property
	totals   []Total
	from     []Total // totals is the rest of it
	texts    []byte  // the values of the page
}

// next returns the next total. Its value is valid until the next call.
func (c *runTotals) next() (t Total, ok bool) {
	for len(c.totals) == 0 {
		all := c.part.header.totals
		if c.part.err != nil || c.property >= len(all) {
			return t, false
		}
		h := &all[c.property]
		if c.page >= len(h.days) {
			c.property, c.page = c.property+1, 0
			continue
		}
		texts := c.texts[:0]
		keep := func(value []byte) string {
			at := len(texts)
			texts = append(texts, value...) // where it grows, the values before stay in the old array
			return unsafe.String(unsafe.SliceData(texts[at:]), len(value))
		}
		c.from = c.from[:0]
		err := c.part.run.totalsPage(h, c.page, math.MinInt32, math.MaxInt32, keep, func(t Total) { c.from = append(c.from, t) })
		c.totals, c.texts = c.from, texts
		if err != nil {
			c.part.fail(err)
			return t, false
		}
		c.page++
	}
	t = c.totals[0]
	c.totals = c.totals[1:]
	return t, true
}
