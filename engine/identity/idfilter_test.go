package identity

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// A filter never denies an id that was added, and rarely passes an id that was not. It passes
// every id when far more were added than it has memory for.
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
	// With twice as many ids as it has memory for, it still knows most of those that do not exist.
	small := newIDFilter(256 << 10)
	fits := small.max / filterLine * filterLineIDs
	for i := range 2 * fits {
		small.add(hash("id-", i))
	}
	wrong = 0
	for i := range n {
		if small.mayContain(hash("other-", i)) {
			wrong++
		}
	}
	if small.full || small.words > small.max || wrong > n/3 {
		t.Errorf("%d of %d unknown ids pass with twice as many ids; full %v, %d of %d words", wrong, n, small.full, small.words, small.max)
	}
	for i := range 2 * fits {
		if !small.mayContain(hash("id-", i)) {
			t.Fatalf("id %d is denied", i)
		}
	}
	for i := range 4 * fits {
		small.add(hash("more-", i))
	}
	if !small.full || !small.mayContain(hash("anything", 0)) {
		t.Error("a full filter denies an id")
	}
}
