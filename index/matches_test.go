// Matches: a search in packed pages finds exactly what is in them.

package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// equal, equalIn and within find what comparing every value finds.
func TestLookingInPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		values := make([]int64, n)
		base := rapid.SampledFrom([]int64{0, 7, -3, math.MinInt64, math.MaxInt64 - 1<<20}).Draw(t, "base")
		for first := 0; first < n; first += blockLen {
			span := min(1<<rapid.IntRange(0, 62).Draw(t, "width")-1, math.MaxInt64-max(base, 0))
			for i := first; i < min(n, first+blockLen); i++ {
				values[i] = base + rapid.Int64Range(0, span).Draw(t, "value")
			}
		}
		page := trustedInts(appendInts(nil, values))
		v := rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "v")
		got := newBitmap(n)
		page.equal(v, got.words)
		for i, x := range values {
			if got.has(i) != (x == v) {
				t.Fatalf("value %d, %d, is %d: %v", i, x, v, got.has(i))
			}
		}
		first := blockLen * rapid.IntRange(0, (n-1)/blockLen).Draw(t, "first")
		last := rapid.IntRange(first, n).Draw(t, "last")
		got = newBitmap(n)
		page.equalIn(first, last, v, got.words)
		for i := range n {
			if want := i < last-first && values[first+i] == v; got.has(i) != want {
				t.Fatalf("of %d…%d, value %d is %d: %v", first, last, i, v, got.has(i))
			}
		}
		from, to := rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "from"), rapid.OneOf(rapid.SampledFrom(values), rapid.Int64()).Draw(t, "to")
		got = newBitmap(n)
		page.within(from, to, got.words)
		for i, x := range values {
			if want := from <= x && x < to; got.has(i) != want {
				t.Fatalf("value %d, %d, is in %d…%d: %v", i, x, from, to, got.has(i))
			}
		}
	})
}

// Unpacked matches are those that were packed, from any word on.
func TestPackedMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBitmap(unitRows)
		for range rapid.IntRange(0, 300).Draw(t, "count") {
			b.set(int(rapid.Uint16().Draw(t, "row")))
		}
		if rapid.Bool().Draw(t, "most") {
			b.not()
		}
		packed := packMatches(b.words)
		first := 64 * rapid.IntRange(0, unitWords-1).Draw(t, "first")
		got := newBitmap(rapid.IntRange(1, unitRows-first).Draw(t, "n"))
		orMatches(got.words, packed, first)
		got.trim()
		for i := range got.n {
			if got.has(i) != b.has(first+i) {
				t.Fatalf("row %d: %v", first+i, got.has(i))
			}
		}
	})
}

