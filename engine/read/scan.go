// Scanning: reading columns row after row.

package read

import (
	"slices"
	"strings"

	"cairn/index"
)

// rowInts reads an integer column, or the codes of a cell column, at ascending
// rows. Where many rows of a page are asked for it decodes the page, where few,
// just these.
type rowInts struct {
	col  index.Ints
	page int // of values, or of the rows asked last
	n    int // rows asked of it
	vals []int64
	buf  []int64
	few  []int64 // those of a page that were asked for
}

// decodeAfter is how many single reads cost about what a page does.
const decodeAfter = 32

func newRowInts(col index.Ints) *rowInts { return &rowInts{col: col, page: -1} }

func (r *rowInts) at(row int) int64 {
	if row/index.PageRows == r.page && r.vals != nil {
		return r.vals[row%index.PageRows]
	}
	return r.read(row)
}

// read is at where the page is not decoded.
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

// of returns the values at rows of one page, ascending, good until the next call.
func (r *rowInts) of(rows []int32) []int64 {
	if r.buf == nil {
		r.buf = make([]int64, index.PageRows)
	}
	page := int(rows[0]) / index.PageRows
	r.page, r.vals = -1, nil
	if len(rows) <= decodeAfter {
		for i, row := range rows {
			r.buf[i] = r.col.At(int(row))
		}
		return r.buf[:len(rows)]
	}
	vals := r.col.Page(page, r.buf)
	if len(rows) == len(vals) {
		return vals
	}
	if r.few == nil {
		r.few = make([]int64, index.PageRows)
	}
	for i, row := range rows {
		r.few[i] = vals[row%index.PageRows]
	}
	return r.few[:len(rows)]
}

// constant is the value of all rows from..to of a column, to excluded, if that is
// known to be one without a look at each.
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

// metered is a part that adds up the bytes of the cells that are read of it.
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

// terms numbers the values of an answer, so that rows are told apart by number.
type terms struct {
	ids   map[string]int32
	names []string
}

// own is id of a name that is copied when it is new.
func (t *terms) own(name string) int32 {
	if id, ok := t.ids[name]; ok {
		return id
	}
	return t.id(strings.Clone(name))
}

func (t *terms) id(name string) int32 {
	id, ok := t.ids[name]
	if !ok {
		if t.ids == nil {
			t.ids = make(map[string]int32)
		}
		id = int32(len(t.names))
		t.names = append(t.names, name)
		t.ids[name] = id
	}
	return id
}

// names are texts in the order they came first, each once.
type names struct {
	list []string
	at   map[string]struct{} // the same; nil while there are few
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
