// Rows of wide aggregates: goroutines count pairs together, and each row has a number of its own.

package read

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestWideRows(t *testing.T) {
	const goroutines, events, values, segments = 3, 60_000, 4000, 80
	for _, numbered := range []bool{false, true} {
		rows := wideRows{numbered: numbered}
		want := make(map[uint64]int64)
		var mu sync.Mutex
		numberOf := make(map[uint64]int32)
		var wg sync.WaitGroup
		for g := range goroutines {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			var batches [wideTables][]uint64
			corner := wideCorner{shift: cornerSegmentBits}
			add := func(key uint64, by int64) {
				mu.Lock()
				want[key] += by
				mu.Unlock()
				if by == 1 && !numbered && corner.add(key) {
					return
				}
				batches[tableOf(key)] = append(batches[tableOf(key)], key)
				if b := batches[tableOf(key)]; by > 1 || len(b) == wideBatch {
					if len(b) > 1 {
						rows.count(b[:len(b)-1], 1, nilUnless(numbered, len(b)-1))
					}
					numbers := nilUnless(numbered, 1)
					rows.count(b[len(b)-1:], by, numbers)
					if numbered {
						mu.Lock()
						if n, again := numberOf[key]; again && n != numbers[0] {
							t.Errorf("pair %x has the numbers %d and %d", key, n, numbers[0])
						}
						numberOf[key] = numbers[0]
						mu.Unlock()
					}
					batches[tableOf(key)] = b[:0]
				}
			}
			wg.Go(func() {
				for i := range events {
					add(wideKey(int32(rng.IntN(values)*rng.IntN(values)/values), int32(rng.IntN(segments))-1), 1+int64(i%50/49))
				}
				corner.each(func(key uint64, n int64) { rows.count([]uint64{key}, n, nilUnless(numbered, 1)) })
				corner.each(func(key uint64, n int64) { t.Errorf("an empty corner has %d of %x", n, key) })
				for _, b := range batches {
					if len(b) > 0 {
						rows.count(b, 1, nilUnless(numbered, len(b)))
					}
				}
			})
		}
		wg.Wait()
		if int(rows.n.Load()) != len(want) {
			t.Errorf("there are %d rows, want %d", rows.n.Load(), len(want))
		}
		var numbers []int32
		for i := range rows.tables {
			table := &rows.tables[i]
			numbers = append(numbers, table.numbers...)
			for at, row := range table.list {
				if row.events != want[row.key] || int(tableOf(row.key)) != i || table.find(row.key) != int32(at) {
					t.Fatalf("pair %x has %d events, want %d", row.key, row.events, want[row.key])
				}
				if n, known := numberOf[row.key]; known && n != table.numbers[at] {
					t.Fatalf("pair %x had the number %d and has %d", row.key, n, table.numbers[at])
				}
				delete(want, row.key)
			}
			if len(table.slots) > 0 && table.find(wideKey(values, segments)) != -1 {
				t.Error("a pair that nobody counted is found")
			}
		}
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != int32(i) {
				t.Fatalf("number %d is missing or there twice", i)
			}
		}
		if len(want) > 0 || numbered && len(numbers) != int(rows.n.Load()) {
			t.Errorf("%d pairs are lost; %d numbers", len(want), len(numbers))
		}
	}
}

func nilUnless(numbered bool, n int) []int32 {
	if !numbered {
		return nil
	}
	return make([]int32, n)
}
