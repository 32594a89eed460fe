package engine

import (
	"fmt"
	"reflect"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// All shares at their ceilings are less than seven eighths of the memory that the program leaves,
// and less than three quarters without that of reports. Whoever raises one share must lower
// another.
func TestMemoryPlan(t *testing.T) {
	for _, bytes := range []int64{8 << 20, MemoryLeast, 256 << 20, 1 << 30, 64 << 30} {
		p := PlanMemory(bytes)
		left := bytes - min(programBytes, bytes/8*3)
		most := left / 4 * 3
		if bytes < MemoryLeast {
			most += memtables * 64 << 10 // the least memtables
		}
		sum := p.Sum()
		if sum-p.Reports >= most || sum-p.Reports < left/2 || p.Reports > left/8 || p.Tuples*24 > p.Reports {
			t.Errorf("the shares of %d bytes add up to %d bytes, %.3f times as much", left, sum, float64(sum)/float64(left))
		}
		if p.SealBytes > p.RowsLeast || p.RunBlocks > p.PagesLeast/2 || p.PagesLeast+p.Links > p.Pool || p.PagesLeast+p.Filters > p.Pool || p.PagesLeast+p.more(p.IDsMore) > p.Pool || p.IDPart > p.IDs {
			t.Errorf("with %d bytes a part is larger than its whole: %+v", bytes, p)
		}
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			if v.Field(i).Int() <= 0 {
				t.Errorf("with %d bytes the share %s is %d, want more than 0", bytes, v.Type().Field(i).Name, v.Field(i).Int())
			}
		}
	}
}

// With the least memory, two full groups fit among the rows, and a body of Segment's largest
// batch fits even compressed and from a client without a secret, who gets a quarter of Bodies.
func TestLeastMemory(t *testing.T) {
	p := PlanMemory(MemoryLeast)
	if p.RowsLeast < 2*groupBytesMax {
		t.Errorf("%d bytes for rows, want at least two groups of %d", p.RowsLeast, groupBytesMax)
	}
	if p.Bodies/4 < 500<<10 {
		t.Errorf("%d bytes for bodies", p.Bodies)
	}
	if less := PlanMemory(MemoryLeast - 1<<20); less.RowsLeast >= 2*groupBytesMax {
		t.Errorf("with 1 MiB less, %d bytes for rows are still enough, so MemoryLeast can be less", less.RowsLeast)
	}
}

// What it takes to know where the keys of runs lie is taken from the page cache.
func TestRunBlocksCount(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	opts := Options{Dir: "data", FS: vfs.NewMem(), Reserve: -1, SealRows: 50, MergeRuns: 1000, Memory: MemoryLeast, Sites: SitesOf(site)}
	e, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 300 {
		record := Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: fmt.Sprint("m", n)}}}
		if _, err := e.Ingest(t.Context(), []Record{record}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(opts); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	page, err := e.List(t.Context(), query.Query{Site: &site.Site, Limit: 300})
	if err != nil || len(page.Events) != 300 {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	pages := func() int64 {
		e.pool.dividing.Lock()
		defer e.pool.dividing.Unlock()
		return e.pool.pages
	}
	before, bytes := pages(), e.runBlockBytes()
	e.tables.Load().CloseAll()
	if e.dividePool(); bytes == 0 || pages() != before+bytes {
		t.Errorf("with %d bytes of blocks the page cache has %d bytes, without %d", bytes, before, pages())
	}
}
