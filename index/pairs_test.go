// Pairs of runs: they are those of the rows, however the run came to be.

package index

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

// hasTerm reports whether a row has a term in a field, or an element that is it.
func hasTerm(r *modelRow, field, term string) bool {
	cell := r.cells[field]
	return cell != "" && slices.Contains(testLeaves([]byte(cell)), [2]string{"", term})
}

// knownPair returns what a part knows of the rows that have both terms; -1 = nothing.
func knownPair(p Part, field, term, other, otherTerm string) int {
	clauses := []Clause{{Any: []Alt{{Field: field, Terms: []string{term}}}}, {Any: []Alt{{Field: other, Terms: []string{otherTerm}}}}}
	n, ok := NewMatcher(p, clauses, nil, nil).Known()
	slices.Reverse(clauses)
	again, same := NewMatcher(p, clauses, nil, nil).Known()
	if p.Err() == nil && (n != again || ok != same) {
		panic(fmt.Sprintf("%s %s and %s %s: %d, %t; in the other order %d, %t", field, term, other, otherTerm, n, ok, again, same))
	}
	if !ok || !same {
		return -1
	}
	return n
}

// samePairs compares what a run knows of pairs with its rows. It returns of which columns the run
// knows any pair that some row has.
func samePairs(t interface {
	Helper()
	Fatalf(string, ...any)
}, run *Run, rows []modelRow, field string, terms map[string][]string) (known map[string]int) {
	t.Helper()
	p := run.Part()
	known = make(map[string]int)
	for _, term := range terms[field] {
		for other := range terms {
			if other == field {
				continue
			}
			for _, otherTerm := range terms[other] {
				got, want := knownPair(p, field, term, other, otherTerm), 0
				for i := range rows {
					if r := &rows[i]; r.cells[FieldGone] == "" && hasTerm(r, field, term) && hasTerm(r, other, otherTerm) {
						want++
					}
				}
				if got >= 0 && got != want {
					t.Fatalf("%s %q and %s %q: %d, want %d", field, term, other, otherTerm, got, want)
				}
				if got > 0 {
					known[other]++
				}
			}
		}
	}
	if err := p.Err(); err != nil {
		t.Fatalf("%v", err)
	}
	return known
}

// Pairs of a run are those of its rows: sealed, merged, with blanks, arrays and absent cells.
func TestPairs(t *testing.T) {
	db := openDB(t)
	known := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		rows := drawRows(t, 2000)
		field := rapid.SampledFrom([]string{"mixed", "mixed", "name", "id", "absent"}).Draw(t, "field")
		drawBlanks(t, rows)
		terms := map[string][]string{"name": {"a", "b", "none"}, "mixed": {"a", "b", "", "none"}, "same": {"one", "none"}, "rare": {"a", "b"}, "once": {"a"}, "wide": {"001", "050", "a"}, "id": {"m1", "m7", "m100"}, "absent": {"none"}}
		format := countedAs(Counted{Unit: 100, Field: field})
		build := func(id uint64, first int, rows []modelRow) *Run {
			return runAs(t, db, format, id, memPartOf(uint64(first)+1, rows).Snapshot(), nil, NewCache(1<<20))
		}
		whole := build(1, 0, rows)
		for other, n := range samePairs(t, whole, rows, field, terms) {
			known[other] += n
		}
		var runs []*Run
		cut := rapid.IntRange(1, len(rows)).Draw(t, "cut")
		for from, to := 0, cut; from < len(rows); from, to = to, min(to+cut, len(rows)) {
			if len(runs) == 8 {
				to = len(rows)
			}
			runs = append(runs, build(uint64(2+len(runs)), from, rows[from:to]))
			samePairs(t, runs[len(runs)-1], rows[from:to], field, terms)
		}
		var merged, again Checksum
		if err := Merge(&merged, 99, runs, testInts, "id"); err != nil || merged.Sum() != whole.Sum {
			t.Fatalf("merged: %x, %v; built: %x", merged.Sum(), err, whole.Sum)
		}
		if err := Rebuild(&again, whole, testInts, "id"); err != nil || again.Sum() != whole.Sum {
			t.Fatalf("rebuilt: %x, %v; built: %x", again.Sum(), err, whole.Sum)
		}
	})
	for _, other := range []string{"same", "mixed", "rare", "once"} {
		if known[other] == 0 {
			t.Errorf("no pairs with %q: %v", other, known)
		}
	}
}

// pairRow has a cell of each field by its number; -1 = none.
func pairRow(name int, others map[string]int) modelRow {
	r := modelRow{ints: []int64{0, 0}, cells: map[string]string{"name": fmt.Sprintf("sn%d", name)}}
	for field, n := range others {
		if n >= 0 {
			r.cells[field] = fmt.Sprintf("s%d", n)
		}
	}
	return r
}

