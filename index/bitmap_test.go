// Bitmaps: what is set many at a time.

package index

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// setWhere sets what a loop over the values would, and leaves the rest as it was.
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
