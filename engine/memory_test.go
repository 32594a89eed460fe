package engine

import (
	"reflect"
	"testing"
)

// All shares together are at most 43/32 of the memory that the program leaves. That is safe,
// because shares are ceilings and are not reached at the same time. Whoever raises one share
// must lower another.
func TestMemoryPlan(t *testing.T) {
	for _, bytes := range []int64{8 << 20, 64 << 20, 256 << 20, 1 << 30, 64 << 30} {
		p := PlanMemory(bytes)
		left := bytes - min(programBytes, bytes/4)
		if sum := p.Sum(); sum > left/32*43 || sum < left {
			t.Errorf("the shares of %d bytes add up to %d bytes, %.3f times as much", left, sum, float64(sum)/float64(left))
		}
		if p.RowsIdle > p.Rows || p.SealBytes > p.RowsIdle || p.PagesLeast > p.Pages-p.Links || p.FiltersOwn > p.Filters || p.IDPart > p.IDs {
			t.Errorf("with %d bytes a part is larger than its whole: %+v", bytes, p)
		}
		if filtersBeyond := p.Filters - p.FiltersOwn; p.Pages-filtersBeyond > p.PagesLeast {
			t.Errorf("with %d bytes filters and pages together may take %d bytes more than planned", bytes, p.Pages-filtersBeyond-p.PagesLeast)
		}
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			if v.Field(i).Int() <= 0 {
				t.Errorf("with %d bytes the share %s is %d, want more than 0", bytes, v.Type().Field(i).Name, v.Field(i).Int())
			}
		}
	}
}
