package index

import (
	"math/rand/v2"
	"testing"
)

// A scan of many pages leaves those in the cache that were asked for more than once, of
// matches as well.
func TestCacheScan(t *testing.T) {
	const size = 4 << 20
	for _, sec := range []section{secInts, secMatches} {
		c := NewCache(size)
		ask := func(run uint64, pages int) (hits int) {
			for i := range pages {
				k := pageKey{run: run, col: 3, sec: sec, page: uint32(i)}
				if c.get(k) != nil {
					hits++
				} else {
					c.put(k, make([]byte, 4<<10))
				}
			}
			return hits
		}
		const often = 150 // of about 380
		ask(1, often)
		ask(1, often)
		ask(2, 10_000)
		if hits := ask(1, often); hits != often {
			t.Errorf("section %d: a scan has left %d of %d pages", sec, hits, often)
		}
	}
}

// Pages that the cache does not take are read right, those of several columns in turn.
func TestScanned(t *testing.T) {
	const pages = 12
	rng := rand.New(rand.NewPCG(3, 4))
	model := make([]modelRow, pages*PageRows)
	for i := range model {
		model[i] = modelRow{ints: []int64{rng.Int64N(1 << 50), rng.Int64N(1 << 50)}} // pages of 50 KiB
	}
	db := openDB(t)
	cache := NewCache(cacheShards * 60 << 10 * 4 / 3) // a shard has space for one
	run := runOf(t, db, 1, memPartOf(1, model).Snapshot(), nil, NewCache(0)).In(cache)
	buf, rows, reused := make([]int64, PageRows), make([]int32, 100), 0
	for range 10 {
		p := run.Part()
		cols := []*pagedInts{p.Ints(0).(*pagedInts), p.Ints(1).(*pagedInts)}
		for page := range pages {
			for i := range rows {
				rows[i] = int32(page*PageRows + i*80)
			}
			for range 2 {
				for c, col := range cols {
					for i, got := range Pick(col, rows, nil) {
						if want := model[rows[i]].ints[c]; got != want {
							t.Fatalf("row %d: picked %d, want %d", rows[i], got, want)
						}
					}
					for i, got := range col.Page(page, buf) {
						if want := model[page*PageRows+i].ints[c]; got != want || col.At(page*PageRows+i) != want {
							t.Fatalf("page %d, row %d: %d, want %d", page, i, got, want)
						}
					}
				}
			}
		}
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		for _, col := range cols {
			if cap(col.buf) > 0 {
				reused++
			}
		}
	}
	if reused == 0 {
		t.Error("the cache took all pages")
	}
}
