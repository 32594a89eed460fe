// Counts of runs: they are those of the rows, however the run came to be.

package index

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

// countedAs returns testFormat with other counts.
func countedAs(c Counted) *Format {
	f := *testFormat
	f.Counted = c
	return &f
}

// unitsOf counts the rows that are no blanks by unit: all, and by term those with the term in a field.
func unitsOf(rows []modelRow, c Counted) (all map[int64]uint64, terms map[string]map[int64]uint64) {
	all, terms = make(map[int64]uint64), map[string]map[int64]uint64{"none": {}}
	for _, r := range rows {
		if r.cells[FieldGone] != "" {
			continue
		}
		unit := int64(math.Floor(float64(r.ints[c.Ints]) / float64(c.Unit)))
		all[unit]++
		cell := r.cells[c.Field]
		if cell == "" {
			continue
		}
		for _, leaf := range testLeaves([]byte(cell)) {
			if leaf[0] == "" {
				if terms[leaf[1]] == nil {
					terms[leaf[1]] = make(map[int64]uint64)
				}
				terms[leaf[1]][unit]++
			}
		}
	}
	return all, terms
}

// sameCounts compares what a run keeps with its rows. It returns of how many terms the run says
// how many rows there are; one of them is a term that no row has.
func sameCounts(t interface {
	Helper()
	Fatalf(string, ...any)
}, run *Run, rows []modelRow, c Counted) (counted int) {
	t.Helper()
	p := run.Part()
	have := func(clauses ...Clause) map[int64]uint64 {
		counts := CountsOf(p, c.Ints, c.Unit, clauses)
		if counts == nil {
			return nil
		}
		units := make(map[int64]uint64)
		counts.Each(func(unit int64, rows uint64) { units[unit] += rows })
		return units
	}
	all, terms := unitsOf(rows, c)
	if got := have(); got != nil && !maps.Equal(got, all) {
		t.Fatalf("all rows: %v, want %v", got, all)
	}
	for term, want := range terms {
		if got := have(Clause{Any: []Alt{{Field: c.Field, Terms: []string{term}}}}); got != nil {
			if counted++; !maps.Equal(got, want) {
				t.Fatalf("%q: %v, want %v", term, got, want)
			}
		}
	}
	for page, b := range PageBounds(p, c.Ints) {
		lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
		for _, r := range rows[page*PageRows : min(len(rows), (page+1)*PageRows)] {
			lo, hi = min(lo, r.ints[c.Ints]), max(hi, r.ints[c.Ints])
		}
		if want := (Bounds{lo, hi}); b != want {
			t.Fatalf("bounds of page %d: %v, want %v", page, b, want)
		}
	}
	if err := p.Err(); err != nil {
		t.Fatalf("%v", err)
	}
	return counted
}

// What a run counts is what its rows say: sealed, merged, and with blanks.
func TestCounts(t *testing.T) {
	db := openDB(t)
	kinds := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		rows := drawRows(t, 600)
		c := Counted{Unit: rapid.SampledFrom([]int64{1, 7, 100, 900_000}).Draw(t, "unit"), Field: rapid.SampledFrom([]string{"name", "same", "rare", "wide", "absent", ""}).Draw(t, "field")}
		spread := rapid.SampledFrom([]int64{1, 13, 10_000}).Draw(t, "spread")
		base := rapid.SampledFrom([]int64{0, -5000, 1_700_000_000_000, math.MinInt64, math.MaxInt64 - 1<<40}).Draw(t, "base")
		for i := range rows {
			rows[i].ints[0] = base + rows[i].ints[0]*spread
			if i%5 == 2 {
				rows[i].ints[0] -= int64(i*i%97) * spread // late
				rows[i].ints[0] = max(rows[i].ints[0], base)
			}
			if base == 0 && i%50 == 1 {
				rows[i].ints[0] = -rows[i].ints[0]
			}
		}
		drawBlanks(t, rows)
		format := countedAs(c)
		build := func(id uint64, first int, rows []modelRow) *Run {
			return runAs(t, db, format, id, memPartOf(uint64(first)+1, rows).Snapshot(), nil, NewCache(1<<20))
		}
		whole := build(1, 0, rows)
		counted := sameCounts(t, whole, rows, c)
		cut := rapid.IntRange(1, len(rows)).Draw(t, "cut")
		runs := []*Run{build(2, 0, rows[:cut])}
		sameCounts(t, runs[0], rows[:cut], c)
		if cut < len(rows) {
			runs = append(runs, build(3, cut, rows[cut:]))
		}
		var merged, again Checksum
		if err := Merge(&merged, 4, runs, testInts, "id"); err != nil || merged.Sum() != whole.Sum {
			t.Fatalf("merged: %x, %v; built: %x", merged.Sum(), err, whole.Sum)
		}
		if err := Rebuild(&again, whole, testInts, "id"); err != nil || again.Sum() != whole.Sum {
			t.Fatalf("rebuilt: %x, %v; built: %x", again.Sum(), err, whole.Sum)
		}
		h, err := whole.loadHeader()
		if err != nil || h.bounds == nil {
			t.Fatal("no bounds", err)
		}
		switch {
		case h.counts == nil:
			kinds["none"]++
		case h.counts.Field == "":
			kinds["all"]++
		case counted > 1:
			kinds["codes"]++
		}
	})
	if kinds["none"] == 0 || kinds["all"] == 0 || kinds["codes"] == 0 {
		t.Errorf("of each kind there should be some runs: %v", kinds)
	}
}

