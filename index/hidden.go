// Hidden and blank rows: those that no query may see.

package index

// FieldGone is the field of a blank, a row that was deleted. A blank has one cell in it, and
// nothing else but what names a person or session (see package erase). It is the only field
// that the index knows by itself.
const FieldGone = "\x10"

// RowSet is some rows of one part. It does not change, and any number of goroutines read it.
type RowSet interface {
	Has(row int) bool
	// Each calls fn with the rows of [from, to), ascending.
	Each(from, to int, fn func(row int))
	// Count returns how many rows there are.
	Count() int
}

// hide adds the conditions that leave out blanks and hidden rows. hidden may be nil. It returns
// false when no row of the part is left.
func (m *Matcher) hide(hidden RowSet) bool {
	if hidden != nil {
		if hidden.Count() >= m.rows {
			return false
		}
		m.conds = append(m.conds, &hiddenCond{hidden, m.rows})
	}
	col := m.part.Column(FieldGone)
	if col == nil {
		return true
	}
	if col.Card() == 1 && col.Count(1) >= m.rows {
		return false
	}
	living, _ := newClauseCond(m.part, &Clause{Any: []Alt{{Field: FieldGone}}, Not: true, Present: true})
	m.conds = append(m.conds, &livingCond{living, m.rows - col.Count(1)})
	return true
}

// livingCond is satisfied by the rows that are no blanks.
type livingCond struct {
	*clauseCond
	rows int // how many these are
}

func (l *livingCond) count() (int, bool) { return l.rows, true }

// hiddenCond is satisfied by the rows that are not hidden.
type hiddenCond struct {
	hidden RowSet
	rows   int // of the part
}

func (h *hiddenCond) mark(_ *Matcher, lo int, b *bitmap) {
	b.not() // it was empty
	h.hidden.Each(lo, lo+b.n, func(row int) { b.unset(row - lo) })
}

func (h *hiddenCond) matches(row int) bool              { return !h.hidden.Has(row) }
func (h *hiddenCond) reach(row int, _ bool) (int, bool) { return row, true }
func (h *hiddenCond) listed() bool                      { return false }
func (h *hiddenCond) count() (int, bool)                { return h.rows - h.hidden.Count(), true }
