// The open part: the newest rows of a site, in memory, by column.

package index

import (
	"slices"
	"sync"
	"unsafe"
)

// Open is a part that grows. One goroutine appends; any number take snapshots.
// Rows appear in snapshots only after Publish.
type Open struct {
	format *Format
	first  uint64

	mu      sync.RWMutex
	ints    [][]int64
	columns map[string]*openColumn
	order   []*openColumn // as the newest rows set them: most rows look like the one before
	at      int           // the next Set's place in order
	arena   []byte        // where cells are kept
	rows    int           // appended
	public  int           // published
	bytes   int64
}

// openColumn grows at the end only, so a snapshot's slices stay as they are.
type openColumn struct {
	name   string
	codes  []uint32 // by row; shorter than the part when the newest rows lack the field
	cells  [][]byte // by code-1
	byCell map[string]uint32
	last   uint32             // the code of the newest row
	terms  map[int64][]uint32 // codes of all but strings, by leafHash of what they hold
}

// NewOpen starts a part whose row 0 has seq first. numInts is how many integers
// every row has.
func NewOpen(format *Format, first uint64, numInts int) *Open {
	return &Open{format: format, first: first, ints: make([][]int64, numInts), columns: make(map[string]*openColumn)}
}

// First is the seq of row 0.
func (o *Open) First() uint64 { return o.first }

// Rows is how many rows were appended.
func (o *Open) Rows() int { return o.rows }

// Bytes is about how much memory the part holds.
func (o *Open) Bytes() int64 { return o.bytes }

// Lock and Unlock bracket a series of Appends.
func (o *Open) Lock()   { o.mu.Lock() }
func (o *Open) Unlock() { o.mu.Unlock() }

// Append starts the next row with its integers; Set then adds its cells. The
// caller holds the lock.
func (o *Open) Append(ints []int64) {
	for i := range o.ints {
		o.ints[i] = append(o.ints[i], ints[i])
	}
	o.rows++
	o.at = 0
	o.bytes += int64(8 * len(ints))
}

// Fits reports whether field has a column or may get one.
func (o *Open) Fits(field []byte) bool {
	return len(o.columns) < ColumnsMax || o.columns[string(field)] != nil
}

// Set gives the newest row a cell. Both arguments are copied.
func (o *Open) Set(field, cell []byte) {
	c := o.column(field)
	code := c.last
	if code == 0 || string(c.cells[code-1]) != string(cell) {
		var ok bool
		if code, ok = c.byCell[string(cell)]; !ok {
			code = o.add(c, cell)
		}
		c.last = code
	}
	row := o.rows - 1
	for len(c.codes) < row {
		c.codes = append(c.codes, 0)
		o.bytes += 4
	}
	if len(c.codes) == row {
		c.codes = append(c.codes, code)
		o.bytes += 4
	}
}

// column finds or makes the field's column.
func (o *Open) column(field []byte) *openColumn {
	if o.at < len(o.order) && o.order[o.at].name == string(field) {
		o.at++
		return o.order[o.at-1]
	}
	c := o.columns[string(field)]
	if c == nil {
		c = &openColumn{name: string(field), byCell: make(map[string]uint32), terms: make(map[int64][]uint32)}
		o.columns[c.name] = c
		o.bytes += 256
	}
	if o.at < len(o.order) {
		o.order[o.at] = c
	} else {
		o.order = append(o.order, c)
	}
	o.at++
	return c
}

// add gives a new cell its code.
func (o *Open) add(c *openColumn, cell []byte) uint32 {
	if len(o.arena)+len(cell) > cap(o.arena) {
		o.arena = make([]byte, 0, max(arenaLen, len(cell)))
	}
	start := len(o.arena)
	o.arena = append(o.arena, cell...)
	kept := o.arena[start:len(o.arena):len(o.arena)]
	c.cells = append(c.cells, kept)
	code := uint32(len(c.cells))
	c.byCell[unsafe.String(unsafe.SliceData(kept), len(kept))] = code
	o.bytes += int64(len(cell)) + 64
	if !o.format.Text(kept) {
		o.format.Leaves(kept, func(path, term string) bool {
			h := leafHash(path, term)
			c.terms[h] = append(c.terms[h], code)
			o.bytes += 64
			return true
		})
	}
	return code
}

