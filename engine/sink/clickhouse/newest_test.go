package clickhouse

import (
	"testing"

	"cairn/engine/sink/clickhouse/clickhousetest"
)

// The newest rows are found across holes, and without sorting all rows of a site: there may be billions.
func TestNewestSortsFew(t *testing.T) {
	url := clickhousetest.Start(t).URL
	s := open(t, url)
	var seqs []uint64 // newest first
	for _, span := range [][2]uint64{{200_000, 200_000}, {20_000, 25_000}, {7, 9}, {1, 2}} {
		if err := s.Send(t.Context(), rangeOf(s.Form(), 3, testSite, span[0], span[1], now, nil)); err != nil {
			t.Fatal(err)
		}
		for seq := span[1]; seq >= span[0]; seq-- {
			seqs = append(seqs, seq)
		}
	}
	small, err := New(Options{URL: url, Database: testDatabase, User: "small"}) // may sort 2,000 rows
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if err := small.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, upTo := range []uint64{1 << 63, 200_000, 199_999, 20_005, 9, 8, 1} {
		var want []uint64
		for _, seq := range seqs {
			if seq <= upTo && len(want) < 100 {
				want = append(want, seq)
			}
		}
		marks, err := small.Newest(t.Context(), 3, testSite, upTo, 100)
		if err != nil || len(marks) != len(want) {
			t.Fatalf("up to %d: %d rows, want %d, %v", upTo, len(marks), len(want), err)
		}
		for i, m := range marks {
			if m.Seq != want[i] || m.Received != now(m.Seq) {
				t.Fatalf("up to %d: row %d is %+v, want seq %d", upTo, i, m, want[i])
			}
		}
	}
	if marks, err := s.Newest(t.Context(), 3, testSite, 1<<63, 10_000); err != nil || len(marks) != len(seqs) {
		t.Fatalf("%d rows of %d, %v", len(marks), len(seqs), err)
	}
}
