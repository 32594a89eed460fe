// Hidden rows: those that a deletion has taken and that still wait to be rewritten.

package table

import (
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Hide hides rows from all views that are taken from now on. all is the seqs of all rows that
// deletions hide, those of before as well; nil = none. The table keeps it, and nobody may change
// it any more.
func (t *Table) Hide(all *roaring64.Bitmap) {
	t.mu.RLock()
	retained := t.retained
	t.mu.RUnlock()
	t.HideRetained(all, retained)
}

// HideRetained is Hide, and says which of the rows retention alone hides: views for sinks show
// these. The caller makes sure that nobody hides rows meanwhile.
func (t *Table) HideRetained(all, retained *roaring64.Bitmap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hidden, t.retained = unlessEmpty(all), unlessEmpty(retained)
	t.deletions++
}

func unlessEmpty(seqs *roaring64.Bitmap) *roaring64.Bitmap {
	if seqs != nil && seqs.IsEmpty() {
		return nil
	}
	return seqs
}

// computeErased computes erased, unless rows are hidden or shown meanwhile. Nobody has to wait for it:
// the sets are not changed any more.
func (t *Table) computeErased() {
	t.mu.RLock()
	erased, retained, at := t.hidden, t.retained, t.deletions
	t.mu.RUnlock()
	if erased != nil && retained != nil {
		erased = unlessEmpty(roaring64.AndNot(erased, retained))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deletions == at {
		t.erased, t.erasedAt = erased, at
	}
}

// Retained returns the seqs of the rows that retention alone hides, nil = none. Nobody may change
// it.
func (t *Table) Retained() *roaring64.Bitmap {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.retained
}

// Hidden returns the seqs of the rows that are hidden, nil = none. Nobody may change it.
func (t *Table) Hidden() *roaring64.Bitmap {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.hidden
}

// Deletions returns how often the hidden rows have changed. What somebody remembers of rows is
// void when it has grown since before they were read.
func (t *Table) Deletions() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.deletions
}

// hiddenRows is the rows of a part whose seqs are in all.
type hiddenRows struct {
	all   *roaring64.Bitmap
	first uint64 // seq of row 0
	count int
}

// hiddenIn returns the rows of the seqs [first, last] that are in all, nil when there are none.
func hiddenIn(all *roaring64.Bitmap, first, last uint64) index.RowSet {
	if all == nil {
		return nil
	}
	n := all.Rank(last) - all.Rank(first-1) // seqs begin with 1
	if n == 0 {
		return nil
	}
	return &hiddenRows{all, first, int(n)}
}

func (h *hiddenRows) Has(row int) bool { return h.all.Contains(h.first + uint64(row)) }
func (h *hiddenRows) Count() int       { return h.count }

func (h *hiddenRows) Each(from, to int, fn func(row int)) {
	it := h.all.Iterator()
	it.AdvanceIfNeeded(h.first + uint64(from))
	for it.HasNext() {
		row := int(it.Next() - h.first)
		if row >= to {
			return
		}
		fn(row)
	}
}
