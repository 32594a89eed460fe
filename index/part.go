// Part is the one interface through which queries read rows in memory and sealed runs.

package index

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Format tells the index all that it may know of a cell, and what of the rows it counts.
type Format struct {
	// Compare orders cells. Scalars come first, by term, so that cells with the same
	// term are neighbours. Arrays and objects follow.
	Compare func(a, b []byte) int
	// Scalar reports whether the cell has a term.
	Scalar func(cell []byte) bool
	// AppendTerm appends the term of a scalar cell.
	AppendTerm func(dst, cell []byte) []byte
	// Key returns eight bytes of a scalar cell's term as a big-endian number. The first
	// skip bytes are left out; a term that ends early is filled up with zeros.
	Key func(cell []byte, skip int) uint64
	// Text reports whether the cell is that of a string. The only term of such a cell
	// is its text. AppendText appends the cell of a text.
	Text       func(cell []byte) bool
	AppendText func(dst []byte, text string) []byte
	// Leaves yields the (path, term) pairs of a cell: ("", term) for a scalar, and one
	// pair for each scalar inside an array or object. A pair may repeat. Both strings
	// are valid until yield returns.
	Leaves func(cell []byte, yield func(path, term string) bool)
	// Terms yields the terms at one path of a cell, as Column.Find looks for them. nil =
	// those that Leaves has at the path.
	Terms func(cell []byte, path string, yield func(term string))
	// Paths returns the paths that Leaves may give to what Terms has at a path. nil =
	// that path alone.
	Paths func(path string) []string
	// Counted says what runs count while they are written.
	Counted Counted
}

// eachHash calls fn with the hashes that a cell with a term at path may have.
func (f *Format) eachHash(path, term string, fn func(hash int64)) {
	if f.Paths == nil {
		fn(leafHash(path, term))
		return
	}
	for _, p := range f.Paths(path) {
		fn(leafHash(p, term))
	}
}

// Part is a range of consecutive rows of one site, numbered from 0. It belongs to one
// query and one goroutine. Reads of a damaged part return zeros and set Err.
type Part interface {
	First() uint64 // seq of row 0
	Len() int      // rows
	Ints(col int) Ints
	Column(field string) Column // nil when no row has the field
	Fields() []string           // sorted
	// Err returns the first damage that a read met, nil when there was none.
	Err() error
}

// Ints is an integer column, or the codes of a cell column.
type Ints interface {
	// At returns the value of a row.
	At(row int) int64
	// Page decodes page number page into buf and returns its values. buf has a capacity
	// of PageRows. The result may lie elsewhere: it is read only.
	Page(page int, buf []int64) []int64
	// Constant returns the value that all rows of a page share. ok is false when that
	// is not known.
	Constant(page int) (v int64, ok bool)
}

// Column is the cells of one field. Each row has a code and each code has a cell.
type Column interface {
	Card() int // codes are 1..Card; code 0 means that the row lacks the field
	// Scalars says that codes 1..Scalars are of cells with a term. It says nothing
	// about the codes above.
	Scalars() int
	// Everywhere reports whether every row is known to have a code of 1..Scalars.
	Everywhere() bool
	Codes() Ints
	// Cell returns the cell of a code. It aliases memory of the part: it is read only.
	Cell(code uint32) []byte
	Count(code uint32) int // rows with this code; 0 is not a code here
	Rows() int             // rows that have the field
	// Find returns the codes, ascending, whose cell has one of the terms at path. The
	// path "" means the cell itself and the elements of an array; any other is a dotted
	// path inside.
	Find(path string, terms []string) []uint32
}

// leafHash hashes a (path, term) pair. Pairs may collide, so whoever finds a cell by
// the hash looks at the cell as well.
func leafHash(path, term string) int64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(path)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(term)
	return int64(d.Sum64() >> 32)
}

// leafHashes appends the leafHash of every leaf of an array or object, ascending and
// without repeats. Two leaves of one cell may have the same hash.
func (f *Format) leafHashes(dst []int64, cell []byte) []int64 {
	var d, under xxhash.Digest // under has hashed the path of the previous leaf
	var last []byte
	first := true
	start := len(dst)
	f.Leaves(cell, func(path, term string) bool {
		if first || path != string(last) {
			first, last = false, append(last[:0], path...)
			under.Reset()
			_, _ = under.WriteString(path)
			_, _ = under.Write([]byte{0})
		}
		d = under
		_, _ = d.WriteString(term)
		dst = append(dst, int64(d.Sum64()>>32))
		return true
	})
	slices.Sort(dst[start:])
	return append(dst[:start], slices.Compact(dst[start:])...)
}

// hasLeaf reports whether the cell holds a term at path that is one of some terms.
func (f *Format) hasLeaf(cell []byte, path string, wanted func(term string) bool) (found bool) {
	if f.Terms != nil {
		f.Terms(cell, path, func(term string) { found = found || wanted(term) })
		return found
	}
	f.Leaves(cell, func(p, t string) bool {
		found = p == path && wanted(t)
		return !found
	})
	return found
}

// oneOf returns a function that reports whether a term is one of terms.
func oneOf(terms []string) func(term string) bool {
	const few = 16
	if len(terms) <= few {
		return func(term string) bool { return slices.Contains(terms, term) }
	}
	set := make(map[string]struct{}, len(terms))
	for _, t := range terms {
		set[t] = struct{}{}
	}
	return func(term string) bool {
		_, there := set[term]
		return there
	}
}