// manyUnits returns rows of names in units, each name a few rows less than the one before.
func manyUnits(rows, names int, unit func(row int) int64) []modelRow {
	all := make([]modelRow, rows)
	for i := range all {
		name := i % names
		if i%names > names/2 && i%7 == 0 {
			name = 0
		}
		all[i] = modelRow{ints: []int64{unit(i), 0}, cells: map[string]string{"name": fmt.Sprintf("s%05d", name)}}
	}
	return all
}

// Counts are bounded: in units, in memory and in bytes.
func TestCountsAreBounded(t *testing.T) {
	db := openDB(t)
	c := Counted{Unit: 1, Field: "name"}
	format := countedAs(c)
	for i, tt := range []struct {
		name    string
		rows    []modelRow
		all     bool
		counted int // names
	}{
		{"as many units as there may be", manyUnits(40_000, 3, func(row int) int64 { return int64(row % 2 * (countsSpanMax - 1)) }), true, 4},
		{"a unit more", manyUnits(40_000, 3, func(row int) int64 { return int64(row % 2 * countsSpanMax) }), false, 0},
		{"a unit more, ever older", manyUnits(40_000, 3, func(row int) int64 { return int64(-row * 7) }), false, 0},
		{"ever older", manyUnits(40_000, 3, func(row int) int64 { return int64(-row * 6) }), false, 0}, // two bytes a row
		{"older and newer", manyUnits(4000, 3, func(row int) int64 { return int64((row/40%2*2 - 1) * (row / 40) * 1300) }), true, 4},
		{"a row of each name in a few units", manyUnits(30_000, 300, func(row int) int64 { return int64(row / 10) }), true, 0},
		{"more names than are counted", manyUnits(60_000, 1200, func(row int) int64 { return int64(row % 1200 * 7 % 1000) }), true, countsCells/1000 + 1},
		{"all names", manyUnits(60_000, 40, func(row int) int64 { return int64(row / 60) }), true, 41},
	} {
		id := uint64(i + 1)
		sum := &Checksum{Next: &dbSink{t: t, db: db}}
		if err := Build(sum, id, memPartOf(1, tt.rows).Snapshot(), testInts, format, nil, ""); err != nil {
			t.Fatal(err)
		}
		run := NewRun(Descriptor{Site: 1, First: 1, Rows: uint64(len(tt.rows)), Run: id, Keys: sum.Keys, Sum: sum.Sum()}, db, NewCache(1<<20), format)
		if counted := sameCounts(t, run, tt.rows, c); counted != tt.counted {
			t.Errorf("%s: %d names are counted, want %d", tt.name, counted, tt.counted)
		}
		if all := CountsOf(run.Part(), 0, 1, nil) != nil; all != tt.all {
			t.Errorf("%s: all are counted: %v", tt.name, all)
		}
		var again Checksum
		if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() != run.Sum {
			t.Errorf("%s: rebuilt: %x, %v; built: %x", tt.name, again.Sum(), err, run.Sum)
		}
		bytes := 0
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: pageKey{run: id, col: colCounts}.append(nil), UpperBound: pageKey{run: id, col: colCounts + 1}.append(nil)})
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			bytes += len(it.Value())
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if bytes > len(tt.rows)+countsExtra+100 {
			t.Errorf("%s: %d bytes for %d rows", tt.name, bytes, len(tt.rows))
		}
	}
}

