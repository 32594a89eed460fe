// Part: how queries ask open rows and sealed runs alike.

package index

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Format tells the index what it may know of a cell.
type Format struct {
	// Compare orders cells: scalars first, by term, so that cells of one term
	// stand together; then arrays and objects.
	Compare func(a, b []byte) int
	// Scalar says whether the cell has a term.
	Scalar func(cell []byte) bool
	// AppendTerm appends the term of a scalar cell.
	AppendTerm func(dst, cell []byte) []byte
	// Key is the number, big endian, that eight bytes of a scalar cell's term make,
	// from the skip-th on, with zeros after its end.
	Key func(cell []byte, skip int) uint64
	// Text says whether the cell is that of a string, which has its text for its
	// only term; AppendText appends the cell of a text.
	Text       func(cell []byte) bool
	AppendText func(dst []byte, text string) []byte
	// Leaves yields the (path, term) pairs of a cell: ("", term) of a scalar, every
	// scalar inside an array or object. One may come again. Both strings are good
	// until yield returns.
	Leaves func(cell []byte, yield func(path, term string) bool)
}

// Part is a range of consecutive rows of one site. It belongs to one query and
// one goroutine. Reads of a damaged part give zeros and set Err.
type Part interface {
	First() uint64 // seq of row 0
	Len() int      // rows
	Ints(col int) Ints
	Column(field string) Column // nil when no row has the field
	Fields() []string           // sorted
	Err() error
}

// Ints is an integer column, or the codes of a cell column.
type Ints interface {
	At(row int) int64
	// Page decodes rows page*PageRows… into buf, which has room for PageRows,
	// and returns those there are.
	Page(page int, buf []int64) []int64
	// Constant is the value of all rows of a page, if that is known to be one.
	Constant(page int) (v int64, ok bool)
}

// Column is the cells of one field: each row has a code, each code a cell.
type Column interface {
	Card() int // codes are 1..Card; 0 = the row has no such field
	// Scalars says that the codes up to it are of cells with a term; of those
	// beyond nothing is said.
	Scalars() int
	// Everywhere says that each row is known to have a code up to Scalars.
	Everywhere() bool
	Codes() Ints
	Cell(code uint32) []byte
	Count(code uint32) int // rows with this code
	// Find returns the codes whose cell has one of the terms at path: "" is the
	// cell itself and the elements of an array, else a dotted path inside.
	Find(path string, terms []string) []uint32
}

// leafHash finds the cells that hold a term at a path; collisions are told apart
// by looking at the cell.
func leafHash(path, term string) int64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(path)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(term)
	return int64(d.Sum64() >> 32)
}

// leafHashes appends the leafHash of everything inside an array or object, ascending,
// each once: two leaves of a cell may have one hash.
func (f *Format) leafHashes(dst []int64, cell []byte) []int64 {
	var d, under xxhash.Digest // under is of the path of the leaf before
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

// hasLeaf says whether the cell holds one of the terms at path.
func (f *Format) hasLeaf(cell []byte, path string, terms []string) (found bool) {
	f.Leaves(cell, func(p, t string) bool {
		if p == path {
			for _, want := range terms {
				if t == want {
					found = true
					return false
				}
			}
		}
		return true
	})
	return found
}
