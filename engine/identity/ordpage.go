// Pages of sets of ordinals: a hash table while they have few, then a bitmap.

package identity

import (
	"math/bits"
	"slices"
)

// ordPage is a set of numbers below 65,536.
type ordPage struct {
	slots []uint16      // open addressing; 0 = free; the length is a power of two
	n     int           // numbers in slots
	shift uint8         // of a number's hash
	zero  bool          // the set has 0, unless there are bits
	bits  *[1024]uint64 // instead of slots, once there would be more than slotsMax
}

// slotsMax is how many slots a page has at most: with them it takes a quarter of a bitmap. More
// would save little memory, and take longer until a page of a count over all rows has its bitmap.
const slotsMax = 1024

func (p *ordPage) slot(n uint16) int { return int(n * 0x9e37 >> p.shift) }

// add adds a number to a page without a bitmap.
func (p *ordPage) add(n uint16) {
	if n == 0 {
		p.zero = true
		return
	}
	if (p.n+1)*4 > len(p.slots)*3 {
		if len(p.slots) == slotsMax {
			p.toBits()
			p.set(n)
			return
		}
		p.grow()
	}
	i := p.slot(n)
	for ; p.slots[i] != 0; i = (i + 1) & (len(p.slots) - 1) {
		if p.slots[i] == n {
			return
		}
	}
	p.slots[i] = n
	p.n++
}

func (p *ordPage) grow() {
	old := p.slots
	p.slots, p.n = make([]uint16, max(8, 2*len(old))), 0
	p.shift = uint8(16 - bits.TrailingZeros(uint(len(p.slots))))
	for _, n := range old {
		if n != 0 {
			p.add(n)
		}
	}
}

func (p *ordPage) set(n uint16) { p.bits[n>>6] |= 1 << (n & 63) }

// toBits replaces the table by a bitmap.
func (p *ordPage) toBits() {
	if p.bits != nil {
		return
	}
	all := new([1024]uint64)
	p.each(func(n uint16) { all[n>>6] |= 1 << (n & 63) })
	*p = ordPage{bits: all}
}

// each calls fn with the numbers, in no order. The page has no bitmap.
func (p *ordPage) each(fn func(n uint16)) {
	if p.zero {
		fn(0)
	}
	for _, n := range p.slots {
		if n != 0 {
			fn(n)
		}
	}
}

func (p *ordPage) has(n uint16) bool {
	switch {
	case p.bits != nil:
		return p.bits[n>>6]&(1<<(n&63)) != 0
	case n == 0:
		return p.zero
	case p.n == 0:
		return false
	}
	for i := p.slot(n); p.slots[i] != 0; i = (i + 1) & (len(p.slots) - 1) {
		if p.slots[i] == n {
			return true
		}
	}
	return false
}

func (p *ordPage) len() (n int) {
	if p.bits == nil {
		if p.zero {
			n++
		}
		return n + p.n
	}
	for _, w := range p.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// union adds all numbers of o.
func (p *ordPage) union(o *ordPage) {
	if o.bits != nil {
		p.toBits()
		for i, w := range o.bits {
			p.bits[i] |= w
		}
		return
	}
	o.each(func(n uint16) {
		if p.bits != nil {
			p.set(n)
		} else {
			p.add(n)
		}
	})
}

// intersect removes all numbers that o does not have.
func (p *ordPage) intersect(o *ordPage) {
	if p.bits != nil && o.bits != nil {
		for i, w := range o.bits {
			p.bits[i] &= w
		}
		return
	}
	few, other := p, o
	if few.bits != nil {
		few, other = o, p
	}
	var both ordPage // it has no more than few, and needs no bitmap either
	few.each(func(n uint16) {
		if other.has(n) {
			both.add(n)
		}
	})
	*p = both
}

// appendTo appends the numbers, ascending, each added to first.
func (p *ordPage) appendTo(to []uint64, first uint64) []uint64 {
	if p.bits == nil {
		from := len(to)
		p.each(func(n uint16) { to = append(to, first|uint64(n)) })
		slices.Sort(to[from:])
		return to
	}
	for i, w := range p.bits {
		for ; w != 0; w &= w - 1 {
			to = append(to, first|uint64(i)<<6|uint64(bits.TrailingZeros64(w)))
		}
	}
	return to
}
