// Hidden rows: how they are taken out of what a query finds.

package index

import "testing"

// listing counts how often all rows of a set are gone through.
type listing struct {
	*Rows
	times int
}

func (l *listing) Each(from, to int, fn func(row int)) {
	l.times++
	l.Rows.Each(from, to, fn)
}

// Where a range of an integer leaves a few rows, these are looked up among the hidden ones: a
// deletion of a million rows asks for each session in it whether a row is left.
func TestHiddenRowsComeLast(t *testing.T) {
	const rows = 3 * unitRows
	all := make([]modelRow, rows)
	hidden := &listing{Rows: NewRows(rows)}
	for i := range all {
		ints := make([]int64, testInts)
		ints[0], ints[1] = int64(i/10), int64(i)
		all[i] = modelRow{ints: ints}
		if i%10 < 9 {
			hidden.Add(i)
		}
	}
	part := memPartOf(1, all)
	run := runOf(t, openDB(t), 1, part.Snapshot(), nil, NewCache(1<<20))
	for name, p := range map[string]Part{"run": run.Part(), "memory": part.Snapshot()} {
		hidden.times = 0
		for _, ord := range []int64{0, 7000, rows/10 - 1} {
			var got []int
			NewMatcher(p, nil, []Range{{Col: 0, From: ord, To: ord + 1}}, hidden).Ascend(0, func(row int) bool {
				got = append(got, row)
				return true
			})
			if len(got) != 1 || got[0] != int(ord)*10+9 {
				t.Errorf("%s: rows %v of %d", name, got, ord)
			}
		}
		if hidden.times > 0 {
			t.Errorf("%s: the hidden rows were gone through %d times", name, hidden.times)
		}
	}
}
