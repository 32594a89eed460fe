// Matches: what is found in packed pages is what is in them.

package index

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// equal and within find what a look at every value would.
func TestLookingInPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		values := make([]int64, n)
		base := rapid.SampledFrom([]int64{0, 7, -3, math.MinInt64, math.MaxInt64 - 1<<20}).Draw(t, "base")
		for first := 0; first < n; first += blockLen {
			span := min(1<<rapid.IntRange(0, 62).Draw(t, "width")-1, math.MaxInt64-max(base, 0))
			for i := first; i < min(n, first+blockLen); i++ {
				values[i] = base + rapid.Int64Range(0, span).Draw(t, "value")
			}
		}
		page := viewInts(appendInts(nil, values))
		v := rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "v")
		got := newBitmap(n)
		page.equal(v, got.words)
		for i, x := range values {
			if got.has(i) != (x == v) {
				t.Fatalf("value %d, %d, is %d: %v", i, x, v, got.has(i))
			}
		}
		from, to := rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "from"), rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "to")
		got = newBitmap(n)
		page.within(from, to, got.words)
		for i, x := range values {
			if want := from <= x && x < to; got.has(i) != want {
				t.Fatalf("value %d, %d, is in %d…%d: %v", i, x, from, to, got.has(i))
			}
		}
	})
}

// Packed matches are those that were packed, from any word on.
func TestPackedMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBitmap(unitRows)
		for range rapid.IntRange(0, 300).Draw(t, "count") {
			b.set(int(rapid.Uint16().Draw(t, "row")))
		}
		if rapid.Bool().Draw(t, "most") {
			b.not()
		}
		packed := packMatches(b.words)
		first := 64 * rapid.IntRange(0, unitWords-1).Draw(t, "first")
		got := newBitmap(rapid.IntRange(1, unitRows-first).Draw(t, "n"))
		orMatches(got.words, packed, first)
		got.trim()
		for i := range got.n {
			if got.has(i) != b.has(first+i) {
				t.Fatalf("row %d: %v", first+i, got.has(i))
			}
		}
	})
}
