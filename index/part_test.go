// A part in memory, the run made of it and the plain rows give the same answers to every
// question. A damaged run reports its damage and does not answer wrongly.

package index

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

// question is one query of a part.
type question struct {
	clauses []Clause
	ranges  []Range
}

// find is one call of Column.Find.
type find struct {
	field, path string
	terms       []string
}

// mayContain asks a filter for one hash among others.
func mayContain(f *Filter, hash uint64) bool {
	return slices.Contains(f.MayContain(nil, []uint64{^hash, hash, hash ^ 1<<40}), 1)
}

// answers writes down everything that a part says. It names cells, because codes differ
// between parts. modelAnswers writes the same lines.
func answers(p Part, finds []find, questions []question) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	say("first %d, %d rows", p.First(), p.Len())
	buf := make([]int64, PageRows)
	both := func(what string, c, again Ints) (all []int64) {
		for page := 0; page*PageRows < p.Len(); page++ {
			all = append(all, c.Page(page, buf)...)
		}
		if len(all) != p.Len() {
			say("%s: pages of %d rows", what, len(all))
		}
		for row, v := range all {
			if at := c.At(row); at != v {
				say("%s: row %d is %d by page, %d alone", what, row, v, at)
			}
		}
		var few []int
		for row := len(all) % 3; row < len(all); row += 3 {
			few = append(few, row)
		}
		got := make([]int64, len(few))
		Gather(again, few, got)
		for i, row := range few {
			if got[i] != all[row] {
				say("%s: row %d is %d by page, %d gathered", what, row, all[row], got[i])
			}
		}
		return all
	}
	for i := range testInts {
		say("ints %d %v", i, both("ints", p.Ints(i), p.Ints(i)))
	}
	say("fields %q", p.Fields())
	for _, f := range p.Fields() {
		c := p.Column(f)
		byCell := map[string][]int{}
		var cells []string
		codes := both(f, c.Codes(), p.Column(f).Codes())
		var some []uint32
		for row := len(codes) - 1; row >= 0; row-- {
			if codes[row] != 0 && row%3 != 1 {
				some = append(some, uint32(codes[row]))
			}
		}
		n := 0
		EachCell(p.Column(f), some, func(i int, cell []byte) {
			if n++; string(cell) != string(c.Cell(some[i])) {
				say("%s: code %d is %q by page, %q gathered", f, some[i], c.Cell(some[i]), cell)
			}
		})
		if n != len(some) {
			say("%s: %d cells of %d codes are gathered", f, n, len(some))
		}
		for row, code := range codes {
			if code == 0 {
				continue
			}
			cell := string(c.Cell(uint32(code)))
			if byCell[cell] == nil {
				cells = append(cells, cell)
			}
			byCell[cell] = append(byCell[cell], row)
		}
		slices.Sort(cells)
		for _, cell := range cells {
			say("%s %q rows %v", f, cell, byCell[cell])
			code := uint32(codes[byCell[cell][0]])
			if n := c.Count(code); n != len(byCell[cell]) {
				say("%s %q counts %d", f, cell, n)
			}
		}
		if c.Card() < len(cells) {
			say("%s has %d cells of %d", f, len(cells), c.Card())
		}
	}
	for _, f := range finds {
		c := p.Column(f.field)
		if c == nil {
			say("find %v nothing", f)
			continue
		}
		var cells []string
		for _, code := range c.Find(f.path, f.terms) {
			if c.Count(code) > 0 { // a part in memory may have cells of rows that are not published
				cells = append(cells, string(c.Cell(code)))
			}
		}
		slices.Sort(cells)
		say("find %v %q", f, cells)
	}
	for i, q := range questions {
		var rows, back, some []int
		m := NewMatcher(p, q.clauses, q.ranges, nil)
		m.Ascend(0, func(row int) bool { rows = append(rows, row); return true })
		say("match %d %v", i, rows)
		m.Descend(p.Len()+5, func(row int) bool { back = append(back, row); return true })
		slices.Reverse(back)
		if !slices.Equal(rows, back) {
			say("match %d backwards %v", i, back)
		}
		if m.None() && len(rows) > 0 {
			say("match %d: None says that no row matches", i)
		}
		// From the middle, in both directions, and no further than asked.
		mid := p.Len() / 2
		at := sort.SearchInts(rows, mid)
		m.Ascend(mid, func(row int) bool { some = append(some, row); return len(some) < 3 })
		if want := rows[at:min(at+3, len(rows))]; !slices.Equal(some, want) {
			say("match %d from %d: %v, all: %v", i, mid, some, want)
		}
		some = some[:0]
		m.Descend(mid-1, func(row int) bool { some = append(some, row); return len(some) < 3 })
		slices.Reverse(some)
		if want := rows[max(0, at-3):at]; !slices.Equal(some, want) {
			say("match %d back from %d: %v, all: %v", i, mid, some, want)
		}
	}
	return lines
}

