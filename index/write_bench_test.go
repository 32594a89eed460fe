// Benchmarks of writing runs: from a part in memory, and from several runs. One
// operation is one row.
//
//	go test ./index -run '^$' -bench 'Build|Merge'

package index

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

const benchRows = 1 << 16

// benchFormats are with and without counts. A unit has 900 rows.
var benchFormats = []struct {
	name   string
	format *Format
}{{"", countedAs(Counted{Unit: 9000, Field: "name"})}, {"/no counts", countedAs(Counted{})}}

// benchPart is a part like the events of a shop: six integers, columns with few and
// with many values, and two columns whose cells are unique.
func benchPart(first uint64, seed uint64) Part {
	rng := rand.New(rand.NewPCG(seed, 1))
	zipf := func(n uint64) *rand.Zipf { return rand.NewZipf(rng, 1.05, 10, n-1) }
	names, urls, users, products, countries := zipf(50), zipf(2000), zipf(100_000), zipf(5000), zipf(60)
	o := NewMemPart(testFormat, first, 6)
	o.Lock()
	var cell []byte
	set := func(field, format string, args ...any) {
		cell = fmt.Appendf(cell[:0], format, args...)
		o.Set([]byte(field), cell)
	}
	for i := range int64(benchRows) {
		at := int64(first) + i
		o.Append([]int64{at * 10, at*10 - int64(rng.IntN(2000)), at - int64(rng.IntN(5000)), int64(rng.IntN(int(at) + 1)), at >> 17, 1})
		set("amount", "s%d", rng.IntN(10_000))
		set("country", "s%02d", countries.Uint64())
		set("dialect", "snative")
		set("id", "s%016x", rng.Uint64())
		set("name", "sevent %d", names.Uint64())
		set("order", "so-%016x", rng.Uint64())
		set("product", "ssku-%d", 10_000+products.Uint64())
		set("session", "s%016x", (seed<<32+uint64(rng.IntN(1<<13)))*0x9e3779b97f4a7c15)
		set("url", "shttps://shop.example/p/%d", urls.Uint64())
		set("user", "suser-%d", 100_000+users.Uint64())
		if i%100 == 0 {
			set("rare", "sv%d", rng.IntN(50))
		}
	}
	o.Unlock()
	o.Publish()
	return o.Snapshot()
}

func BenchmarkBuild(b *testing.B) {
	part := benchPart(1, 1)
	for _, f := range benchFormats {
		b.Run("all"+f.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; n += benchRows {
				var sum Checksum
				if err := Build(&sum, 1, part, 6, f.format, nil, "id"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, fan := range []int{8, 16} {
		for _, f := range benchFormats {
			b.Run(fmt.Sprintf("runs=%d%s", fan, f.name), func(b *testing.B) { benchMerge(b, fan, f.format) })
		}
	}
}

func benchMerge(b *testing.B, fan int, format *Format) {
	db := openDB(b)
	var runs []*Run
	for i := range fan {
		part := benchPart(uint64(1+i*benchRows), uint64(i+1))
		sum := &Checksum{Next: sinkFunc(func(k, v []byte) error { return db.Set(k, v, pebble.NoSync) })}
		if err := Build(sum, uint64(i+1), part, 6, format, nil, "id"); err != nil {
			b.Fatal(err)
		}
		d := Descriptor{Site: 1, First: part.First(), Rows: benchRows, Run: uint64(i + 1), Keys: sum.Keys, Sum: sum.Sum()}
		runs = append(runs, NewRun(d, db, NewCache(1<<20), format))
		if err := db.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += fan * benchRows {
		var sum Checksum
		if err := Merge(&sum, 99, runs, 6, "id"); err != nil {
			b.Fatal(err)
		}
	}
}
