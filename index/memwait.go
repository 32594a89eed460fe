// Cells that wait: those of wide columns get their codes some at a time.

package index

import "sync"

// A cell leads to a slot of its column's table, the slot to the place of an equal cell, and the
// place to the cell. In a wide column none of them is in the processor's caches, so Set would
// wait for the memory at each step. Here a step is taken for all cells that wait, none of which
// needs what is loaded for another, so the processor waits for several at a time.

// wideSlots is from how many slots in its table on a column is wide. A smaller table and its
// cells are in the caches.
const wideSlots = 1 << 14

// wide reports whether the cells of the column wait. A column stays wide.
func (c *memColumn) wide() bool { return len(c.table) >= wideSlots }

// waiting is the cells of wide columns that have no code yet, in the order of Set.
type waiting struct {
	cells [waitingMax]waitingCell
	n     int
	text  [waitingText]byte // of the cells
	used  int
	sum   byte // of what was loaded, so that no load is left out
}

// What waits and what is loaded for it stays in the smallest cache.
const (
	waitingMax  = 64
	waitingText = 4 << 10
)

type waitingCell struct {
	col        *memColumn
	row        int
	hash       uint32
	start, end uint16  // in text
	code       uint32  // of a cell with that hash; 0 = none
	ref        cellRef // of that cell
}

// A part has a waiting only during a series of Appends.
var waitings = sync.Pool{New: func() any { return new(waiting) }}

// wait lets a cell of a wide column wait. It returns false if the cell is too long. Then no
// cell waits.
func (m *MemPart) wait(c *memColumn, row int, hash uint32, cell []byte) bool {
	w := m.waiting
	if w != nil && (w.n == waitingMax || len(cell) > waitingText-w.used) {
		m.resolve(w)
	}
	if len(cell) > waitingText {
		return false
	}
	if w == nil {
		w = waitings.Get().(*waiting)
		m.waiting = w
	}
	start := w.used
	w.used += copy(w.text[start:], cell)
	x := &w.cells[w.n]
	w.n++
	x.col, x.row, x.hash, x.start, x.end = c, row, hash, uint16(start), uint16(w.used)
	return true
}

// settle gives all cells that wait their codes.
func (m *MemPart) settle() {
	if w := m.waiting; w != nil {
		m.resolve(w)
		clear(w.cells[:]) // they hold columns
		waitings.Put(w)
		m.waiting = nil
	}
}

// resolve gives the cells of w their codes, in the order of Set.
func (m *MemPart) resolve(w *waiting) {
	cells := w.cells[:w.n]
	for i := range cells {
		x := &cells[i]
		table := x.col.table
		mask := uint32(len(table) - 1)
		at := x.hash & mask
		for table[at].code != 0 && table[at].hash != x.hash {
			at = (at + 1) & mask
		}
		x.code = table[at].code
	}
	for i := range cells {
		if x := &cells[i]; x.code != 0 {
			x.ref = x.col.cells.at(int(x.code) - 1)
		}
	}
	sum := byte(0)
	for i := range cells {
		if x := &cells[i]; x.code != 0 {
			if cell := cellIn(m.chunks, x.ref); len(cell) > 0 {
				sum += cell[0] + cell[len(cell)-1]
			}
		}
	}
	w.sum = sum
	for i := range cells {
		x := &cells[i]
		cell := w.text[x.start:x.end]
		if x.code == 0 || string(cellIn(m.chunks, x.ref)) != string(cell) {
			x.code = m.code(x.col, x.hash, cell)
		}
		m.put(x.col, x.row, x.code)
	}
	w.n, w.used = 0, 0
}
