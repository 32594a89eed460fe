// Build: a run of one part, which need not be sorted.

package index

import (
	"cmp"
	"errors"
	"slices"
	"sort"
)

// What Merge finds wrong with a run.
var (
	errUnsorted = errors.New("cells are out of order")
	errCode     = errors.New("a code has no cell")
	errCounts   = errors.New("rows and counts of cells differ")
	errLeaves   = errors.New("the leaves are not those of the cells")
)

// Build writes all rows of part as run id, with the totals (sorted as
// Totals.Sorted) and a filter over the terms of the column filterField ("" =
// none). part must not change meanwhile.
func Build(w Sink, id uint64, part Part, numInts int, format *Format, totals []Total, filterField string) error {
	return writeRun(w, id, numInts, format, filterField, []source{&partSource{part, format, totals}})
}

// partSource sorts the columns of a part, one at a time.
type partSource struct {
	part   Part
	format *Format
	sums   []Total
}

func (s *partSource) rows() int            { return s.part.Len() }
func (s *partSource) ints(col int) Ints    { return s.part.Ints(col) }
func (s *partSource) fields() []string     { return s.part.Fields() }
func (s *partSource) totals() totalsCursor { c := sliceTotals(s.sums); return &c }
func (s *partSource) err() error           { return s.part.Err() }

// sliceTotals walks totals in memory.
type sliceTotals []Total

func (s *sliceTotals) next() (t Total, ok bool) {
	if len(*s) == 0 {
		return t, false
	}
	t = (*s)[0]
	*s = (*s)[1:]
	return t, true
}

// sliceLeaves walks leaves in memory.
type sliceLeaves []leaf

func (s *sliceLeaves) next() (l leaf, ok bool) {
	if len(*s) == 0 {
		return l, false
	}
	l = (*s)[0]
	*s = (*s)[1:]
	return l, true
}

func (s *partSource) column(field string) *columnSource {
	col := s.part.Column(field)
	if col == nil {
		return nil
	}
	rows := s.part.Len()
	codes := make([]uint32, 0, rows)
	counts := make([]int, col.Card()+1)
	buf := make([]int64, PageRows)
	for first := 0; first < rows; first += PageRows {
		for _, code := range col.Codes().Page(first/PageRows, buf) {
			if code < 0 || code > int64(col.Card()) {
				code = 0 // of a damaged part; its error is told at the end
			}
			codes = append(codes, uint32(code))
			counts[code]++
		}
	}
	// Cells that no published row uses are left out, so that a run is a function
	// of its rows (X1).
	type entry struct {
		cell  []byte
		count int
		old   uint32
	}
	var entries []entry
	for c := uint32(1); int(c) <= col.Card(); c++ {
		if counts[c] > 0 {
			entries = append(entries, entry{col.Cell(c), counts[c], c})
		}
	}
	sort.Slice(entries, func(i, j int) bool { return s.format.Compare(entries[i].cell, entries[j].cell) < 0 })
	renumber := make([]uint32, col.Card()+1)
	src := &columnSource{card: len(entries)}
	var leaves []leaf
	for i, e := range entries {
		renumber[e.old] = uint32(i + 1)
		src.present += e.count
		if s.format.Scalar(e.cell) {
			src.scalars++
			continue
		}
		s.format.Leaves(e.cell, func(path, term string) bool {
			leaves = append(leaves, leaf{leafHash(path, term), int64(i + 1)})
			return true
		})
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.code, b.code))
	})
	src.cell = func(code uint32) []byte { return entries[code-1].cell }
	src.count = func(code uint32) int { return entries[code-1].count }
	src.leaves = func() leafCursor { c := sliceLeaves(leaves); return &c }
	src.each = func(yield func(row int, code uint32)) {
		for row, code := range codes {
			if code != 0 {
				yield(row, renumber[code])
			}
		}
	}
	return src
}
