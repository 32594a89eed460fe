// Thinned: a run is replaced by itself with blanks.

package table

import (
	"slices"

	"cairn/engine/event"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Thinned replaces a run by the one that it was rewritten into. The rows of done are blanks in
// it; they are not hidden any more. A view has both or neither: the run and its hidden rows, or
// the new run. freed is as in Merged. The caller makes sure that nobody calls Hide meanwhile.
func (t *Table) Thinned(old, r *index.Run, done *roaring64.Bitmap, freed func(run uint64)) {
	old.OnFreed(freed)
	t.mu.Lock()
	before := t.runs
	i := slices.Index(before.all, old)
	t.runs = newRunSet(slices.Concat(before.all[:i], []*index.Run{r}, before.all[i+1:]))
	t.unhide(done)
	t.mu.Unlock()
	before.release()
}

// Unhide shows rows again, which are blanks. The caller makes sure that nobody calls Hide
// meanwhile.
func (t *Table) Unhide(done *roaring64.Bitmap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unhide(done)
}

func (t *Table) unhide(done *roaring64.Bitmap) {
	if t.hidden == nil {
		return
	}
	t.hidden = unlessEmpty(roaring64.AndNot(t.hidden, done))
	if t.retained != nil {
		t.retained = unlessEmpty(roaring64.AndNot(t.retained, done))
	}
	t.deletions++
}

// namingFields are the fields of a row that the table of ids may have, see identity.NamesIn.
var namingFields = []string{
	event.FieldType, event.FieldDialect, event.FieldName, event.FieldUser, event.FieldAnonymous, event.FieldSession, event.FieldSessionOf, event.FieldPrevious,
	event.PrefixExtra + event.Fingerprint,
}

// NewNamesReader reads what the table of ids may have of the rows of a part: see
// identity.NamesIn.
func NewNamesReader(p index.Part) *RowReader {
	r := newFieldReader(p, namingFields)
	r.ints[event.IntPerson], r.ints[event.IntSession] = p.Ints(event.IntPerson), p.Ints(event.IntSession)
	return r
}

// Blank reports whether the row at seq is a blank.
func (v *View) Blank(seq uint64) bool {
	p := v.PartOf(seq)
	if p == nil {
		return false
	}
	col := p.Get().Column(index.FieldGone)
	return col != nil && col.Codes().At(int(seq-p.First())) != 0
}

// Living reports whether a run has a row that is no blank. The bounds of the others are empty.
func Living(d *index.Descriptor) bool { return d.TimeMin <= d.TimeMax }
