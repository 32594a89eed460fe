package wire

import "testing"

// A body that takes memory of the budget has to come faster with each span, up to a bound.
// One that takes none need not.
func TestPaceRises(t *testing.T) {
	for _, charged := range []bool{false, true} {
		b := body{charged: charged}
		for _, want := range []int{100, 200, 400, 800, 800, 800} {
			if !charged {
				want = 100
			}
			if got := b.pace(100); got != want {
				t.Errorf("charged %v, after %d spans: %d, want %d", charged, b.spans, got, want)
			}
			b.spans++
		}
	}
}
