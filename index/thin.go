// Thin: a run written again without the cells of some of its rows.

package index

import (
	"fmt"
	"iter"
	"math"
	"math/bits"
)

// Rows is a set of the rows of a part.
type Rows struct{ bitmap }

// NewRows returns an empty set of rows of a part that has n.
func NewRows(n int) *Rows {
	r := new(Rows)
	r.reset(n)
	return r
}

// Add adds a row.
func (r *Rows) Add(row int) { r.set(row) }

// Remove takes a row out.
func (r *Rows) Remove(row int) { r.unset(row) }

// Has reports whether a row is in the set. A nil set is empty.
func (r *Rows) Has(row int) bool { return r != nil && r.has(row) }

// Count returns how many rows are in the set.
func (r *Rows) Count() int {
	if r == nil {
		return 0
	}
	return r.count()
}

// Each calls fn with the rows of [from, to), ascending.
func (r *Rows) Each(from, to int, fn func(row int)) {
	if r != nil {
		r.ascend(from, func(row int) bool {
			if row < to {
				fn(row)
			}
			return row < to
		})
	}
}

// Thinning says what a run loses.
type Thinning struct {
	// Blank is the rows that are blanks afterwards. Those that the run has already are among
	// them.
	Blank *Rows
	Mark  []byte // the cell in FieldGone of each of them
	// Cells is by field the blanks that keep their cell in it. All others lose it.
	Cells map[string]*Rows
	// Ints is by integer column what happens to the values of blanks.
	Ints []ThinInts

	// The totals of the days for which DayGone returns true go. From those that are left Lost
	// is taken away; each sequence is ordered by property, day and value. A total of which
	// nothing is left goes as well, unless Stays returns true. nil = no such day, nothing,
	// never.
	DayGone func(day int32) bool
	Lost    []iter.Seq[Total]
	Stays   func(Total) bool
	// Totals are all totals instead, ordered like Lost; nil = those of the run.
	Totals []iter.Seq[Total]

	// Saturated is set when something is taken from a total at an end of int64. Then the totals
	// that are written are wrong.
	Saturated bool
}

// ThinInts is what happens to the values of blanks in an integer column. Those in Keep stay.
// The others become 0 or, without Zero, that of the living row before the blank, which takes
// no space; before the first living row it is the value of that row.
type ThinInts struct {
	Keep *Rows
	Zero bool
}

// Thin writes a run again as run id with some rows blank. The result is byte for byte the run
// that Build makes of these rows. Most pages are read without the cache. Memory is bounded by a
// few pages, six bytes for each cell of the current column, at most thinCodes of them at a
// time, the filter, and for the counts what Merge needs.
func Thin(w Sink, id uint64, run *Run, t *Thinning, numInts int, filterField string) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	v := run.Part().(*runPart)
	if v.err == nil && (v.header.ints != numInts || len(t.Ints) != numInts || t.Blank.n != v.header.rows) {
		v.err = run.corrupt(fmt.Sprintf("%d integer columns and %d rows", v.header.ints, v.header.rows))
	}
	if v.err != nil {
		return fmt.Errorf("thin: %w", v.err)
	}
	from := &thinSource{runSource: &runSource{runPart: v, scratch: s}, t: t, window: thinCodes}
	return newRunWriter(w, id, run.format, filterField, s, []source{from}).write(numInts)
}

// thinCodes is of how many codes of a column the lost rows are counted at once. A column with
// more cells is read once for each so many of them.
const thinCodes = 1 << 22

// thinSource is a run that loses cells.
type thinSource struct {
	*runSource
	t      *Thinning
	window int
	lost   []uint32 // scratch: by code of the window, the rows that lose it
}

func (s *thinSource) fields() []string {
	fields := s.runSource.fields()
	if s.t.Blank.Count() > 0 {
		fields = append(fields, FieldGone) // write sorts them
	}
	return fields
}

func (s *thinSource) ints(col int, yield func(values []int64)) {
	how, blank := &s.t.Ints[col], &s.t.Blank.bitmap
	before := int64(0)
	if first := s.firstLiving(); first < s.Len() && first > 0 && !how.Zero {
		before = s.runPart.Ints(col).At(first)
	}
	s.pages(uint16(col), secInts, s.Len(), func(first int, values []int64) {
		for i := range values {
			row := first + i
			switch {
			case !blank.has(row):
				before = values[i]
			case how.Keep.Has(row):
			case how.Zero:
				values[i] = 0
			default:
				values[i] = before
			}
		}
		yield(values)
	})
}

