// The promise of merging: the run merged from several is byte for byte the run built
// from all their rows.

package index

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

func TestMerge(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		db := openDB(t)
		rapid.Check(t, func(t *rapid.T) { merges(t, db, 400) })
	})
	t.Run("many pages", func(t *testing.T) {
		db := openDB(t)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			if n++; n <= 6 {
				merges(t, db, 30_000)
			}
		})
	})
}

// long is longer than half of a page of totals.
var long = strings.Repeat("0123456789abcdef", totalsPageBytes/20)

func merges(t *rapid.T, db *pebble.DB, most int) {
	if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	rows := drawRows(t, most)
	finds, questions := drawQuestions(t, rows)
	const first = 70
	cuts := rapid.SliceOfNDistinct(rapid.IntRange(1, len(rows)), 0, 5, rapid.ID).Draw(t, "cuts")
	cuts = slices.Compact(slices.Sorted(slices.Values(append(cuts, len(rows)))))
	cache := NewCache(1 << 20)
	var runs []*Run
	var all Totals
	total := func(t *Totals, part, i int) {
		// Some values are long, so that a page has few of them.
		t.Add([]string{"p", "q", "r"}[i%3], int32(i%4), []string{"a", "ab", "b", long + "a", long + "b"}[(part+i)%5], int64(i))
	}
	for part, from := 0, 0; part < len(cuts); from, part = cuts[part], part+1 {
		var some Totals
		for i := range (part + len(rows)) % 70 {
			total(&some, part, i)
			total(&all, part, i)
		}
		runs = append(runs, runOf(t, db, uint64(part+1), memPartOf(first+uint64(from), rows[from:cuts[part]]).Snapshot(), some.Sorted(), cache))
	}
	want := runOf(t, db, 100, memPartOf(first, rows).Snapshot(), all.Sorted(), cache)
	sum := &Checksum{Next: &dbSink{t: t, db: db}}
	if err := Merge(sum, 101, runs, testInts, "id"); err != nil {
		t.Fatal(err)
	}
	if sum.Sum() != want.Sum || sum.Keys != want.Keys {
		t.Fatalf("merged of %d runs: %d keys, %x; built: %d, %x", len(runs), sum.Keys, sum.Sum(), want.Keys, want.Sum)
	}
	d := want.Descriptor
	d.Run = 101
	merged := NewRun(d, db, cache, testFormat)
	view := merged.Part()
	sameAnswers(t, "the merged run", answers(view, finds, questions), modelAnswers(first, rows, finds, questions))
	if err := view.Err(); err != nil {
		t.Fatal(err)
	}
	// Lists made in many passes, and a run merged alone, give the same bytes.
	var again Checksum
	scratch := new(scratch)
	b := newRunWriter(&again, 102, testFormat, "id", scratch, []source{&runSource{runPart: view.(*runPart), scratch: scratch}})
	b.pass = rapid.SampledFrom([]int{1, 7, 50}).Draw(t, "pass")
	if err := b.write(testInts); err != nil || again.Sum() != want.Sum {
		t.Fatalf("merged with none: %x, %v; want %x", again.Sum(), err, want.Sum)
	}
	var sums []Total
	for _, p := range []string{"p", "q", "r", "s"} {
		if err := merged.Totals(p, 1, 2, func(t Total) { sums = append(sums, t) }); err != nil {
			t.Fatal(err)
		}
	}
	some := slices.DeleteFunc(all.Sorted(), func(t Total) bool { return t.Day < 1 || t.Day > 2 })
	if !slices.Equal(sums, some) {
		t.Fatalf("totals of days 1 and 2: %v, want %v", sums, some)
	}
}

// A run that is missing or has lost a page cannot be merged. A merge of flipped bits,
// which the sums of Pebble's blocks guard against, ends with or without an error.
func TestMergeDamaged(t *testing.T) {
	db := openDB(t)
	rows := rapid.Custom(func(t *rapid.T) []modelRow { return drawRows(t, 300) }).Example(3)
	var totals Totals
	totals.Add("p", 1, "v", 2)
	one := runOf(t, db, 1, memPartOf(1, rows).Snapshot(), totals.Sorted(), NewCache(0))
	next := uint64(len(rows)) + 1
	two := runOf(t, db, 2, memPartOf(next, rows).Snapshot(), totals.Sorted(), NewCache(0))
	var keys [][]byte
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: runPrefix(2), UpperBound: prefixEnd(runPrefix(2))})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, slices.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	merge := func() error {
		var sum Checksum
		return Merge(&sum, 3, []*Run{NewRun(one.Descriptor, db, NewCache(0), testFormat), NewRun(two.Descriptor, db, NewCache(0), testFormat)}, testInts, "id")
	}
	if err := merge(); err != nil {
		t.Fatal(err)
	}
	flips, noticed := 0, 0
	for _, k := range keys {
		good, closer, err := db.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		good = slices.Clone(good)
		_ = closer.Close()
		if err := db.Delete(k, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		// The merge does not read what it makes anew: counts, pairs, filter, first cells, lists.
		col, sec := string(k[9:11]), section(k[11])
		made := col == "\xff\xfe" || col == "\xff\xfb" || col == "\xff\xfc" || sec == secFirsts || sec == secListStarts || sec == secBlocks
		var corrupt *CorruptError
		if err := merge(); !errors.As(err, &corrupt) != made {
			t.Errorf("without key %x: %v", k[9:], err)
		}
		for n := range 40 {
			bad := slices.Clone(good)
			at := (n*7919 + len(k)) % (len(bad) * 8)
			bad[at/8] ^= 1 << (at % 8)
			if err := db.Set(k, bad, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
			if flips++; merge() != nil {
				noticed++
			}
		}
		if err := db.Set(k, good, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d flipped bits noticed by the merge alone", noticed, flips)
}

// A column with one cell, which every row has, is merged without its codes. They are still
// looked at, and the run is that which Build makes.
func TestMergeConstantColumn(t *testing.T) {
	const rows = PageRows + 10
	part := func(first uint64, n int) *MemPart {
		m := NewMemPart(testFormat, first, testInts)
		m.Lock()
		for range n {
			m.Append(make([]int64, testInts))
			m.Set([]byte("k"), []byte("sv"))
		}
		m.Unlock()
		m.Publish()
		return m
	}
	db := openDB(t)
	one, two := runOf(t, db, 1, part(1, rows).Snapshot(), nil, NewCache(0)), runOf(t, db, 2, part(rows+1, rows).Snapshot(), nil, NewCache(0))
	merge := func() (sum Checksum, err error) {
		err = Merge(&sum, 3, []*Run{NewRun(one.Descriptor, db, NewCache(0), testFormat), NewRun(two.Descriptor, db, NewCache(0), testFormat)}, testInts, "")
		return sum, err
	}
	var want Checksum
	if err := Build(&want, 3, part(1, 2*rows).Snapshot(), testInts, testFormat, nil, ""); err != nil {
		t.Fatal(err)
	}
	if got, err := merge(); err != nil || got != want {
		t.Fatalf("the merged run is not that of its rows, %v", err)
	}
	codes := pageKey{2, testInts, secInts, 1}.append(nil)
	for name, page := range map[string][]byte{
		"another code": appendConstant(nil, 2, rows-PageRows),
		"a row less":   appendConstant(nil, 1, rows-PageRows-1),
		"other codes":  appendInts(nil, []int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 0}),
		"no page":      nil,
	} {
		if err := db.Set(codes, page, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		var corrupt *CorruptError
		if _, err := merge(); !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
