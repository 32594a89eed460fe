package read

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn/engine/identity"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// stepRow is a selected row of a session, whose ordinal is the seq of the session's first row.
type stepRow struct {
	seq, ord uint64
	step     int
	view     bool
}

// drawStepSlices draws the selected rows of slices of eight rows, newest slice first. The first
// row of a session need not be selected.
func drawStepSlices(t *rapid.T) (all [][]stepRow) {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	n, begins, selected := rapid.IntRange(0, 300).Draw(t, "rows"), rapid.IntRange(1, 12).Draw(t, "begins"), rapid.IntRange(1, 4).Draw(t, "selected")
	var ords []uint64
	for first := 1; first <= n; first += 8 {
		var rows []stepRow
		for seq := uint64(first); seq < uint64(first+8); seq++ {
			if len(ords) == 0 || random.IntN(begins) == 0 {
				ords = append(ords, seq)
			}
			if random.IntN(selected) == 0 {
				rows = append(rows, stepRow{seq, ords[random.IntN(len(ords))], random.IntN(5), random.IntN(2) == 0})
			}
		}
		all = append(all, rows)
	}
	slices.Reverse(all)
	return all
}

func newTestSpill(bag int) *spill {
	return budget{ctx: context.Background(), end: time.Now().Add(time.Hour), pairs: newTestPairBudget(vfs.NewMem(), bag)}.spill()
}

// Each pair of a step and a session counts once, however few pairs may wait.
func TestSessionSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sp := newTestSpill(rapid.IntRange(1, 60).Draw(t, "bag"))
		defer sp.close()
		got, want := map[int]int{}, map[int]int{}
		s := sessionSteps{rest: pairBag{spill: sp}, add: func(step int) { got[step]++ }}
		pairs := map[uint64]bool{}
		all := drawStepSlices(t)
		for i, rows := range all {
			var some []uint64
			for _, row := range rows {
				some = append(some, identity.PairOf(row.step, row.ord))
			}
			for _, pair := range some {
				pairs[pair] = true
			}
			s.take(sortPairs(some), uint64(1+8*(len(all)-1-i)))
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		for pair := range pairs {
			step, _ := identity.SplitPair(pair)
			want[step]++
		}
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// Each session comes once with all of its rows, and no more of them wait than there is memory
// for.
func TestEachSpan(t *testing.T) {
	divided := false
	rapid.Check(t, func(t *rapid.T) {
		sp := newTestSpill(rapid.IntRange(1, 60).Draw(t, "bag"))
		defer sp.close()
		all := drawStepSlices(t)
		want := map[uint64]visitSpan{}
		for _, rows := range all {
			for _, row := range rows {
				at := int64(row.seq * 7 % 64)
				span, known := want[row.ord]
				if !known {
					span = visitSpan{ord: row.ord, first: at, last: at}
				}
				span.first, span.last = min(span.first, at), max(span.last, at)
				if row.view {
					span.views++
				}
				want[row.ord] = span
			}
		}
		got, passes := map[uint64]visitSpan{}, 0
		err := eachSpan(sp, func(share *spanShare, take func(*spanSlice)) error {
			passes++
			for i, rows := range all {
				s := spanSlices.Get().(*spanSlice)
				s.first = uint64(1 + 8*(len(all)-1-i))
				for _, row := range rows {
					if !share.has(row.ord) {
						continue
					}
					at := int64(row.seq * 7 % 64)
					span := s.at(row.ord, at)
					span.first, span.last = min(span.first, at), max(span.last, at)
					if row.view {
						span.views++
					}
				}
				s.order()
				take(s)
				s.free()
			}
			return nil
		}, func(s *visitSpan) {
			if _, again := got[s.ord]; again {
				t.Fatalf("session %d comes twice", s.ord)
			}
			got[s.ord] = *s
		})
		if err != nil || !maps.Equal(got, want) {
			t.Fatalf("%v: got %v, want %v", err, got, want)
		}
		if free, most := sp.pairs.free.Load(), int64(4*sp.pairs.bagPairs); free != most {
			t.Fatalf("%d of %d pairs are free", free, most)
		}
		divided = divided || passes > 1
	})
	if !divided {
		t.Error("the rows were always read once")
	}
}
