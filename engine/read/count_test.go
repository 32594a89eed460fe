package read

import (
	"math/rand/v2"
	"testing"

	"cairn/engine/identity"
)

// Buffers add all of their ordinals, and hold few.
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
		b.addAll(ords, &shared)
		for _, list := range b {
			if len(list) >= ordBufferMax {
				t.Fatalf("a buffer has %d ordinals of one shard", len(list))
			}
		}
	}
	for i := range buffers {
		buffers[i].flush(&shared)
	}
	all := shared.all()
	got, wanted := all.Len(), want.Len()
	if want.Intersect(&all); got != wanted || want.Len() != wanted || wanted < 19_000 {
		t.Errorf("%d ordinals of %d, %d of them right", got, wanted, want.Len())
	}
}
