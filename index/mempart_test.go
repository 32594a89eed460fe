// The part in memory: how much memory its columns take, and that dense and sparse pages
// give the same answers.

package index

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A column gives each row the cell that was set, in every snapshot. Some stretches of
// rows nearly all have the field; in others hardly any row has it.
func TestMemColumnSparse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := NewMemPart(testFormat, 1, 0)
		var want []int64 // codes
		type snapshot struct {
			Part
			want []int64
		}
		var snaps []snapshot
		for range rapid.IntRange(1, 8).Draw(t, "stretches") {
			n := rapid.IntRange(1, 9000).Draw(t, "rows")
			every := rapid.SampledFrom([]int{1, 2, 3, 6, 10, 100, 5000}).Draw(t, "every")
			for i := range n {
				o.Append(nil)
				code := int64(0)
				if i%every == every/2 {
					code = int64(len(want)%3) + 1
					o.Set([]byte("f"), fmt.Appendf(nil, "s%d", code))
					o.Set([]byte("f"), []byte("sanother"))
				}
				want = append(want, code)
			}
			if rapid.Bool().Draw(t, "publish") {
				o.Publish()
			}
			v := o.Snapshot()
			snaps = append(snaps, snapshot{v, slices.Clone(want[:v.Len()])})
		}
		buf := make([]int64, PageRows)
		for _, s := range snaps {
			col, _ := s.Column("f").(*memColumnSnapshot)
			if col == nil {
				continue
			}
			counts := map[int64]int{}
			for page := 0; page*PageRows < s.Len(); page++ {
				got := col.Codes().Page(page, buf)
				first := page * PageRows
				for i, code := range got {
					// Codes are numbered in the order in which cells came.
					text := int64(0)
					if code != 0 {
						text = int64(col.Cell(uint32(code))[1] - '0')
					}
					if text != s.want[first+i] || col.Codes().At(first+i) != code {
						t.Fatalf("row %d of %d: code %d, by row %d, want cell %d", first+i, s.Len(), code, col.Codes().At(first+i), s.want[first+i])
					}
					counts[code]++
				}
				if v, ok := col.Codes().Constant(page); ok && slices.ContainsFunc(got, func(code int64) bool { return code != v }) {
					t.Fatalf("page %d is not constant", page)
				}
			}
			for code := range col.Card() {
				cell := string(col.Cell(uint32(code + 1)))
				if n := col.Count(uint32(code + 1)); n != counts[int64(code+1)] {
					t.Fatalf("cell %s: Count says %d rows, want %d", cell, n, counts[int64(code+1)])
				}
				var rows []int
				NewMatcher(s.Part, []Clause{{Any: []Alt{{Field: "f", Terms: []string{cell[1:]}}}}}, nil, nil).Ascend(0, func(row int) bool {
					rows = append(rows, row)
					return true
				})
				if len(rows) != counts[int64(code+1)] || slices.ContainsFunc(rows, func(row int) bool { return s.want[row] != int64(cell[1]-'0') }) {
					t.Fatalf("cell %s: %d rows match, want %d", cell, len(rows), counts[int64(code+1)])
				}
			}
		}
	})
}

// hostile fills parts in ways that could take much memory for few cells. set returns
// how many fields a row has: fields 0 to n-1.
var hostile = []struct {
	name string
	rows int
	set  func(row int) (fields int)
	cell func(row, field int) string
}{
	{"each row the same fields", 20_000, func(int) int { return 20 }, oneCell},
	{"many names in one row, late", 65_000, func(row int) int { return 1000 * b2i(row == 64_999) }, oneCell},
	{"many names in the first and the last row", 65_000, func(row int) int { return 1000 * b2i(row == 0 || row == 64_999) }, oneCell},
	{"many names at both ends of each page", 4 * PageRows, func(row int) int { return 900 * b2i(row%PageRows == 0 || row%PageRows == PageRows-1) }, oneCell},
	{"many names once in 700 rows", 65_000, func(row int) int { return 1000 * b2i(row%700 == 3) }, oneCell},
	{"many names in a few consecutive rows", 65_000, func(row int) int { return 1000 * b2i(row%9000 < 30) }, oneCell},
	{"every cell different", 20_000, func(int) int { return 3 }, func(row, field int) string { return fmt.Sprintf("s%d-%d", row, field) }},
	{"large cells", 300, func(int) int { return 1 }, func(row, _ int) string { return fmt.Sprintf("s%033000d", row) }},
}

