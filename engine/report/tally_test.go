package report

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn/engine/query"
)

// A tally counts what a map counts.
func TestTally(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		tally := tally{limit: 200}
		want := map[uint64]uint32{}
		for range random.IntN(2000) {
			key := random.Uint64N(1 + random.Uint64N(190))
			want[key]++
			if err := tally.add(key); err != nil {
				t.Fatal(err)
			}
		}
		if err := tally.settle(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tally.keys, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("%d, want %d", tally.keys, slices.Sorted(maps.Keys(want)))
		}
		for i, key := range tally.keys {
			if tally.counts[i] != want[key] {
				t.Fatalf("%d counts %d, want %d", key, tally.counts[i], want[key])
			}
		}
	}
}

// A tally has a bound.
func TestTallyIsBounded(t *testing.T) {
	tally := tally{limit: 100}
	var err error
	n := uint64(0)
	for ; err == nil && n < 1000; n++ {
		err = tally.add(n)
	}
	if !errors.Is(err, query.ErrBadQuery) || len(tally.keys) > 100 {
		t.Errorf("after %d numbers: %d, %v", n, len(tally.keys), err)
	}
}

func TestNearestRank(t *testing.T) {
	for _, c := range []struct {
		values []counted
		p      uint64
		want   int64
	}{
		{[]counted{{5, 1}}, 50, 5}, {[]counted{{5, 1}}, 90, 5},
		{[]counted{{1, 1}, {2, 1}}, 50, 1}, {[]counted{{1, 1}, {2, 1}}, 90, 2},
		{[]counted{{1, 1}, {2, 1}, {3, 1}}, 50, 2},
		{[]counted{{1, 9}, {2, 1}}, 90, 1}, {[]counted{{1, 8}, {2, 2}}, 90, 2},
	} {
		if got := nearestRank(c.values, c.p); got != c.want {
			t.Errorf("%d %% of %v: %d, want %d", c.p, c.values, got, c.want)
		}
	}
}
