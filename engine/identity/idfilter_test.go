package identity

import (
	"fmt"
	"testing"
)

// A filter never denies an id that was added, and rarely passes an id that was not. It passes
// every id when its memory is full.
func TestIDFilter(t *testing.T) {
	f := newIDFilter(8 << 20)
	const n = 200_000
	for i := range n {
		f.add(fmt.Appendf(nil, "id-%d", i))
	}
	for i := range n {
		if !f.mayContain(fmt.Appendf(nil, "id-%d", i)) {
			t.Fatalf("id %d is denied", i)
		}
	}
	wrong := 0
	for i := range n {
		if f.mayContain(fmt.Appendf(nil, "other-%d", i)) {
			wrong++
		}
	}
	if wrong > n/50 {
		t.Errorf("%d of %d unknown ids pass", wrong, n)
	}
	small := newIDFilter(64 << 10)
	for i := range n {
		small.add(fmt.Appendf(nil, "id-%d", i))
	}
	if !small.full || !small.mayContain([]byte("anything")) {
		t.Error("a full filter denies an id")
	}
}
