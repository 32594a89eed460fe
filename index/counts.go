// Counts: how many rows of a run are in each unit of an integer column, such as each quarter of
// an hour, all of them and those of each cell of one field. Questions that count by time need no
// row then.

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// Counted says what runs count. The zero Counted counts nothing.
type Counted struct {
	Unit  int64  // unit i is the values [i*Unit, (i+1)*Unit) of the column; 0 = nothing is counted
	Ints  int    // the integer column
	Field string // the field whose cells are counted one by one; "" = none
}

// Sections of a header that this file is about.
const (
	sectionCounts = 2
	sectionBounds = 4
)

// Limits of the counts of one run. They decide what is written, and what is read.
//
//	limit          bounds
//	countsSpanMax  units from the first to the last row: some seven years of quarters. A
//	               run of more has no counts
//	countsCells    units with rows times the codes that are counted, 4 bytes of memory for
//	               each. Where there are more codes, those that fewest rows have are not
//	               counted
//	countsExtra    counts take at most a byte for each row and this. Beyond it those by
//	               code are left out, and then all
const (
	countsSpanMax = 1 << 18
	countsCells   = 1 << 20
	countsExtra   = 1 << 10
)

// countsPageBytes is about how many bytes a page of counts has. A list is never divided.
const countsPageBytes = 16 << 10

// countsHeader says what a run counts. It is section 2 of the header:
//
//	integer column | unit | length of the field | field | first unit, signed |
//	number of pages | for each: the code of its first list, less that of the page before
//
// All numbers are varints. The field is empty where no code is counted.
type countsHeader struct {
	Counted
	first int64 // the first unit with rows
	pages []int // the code of the first list of each page; of the first page it is 0
}

// A page of counts is lists, by ascending code; the list with code 0 counts all rows:
//
//	number of lists | for each: its code less that of the list before, its length | the lists
//
// The first list of a page has the code that the header says. A list has an entry for each unit
// with rows, ascending: rows * 2 when the unit follows the one before it, else rows * 2 + 1 and
// how many units lie between. Before the first entry is the unit before first. Blanks are not
// counted. All numbers are uvarints.

var errCounted = errors.New("damaged counts")

func (h *countsHeader) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.Ints))
	dst = binary.AppendUvarint(dst, uint64(h.Unit))
	dst = binary.AppendUvarint(dst, uint64(len(h.Field)))
	dst = append(dst, h.Field...)
	dst = binary.AppendVarint(dst, h.first)
	dst = binary.AppendUvarint(dst, uint64(len(h.pages)))
	for i, code := range h.pages {
		if i > 0 {
			code -= h.pages[i-1]
		}
		dst = binary.AppendUvarint(dst, uint64(code))
	}
	return dst
}

// unitsMost is the greatest distance of a unit from 0, so that sums with units do not overflow.
const unitsMost = 1 << 61

func parseCountsHeader(b []byte, ints, rows int) (*countsHeader, error) {
	r := varints{b: b}
	h := &countsHeader{}
	h.Ints = r.number(ints - 1)
	h.Unit = int64(r.uvarint())
	h.Field = string(r.bytes(r.number(len(b))))
	h.first = r.varint()
	n := r.number(len(b))
	if r.bad || h.Unit <= 0 || n == 0 || h.first < -unitsMost || h.first > unitsMost {
		return nil, errCounted
	}
	code := 0
	for i := range n {
		next := r.number(rows)
		if r.bad || i == 0 && next != 0 || i > 0 && next == 0 || next > rows-code {
			return nil, errCounted
		}
		code += next
		h.pages = append(h.pages, code)
	}
	if r.bad || len(r.b) != 0 {
		return nil, errCounted
	}
	return h, nil
}

// Bounds is the least and the greatest value of a page of an integer column.
type Bounds struct{ Least, Greatest int64 }

// In reports whether all values of the page lie in [from, to), or none does. Otherwise some may.
func (b Bounds) In(from, to int64) (all, none bool) {
	return from <= b.Least && b.Greatest < to, b.Greatest < from || b.Least >= to
}

// boundsHeader is the bounds of the pages of one integer column. It is section 4 of the header:
//
//	integer column | for each page of rows: its least value, less that of the page before,
//	signed; its greatest value, less its least
//
// All numbers are varints.
type boundsHeader struct {
	ints  int
	pages []Bounds
}

func (h *boundsHeader) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.ints))
	before := int64(0)
	for _, p := range h.pages {
		dst = binary.AppendVarint(dst, p.Least-before)
		dst = binary.AppendUvarint(dst, uint64(p.Greatest)-uint64(p.Least))
		before = p.Least
	}
	return dst
}