// modelAnswers is what answers should write for the rows.
func modelAnswers(first uint64, rows []modelRow, finds []find, questions []question) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	say("first %d, %d rows", first, len(rows))
	for i := range testInts {
		var all []int64
		for _, r := range rows {
			all = append(all, r.ints[i])
		}
		say("ints %d %v", i, all)
	}
	byField := map[string]map[string][]int{}
	for row, r := range rows {
		for f, cell := range r.cells {
			if byField[f] == nil {
				byField[f] = map[string][]int{}
			}
			byField[f][cell] = append(byField[f][cell], row)
		}
	}
	fields := sortedKeys(byField)
	say("fields %q", fields)
	for _, f := range fields {
		for _, cell := range sortedKeys(byField[f]) {
			say("%s %q rows %v", f, cell, byField[f][cell])
		}
	}
	for _, f := range finds {
		if byField[f.field] == nil {
			say("find %v nothing", f)
			continue
		}
		var cells []string
		for _, cell := range sortedKeys(byField[f.field]) {
			if holdsLeaf(cell, f.path, f.terms) {
				cells = append(cells, cell)
			}
		}
		say("find %v %q", f, cells)
	}
	for i, q := range questions {
		var matched []int
		for row, r := range rows {
			if r.satisfies(q) {
				matched = append(matched, row)
			}
		}
		say("match %d %v", i, matched)
	}
	return lines
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func holdsLeaf(cell, path string, terms []string) bool {
	for _, l := range testLeaves([]byte(cell)) {
		if l[0] == path && slices.Contains(terms, l[1]) {
			return true
		}
	}
	return false
}

// holds reports whether the cell of the alternative's field satisfies it.
func (a *Alt) holds(cell string) bool {
	if a.Match == nil {
		return holdsLeaf(cell, a.Path, a.Terms)
	}
	return slices.ContainsFunc(testLeaves([]byte(cell)), func(l [2]string) bool { return l[0] == a.Path && (a.Match.Func == nil || a.Match.Func(l[1])) })
}

func (r *modelRow) satisfies(q question) bool {
	for _, c := range q.clauses {
		any := c.Rows != nil && r.ints[0]%2 == 0
		for _, a := range c.Any {
			cell, has := r.cells[a.Field]
			if c.Present {
				any = any || has
			} else if _, un := r.cells[a.Unless]; has && !(a.Unless != "" && un) {
				within := a.Within == nil || r.ints[a.Within.Col] >= a.Within.From && r.ints[a.Within.Col] < a.Within.To
				with := a.With == nil || r.cells[a.With.Field] != "" && a.With.holds(r.cells[a.With.Field])
				any = any || within && with && a.holds(cell)
			}
		}
		if any == c.Not {
			return false
		}
	}
	for _, rg := range q.ranges {
		if v := r.ints[rg.Col]; v < rg.From || v >= rg.To {
			return false
		}
	}
	return true
}

// drawMatch draws a condition on terms, mostly none.
func drawMatch(t *rapid.T) *TermMatch {
	switch rest := rapid.IntRange(0, 8).Draw(t, "match"); rest {
	case 0:
		return &TermMatch{}
	case 1, 2, 3:
		return &TermMatch{Func: func(term string) bool { return len(term)%3 == rest-1 }, Over: func() bool { return false }}
	}
	return nil
}

