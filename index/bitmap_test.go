// Tests of the operations that set many numbers of a bitmap at a time.

package index

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// setWhere sets what a loop over the values sets, and changes nothing else.
func TestSetWhere(t *testing.T) {
	value := rapid.SampledFrom([]int64{0, 1, 2, -1, math.MaxInt64, math.MinInt64})
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(value, 0, 200).Draw(t, "values")
		first := 64 * rapid.IntRange(0, 3).Draw(t, "first")
		v, equal := value.Draw(t, "v"), rapid.Bool().Draw(t, "equal")
		got, want := newBitmap(first+len(values)), newBitmap(first+len(values))
		for i := 0; i < got.n; i += 7 {
			got.set(i)
			want.set(i)
		}
		got.setWhere(first, values, v, equal)
		for i, x := range values {
			if (x == v) == equal {
				want.set(first + i)
			}
		}
		for i := range got.n {
			if got.has(i) != want.has(i) {
				t.Fatalf("%d is set: %v, want %v", i, got.has(i), want.has(i))
			}
		}
	})
}

// clip leaves exactly the numbers in a range.
func TestClip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBitmap(rapid.IntRange(1, 200).Draw(t, "n"))
		b.not()
		from, to := rapid.IntRange(0, 210).Draw(t, "from"), rapid.IntRange(0, 300).Draw(t, "to")
		b.clip(from, to)
		for i := range b.n {
			if want := from <= i && i < to; b.has(i) != want {
				t.Fatalf("%d is set: %v, want %v", i, b.has(i), want)
			}
		}
	})
}