// Counts answer what they are made for, and nothing else.
func TestCountsOf(t *testing.T) {
	db := openDB(t)
	c := Counted{Unit: 10, Field: "name"}
	rows := manyUnits(5000, 80, func(row int) int64 { return int64(row / 8) })
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	format := countedAs(c)
	if err := Build(sum, 1, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
		t.Fatal(err)
	}
	run := NewRun(Descriptor{Site: 1, First: 1, Rows: 5000, Run: 1, Keys: sum.Keys, Sum: sum.Sum()}, db, NewCache(1<<20), format)
	one := Alt{Field: "name", Terms: []string{"00003"}}
	var many []string
	for i := range countedCodes + 1 {
		many = append(many, fmt.Sprintf("%05d", i))
	}
	for name, tt := range map[string]struct {
		ints    int
		unit    int64
		clauses []Clause
		rows    int // -1 = the counts do not say
	}{
		"all":                  {0, 10, nil, 5000},
		"a term":               {0, 10, []Clause{{Any: []Alt{one}}}, 63},
		"two terms":            {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: []string{"00003", "00004", "none"}}}}}, 126},
		"a pattern":            {0, 10, []Clause{{Any: []Alt{{Field: "name", Match: &TermMatch{Func: func(t string) bool { return t == "00003" }}}}}}, 63},
		"no term":              {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: []string{"none"}}}}}, 0},
		"no such field":        {0, 10, []Clause{{Any: []Alt{{Field: "none", Terms: []string{"none"}}}}}, 0},
		"many terms":           {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: many}}}}, -1},
		"any term":             {0, 10, []Clause{{Any: []Alt{{Field: "name", Match: &TermMatch{}}}}}, -1},
		"another column":       {1, 10, nil, -1},
		"another unit":         {0, 100, nil, -1},
		"not a term":           {0, 10, []Clause{{Any: []Alt{one}, Not: true}}, -1},
		"two clauses":          {0, 10, []Clause{{Any: []Alt{one}}, {Any: []Alt{one}}}, -1},
		"two alternatives":     {0, 10, []Clause{{Any: []Alt{one, one}}}, -1},
		"present":              {0, 10, []Clause{{Any: []Alt{one}, Present: true}}, -1},
		"rows":                 {0, 10, []Clause{{Rows: func(Part) func(int) bool { return nil }}}, -1},
		"a term unless":        {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: one.Terms, Unless: "name"}}}}, -1},
		"a term with":          {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: one.Terms, With: &one}}}}, -1},
		"a term within a time": {0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: one.Terms, Within: &Range{0, 1, 2}}}}}, -1},
	} {
		p := run.Part()
		counts := CountsOf(p, tt.ints, tt.unit, tt.clauses)
		n := -1
		if counts != nil {
			n = 0
			counts.Each(func(_ int64, rows uint64) { n += int(rows) })
		}
		if n != tt.rows || p.Err() != nil {
			t.Errorf("%s: %d rows, %v; want %d", name, n, p.Err(), tt.rows)
		}
	}
	if CountsOf(memPartOf(1, rows).Snapshot(), 0, 10, nil) != nil || PageBounds(memPartOf(1, rows).Snapshot(), 0) != nil {
		t.Error("a part in memory has counts")
	}
}

// A run that an older cairn has written has no counts. It answers as before, is rebuilt as it is,
// and has counts once it is merged.
func TestRunsWithoutCounts(t *testing.T) {
	db := openDB(t)
	rows := manyUnits(500, 3, func(row int) int64 { return int64(row) })
	none := countedAs(Counted{})
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	if err := Build(sum, 1, memPartOf(1, rows).Snapshot(), testInts, none, nil, ""); err != nil {
		t.Fatal(err)
	}
	d := Descriptor{Site: 1, First: 1, Rows: 500, Run: 1, Keys: sum.Keys, Sum: sum.Sum()}
	format := countedAs(Counted{Unit: 10, Field: "name"})
	run := NewRun(d, db, NewCache(1<<20), format)
	if p := run.Part(); CountsOf(p, 0, 10, nil) != nil || PageBounds(p, 0) != nil || p.Err() != nil {
		t.Error("there are counts", p.Err())
	}
	var again, merged, built Checksum
	if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() != run.Sum {
		t.Errorf("rebuilt: %x, %v; built: %x", again.Sum(), err, run.Sum)
	}
	if err := Build(&built, 1, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
		t.Fatal(err)
	}
	if err := Merge(&merged, 2, []*Run{run}, testInts, ""); err != nil || merged.Sum() != built.Sum() || merged.Sum() == run.Sum {
		t.Errorf("merged: %x, %v; want %x", merged.Sum(), err, built.Sum())
	}
}

