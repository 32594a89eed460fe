// The part in memory: the newest rows of a site, stored by column. memcolumn.go has
// the cells of a column.

package index

import (
	"hash/maphash"
	"slices"
	"sync"
)

// MemPart is a part that grows. One goroutine appends; any number of goroutines take
// snapshots. Snapshots see rows only after Publish. The memory for rows and cells holds
// no pointers, so the garbage collector does not scan it. It grows page by page, so
// nothing is copied.
type MemPart struct {
	format *Format
	first  uint64
	seed   maphash.Seed

	mu        sync.RWMutex
	ints      []paged[int64]
	columns   map[string]*memColumn
	start     memColumn  // stands before the first column of a row
	before    *memColumn // the column that was set last
	chunks    [][]byte   // memory for cells
	filled    int        // bytes used of the last chunk
	rows      int        // rows appended
	published int        // rows published
	bytes     int64
	waiting   *waiting // cells that wait for their codes; nil = none
}

// NewMemPart returns an empty part. Its row 0 has seq first, and each of its rows has
// numInts integers.
func NewMemPart(format *Format, first uint64, numInts int) *MemPart {
	return &MemPart{format: format, first: first, seed: maphash.MakeSeed(), ints: make([]paged[int64], numInts), columns: make(map[string]*memColumn), bytes: newMemPartBytes(numInts)}
}

// First returns the seq of row 0.
func (m *MemPart) First() uint64 { return m.first }

// Rows returns the number of appended rows, published or not.
func (m *MemPart) Rows() int { return m.rows }

// Bytes returns about how many bytes of memory the part uses. It may lack some cells of a
// series that has not ended.
func (m *MemPart) Bytes() int64 { return m.bytes }

// newMemPartBytes is about how many bytes a part without rows uses.
func newMemPartBytes(numInts int) int64 { return 1024 + 512*int64(numInts) }

// MemPartBytesMax returns an upper bound of the memory, in bytes, that rows may add to
// parts. The rows have so many cells, of so many bytes together. The bound covers the
// worst case: every part is new, every cell has a code in a page that is hardly dense,
// the first row of each part makes new columns, and each part begins a chunk.
func MemPartBytesMax(parts, rows, cells, bytes int64, numInts int) int64 {
	const (
		cellBytes   = 4*sparseRows + 8 + 8 // its code, its reference and its slot
		columnBytes = memColumnBytes + 16*memPageBytes + 4*64 + 8*16
	)
	return parts*(newMemPartBytes(numInts)+chunkLen) + rows*8*int64(numInts) +
		min(cells, parts*columnsMax)*columnBytes + cells*cellBytes + 2*bytes
}

// Lock locks the part for a series of Appends.
func (m *MemPart) Lock() { m.mu.Lock() }

// Unlock ends the series.
func (m *MemPart) Unlock() {
	m.settle()
	m.mu.Unlock()
}

// Append starts the next row with its integers. Set then adds the row's cells. The
// caller holds the lock.
func (m *MemPart) Append(ints []int64) {
	for i := range m.ints {
		m.ints[i].append(ints[i])
	}
	m.rows++
	m.before = &m.start
	m.bytes += int64(8 * len(ints))
}

// Fits reports whether field has a column or may get one: a part has at most
// ColumnsMax.
func (m *MemPart) Fits(field []byte) bool {
	return len(m.columns) < ColumnsMax || m.columns[string(field)] != nil
}

// FitsAll reports whether a field and some more together have columns or may get them.
func (m *MemPart) FitsAll(field string, more []string) bool {
	room := ColumnsMax - len(m.columns)
	if m.columns[field] == nil {
		room--
	}
	for _, f := range more {
		if m.columns[f] == nil {
			room--
		}
	}
	return room >= 0
}

// Has reports whether some row has the cell in the column of field. The caller holds the
// lock.
func (m *MemPart) Has(field, cell []byte) bool {
	c := m.columns[string(field)]
	if c == nil {
		return false
	}
	if c.wide() {
		m.settle()
	}
	if c.last != 0 && string(m.cell(c, c.last)) == string(cell) {
		return true
	}
	return m.find(c, cell) != 0
}