// Every way to ask for the rows of a few codes gives the same rows, in memory and in a
// run, whatever matches the cache has from earlier questions.
func TestMatchesOfManyRows(t *testing.T) {
	const n = 2*unitRows + 3*PageRows + 77
	rng := rand.New(rand.NewPCG(5, 5))
	rows := make([]modelRow, n)
	for i := range rows {
		name := "sother"
		if rng.IntN(40) == 0 || i > unitRows-9 && i < unitRows+5000 { // some pages consist of it
			name = "sview"
		}
		rows[i] = modelRow{ints: []int64{int64(i), rng.Int64N(50)}, cells: map[string]string{"name": name, "plan": []string{"sa", "sb", "sc"}[rng.IntN(3)]}}
	}
	clauses := func(terms ...string) (all []Clause) {
		for i, term := range terms {
			all = append(all, Clause{Any: []Alt{{Field: []string{"name", "plan"}[i], Terms: []string{term}}}})
		}
		return all
	}
	open, db := memPartOf(1, rows).Snapshot(), openDB(t)
	parts := []Part{open}
	for id, bytes := range []int64{64 << 20, 8 << 10} { // the cache keeps everything, or almost nothing
		parts = append(parts, runOf(t, db, uint64(id+1), open, nil, NewCache(bytes)).Part())
	}
	for _, q := range []struct {
		clauses []Clause
		ranges  []Range
		holds   func(r *modelRow) bool
	}{
		{clauses("view"), nil, func(r *modelRow) bool { return r.cells["name"] == "sview" }},
		{clauses("view", "b"), nil, func(r *modelRow) bool { return r.cells["name"] == "sview" && r.cells["plan"] == "sb" }},
		{clauses("other", "c"), []Range{{Col: 0, From: 100, To: n - 9000}}, func(r *modelRow) bool {
			return r.cells["name"] == "sother" && r.cells["plan"] == "sc" && r.ints[0] >= 100 && r.ints[0] < n-9000
		}},
		{clauses("view"), []Range{{Col: 1, From: 7, To: 9}}, func(r *modelRow) bool {
			return r.cells["name"] == "sview" && r.ints[1] >= 7 && r.ints[1] < 9
		}},
	} {
		var all []int
		for i := range rows {
			if q.holds(&rows[i]) {
				all = append(all, i)
			}
		}
		for round := range 12 {
			from, to := rng.IntN(n), rng.IntN(n+1)
			few := 1 + rng.IntN(3000)
			if round == 0 {
				from, to, few = 0, n, n
			}
			start, _ := slices.BinarySearch(all, from)
			end, _ := slices.BinarySearch(all, to)
			between := all[min(start, end):end]
			last, exact := slices.BinarySearch(all, from)
			if exact {
				last++
			}
			down := slices.Clone(all[max(0, last-few):last])
			slices.Reverse(down)
			for i, p := range parts {
				m := NewMatcher(p, q.clauses, q.ranges, nil)
				var up, got, batches []int
				m.Ascend(from, func(row int) bool { up = append(up, row); return len(up) < few })
				m.Descend(from, func(row int) bool { got = append(got, row); return len(got) < few })
				m.Batches(from, to, make([]int32, PageRows), func(rows []int32) bool {
					for _, row := range rows {
						batches = append(batches, int(row))
					}
					return true
				})
				if want := all[start:min(start+few, len(all))]; !slices.Equal(up, want) {
					t.Fatalf("part %d, %d rows from %d up: %d, want %d", i, few, from, len(up), len(want))
				}
				if !slices.Equal(got, down) {
					t.Fatalf("part %d, %d rows from %d down: %d, want %d", i, few, from, len(got), len(down))
				}
				if !slices.Equal(batches, between) || m.Count(from, to) != len(between) {
					t.Fatalf("part %d, rows %d to %d: %d, counted %d, want %d", i, from, to, len(batches), m.Count(from, to), len(between))
				}
				if known, ok := m.Known(); ok && known != len(all) {
					t.Fatalf("part %d: %d are said to match, want %d", i, known, len(all))
				}
				if err := p.Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A range finds its rows whatever the bounds of pages decide, and reads only the pages that they leave
// open.
func TestRangesByBounds(t *testing.T) {
	const pages = 12
	rng := rand.New(rand.NewPCG(8, 8))
	rows := make([]modelRow, pages*PageRows-100)
	for i := range rows {
		at := int64(i / 16)
		if i/PageRows == 5 { // a page from which no bound keeps a range
			at = rng.Int64N(int64(len(rows) / 16))
		}
		rows[i] = modelRow{ints: []int64{at, 0}, cells: map[string]string{"name": []string{"sa", "sb"}[rng.IntN(2)]}}
	}
	cache := NewCache(64 << 20)
	run := runOf(t, openDB(t), 1, memPartOf(1, rows).Snapshot(), nil, cache)
	const perPage = PageRows / 16
	for i, r := range [][2]int64{
		{0, perPage}, {0, perPage - 1}, {1, perPage}, {3 * perPage, 4 * perPage}, {3*perPage - 1, 4 * perPage}, {3 * perPage, 4*perPage + 1}, {3 * perPage, 5*perPage - 1},
		{2 * perPage, 9*perPage + 7}, {7*perPage + 3, 7*perPage + 4}, {-10, 0}, {-10, 1}, {math.MinInt64, math.MaxInt64}, {int64(len(rows)), math.MaxInt64}, {4, 4}, {11*perPage + 400, math.MaxInt64},
	} {
		for _, name := range []string{"", "a"} {
			var want []int
			for row := range rows {
				if at := rows[row].ints[0]; at >= r[0] && at < r[1] && (name == "" || rows[row].cells["name"] == "s"+name) {
					want = append(want, row)
				}
			}
			var clauses []Clause
			if name != "" {
				clauses = []Clause{{Any: []Alt{{Field: "name", Terms: []string{name}}}}}
			}
			p := run.Part()
			m := NewMatcher(p, clauses, []Range{{Col: 0, From: r[0], To: r[1]}}, nil)
			var up, down []int
			m.Ascend(0, func(row int) bool { up = append(up, row); return true })
			m.Descend(len(rows)-1, func(row int) bool { down = append(down, row); return true })
			slices.Reverse(down)
			if !slices.Equal(up, want) || !slices.Equal(down, want) || m.Count(0, len(rows)) != len(want) || p.Err() != nil {
				t.Fatalf("%d…%d %q: %d rows up, %d down, %d counted, want %d, %v", r[0], r[1], name, len(up), len(down), m.Count(0, len(rows)), len(want), p.Err())
			}
		}
		read := 0
		for _, kind := range cache.Reads() {
			if kind.Kind == "codes" {
				read += int(kind.Loads)
			}
		}
		if most := pages + 1; i == 2 && read > most { // the names, and at most page 0 and 5 of the times
			t.Errorf("%d pages are read for rows of one page, at most %d", read, most)
		}
	}
}

// Two leaves of one cell may have the same 32-bit hash. A client that sends a few
// thousand leaves, or searches for such a pair, must not prevent a run from being
// written. Both leaves are found, and a merge gives the same run.
func TestLeavesOfOneHash(t *testing.T) {
	seen := make(map[int64]string)
	var a, b string
	for i := 0; a == ""; i++ {
		term := fmt.Sprint(i)
		hash := leafHash("k", term)
		a, b = seen[hash], term
		seen[hash] = term
	}
	rows := []modelRow{
		{ints: []int64{1, 1}, cells: map[string]string{"p": "jk=" + a + ";k=" + b + ";k=" + a}},
		{ints: []int64{2, 2}, cells: map[string]string{"p": "jk=" + b}},
		{ints: []int64{3, 3}, cells: map[string]string{"p": "sx"}},
	}
	db, cache := openDB(t), NewCache(1<<20)
	open := memPartOf(1, rows)
	run := runOf(t, db, 1, open.Snapshot(), nil, cache)
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	if err := Merge(sum, 2, []*Run{run}, testInts, ""); err != nil {
		t.Fatal(err)
	}
	merged := NewRun(Descriptor{Site: 1, First: 1, Rows: 3, Run: 2, Keys: sum.Keys, Sum: sum.Sum()}, db, cache, testFormat)
	for name, part := range map[string]Part{"open": open.Snapshot(), "sealed": run.Part(), "merged": merged.Part()} {
		for term, want := range map[string]int{a: 1, b: 2, "none": 0} {
			got := 0
			for _, code := range part.Column("p").Find("k", []string{term}) {
				got += part.Column("p").Count(code)
			}
			if got != want || part.Err() != nil {
				t.Errorf("%s: %q is found in %d rows, %v; want %d", name, term, got, part.Err(), want)
			}
		}
	}
}