// Damaged counts are an error that names the page.
func TestDamagedCounts(t *testing.T) {
	db := openDB(t)
	rows := manyUnits(3000, 30, func(row int) int64 { return int64(row / 8) })
	format := countedAs(Counted{Unit: 10, Field: "name"})
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	if err := Build(sum, 1, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
		t.Fatal(err)
	}
	d := Descriptor{Site: 1, First: 1, Rows: 3000, Run: 1, Keys: sum.Keys, Sum: sum.Sum()}
	k := pageKey{run: 1, col: colCounts}.append(nil)
	good, closer, err := db.Get(k)
	if err != nil {
		t.Fatal(err)
	}
	good = slices.Clone(good)
	closer.Close()
	for name, page := range map[string][]byte{"lost": nil, "empty": {}, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 2), "nonsense": bytes.Repeat([]byte{0xff}, 50)} {
		if page == nil {
			err = db.Delete(k, pebble.NoSync)
		} else {
			err = db.Set(k, page, pebble.NoSync)
		}
		if err != nil {
			t.Fatal(err)
		}
		p := NewRun(d, db, NewCache(1<<20), format).Part()
		if counts := CountsOf(p, 0, 10, []Clause{{Any: []Alt{{Field: "name", Terms: []string{"00003"}}}}}); counts != nil {
			t.Errorf("%s: there are counts", name)
		}
		var corrupt *CorruptError
		if err := p.Err(); !errors.As(err, &corrupt) || errors.Is(err, ErrMissing) != (page == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The counts of a run that says other things than its rows are found by Rebuild, as check does.
func TestWrongCounts(t *testing.T) {
	db := openDB(t)
	rows := manyUnits(300, 3, func(row int) int64 { return int64(row) })
	format := countedAs(Counted{Unit: 10, Field: "name"})
	sum := &Checksum{Next: sinkFunc(func(key, value []byte) error {
		if k := (pageKey{run: 1, col: colCounts}).append(nil); bytes.Equal(k, key) {
			value = slices.Clone(value)
			value[len(value)-1] ^= 2 // a row more or less
		}
		return db.Set(key, value, pebble.NoSync)
	})}
	if err := Build(sum, 1, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
		t.Fatal(err)
	}
	stored, keys, err := SumRun(db, 1)
	if err != nil {
		t.Fatal(err)
	}
	var again Checksum
	run := NewRun(Descriptor{Site: 1, First: 1, Rows: 300, Run: 1, Keys: keys, Sum: stored}, db, NewCache(1<<20), format)
	if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() == stored {
		t.Errorf("rebuilt: %x, %v; stored: %x", again.Sum(), err, stored)
	}
}

// Any bytes are read as counts, or refused, without a panic.
func FuzzCounts(f *testing.F) {
	list := appendCount(appendCount(appendCount(nil, 1, 3), 1, 500), 70, 1)
	f.Add(appendCountPage(nil, []countList{{0, list}, {3, list}, {4, nil}}), 0, 3)
	f.Add([]byte{2, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 2}, 0, 1)
	f.Add([]byte{0x80}, 5, 5)
	f.Fuzz(func(t *testing.T, page []byte, first, code int) {
		if first < 0 || first > rowsMax || code < 0 || code > rowsMax {
			return
		}
		list, there, ok := findCounts(page, first, code)
		if !ok || !there {
			return
		}
		var again []byte
		before := int64(99)
		whole := eachCount(list, 100, func(unit int64, rows uint64) {
			if unit <= before || unit >= 100+countsSpanMax || rows == 0 || rows > rowsMax {
				t.Fatalf("%d rows in unit %d after %d", rows, unit, before)
			}
			again = appendCount(again, uint64(unit-before), rows)
			before = unit
		})
		if whole && len(again) <= len(list) {
			var units [2][]int64
			for i, l := range [][]byte{list, again} {
				eachCount(l, 100, func(unit int64, rows uint64) { units[i] = append(units[i], unit, int64(rows)) })
			}
			if !slices.Equal(units[0], units[1]) {
				t.Fatalf("%v becomes %v", units[0], units[1])
			}
		}
	})
}
