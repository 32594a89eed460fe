// Bitmap: a set of row numbers.

package index

import "math/bits"

// bitmap is a set of the numbers 0..n-1.
type bitmap struct {
	words []uint64
	n     int
}

func newBitmap(n int) *bitmap { return new(bitmap).reset(n) }

// reset makes b an empty set of the numbers 0..n-1.
func (b *bitmap) reset(n int) *bitmap {
	words := (n + 63) / 64
	if cap(b.words) < words {
		b.words = make([]uint64, words)
	}
	b.words, b.n = b.words[:words], n
	clear(b.words)
	return b
}

func (b *bitmap) set(i int)      { b.words[i/64] |= 1 << (i % 64) }
func (b *bitmap) unset(i int)    { b.words[i/64] &^= 1 << (i % 64) }
func (b *bitmap) has(i int) bool { return b.words[i/64]&(1<<(i%64)) != 0 }

func (b *bitmap) trim() {
	if r := b.n % 64; r != 0 {
		b.words[len(b.words)-1] &= 1<<r - 1
	}
}

// clip removes the numbers below from and those from to on.
func (b *bitmap) clip(from, to int) {
	for i := range b.words {
		first := i * 64
		if first < from {
			b.words[i] &^= 1<<min(64, from-first) - 1
		}
		if first+64 > to {
			b.words[i] &= 1<<max(0, to-first) - 1
		}
	}
}

func (b *bitmap) and(o *bitmap) {
	for i := range b.words {
		b.words[i] &= o.words[i]
	}
}

func (b *bitmap) andNot(o *bitmap) {
	for i := range b.words {
		b.words[i] &^= o.words[i]
	}
}

func (b *bitmap) or(o *bitmap) {
	for i := range b.words {
		b.words[i] |= o.words[i]
	}
}

func (b *bitmap) not() {
	for i := range b.words {
		b.words[i] = ^b.words[i]
	}
	b.trim()
}

func (b *bitmap) count() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// ascend calls yield with the numbers from from on, ascending, until yield returns
// false. It reports whether it reached the end.
func (b *bitmap) ascend(from int, yield func(i int) bool) bool {
	if from >= b.n {
		return true
	}
	for i := from / 64; i < len(b.words); i++ {
		w := b.words[i]
		if i == from/64 {
			w &= ^uint64(0) << (from % 64)
		}
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return false
			}
		}
	}
	return true
}

// descend calls yield with the numbers down from from, until yield returns false. It
// reports whether it reached the start.
func (b *bitmap) descend(from int, yield func(i int) bool) bool {
	if from < 0 || b.n == 0 {
		return true
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
				return false
			}
			w &^= 1 << top
		}
	}
	return true
}

// setCodes adds first+i for every codes[i] that equals wanted. Like setWhere it has no
// branches.
func (b *bitmap) setCodes(first int, codes []uint32, wanted uint32) {
	for at := 0; at < len(codes); at += 64 {
		var word uint64
		if some := codes[at:]; len(some) >= 64 {
			for i, code := range (*[64]uint32)(some) {
				word |= (uint64(code^wanted) - 1) >> 63 << i
			}
		} else {
			for i, code := range some {
				word |= (uint64(code^wanted) - 1) >> 63 << (i & 63)
			}
		}
		b.words[(first+at)/64] |= word
	}
}

// setWhere adds first+i for every values[i] that equals v, or, without equal, for every
// one that does not. first is a multiple of 64. It has no branches, because which
// values are equal cannot be predicted.
func (b *bitmap) setWhere(first int, values []int64, v int64, equal bool) {
	flip := uint64(0)
	if equal {
		flip = 1
	}
	for at := 0; at < len(values); at += 64 {
		var word uint64
		for i, x := range values[at:min(at+64, len(values))] {
			differ := uint64(x ^ v)
			word |= ((differ|-differ)>>63 ^ flip) << (i & 63)
		}
		b.words[(first+at)/64] |= word
	}
}
