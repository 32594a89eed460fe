// The small records of a run: header, totals, filter, descriptor, keys.

package index

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

var sortedNames = rapid.Map(rapid.SliceOfNDistinct(rapid.StringN(0, 9, -1), 0, 4, rapid.ID), func(names []string) []string {
	slices.Sort(names)
	return names
})

var headerGen = rapid.Custom(func(t *rapid.T) header {
	h := header{
		version: byte(rapid.IntRange(1, RunVersion).Draw(t, "version")),
		rows:    rapid.IntRange(0, 1<<20).Draw(t, "rows"),
		ints:    rapid.IntRange(0, 64).Draw(t, "ints"),
		filter:  rapid.IntRange(0, 9).Draw(t, "filter"),
	}
	pages := 0
	for _, property := range sortedNames.Draw(t, "totals") {
		days := rapid.SliceOfN(rapid.Int32(), 1, 4).Draw(t, "days")
		h.totals = append(h.totals, totalsHeader{property, pages, days})
		pages += len(days)
	}
	for _, name := range sortedNames.Draw(t, "columns") {
		c := columnHeader{
			name:    name,
			sparse:  rapid.Bool().Draw(t, "sparse"),
			lists:   rapid.Bool().Draw(t, "lists"),
			leaves:  rapid.Int64Range(0, 1<<20).Draw(t, "leaves"),
			card:    rapid.IntRange(0, h.rows).Draw(t, "card"),
			present: rapid.IntRange(0, h.rows).Draw(t, "present"),
		}
		c.scalars = rapid.IntRange(0, c.card).Draw(t, "scalars")
		for at := 0; at < c.card; at += rapid.IntRange(1+c.card/4, c.card).Draw(t, "page") {
			c.dict = append(c.dict, at)
		}
		for at := 0; at < len(c.dict); at += rapid.IntRange(1, len(c.dict)).Draw(t, "page of first cells") {
			c.firsts = append(c.firsts, at)
		}
		h.columns = append(h.columns, c)
	}
	if h.version < 2 || h.ints == 0 {
		return h
	}
	if rapid.Bool().Draw(t, "counts") {
		h.counts = &countsHeader{pages: []int{0}}
		h.counts.Ints = rapid.IntRange(0, h.ints-1).Draw(t, "counted column")
		h.counts.Unit = rapid.Int64Range(1, 1<<40).Draw(t, "unit")
		h.counts.Field = rapid.StringN(0, 9, -1).Draw(t, "counted field")
		h.counts.first = rapid.Int64Range(-unitsMost, unitsMost).Draw(t, "first unit")
		for code := 1; code <= h.rows && len(h.counts.pages) < 5; code += rapid.IntRange(1, h.rows).Draw(t, "codes") {
			h.counts.pages = append(h.counts.pages, code)
		}
	}
	if rapid.Bool().Draw(t, "bounds") {
		h.bounds = &boundsHeader{ints: rapid.IntRange(0, h.ints-1).Draw(t, "bounded column"), pages: make([]Bounds, (h.rows+PageRows-1)/PageRows)}
		for i := range h.bounds.pages {
			lo := rapid.Int64().Draw(t, "least")
			h.bounds.pages[i] = Bounds{lo, rapid.Int64Range(lo, math.MaxInt64).Draw(t, "greatest")}
		}
	}
	if of := rapid.IntRange(0, len(h.columns)).Draw(t, "paired column"); of < len(h.columns) {
		h.pairs = &pairsHeader{field: h.columns[of].name}
		if h.counts != nil && h.counts.Field != "" {
			h.counts.Field = h.pairs.field
		}
		if card := h.columns[of].card; card > pairSlots || card > 0 && rapid.Bool().Draw(t, "some codes") {
			for code := 1; code <= card && len(h.pairs.codes) < 5; code += rapid.IntRange(1, card).Draw(t, "codes") {
				h.pairs.codes = append(h.pairs.codes, code)
			}
		}
		page := 0
		for i, c := range h.columns {
			if i == of || c.card == 0 || rapid.Bool().Draw(t, "no pairs") {
				continue
			}
			pairs := pairsColumn{column: i, page: page}
			for code := 1; code <= c.card && len(pairs.firsts) < 5; code += rapid.IntRange(1, c.card).Draw(t, "codes") {
				pairs.firsts = append(pairs.firsts, code)
			}
			page += len(pairs.firsts)
			h.pairs.columns = append(h.pairs.columns, pairs)
		}
	}
	return h
})

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := headerGen.Draw(t, "header")
		b := h.append(nil)
		got, err := parseHeader(b)
		if err != nil || !reflect.DeepEqual(*got, h) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, h)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := parseHeader(b[:cut]); err == nil {
			t.Fatalf("%d of %d bytes parse", cut, len(b))
		}
		if _, err := parseHeader(append(b, 0)); err == nil {
			t.Fatal("a byte too many parses")
		}
	})
}

