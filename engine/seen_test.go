package engine

import (
	"fmt"
	"testing"

	"cairn/engine/event"
)

// The filter never denies an id where the log has it, denies nearly all others nearly
// everywhere, and keeps to its memory.
func TestSeen(t *testing.T) {
	const bytes = 1 << 20
	s := newSeen(bytes)
	r := newRecent(0)
	hash := func(site uint32, n uint64) uint64 {
		hi, _ := r.hash(site, event.Native, fmt.Sprint(n))
		return hi
	}
	const ids = 3_000_000 // more than it can hold
	next := map[uint32]uint64{1: 1, 2: 1}
	for i := range uint64(ids) {
		site := uint32(1 + i%10/9)
		s.add(site, hash(site, next[site]), next[site])
		next[site]++
		if i > 100 && i%199_999 != 0 {
			continue
		}
		used := 0
		for _, l := range s.layers {
			used += len(l.words) * 8
		}
		if used > bytes || used != s.words*8 {
			t.Fatalf("after %d: %d bytes in layers, %d counted", i+1, used, s.words*8)
		}
		for site, n := range next {
			for seq := uint64(1); seq < n; seq += 1 + n/5000 {
				if spans := s.spans(nil, site, hash(site, seq), n); !overlap(spans, seq, seq+1) {
					t.Fatalf("after %d: id %d of site %d is denied: %v", i+1, seq, site, spans)
				}
			}
		}
	}
	uncovered := func(site uint32, next uint64) uint64 {
		if spans := s.spans(nil, site, 0, next); len(spans) > 0 && spans[len(spans)-1].from == 1 {
			return spans[len(spans)-1].to
		}
		return 1
	}
	if held := next[1] - uncovered(1, next[1]); held < 800_000 { // 655,360 at most without folding
		t.Errorf("%d of %d ids are covered", held, next[1])
	}
	if got := uncovered(3, 8); got != 8 {
		t.Errorf("a site without ids is covered from %d", got)
	}
	const unknown = 100_000
	wrong := 0
	for i := range uint64(unknown) {
		// One span is what is not covered any more.
		wrong += len(s.spans(nil, 1, hash(3, i), next[1])) - 1
	}
	if wrong > unknown/2 {
		t.Errorf("%d unknown ids may be in %d layers", unknown, wrong)
	}
	t.Logf("%d of %d ids covered in %d layers; an unknown id may be in %.3f", next[1]-uncovered(1, next[1]), next[1]-1, len(s.layers), float64(wrong)/unknown)
}
