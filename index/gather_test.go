package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Values and cells of single rows are those that whole pages have, whatever the cache keeps.
// Pages that are asked for once do not enter a full cache; those asked for again do.
func TestGather(t *testing.T) {
	const rows = 2*PageRows + 100
	rng := rand.New(rand.NewPCG(1, 2))
	model := make([]modelRow, rows)
	for i := range model {
		model[i] = modelRow{ints: []int64{rng.Int64N(1 << 50), 7}, cells: map[string]string{
			"turned": fmt.Sprintf("s%012x", rng.Uint64()>>16), // cells of one length are stored turned
			"wide":   "s" + string(make([]byte, rng.IntN(40))) + fmt.Sprint(rng.IntN(5000)),
			"few":    fmt.Sprint("s", i%3),
		}}
		if i%100 == 0 {
			model[i].cells["once"] = fmt.Sprint("s", i)
		}
	}
	db := openDB(t)
	run := runOf(t, db, 1, memPartOf(1, model).Snapshot(), nil, NewCache(64<<20))
	for _, size := range []int64{0, 1 << 20, 64 << 20} {
		cache := NewCache(size)
		p := run.In(cache).Part()
		for range 30 {
			var some []int
			for range 20 {
				some = append(some, rng.IntN(rows))
			}
			slices.Sort(some)
			got := make([]int64, len(some))
			Gather(p.Ints(0), some, got)
			for i, row := range some {
				if got[i] != model[row].ints[0] {
					t.Fatalf("cache of %d bytes, row %d: %d, want %d", size, row, got[i], model[row].ints[0])
				}
			}
			for _, f := range p.Fields() {
				col := p.Column(f)
				Gather(col.Codes(), some, got)
				var codes []uint32
				var of []int
				for i, row := range some {
					if (got[i] != 0) != (model[row].cells[f] != "") {
						t.Fatalf("cache of %d bytes, row %d: code %d of %s", size, row, got[i], f)
					} else if got[i] != 0 {
						codes, of = append(codes, uint32(got[i])), append(of, row)
					}
				}
				EachCell(col, codes, func(i int, cell []byte) {
					if want := model[of[i]].cells[f]; string(cell) != want {
						t.Fatalf("cache of %d bytes, row %d: %s is %q, want %q", size, of[i], f, cell, want)
					}
				})
			}
		}
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		held := 0
		for i := range cache.pages {
			held += cache.pages[i].pages.Len()
		}
		if size == 64<<20 && held == 0 {
			t.Error("a cache with space has no page")
		}
	}

	// A full cache: the pages of one listing enter it the second time, and are there the third.
	cache := NewCache(16 * 256 << 10)
	for i := range 10_000 {
		cache.put(pageKey{run: 9, sec: secInts, page: uint32(i)}, make([]byte, 1000))
	}
	loads := func() (n uint64) {
		for _, r := range cache.Reads() {
			n += r.Loads
		}
		return n
	}
	var took []uint64
	for range 3 {
		p := run.In(cache).Part()
		before := loads()
		to := make([]int64, 1)
		Gather(p.Ints(0), []int{5}, to)
		EachCell(p.Column("turned"), []uint32{77}, func(int, []byte) {})
		took = append(took, loads()-before)
	}
	if !slices.Equal(took, []uint64{2, 2, 0}) {
		t.Errorf("the same two pages are read %d times", took)
	}
}