// Names that are out of order could not be found, so such a header is refused.
func TestHeaderOrder(t *testing.T) {
	column := func(name string) columnHeader { return columnHeader{name: name} }
	for name, h := range map[string]header{
		"columns": {columns: []columnHeader{column("b"), column("a")}}, "a column twice": {columns: []columnHeader{column("a"), column("a")}},
		"totals": {totals: []totalsHeader{{property: "b"}, {property: "a"}}}, "totals twice": {totals: []totalsHeader{{property: "a"}, {property: "a"}}},
	} {
		h.version = RunVersion
		if _, err := parseHeader(h.append(nil)); err == nil {
			t.Errorf("%s out of order: no error", name)
		}
	}
}

func FuzzHeader(f *testing.F) {
	for seed := range 8 {
		h := headerGen.Example(seed)
		f.Add(h.append(nil))
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 7, 2, 1, 1, 1, 'a', 3, 0, 0xff, 0xff, 0xff, 0xff, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		again, err := parseHeader(h.append(nil))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v becomes %+v, %v", h, again, err)
		}
	})
}

func TestTotals(t *testing.T) {
	var totals Totals
	totals.Add("b", 2, "x", 1)
	totals.Add("a", 3, "y", -5)
	totals.Add("b", 2, "x", 2)
	totals.Add("b", -1, "x", math.MaxInt64)
	totals.Add("b", -1, "x", 1)
	totals.Add("", 0, "", 0)
	totals.Add("b", 2, "w", math.MinInt64)
	totals.Add("b", 2, "w", -1)
	want := []Total{{"", 0, "", 0}, {"a", 3, "y", -5}, {"b", -1, "x", math.MaxInt64}, {"b", 2, "w", math.MinInt64}, {"b", 2, "x", 3}}
	if got := totals.Sorted(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAddSaturating(t *testing.T) {
	for _, c := range []struct{ a, b, want int64 }{
		{1, 2, 3}, {-1, 1, 0}, {math.MaxInt64, math.MinInt64, -1},
		{math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MinInt64, -1, math.MinInt64}, {math.MinInt64, math.MinInt64, math.MinInt64}, {math.MinInt64 + 1, -1, math.MinInt64},
	} {
		if got := AddSaturating(c.a, c.b); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// The sums are those of a map, whatever the order of the additions. Stored totals, in
// any order, give the sums back.
func TestTotalsProperty(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b", "plan", "(other)", "é"})
	rapid.Check(t, func(t *rapid.T) {
		var totals Totals
		model := map[Total]int64{} // by a Total without its sum
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			for range rapid.IntRange(0, 4).Draw(t, "amounts") {
				k := Total{Property: text.Draw(t, "property"), Day: rapid.SampledFrom([]int32{0, -1, 20_000, math.MaxInt32, math.MinInt32}).Draw(t, "day"), Value: text.Draw(t, "value")}
				by := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "by")
				totals.Add(k.Property, k.Day, k.Value, by)
				model[k] += by
			}
		}
		var want Totals
		for k, by := range model {
			want.Add(k.Property, k.Day, k.Value, by)
		}
		sorted := totals.Sorted()
		if len(sorted) != len(model) || !slices.Equal(sorted, want.Sorted()) {
			t.Fatalf("got %+v, want %+v", sorted, want.Sorted())
		}
		shuffled := rapid.Permutation(sorted).Draw(t, "order")
		for name, b := range map[string][]byte{"sorted": appendTotals(nil, sorted), "shuffled": appendTotals(nil, shuffled)} {
			var got []Total
			if err := ReadTotals(b, func(x Total) { got = append(got, x) }); err != nil {
				t.Fatal(name, err)
			}
			if name == "sorted" && !slices.Equal(got, sorted) {
				t.Fatalf("%s: got %+v, want %+v", name, got, sorted)
			}
			var again Totals
			if err := again.AddNote(b); err != nil {
				t.Fatal(name, err)
			}
			if len(got) != len(sorted) || !slices.Equal(again.Sorted(), sorted) {
				t.Fatalf("%s: got %+v, want %+v", name, got, sorted)
			}
			if cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); ReadTotals(b[:cut], func(Total) {}) == nil {
				t.Fatalf("%s: %d of %d bytes are read without an error", name, cut, len(b))
			}
		}
	})
}

// appendTotals appends a note of totals.
func appendTotals(dst []byte, totals []Total) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(totals)))
	for i := range totals {
		dst = AppendTotal(dst, &totals[i], i > 0 && totals[i].Property == totals[i-1].Property)
	}
	return dst
}

