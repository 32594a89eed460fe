// Views: what one query sees of a table.

package table

import (
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// View is what one query sees: every part, oldest first, tiling 1..last but for the events
// that a repair has lost. Whoever takes a
// view closes it. Nobody reads its parts afterwards.
type View struct {
	Table *Table
	Parts []Part
	Last  uint64
	runs  Runs

	// Deletions is how often the hidden rows of the table had changed when the view was taken.
	Deletions uint64
	hidden    *roaring64.Bitmap
}

// Part is a part of a view, and the bounds known without opening it.
type Part struct {
	Run    *index.Run // nil for a part in memory
	open   *index.MemPart
	part   index.Part
	hidden index.RowSet
}

// View is what a query that begins now sees. The caller closes it.
func (t *Table) View() *View {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.view(t.hidden)
}

// RetainedView is View with the rows that retention alone hides: a sink takes them. The caller
// closes it.
func (t *Table) RetainedView() *View {
	t.mu.RLock()
	for t.erasedAt != t.deletions {
		t.mu.RUnlock()
		t.computeErased()
		t.mu.RLock()
	}
	defer t.mu.RUnlock()
	v := t.view(t.erased)
	v.Deletions |= 1 << 63 // what is remembered of it is not true of other views
	return v
}

// view returns a view that does not show some rows. The caller holds mu.
func (t *Table) view(hidden *roaring64.Bitmap) *View {
	v := &View{Table: t, Last: t.last, runs: t.hold(), Deletions: t.deletions, hidden: hidden}
	v.Parts = make([]Part, 0, len(v.runs.All)+len(t.sealing)+1)
	for _, r := range v.runs.All {
		v.Parts = append(v.Parts, Part{Run: r})
	}
	for _, o := range t.sealing {
		v.Parts = append(v.Parts, Part{open: o, part: o.Snapshot()})
	}
	if t.open != nil {
		if p := t.open.Snapshot(); p.Len() > 0 {
			v.Parts = append(v.Parts, Part{open: t.open, part: p})
		}
	}
	if hidden != nil {
		for i := range v.Parts {
			p := &v.Parts[i]
			p.hidden = hiddenIn(hidden, p.First(), p.Last())
		}
	}
	return v
}

// Hidden returns the rows of the part that no query may see, nil when there are none.
func (p *Part) Hidden() index.RowSet { return p.hidden }

// Hidden returns the seqs of the rows that deletions hide, nil when there are none. Nobody may
// change it.
func (v *View) Hidden() *roaring64.Bitmap { return v.hidden }

// Blanks returns the column of the part that has a cell in each blank, nil when there are none.
func (p *Part) Blanks() index.Column { return p.Get().Column(index.FieldGone) }

// HasGone reports whether some rows of the part may be deleted.
func (p *Part) HasGone() bool { return p.hidden != nil || p.Blanks() != nil }

// Gone reports whether a row is deleted: it is hidden, or a blank.
func (p *Part) Gone(row int) bool {
	if p.hidden != nil && p.hidden.Has(row) {
		return true
	}
	blanks := p.Blanks()
	return blanks != nil && blanks.Codes().At(row) != 0
}

// Close gives the runs of the view back. It is called once, when all goroutines that read
// the view have ended.
func (v *View) Close() {
	v.runs.Close()
	if Strict {
		clear(v.Parts) // who reads them now dereferences nil
	}
}

// Own returns a copy of the part that one goroutine uses alone. Get then opens a run again.
func (p *Part) Own() Part {
	own := *p
	if own.Run != nil {
		own.part = nil
	}
	return own
}

// Err is why something of the part could not be read, nil when all could.
func (p *Part) Err() error {
	if p.part == nil {
		return nil
	}
	return p.part.Err()
}

// Get opens the part.
func (p *Part) Get() index.Part {
	if p.part == nil {
		p.part = p.Run.Part()
	}
	return p.part
}

// First is the seq of the part's first row.
func (p *Part) First() uint64 {
	if p.Run != nil {
		return p.Run.First
	}
	return p.open.First()
}

// Last is the seq of the part's last row that the view sees.
func (p *Part) Last() uint64 {
	if p.Run != nil {
		return p.Run.Last()
	}
	return p.part.First() + uint64(p.part.Len()) - 1
}
