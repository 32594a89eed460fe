package store

import "testing"

// What the store and the connections may open together stays below the limit.
func TestPlanFiles(t *testing.T) {
	for _, limit := range []int{256, 512, 1024, 4096, 20_000, 1 << 20} {
		p := PlanFiles(limit)
		if sum := otherFiles + p.Tables + p.Conns; sum > limit {
			t.Errorf("limit %d: %d files", limit, sum)
		}
		if p.Tables < pebbleTablesMin || p.Tables > pebbleTablesMax || p.Conns < connsMin {
			t.Errorf("limit %d: %+v", limit, p)
		}
	}
	if p := PlanFiles(64); p.Conns != connsMin || p.Tables != pebbleTablesMin {
		t.Errorf("a limit below what is needed: %+v", p)
	}
	if p := PlanFiles(1024); p.Conns < 400 || p.Tables < 400 {
		t.Errorf("the common limit: %+v", p)
	}
	if p := OpenFiles(); p.Conns <= 0 || p.Tables <= 0 {
		t.Errorf("this process: %+v", p)
	}
}
