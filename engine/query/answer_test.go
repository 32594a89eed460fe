package query

import "testing"

func TestSortCounters(t *testing.T) {
	rows := []CounterRow{
		{Value: "a", Events: 1, Sessions: 2, Users: 3},
		{Value: "b", Segment: "y", Events: 2, Sessions: 3, Users: 1},
		{Value: "b", Segment: "x", Events: 2, Sessions: 3, Users: 1},
		{Value: "c", Events: 3, Sessions: 1, Users: 2},
	}
	for by, want := range map[string]string{
		"": "cbxbya", "events": "cbxbya", "sessions": "bxbyac", "users": "acbxby", "value": "abxbyc",
	} {
		SortCounters(rows, by)
		got := ""
		for _, r := range rows {
			got += r.Value + r.Segment
		}
		if got != want {
			t.Errorf("by %q the rows are %s, want %s", by, got, want)
		}
	}
}