func FuzzTotals(f *testing.F) {
	f.Add(appendTotals(nil, nil))
	f.Add(appendTotals(nil, []Total{{"a", 1, "x", 2}, {"a", 1, "y", -2}, {"b", -1, "", 1 << 62}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var list []Total
		if err := ReadTotals(b, func(x Total) { list = append(list, x) }); err != nil {
			return
		}
		var again []Total
		if err := ReadTotals(appendTotals(nil, list), func(x Total) { again = append(again, x) }); err != nil || !slices.Equal(list, again) {
			t.Fatalf("%+v becomes %+v, %v", list, again, err)
		}
	})
}

// A page of totals returns what was written. A damaged page is refused or returns other
// totals, and reading it never leaves it.
func FuzzTotalsPage(f *testing.F) {
	page := totalsPage{}
	for _, t := range []Total{{"p", -3, "", 1}, {"p", -3, "ab", -1}, {"p", 7, "abc", math.MaxInt64}, {"p", 20_000, "x", math.MinInt64}} {
		page.add(&t)
	}
	f.Add(page.data)
	f.Add([]byte{0, 5, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var all []Total
		if readTotalsPage("p", b, math.MinInt32, math.MaxInt32, cloned, func(t Total) { all = append(all, t) }) != nil {
			return
		}
		var again totalsPage
		for i := range all {
			again.add(&all[i])
		}
		var same []Total
		if err := readTotalsPage("p", again.data, math.MinInt32, math.MaxInt32, cloned, func(t Total) { same = append(same, t) }); err != nil || !slices.Equal(all, same) {
			t.Fatalf("%v becomes %v, %v", all, same, err)
		}
	})
}

// A filter never denies a term that it holds. It wrongly admits about one in three
// hundred, or one in four thousand where terms are few, whatever the number of its
// pages.
func TestFilter(t *testing.T) {
	for _, n := range []int{0, 1, 6, 7, 100, 10_000, 65_536, filterFew} {
		f := newFilter(n)
		for i := range n {
			f.add(fmt.Appendf(nil, "term-%d", i))
		}
		has := func(term string) bool {
			h := xxhash.Sum64String(term)
			return pageMayContain(f[filterPage(h, len(f))], h)
		}
		for i := range n {
			if !has(fmt.Sprintf("term-%d", i)) {
				t.Fatalf("%d terms: term %d is denied", n, i)
			}
		}
		const asked = 200_000
		wrong := 0
		for i := range asked {
			if has(fmt.Sprintf("other-%d", i)) {
				wrong++
			}
		}
		share := float64(wrong) / asked
		t.Logf("%d terms: %d pages of %d bytes, %.3f %% wrong yes", n, len(f), len(f[0]), 100*share)
		most := 1.0 / 3500
		switch {
		case n == 0:
			most = 0
		case n < 100: // chance decides
			most = 0.05
		case n >= filterFew:
			most = 0.004
		}
		if share > most {
			t.Errorf("%d terms: %.3f %% wrong yes", n, 100*share)
		}
	}
}

// A filter in memory answers as its pages do. Folded to half its size it denies no term
// that it holds.
func TestFilterInMemory(t *testing.T) {
	db := openDB(t)
	for id, n := range []int{0, 1, 300, 1000, 20_000} {
		var rows []modelRow
		for i := range n {
			rows = append(rows, modelRow{ints: make([]int64, testInts), cells: map[string]string{"id": fmt.Sprint("s", i)}})
		}
		if n == 0 {
			rows = append(rows, modelRow{ints: make([]int64, testInts)})
		}
		run := runOf(t, db, uint64(id+1), memPartOf(1, rows).Snapshot(), nil, NewCache(0))
		filter, err := run.Filter()
		if err != nil {
			t.Fatal(err)
		}
		folded := filter.Fold()
		if folded.Fold() != folded || !folded.Folded() || filter.Folded() && folded != filter {
			t.Errorf("%d terms: folded twice", n)
		}
		if filter.Bytes() > run.FilterBytesMax() || n > 1000 && (folded.Bytes() > filter.Bytes()*11/20 || filter.Folded()) {
			t.Errorf("%d terms: %d bytes, %d folded, want at most %d", n, filter.Bytes(), folded.Bytes(), run.FilterBytesMax())
		}
		var hashes []uint64
		for i := range n + 50_000 {
			hashes = append(hashes, FilterHash(fmt.Sprint(i)))
		}
		whole, half := filter.MayContain(nil, hashes), folded.MayContain(nil, hashes)
		for i, hash := range hashes {
			may, err := run.MayContain(hash)
			if err != nil {
				t.Fatal(err)
			}
			_, inWhole := slices.BinarySearch(whole, int32(i))
			_, inHalf := slices.BinarySearch(half, int32(i))
			if may != inWhole || may && !inHalf || i < n && !may {
				t.Fatalf("%d terms: term %d: the page says %v, the filter %v, the folded filter %v", n, i, may, inWhole, inHalf)
			}
		}
		if wrong := len(half) - n; wrong > 50_000/10 && n > 0 {
			t.Errorf("%d terms: folded, %d of 50,000 absent terms are admitted", n, wrong)
		}
	}
}

// A damaged page of a filter answers from its bits, or "maybe" where it has none.
// Reading it never leaves it.
func FuzzFilter(f *testing.F) {
	f.Add(newFilter(2)[0], uint64(7))
	f.Add([]byte{}, uint64(0))
	f.Add([]byte{0}, ^uint64(0))
	f.Fuzz(func(t *testing.T, page []byte, h uint64) {
		if has := pageMayContain(page, h); len(page) == 0 && !has {
			t.Fatal("a filter of no bits says no")
		}
	})
}

// goldenDescriptor returns the golden descriptor of a version.
func goldenDescriptor(version byte) Descriptor {
	d := Descriptor{
		Version: version, Site: 70_000, First: 1<<40 + 1, Run: 7, Rows: 65_536, TimeMin: -62135596800000, TimeMax: 253402300799999,
		DayMin: -5, DayMax: 20_778, ReceivedMax: -1, Keys: 99, Sum: 0xfedcba9876543210,
	}
	if version >= 2 {
		d.Days = "days of a zone"
	}
	return d
}

func TestDescriptor(t *testing.T) {
	db := openDB(t)
	all := []Descriptor{
		{Version: 1, Site: 1, First: 1, Run: 9, Rows: 5},
		{Version: 2, Days: "x", Site: 1, First: 6, Run: 3, Rows: rowsMax, TimeMin: math.MinInt64, TimeMax: math.MaxInt64, DayMin: math.MinInt32, DayMax: math.MaxInt32, Keys: math.MaxUint64},
		{Version: 2, Site: 2, First: 1 << 47, Run: 1, Rows: 1},
		goldenDescriptor(2),
		{Version: 1, Site: 1<<32 - 1, First: 1, Run: math.MaxUint64, Rows: 1},
	}
	for _, i := range []int{3, 0, 4, 2, 1} {
		if err := all[i].Put(batchOf(db)); err != nil {
			t.Fatal(err)
		}
	}
	list := func() (got []Descriptor, err error) {
		err = Descriptors(db, func(d Descriptor) error { got = append(got, d); return nil })
		return got, err
	}
	if got, err := list(); err != nil || !slices.Equal(got, all) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, all)
	}
	if last := all[1].Last(); last != 5+rowsMax {
		t.Errorf("last is %d", last)
	}
	// Damage is refused and named, wherever it is.
	k := descriptorKey(1, 6)
	good, closer, err := db.Get(k)
	if err != nil {
		t.Fatal(err)
	}
	good = slices.Clone(good)
	_ = closer.Close()
	huge := slices.Clone(good)
	huge[9+7] = 0x80 // rows
	for name, v := range map[string][]byte{
		"short": good[:len(good)-1], "long": append(slices.Clone(good), 0), "empty": {},
		"newer version": append([]byte{3}, good[1:]...), "version 0": append([]byte{0}, good[1:]...), "version 1 with sections": append([]byte{1}, good[1:]...),
		"an unknown section that must be understood": append(slices.Clone(good[:descriptorLen]), 1, 3, 0),
		"a section that is too long":                 append(slices.Clone(good[:descriptorLen]), 1, 1, 2, 'x'),
		"sections out of order":                      append(slices.Clone(good[:descriptorLen]), 2, 2, 0, 1, 1, 'x'), "no rows": append(slices.Clone(good[:9]), append(make([]byte, 8), good[17:]...)...),
		"more rows than a run can have": huge,
	} {
		if err := db.Set(k, v, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if got, err := list(); err == nil || len(got) != 1 {
			t.Errorf("%s: %d descriptors, %v", name, len(got), err)
		}
	}
	// A section that need not be understood is skipped.
	if err := db.Set(k, append(slices.Clone(good[:descriptorLen]), 2, 1, 1, 'x', 2, 1, 'y'), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if got, err := list(); err != nil || !slices.Equal(got, all) {
		t.Errorf("an unknown section: %+v, %v", got, err)
	}
	if err := db.Delete(k, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	for _, k := range [][]byte{{PrefixDescriptor}, descriptorKey(1, 0), append(descriptorKey(1, 2), 0)} {
		if err := db.Set(k, good, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if got, err := list(); err == nil {
			t.Errorf("key %x: %+v", k, got)
		}
		if err := db.Delete(k, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
}

type putter struct{ db *pebble.DB }

func batchOf(db *pebble.DB) putter { return putter{db} }

func (p putter) Set(key, value []byte, _ *pebble.WriteOptions) error {
	return p.db.Set(key, value, pebble.NoSync)
}

// The checksum depends on a run's content alone: another id does not change it, any
// other byte does.
func TestChecksum(t *testing.T) {
	sum := func(id uint64, pairs ...string) uint64 {
		var c Checksum
		for i := 0; i < len(pairs); i += 2 {
			_ = c.Set(append(runPrefix(id), pairs[i]...), []byte(pairs[i+1]))
		}
		return c.Sum()
	}
	base := sum(1, "key", "value", "l", "")
	if sum(2, "key", "value", "l", "") != base {
		t.Error("the id of the run is in its checksum")
	}
	for _, other := range [][]string{{"key", "value"}, {"key", "value", "l", "x"}, {"keyv", "alue", "l", ""}, {"key", "valuel", "", ""}, {"l", "", "key", "value"}} {
		if sum(1, other...) == base {
			t.Errorf("%q has the same checksum", other)
		}
	}
}

func TestRunIDsAndDrop(t *testing.T) {
	for _, shared := range []bool{false, true} {
		db := openDB(t)
		want := []uint64{1, 255, 256, 1 << 40, math.MaxUint64}
		for _, id := range want {
			runOf(t, db, id, memPartOf(1, []modelRow{{ints: make([]int64, testInts)}}).Snapshot(), nil, NewCache(1<<20))
			if !shared {
				if err := db.Flush(); err != nil { // to make a table of its own
					t.Fatal(err)
				}
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, err := RunIDs(db); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %d, %v", got, err)
		}
		for i, id := range want {
			if flush, err := DropRun(db, id); err != nil || flush != shared {
				t.Fatalf("drop of %d: %t, %v", id, flush, err)
			}
			if got, err := RunIDs(db); err != nil || !slices.Equal(got, want[i+1:]) {
				t.Fatalf("after a drop of %d: %d, %v", id, got, err)
			}
			tables := db.Metrics().Total().TablesCount
			if want := int64(len(want) - i - 1); !shared && tables != want {
				t.Errorf("after a drop of %d there are %d tables, want %d", id, tables, want)
			}
		}
		if err := db.Set([]byte{PrefixRun, 1}, nil, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if got, err := RunIDs(db); err == nil {
			t.Errorf("a key of no run is listed: %d", got)
		}
	}
}

// The cache keeps at most what it may, and returns what was put in.
func TestCache(t *testing.T) {
	for _, size := range []int64{0, 1, 16 * 1000, 1 << 20} {
		c := NewCache(size)
		for i := range 2000 {
			k := pageKey{run: uint64(i % 7), col: uint16(i % 11), sec: []section{secDict, secInts, secMatches}[i%3], page: uint32(i)}
			want := bytes.Repeat([]byte{byte(i)}, i%500)
			c.put(k, want)
			c.put(k, []byte("another, which does not count"))
			if got := c.get(k); got != nil && !bytes.Equal(got, want) {
				t.Fatalf("page %d: %q", i, got)
			} else if got == nil {
				t.Fatalf("size %d: the page put last is gone", size)
			}
		}
		for i := range 2 * cacheShards {
			s, max := &c.pages[i%cacheShards], size*5/8/cacheShards
			if i >= cacheShards {
				s, max = &c.matches[i%cacheShards], size*3/8/cacheShards
			}
			if got := s.pages.Bytes(); got > max && s.pages.Len() > 1 {
				t.Errorf("size %d shard %d: %d bytes of %d pages, want at most %d", size, i, got, s.pages.Len(), max)
			}
		}
	}
	// The page that was used last stays longer than the page that was put last.
	c := NewCache(cacheShards * (2*(cachedBytes+10)*8/5 + 2))                                            // space for two in each shard
	key := func(i int) pageKey { return pageKey{run: 1, col: 1, sec: 1, page: uint32(i * cacheShards)} } // one shard
	c.put(key(0), make([]byte, 10))
	c.put(key(1), make([]byte, 10))
	c.get(key(0))
	c.put(key(2), make([]byte, 10))
	if c.get(key(0)) == nil || c.get(key(1)) != nil || c.get(key(2)) == nil {
		t.Error("the page used last was evicted")
	}
}

// The bytes of a small run and of a descriptor are frozen with their version.
func TestGolden(t *testing.T) {
	rows := make([]modelRow, 70)
	for i := range rows {
		cells := map[string]string{"id": fmt.Sprintf("sm%02d", i), "name": []string{"sview", "sbuy", "Ubuy"}[i%3]}
		if i%20 == 7 {
			cells["tags"] = []string{"j=a;=b", "jk.l=x", "splain"}[i/20%3]
		}
		if i == 33 {
			cells["once"] = "sonly here" // one row of 70: sparse
		}
		rows[i] = modelRow{ints: []int64{1_700_000_000_000 + int64(i)*1000, int64(i/10) - 3}, cells: cells}
	}
	var totals Totals
	totals.Add("name", 20_000, "buy", 46)
	totals.Add("name", 20_000, "view", 24)
	totals.Add("tags", 20_000, "a", -1)
	for _, of := range []struct {
		version byte
		counted Counted
		paired  string
		run     string
	}{
		{1, Counted{}, "", "run-v1"}, {2, Counted{}, "", "run-v2"},
		{2, Counted{Unit: 20_000, Field: "name"}, "", "run-v2-counts"}, {2, Counted{Unit: 20_000, Field: "name"}, "name", "run-v2-pairs"},
	} {
		var dump bytes.Buffer
		version := of.version
		sum := &Checksum{Next: sinkFunc(func(key, value []byte) error {
			fmt.Fprintf(&dump, "%x\n%s", key, hex.Dump(value))
			return nil
		})}
		s := new(scratch)
		w := newRunWriter(sum, 5, countedAs(of.counted), "id", s, []source{&partSource{memPartOf(11, rows).Snapshot(), testFormat, totals.Sorted(), s}})
		w.version, w.paired = version, of.paired
		if err := w.write(testInts); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&dump, "%d keys, checksum %016x\n", sum.Keys, sum.Sum())
		golden(t, fmt.Sprintf("testdata/%s.golden", of.run), dump.Bytes())

		dump.Reset()
		d := goldenDescriptor(version)
		err := d.Put(putFunc(func(key, value []byte) { fmt.Fprintf(&dump, "%x\n%s", key, hex.Dump(value)) }))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("testdata/descriptor-v%d.golden", version), dump.Bytes())
	}
}

type sinkFunc func(key, value []byte) error

func (f sinkFunc) Set(key, value []byte) error { return f(key, value) }

type putFunc func(key, value []byte)

func (f putFunc) Set(key, value []byte, _ *pebble.WriteOptions) error { f(key, value); return nil }

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: a changed format needs a new version\ngot\n%s\nwant\n%s", path, got, want)
	}
}
