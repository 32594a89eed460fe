package report

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Lengths of many rows of several tables lie apart: a key is found within a few steps.
func TestLengthsLieApart(t *testing.T) {
	c := lengthCounts{max: lengthBytes}
	for table := range 8 {
		for row := range 2000 / (table + 1) {
			for second := range int64(7) {
				c.add(table, row, second)
				c.add(table, row, 7*second)
			}
		}
	}
	if c.over || c.n < lengthKeys/2 {
		t.Fatalf("%d keys, over %t", c.n, c.over)
	}
	steps := 0
	for i, key := range c.keys {
		if key != 0 {
			steps += (i - c.home(key)) & (len(c.keys) - 1)
		}
	}
	if mean := float64(steps) / float64(c.n); mean > 3 {
		t.Errorf("a key lies %.1f places from where it is looked for first", mean)
	}
}

// Medians are those of the lengths of each row, by nearest rank.
func TestLengthMedians(t *testing.T) {
	c := lengthCounts{max: lengthBytes}
	for second := range int64(1001) {
		c.add(lengthTotal, 0, second)
		c.add(3, 5, 2*second)
		c.add(3, 5, 2*second)
		c.add(3, 6, 9)
	}
	got := map[[2]int]int64{}
	eachMedian([]*lengthCounts{&c}, func(table, row int, seconds int64) { got[[2]int{table, row}] = seconds })
	if len(got) != 3 || got[[2]int{lengthTotal, 0}] != 500 || got[[2]int{3, 5}] != 1000 || got[[2]int{3, 6}] != 9 {
		t.Errorf("%v", got)
	}
}

// Medians are the same however the lengths lie: in arrays of heavy rows, in runs, and in several
// lengthCounts.
func TestLengthMediansOfManyLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	some := []*lengthCounts{newLengths(lengthBytes, 3, false), newLengths(lengthBytes, 3, false), newLengths(lengthBytes, 3, false)}
	all := map[[2]int][]int64{}
	for range 400_000 {
		row := [2]int{rng.IntN(2), rng.IntN(1 + rng.IntN(900))}
		seconds := int64(rng.IntN(1 + rng.IntN(5000)))
		all[row] = append(all[row], seconds)
		some[rng.IntN(len(some))].add(row[0], row[1], seconds)
	}
	heavy, runs := 0, 0
	for _, c := range some {
		heavy, runs = heavy+c.heavy, runs+len(c.runs)
	}
	if heavy == 0 || runs == 0 {
		t.Fatalf("%d heavy rows, %d runs", heavy, runs)
	}
	rows := 0
	eachMedian(some, func(table, row int, seconds int64) {
		rows++
		lengths := all[[2]int{table, row}]
		slices.Sort(lengths)
		if want := lengths[(len(lengths)-1)/2]; seconds != want {
			t.Errorf("table %d, row %d: %d, want %d", table, row, seconds, want)
		}
	})
	if rows != len(all) {
		t.Errorf("%d rows, want %d", rows, len(all))
	}
}

// Lengths that take too many bytes are counted no more.
func TestLengthsAreBounded(t *testing.T) {
	c := lengthCounts{max: 1 << 16}
	for row := range 4 * lengthKeys {
		c.add(0, row, int64(row))
		c.add(0, row, int64(row)*1000)
	}
	if !c.over || len(c.runs) > 0 {
		t.Errorf("over %t, %d runs", c.over, len(c.runs))
	}
}
