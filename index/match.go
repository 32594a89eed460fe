// Matching: which rows of a part satisfy all clauses of a query.

package index

import (
	"math/bits"
	"slices"
)

// Clause is one condition on a row: at least one of its alternatives holds, or, with
// Not, none does. With Present an alternative asks only that the row has its field.
//
// Rows takes the place of the alternatives where a condition needs more of a row than one of
// its fields. It is called once for each Matcher and returns whether a row satisfies the
// condition; nil = no row does. The result is called with rows in any order, by one goroutine.
type Clause struct {
	Any     []Alt
	Rows    func(p Part) func(row int) bool
	Not     bool
	Present bool
}

// Alt asks that a field has one of the terms at a path, or one that satisfies Match where that
// is not nil. The path "" means the cell
// itself and the elements of an array. Rows that have the field Unless do not satisfy
// it; "" = no such field. Nor do rows outside of Within; nil = all are inside. Rows that do
// not satisfy With do not satisfy it either; nil = all rows do. With has neither Unless nor
// Within nor With itself.
type Alt struct {
	Field  string
	Path   string
	Terms  []string
	Match  *TermMatch
	Unless string
	Within *Range
	With   *Alt
}

// Range asks that an integer column lies in [From, To).
type Range struct {
	Col      int
	From, To int64
}

// Up to how many candidate rows of a page it is cheaper to check them one by one than
// to read the whole page: in a run, whose matches the cache keeps, and in memory.
const (
	fewRows    = 32
	fewMemRows = 1024
)

// Matcher finds the rows of a part that satisfy every clause and range, in either
// direction. It works window by window, so it does not check rows that nobody asks for.
// It skips a stretch when lists say that it has no match. A Matcher belongs to one
// goroutine.
type Matcher struct {
	part   Part
	rows   int
	few    int // up to so many candidates of a page are checked one by one
	conds  []cond
	none   bool // no row matches
	result bitmap
	more   bitmap
	page   []int64
}

// cond is a clause or a range, prepared for one part.
type cond interface {
	// mark adds to b the rows from lo on that satisfy it. Row lo is number 0 of b.
	mark(m *Matcher, lo int, b *bitmap)
	// matches reports whether one row satisfies it.
	matches(row int) bool
	// reach returns the nearest row that may satisfy it: at or after row, or with down
	// at or before. ok is false when there is none.
	reach(row int, down bool) (at int, ok bool)
	// listed reports whether mark checks only a few rows.
	listed() bool
	// count returns how many rows of the part satisfy it. ok is false when that is not
	// known without checking rows.
	count() (n int, ok bool)
}

// NewMatcher looks up the terms of the clauses in p. It leaves out blanks and the rows of hidden;
// nil = none is hidden.
func NewMatcher(p Part, clauses []Clause, ranges []Range, hidden RowSet) *Matcher {
	m := NewRawMatcher(p, clauses, ranges)
	if !m.none && !m.hide(hidden) {
		m.none = true
	}
	if len(m.conds) > 1 {
		m.order()
	}
	return m
}

// NewRawMatcher is NewMatcher with blanks and hidden rows. It is for those who look for the first
// row of an id, a message id, or the like: what a deleted row has decided stays so.
func NewRawMatcher(p Part, clauses []Clause, ranges []Range) *Matcher {
	m := &Matcher{part: p, rows: p.Len(), few: fewMemRows}
	if _, sealed := p.(*runPart); sealed {
		m.few = fewRows
	}
	for i := range clauses {
		if c := &clauses[i]; c.Rows != nil {
			if holds := c.Rows(p); holds != nil {
				m.conds = append(m.conds, &rowsCond{holds, c.Not})
			} else if !c.Not {
				m.none = true
				return m
			}
			continue
		}
		c, never := newClauseCond(p, &clauses[i])
		if never && !c.not {
			m.none = true
			return m
		}
		if !never {
			m.conds = append(m.conds, c)
		}
	}
	for _, r := range ranges {
		m.conds = append(m.conds, newRangeCond(p, r))
	}
	if len(m.conds) > 1 {
		m.order()
	}
	return m
}

// order sorts the conditions so that the one which leaves the fewest rows comes first. Hidden rows
// are taken out at the end, however many they are: one after the other, where few rows are left.
func (m *Matcher) order() {
	few := make(map[cond]int, len(m.conds))
	for _, c := range m.conds {
		few[c] = m.rows
		switch c := c.(type) {
		case *clauseCond:
			few[c] = c.about(m.rows)
		case *livingCond:
			few[c], _ = c.count()
		case *rowsCond:
			few[c] = m.rows + 1
		}
	}
	slices.SortStableFunc(m.conds, func(a, b cond) int {
		if a.listed() != b.listed() {
			if a.listed() {
				return -1
			}
			return 1
		}
		return few[a] - few[b]
	})
}

// None reports that certainly no row matches. It is false when that is not known.
func (m *Matcher) None() bool { return m.none }

// Ascend calls yield with the matching rows from from on, ascending, until yield
// returns false. Its first window is one page, because a caller who wants the first few
// rows seldom needs more.
func (m *Matcher) Ascend(from int, yield func(row int) bool) {
	from = max(from, 0)
	if m.none {
		return
	}
	if len(m.conds) == 0 {
		for row := from; row < m.rows && yield(row); row++ {
		}
		return
	}
	m.windows(from, m.rows, PageRows, func(lo int, b *bitmap) bool {
		return b.ascend(0, func(i int) bool { return yield(lo + i) })
	})
}

