// Windows: the cells of one field in some consecutive rows of a stretch. A run has a cell once,
// in a dictionary, and rows have its number. So the numbers of many rows are read, brought into
// order, and the dictionary is walked once.

package export

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/read"
	"cairn/index"
)

const (
	// stretchRows is how many rows a stretch has at most, and so a window.
	stretchRows = 1 << 18

	// narrowRows is how many rows a window has at most unless the dictionary is larger.
	narrowRows = 1 << 13

	// windowRowBytes is about what a window takes for a row besides its cells.
	windowRowBytes = 4
)

// window is the cells of one field in the rows [from, to) of a stretch. It does not change while
// somebody uses it.
type window struct {
	from, to int
	cells    []uint32 // by row: the number of its cell, from 1; 0 = the row lacks the field
	raw      texts    // the cells
	text     texts    // what the encoder makes of them; empty when rows hardly share cells
	shapes   []*shape // by cell; nil when there is no shape among them
	some     bool     // some row has the field
	users    atomic.Int32
}

// texts are texts one after the other.
type texts struct {
	bytes []byte
	ends  []uint32
}

func (t *texts) reset() { t.bytes, t.ends = t.bytes[:0], t.ends[:0] }

// at returns the text of a number, from 1.
func (t *texts) at(n uint32) []byte {
	start := uint32(0)
	if n > 1 {
		start = t.ends[n-2]
	}
	return t.bytes[start:t.ends[n-1]:t.ends[n-1]]
}

func (t *texts) end() { t.ends = append(t.ends, uint32(len(t.bytes))) }

// column reads one field of a part, window by window.
type column struct {
	p      *part
	field  string
	render func(dst, cell []byte) []byte // appends what the encoder makes of a cell
	shaped bool                          // some cells may be shapes
	key    []byte                        // of a member of an object, as render begins with it
	col    index.Column
	codes  *read.Column
	size   int // rows of the next window
	limit  int // bytes of the cells of a window
	now    *window

	mu    sync.Mutex
	spare []*window
}

// scratch is memory to bring codes into order. All columns share it.
type scratch struct {
	numbers      []uint32 // by code
	pairs, other []uint64 // code and row
}

// get returns a window that nobody uses.
func (c *column) get() *window {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.spare); n > 0 {
		w := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return w
	}
	return new(window)
}

// leave ends a use of a window.
func (c *column) leave(w *window) {
	if w.users.Add(-1) == 0 {
		c.mu.Lock()
		c.spare = append(c.spare, w)
		c.mu.Unlock()
	}
}

// cover makes now a window that begins at the row from, or has it. The caller checks the error
// of the part.
func (c *column) cover(s *scratch, rows []int32, from int) {
	if c.now != nil {
		if from < c.now.to {
			return
		}
		c.leave(c.now)
	}
	w := c.get()
	w.users.Store(1)
	for c.now = w; !c.load(w, s, rows, from, min(c.size, len(rows)-from)); {
		c.size = max(1, min(c.size, len(rows)-from)/2)
	}
}

// end gives the last window back, after the last row of a stretch.
func (c *column) end() {
	if c.now != nil {
		c.leave(c.now)
		c.now = nil
	}
}

// load fills a window with n rows from one on. It returns false when their cells take more
// bytes than they may; a single row always fits.
func (c *column) load(w *window, s *scratch, rows []int32, from, n int) bool {
	w.from, w.to, w.some, w.shapes = from, from+n, false, nil
	w.cells = w.cells[:0]
	w.raw.reset()
	w.text.reset()
	w.cells = slices.Grow(w.cells, n)
	card := c.col.Card()
	eachPage(rows[from:from+n], func(some []int32) {
		for _, code := range c.codes.Of(some) {
			if code < 0 || code > int64(card) {
				c.col.Cell(uint32(card) + 1) // the part notes the damage
				code = 0
			}
			w.cells = append(w.cells, uint32(code))
			w.some = w.some || code != 0
		}
	})
	if !w.some {
		return true
	}
	w.raw.ends = slices.Grow(w.raw.ends, min(n, card))
	fits := false
	if card <= 4*n {
		fits = c.byTable(w, s, card, n)
	} else {
		fits = c.bySorting(w, s, card, n)
	}
	if !fits {
		return false
	}
	if 2*len(w.raw.ends) <= n {
		c.renderAll(w, n)
	}
	if c.shaped {
		c.readShapes(w)
	}
	return true
}

