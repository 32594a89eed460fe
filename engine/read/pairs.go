// Pair bags: large sets of pairs, each of a row of an answer and an ordinal. A bag does the
// same as an identity.PairSet in less memory. It sorts the pairs once, where a hash table
// of that size would be read in random order.

package read

import (
	"math/bits"
	"slices"
	"sync"

	"cairn/engine/identity"
)

// sortPairs sorts the pairs in place and removes duplicates.
func sortPairs(pairs []uint64) []uint64 {
	switch {
	case slices.IsSorted(pairs):
	case len(pairs) < radixAfter:
		slices.Sort(pairs)
	default:
		radixSort(pairs)
	}
	return slices.Compact(pairs)
}

// From radixAfter pairs on, radixSort is faster than slices.Sort.
const radixAfter = 512

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// radixSort sorts digit by digit, the least significant first. It skips the bits that are
// the same in all pairs: the high bits of rows and ordinals.
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
	radixSpare.Put(&spare)
}

var radixSpare = sync.Pool{New: func() any { return new([]uint64) }}

// pairBag is a set of pairs. They are added in any order and may be added more than once.
// A bag without a spill accepts no pairs.
type pairBag struct {
	pairs []uint64 // in memory; may contain duplicates
	max   int      // number of pairs at which makeSpace is called
	spill *spill
	runs  []spillRun // in the file
	err   error      // of a spill; each returns it
}

func (b *pairBag) add(pair uint64) {
	if len(b.pairs) >= b.max {
		b.makeSpace()
	}
	b.pairs = append(b.pairs, pair)
}

// makeSpace removes duplicates. When fewer than half of the pairs are duplicates, the bag
// also grows, or spills its pairs when the pair budget is used up.
func (b *pairBag) makeSpace() {
	b.max = max(b.max, b.spill.free())
	if len(b.pairs) < b.max {
		return
	}
	b.sort()
	switch {
	case len(b.pairs) <= b.max/2:
	case b.spill.reserve(b.max):
		b.pairs = slices.Grow(b.pairs, 2*b.max-len(b.pairs))
		b.max *= 2
	default:
		run, err := b.spill.write(b.pairs)
		if err != nil && b.err == nil {
			b.err = err
		}
		b.runs = append(b.runs, run)
		b.pairs = b.pairs[:0]
	}
}

// take adds the pairs of another bag of the same spill, which has none then.
func (b *pairBag) take(o *pairBag) {
	switch {
	case o.max == 0:
		return
	case b.max == 0:
		*b = *o
	default:
		b.pairs, b.runs = append(b.pairs, o.pairs...), append(b.runs, o.runs...)
		b.max += o.max - b.spill.free() // what was reserved for both, and what one may hold
		if b.err == nil {
			b.err = o.err
		}
	}
	*o = pairBag{spill: o.spill}
}

// sort sorts the pairs in memory and removes duplicates.
func (b *pairBag) sort() { b.pairs = sortPairs(b.pairs) }

// each calls fn with all pairs, ascending and each once, some at a time. The slice is
// valid until fn returns.
func (b *pairBag) each(fn func(pairs []uint64)) error {
	if b.err != nil {
		return b.err
	}
	b.sort()
	if len(b.runs) > 0 {
		return b.spill.merge(b.runs, b.pairs, fn)
	}
	fn(b.pairs)
	return nil
}

// eachPair calls fn with every row and ordinal, ascending.
func (b *pairBag) eachPair(fn func(row int, ord uint64)) error {
	return b.each(func(pairs []uint64) {
		for _, p := range pairs {
			fn(identity.SplitPair(p))
		}
	})
}

// eachPerson calls fn with the row of every pair of a row and a person. All linked
// ordinals count as one person.
func (b *pairBag) eachPerson(p identity.Persons, fn func(row int)) error {
	rows := func(pairs []uint64) {
		for _, p := range pairs {
			row, _ := identity.SplitPair(p)
			fn(row)
		}
	}
	linked := pairBag{spill: b.spill}
	if err := b.each(func(pairs []uint64) { rows(p.Apart(pairs, linked.add)) }); err != nil {
		return err
	}
	return linked.each(rows)
}

// empty removes all pairs. It keeps their memory for reuse unless it is large.
func (b *pairBag) empty() {
	if b.spill != nil {
		b.spill.giveBack(max(0, b.max-b.spill.free()))
	}
	if cap(b.pairs) > bagMax {
		b.pairs = nil
	}
	*b = pairBag{pairs: b.pairs[:0]}
}

// bagMax is how many pairs an empty bag has memory for, at most.
const bagMax = 4 * rangeRowsMax