// arenaLen is how much memory is taken at a time for cells.
const arenaLen = 64 << 10

// Publish shows all appended rows to later snapshots.
func (o *Open) Publish() {
	o.mu.Lock()
	o.public = o.rows
	o.mu.Unlock()
}

// Snapshot is the part as published now. It is only good for one goroutine; it
// holds the memory of the rows it shows.
func (o *Open) Snapshot() Part {
	o.mu.RLock()
	defer o.mu.RUnlock()
	s := &openView{open: o, rows: o.public, ints: make([][]int64, len(o.ints))}
	for i := range s.ints {
		s.ints[i] = o.ints[i][:o.public]
	}
	return s
}

// openView is a published prefix of an Open.
type openView struct {
	open *Open
	rows int
	ints [][]int64
}

func (v *openView) First() uint64     { return v.open.first }
func (v *openView) Len() int          { return v.rows }
func (v *openView) Err() error        { return nil }
func (v *openView) Ints(col int) Ints { return sliceInts(v.ints[col]) }

func (v *openView) Fields() []string {
	v.open.mu.RLock()
	defer v.open.mu.RUnlock()
	fields := make([]string, 0, len(v.open.columns))
	for f := range v.open.columns {
		fields = append(fields, f)
	}
	slices.Sort(fields)
	return fields
}

func (v *openView) Column(field string) Column {
	v.open.mu.RLock()
	defer v.open.mu.RUnlock()
	c := v.open.columns[field]
	if c == nil {
		return nil
	}
	return &openColumnView{view: v, col: c, codes: c.codes[:min(len(c.codes), v.rows)], cells: c.cells[:len(c.cells):len(c.cells)]}
}

type openColumnView struct {
	view  *openView
	col   *openColumn
	codes []uint32
	cells [][]byte
}

func (c *openColumnView) Card() int               { return len(c.cells) }
func (c *openColumnView) Codes() Ints             { return codeInts{c.codes, c.view.rows} }
func (c *openColumnView) Cell(code uint32) []byte { return c.cells[code-1] }

func (c *openColumnView) Count(code uint32) int {
	n := 0
	for _, x := range c.codes {
		if x == code {
			n++
		}
	}
	return n
}

func (c *openColumnView) Rows(uint32, func(int)) bool             { return false }
func (c *openColumnView) Present(func(row int, code uint32)) bool { return false }

func (c *openColumnView) Find(path string, terms []string) []uint32 {
	var maybe []uint32
	format := c.view.open.format
	c.view.open.mu.RLock()
	for _, t := range terms {
		if code := c.col.byCell[string(format.AppendText(nil, t))]; path == "" && code != 0 {
			maybe = append(maybe, code)
		}
		maybe = append(maybe, c.col.terms[leafHash(path, t)]...)
	}
	c.view.open.mu.RUnlock()
	slices.Sort(maybe)
	return slices.DeleteFunc(slices.Compact(maybe), func(code uint32) bool {
		return int(code) > len(c.cells) || !format.hasLeaf(c.cells[code-1], path, terms)
	})
}

// sliceInts is an integer column in memory.
type sliceInts []int64

func (s sliceInts) At(row int) int64 { return s[row] }
func (s sliceInts) Page(page int, _ []int64) []int64 {
	return s[page*PageRows : min((page+1)*PageRows, len(s))]
}

// codeInts is codes in memory; rows past the last one that has the field are 0.
type codeInts struct {
	codes []uint32
	rows  int
}

func (c codeInts) At(row int) int64 {
	if row >= len(c.codes) {
		return 0
	}
	return int64(c.codes[row])
}

func (c codeInts) Page(page int, buf []int64) []int64 {
	buf = buf[:min(PageRows, c.rows-page*PageRows)]
	for i := range buf {
		buf[i] = c.At(page*PageRows + i)
	}
	return buf
}