// byTable numbers the cells with the help of a table of all codes.
func (c *column) byTable(w *window, s *scratch, card, n int) bool {
	if len(s.numbers) <= card {
		s.numbers = make([]uint32, card+1)
	}
	numbers := s.numbers[:card+1]
	clear(numbers)
	for _, code := range w.cells {
		numbers[code] = 1
	}
	for code := 1; code <= card; code++ {
		if numbers[code] != 0 {
			if !c.add(w, uint32(code), n) {
				return false
			}
			numbers[code] = uint32(len(w.raw.ends))
		}
	}
	numbers[0] = 0
	for i, code := range w.cells {
		w.cells[i] = numbers[code]
	}
	return true
}

// bySorting numbers the cells by sorting the rows by their codes.
func (c *column) bySorting(w *window, s *scratch, card, n int) bool {
	s.pairs = s.pairs[:0]
	for row, code := range w.cells {
		if code != 0 {
			s.pairs = append(s.pairs, uint64(code)<<32|uint64(row))
		}
	}
	s.sort(bits.Len(uint(card)))
	last := uint32(0)
	for _, pair := range s.pairs {
		if code := uint32(pair >> 32); code != last {
			if last = code; !c.add(w, code, n) {
				return false
			}
		}
		w.cells[uint32(pair)] = uint32(len(w.raw.ends))
	}
	return true
}

// sort sorts pairs whose codes have so many bits.
func (s *scratch) sort(codeBits int) {
	const digit = 11
	if len(s.pairs) < 1<<digit {
		slices.Sort(s.pairs)
		return
	}
	s.other = slices.Grow(s.other[:0], len(s.pairs))[:len(s.pairs)]
	var counts [1 << digit]int
	for shift := 32; shift < 32+codeBits; shift += digit {
		clear(counts[:])
		for _, p := range s.pairs {
			counts[p>>shift&(1<<digit-1)]++
		}
		at := 0
		for i, n := range counts {
			counts[i], at = at, at+n
		}
		for _, p := range s.pairs {
			d := p >> shift & (1<<digit - 1)
			s.other[counts[d]] = p
			counts[d]++
		}
		s.pairs, s.other = s.other, s.pairs
	}
}

// add adds the cell of a code to a window of n rows.
func (c *column) add(w *window, code uint32, n int) bool {
	cell := c.col.Cell(code)
	if need := len(w.raw.bytes) + len(cell); need > cap(w.raw.bytes) { // twice as much, but hardly more than the limit
		w.raw.bytes = append(make([]byte, 0, max(need, min(2*cap(w.raw.bytes), c.limit+4096), 256)), w.raw.bytes...)
	}
	w.raw.bytes = append(w.raw.bytes, cell...)
	w.raw.end()
	return len(w.raw.bytes) <= c.limit || n == 1
}

// renderAll has the encoder make its text of each cell, unless that takes too much memory.
func (c *column) renderAll(w *window, n int) {
	for i := range w.raw.ends {
		if w.text.bytes = c.render(w.text.bytes, w.raw.at(uint32(i+1))); len(w.text.bytes) > c.limit && n > 1 {
			w.text.reset()
			return
		}
		w.text.end()
	}
}

// readShapes reads the shapes among the cells.
func (c *column) readShapes(w *window) {
	for i := range w.raw.ends {
		cell := w.raw.at(uint32(i + 1))
		if !event.IsShape(cell) {
			continue
		}
		if w.shapes == nil {
			w.shapes = make([]*shape, len(w.raw.ends))
		}
		s := &shape{Shape: event.ShapeOf(c.field, cell)}
		if s.Shape == nil {
			s.damaged = true
		} else {
			for _, field := range s.Fields() {
				s.columns = append(s.columns, c.p.bound(field))
			}
		}
		w.shapes[i] = s
	}
}

// eachPage calls fn with the rows of each page of a part.
func eachPage(rows []int32, fn func(rows []int32)) {
	for len(rows) > 0 {
		page := rows[0] / index.PageRows
		n := 1
		if last := min(len(rows), index.PageRows) - 1; rows[last]/index.PageRows == page {
			n = last + 1
		} else {
			n, _ = slices.BinarySearch(rows[:last+1], (page+1)*index.PageRows)
		}
		fn(rows[:n])
		rows = rows[n:]
	}
}

// shape is the shape of an object in pieces, and the columns of its values.
type shape struct {
	*event.Shape
	columns []int
	damaged bool
}