// Set gives the newest row a cell. It copies both arguments. The first cell of a field
// counts. The caller holds the lock.
func (m *MemPart) Set(field, cell []byte) {
	c := m.column(field)
	row := m.rows - 1
	if c.end > row {
		return // the row has this field already
	}
	c.end = row + 1
	wide := c.wide()
	if !wide && c.last != 0 && string(m.cell(c, c.last)) == string(cell) {
		m.put(c, row, c.last)
		return
	}
	hash := m.hash(cell)
	if wide && m.wait(c, row, hash, cell) {
		return
	}
	m.put(c, row, m.code(c, hash, cell))
}

// put gives a row of a column a code. The column has no later row yet.
func (m *MemPart) put(c *memColumn, row int, code uint32) {
	c.last = code
	if page := uint(row) / PageRows; page < uint(len(c.pages)) && c.pages[page].next(uint(row)%PageRows, code) {
		return
	}
	m.bytes += c.set(row, code)
}

// column finds or makes the column of a field. Rows are of a few kinds, and those of a kind
// set the same fields in the same order. So the column is mostly one of the two that were
// set last after the column before.
func (m *MemPart) column(field []byte) *memColumn {
	b := m.before
	if c := b.next; c != nil && c.name == string(field) {
		m.before = c
		return c
	}
	if c := b.other; c != nil && c.name == string(field) {
		b.next, b.other = c, b.next
		m.before = c
		return c
	}
	c := m.columns[string(field)]
	if c == nil {
		c = &memColumn{name: string(field)}
		m.columns[c.name] = c
		m.bytes += memColumnBytes + int64(len(field))
	}
	b.next, b.other = c, b.next
	m.before = c
	return c
}

// Publish makes all appended rows visible to later snapshots.
func (m *MemPart) Publish() {
	m.Lock()
	m.published = m.rows
	m.Unlock()
}

// Snapshot returns the published rows as a Part for one goroutine. It keeps their
// memory alive.
func (m *MemPart) Snapshot() Part {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &memSnapshot{part: m, rows: m.published}
}

// memSnapshot is the rows of a MemPart that were published when it was made.
type memSnapshot struct {
	part *MemPart
	rows int
}

func (s *memSnapshot) First() uint64 { return s.part.first }
func (s *memSnapshot) Len() int      { return s.rows }
func (s *memSnapshot) Err() error    { return nil }

func (s *memSnapshot) Ints(col int) Ints {
	s.part.mu.RLock()
	defer s.part.mu.RUnlock()
	return s.part.ints[col].upTo(s.rows)
}

func (s *memSnapshot) Fields() []string {
	s.part.mu.RLock()
	defer s.part.mu.RUnlock()
	fields := make([]string, 0, len(s.part.columns))
	for f := range s.part.columns {
		fields = append(fields, f)
	}
	slices.Sort(fields)
	return fields
}

func (s *memSnapshot) Column(field string) Column {
	s.part.mu.RLock()
	defer s.part.mu.RUnlock()
	c := s.part.columns[field]
	if c == nil {
		return nil
	}
	return &memColumnSnapshot{
		part: s.part, col: c,
		codes: memCodes{c.upTo(s.rows), s.rows},
		cells: c.cells.upTo(c.cells.n), chunks: s.part.chunks,
	}
}

// paged is a list that grows at its end by whole pages, so that elements which were
// handed out never move. The first page grows by doubling, so that a short list is
// small.
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

// upTo returns the first n elements as they are now.
func (p *paged[T]) upTo(n int) pagedPrefix[T] {
	return pagedPrefix[T]{slices.Clone(p.pages[:(n+PageRows-1)/PageRows]), n}
}

// pagedPrefix is the first n elements of a paged list. A pagedPrefix of int64 is an integer
// column.
type pagedPrefix[T any] struct {
	pages [][]T
	n     int
}

func (p pagedPrefix[T]) At(i int) T { return p.pages[i/PageRows][i%PageRows] }

// Constant never knows: pages in memory have no bounds.
func (p pagedPrefix[T]) Constant(int) (int64, bool) { return 0, false }

// Page returns the elements of a page where they lie in memory. It does not need buf.
func (p pagedPrefix[T]) Page(page int, _ []T) []T {
	if page >= len(p.pages) {
		return nil
	}
	return p.pages[page][:min(PageRows, p.n-page*PageRows)]
}
