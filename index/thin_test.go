// The promise of thinning: the run is byte for byte the one built from the rows that are left
// and the blanks, and merging it again changes nothing.

package index

import (
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

func TestThin(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		db := openDB(t)
		rapid.Check(t, func(t *rapid.T) { thins(t, db, 400) })
	})
	t.Run("many pages", func(t *testing.T) {
		db := openDB(t)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			if n++; n <= 6 {
				thins(t, db, 30_000)
			}
		})
	})
}

func thins(t *rapid.T, db *pebble.DB, most int) {
	if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	rows := drawRows(t, most)
	finds, questions := drawQuestions(t, rows)
	const first = 70
	run := runOf(t, db, 1, memPartOf(first, rows).Snapshot(), sumsOf(rows, nil).Sorted(), NewCache(1<<20))
	blank := NewRows(len(rows))
	// Twice: the second time more rows are blank, and blanks lose what they kept.
	for id := uint64(2); id <= 3; id++ {
		th, left, lost := drawThinning(t, rows, blank)
		want := runOf(t, db, id*10, memPartOf(first, left).Snapshot(), sumsOf(left, blank).Sorted(), NewCache(1<<20))
		sum := &Checksum{Next: &dbSink{t: t, db: db}}
		if err := Thin(sum, id, run, th, testInts, "id"); err != nil {
			t.Fatal(err)
		}
		if sum.Sum() != want.Sum || sum.Keys != want.Keys {
			t.Fatalf("%d of %d rows blank, %d more: %d keys, %x; built: %d, %x", blank.Count(), len(rows), len(lost), sum.Keys, sum.Sum(), want.Keys, want.Sum)
		}
		var again Checksum // counted in windows of some codes
		scratch := new(scratch)
		window := rapid.SampledFrom([]int{1, 7, 50}).Draw(t, "window")
		if most < 1000 {
			for i := range th.Lost {
				th.Lost[i] = slices.Values(slices.Collect(th.Lost[i]))
			}
			b := newRunWriter(&again, id, testFormat, "id", scratch, []source{&thinSource{runSource: &runSource{runPart: run.Part().(*runPart), scratch: scratch}, t: th, window: window}})
			if err := b.write(testInts); err != nil || again.Sum() != want.Sum {
				t.Fatalf("in windows of %d codes: %x, %v; want %x", window, again.Sum(), err, want.Sum)
			}
		}
		d := want.Descriptor
		d.Run = id
		run = NewRun(d, db, NewCache(1<<20), testFormat)
		rows = left
		var merged Checksum
		if err := Merge(&merged, 99, []*Run{run}, testInts, "id"); err != nil || merged.Sum() != want.Sum {
			t.Fatalf("merged alone: %x, %v; want %x", merged.Sum(), err, want.Sum)
		}
	}
	view := run.Part()
	raw := answers(view, finds, nil)
	if want := modelAnswers(first, rows, finds, nil); !slices.Equal(raw, want) {
		t.Fatalf("the thinned run says %q, want %q", raw, want)
	}
	for i, q := range questions {
		var got, want []int
		NewMatcher(view, q.clauses, q.ranges, nil).Ascend(0, func(row int) bool { got = append(got, row); return true })
		NewRawMatcher(view, q.clauses, q.ranges).Ascend(0, func(row int) bool {
			if !blank.Has(row) {
				want = append(want, row)
			}
			return true
		})
		if !slices.Equal(got, want) {
			t.Fatalf("question %d: rows %v, want %v", i, got, want)
		}
	}
	if err := view.Err(); err != nil {
		t.Fatal(err)
	}
}

// sumsOf returns the totals of the rows that are not blank.
func sumsOf(rows []modelRow, blank *Rows) *Totals {
	sums := new(Totals)
	for i, r := range rows {
		if !blank.Has(i) {
			addSums(sums, r)
		}
	}
	return sums
}

