// Scanning: tools to read columns row by row, and to collect names.

package read

import (
	"slices"
	"strings"

	"cairn/index"
)

// rowInts reads an integer column, or the codes of a cell column, at ascending rows. It
// decodes a whole page when many of the page's rows are read, and single rows when few are.
type rowInts struct {
	col  index.Ints
	page int     // of the last row read
	n    int     // rows of that page read one by one
	vals []int64 // of the whole page; nil until it is decoded
	buf  []int64 // memory of vals
	few  []int64 // the result of of, when it is not a whole page
}

// decodeAfter single reads cost about as much as decoding a page.
const decodeAfter = 32

func newRowInts(col index.Ints) *rowInts { return &rowInts{col: col, page: -1} }

// at returns the value at a row.
func (r *rowInts) at(row int) int64 {
	if row/index.PageRows == r.page && r.vals != nil {
		return r.vals[row%index.PageRows]
	}
	return r.read(row)
}

// read is at for a page that is not decoded.
func (r *rowInts) read(row int) int64 {
	page := row / index.PageRows
	if page != r.page {
		r.page, r.n, r.vals = page, 0, nil
	}
	if r.n++; r.n > decodeAfter {
		if r.buf == nil {
			r.buf = make([]int64, index.PageRows)
		}
		r.vals = r.col.Page(page, r.buf)
		return r.vals[row%index.PageRows]
	}
	return r.col.At(row)
}

// of returns the values at ascending rows of one page. The slice is valid until the next
// call.
func (r *rowInts) of(rows []int32) []int64 {
	r.page, r.vals = -1, nil
	if few := index.Pick(r.col, rows, r.few); few != nil {
		r.few = few
		return few
	}
	if len(rows) <= decodeAfter {
		r.few = slices.Grow(r.few[:0], len(rows))[:len(rows)]
		for i, row := range rows {
			r.few[i] = r.col.At(int(row))
		}
		return r.few
	}
	if r.buf == nil {
		r.buf = make([]int64, index.PageRows)
	}
	vals := r.col.Page(int(rows[0])/index.PageRows, r.buf)
	if len(rows) == len(vals) {
		return vals
	}
	r.few = slices.Grow(r.few[:0], len(rows))[:len(rows)]
	for i, row := range rows {
		r.few[i] = vals[row%index.PageRows]
	}
	return r.few
}

// constant returns the value of a column at the rows [from, to) if all have the same and
// the column knows it without reading them.
func constant(col index.Ints, from, to int) (v int64, ok bool) {
	for page := from / index.PageRows; page*index.PageRows < to; page++ {
		of, same := col.Constant(page)
		if !same || ok && of != v {
			return 0, false
		}
		v, ok = of, true
	}
	return v, ok
}

// meteredPart is a part that counts the bytes of the cells read from it.
type meteredPart struct {
	index.Part
	bytesRead *int
}

func (m meteredPart) Column(field string) index.Column {
	if c := m.Part.Column(field); c != nil {
		return meteredColumn{c, m.bytesRead}
	}
	return nil
}

type meteredColumn struct {
	index.Column
	bytesRead *int
}

func (c meteredColumn) Cell(code uint32) []byte {
	cell := c.Column.Cell(code)
	*c.bytesRead += len(cell)
	return cell
}

// terms numbers the names of an answer: its values and segments. Numbers compare faster
// than names.
type terms struct {
	ids   map[string]int32
	names []string
	bytes int // of names
}

// idCloned is id for a name whose memory will be reused: it stores a copy.
func (t *terms) idCloned(name string) int32 {
	if id, ok := t.ids[name]; ok {
		return id
	}
	return t.id(strings.Clone(name))
}

// id returns the number of a name, a new one when the name is new. The name is stored.
func (t *terms) id(name string) int32 {
	id, ok := t.ids[name]
	if !ok {
		if t.ids == nil {
			t.ids = make(map[string]int32)
		}
		id = int32(len(t.names))
		t.names = append(t.names, name)
		t.ids[name] = id
		t.bytes += len(name)
	}
	return id
}

// names is a list of different texts, in the order in which they were added.
type names struct {
	list []string
	at   map[string]struct{} // the same texts; nil while there are few
}

func (n *names) has(name string) bool {
	if n.at == nil {
		return slices.Contains(n.list, name)
	}
	_, ok := n.at[name]
	return ok
}

func (n *names) add(name string) {
	if n.has(name) {
		return
	}
	n.list = append(n.list, name)
	switch {
	case n.at != nil:
		n.at[name] = struct{}{}
	case len(n.list) > shortList:
		n.at = make(map[string]struct{}, 2*len(n.list))
		for _, name := range n.list {
			n.at[name] = struct{}{}
		}
	}
}
