package sink

import (
	"testing"
	"time"
)

// The check begins between 3 and 4 o'clock UTC, always at the same time for one cairn.
func TestNightAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now    string
		number uint64
		want   string
	}{
		{"2026-11-30T02:59:59Z", 0, "2026-11-30T03:00:00Z"},
		{"2026-11-30T03:00:00Z", 0, "2026-12-01T03:00:00Z"},
		{"2026-11-30T03:10:00Z", 3599, "2026-11-30T03:59:59Z"},
		{"2026-11-30T22:00:00-05:00", 7261, "2026-12-01T03:01:01Z"},
		{"2026-12-31T23:59:59Z", 60, "2027-01-01T03:01:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nightAfter(now, c.number).Format(time.RFC3339); got != c.want {
			t.Errorf("after %s, number %d: %s, want %s", c.now, c.number, got, c.want)
		}
	}
}

// Stretches end at each million, and where the number of the store changes. Rows before the first one are none.
func TestStretches(t *testing.T) {
	t.Parallel()
	spans := []StoreSpan{{7, 11, 1_500_000}, {8, 1_500_001, 1_400_000}, {9, 1_500_001, 2_100_000}}
	want := []Count{{7, 11, 1_000_000, 0, 0}, {7, 1_000_001, 1_500_000, 0, 0}, {9, 1_500_001, 2_000_000, 0, 0}, {9, 2_000_001, 2_050_000, 0, 0}}
	c, ok := stretchAfter(spans, 0, 2_050_000)
	for i := range want {
		if !ok || c != want[i] {
			t.Fatalf("stretch %d: %+v %t, want %+v", i, c, ok, want[i])
		}
		c, ok = stretchAfter(spans, c.Last, 2_050_000)
	}
	if ok {
		t.Errorf("one more: %+v", c)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count   Count
		found   Found
		skipped uint64
		want    string
	}{
		{Count{Rows: 10}, Found{10, 10}, 0, ""},
		{Count{Rows: 8, Gone: 2}, Found{10, 10}, 0, ""},
		{Count{Rows: 10}, Found{9, 9}, 0, "1 row is missing"},
		{Count{Rows: 10}, Found{9, 9}, 1, ""},
		{Count{Rows: 10}, Found{5, 5}, 3, "2 rows are missing"},
		{Count{Rows: 10}, Found{10, 8}, 0, "2 rows are missing, 2 rows are there twice"},
		{Count{Rows: 8, Gone: 1}, Found{10, 10}, 0, "1 row is there that this store lacks"},
	} {
		k := Comparison{Skipped: c.skipped}
		if got := k.differs(c.count, c.found).String(); got != c.want {
			t.Errorf("%+v, %+v: %q, want %q", c.count, c.found, got, c.want)
		}
	}
}
