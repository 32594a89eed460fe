package read

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"cairn/engine/identity"
	"cairn/index"
)

// cycleColumn is a column of n ids, which follow each other again and again.
type cycleColumn struct {
	index.Column
	n int
}

func (c cycleColumn) Card() int         { return c.n }
func (c cycleColumn) Codes() index.Ints { return cycleCodes{n: c.n} }

func (c cycleColumn) Find(_ string, terms []string) []uint32 {
	if n, err := strconv.Atoi(terms[0]); err == nil && n <= c.n {
		return []uint32{uint32(n)}
	}
	return nil
}

type cycleCodes struct {
	index.Ints
	n int
}

func (c cycleCodes) Page(page int, buf []int64) []int64 {
	buf = buf[:index.PageRows]
	for i := range buf {
		buf[i] = int64((page*index.PageRows+i)%c.n) + 1
	}
	return buf
}

// The first rows of some ids take memory for these, and hardly any for the other ids of a
// part.
func TestFirstRowsMemory(t *testing.T) {
	const n = 400_000
	f := &firstRows{view: &view{budget: budget{ctx: context.Background(), end: time.Now().Add(time.Hour)}}}
	var ids []kindID
	var rows []int
	for i := range 100 {
		ids = append(ids, kindID{identity.KindUser, strconv.Itoa(1 + i*n/100)}, kindID{identity.KindAnonymous, "1"}, kindID{identity.KindUser, "unknown"})
		rows = append(rows, -1, -1, -1)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := f.columnRows(cycleColumn{n: n}, 2*n, ids, identity.KindUser, rows); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > n {
		t.Errorf("%d bytes for 100 of %d ids", bytes, n)
	}
	for i := range 100 {
		if rows[3*i] != i*n/100 || rows[3*i+1] != -1 || rows[3*i+2] != -1 {
			t.Fatalf("id %d: rows %d", i, rows[3*i:3*i+3])
		}
	}
}
