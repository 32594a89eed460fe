// Benchmarks of the part in memory. One operation is one row.
//
//	go test ./index -run '^$' -bench MemPart

package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchMemPart returns a part of benchRows rows with ten fields: eight that every row has,
// one that every other row has and one that one row in a hundred has.
func benchMemPart() *MemPart {
	o := NewMemPart(testFormat, 1, 6)
	ints := make([]int64, 6)
	o.Lock()
	for row := range benchRows {
		o.Append(ints)
		for f := range openFields[:8] {
			o.Set(openFields[f], openCells[(row*7+f)%len(openCells)])
		}
		if row%2 == 0 {
			o.Set(openFields[8], openCells[row%len(openCells)])
		}
		if row%100 == 0 {
			o.Set(openFields[9], openCells[row%len(openCells)])
		}
	}
	o.Unlock()
	o.Publish()
	return o
}

var openFields, openCells = func() (fields, cells [][]byte) {
	for i := range 10 {
		fields = append(fields, fmt.Appendf(nil, "field%d", i))
	}
	for i := range 500 {
		cells = append(cells, fmt.Appendf(nil, "sa value of no great length %d", i))
	}
	return fields, cells
}()

func BenchmarkMemPartSet(b *testing.B) {
	b.ReportAllocs()
	for n := 0; n < b.N; n += benchRows {
		benchMemPart()
	}
}

// For a dense, a half full and a sparse column, reads all codes, searches the rows of
// one cell, and reads row by row.
func BenchmarkMemPartRead(b *testing.B) {
	v := benchMemPart().Snapshot()
	buf := make([]int64, PageRows)
	for _, f := range []int{0, 8, 9} {
		field := string(openFields[f])
		term := string(openCells[200][1:])
		b.Run("pages/"+field, func(b *testing.B) {
			for n := 0; n < b.N; n += benchRows {
				codes := v.Column(field).Codes()
				for page := range benchRows / PageRows {
					codes.Page(page, buf)
				}
			}
		})
		b.Run("match/"+field, func(b *testing.B) {
			for n := 0; n < b.N; n += benchRows {
				NewMatcher(v, []Clause{{Any: []Alt{{Field: field, Terms: []string{term}}}}}, nil, nil).Count(0, benchRows)
			}
		})
		b.Run("rows/"+field, func(b *testing.B) {
			for n := 0; n < b.N; n += benchRows {
				codes := v.Column(field).Codes()
				for row := range benchRows {
					codes.At(row)
				}
			}
		})
	}
}

// Writes a run from a part that has 1,000 names in 16 rows each.
func BenchmarkBuildSparse(b *testing.B) {
	o := NewMemPart(testFormat, 1, 6)
	ints := make([]int64, 6)
	for row := range benchRows {
		o.Append(ints)
		for name := range 1000 * b2i(row%(benchRows/16) == 99) {
			o.Set(fmt.Appendf(nil, "n%d", name), openCells[0])
		}
	}
	o.Publish()
	part := o.Snapshot()
	b.ReportAllocs()
	for n := 0; n < b.N; n += benchRows {
		var sum Checksum
		if err := Build(&sum, 1, part, 6, testFormat, nil, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// wide has what the rows of wideRows have: ids that are all new, users and pages of which some
// are frequent, and sessions of a few rows; beside them four columns of a few cells.
type wide struct {
	fields [8][]byte
	text   []byte
	ends   []int // of the cells in text, row by row
}

const wideRows = 1 << 16

func newWide() *wide {
	w := &wide{ends: make([]int, 0, wideRows*8)}
	random := rand.New(rand.NewPCG(1, 2))
	users, pages := rand.NewZipf(random, 1.1, 10, 1_000_000), rand.NewZipf(random, 1.1, 10, 50_000)
	for i := range w.fields {
		w.fields[i] = fmt.Appendf(nil, "field%d", i)
	}
	for range wideRows {
		user := users.Uint64()
		for _, cell := range []string{
			fmt.Sprintf("s%016x", random.Uint64()),
			fmt.Sprintf("suser-%d", user),
			fmt.Sprintf("shttps://shop.example/category/product-%d?ref=mail", pages.Uint64()),
			fmt.Sprintf("s%x", (user<<8|random.Uint64N(8))*0x9e3779b97f4a7c15),
			fmt.Sprint("s", random.Uint64N(4)), fmt.Sprint("s", random.Uint64N(20)), "s", fmt.Sprint("s", random.Uint64N(200)),
		} {
			w.text = append(w.text, cell...)
			w.ends = append(w.ends, len(w.text))
		}
	}
	return w
}

// part returns a part with the rows, which it appends in series as long as those of a group.
func (w *wide) part() *MemPart {
	o := NewMemPart(testFormat, 1, 6)
	ints := make([]int64, 6)
	at, start := 0, 0
	for row := 0; row < wideRows; {
		o.Lock()
		for range 1024 {
			o.Append(ints)
			for _, field := range w.fields {
				o.Set(field, w.text[start:w.ends[at]])
				start = w.ends[at]
				at++
			}
			row++
		}
		o.Unlock()
	}
	o.Publish()
	return o
}

func BenchmarkMemPartWide(b *testing.B) {
	w := newWide()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += wideRows {
		w.part()
	}
}

// Writes a run from a part with wide columns.
func BenchmarkBuildWide(b *testing.B) {
	part := newWide().part().Snapshot()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += wideRows {
		var sum Checksum
		if err := Build(&sum, 1, part, 6, testFormat, nil, "field0"); err != nil {
			b.Fatal(err)
		}
	}
}
