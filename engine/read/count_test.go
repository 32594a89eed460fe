package read

import (
	"math/rand/v2"
	"testing"

	"cairn/engine/identity"
)

// A buffer adds all of its ordinals, and holds those of few pages.
func TestOrdBuffer(t *testing.T) {
	var shared sharedOrds
	var buffers [2]ordBuffer
	var want identity.OrdSet
	random := rand.New(rand.NewPCG(5, 6))
	ords := make([]int64, 100)
	for i := range 200 {
		for k := range ords {
			ords[k] = random.Int64N(1 << 24)
			want.Add(uint64(ords[k]))
		}
		b := &buffers[i%2]
		if b.addAll(ords, &shared); b.set.Pages() > ordPagesMax {
			t.Fatalf("a buffer has %d pages", b.set.Pages())
		}
	}
	for i := range buffers {
		buffers[i].flush(&shared)
	}
	got := shared.set.Len()
	if want.Intersect(&shared.set); got != want.Len() || got < 19_000 {
		t.Errorf("%d ordinals, %d of them right", got, want.Len())
	}
}
