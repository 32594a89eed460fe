// Benchmark of asking the filter of a large run, of which little is in memory.
//
//	go test ./index -run '^$' -bench MayHold

package index

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func BenchmarkMayHold(b *testing.B) {
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
	h := header{rows: 1, ints: 1, filter: len(f)}
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
		maybe, err := r.MayHold(FilterHash(fmt.Sprintf("other-%d", i)))
		if err != nil {
			b.Fatal(err)
		}
		if maybe {
			yes++
		}
	}
	b.ReportMetric(100*float64(yes)/float64(b.N), "%wrong")
}
