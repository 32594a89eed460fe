package report

import "testing"

// Lengths of many rows of several tables lie apart: a key is found within a few steps.
func TestLengthsLieApart(t *testing.T) {
	c := lengthCounts{max: lengthKeys}
	for table := range 8 {
		for row := range 2000 / (table + 1) {
			for second := range int64(40) {
				c.add(table, row, second)
				c.add(table, row, 7*second)
			}
		}
	}
	if c.over || c.n < 200_000 {
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
	c := lengthCounts{max: lengthKeys}
	for second := range int64(1001) {
		c.add(lengthTotal, 0, second)
		c.add(3, 5, 2*second)
		c.add(3, 5, 2*second)
		c.add(3, 6, 9)
	}
	got := map[[2]int]int64{}
	c.eachMedian(func(table, row int, seconds int64) { got[[2]int{table, row}] = seconds })
	if len(got) != 3 || got[[2]int{lengthTotal, 0}] != 500 || got[[2]int{3, 5}] != 1000 || got[[2]int{3, 6}] != 9 {
		t.Errorf("%v", got)
	}
}
