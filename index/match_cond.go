// Conditions: a clause or a range, prepared for one part.

package index

import "slices"

// rangeCond is a Range, prepared for one part.
type rangeCond struct {
	Range
	col   Ints
	pages []Bounds // of the column; nil = they are not known
}

func newRangeCond(p Part, r Range) *rangeCond {
	return &rangeCond{r, p.Ints(r.Col), PageBounds(p, r.Col)}
}

// decided reports whether the bounds of a page tell, without a look at it, that all of its rows
// satisfy the range, or that none does.
func (r *rangeCond) decided(page int) (all, none bool) {
	if page >= len(r.pages) {
		return false, false
	}
	return r.pages[page].In(r.From, r.To)
}

func (r *rangeCond) mark(m *Matcher, lo int, b *bitmap) {
	for first := 0; first < b.n; first += PageRows {
		page, n := (lo+first)/PageRows, min(PageRows, b.n-first)
		if all, none := r.decided(page); all {
			setBits(b.words, first, n)
			continue
		} else if none {
			continue
		}
		if paged, ok := r.col.(*pagedInts); ok {
			paged.page(page).within(r.From, r.To, b.words[first/64:])
			continue
		}
		m.eachPage(r.col, lo+first, n, func(_ int, values []int64) {
			for i, v := range values {
				if v >= r.From && v < r.To {
					b.set(first + i)
				}
			}
		})
	}
	b.trim()
}

func (r *rangeCond) matches(row int) bool {
	if all, none := r.decided(row / PageRows); all || none {
		return all
	}
	v := r.col.At(row)
	return v >= r.From && v < r.To
}

func (r *rangeCond) reach(row int, down bool) (at int, ok bool) {
	for page := row / PageRows; page >= 0 && page < len(r.pages); {
		if _, none := r.decided(page); !none {
			return row, true
		}
		if down {
			row, page = page*PageRows-1, page-1
		} else {
			page++
			row = page * PageRows
		}
	}
	return row, r.pages == nil
}

func (r *rangeCond) listed() bool       { return false }
func (r *rangeCond) count() (int, bool) { return 0, false }

// clauseCond is a Clause, prepared for one part.
type clauseCond struct {
	any   []altCond
	not   bool
	alt   bitmap // scratch
	other bitmap
}

// altCond is an alternative that some rows of the part may satisfy.
type altCond struct {
	columnCodes
	unless columnCodes // its column is nil when there is none
	within *rangeCond  // nil when there is none
	with   columnCodes // its column is nil when there is none
}

// newClauseCond looks up the terms. never says that no row has any of them.
func newClauseCond(p Part, c *Clause) (cond *clauseCond, never bool) {
	cond = &clauseCond{not: c.Not}
	for i := range c.Any {
		a := &c.Any[i]
		col := p.Column(a.Field)
		if col == nil {
			continue
		}
		alt := altCond{columnCodes: newColumnCodes(col)}
		if !c.Present {
			if a.With != nil {
				with := p.Column(a.With.Field)
				if with == nil {
					continue
				}
				codes, all := a.With.find(p, with)
				if len(codes) == 0 && !all {
					continue
				}
				alt.with = newColumnCodes(with)
				if !all {
					alt.with.only(codes)
				}
			}
			codes, all := a.find(p, col)
			if len(codes) == 0 && !all {
				continue
			}
			if !all {
				alt.only(codes)
			}
			if a.Unless != "" {
				if un := p.Column(a.Unless); un != nil {
					alt.unless = newColumnCodes(un)
				}
			}
			if a.Within != nil {
				alt.within = newRangeCond(p, *a.Within)
			}
		}
		cond.any = append(cond.any, alt)
	}
	return cond, len(cond.any) == 0
}

func (c *clauseCond) mark(m *Matcher, lo int, b *bitmap) {
	for i := range c.any {
		a := &c.any[i]
		if a.unless.col == nil && a.within == nil && a.with.col == nil {
			a.mark(m, lo, b)
			continue
		}
		alt := c.alt.reset(b.n)
		a.mark(m, lo, alt)
		if alt.count() <= m.fewOf(b.n) {
			alt.ascend(0, func(i int) bool {
				if a.holds(lo + i) {
					b.set(i)
				}
				return true
			})
			continue
		}
		if a.unless.col != nil {
			other := c.other.reset(b.n)
			a.unless.mark(m, lo, other)
			alt.andNot(other)
		}
		if a.within != nil {
			other := c.other.reset(b.n)
			a.within.mark(m, lo, other)
			alt.and(other)
		}
		if a.with.col != nil {
			other := c.other.reset(b.n)
			a.with.mark(m, lo, other)
			alt.and(other)
		}
		b.or(alt)
	}
	if c.not {
		b.not()
	}
}

func (c *clauseCond) matches(row int) bool {
	for i := range c.any {
		a := &c.any[i]
		if a.matches(row) && a.holds(row) {
			return !c.not
		}
	}
	return c.not
}

// holds reports whether a row that has one of the codes satisfies the rest of the alternative.
func (a *altCond) holds(row int) bool {
	return (a.unless.col == nil || !a.unless.matches(row)) && (a.within == nil || a.within.matches(row)) && (a.with.col == nil || a.with.matches(row))
}

func (c *clauseCond) reach(row int, down bool) (at int, ok bool) {
	if c.not {
		return row, true
	}
	for i := range c.any {
		r, is := c.any[i].reach(row, down)
		if is && (!ok || down && r > at || !down && r < at) {
			at, ok = r, true
		}
		if ok && at == row {
			break
		}
	}
	return at, ok
}

func (c *clauseCond) listed() bool {
	return !c.not && !slices.ContainsFunc(c.any, func(a altCond) bool { return !a.columnCodes.listed() })
}

func (c *clauseCond) count() (n int, ok bool) {
	col, codes, ok := c.plain()
	for _, code := range codes {
		n += col.Count(code)
	}
	return n, ok
}

// plain returns the codes of the one column of which a row satisfies c with any of them. ok is
// false when c asks for something else.
func (c *clauseCond) plain() (col Column, codes []uint32, ok bool) {
	if c.not || len(c.any) != 1 {
		return nil, nil, false
	}
	a := &c.any[0]
	if a.any || a.unless.col != nil || a.within != nil || a.with.col != nil {
		return nil, nil, false
	}
	return a.col, a.wanted, true
}

// aboutCodes is the largest number of codes whose rows are counted for an estimate.
const aboutCodes = 4096

// about estimates how many of the rows satisfy it.
func (c *clauseCond) about(rows int) (n int) {
	for i := range c.any {
		col, ok := c.any[i].col.(*runColumn)
		if !ok || c.not || c.any[i].any || len(c.any[i].wanted) > aboutCodes {
			return rows
		}
		for _, code := range c.any[i].wanted {
			n += col.Count(code)
		}
	}
	return min(n, rows)
}