func oneCell(int, int) string { return "n1" }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Bytes is what a part really holds, and is bounded by what was sent: a name costs no
// bytes for rows without it.
func TestMemPartBytes(t *testing.T) {
	var names [][]byte
	for i := range ColumnsMax {
		names = append(names, fmt.Appendf(nil, "p%d", i))
	}
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			before := heap()
			o := NewMemPart(testFormat, 1, 0)
			sent, sets := int64(0), int64(0)
			for row := range c.rows {
				o.Append(nil)
				for f := range c.set(row) {
					cell := c.cell(row, f)
					o.Set(names[f], []byte(cell))
					sent += int64(len(names[f]) + len(cell))
					sets++
				}
			}
			o.Publish()
			held := heap() - before
			runtime.KeepAlive(o)
			if told := o.Bytes(); held > told*5/4+1<<16 || told > held*3/2+1<<16 {
				t.Errorf("the part holds %d bytes and says %d", held, told)
			}
			if most := MemPartBytesMax(1, int64(c.rows), sets, sent, 0); o.Bytes() > most {
				t.Errorf("%d bytes sent take %d, want at most %d", sent, o.Bytes(), most)
			}
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// MemPartBytesMax is an upper bound for cells of any shape.
func TestMemPartBytesMax(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		o := NewMemPart(testFormat, 1, 0)
		names, cells, rows := 1+rng.IntN(ColumnsMax), 1+rng.IntN(3000), 1+rng.IntN(20_000)
		gap := 1 + rng.IntN(300)
		sent, sets := int64(0), int64(0)
		for range rows {
			o.Append(nil)
			if rng.IntN(gap) != 0 {
				continue
			}
			for range 1 + rng.IntN(20) {
				name, cell := fmt.Appendf(nil, "p%d", rng.IntN(names)), fmt.Appendf(nil, "n%d", rng.IntN(cells))
				o.Set(name, cell)
				sent += int64(len(name) + len(cell))
				sets++
			}
		}
		if taken, most := o.Bytes(), MemPartBytesMax(1, int64(rows), sets, sent, 0); taken > most {
			t.Errorf("%d rows, %d names, one row in %d: %d bytes take %d, want at most %d", rows, names, gap, sent, taken, most)
		}
	}
}

// Build reads only the cells of a sparse column, not all its rows.
func TestBuildOfSparseColumns(t *testing.T) {
	o := NewMemPart(testFormat, 1, 0)
	const rows = 8 * PageRows
	for row := range rows {
		o.Append(nil)
		if row%20_000 == 10 {
			o.Set([]byte("f"), []byte("sx"))
		}
	}
	o.Publish()
	s := &partSource{o.Snapshot(), testFormat, nil, new(scratch)}
	read, codes := 0, 0
	src := s.column("f")
	src.codes(func(st *stretch) {
		read += len(st.codes)
		for i, code := range st.codes {
			if code != 0 {
				codes++
			}
			if st.at != nil && st.at[i]%20_000 != 10 {
				t.Errorf("row %d has a code", st.at[i])
			}
		}
	})
	if codes != 4 || src.present != 4 || read > 4 {
		t.Errorf("Build reads %d codes for %d of %d rows", read, codes, src.present)
	}
}

// A field that begins late in a page and then comes with each row soon makes the page
// dense, so that reading one row needs no search.
func TestMemColumnBecomesDense(t *testing.T) {
	o := NewMemPart(testFormat, 1, 0)
	for row := range PageRows {
		if o.Append(nil); row >= 1000 {
			o.Set([]byte("f"), []byte("sx"))
		}
		switch p := o.columns["f"]; {
		case row == 1001 && p.pages[0].rows == nil:
			t.Errorf("the page has %d codes for 2 rows", len(p.pages[0].codes))
		case row == 1400 && (p.pages[0].rows != nil || len(p.pages[0].codes) != row+1):
			t.Errorf("after 401 rows from row %d the page is still sparse", row+1)
		}
	}
}

// A part says which cells it has, and whether some fields together still get columns.
func TestHasAndFitsAll(t *testing.T) {
	m := NewMemPart(testFormat, 1, 0)
	m.Append(nil)
	m.Set([]byte("a"), []byte("sx"))
	m.Append(nil)
	m.Set([]byte("a"), []byte("sy"))
	for _, c := range []struct {
		field, cell string
		has         bool
	}{{"a", "sx", true}, {"a", "sy", true}, {"a", "sz", false}, {"b", "sx", false}} {
		if m.Has([]byte(c.field), []byte(c.cell)) != c.has {
			t.Errorf("%s has %s: %v", c.field, c.cell, !c.has)
		}
	}
	for i := range ColumnsMax - 3 {
		m.Set(fmt.Appendf(nil, "k%d", i), []byte("sx"))
	}
	if !m.FitsAll("a", []string{"k1", "new", "newer"}) || !m.FitsAll("new", []string{"newer"}) || m.FitsAll("new", []string{"newer", "a", "newest"}) {
		t.Error("two columns are left")
	}
}