// drawQuestions draws questions about values that the rows have and about values that
// they lack.
func drawQuestions(t *rapid.T, rows []modelRow) (finds []find, questions []question) {
	fields := []string{"name", "mixed", "rare", "once", "wide", "same", "id", "never"}
	leaves := map[string][][2]string{}
	for _, r := range rows {
		for f, cell := range r.cells {
			if len(leaves[f]) < 3000 {
				leaves[f] = append(leaves[f], testLeaves([]byte(cell))...)
			}
		}
	}
	for _, f := range fields {
		slices.SortFunc(leaves[f], func(a, b [2]string) int {
			return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1])
		})
		leaves[f] = slices.Compact(leaves[f])
	}
	draw := func() find {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		leaf := [2]string{rapid.SampledFrom([]string{"", "k", "k.l", "no"}).Draw(t, "path"), rapid.SampledFrom([]string{"a", "", "zzz"}).Draw(t, "term")}
		terms := []string{leaf[1]}
		if l := leaves[f]; len(l) > 0 && rapid.IntRange(0, 4).Draw(t, "known") > 0 {
			leaf = rapid.SampledFrom(l).Draw(t, "leaf")
			terms = []string{leaf[1]}
			if rapid.IntRange(0, 2).Draw(t, "more") == 0 {
				for range rapid.SampledFrom([]int{1, 2, 40}).Draw(t, "terms") {
					if more := rapid.SampledFrom(l).Draw(t, "another"); more[0] == leaf[0] {
						terms = append(terms, more[1])
					}
				}
			}
		}
		return find{f, leaf[0], terms}
	}
	for range 12 {
		finds = append(finds, draw())
	}
	for range 12 {
		var q question
		for range rapid.SampledFrom([]int{1, 1, 0, 2, 3}).Draw(t, "clauses") {
			c := Clause{Not: rapid.IntRange(0, 3).Draw(t, "not") == 0, Present: rapid.IntRange(0, 4).Draw(t, "present") == 0}
			for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "alternatives") {
				f := draw()
				a := Alt{Field: f.field, Path: f.path, Terms: f.terms}
				if rapid.IntRange(0, 3).Draw(t, "unless") == 0 {
					a.Unless = rapid.SampledFrom(fields).Draw(t, "unless field")
				}
				if rapid.IntRange(0, 3).Draw(t, "within") == 0 {
					col := rapid.IntRange(0, testInts-1).Draw(t, "column")
					at := rows[rapid.IntRange(0, len(rows)-1).Draw(t, "row")].ints[col]
					a.Within = &Range{col, at, at + rapid.SampledFrom([]int64{1, 1, 1000, math.MaxInt64 - max(at, 0)}).Draw(t, "length")}
				}
				if rapid.IntRange(0, 2).Draw(t, "with") == 0 {
					w := draw()
					a.With = &Alt{Field: w.field, Path: w.path, Terms: w.terms, Match: drawMatch(t)}
				}
				a.Match = drawMatch(t)
				c.Any = append(c.Any, a)
			}
			if rapid.IntRange(0, 7).Draw(t, "rows") == 0 {
				c = Clause{Not: c.Not, Rows: func(p Part) func(row int) bool {
					ints := p.Ints(0)
					return func(row int) bool { return ints.At(row)%2 == 0 }
				}}
			}
			q.clauses = append(q.clauses, c)
		}
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "ranges") {
			col := rapid.IntRange(0, testInts-1).Draw(t, "column")
			from := rapid.SampledFrom([]int64{math.MinInt64, 0, rows[len(rows)/2].ints[col]}).Draw(t, "from")
			to := rapid.SampledFrom([]int64{math.MaxInt64, 0, rows[len(rows)/3].ints[col]}).Draw(t, "to")
			q.ranges = append(q.ranges, Range{col, from, to})
		}
		questions = append(questions, q)
	}
	return finds, questions
}

func sameAnswers(t interface{ Fatalf(string, ...any) }, what string, got, want []string) {
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s says\n%.600s\nwant\n%.600s", what, g, w)
		}
	}
}

func TestPartsAgree(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		db := openDB(t)
		rapid.Check(t, func(t *rapid.T) { partsAgree(t, db, 400) })
	})
	t.Run("many pages", func(t *testing.T) {
		db := openDB(t)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			if n++; n <= 6 {
				partsAgree(t, db, 20_000)
			}
		})
	})
}

