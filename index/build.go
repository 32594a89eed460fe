// Building a run: sort each column's cells, renumber its codes, write the pages.

package index

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// PostingsCard is the number of distinct cells above which a column keeps, for
// each, the list of its rows: below it, a scan of the codes is as quick.
const PostingsCard = 64

// sparseShare: a column that fewer than one row in so many has keeps the list
// of these rows instead of a code for every row.
const sparseShare = 16

// Sink takes the keys of a run in ascending order; an sstable writer.
type Sink interface {
	Set(key, value []byte) error
}

// Build writes all rows of part as run id, with the totals (sorted as
// Totals.Sorted) and a filter over the terms of the column filterField ("" =
// none). part must not change meanwhile.
func Build(w Sink, id uint64, part Part, numInts int, format *Format, totals []Total, filterField string) error {
	b := builder{w: w, run: id, format: format, part: part, rows: part.Len()}
	h := header{rows: b.rows, ints: numInts}
	for i := 0; i < numInts; i++ {
		b.pages(uint16(i), secInts, readInts(part.Ints(i), b.rows))
	}
	var filter []byte
	for _, field := range part.Fields() {
		col := part.Column(field)
		ch, terms := b.column(uint16(numInts+len(h.columns)), field, col, field == filterField)
		if ch.present == 0 {
			continue
		}
		h.columns = append(h.columns, ch)
		if field == filterField {
			filter = buildFilter(terms)
		}
	}
	for i := 0; i < len(totals); {
		j := i
		for j < len(totals) && totals[j].Property == totals[i].Property {
			j++
		}
		b.set(totalsKey(id, totals[i].Property), AppendTotals(nil, totals[i:j]))
		h.totals = append(h.totals, totals[i].Property)
		i = j
	}
	if h.filter = filter != nil; h.filter {
		b.set(pageKey{run: id, col: colFilter}.append(nil), filter)
	}
	b.set(pageKey{run: id, col: colHeader}.append(nil), h.append(nil))
	if b.err == nil {
		b.err = part.Err()
	}
	if b.err != nil {
		return fmt.Errorf("build run %d: %w", id, b.err)
	}
	return nil
}

type builder struct {
	w      Sink
	run    uint64
	format *Format
	part   Part
	rows   int
	err    error
}

func (b *builder) set(key, value []byte) {
	if b.err == nil {
		b.err = b.w.Set(key, value)
	}
}

// pages writes values as integer pages.
func (b *builder) pages(col uint16, sec section, values []int64) {
	for p := 0; p*PageRows < len(values); p++ {
		page := values[p*PageRows : min((p+1)*PageRows, len(values))]
		b.set(pageKey{b.run, col, sec, uint32(p)}.append(nil), appendInts(nil, page))
	}
}

func readInts(c Ints, rows int) []int64 {
	all := make([]int64, 0, rows)
	buf := make([]int64, PageRows)
	for p := 0; p*PageRows < rows; p++ {
		all = append(all, c.Page(p, buf)...)
	}
	return all
}

// column writes one cell column. It returns the distinct terms when wanted.
func (b *builder) column(num uint16, field string, col Column, wantTerms bool) (h columnHeader, terms []string) {
	codes := readInts(col.Codes(), b.rows)

	// Cells that no published row uses are left out, so that a run is a function
	// of its rows (X1).
	used := make([]bool, col.Card()+1)
	for _, c := range codes {
		used[c] = true
	}
	type entry struct {
		cell []byte
		old  uint32
	}
	entries := make([]entry, 0, col.Card())
	for c := uint32(1); int(c) <= col.Card(); c++ {
		if used[c] {
			entries = append(entries, entry{col.Cell(c), c})
		}
	}
	sort.Slice(entries, func(i, j int) bool { return b.format.Compare(entries[i].cell, entries[j].cell) < 0 })
	renumber := make([]int64, col.Card()+1)
	cells := make([][]byte, len(entries))
	h = columnHeader{name: field, card: len(entries)}
	for i, e := range entries {
		renumber[e.old] = int64(i + 1)
		cells[i] = e.cell
		if b.format.Scalar(e.cell) {
			h.scalars++
		}
	}
	for i, c := range codes {
		codes[i] = renumber[c]
		if c != 0 {
			h.present++
		}
	}
	if h.present == 0 {
		return h, nil
	}

	// 1 codes, 7 rowset
	var present []int64
	if h.present < b.rows/sparseShare {
		h.sparse = true
		short := make([]int64, 0, h.present)
		for row, c := range codes {
			if c != 0 {
				present = append(present, int64(row))
				short = append(short, c)
			}
		}
		b.pages(num, secInts, short)
	} else {
		b.pages(num, secInts, codes)
	}

	// 2 dict
	for page, at := uint32(0), 0; at < len(cells); page++ {
		n := dictPageLen(cells[at:])
		h.dict = append(h.dict, at)
		b.set(pageKey{b.run, num, secDict, page}.append(nil), appendDict(nil, cells[at:at+n]))
		at += n
	}

	// 3 starts, 4 rows
	starts := make([]int64, h.card+1)
	for _, c := range codes {
		if c != 0 {
			starts[c]++
		}
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	b.pages(num, secStarts, starts)
	if h.rows = h.card > PostingsCard; h.rows {
		next := slices.Clone(starts)
		rows := make([]int64, h.present)
		for row, c := range codes {
			if c != 0 {
				rows[next[c-1]] = int64(row)
				next[c-1]++
			}
		}
		b.pages(num, secRows, rows)
	}

	// 5 leaves, 6 owners
	type leaf struct{ hash, code int64 }
	var leaves []leaf
	for i := h.scalars; i < h.card; i++ {
		b.format.Leaves(cells[i], func(path, term string) bool {
			leaves = append(leaves, leaf{leafHash(path, term), int64(i + 1)})
			return true
		})
	}
	if h.leaves = len(leaves); h.leaves > 0 {
		slices.SortFunc(leaves, func(a, b leaf) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.code, b.code))
		})
		hashes, owners := make([]int64, len(leaves)), make([]int64, len(leaves))
		for i, l := range leaves {
			hashes[i], owners[i] = l.hash, l.code
		}
		b.pages(num, secLeaves, hashes)
		b.pages(num, secOwners, owners)
	}
	if h.sparse {
		b.pages(num, secRowSet, present)
	}
	if wantTerms {
		for _, cell := range cells[:h.scalars] {
			terms = append(terms, string(b.format.AppendTerm(nil, cell)))
		}
	}
	return h, terms
}