// firstLiving returns the first row that is no blank, the number of rows when there is none.
func (s *thinSource) firstLiving() int {
	for i, w := range s.t.Blank.words {
		if w != ^uint64(0) {
			return min(i*64+bits.TrailingZeros64(^w), s.Len())
		}
	}
	return s.Len()
}

func (s *thinSource) column(field string) *columnSource {
	if field == FieldGone {
		return s.mark()
	}
	keep := s.t.Cells[field]
	if s.t.Blank.Count() == s.Len() && keep.Count() == 0 {
		return nil
	}
	src := s.runSource.column(field)
	if src == nil {
		return nil
	}
	col := s.Column(field).(*runColumn)
	t := &thinColumn{s: s, from: src, starts: col.num, keep: keep, kept: newRankedSet(src.card + 1)}
	lost := t.count()
	if lost == 0 {
		return src
	}
	t.kept.rank()
	thinned := &columnSource{card: t.kept.n, present: src.present - lost, bounds: src.bounds}
	thinned.cells = func() cellCursor { return &thinCells{cellCursor: src.cells(), thinColumn: t} }
	thinned.codes = t.codes
	thinned.leaves = func() leafCursor { return &thinLeaves{src.leaves(), t.kept} }
	return thinned
}

// mark is the column of the blanks.
func (s *thinSource) mark() *columnSource {
	blank := &s.t.Blank.bitmap
	n := blank.count()
	if n == 0 {
		return nil
	}
	src := &columnSource{card: 1, present: n}
	src.bounds = func() (first, last []byte) { return s.t.Mark, s.t.Mark }
	src.cells = func() cellCursor { return &singleCell{s.t.Mark, n} }
	src.leaves = func() leafCursor { return new(sliceLeaves) }
	src.codes = func(yield func(*stretch)) {
		at, codes := s.take(), s.take()
		defer func() { s.give(at); s.give(codes) }()
		for first := 0; first < s.Len(); first += PageRows {
			n := 0
			s.t.Blank.Each(first, min(first+PageRows, s.Len()), func(row int) {
				at[n], codes[n] = int64(row), 1
				n++
			})
			if n > 0 {
				yield(&stretch{at: at[:n], codes: codes[:n]})
			}
		}
	}
	return src
}

// singleCell is a cursor over one cell, which is a scalar.
type singleCell struct {
	cell  []byte
	count int
}

func (c *singleCell) next() (cell []byte, count int, ok bool) {
	cell, count, ok = c.cell, c.count, c.count > 0
	c.count = 0
	return cell, count, ok
}

// thinColumn is a column that loses rows.
type thinColumn struct {
	s      *thinSource
	from   *columnSource
	starts uint16     // number of the column
	keep   *Rows      // blanks that keep their cell
	kept   *rankedSet // codes that rows still have
	lo     int        // the window of s.lost begins with code lo+1
}

// loses reports whether a row loses its cell.
func (t *thinColumn) loses(row int) bool { return t.s.t.Blank.has(row) && !t.keep.Has(row) }

// count finds out which codes are kept. It returns how many rows lose their cell.
func (t *thinColumn) count() (lost int) {
	card := t.from.card
	for lo := 0; lo < card && t.s.runPart.err == nil; lo += t.s.window {
		lost += t.count1(lo)
	}
	if lost == 0 {
		return 0
	}
	before, code := int64(0), 0
	t.s.pages(t.starts, secStarts, card+1, func(first int, starts []int64) {
		for i, end := range starts {
			if code = first + i; code > 0 {
				if code > t.lo+t.s.window || code <= t.lo {
					t.count1(code - 1)
				}
				if end-before > int64(t.s.lost[code-t.lo]) {
					t.kept.set(code)
				}
			}
			before = end
		}
	})
	return lost
}

// count1 counts the rows of a window of codes that lose their cell.
func (t *thinColumn) count1(lo int) (lost int) {
	n := min(t.s.window, t.from.card-lo)
	t.lo, t.s.lost = lo, sized(t.s.lost, n+1)
	clear(t.s.lost)
	t.from.codes(func(st *stretch) {
		for i, code := range st.codes {
			row := st.first + i
			if st.at != nil {
				row = int(st.at[i])
			}
			if k := code - int64(lo); k > 0 && k <= int64(n) && t.loses(row) {
				t.s.lost[k]++
				lost++
			}
		}
	})
	return lost
}

