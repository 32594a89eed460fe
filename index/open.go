// The open part: the newest rows of a site, in memory, by column. The cells of a
// column are in opencolumn.go.

package index

import (
	"hash/maphash"
	"slices"
	"sync"
)

// Open is a part that grows. One goroutine appends; any number take snapshots.
// Rows appear in snapshots only after Publish. What it keeps for each row and
// cell holds no pointer, so that the garbage collector has nothing to look
// through, and grows by pages, so that nothing is copied.
type Open struct {
	format *Format
	first  uint64
	seed   maphash.Seed

	mu      sync.RWMutex
	ints    []paged[int64]
	columns map[string]*openColumn
	order   []*openColumn // as the newest rows set them: most rows look like the one before
	at      int           // the next Set's place in order
	chunks  [][]byte      // where cells are kept
	filled  int           // of the last chunk, in bytes
	rows    int           // appended
	public  int           // published
	bytes   int64
}

// NewOpen starts a part whose row 0 has seq first. numInts is how many integers
// every row has.
func NewOpen(format *Format, first uint64, numInts int) *Open {
	return &Open{format: format, first: first, seed: maphash.MakeSeed(), ints: make([]paged[int64], numInts), columns: make(map[string]*openColumn), bytes: newOpenBytes(numInts)}
}

// First is the seq of row 0.
func (o *Open) First() uint64 { return o.first }

// Rows is how many rows were appended.
func (o *Open) Rows() int { return o.rows }

// Bytes is about how much memory the part holds.
func (o *Open) Bytes() int64 { return o.bytes }

// newOpenBytes is about what a part without rows takes.
func newOpenBytes(numInts int) int64 { return 1024 + 512*int64(numInts) }

// OpenBytesMax is about what so many rows with so many cells, of so many bytes together,
// may take at the most in so many parts, which may all be new: every cell has a code in
// a page that is hardly dense, the first of each part have new columns, and each part
// begins a chunk.
func OpenBytesMax(parts, rows, cells, bytes int64, numInts int) int64 {
	const (
		cellBytes   = 4*sparseRows + 8 + 8 // its code, its place and its slot
		columnBytes = openColumnBytes + 16*openPageBytes + 4*64 + 8*16
	)
	return parts*(newOpenBytes(numInts)+chunkLen) + rows*8*int64(numInts) +
		min(cells, parts*columnsMax)*columnBytes + cells*cellBytes + 2*bytes
}

// Lock and Unlock bracket a series of Appends.
func (o *Open) Lock()   { o.mu.Lock() }
func (o *Open) Unlock() { o.mu.Unlock() }

// Append starts the next row with its integers; Set then adds its cells. The
// caller holds the lock.
func (o *Open) Append(ints []int64) {
	for i := range o.ints {
		o.ints[i].append(ints[i])
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
	if c.last == 0 || string(o.cell(c, c.last)) != string(cell) {
		c.last = o.code(c, cell)
	}
	row := o.rows - 1
	if c.end > row {
		return // the row has one
	}
	c.end = row + 1
	if page := uint(row) / PageRows; page < uint(len(c.pages)) && c.pages[page].next(uint(row)%PageRows, c.last) {
		return
	}
	o.bytes += c.set(row, c.last)
}

// column finds or makes the field's column.
func (o *Open) column(field []byte) *openColumn {
	if o.at < len(o.order) && o.order[o.at].name == string(field) {
		o.at++
		return o.order[o.at-1]
	}
	c := o.columns[string(field)]
	if c == nil {
		c = &openColumn{name: string(field)}
		o.columns[c.name] = c
		o.bytes += openColumnBytes + int64(len(field))
	}
	if o.at < len(o.order) {
		o.order[o.at] = c
	} else {
		o.order = append(o.order, c)
	}
	o.at++
	return c
}

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
	return &openView{open: o, rows: o.public}
}

// openView is a published prefix of an Open.
type openView struct {
	open *Open
	rows int
}

func (v *openView) First() uint64 { return v.open.first }
func (v *openView) Len() int      { return v.rows }
func (v *openView) Err() error    { return nil }

func (v *openView) Ints(col int) Ints {
	v.open.mu.RLock()
	defer v.open.mu.RUnlock()
	return v.open.ints[col].upTo(v.rows)
}

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
	return &openColumnView{
		open: v.open, col: c,
		codes: openCodes{c.upTo(v.rows), v.rows},
		cells: c.cells.upTo(c.cells.n), chunks: v.open.chunks,
	}
}

// paged is a list that grows at its end by whole pages: what has been handed out
// never moves. The first page grows by doubling, so that a short list is small.
type paged[T any] struct {
	pages [][]T
	n     int
}

func (p *paged[T]) append(v T) {
	if p.n%PageRows == 0 {
		size := PageRows
		if p.n == 0 {
			size = 64
		}
		p.pages = append(p.pages, make([]T, 0, size))
	}
	last := &p.pages[len(p.pages)-1]
	*last = append(*last, v)
	p.n++
}

func (p *paged[T]) at(i int) T { return p.pages[i/PageRows][i%PageRows] }

// upTo is the first n elements as they are now.
func (p *paged[T]) upTo(n int) pageList[T] {
	return pageList[T]{slices.Clone(p.pages[:(n+PageRows-1)/PageRows]), n}
}

// pageList is a prefix of a paged list; one of int64 is an integer column.
type pageList[T any] struct {
	pages [][]T
	n     int
}

func (p pageList[T]) At(i int) T { return p.pages[i/PageRows][i%PageRows] }

// Constant says nothing: of what is in memory that is not known.
func (p pageList[T]) Constant(int) (int64, bool) { return 0, false }

// Page returns the elements there are of a page. They lie in memory: buf is for
// lists that do not.
func (p pageList[T]) Page(page int, _ []T) []T {
	if page >= len(p.pages) {
		return nil
	}
	return p.pages[page][:min(PageRows, p.n-page*PageRows)]
}
