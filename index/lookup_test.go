// Looking up terms: each row is found, and the pages of a dictionary are read for many terms at a time.

package index

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// pagesRead counts how often each page of a run is read.
type pagesRead struct {
	pebble.Reader
	times map[string]int
}

func (r *pagesRead) Get(key []byte) ([]byte, io.Closer, error) {
	r.times[string(key)]++
	return r.Reader.Get(key)
}

func TestDescendTerms(t *testing.T) {
	db := openDB(t)
	const rows = 20_000
	ids := func(i int) string { return fmt.Sprintf("id %09d", i*7919%rows/2) } // two rows each, far apart
	var all []modelRow
	for i := range rows {
		all = append(all, modelRow{ints: make([]int64, testInts), cells: map[string]string{"id": "s" + ids(i)}})
	}
	open := memPartOf(1, all)
	part := open.Snapshot()
	sealed := runOf(t, db, 1, part, nil, NewCache(1<<20))
	pages := &pagesRead{db, make(map[string]int)}
	cache := NewCache(1 << 20)
	cache.Lookups = true
	run := NewRun(sealed.Descriptor, pages, cache, testFormat)
	var terms []string
	want := make(map[string][]int) // rows of a term, newest first
	for i := range rows {
		id := ids(i)
		want[id] = append([]int{i}, want[id]...)
		terms = append(terms, id, id+"?") // and one that no row has
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	for name, p := range map[string]Part{"run": run.Part(), "memory": part} {
		got := make(map[string][]int)
		DescendTerms(p, "id", terms, func(term, row int) bool {
			got[terms[term]] = append(got[terms[term]], row)
			return true
		})
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: other rows are found than there are", name)
		}
		n := 0
		DescendTerms(p, "id", terms[:1], func(term, row int) bool { n++; return false })
		if n != 1 {
			t.Errorf("%s: %d rows after the first one", name, n)
		}
		DescendTerms(p, "no such field", terms, func(int, int) bool { t.Errorf("%s: a row has a field that no row has", name); return false })
	}
	dictionary, most := 0, 0
	for key, n := range pages.times {
		if k := []byte(key); section(k[len(k)-5]) == secDict {
			dictionary, most = dictionary+1, max(most, n)
		}
	}
	t.Logf("%d pages of dictionaries were read, each %d times at most", dictionary, most)
	if dictionary < 10 || most > 8 { // a page is read again when a term ends it or would be between it and the next one
		t.Errorf("%d pages of dictionaries were read, one of them %d times", dictionary, most)
	}
}
