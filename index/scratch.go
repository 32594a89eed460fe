// Scratch: working memory for writing runs. The next column and the next run use it
// again.

package index

import "sync"

// scratch belongs to one writer at a time. Memory taken from it is overwritten by
// whoever takes it next.
type scratch struct {
	free    [][]int64 // pages of integers that are not in use
	encoded []byte    // an integer page as it is stored
	flat    []uint32  // by code of a source: its code in the run
	spans   []span    // of lists
	blocks  []uint16  // their entries
	dict    dictWriter

	// For counts.
	unitRows []uint32 // rows of each unit, from the first on
	ranks    []uint32 // by unit: how many units with rows are before it
	cells    []uint32 // by code and unit with rows: rows; for pairs by code and slot
	slots    []uint8  // by row: the slot of its cell in the counted field, see pairsWriter

	// For sorting the cells of a part.
	counts   []uint32 // by code of the part: rows
	renumber []uint32 // by code of the part: its place in the order, from 1
	entries  []entry
	spare    []entry
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// take returns a slice for PageRows integers; give takes it back.
func (s *scratch) take() []int64 {
	if n := len(s.free); n > 0 {
		v := s.free[n-1]
		s.free = s.free[:n-1]
		return v
	}
	return make([]int64, PageRows)
}

func (s *scratch) give(v []int64) { s.free = append(s.free, v[:PageRows]) }

// sized returns s with n elements. Their values are undefined.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
