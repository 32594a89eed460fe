// Codes: the rows that have one of some codes of a column.

package index

// columnCodes matches rows that have one of some codes of a column, or any code.
type columnCodes struct {
	col    Column
	codes  Ints
	lists  lister // nil unless the column knows where its codes are
	marks  marker // nil unless the column marks few codes faster than reading all
	any    bool
	one    int64    // the wanted code, when there is one
	wanted []uint32 // the wanted codes, ascending
	set    *bitmap  // the wanted codes, when there are several
}

// marker is a column that finds the rows of a few codes itself.
type marker interface {
	// mark adds to b the rows from lo on that have one of the codes. Row lo is number 0
	// of b.
	mark(codes []uint32, lo int, b *bitmap)
}

// lister is a column that knows where its codes are.
type lister interface {
	marker
	// lists reports whether these codes are in few places. No codes means any code.
	lists(codes []uint32) bool
	// reach is that of cond.
	reach(codes []uint32, row int, down bool) (at int, ok bool)
}

func newColumnCodes(col Column) columnCodes {
	c := columnCodes{col: col, codes: col.Codes(), any: true}
	c.setLists()
	return c
}

// only restricts c to some codes, ascending.
func (c *columnCodes) only(codes []uint32) {
	c.any, c.wanted, c.one = false, codes, int64(codes[0])
	if len(codes) > 1 {
		c.set = newBitmap(c.col.Card() + 1)
		for _, code := range codes {
			if int(code) < c.set.n {
				c.set.set(int(code))
			}
		}
	}
	c.setLists()
}

func (c *columnCodes) setLists() {
	if l, ok := c.col.(lister); ok && l.lists(c.wanted) {
		c.lists, c.marks = l, l
		return
	}
	c.lists, c.marks = nil, nil
	if col, ok := c.col.(marker); ok && len(c.wanted) > 0 && len(c.wanted) <= fewCodes {
		c.marks = col
	}
}

func (c *columnCodes) listed() bool { return c.lists != nil }

func (c *columnCodes) has(code int64) bool {
	switch {
	case c.any:
		return code != 0
	case c.set == nil:
		return code == c.one
	}
	return code > 0 && int(code) < c.set.n && c.set.has(int(code))
}

func (c *columnCodes) matches(row int) bool { return c.has(c.codes.At(row)) }

func (c *columnCodes) mark(m *Matcher, lo int, b *bitmap) {
	if c.marks != nil {
		c.marks.mark(c.wanted, lo, b)
		return
	}
	m.eachPage(c.codes, lo, b.n, func(first int, values []int64) {
		switch {
		case c.any:
			b.setWhere(first, values, 0, false)
		case c.set == nil:
			b.setWhere(first, values, c.one, true)
		default:
			for i, v := range values {
				if v > 0 && int(v) < c.set.n && c.set.has(int(v)) {
					b.set(first + i)
				}
			}
		}
	})
}

func (c *columnCodes) reach(row int, down bool) (int, bool) {
	if c.lists != nil {
		return c.lists.reach(c.wanted, row, down)
	}
	return row, true
}
