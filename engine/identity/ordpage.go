// Pages of sets of ordinals: a list while they have few, then a bitmap.

package identity

import (
	"math/bits"
	"slices"
)

// ordPage is a set of numbers below 65,536.
type ordPage struct {
	few  []uint16      // ascending; not used once there are bits
	hint int           // index in few of the number that was added last
	bits *[1024]uint64 // nil while there are at most fewMax
}

// fewMax is how many numbers a page lists. The list takes a quarter of the bitmap then. A longer
// one would save little memory, and finding a place in it takes longer.
const fewMax = 1024

// add adds a number to the list.
func (p *ordPage) add(n uint16) {
	if len(p.few) > 0 && p.few[p.hint] == n {
		return // rows of one session or person often follow each other
	}
	at := len(p.few)
	if at > 0 && p.few[at-1] >= n {
		var found bool
		if at, found = slices.BinarySearch(p.few, n); found {
			p.hint = at
			return
		}
	}
	if len(p.few) == fewMax {
		p.toBits()
		p.set(n)
		return
	}
	if p.few == nil {
		p.few = make([]uint16, 0, 4)
	}
	p.few, p.hint = slices.Insert(p.few, at, n), at
}

func (p *ordPage) set(n uint16) { p.bits[n>>6] |= 1 << (n & 63) }

// toBits replaces the list by a bitmap.
func (p *ordPage) toBits() {
	if p.bits != nil {
		return
	}
	p.bits = new([1024]uint64)
	for _, n := range p.few {
		p.set(n)
	}
	p.few, p.hint = nil, 0
}

func (p *ordPage) has(n uint16) bool {
	if p.bits != nil {
		return p.bits[n>>6]&(1<<(n&63)) != 0
	}
	_, found := slices.BinarySearch(p.few, n)
	return found
}

func (p *ordPage) len() (n int) {
	if p.bits == nil {
		return len(p.few)
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
	for _, n := range o.few {
		if p.bits != nil {
			p.set(n)
		} else {
			p.add(n)
		}
	}
}

// intersect removes all numbers that o does not have.
func (p *ordPage) intersect(o *ordPage) {
	switch {
	case p.bits == nil:
		p.few = slices.DeleteFunc(p.few, func(n uint16) bool { return !o.has(n) })
		p.hint = 0
	case o.bits == nil:
		few := make([]uint16, 0, len(o.few))
		for _, n := range o.few {
			if p.has(n) {
				few = append(few, n)
			}
		}
		*p = ordPage{few: few}
	default:
		for i, w := range o.bits {
			p.bits[i] &= w
		}
	}
}

// appendTo appends the numbers, ascending, each added to first.
func (p *ordPage) appendTo(to []uint64, first uint64) []uint64 {
	if p.bits == nil {
		for _, n := range p.few {
			to = append(to, first|uint64(n))
		}
		return to
	}
	for i, w := range p.bits {
		for ; w != 0; w &= w - 1 {
			to = append(to, first|uint64(i)<<6|uint64(bits.TrailingZeros64(w)))
		}
	}
	return to
}