// Pairs are bounded: in memory, in work and in bytes.
func TestPairsAreBounded(t *testing.T) {
	db := openDB(t)
	format := countedAs(Counted{Unit: 1, Field: "name"})
	for i, tt := range []struct {
		name string
		rows int
		row  func(i int) modelRow
		want []string // columns with pairs
		n    int      // of the first 300 names, so many are counted
	}{
		{"on both sides of the field", 3000, func(i int) modelRow { return pairRow(i%3, map[string]int{"a": i % 5, "z": i % 5}) }, []string{"a", "z"}, 3},
		{"one cell and no row without", 3000, func(i int) modelRow { return pairRow(i%3, map[string]int{"z": 0}) }, []string{"z"}, 3},
		{"as many names as there may be", 20_000, func(i int) modelRow { return pairRow(i%pairSlots, map[string]int{"z": i % 2}) }, []string{"z"}, pairSlots},
		{"a name more", 20_000, func(i int) modelRow { return pairRow(min(i%400, pairSlots), map[string]int{"z": i % 2}) }, []string{"z"}, pairSlots},
		{"too many cells for the rows", 8000, func(i int) modelRow { return pairRow(i%98%90, map[string]int{"y": i % 98, "z": i%98 + i/98%80/79}) }, []string{"y"}, 90},
		{"too many cells for those that have it", 20_000, func(i int) modelRow { return pairRow(i%90, map[string]int{"z": max(i%110-100, -1)}) }, []string{"z"}, 90},
		{"too many bytes", 20_000, func(i int) modelRow {
			return pairRow(i*7919/97%40, map[string]int{"w": i % 50, "x": i % 170, "y": i % 150, "z": i % 10})
		}, []string{"w", "z"}, 40},
	} {
		id := uint64(i + 1)
		rows, terms := make([]modelRow, tt.rows), map[string][]string{}
		for i := range rows {
			rows[i] = tt.row(i)
		}
		for i := range 300 {
			terms["name"] = append(terms["name"], fmt.Sprint("n", i))
		}
		for _, field := range []string{"a", "w", "x", "y", "z"} {
			terms[field] = []string{"0", "1"}
		}
		bytes := 0
		sum := &Checksum{Next: sinkFunc(func(key, value []byte) error {
			if slices.Equal(key[:11], pageKey{run: id, col: colPairs}.append(nil)[:11]) {
				bytes += len(value)
			}
			return db.Set(key, value, pebble.NoSync)
		})}
		if err := Build(sum, id, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
			t.Fatal(err)
		}
		run := NewRun(Descriptor{Site: 1, First: 1, Rows: uint64(len(rows)), Run: id, Keys: sum.Keys, Sum: sum.Sum()}, db, NewCache(1<<20), format)
		samePairs(t, run, rows, "name", map[string][]string{"name": terms["name"][:9], "a": terms["a"], "w": terms["w"], "x": terms["x"], "y": terms["y"], "z": terms["z"]})
		p := run.Part()
		var columns []string
		for _, field := range []string{"a", "w", "x", "y", "z"} {
			if knownPair(p, "name", "n0", field, "0") >= 0 && p.Column(field) != nil {
				columns = append(columns, field)
			}
		}
		n := 0
		for _, name := range terms["name"] {
			if p.Column("name").Find("", []string{name}) != nil && knownPair(p, "name", name, tt.want[0], "0") >= 0 {
				n++
			}
		}
		if !slices.Equal(columns, tt.want) || n != tt.n || p.Err() != nil {
			t.Errorf("%s: pairs of %d names with %v, %v; want %d with %v", tt.name, n, columns, p.Err(), tt.n, tt.want)
		}
		if bytes > len(rows)/pairShare+countsExtra {
			t.Errorf("%s: %d bytes for %d rows", tt.name, bytes, len(rows))
		}
		var again Checksum
		if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() != run.Sum {
			t.Errorf("%s: rebuilt: %x, %v; built: %x", tt.name, again.Sum(), err, run.Sum)
		}
	}
}

// builtPairs writes a run of 3000 rows with pairs of name and z through a sink.
func builtPairs(t *testing.T, format *Format, sink Sink) (rows []modelRow, d Descriptor) {
	for i := range 3000 {
		rows = append(rows, pairRow(i%30, map[string]int{"y": i % 4, "z": i % 7}))
	}
	sum := &Checksum{Next: sink}
	if err := Build(sum, 1, memPartOf(1, rows).Snapshot(), testInts, format, nil, ""); err != nil {
		t.Fatal(err)
	}
	return rows, Descriptor{Site: 1, First: 1, Rows: 3000, Run: 1, Keys: sum.Keys, Sum: sum.Sum()}
}

