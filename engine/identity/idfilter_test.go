package identity

import (
	"fmt"
	"testing"
)

// TestIDFilter: what was added is never denied, what was not is rarely let
// through, and a filter out of memory lets everything through.
func TestIDFilter(t *testing.T) {
	f := newIDFilter(8 << 20)
	const n = 200_000
	for i := range n {
		f.add(fmt.Appendf(nil, "id-%d", i))
	}
	for i := range n {
		if !f.maybe(fmt.Appendf(nil, "id-%d", i)) {
			t.Fatalf("id %d is denied", i)
		}
	}
	wrong := 0
	for i := range n {
		if f.maybe(fmt.Appendf(nil, "other-%d", i)) {
			wrong++
		}
	}
	if wrong > n/50 {
		t.Errorf("%d of %d unknown ids let through", wrong, n)
	}
	small := newIDFilter(64 << 10)
	for i := range n {
		small.add(fmt.Appendf(nil, "id-%d", i))
	}
	if !small.full || !small.maybe([]byte("anything")) {
		t.Error("a full filter denies an id")
	}
}
