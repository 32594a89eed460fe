// Cells that wait for their codes: the rows of wide columns have the cells that were set.

package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Two wide columns and a narrow one, with cells that come again soon, late or never, rows that
// lack a field, cells too long to wait, cells of one hash, and questions in the middle of a series. After each
// series, every row has its cell, and no cell has two codes.
func TestWideColumns(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	o := NewMemPart(testFormat, 1, 0)
	one, other := sameHash(o)
	fields := []string{"id", "user", "kind"}
	want := make([][]string, len(fields)) // cells by row; "" = none
	distinct := make([]map[string]bool, len(fields))
	for f := range distinct {
		distinct[f] = make(map[string]bool)
	}
	cell := func(f, row int) string {
		switch {
		case f == 2:
			return fmt.Sprintf("skind %d", random.IntN(5))
		case random.IntN(5) == 0:
			return ""
		case random.IntN(2000) == 0:
			return fmt.Sprintf("s%0*d", waitingText+1, random.IntN(3))
		case random.IntN(1000) == 0:
			return fmt.Sprintf("s%0*d", waitingText-100, random.IntN(3))
		case random.IntN(1000) == 0:
			return one
		case random.IntN(1000) == 0:
			return other
		case random.IntN(3) == 0:
			return fmt.Sprintf("ssoon %d", row/20)
		case random.IntN(3) == 0:
			return fmt.Sprintf("slate %d", random.IntN(40_000))
		}
		return fmt.Sprintf("snew %d", row)
	}
	for row := 0; row < 60_000; {
		o.Lock()
		for range 1 + random.IntN(5000) {
			o.Append(nil)
			for f, field := range fields {
				c := cell(f, row)
				want[f] = append(want[f], c)
				if c == "" {
					continue
				}
				distinct[f][c] = true
				o.Set([]byte(field), []byte(c))
				o.Set([]byte(field), []byte("sthe first cell counts"))
				if random.IntN(500) == 0 && !o.Has([]byte(field), []byte(c)) {
					t.Fatalf("seed %d: row %d of %s: the part does not have its cell", seed, row, field)
				}
				if random.IntN(500) == 0 && o.Has([]byte(field), []byte("snever")) {
					t.Fatalf("seed %d: the part has a cell that was not set", seed)
				}
			}
			row++
		}
		o.Unlock()
		o.Publish()
		v := o.Snapshot()
		for f, field := range fields {
			col := v.Column(field)
			if col.Card() != len(distinct[f]) {
				t.Fatalf("seed %d: %s has %d cells, want %d", seed, field, col.Card(), len(distinct[f]))
			}
			codes := col.Codes()
			for i, w := range want[f] {
				got := ""
				if code := codes.At(i); code != 0 {
					got = string(col.Cell(uint32(code)))
				}
				if got != w {
					t.Fatalf("seed %d: row %d of %s has %.40q, want %.40q", seed, i, field, got, w)
				}
			}
		}
	}
	for f, field := range fields {
		if wide := o.columns[field].wide(); wide != (f < 2) {
			t.Errorf("%s: wide = %v", field, wide)
		}
	}
}

// sameHash returns two cells of the same hash in a part.
func sameHash(m *MemPart) (one, other string) {
	seen := make(map[uint32]string)
	for i := 0; ; i++ {
		cell := fmt.Sprintf("scell %d", i)
		hash := m.hash([]byte(cell))
		if one = seen[hash]; one != "" {
			return one, cell
		}
		seen[hash] = cell
	}
}