func addSums(sums *Totals, r modelRow) {
	n := r.ints[0]/10 + 3
	sums.Add("p", int32(n/64), []string{"a", "b", "ab"}[n%3], 1)
	sums.Add("q", int32(n/64), "a", n%3-1)
	if n%7 == 0 {
		sums.Add("rare", int32(n/8), "a", n)
	}
}

// drawThinning makes more rows blank. It returns how to thin a run of the rows, the rows
// afterwards, and those that are newly blank. It adds to blank.
func drawThinning(t *rapid.T, rows []modelRow, blank *Rows) (th *Thinning, left []modelRow, lost []int) {
	seed := rapid.Uint64().Draw(t, "blanks")
	next := func(n int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed>>33) % n
	}
	part := rapid.SampledFrom([]int{0, 1, 10, 100}).Draw(t, "share")
	from := next(len(rows))
	to := from + next(len(rows)-from+1)
	for row := range rows {
		if part > 0 && next(part) == 0 || row >= from && row < to && next(3) == 0 {
			if !blank.Has(row) {
				lost = append(lost, row)
			}
			blank.Add(row)
		}
	}
	th = &Thinning{Blank: blank, Mark: []byte("st"), Cells: map[string]*Rows{}, Ints: make([]ThinInts, testInts)}
	// Some blanks keep a cell or two, and some the number.
	kept := []string{"same", "id", "mixed"}
	keepInt := NewRows(len(rows))
	for _, f := range kept {
		th.Cells[f] = NewRows(len(rows))
	}
	blank.Each(0, len(rows), func(row int) {
		if next(3) == 0 {
			th.Cells[kept[next(3)]].Add(row)
		}
		if next(3) == 0 {
			keepInt.Add(row)
		}
	})
	zero := next(2) == 0
	th.Ints[1] = ThinInts{Keep: keepInt, Zero: zero}
	for i, r := range rows {
		if blank.Has(i) {
			cells := map[string]string{FieldGone: "st"}
			for f, keep := range th.Cells {
				if cell, ok := r.cells[f]; ok && keep.Has(i) {
					cells[f] = cell
				}
			}
			r = modelRow{ints: slices.Clone(r.ints), cells: cells}
		} else {
			r.cells = maps.Clone(r.cells)
		}
		left = append(left, r)
	}
	alive := slices.IndexFunc(left, func(r modelRow) bool { return r.cells[FieldGone] == "" })
	last := [testInts]int64{}
	if alive >= 0 {
		last[0], last[1] = left[alive].ints[0], left[alive].ints[1]
	}
	for i, r := range left {
		for col := range r.ints {
			switch {
			case !blank.Has(i):
				last[col] = r.ints[col]
			case col == 1 && keepInt.Has(i):
			case col == 1 && zero:
				r.ints[col] = 0
			default:
				r.ints[col] = last[col]
			}
		}
	}
	// The totals lose what the newly blank rows have counted, in two lists; those of a day on
	// which no row is left need none.
	days := map[int32]bool{}
	for i, r := range rows {
		if !blank.Has(i) {
			for _, s := range new(rowSums).of(r) {
				days[s.Day] = true
			}
		}
	}
	th.DayGone = func(day int32) bool { return !days[day] }
	var lists [2]Totals
	for i, row := range lost {
		for _, s := range new(rowSums).of(rows[row]) {
			if days[s.Day] {
				lists[i%2].Add(s.Property, s.Day, s.Value, s.Sum)
			}
		}
	}
	th.Lost = []iter.Seq[Total]{slices.Values(lists[0].Sorted()), slices.Values(lists[1].Sorted())}
	sums := sumsOf(rows, blank).Sorted()
	th.Stays = func(x Total) bool {
		_, found := slices.BinarySearchFunc(sums, x, func(a, b Total) int { return CompareTotals(&a, &b) })
		return found
	}
	return th, left, lost
}

// rowSums is the totals of one row.
type rowSums struct{ Totals }

func (s *rowSums) of(r modelRow) []Total {
	addSums(&s.Totals, r)
	return s.Sorted()
}
