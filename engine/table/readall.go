// Reading rows together: column by column, by two goroutines where one may help.

package table

import (
	"slices"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/index"
)

// Helper runs work in another goroutine, with a reader of its own of the same part, if it can be
// had at once. wait is called when there is no more work to begin: it returns when work has
// ended, or will never begin. A Helper that is nil helps nobody.
type Helper func(work func(*RowReader)) (wait func())

// ReadAll reads the events of rows, which are few and may be far apart, as Read does. It goes column
// by column, so that it reads each page once and what lies together on the disk together.
// bytes[i] is what RowReader.Bytes is after Read. When the cells take more than most bytes, or
// anything is damaged, it returns nil: Read then says what is wrong.
func (r *RowReader) ReadAll(rows []int, most int, help Helper) (events []*event.Event, bytes []int) {
	return r.Begin(rows, most, help).End()
}

// Begin begins ReadAll: a helper may read until End. Whoever calls it calls End or Stop.
func (r *RowReader) Begin(rows []int, most int, help Helper) *Together {
	t := &Together{reader: r, wanted: rows, rows: slices.Clone(rows), most: int64(most), found: make([]found, len(r.ints)+len(r.columns))}
	slices.Sort(t.rows)
	if help != nil && len(rows) >= helpedRows {
		t.wait = help(t.gather)
	}
	return t
}

// Stop ends the reading of rows that nobody wants any more.
func (t *Together) Stop() {
	t.failed.Store(true)
	if t.wait != nil {
		t.wait()
	}
}

// End reads what no helper has read, and returns what ReadAll returns.
func (t *Together) End() (events []*event.Event, bytes []int) {
	r, rows := t.reader, t.wanted
	if t.read(); t.failed.Load() {
		return nil, nil
	}
	place := make([]int, len(rows)) // by index in t.rows: index in rows
	for i, row := range rows {
		at, _ := slices.BinarySearch(t.rows, row)
		place[at] = i
	}
	events, bytes = make([]*event.Event, len(rows)), make([]int, len(rows))
	made := make([]event.Event, len(rows))
	for i := range events {
		events[i] = &made[i]
	}
	for i := range r.ints {
		for at, v := range t.found[i].ints {
			events[place[at]].SetInt(i, v)
		}
	}
	for i := range r.columns {
		c := &r.columns[i]
		f, from := &t.found[len(r.ints)+i], 0
		for k, at := range f.of {
			e, cell := events[place[at]], f.cells[from:f.ends[k]]
			from = f.ends[k]
			if c.field[0] != event.PrefixExtra[0] {
				bytes[place[at]] += len(cell)
			}
			if IsOverflow(c.field) {
				if r.overflow(e, c.field[0], cell) != nil {
					return nil, nil
				}
			} else if e.SetCell(c.field, cell) != nil {
				return nil, nil
			}
		}
	}
	for i, e := range events {
		e.Seq = r.part.First() + uint64(rows[i])
		if e.Finish() != nil {
			return nil, nil
		}
		for k := range e.Extra {
			bytes[i] += len(e.Extra[k].Value.Text)
		}
	}
	return events, bytes
}

// helpedRows is from how many rows on help pays for its goroutine.
const helpedRows = 2

// Together is rows of a part that are read together. Each reader takes a column after the other
// that no reader has taken.
type Together struct {
	reader *RowReader
	wait   func() // for the helper; nil = there is none
	wanted []int
	rows   []int   // wanted, ascending
	found  []found // of the integer columns, then of the others
	next   atomic.Int64
	sum    atomic.Int64 // bytes of cells
	most   int64
	failed atomic.Bool
}

// found is what rows have in a column. Those who gather it share no memory.
type found struct {
	ints  []int64 // of an integer column, by index in rows
	of    []int   // of another column: an index in rows for each cell, in any order
	ends  []int   // where each of these cells ends in cells
	cells []byte
}

// read reads the columns that are left.
func (t *Together) read() {
	if t.wait != nil {
		defer t.wait()
	}
	t.gather(t.reader)
}

// gather reads columns until all are taken.
func (t *Together) gather(r *RowReader) {
	var codes []uint32
	values := make([]int64, len(t.rows))
	for {
		i := int(t.next.Add(1)) - 1
		if i >= len(t.found) || t.failed.Load() {
			break
		}
		f := &t.found[i]
		if i < len(r.ints) {
			if c := r.ints[i]; c != nil {
				f.ints = make([]int64, len(t.rows))
				index.Gather(c, t.rows, f.ints)
			}
			continue
		}
		c := &r.columns[i-len(r.ints)]
		index.Gather(c.codes, t.rows, values)
		codes = codes[:0]
		var at []int // by index in codes: index in rows
		for k, code := range values {
			if code != 0 {
				codes, at = append(codes, uint32(code)), append(at, k)
			}
		}
		index.EachCell(c.col, codes, func(k int, cell []byte) {
			if cell == nil || t.sum.Add(int64(len(cell))) > t.most {
				t.failed.Store(true)
			}
			if !t.failed.Load() {
				f.of, f.cells = append(f.of, at[k]), append(f.cells, cell...)
				f.ends = append(f.ends, len(f.cells))
			}
		})
	}
	if r.part.Err() != nil {
		t.failed.Store(true)
	}
}