func (t *thinColumn) codes(yield func(*stretch)) {
	card := t.from.card
	t.from.codes(func(st *stretch) {
		for i, code := range st.codes {
			if code == 0 {
				continue
			}
			row := st.first + i
			if st.at != nil {
				row = int(st.at[i])
			}
			switch {
			case t.loses(row):
				st.codes[i] = 0
			case uint64(code) <= uint64(card):
				st.codes[i] = int64(t.kept.of(int(code)))
			} // a higher code is damage, which the writer reports
		}
		yield(st)
	})
}

// thinCells is a cursor over the cells that are kept.
type thinCells struct {
	cellCursor
	*thinColumn
	code int
}

func (c *thinCells) next() (cell []byte, count int, ok bool) {
	for {
		if cell, count, ok = c.cellCursor.next(); !ok {
			return nil, 0, false
		}
		c.code++
		if !c.kept.has(c.code) {
			continue
		}
		if c.code > c.lo+c.s.window || c.code <= c.lo {
			c.count1(c.code - 1)
		}
		return cell, count - int(c.s.lost[c.code-c.lo]), true
	}
}

// thinLeaves is a cursor over the leaves of cells that are kept.
type thinLeaves struct {
	leafCursor
	kept *rankedSet
}

func (c *thinLeaves) next() (l leaf, ok bool) {
	for {
		if l, ok = c.leafCursor.next(); !ok {
			return l, false
		}
		if l.code > 0 && l.code < int64(c.kept.bitmap.n) && c.kept.has(int(l.code)) {
			l.code = int64(c.kept.of(int(l.code)))
			return l, true
		}
	}
}

// rankedSet is a set of codes that tells which place each has in it.
type rankedSet struct {
	bitmap
	n      int      // codes in the set
	before []uint32 // by word: codes in the words before it
}

func newRankedSet(n int) *rankedSet {
	s := new(rankedSet)
	s.reset(n)
	return s
}

// rank prepares for of, once all codes are in.
func (s *rankedSet) rank() {
	s.before = make([]uint32, len(s.words))
	for i, w := range s.words {
		s.before[i] = uint32(s.n)
		s.n += bits.OnesCount64(w)
	}
}

// of returns the place of a code that is in the set, from 1. Of one that is not it returns any
// place.
func (s *rankedSet) of(code int) int {
	return int(s.before[code/64]) + bits.OnesCount64(s.words[code/64]<<(63-code%64))
}

func (s *thinSource) totals() []totalsCursor {
	if s.t.Totals != nil {
		return pulled(s.t.Totals)
	}
	t := &thinTotals{from: &runTotals{part: s.runPart}, t: s.t}
	for _, seq := range s.t.Lost {
		next, stop := iter.Pull(seq)
		t.lost = append(t.lost, &lostTotals{pulledTotals: pulledTotals{next, stop}})
		t.lost[len(t.lost)-1].pull()
	}
	return []totalsCursor{t}
}

// thinTotals is a cursor over what is left of totals.
type thinTotals struct {
	from *runTotals
	t    *Thinning
	lost []*lostTotals
}

// lostTotals is a sequence of Lost and its next total.
type lostTotals struct {
	pulledTotals
	Total
	ok bool
}

func (l *lostTotals) pull() { l.Total, l.ok = l.next() }

func (c *thinTotals) next() (t Total, ok bool) {
	for {
		if t, ok = c.from.next(); !ok {
			return t, false
		}
		if c.t.DayGone != nil && c.t.DayGone(t.Day) {
			continue
		}
		less := false
		for _, l := range c.lost {
			for l.ok && CompareTotals(&l.Total, &t) < 0 {
				l.pull()
			}
			for l.ok && CompareTotals(&l.Total, &t) == 0 {
				c.t.Saturated = c.t.Saturated || t.Sum == math.MaxInt64 || t.Sum == math.MinInt64
				t.Sum, less = t.Sum-l.Sum, true
				l.pull()
			}
		}
		if less && t.Sum == 0 && (c.t.Stays == nil || !c.t.Stays(t)) {
			continue
		}
		return t, true
	}
}

func (c *thinTotals) end() {
	for _, l := range c.lost {
		l.stop()
	}
}
