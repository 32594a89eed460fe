// Benchmarks of thinning, beside a merge of the same run: one operation is one row.
//
//	go test ./index -run '^$' -bench Thin

package index

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func BenchmarkThin(b *testing.B) {
	db := openDB(b)
	var runs []*Run
	const fan = 16
	for i := range fan {
		part := benchPart(uint64(1+i*benchRows), uint64(i+1))
		sum := &Checksum{Next: sinkFunc(func(k, v []byte) error { return db.Set(k, v, pebble.NoSync) })}
		if err := Build(sum, uint64(i+1), part, 6, benchFormats[0].format, nil, "id"); err != nil {
			b.Fatal(err)
		}
		d := Descriptor{Site: 1, First: part.First(), Rows: benchRows, Run: uint64(i + 1), Keys: sum.Keys, Sum: sum.Sum()}
		runs = append(runs, NewRun(d, db, NewCache(1<<20), benchFormats[0].format))
	}
	const rows = fan * benchRows
	sum := &Checksum{Next: sinkFunc(func(k, v []byte) error { return db.Set(k, v, pebble.NoSync) })}
	if err := Merge(sum, 100, runs, 6, "id"); err != nil {
		b.Fatal(err)
	}
	if err := db.Flush(); err != nil {
		b.Fatal(err)
	}
	run := NewRun(Descriptor{Site: 1, First: 1, Rows: rows, Run: 100, Keys: sum.Keys, Sum: sum.Sum()}, db, NewCache(1<<20), benchFormats[0].format)
	b.Run("merge", func(b *testing.B) { // what thinning is compared with
		b.ReportAllocs()
		for n := 0; n < b.N; n += rows {
			if err := Merge(sinkFunc(func(k, v []byte) error { return nil }), 200, []*Run{run}, 6, "id"); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, every := range []int{1000, 2, 1} {
		b.Run(fmt.Sprintf("every=%d", every), func(b *testing.B) {
			t := &Thinning{Blank: NewRows(rows), Mark: []byte("st"), Ints: make([]ThinInts, 6)}
			for row := 0; row < rows; row += every {
				t.Blank.Add(row)
			}
			b.ReportAllocs()
			bytes := 0
			for n := 0; n < b.N; n += rows {
				bytes = 0
				if err := Thin(sinkFunc(func(k, v []byte) error { bytes += len(k) + len(v); return nil }), 200, run, t, 6, "id"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bytes)/rows, "bytes/row")
		})
	}
}
