// Bags of pairs of a row of an answer and an ordinal: the same as a identity.PairSet for many
// pairs, in less memory, and sorted once, where a table of that size would be looked
// into at random.

package read

import (
	"math/bits"
	"slices"
	"sync"

	"cairn/engine/identity"
)

// sortPairs sorts the pairs in place and leaves each once.
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
	radixSpare.Put(&spare)
}

var radixSpare = sync.Pool{New: func() any { return new([]uint64) }}

// pairBag is a set of pairs that come in any order and may come more than once. The
// zero bag takes none.
type pairBag struct {
	pairs []uint64 // may have some twice
	most  int      // pairs, before something has to be done
	spill *spill
	runs  []spillRun
	err   error
}

func (b *pairBag) add(pair uint64) {
	if len(b.pairs) >= b.most {
		b.makeRoom()
	}
	b.pairs = append(b.pairs, pair)
}

// makeRoom leaves out what came twice. Where that is not half of all, the bag grows,
// if there is room for it; else what it holds is put aside.
func (b *pairBag) makeRoom() {
	b.most = max(b.most, b.spill.room.bag)
	if len(b.pairs) < b.most {
		return
	}
	b.sort()
	switch {
	case len(b.pairs) <= b.most/2:
	case b.spill.take(b.most):
		b.pairs = slices.Grow(b.pairs, 2*b.most-len(b.pairs))
		b.most *= 2
	default:
		run, err := b.spill.write(b.pairs)
		if err != nil && b.err == nil {
			b.err = err
		}
		b.runs = append(b.runs, run)
		b.pairs = b.pairs[:0]
	}
}

// sort leaves the pairs in memory in order, each once.
func (b *pairBag) sort() { b.pairs = sortPairs(b.pairs) }

// each calls fn with all pairs, ascending and each once, some at a time. They are
// good until fn returns.
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

// eachPerson calls fn with every row and person, whichever ordinals name him.
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

// empty forgets the pairs and keeps their memory, unless it is much.
func (b *pairBag) empty() {
	if b.spill != nil {
		b.spill.give(max(0, b.most-b.spill.room.bag))
	}
	if cap(b.pairs) > bagMax {
		b.pairs = nil
	}
	*b = pairBag{pairs: b.pairs[:0]}
}

// bagMax is how many pairs of memory an empty bag keeps.
const bagMax = 4 * rangeRowsMax
