package cli

import (
	"slices"
	"strings"
	"testing"

	"cairn/engine"
)

// The table of pages has a line for each kind of page, and one for all that was read.
func TestWritePages(t *testing.T) {
	var out strings.Builder
	var reads engine.PageReads
	reads.Kinds = slices.Grow(reads.Kinds, 2)[:2]
	dict, codes := &reads.Kinds[0], &reads.Kinds[1]
	dict.Kind, dict.Hits, dict.Loads, dict.Bytes = "dict", 12, 3, 4000
	codes.Kind, codes.Hits = "codes", 5
	reads.Tables.Keys, reads.Tables.Bytes = 7, 900
	writePages(&out, reads)
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := "page from the cache from tables bytes of these|dict 12 3 4000|codes 5 0 0|all, as stored 7 900"
	if strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
