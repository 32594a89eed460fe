package engine

import (
	"fmt"
	"testing"

	"cairn/engine/event"
)

// The table finds all ids of the generations that it still has. covers returns the seq from
// which on it has all ids of a site.
func TestRecentGenerations(t *testing.T) {
	r := newRecent(0) // the smallest size: 1,024 slots in each generation
	if r.max != 768 {
		t.Fatalf("%d ids in each generation, want 768", r.max)
	}
	type id struct {
		site   uint32
		hi, lo uint64
		seq    uint64
	}
	var all []id
	next := map[uint32]uint64{1: 1, 2: 1}
	for i := range 5000 {
		site := uint32(1)
		if i%10 == 9 {
			site = 2
		}
		hi, lo := r.hash(site, event.Native, fmt.Sprintf("m%d", i))
		if seq := r.find(hi, lo); seq != 0 {
			t.Fatalf("id %d is event %d before it was added", i, seq)
		}
		r.add(site, hi, lo, next[site])
		all = append(all, id{site, hi, lo, next[site]})
		next[site]++
		if i%97 != 0 && i < 4990 {
			continue
		}
		found := 0
		for _, a := range all {
			seq := r.find(a.hi, a.lo)
			if seq != 0 && seq != a.seq {
				t.Fatalf("event %d of site %d is found as %d", a.seq, a.site, seq)
			}
			if covered := r.covers(a.site, next[a.site]); a.seq >= covered && seq == 0 {
				t.Fatalf("after %d: event %d of site %d is not found, but covers promises all from %d on", i+1, a.seq, a.site, covered)
			}
			if seq != 0 {
				found++
			}
		}
		if most := 2 * r.max; found > most || found < min(i+1, r.max) {
			t.Fatalf("after %d: %d ids are in the table", i+1, found)
		}
	}
	if got := r.covers(3, 8); got != 8 {
		t.Errorf("a site without ids is covered from %d, want 8", got)
	}
}

// The table grows up to its bound and loses no id while it grows.
func TestRecentGrows(t *testing.T) {
	r := newRecent(8 << 20)
	const n = 50_000
	if r.max < n || len(r.new.slots) != 1024 {
		t.Fatalf("%d ids in each generation and %d slots at the beginning", r.max, len(r.new.slots))
	}
	for i := range uint64(n) {
		r.add(1, i<<32, i, i+1) // the low bits of all are the same, so that each add has to probe
		if i > 200 && i%1000 != 0 {
			continue
		}
		for j := range i + 1 {
			if i > 200 && j%37 != 0 {
				continue
			}
			if seq := r.find(j<<32, j); seq != j+1 {
				t.Fatalf("of %d: id %d is event %d", i+1, j, seq)
			}
		}
		if i > 3000 {
			break // probing is quadratic here
		}
	}
	r = newRecent(8 << 20)
	for i := range uint64(n) {
		hi, lo := r.hash(1, event.Native, fmt.Sprint(i))
		r.add(1, hi, lo, i+1)
	}
	if load := float64(r.new.n) / float64(len(r.new.slots)); load > 0.75 || load < 0.3 || r.new.n != n {
		t.Errorf("%d ids in %d slots", r.new.n, len(r.new.slots))
	}
	for i := range uint64(n) {
		hi, lo := r.hash(1, event.Native, fmt.Sprint(i))
		if seq := r.find(hi, lo); seq != i+1 {
			t.Fatalf("id %d is event %d", i, seq)
		}
	}
}

// Two ids have the same key only if their site, dialect and text are the same.
func TestRecentKey(t *testing.T) {
	r := newRecent(0)
	seen := map[[2]uint64]string{}
	for _, site := range []uint32{1, 2, 256, 1 << 24} {
		for _, d := range event.Dialects {
			for _, id := range []string{"", "a", "A", "a ", "native\x00a"} {
				hi, lo := r.hash(site, d, id)
				what := fmt.Sprintf("%d %s %q", site, d, id)
				if other, ok := seen[[2]uint64{hi, lo}]; ok {
					t.Errorf("%s and %s have the same key", what, other)
				}
				seen[[2]uint64{hi, lo}] = what
			}
		}
	}
}
