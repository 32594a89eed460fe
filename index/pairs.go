// Pairs: how many rows of a run have each cell of the counted field together with each cell of
// another column that has few. Questions that count the rows of one of each need no row then.

package index

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

const sectionPairs = 6

// Limits of the pairs of one run. They decide what is written, as those of counts do.
//
//	limit       bounds
//	pairRows    rows, a byte of memory for each. A run of more has no pairs
//	pairNames   codes of the counted field. A run with more has no pairs
//	pairSlots   codes of the counted field that are counted. Where there are more, those that
//	            fewest rows have are not
//	pairCells   one more than the codes that are counted times one more than those of the other
//	            column, 4 bytes of memory for each. A column with more has no pairs, nor has one
//	            with more than its rows and countsExtra, which takes longer to write than its rows
//	pairShare   pages take at most a byte for so many rows of the run, and countsExtra. Beyond it
//	            the columns whose pages take most have no pairs
const (
	pairRows  = 1 << 23
	pairNames = 1 << 12
	pairSlots = 1<<8 - 1
	pairCells = 1 << 16
	pairShare = 4
)

// pairPageBytes is about how many bytes a page takes beside its lists.
const pairPageBytes = 32

// pairsHeader says of which columns a run has pairs. It is section 6 of the header:
//
//	length of the field | field | number of its codes that are counted, 0 = all |
//	for each: the code, less that before it |
//	number of columns | for each: its place among the cell columns, less that before it |
//	number of pages | for each: the code of its first list, less that of the page before
//
// The slot of a code of the field is its place among those that are counted, from 1. Pages are
// those of counts, numbered through all columns: each code of a column, from 1 on, has a list,
// whose units are slots. Blanks are not counted. All numbers are uvarints.
type pairsHeader struct {
	field   string
	codes   []int // nil = all
	columns []pairsColumn
}

// pairsColumn says where the pairs of a column are.
type pairsColumn struct {
	column int   // place among the cell columns
	page   int   // number of its first page
	firsts []int // the code of the first list of each page
}

func (h *pairsHeader) append(dst []byte) []byte {
	number := func(n int) { dst = binary.AppendUvarint(dst, uint64(n)) }
	number(len(h.field))
	dst = append(dst, h.field...)
	ascending := func(list []int, before int) {
		number(len(list))
		for _, n := range list {
			number(n - before)
			before = n
		}
	}
	ascending(h.codes, 0)
	number(len(h.columns))
	before := -1
	for _, c := range h.columns {
		number(c.column - before)
		before = c.column
		ascending(c.firsts, 0)
	}
	return dst
}

func parsePairsHeader(b []byte, columns []columnHeader) (*pairsHeader, error) {
	r := varints{b: b}
	// ascending reads a list of numbers from 1 to most.
	ascending := func(most int) (list []int) {
		before := 0
		for n := r.number(min(most, len(r.b))); n > 0; n-- {
			gap := r.number(most - before)
			if gap == 0 {
				r.bad = true
				return nil
			}
			before += gap
			list = append(list, before)
		}
		return list
	}
	h := &pairsHeader{field: string(r.bytes(r.number(len(b))))}
	at := slices.IndexFunc(columns, func(c columnHeader) bool { return c.name == h.field })
	if r.bad || at < 0 {
		return nil, errCounted
	}
	if h.codes = ascending(columns[at].card); len(h.codes) > pairSlots || h.codes == nil && columns[at].card > pairSlots {
		return nil, errCounted
	}
	before, page := -1, 0
	for n := r.number(len(columns)); n > 0 && !r.bad; n-- {
		gap := r.number(len(columns) - 1 - before)
		if gap == 0 {
			return nil, errCounted
		}
		if before += gap; before == at {
			return nil, errCounted
		}
		c := pairsColumn{column: before, page: page, firsts: ascending(columns[before].card)}
		if len(c.firsts) == 0 || c.firsts[0] != 1 {
			return nil, errCounted
		}
		page += len(c.firsts)
		h.columns = append(h.columns, c)
	}
	if r.bad || len(r.b) != 0 {
		return nil, errCounted
	}
	return h, nil
}

// slot returns the slot of a code of the field; 0 = it is not counted.
func (h *pairsHeader) slot(code uint32) int64 {
	if h.codes == nil {
		return int64(code)
	}
	i, there := slices.BinarySearch(h.codes, int(code))
	if !there {
		return 0
	}
	return int64(i + 1)
}

// pairs returns how many rows match, if the conditions are a clause about the counted field of a
// run, another about a column that it has pairs of, and none that leaves out anything but blanks.
// ok is false when the run does not say.
func (m *Matcher) pairs() (n int, ok bool) {
	v, isRun := m.part.(*runPart)
	if !isRun || v.header.pairs == nil {
		return 0, false
	}
	h := v.header.pairs
	var other *runColumn
	var names, codes []uint32
	named, living := false, v.Column(FieldGone) == nil
	for _, c := range m.conds {
		switch c := c.(type) {
		case *livingCond:
			living = true
		case *clauseCond:
			col, wanted, plain := c.plain()
			if !plain {
				return 0, false
			}
			switch of := col.(*runColumn); {
			case !named && of.h.name == h.field:
				named, names = true, wanted
			case other == nil:
				other, codes = of, wanted
			default:
				return 0, false
			}
		default:
			return 0, false
		}
	}
	if !living || !named || other == nil || len(codes) > countedCodes {
		return 0, false
	}
	column := int(other.num) - v.header.ints
	i, there := slices.BinarySearchFunc(h.columns, column, func(c pairsColumn, column int) int { return c.column - column })
	if !there {
		return 0, false
	}
	var slots [pairSlots + 1]bool
	for _, name := range names {
		slot := h.slot(name)
		if slot < 1 || slot > pairSlots {
			return 0, false
		}
		slots[slot] = true
	}
	for _, code := range codes {
		v.eachPair(&h.columns[i], int(code), func(slot int64, rows uint64) {
			if slot <= pairSlots && slots[slot] {
				n += int(rows)
			}
		})
	}
	return n, v.err == nil
}

// eachPair calls fn with the slots that rows with a code of a column have, and how many these are.
func (p *runPart) eachPair(c *pairsColumn, code int, fn func(slot int64, rows uint64)) {
	if p.err != nil {
		return
	}
	at := sort.SearchInts(c.firsts, code+1) - 1
	page := c.page + at
	b, err := p.run.load(pageKey{run: p.run.Run, col: colPairs, page: uint32(page)}, openAny)
	if err != nil {
		p.fail(err)
		return
	}
	list, there, ok := findCounts(b, c.firsts[at], code)
	if !ok || !there || !eachCount(list, 1, fn) {
		p.fail(p.run.corrupt(fmt.Sprintf("column %d section 0 page %d is damaged", colPairs, page)))
	}
}
