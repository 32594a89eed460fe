// Conditions on terms: a function that is tried on the dictionary of a column, and becomes the
// codes that satisfy it.

package index

import (
	"sync"
	"unsafe"
)

// TermMatch is a condition on terms, such as a pattern. It is tried on the dictionary of a
// column once for each part. It belongs to one query: it remembers what it has found in the
// parts that the query sees. Any number of goroutines may use it.
type TermMatch struct {
	// Func reports whether a term satisfies the condition; nil = every term does. The term is
	// valid until Func returns. Several goroutines call it.
	Func func(term string) bool
	// Over says that the time of the query is over. The search then ends, and what it found
	// is not complete: the query must not answer. It is called now and then; nil = never over.
	Over func() bool

	mu    sync.Mutex
	found map[dictionary]*foundCodes
}

// dictionary names the dictionary of a column in a part, and a path inside its cells.
type dictionary struct {
	part        any // *Run or *MemPart
	rows        int
	field, path string
}

// foundCodes is what was found in one dictionary. Nobody changes codes.
type foundCodes struct {
	once  sync.Once
	codes []uint32 // ascending
	all   bool     // every row with the field satisfies the condition
}

// find returns the codes of a column that satisfy the condition at path, ascending. With all
// it has no codes: all of them satisfy it.
func (t *TermMatch) find(p Part, col Column, field, path string) (codes []uint32, all bool) {
	part, format := storeOf(p)
	key := dictionary{part, p.Len(), field, path}
	t.mu.Lock()
	if t.found == nil {
		t.found = make(map[dictionary]*foundCodes)
	}
	f := t.found[key]
	if f == nil {
		f = new(foundCodes)
		t.found[key] = f
	}
	t.mu.Unlock()
	f.once.Do(func() { f.codes, f.all = t.search(format, col, path) })
	return f.codes, f.all
}

// storeOf returns what a part reads, and the format of its cells.
func storeOf(p Part) (part any, format *Format) {
	switch p := p.(type) {
	case *runPart:
		return p.run, p.run.format
	case *memSnapshot:
		return p.part, p.part.format
	}
	panic("index: a part of another package")
}

// overAfter is how many bytes of cells are tried before Over is asked again.
const overAfter = 1 << 18

func (t *TermMatch) search(format *Format, col Column, path string) (codes []uint32, all bool) {
	card, scalars := col.Card(), col.Scalars()
	first := 1
	switch {
	case path != "":
		first = scalars + 1 // a scalar has no term inside
	case t.Func == nil && card > 0 && scalars == card:
		return nil, true
	case t.Func == nil:
		for code := 1; code <= scalars; code++ {
			codes = append(codes, uint32(code))
		}
		first = scalars + 1
	}
	satisfies := t.Func
	if satisfies == nil {
		satisfies = func(string) bool { return true }
	}
	var term []byte
	tried := 0
	for code := first; code <= card; code++ {
		cell := col.Cell(uint32(code))
		if tried += len(cell) + 16; tried >= overAfter {
			if tried = 0; t.Over != nil && t.Over() {
				break
			}
		}
		ok := false
		if path == "" && format.Scalar(cell) {
			term = format.AppendTerm(term[:0], cell)
			ok = satisfies(unsafe.String(unsafe.SliceData(term), len(term)))
		} else if len(cell) > 0 {
			ok = format.hasLeaf(cell, path, satisfies)
		}
		if ok {
			codes = append(codes, uint32(code))
		}
	}
	return codes, false
}

// find returns the codes of the alternative's column that satisfy it, ascending. With all
// every code does.
func (a *Alt) find(p Part, col Column) (codes []uint32, all bool) {
	if a.Match != nil {
		return a.Match.find(p, col, a.Field, a.Path)
	}
	return col.Find(a.Path, a.Terms), false
}

// rowsCond is a condition on whole rows.
type rowsCond struct {
	holds func(row int) bool
	not   bool
}

func (c *rowsCond) mark(_ *Matcher, lo int, b *bitmap) {
	for i := range b.n {
		if c.holds(lo+i) != c.not {
			b.set(i)
		}
	}
}

func (c *rowsCond) matches(row int) bool                    { return c.holds(row) != c.not }
func (c *rowsCond) reach(row int, _ bool) (at int, ok bool) { return row, true }
func (c *rowsCond) listed() bool                            { return false }
func (c *rowsCond) count() (n int, ok bool)                 { return 0, false }