func partsAgree(t *rapid.T, db *pebble.DB, most int) {
	if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	rows := drawRows(t, most)
	finds, questions := drawQuestions(t, rows)
	const first = 1000
	want := modelAnswers(first, rows, finds, questions)

	open := memPartOf(first, rows)
	// Rows that are appended but not published are in no answer and in no run, even
	// with fields and cells of their own.
	open.Lock()
	for i := range rapid.IntRange(0, 3).Draw(t, "unpublished") {
		open.Append([]int64{-1, -1})
		open.Set([]byte("never"), []byte("sa"))
		open.Set([]byte("name"), fmt.Appendf(nil, "sunpublished %d", i))
	}
	open.Unlock()
	snap := open.Snapshot()
	got := answers(snap, finds, questions)
	got = slices.DeleteFunc(got, func(l string) bool { return strings.HasPrefix(l, "fields ") })
	plain := slices.DeleteFunc(slices.Clone(want), func(l string) bool { return strings.HasPrefix(l, "fields ") })
	nothing := func(lines []string) []string {
		for i, l := range lines {
			if strings.HasPrefix(l, "find {never") {
				lines[i] = strings.TrimSuffix(strings.TrimSuffix(l, " nothing"), " []")
			}
		}
		return lines
	}
	sameAnswers(t, "the part in memory", nothing(got), nothing(plain))

	var totals Totals
	totals.Add("p", 1, "v", 2)
	cache := NewCache(rapid.SampledFrom([]int64{0, 4096, 1 << 20}).Draw(t, "cache"))
	run := runOf(t, db, 7, snap, totals.Sorted(), cache)
	view := run.Part()
	sameAnswers(t, "the run", answers(view, finds, questions), want)
	if err := view.Err(); err != nil {
		t.Fatal(err)
	}
	filter, err := run.Filter()
	if err != nil {
		t.Fatal(err)
	}
	if n := filter.Bytes(); n > run.FilterBytesMax() {
		t.Fatalf("a filter of %d bytes, want at most %d", n, run.FilterBytesMax())
	}
	for i, r := range rows {
		if may, err := run.MayContain(uint64(i) * 0x9e3779b97f4a7c15); err != nil || may != mayContain(filter, uint64(i)*0x9e3779b97f4a7c15) {
			t.Fatalf("the page of the filter says %v, %v; the whole filter differs", may, err)
		}
		if cell, ok := r.cells["id"]; ok {
			hash := FilterHash(cell[1:])
			if may, err := run.MayContain(hash); err != nil || !may || !mayContain(filter, hash) || !mayContain(filter.Fold(), hash) {
				t.Fatalf("the filter denies %q, %v", cell, err)
			}
		}
	}
	if sum, keys, err := SumRun(db, 7); err != nil || sum != run.Sum || keys != run.Keys {
		t.Fatalf("checksum %x of %d keys, %v; want %x of %d", sum, keys, err, run.Sum, run.Keys)
	}
	// A run built from the run is the same run (X1).
	again := runOf(t, db, 8, run.Part(), totals.Sorted(), cache)
	if again.Sum != run.Sum || again.Keys != run.Keys {
		t.Fatal("a run built of a run differs from it")
	}
}

// While rows are appended, snapshots see them whole, in order, and only after Publish.
func TestMemPartWhileAppending(t *testing.T) {
	const total, step = 6000, 50
	o := NewMemPart(testFormat, 1, testInts)
	cell := func(row int) string { return fmt.Sprintf("s%d", row/3) }
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				p := o.Snapshot()
				n := p.Len()
				if n%step != 0 {
					t.Errorf("%d rows are published", n)
					return
				}
				if n == 0 {
					continue
				}
				last := n - 1
				if got := p.Ints(0).At(last); got != int64(last) {
					t.Errorf("row %d has %d", last, got)
				}
				c := p.Column("f")
				if got := string(c.Cell(uint32(c.Codes().At(last)))); got != cell(last) {
					t.Errorf("row %d has cell %q", last, got)
				}
				n = 0
				NewMatcher(p, []Clause{{Any: []Alt{{Field: "f", Terms: []string{cell(last)[1:]}}}}}, nil, nil).Ascend(0, func(int) bool { n++; return true })
				if want := last%3 + 1; n != want {
					t.Errorf("row %d: %d rows match, want %d", last, n, want)
				}
				if fields := p.Fields(); !slices.Equal(fields, []string{"f"}) {
					t.Errorf("fields %q", fields)
				}
			}
		})
	}
	for row := 0; row < total; {
		o.Lock()
		for range step {
			o.Append([]int64{int64(row), 0})
			o.Set([]byte("f"), []byte(cell(row)))
			row++
		}
		o.Unlock()
		o.Publish()
	}
	close(done)
	wg.Wait()
}

