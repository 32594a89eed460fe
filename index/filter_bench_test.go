// Benchmarks of the filter of a large run: read page by page, and whole in memory.
//
//	go test ./index -run '^$' -bench 'MayContain|Filter'

package index

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func BenchmarkMayContain(b *testing.B) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const terms = 4 << 20
	f := newFilter(terms)
	for i := range terms {
		f.add(fmt.Appendf(nil, "id-%d", i))
	}
	for i, page := range f {
		if err := db.Set(pageKey{run: 1, col: colFilter, page: uint32(i)}.append(nil), page, pebble.NoSync); err != nil {
			b.Fatal(err)
		}
	}
	h := header{version: RunVersion, rows: 1, ints: 1, filter: len(f)}
	if err := db.Set(pageKey{run: 1, col: colHeader}.append(nil), h.append(nil), pebble.NoSync); err != nil {
		b.Fatal(err)
	}
	if err := db.Compact(b.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		b.Fatal(err)
	}
	r := NewRun(Descriptor{Rows: 1, Run: 1}, db, NewCache(1<<20), testFormat)
	b.ReportAllocs()
	b.ResetTimer()
	yes := 0
	for i := range b.N {
		maybe, err := r.MayContain(FilterHash(fmt.Sprintf("other-%d", i)))
		if err != nil {
			b.Fatal(err)
		}
		if maybe {
			yes++
		}
	}
	b.ReportMetric(100*float64(yes)/float64(b.N), "%wrong")
}

// One operation asks for the 1,000 ids of a request.
func BenchmarkFilter(b *testing.B) {
	for _, rows := range []int{1 << 16, 3 << 20} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			lines := filterLines(rows)
			f := &Filter{pages: lines / filterPageLines, size: filterPageLines}
			f.loaded = f.pages
			f.words = make([]uint64, filterWords*f.loaded*f.size)
			for range rows {
				h := rng.Uint64()
				for word := range filterWords {
					f.words[word*f.loaded*f.size+f.line(h)] |= filterBit(h, word)
				}
			}
			hashes := make([]uint64, 1000)
			var maybe []int32
			yes := 0
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				for i := range hashes {
					hashes[i] = rng.Uint64()
				}
				b.StartTimer()
				maybe = f.MayContain(maybe[:0], hashes)
				yes += len(maybe)
			}
			b.ReportMetric(100*float64(yes)/float64(b.N*len(hashes)), "%wrong")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(hashes)), "ns/id")
		})
	}
}