func parseBoundsHeader(b []byte, ints, rows int) (*boundsHeader, error) {
	r := varints{b: b}
	h := &boundsHeader{ints: r.number(ints - 1)}
	pages := (rows + PageRows - 1) / PageRows
	if pages > len(b) {
		return nil, errCounted
	}
	h.pages = make([]Bounds, pages)
	before := int64(0)
	for i := range h.pages {
		p := &h.pages[i]
		p.Least = before + r.varint()
		p.Greatest = int64(uint64(p.Least) + r.uvarint())
		if before = p.Least; p.Greatest < p.Least {
			return nil, errCounted
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, errCounted
	}
	return h, nil
}

// appendCount appends an entry of a list: rows of a unit, gap units after the one before.
func appendCount(dst []byte, gap, rows uint64) []byte {
	if gap == 1 {
		return binary.AppendUvarint(dst, rows<<1)
	}
	return binary.AppendUvarint(binary.AppendUvarint(dst, rows<<1|1), gap-2)
}

// eachCount calls fn with the units of a list and their rows. The first unit that it may have is
// first. It returns false when the list is damaged.
func eachCount(list []byte, first int64, fn func(unit int64, rows uint64)) bool {
	unit := first - 1
	for len(list) > 0 {
		x, w := uint64(list[0]), 1
		if x >= 0x80 {
			if x, w = binary.Uvarint(list); w <= 0 {
				return false
			}
		}
		list = list[w:]
		unit++
		if x&1 != 0 {
			gap, w := binary.Uvarint(list)
			if w <= 0 || gap >= countsSpanMax {
				return false
			}
			list = list[w:]
			unit += int64(gap) + 1
		}
		if x>>1 == 0 || x>>1 > rowsMax || unit-first >= countsSpanMax {
			return false
		}
		fn(unit, x>>1)
	}
	return true
}

// countList is the list of a code.
type countList struct {
	code int
	list []byte
}

// appendCountPage appends a page of lists.
func appendCountPage(dst []byte, lists []countList) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(lists)))
	before := lists[0].code
	for _, l := range lists {
		dst = binary.AppendUvarint(dst, uint64(l.code-before))
		dst = binary.AppendUvarint(dst, uint64(len(l.list)))
		before = l.code
	}
	for _, l := range lists {
		dst = append(dst, l.list...)
	}
	return dst
}

// findCounts returns the list of a code on a page that begins with code first. there is false
// when the page has none. ok is false when the page is damaged.
func findCounts(page []byte, first, code int) (list []byte, there, ok bool) {
	r := varints{b: page}
	n := r.number(len(page))
	from, length, at, total := 0, 0, first, 0
	for i := range n {
		gap, size := r.number(rowsMax), r.number(len(page))
		if r.bad || (i == 0) != (gap == 0) || gap > rowsMax-at {
			return nil, false, false
		}
		if at += gap; at == code {
			from, length, there = total, size, true
		}
		total += size
	}
	if r.bad || n == 0 || total != len(r.b) {
		return nil, false, false
	}
	return r.b[from : from+length], there, true
}

// Counts is how many of the rows of a run that satisfy some clauses are in each unit.
type Counts struct {
	part  *runPart
	first int64
	lists [][]byte
}

// countedCodes is the most codes whose lists are added up. For more, the rows are read.
const countedCodes = 64

// CountsOf returns how many of the rows of a part that satisfy the clauses are in each unit of an
// integer column. Blanks do not count; hidden rows do. It returns nil when the part does not
// say, and then the rows do: it is no run, or not of this column and unit; or the clauses ask
// for something else than some terms of the one field that is counted. The caller checks p.Err.
func CountsOf(p Part, ints int, unit int64, clauses []Clause) *Counts {
	v, ok := p.(*runPart)
	if !ok || v.header.counts == nil || len(clauses) > 1 {
		return nil
	}
	h := v.header.counts
	if h.Ints != ints || h.Unit != unit {
		return nil
	}
	c := &Counts{part: v, first: h.first}
	if len(clauses) == 0 {
		if !c.add(0) {
			return nil
		}
		return c
	}
	clause := &clauses[0]
	if clause.Not || clause.Present || clause.Rows != nil || len(clause.Any) != 1 {
		return nil
	}
	alt := &clause.Any[0]
	if alt.Unless != "" || alt.Within != nil || alt.With != nil {
		return nil
	}
	col := v.Column(alt.Field)
	if col == nil {
		return c // no row has it
	}
	if h.Field == "" || alt.Field != h.Field {
		return nil
	}
	codes, all := alt.find(v, col)
	if all || len(codes) > countedCodes {
		return nil
	}
	for _, code := range codes {
		if !c.add(int(code)) {
			return nil
		}
	}
	return c
}

// add adds the list of a code. It returns false when the code is not counted.
func (c *Counts) add(code int) bool {
	h := c.part.header.counts
	page := sort.Search(len(h.pages), func(i int) bool { return h.pages[i] > code }) - 1
	if c.part.err != nil || page < 0 {
		return false
	}
	b, err := c.part.run.load(pageKey{run: c.part.run.Run, col: colCounts, page: uint32(page)}, openAny)
	if err != nil {
		c.part.fail(err)
		return false
	}
	list, there, ok := findCounts(b, h.pages[page], code)
	if !ok {
		c.damaged(page)
	}
	if !ok || !there {
		return false
	}
	c.lists = append(c.lists, list)
	return true
}

func (c *Counts) damaged(page int) {
	c.part.fail(c.part.run.corrupt(fmt.Sprintf("column %d section 0 page %d is damaged", colCounts, page)))
}

// Each calls fn with the units that have rows, and with how many rows these are. A unit comes
// once for each cell that was asked for, and ascends among those of one cell.
func (c *Counts) Each(fn func(unit int64, rows uint64)) {
	for _, list := range c.lists {
		if !eachCount(list, c.first, fn) {
			c.part.fail(c.part.run.corrupt("the counts of a code are damaged"))
			return
		}
	}
}

// PageBounds returns the bounds of each page of an integer column of a part, blanks included; nil
// when the part does not say. Nobody may change them.
func PageBounds(p Part, ints int) []Bounds {
	v, ok := p.(*runPart)
	if !ok || v.header.bounds == nil || v.header.bounds.ints != ints {
		return nil
	}
	return v.header.bounds.pages
}
