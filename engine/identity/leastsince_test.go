package identity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// LeastSince agrees with a plain list as long as it remembers everything. Of long ago it is
// never too high, and its memory is bounded.
func TestLeastSince(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s LeastSince
		var all []uint64
		exact := 0
		for i := range 20_000 {
			v := uint64(i) // mostly ascending, as ordinals of new people are
			if rng.IntN(1+int(seed)*2000) == 1 {
				v = rng.Uint64N(uint64(i) + 1)
			}
			s.Add(v)
			all = append(all, v)
			if len(s.minis) > leastSinceMax {
				t.Fatalf("%d entries", len(s.minis))
			}
			if i%97 != 0 {
				continue
			}
			for _, count := range []int{0, len(all) / 2, len(all) - 1000, len(all) - 1, len(all)} {
				if count < 0 {
					continue
				}
				want := uint64(math.MaxUint64)
				if count < len(all) {
					want = slices.Min(all[count:])
				}
				got, now := s.Since(uint64(count))
				if now != uint64(len(all)) || got > want || len(all)-count <= leastSinceMax/2 && got != want {
					t.Fatalf("seed %d: since %d of %d: %d, want %d", seed, count, len(all), got, want)
				}
				if got == want {
					exact++
				}
			}
		}
		if s.Count() != uint64(len(all)) || exact < 500 {
			t.Errorf("seed %d: %d numbers, %d exact", seed, s.Count(), exact)
		}
	}
}
