package table

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// A view for sinks shows what retention alone hides. What it hides is computed when one is taken, since most
// stores have no sink, and again when rows are hidden or shown.
func TestRetainedView(t *testing.T) {
	table := tableOf(9)
	hidden := func(want ...uint64) {
		t.Helper()
		v := table.RetainedView()
		defer v.Close()
		if got := v.Hidden(); got == nil && len(want) > 0 || got != nil && !got.Equals(roaring64.BitmapOf(want...)) {
			t.Errorf("a sink does not see %v, want %v", got, want)
		}
	}
	hidden()
	table.HideRetained(roaring64.BitmapOf(1, 2, 3, 4), roaring64.BitmapOf(1, 2))
	if table.erased != nil {
		t.Error("it was computed before anybody asked")
	}
	hidden(3, 4)
	table.Unhide(roaring64.BitmapOf(3))
	hidden(4)
	table.Hide(roaring64.BitmapOf(1, 2, 4, 5))
	hidden(4, 5)
	table.HideRetained(roaring64.BitmapOf(1, 2), roaring64.BitmapOf(1, 2))
	hidden()
	table.HideRetained(roaring64.BitmapOf(1, 2), nil)
	hidden(1, 2)
}
