// Sorted lists of pairs of a row of an answer and an ordinal: the same as a pairSet
// for many pairs, in less memory, and read from end to end, where a table of that
// size would be looked into at random.

package engine

import (
	"math/bits"
	"slices"
	"sync"
)

// pairLists is a set of pairs. Each list is sorted and has a pair once; each is at
// least twice as long as the next.
type pairLists struct {
	lists [][]uint64
	spare []uint64
}

// add takes in a sorted list without duplicates, which it copies.
func (s *pairLists) add(pairs []uint64) {
	if len(pairs) == 0 {
		return
	}
	s.lists = append(s.lists, slices.Clone(pairs))
	for n := len(s.lists); n > 1 && len(s.lists[n-2]) < 2*len(s.lists[n-1]); n = len(s.lists) {
		s.mergeLast()
	}
}

// all merges the lists into one, which stays the set's.
func (s *pairLists) all() []uint64 {
	for len(s.lists) > 1 {
		s.mergeLast()
	}
	if len(s.lists) == 0 {
		return nil
	}
	return s.lists[0]
}

func (s *pairLists) mergeLast() {
	n := len(s.lists)
	a, b := s.lists[n-2], s.lists[n-1]
	out := slices.Grow(s.spare[:0], len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		if x <= y {
			a = a[1:]
		}
		if y <= x {
			b = b[1:]
		}
		out = append(out, min(x, y))
	}
	out = append(append(out, a...), b...)
	s.spare = s.lists[n-2]
	s.lists[n-2] = out
	s.lists = s.lists[:n-1]
}

// sortPairs sorts the pairs in place and leaves each once.
func sortPairs(pairs []uint64) []uint64 {
	if len(pairs) < radixAfter {
		slices.Sort(pairs)
	} else {
		radixSort(pairs)
	}
	return slices.Compact(pairs)
}

// radixAfter is how many pairs are sorted faster digit by digit.
const radixAfter = 512

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// radixSort sorts by one digit after the other, the least first, and passes over
// those that all pairs have in common: what is high in rows and ordinals.
func radixSort(pairs []uint64) {
	var some, all uint64 = 0, ^uint64(0)
	for _, p := range pairs {
		some |= p
		all &= p
	}
	differ := some &^ all
	spare := *radixSpare.Get().(*[]uint64)
	spare = slices.Grow(spare[:0], len(pairs))[:len(pairs)]
	from, to := pairs, spare
	for shift := 0; shift < 64; {
		if differ>>shift&(digits-1) == 0 {
			shift += digitBits
			continue
		}
		shift += bits.TrailingZeros64(differ >> shift)
		var starts [digits]int32
		for _, p := range from {
			starts[p>>shift&(digits-1)]++
		}
		at := int32(0)
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for _, p := range from {
			d := p >> shift & (digits - 1)
			to[starts[d]] = p
			starts[d]++
		}
		from, to = to, from
		shift += digitBits
	}
	if &from[0] != &pairs[0] {
		copy(pairs, from)
	}
	if cap(spare) <= bagMax {
		radixSpare.Put(&spare)
	}
}

var radixSpare = sync.Pool{New: func() any { return new([]uint64) }}

// renumber appends the sorted pairs with rows[row] in the place of row, sorted.
// rows has no number twice.
func renumber(dst, pairs []uint64, rows []int) []uint64 {
	type stretch struct{ row, from, to int }
	var all []stretch
	ascending := true
	for from := 0; from < len(pairs); {
		row, _ := splitPair(pairs[from])
		to := from + 1
		for to < len(pairs) && int(pairs[to]>>40) == row {
			to++
		}
		if n := len(all); n > 0 && all[n-1].row > rows[row] {
			ascending = false
		}
		all = append(all, stretch{rows[row], from, to})
		from = to
	}
	if !ascending {
		slices.SortFunc(all, func(a, b stretch) int { return a.row - b.row })
	}
	for _, s := range all {
		for _, p := range pairs[s.from:s.to] {
			_, ord := splitPair(p)
			dst = append(dst, pairOf(s.row, ord))
		}
	}
	return dst
}

// pairBag collects pairs that may come more than once.
type pairBag struct {
	pairs []uint64
	tidy  int // the length at which to sort out what came twice
}

// bagMax is how long a bag may get before anything is sorted out.
const bagMax = 4 * sliceRows

func (b *pairBag) add(pair uint64) {
	if len(b.pairs) >= max(b.tidy, bagMax) {
		b.pairs = sortPairs(b.pairs)
		b.tidy = 2 * len(b.pairs)
	}
	b.pairs = append(b.pairs, pair)
}

// empty forgets the pairs and keeps their memory, unless it is much.
func (b *pairBag) empty() {
	if b.tidy = 0; cap(b.pairs) > bagMax {
		b.pairs = nil
	}
	b.pairs = b.pairs[:0]
}
