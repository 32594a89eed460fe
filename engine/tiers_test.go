package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The numbers of rows decide which runs are merged.
func TestPickRuns(t *testing.T) {
	all := func(_, n int) int { return n }
	const k, m = 1000, 1_000_000
	repeat := func(n int, rows uint64) []uint64 { return slices.Repeat([]uint64{rows}, n) }
	for _, c := range []struct {
		name  string
		rows  []uint64
		lo, n int
	}{
		{"none", nil, 0, 0},
		{"too few", repeat(15, 66*k), 0, 0},
		{"enough", repeat(16, 66*k), 0, 16},
		{"many: not all", repeat(40, 66*k), 0, 32},
		{"small ones first", append(repeat(16, 66*k), repeat(20, 300)...), 16, 20},
		{"behind large ones", append(repeat(3, 6*m), repeat(16, 66*k)...), 3, 16},
		{"few behind a large one", append(repeat(1, 2*m), repeat(15, 66*k)...), 0, 0},
		{"few large ones", repeat(15, 1100*k), 0, 0},
		{"large ones, as many as may be", repeat(16, 1100*k), 0, 4},
		{"a large one in the middle", slices.Concat(repeat(10, 66*k), repeat(1, 6*m), repeat(10, 66*k)), 0, 0},
		{"as large as it gets", repeat(40, 6*m), 0, 0},
	} {
		if lo, n := pickRuns(c.rows, 16, 5_242_880, all); lo != c.lo || n != c.n {
			t.Errorf("%s: %d from %d, want %d from %d", c.name, n, lo, c.n, c.lo)
		}
	}
	if lo, n := pickRuns(repeat(20, 100), 16, 1<<20, func(lo, n int) int { return min(n, lo) }); lo != 2 || n != 2 {
		t.Errorf("when they do not fit: %d from %d", n, lo)
	}
}

// A site of 100 million events has a few tens of runs, and merges have written each event
// about twice. This also holds if merging starts late.
func TestPickRunsOfManyEvents(t *testing.T) {
	const fan, most, events = 16, 80 << 16, 100_000_000
	for _, behind := range []int{1, 7, 25} { // seals between two choices of runs
		rng := rand.New(rand.NewPCG(uint64(behind), 1))
		var rows []uint64
		var sealed, again uint64
		runs := 0
		for seals := 0; sealed < events; seals++ {
			rows = append(rows, 1<<16+rng.Uint64N(4096)) // parts are sealed at the end of a group
			sealed += rows[len(rows)-1]
			for seals%behind == 0 {
				lo, n := pickRuns(rows, fan, most, func(_, n int) int { return n })
				if n == 0 {
					break
				}
				sum := uint64(0)
				for _, r := range rows[lo : lo+n] {
					sum += r
				}
				again += sum
				rows = slices.Replace(rows, lo, lo+n, sum)
			}
			runs = max(runs, len(rows))
		}
		t.Logf("one choice in %d seals: at most %d runs, %d at the end, each event written again %.2f times", behind, runs, len(rows), float64(again)/float64(sealed))
		if runs > 64 || float64(again) > 2.5*float64(sealed) {
			t.Errorf("one choice in %d seals: %d runs, %d events written again", behind, runs, again)
		}
	}
}