// Pairs answer what they are made for, and nothing else.
func TestPairsOf(t *testing.T) {
	db := openDB(t)
	format := countedAs(Counted{Unit: 10, Field: "name"})
	rows, d := builtPairs(t, format, &dbSink{t: t, db: db})
	run := NewRun(d, db, NewCache(1<<20), format)
	term := func(field string, terms ...string) Clause { return Clause{Any: []Alt{{Field: field, Terms: terms}}} }
	name, z := term("name", "n3"), term("z", "2")
	not, z2 := z, z
	not.Not = true
	z2.Any = []Alt{z.Any[0], {Field: "y", Terms: []string{"1"}}}
	unless, within := term("z", "2"), term("z", "2")
	unless.Any[0].Unless, within.Any[0].Within = "y", &Range{0, -1, 1}
	for what, tt := range map[string]struct {
		clauses []Clause
		hidden  RowSet
		rows    int // -1 = the pairs do not say
	}{
		"a name and a term":        {[]Clause{name, z}, nil, 14},
		"several of both":          {[]Clause{term("z", "1", "2", "none"), term("name", "n3", "n4", "none")}, nil, 56},
		"a pattern":                {[]Clause{name, {Any: []Alt{{Field: "z", Match: &TermMatch{Func: func(t string) bool { return t == "2" }}}}}}, nil, 14},
		"an absent alternative":    {[]Clause{name, {Any: []Alt{z.Any[0], {Field: "none", Path: "z", Terms: []string{"2"}}}}}, nil, 14},
		"a term that no row has":   {[]Clause{name, term("z", "none")}, nil, 0},
		"hidden rows":              {[]Clause{name, z}, NewRows(3000), -1},
		"names alone":              {[]Clause{name, term("name", "n3", "n4")}, nil, -1},
		"without a name":           {[]Clause{z, term("y", "1")}, nil, -1},
		"three":                    {[]Clause{name, z, term("y", "1")}, nil, -1},
		"not the term":             {[]Clause{name, not}, nil, -1},
		"two alternatives":         {[]Clause{name, z2}, nil, -1},
		"a term unless":            {[]Clause{name, unless}, nil, -1},
		"a term within":            {[]Clause{name, within}, nil, -1},
		"any term, not everywhere": {[]Clause{name, {Any: []Alt{{Field: "z"}}, Present: true}}, nil, -1},
	} {
		p := run.Part()
		n, ok := NewMatcher(p, tt.clauses, nil, tt.hidden).Known()
		if !ok {
			n = -1
		}
		if n != tt.rows || p.Err() != nil {
			t.Errorf("%s: %d rows, %v; want %d", what, n, p.Err(), tt.rows)
		}
	}
	if n, ok := NewMatcher(run.Part(), []Clause{name, z}, []Range{{0, 0, 1}}, nil).Known(); ok {
		t.Error("in a range: ", n)
	}
	if n, ok := NewMatcher(memPartOf(1, rows).Snapshot(), []Clause{name, z}, nil, nil).Known(); ok {
		t.Error("in memory: ", n)
	}
}

// Blanks are not in pairs, so pairs do not answer for a matcher that has them.
func TestPairsWithoutBlanks(t *testing.T) {
	db := openDB(t)
	rows := make([]modelRow, 100)
	for i := range rows {
		rows[i] = pairRow(i%2, map[string]int{"z": 1})
		if i%10 == 0 {
			rows[i].cells[FieldGone] = "st"
		}
	}
	p := runOf(t, db, 1, memPartOf(1, rows).Snapshot(), nil, NewCache(1<<20)).Part()
	if n := knownPair(p, "name", "n0", "z", "1"); n != 40 {
		t.Errorf("%d rows, want 40", n)
	}
	clauses := []Clause{{Any: []Alt{{Field: "name", Terms: []string{"n0"}}}}, {Any: []Alt{{Field: "z", Terms: []string{"1"}}}}}
	raw := NewRawMatcher(p, clauses, nil)
	if n, ok := raw.Known(); ok && n != 50 || raw.Count(0, 100) != 50 || p.Err() != nil {
		t.Errorf("%d rows with blanks, %v", n, p.Err())
	}
}

// A run that an older cairn has written has no pairs. It answers as before, is rebuilt as it is,
// and has pairs once it is merged.
func TestRunsWithoutPairs(t *testing.T) {
	db := openDB(t)
	none := countedAs(Counted{})
	_, d := builtPairs(t, none, &dbSink{t: t, db: db})
	format := countedAs(Counted{Unit: 10, Field: "name"})
	run := NewRun(d, db, NewCache(1<<20), format)
	if p := run.Part(); knownPair(p, "name", "n3", "z", "2") >= 0 || p.Err() != nil {
		t.Error("there are pairs", p.Err())
	}
	var again, merged Checksum
	if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() != run.Sum {
		t.Errorf("rebuilt: %x, %v; built: %x", again.Sum(), err, run.Sum)
	}
	_, built := builtPairs(t, format, sinkFunc(func(_, _ []byte) error { return nil }))
	if err := Merge(&merged, 2, []*Run{run}, testInts, ""); err != nil || merged.Sum() != built.Sum || merged.Sum() == run.Sum {
		t.Errorf("merged: %x, %v; want %x", merged.Sum(), err, built.Sum)
	}
}

