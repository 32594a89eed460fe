package identity

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// A filter never denies an id that was added, and rarely passes an id that was not. It passes
// every id when its memory is full.
func TestIDFilter(t *testing.T) {
	seed := maphash.MakeSeed()
	hash := func(kind string, n int) uint64 { return maphash.String(seed, fmt.Sprint(kind, n)) }
	f := newIDFilter(8 << 20)
	const n = 200_000
	for i := range n {
		f.add(hash("id-", i))
	}
	for i := range n {
		if !f.mayContain(hash("id-", i)) {
			t.Fatalf("id %d is denied", i)
		}
	}
	wrong := 0
	for i := range n {
		if f.mayContain(hash("other-", i)) {
			wrong++
		}
	}
	if wrong > n/50 {
		t.Errorf("%d of %d unknown ids pass", wrong, n)
	}
	small := newIDFilter(64 << 10)
	for i := range n {
		small.add(hash("id-", i))
	}
	if !small.full || !small.mayContain(hash("anything", 0)) {
		t.Error("a full filter denies an id")
	}
}
