package cli

import (
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/store"
	"cairn/index"
)

// The table of pages has a line for each kind of page, and one for all that was read.
func TestWritePages(t *testing.T) {
	var out strings.Builder
	writePages(&out, engine.PageReads{
		Kinds:  []index.PageReads{{Kind: "dict", Hits: 12, Loads: 3, Bytes: 4000}, {Kind: "codes", Hits: 5}},
		Tables: store.TableReads{Keys: 7, Bytes: 900},
	})
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := "page from the cache from tables bytes of these|dict 12 3 4000|codes 5 0 0|all, as stored 7 900"
	if strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
