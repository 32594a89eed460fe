package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"cairn/engine/query"
)

// The numbers of a cell whose values are 1.5, 3, 4.5 and so on.
func fillTally(t *numberTally, cell uint32, n int) (all []float64) {
	for i := range n {
		f := 1.5 * float64(i+1)
		all = append(all, f)
		t.add(cell, numberOf(strconv.FormatFloat(f, 'f', -1, 64)), 1)
	}
	return all
}

func TestNumberTally(t *testing.T) {
	for _, c := range []struct {
		limit int
		exact bool
	}{{10_100, true}, {9_999, false}, {3_000, false}, {900, false}} {
		tally := newNumberTally(c.limit)
		all := fillTally(tally, 3, 10_000)
		tally.add(1, numberOf("-7"), 1<<33)
		var cells [4]query.Numbers
		tally.ranks(func(cell int) *query.Numbers { return &cells[cell] })
		off := tally.relativeError()
		if tally.err != nil || (off == 0) != c.exact || len(tally.pairs) > c.limit+2 || off > 0.1 {
			t.Errorf("%d: %d pairs, error %v, %v", c.limit, len(tally.pairs), off, tally.err)
		}
		for i, p := range query.Percentiles {
			got, err := strconv.ParseFloat(cells[3].Percentiles[i], 64)
			want := all[rankOf(p, 10_000)-1]
			if err != nil || math.Abs(got-want) > off*want {
				t.Errorf("%d: p%d %q, want %v to %v", c.limit, p, cells[3].Percentiles[i], want, off)
			}
		}
		wantDistinct := uint64(10_000)
		if !c.exact {
			wantDistinct = 0
		}
		if cells[3].Distinct != wantDistinct {
			t.Errorf("%d: %d different numbers", c.limit, cells[3].Distinct)
		}
		if got, _ := strconv.ParseFloat(cells[1].Percentiles[0], 64); math.Abs(got+7) > 7*off {
			t.Errorf("%d: the number seen 2^33 times is %v", c.limit, cells[1].Percentiles)
		}
	}
}

// More cells than pairs are refused.
func TestNumberTallyFull(t *testing.T) {
	tally := newNumberTally(100)
	for cell := range uint32(10_000) {
		tally.add(cell, numberOf("1"), 1)
	}
	tally.settle()
	if !errors.Is(tally.err, query.ErrBadQuery) || len(tally.pairs) > 100 {
		t.Errorf("%d pairs, %v", len(tally.pairs), tally.err)
	}
}

// Numbers that no float64 tells apart are different, and in order.
func TestLongNumbers(t *testing.T) {
	texts := []string{"-1" + string(slices.Repeat([]byte("0"), 308)) + "1", "-10000000000000001", "-10000000000000000", "-0.1", "0", "0.3", "0.30000000000000001", "0.30000000000000004", "10000000000000000", "10000000000000001", "2" + string(slices.Repeat([]byte("0"), 308))}
	tally := newNumberTally(1000)
	for i, a := range texts {
		tally.add(0, numberOf(a), 1)
		if got := numberOf(a).text(); got != a {
			t.Errorf("%s becomes %s", a, got)
		}
		for k, b := range texts {
			want := 0
			if i < k {
				want = -1
			} else if i > k {
				want = 1
			}
			if got := numberOf(a).compare(numberOf(b)); got != want {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	var n query.Numbers
	tally.ranks(func(int) *query.Numbers { return &n })
	if n.Distinct != uint64(len(texts)) || n.Percentiles[0] != "0.3" || n.Percentiles[3] != texts[len(texts)-1] {
		t.Errorf("%+v", n)
	}
	// Beyond the bound they are about the same, and still numbers.
	for i := range 2000 {
		tally.add(0, numberOf(fmt.Sprintf("1000000000000000000%04d", i)), 1)
	}
	tally.ranks(func(int) *query.Numbers { return &n })
	for _, p := range n.Percentiles {
		if f, err := strconv.ParseFloat(p, 64); err != nil || math.Abs(f-1e22) > 5e19 {
			t.Errorf("percentiles %v", n.Percentiles)
		}
	}
}