// A run without pairs and one with them become one that has those of all rows.
func TestPairsOfOldAndNew(t *testing.T) {
	db := openDB(t)
	rows, _ := builtPairs(t, countedAs(Counted{}), sinkFunc(func(_, _ []byte) error { return nil }))
	format := countedAs(Counted{Unit: 10, Field: "name"})
	var runs []*Run
	for i, part := range []struct {
		format   *Format
		from, to int
	}{{countedAs(Counted{}), 0, 1000}, {format, 1000, 3000}} {
		run := runAs(t, db, part.format, uint64(10+i), memPartOf(uint64(part.from)+1, rows[part.from:part.to]).Snapshot(), nil, nil)
		runs = append(runs, NewRun(run.Descriptor, db, NewCache(1<<20), format))
	}
	_, built := builtPairs(t, format, sinkFunc(func(_, _ []byte) error { return nil }))
	var merged Checksum
	if err := Merge(&merged, 2, runs, testInts, ""); err != nil || merged.Sum() != built.Sum {
		t.Errorf("merged: %x, %v; want %x", merged.Sum(), err, built.Sum)
	}
}

// A header whose pairs contradict it is damaged, whatever wrote it.
func TestHeaderOfPairs(t *testing.T) {
	for what, change := range map[string]func(h *header){
		"as it is":                func(*header) {},
		"counts of another field": func(h *header) { h.counts.Field = "a" },
		"pairs with itself":       func(h *header) { h.pairs.columns[0].column = 1 },
		"pairs of no column":      func(h *header) { h.pairs.field, h.counts.Field = "none", "none" },
		"a column too many":       func(h *header) { h.pairs.columns[0].column = 2 },
	} {
		h := header{version: 2, rows: 9, ints: 1, columns: []columnHeader{{name: "a", card: 2, present: 9, dict: []int{0}, firsts: []int{0}}, {name: "name", card: 3, present: 9, dict: []int{0}, firsts: []int{0}}},
			counts: &countsHeader{Counted: Counted{Unit: 10, Field: "name"}, pages: []int{0}},
			pairs:  &pairsHeader{field: "name", columns: []pairsColumn{{firsts: []int{1}}}}}
		change(&h)
		if _, err := parseHeader(h.append(nil)); (err == nil) != (what == "as it is") || err != nil && !errors.Is(err, errHeader) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Damaged pairs are an error that names the page. Pairs that say other things than the rows are
// found by Rebuild, as check does.
func TestDamagedPairs(t *testing.T) {
	db := openDB(t)
	format := countedAs(Counted{Unit: 10, Field: "name"})
	_, d := builtPairs(t, format, &dbSink{t: t, db: db})
	k := pageKey{run: 1, col: colPairs, page: 1}.append(nil) // that of z
	stored, closer, err := db.Get(k)
	if err != nil {
		t.Fatal(err)
	}
	good := slices.Clone(stored)
	closer.Close()
	set := func(page []byte) *Run {
		if page == nil {
			err = db.Delete(k, pebble.NoSync)
		} else {
			err = db.Set(k, page, pebble.NoSync)
		}
		if err != nil {
			t.Fatal(err)
		}
		return NewRun(d, db, NewCache(1<<20), format)
	}
	for name, page := range map[string][]byte{"lost": nil, "empty": {}, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 2), "nonsense": bytes.Repeat([]byte{0xff}, 50), "another's": appendCountPage(nil, []countList{{1, nil}})} {
		p := set(page).Part()
		if n := knownPair(p, "name", "n3", "z", "2"); n >= 0 {
			t.Errorf("%s: %d rows", name, n)
		}
		var corrupt *CorruptError
		if err := p.Err(); !errors.As(err, &corrupt) || errors.Is(err, ErrMissing) != (page == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := slices.Clone(good)
	wrong[len(wrong)-1] ^= 2 // a row more or less
	var again Checksum
	run := set(wrong)
	if run.Sum, run.Keys, err = SumRun(db, 1); err != nil || run.Sum == d.Sum {
		t.Fatalf("%x, %v", run.Sum, err)
	}
	if err := Rebuild(&again, run, testInts, ""); err != nil || again.Sum() != d.Sum {
		t.Errorf("rebuilt: %x, %v; want %x", again.Sum(), err, d.Sum)
	}
}