// Batches calls fn with the matching rows of [from, to), ascending, at most a page of
// rows at a time, until fn returns false. The rows lie in buf, which has a capacity of
// PageRows.
func (m *Matcher) Batches(from, to int, buf []int32, fn func(rows []int32) bool) {
	from, to = max(from, 0), min(to, m.rows)
	if m.none {
		return
	}
	if len(m.conds) == 0 {
		for from < to {
			end := min((from/PageRows+1)*PageRows, to)
			rows := buf[:end-from]
			for i := range rows {
				rows[i] = int32(from + i)
			}
			if !fn(rows) {
				return
			}
			from = end
		}
		return
	}
	m.windows(from, to, unitRows, func(lo int, b *bitmap) bool {
		const pageWords = PageRows / 64
		for first := 0; first < len(b.words); first += pageWords {
			rows := buf[:0]
			for i, w := range b.words[first:min(first+pageWords, len(b.words))] {
				for at := lo + (first+i)*64; w != 0; w &= w - 1 {
					rows = append(rows, int32(at+bits.TrailingZeros64(w)))
				}
			}
			if len(rows) > 0 && !fn(rows) {
				return false
			}
		}
		return true
	})
}

// windows calls fn with the matching rows of [from, to), window by window, until fn
// returns false. Row lo is number 0 of b. The first window has about size rows; the
// others end with a unit.
func (m *Matcher) windows(from, to, size int, fn func(lo int, b *bitmap) bool) {
	for at := from; at < to; {
		row, ok := m.reach(at, false)
		if !ok || row >= to {
			return
		}
		lo := row / PageRows * PageRows
		end := min(lo+size, (row/unitRows+1)*unitRows, m.rows)
		b := m.window(lo, end)
		b.clip(row-lo, to-lo)
		if !fn(lo, b) {
			return
		}
		at, size = end, unitRows
	}
}

// Known returns how many rows match. ok is false when that is not known without
// checking rows.
func (m *Matcher) Known() (n int, ok bool) {
	switch {
	case m.none:
		return 0, true
	case len(m.conds) == 0:
		return m.rows, true
	case len(m.conds) == 1:
		return m.conds[0].count()
	}
	return m.pairs()
}

// Count returns how many of the rows [from, to) match.
func (m *Matcher) Count(from, to int) (n int) {
	from, to = max(from, 0), min(to, m.rows)
	switch {
	case m.none || from >= to:
		return 0
	case len(m.conds) == 0:
		return to - from
	}
	m.windows(from, to, unitRows, func(_ int, b *bitmap) bool {
		n += b.count()
		return true
	})
	return n
}

// Descend calls yield with the matching rows down from from, newest first, until yield
// returns false.
func (m *Matcher) Descend(from int, yield func(row int) bool) {
	if m.none {
		return
	}
	from = min(from, m.rows-1)
	if len(m.conds) == 0 {
		for row := from; row >= 0 && yield(row); row-- {
		}
		return
	}
	size := PageRows
	for at := from; at >= 0; {
		row, ok := m.reach(at, true)
		if !ok || row < 0 {
			return
		}
		end := min((row/PageRows+1)*PageRows, m.rows)
		lo := max(row/unitRows*unitRows, (row/PageRows+1)*PageRows-size)
		b := m.window(lo, end)
		if !b.descend(row-lo, func(i int) bool { return yield(lo + i) }) {
			return
		}
		at, size = lo-1, unitRows
	}
}

// reach returns the nearest row that may satisfy every condition.
func (m *Matcher) reach(row int, down bool) (int, bool) {
	for agreed := 0; agreed < len(m.conds); {
		for _, c := range m.conds {
			at, ok := c.reach(row, down)
			if !ok {
				return 0, false
			}
			if down && at < row || !down && at > row {
				row, agreed = at, 1
			} else { // at row; a damaged part may name any row
				agreed++
			}
			if agreed == len(m.conds) {
				break
			}
		}
	}
	return row, true
}

// window returns the matching rows from the page of lo up to end. Row lo is number 0.
func (m *Matcher) window(lo, end int) *bitmap {
	b := m.result.reset(end - lo)
	m.conds[0].mark(m, lo, b)
	few := m.fewOf(end - lo)
	for _, c := range m.conds[1:] {
		n := b.count()
		if n == 0 {
			break
		}
		if _, byRow := c.(*rowsCond); n <= few || byRow {
			b.ascend(0, func(i int) bool {
				if !c.matches(lo + i) {
					b.unset(i)
				}
				return true
			})
			continue
		}
		more := m.more.reset(end - lo)
		c.mark(m, lo, more)
		b.and(more)
	}
	return b
}

// fewOf returns up to how many candidates of n rows are checked one by one.
func (m *Matcher) fewOf(n int) int { return m.few * ((n + PageRows - 1) / PageRows) }

// eachPage calls fn with the values of n rows of a column from lo on, page by page.
func (m *Matcher) eachPage(col Ints, lo, n int, fn func(first int, values []int64)) {
	if m.page == nil {
		m.page = make([]int64, PageRows)
	}
	for first := lo; first < lo+n; first += PageRows {
		values := col.Page(first/PageRows, m.page)
		fn(first-lo, values[:min(len(values), lo+n-first)])
	}
}