// A part has at most ColumnsMax columns. A field that has a column still fits.
func TestFits(t *testing.T) {
	o := NewMemPart(testFormat, 1, 0)
	o.Append(nil)
	for i := range ColumnsMax {
		f := fmt.Appendf(nil, "f%d", i)
		if !o.Fits(f) {
			t.Fatalf("field %d does not fit", i)
		}
		o.Set(f, []byte("sx"))
	}
	if o.Fits([]byte("one more")) || !o.Fits([]byte("f0")) || !o.Fits([]byte("f1023")) {
		t.Error("the bound on columns does not hold")
	}
	o.Publish()
	db := openDB(t)
	run := NewRun(Descriptor{First: 1, Rows: 1, Run: 1}, db, NewCache(0), testFormat)
	if err := Build(&dbSink{t: t, db: db}, 1, o.Snapshot(), 0, testFormat, nil, ""); err != nil {
		t.Fatal(err)
	}
	v := run.Part()
	if n := len(v.Fields()); n != ColumnsMax || v.Err() != nil {
		t.Errorf("%d fields in the run, %v", n, v.Err())
	}
	if has, err := run.MayContain(FilterHash("x")); has || err != nil {
		t.Errorf("a run without the filtered column: %v, %v", has, err)
	}
	if filter, err := run.Filter(); err != nil || mayContain(filter, FilterHash("x")) {
		t.Errorf("the filter of a run without the filtered column: %v", err)
	}
}

func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "rows")
		set := map[int]bool{}
		b := newBitmap(n)
		for _, row := range rapid.SliceOfN(rapid.IntRange(0, 199), 0, 50).Draw(t, "set") {
			if row < n {
				b.set(row)
				set[row] = true
			}
		}
		if rapid.Bool().Draw(t, "not") {
			b.not()
			for row := range n {
				set[row] = !set[row]
			}
		}
		var want []int
		for row := range n {
			if set[row] {
				want = append(want, row)
			}
		}
		if b.count() != len(want) {
			t.Fatalf("%d rows; want %d", b.count(), len(want))
		}
		from := rapid.IntRange(-1, 201).Draw(t, "from")
		stop := rapid.IntRange(1, 60).Draw(t, "stop")
		walk := func(each func(int, func(int) bool) bool, from int) (rows []int) {
			if end := each(from, func(row int) bool { rows = append(rows, row); return len(rows) < stop }); end != (len(rows) < stop) {
				t.Fatalf("from %d: %d rows, at the end: %t", from, len(rows), end)
			}
			return rows
		}
		cut := func(rows []int) []int { return rows[:min(stop, len(rows))] }
		up := cut(slices.DeleteFunc(slices.Clone(want), func(r int) bool { return r < from }))
		if got := walk(b.ascend, max(from, 0)); !slices.Equal(got, up) {
			t.Fatalf("from %d up: %v, want %v", from, got, up)
		}
		down := slices.DeleteFunc(slices.Clone(want), func(r int) bool { return r > from })
		slices.Reverse(down)
		if got := walk(b.descend, from); !slices.Equal(got, cut(down)) {
			t.Fatalf("from %d down: %v, want %v", from, got, cut(down))
		}
	})
}

