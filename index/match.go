// Matching: which rows of a part satisfy all clauses of a query.

package index

import (
	"math/bits"
)

// Clause is one condition on a row: at least one of its alternatives holds, or,
// with Not, none does. With Present the alternatives ask only that their field
// is there.
type Clause struct {
	Any     []Alt
	Not     bool
	Present bool
}

// Alt asks that a field has one of the terms at a path: "" is the cell itself
// and the elements of an array. With Unless, rows that have that field at all do
// not count.
type Alt struct {
	Field  string
	Path   string
	Terms  []string
	Unless string
}

// Range asks that an integer column lies in [From, To).
type Range struct {
	Col      int
	From, To int64
}

// Bitmap is a set of rows of a part.
type Bitmap struct {
	words []uint64
	n     int // rows of the part
}

func newBitmap(n int) *Bitmap { return &Bitmap{make([]uint64, (n+63)/64), n} }

func (b *Bitmap) set(row int)      { b.words[row/64] |= 1 << (row % 64) }
func (b *Bitmap) has(row int) bool { return b.words[row/64]&(1<<(row%64)) != 0 }

func (b *Bitmap) fill() {
	for i := range b.words {
		b.words[i] = ^uint64(0)
	}
	b.trim()
}

func (b *Bitmap) trim() {
	if r := b.n % 64; r != 0 {
		b.words[len(b.words)-1] &= 1<<r - 1
	}
}

func (b *Bitmap) and(o *Bitmap) {
	for i := range b.words {
		b.words[i] &= o.words[i]
	}
}

func (b *Bitmap) not() {
	for i := range b.words {
		b.words[i] = ^b.words[i]
	}
	b.trim()
}

// Count is the number of rows.
func (b *Bitmap) Count() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether there are no rows.
func (b *Bitmap) Empty() bool {
	for _, w := range b.words {
		if w != 0 {
			return false
		}
	}
	return true
}

// Ascend calls yield with the rows at or after from, in order, until it returns
// false.
func (b *Bitmap) Ascend(from int, yield func(row int) bool) {
	if from >= b.n {
		return
	}
	for i := from / 64; i < len(b.words); i++ {
		w := b.words[i]
		if i == from/64 {
			w &= ^uint64(0) << (from % 64)
		}
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

// Descend calls yield with the rows at or before from, newest first, until it
// returns false.
func (b *Bitmap) Descend(from int, yield func(row int) bool) {
	if from < 0 || b.n == 0 {
		return
	}
	from = min(from, b.n-1)
	for i := from / 64; i >= 0; i-- {
		w := b.words[i]
		if i == from/64 {
			w &= ^uint64(0) >> (63 - from%64)
		}
		for w != 0 {
			top := 63 - bits.LeadingZeros64(w)
			if !yield(i*64 + top) {
				return
			}
			w &^= 1 << top
		}
	}
}

// Match finds the rows of p that satisfy every clause and range. It returns nil
// for every row of the part.
func Match(p Part, clauses []Clause, ranges []Range) *Bitmap {
	var result *Bitmap
	keep := func(b *Bitmap) bool {
		if result == nil {
			result = b
		} else {
			result.and(b)
		}
		return !result.Empty()
	}
	for i := range clauses {
		if !keep(clauses[i].match(p)) {
			return result
		}
	}
	for _, r := range ranges {
		if b := r.match(p); b != nil && !keep(b) {
			return result
		}
	}
	return result
}

// All is the bitmap of every row of p.
func All(p Part) *Bitmap {
	b := newBitmap(p.Len())
	b.fill()
	return b
}

func (c *Clause) match(p Part) *Bitmap {
	b := newBitmap(p.Len())
	for i := range c.Any {
		if c.Present {
			markPresent(p, c.Any[i].Field, b)
		} else {
			c.Any[i].match(p, b)
		}
	}
	if c.Not {
		b.not()
	}
	return b
}

// match adds the rows of a to b.
func (a *Alt) match(p Part, b *Bitmap) {
	col := p.Column(a.Field)
	if col == nil {
		return
	}
	codes := col.Find(a.Path, a.Terms)
	if len(codes) == 0 {
		return
	}
	out := b
	if a.Unless != "" {
		out = newBitmap(p.Len())
	}
	markCodes(col, codes, p.Len(), out)
	if a.Unless == "" {
		return
	}
	has := newBitmap(p.Len())
	markPresent(p, a.Unless, has)
	has.not()
	out.and(has)
	for i := range b.words {
		b.words[i] |= out.words[i]
	}
}

// markPresent sets the rows that have the field at all.
func markPresent(p Part, field string, b *Bitmap) {
	col := p.Column(field)
	if col == nil || col.Present(func(row int, _ uint32) { b.set(row) }) {
		return
	}
	scan(col.Codes(), p.Len(), func(row int, code int64) {
		if code != 0 {
			b.set(row)
		}
	})
}

// markCodes sets the rows that have one of codes: by their lists where there
// are any, else by looking at every row's code.
func markCodes(col Column, codes []uint32, rows int, b *Bitmap) {
	set := func(row int) { b.set(row) }
	if len(codes) <= col.Card()/8 || len(codes) == 1 {
		listed := true
		for _, c := range codes {
			if listed = col.Rows(c, set); !listed {
				break
			}
		}
		if listed {
			return
		}
	}
	wanted := newBitmap(col.Card() + 1)
	for _, c := range codes {
		wanted.set(int(c))
	}
	if col.Present(func(row int, code uint32) {
		if int(code) < wanted.n && wanted.has(int(code)) {
			b.set(row)
		}
	}) {
		return
	}
	if len(codes) == 1 {
		one := int64(codes[0])
		scan(col.Codes(), rows, func(row int, code int64) {
			if code == one {
				b.set(row)
			}
		})
		return
	}
	scan(col.Codes(), rows, func(row int, code int64) {
		if code > 0 && int(code) < wanted.n && wanted.has(int(code)) {
			b.set(row)
		}
	})
}

func scan(c Ints, rows int, fn func(row int, v int64)) {
	buf := make([]int64, PageRows)
	for p := 0; p*PageRows < rows; p++ {
		for i, v := range c.Page(p, buf) {
			fn(p*PageRows+i, v)
		}
	}
}

func (r Range) match(p Part) *Bitmap {
	b := newBitmap(p.Len())
	scan(p.Ints(r.Col), p.Len(), func(row int, v int64) {
		if v >= r.From && v < r.To {
			b.set(row)
		}
	})
	return b
}

// Lookup answers a single clause from counts alone: how many rows hold, and
// whether that could be told without looking at rows.
func Lookup(p Part, c *Clause) (rows int, ok bool) {
	if c.Not || len(c.Any) != 1 || c.Any[0].Unless != "" {
		return 0, false
	}
	col := p.Column(c.Any[0].Field)
	if col == nil {
		return 0, true
	}
	for _, code := range col.Find(c.Any[0].Path, c.Any[0].Terms) {
		rows += col.Count(code)
	}
	return rows, true
}

// Rows lists the rows of a bitmap, ascending; nil stands for every row of p.
func Rows(p Part, b *Bitmap, yield func(row int) bool) {
	if b != nil {
		b.Ascend(0, yield)
		return
	}
	for row := 0; row < p.Len(); row++ {
		if !yield(row) {
			return
		}
	}
}