// Each key of a run is lost, cut, emptied and replaced by another. A part that is asked
// everything then reports the damage, or did not need the key. With a flipped bit in a
// place without a sum, the part may give wrong answers, but only about rows that it
// has.
func TestDamagedRun(t *testing.T) {
	db := openDB(t)
	var rows []modelRow
	for seed := 0; len(rows) < 250; seed++ {
		rows = rapid.Custom(func(t *rapid.T) []modelRow { return drawRows(t, 300) }).Example(seed)
	}
	for i, f := range []string{"sa", "sb", "j=a;k.l=b"} { // so that every section exists and is read
		rows[i*90].cells["rare"] = f
		rows[i*90].cells["wide"] = "jx=y"
	}
	finds := []find{
		{"name", "", []string{"a"}}, {"mixed", "k", []string{"a"}}, {"wide", "", []string{"001", "050", "a"}},
		{"wide", "x", []string{"y"}}, {"rare", "k.l", []string{"b"}}, {"id", "", []string{"m9"}},
		{"once", "", []string{"a"}}, {"same", "", []string{"one"}},
	}
	questions := []question{
		{clauses: []Clause{{Any: []Alt{{Field: "wide", Terms: []string{"003"}}}}}},
		{clauses: []Clause{{Any: []Alt{{Field: "id", Terms: []string{"m9", "m30"}}}}}},
		{clauses: []Clause{{Any: []Alt{{Field: "mixed", Terms: []string{"a", "b"}}, {Field: "rare", Terms: []string{"a"}, Unless: "once"}}}}},
		{clauses: []Clause{{Any: []Alt{{Field: "once"}}, Present: true}}},
		{ranges: []Range{{1, 0, 1 << 40}}},
	}
	var totals Totals
	totals.Add("p", 1, "v", 2)
	totals.Add("q", 1, "v", 3)
	good := runOf(t, db, 7, memPartOf(1, rows).Snapshot(), totals.Sorted(), NewCache(0))
	want := modelAnswers(1, rows, finds, questions)
	ask := func() (lines []string, err error) {
		run := NewRun(good.Descriptor, db, NewCache(0), testFormat)
		v := run.Part()
		lines = answers(v, finds, questions)
		_, herr := run.MayContain(FilterHash("m1"))
		props, perr := run.Properties()
		var terr error
		for _, p := range props {
			terr = errors.Join(terr, run.Totals(p, math.MinInt32, math.MaxInt32, func(Total) {}))
		}
		counts := []string{}
		if c := CountsOf(v, 0, 70, []Clause{{Any: []Alt{{Field: "name", Terms: []string{"a"}}}}}); c != nil {
			c.Each(func(unit int64, rows uint64) { counts = append(counts, fmt.Sprint(unit, rows)) })
		}
		if v.Err() == nil && len(counts) < 30 {
			lines = append(lines, fmt.Sprint("counts ", counts))
		}
		for other, term := range map[string]string{"mixed": "a", "once": "a", "rare": "a", "same": "one", "wide": "001"} {
			if n := knownPair(v, "name", "a", other, term); n < 0 && v.Err() == nil {
				lines = append(lines, "no pairs with "+other)
			}
		}
		return lines, errors.Join(v.Err(), herr, perr, terr)
	}
	if lines, err := ask(); err != nil {
		t.Fatal(err)
	} else {
		sameAnswers(t, "the good run", lines, want)
	}
	type pair struct{ key, value []byte }
	var pairs []pair
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: runPrefix(7), UpperBound: prefixEnd(runPrefix(7))})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		pairs = append(pairs, pair{slices.Clone(it.Key()), slices.Clone(it.Value())})
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	unnoticed, flips, noticed := 0, 0, 0
	for i, p := range pairs {
		other := pairs[(i+len(pairs)/2)%len(pairs)].value
		for name, value := range map[string][]byte{"lost": nil, "empty": {}, "cut": p.value[:len(p.value)-1], "halved": p.value[:len(p.value)/2], "another's": other} {
			if value == nil {
				err = db.Delete(p.key, pebble.NoSync)
			} else {
				err = db.Set(p.key, value, pebble.NoSync)
			}
			if err != nil {
				t.Fatal(err)
			}
			lines, err := ask()
			var corrupt *CorruptError
			filter := string(p.key[9:11]) == "\xff\xfe"                  // any bits are a valid filter
			sums := string(p.key[9:11]) == "\xff\xfd" && name == "empty" // a page without totals is valid
			switch {
			case name == "another's":
				if err == nil && !slices.Equal(lines, want) {
					unnoticed++ // it decodes to other values; check finds it by the run's sum
				}
			case err == nil && !filter && !sums:
				t.Errorf("key %x %s: no error", p.key[9:], name)
			case err != nil && name == "lost" && !errors.As(err, &corrupt):
				t.Errorf("key %x %s: %T %v", p.key[9:], name, err, err)
			}
			if sum, keys, err := SumRun(db, 7); err != nil || sum == good.Sum && keys == good.Keys && string(value) != string(p.value) {
				t.Errorf("key %x %s: the run's sum has not changed, %v", p.key[9:], name, err)
			}
		}
		for n := range 24 {
			bad := slices.Clone(p.value)
			at := (n*7919 + i*31) % (len(bad) * 8)
			bad[at/8] ^= 1 << (at % 8)
			if err := db.Set(p.key, bad, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
			lines, err := ask()
			if flips++; err != nil {
				noticed++
			} else if !slices.Equal(lines, want) {
				unnoticed++
			}
		}
		if err := db.Set(p.key, p.value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d keys; %d of %d flipped bits noticed by the reader; %d wrong answers that only the sums of Pebble's blocks and of the run guard against", len(pairs), noticed, flips, unnoticed)
	if lines, err := ask(); err != nil || !slices.Equal(lines, want) {
		t.Fatalf("the repaired run: %v", err)
	}
}

// A run whose header is missing, or disagrees with its descriptor about the rows, gives
// an error and zeros.
func TestRunWithoutHeader(t *testing.T) {
	db := openDB(t)
	run := NewRun(Descriptor{Site: 1, First: 5, Rows: 3, Run: 9}, db, NewCache(0), testFormat)
	v := run.Part()
	var corrupt *CorruptError
	if v.Len() != 3 || v.Ints(0).At(2) != 0 || v.Column("name") != nil || len(v.Fields()) != 0 || !errors.As(v.Err(), &corrupt) || corrupt.Run != 9 {
		t.Errorf("%d rows, %v", v.Len(), v.Err())
	}
	if file, what := corrupt.Damaged(); file != "run 9 of site 1" || corrupt.Error() != file+": "+what {
		t.Errorf("damaged: %q, %q; %v", file, what, corrupt)
	}
	if _, err := run.MayContain(FilterHash("x")); err == nil {
		t.Error("MayContain of a run without header gives no error")
	}
	if _, err := run.Filter(); err == nil {
		t.Error("Filter of a run without header gives no error")
	}
	if err := run.Totals("p", 0, 9, func(Total) {}); err == nil {
		t.Error("Totals of a run without header gives no error")
	}
	whole := runOf(t, db, 10, memPartOf(1, []modelRow{{ints: []int64{1, 2}}}).Snapshot(), nil, NewCache(0))
	d := whole.Descriptor
	d.Rows = 2
	if v := NewRun(d, db, NewCache(0), testFormat).Part(); !errors.As(v.Err(), &corrupt) {
		t.Errorf("the descriptor has other rows: %v", v.Err())
	}
}

// readCounter counts what is read of a store.
type readCounter struct {
	pebble.Reader
	n int
}

func (r *readCounter) Get(key []byte) ([]byte, io.Closer, error) {
	r.n++
	return r.Reader.Get(key)
}

// A page that cannot be read is not read again for each of its cells: a report that lists the values
// of a damaged column would take seconds for its error.
func TestDamagedPageIsReadOnce(t *testing.T) {
	db := openDB(t)
	var rows []modelRow
	for i := range 500 {
		rows = append(rows, modelRow{ints: []int64{1, 2}, cells: map[string]string{"wide": fmt.Sprintf("s%04d", i)}})
	}
	good := runOf(t, db, 7, memPartOf(1, rows).Snapshot(), nil, NewCache(0))
	reads := &readCounter{Reader: db}
	all := func() error {
		reads.n = 0
		v := NewRun(good.Descriptor, reads, NewCache(0), testFormat).Part()
		col := v.Column("wide")
		if col == nil {
			return cmp.Or(v.Err(), errors.New("no column"))
		}
		for code := range col.Card() {
			col.Cell(uint32(code + 1))
		}
		return v.Err()
	}
	if err := all(); err != nil {
		t.Fatal(err)
	}
	most := reads.n
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: runPrefix(7), UpperBound: prefixEnd(runPrefix(7))})
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, slices.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, key := range keys {
		value, closer, err := db.Get(key)
		if err != nil {
			t.Fatal(err)
		}
		value = slices.Clone(value)
		closer.Close()
		if err := db.Delete(key, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if err := all(); err != nil {
			failed++
		}
		if reads.n > most {
			t.Errorf("without %x %d reads, %d of the whole run", key[9:], reads.n, most)
		}
		if err := db.Set(key, value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if failed < 2 {
		t.Errorf("%d of %d keys are needed", failed, len(keys))
	}
}
