// A site's rows, and how they change: appended, published, sealed, merged.

package table

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Table is the rows of one site: the newest in memory, those that wait to be sealed, and
// runs. The publisher, the sealer and the merger change it; queries take views of it.
type Table struct {
	ID    uint32
	Links *identity.Links     // between the site's persons
	Beats identity.LeastSince // heartbeats that changed a visit, by the time when the visit began

	mu      sync.RWMutex
	runs    *runSet
	sealing []*index.MemPart // complete, waiting for the sealer; oldest first
	open    *index.MemPart   // the newest rows; nil when there are none
	last    uint64           // seq of the newest published event

	hidden    *roaring64.Bitmap // seqs of rows that deletions hide; nil = none
	retained  *roaring64.Bitmap // those of them that retention alone hides; nil = none
	deletions uint64            // how often hidden has changed
	erased    *roaring64.Bitmap // the hidden rows that are not retained, as of erasedAt; nil = none
	erasedAt  uint64            // deletions when erased was computed: only sinks ask for it

	held atomic.Int64 // Views and Runs that are not closed

	pieces map[string]bool // fields of pieces that may have columns; the publisher's
}

// New makes the empty table of a site.
func New(id uint32, links *identity.Links) *Table {
	return &Table{ID: id, Links: links, runs: newRunSet(nil)}
}

// Last is the seq of the newest published event, 0 when there is none.
func (t *Table) Last() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.last
}

// Load adds the run that follows what the table has. Events between them are lost. It is
// called before anybody reads.
func (t *Table) Load(r *index.Run) {
	r.Hold()
	t.runs.all = append(t.runs.all, r)
	t.last = r.Last()
}

// Skip makes last the newest seq that is taken: a repair has lost the events up to it. It is
// called before anybody reads.
func (t *Table) Skip(last uint64) { t.last = max(t.last, last) }

// Append appends records, whose first has seq first, to the rows in memory. Nobody
// sees them before they are published. grown is how many bytes of memory they take. Only
// the publisher, or a replay, may call it. rest is memory.
func (t *Table) Append(first uint64, records [][]byte, rest *Overflow) (grown int64, err error) {
	return t.append(first, records, false, rest)
}

// AppendOwn is Append of records that this process has just made: it does not check what is
// in their cells.
func (t *Table) AppendOwn(first uint64, records [][]byte, rest *Overflow) (grown int64, err error) {
	return t.append(first, records, true, rest)
}

func (t *Table) append(first uint64, records [][]byte, own bool, rest *Overflow) (grown int64, err error) {
	if t.open == nil {
		open := index.NewMemPart(Format, first, event.NumInts)
		t.mu.Lock()
		t.open = open
		t.mu.Unlock()
		grown = open.Bytes()
	}
	before := t.open.Bytes()
	t.open.Lock()
	for _, r := range records {
		if err = t.appendRow(t.open, r, own, rest); err != nil {
			break
		}
	}
	t.open.Unlock()
	return grown + t.open.Bytes() - before, err
}

// MakeBlank makes a blank of the row that was appended last. A repair does that with what is left
// of one.
func (t *Table) MakeBlank() {
	t.open.Lock()
	defer t.open.Unlock()
	t.open.Set([]byte(index.FieldGone), event.AppendCell(nil, event.Boolean(true)))
}

// Publish shows the appended rows, up to the event at last.
func (t *Table) Publish(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open.Publish()
	t.last = last
}

// MemPart is the part that rows are appended to, nil when there is none. It is the
// publisher's.
func (t *Table) MemPart() *index.MemPart { return t.open }

// Unsealed returns the parts in memory that begin before seq, newest first.
func (t *Table) Unsealed(before uint64) (parts []index.Part) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.open != nil && t.open.First() < before {
		parts = append(parts, t.open.Snapshot())
	}
	for i := len(t.sealing) - 1; i >= 0; i-- {
		if t.sealing[i].First() < before {
			parts = append(parts, t.sealing[i].Snapshot())
		}
	}
	return parts
}

// Detach completes the open part, so that the sealer can seal it, and returns it. It returns
// nil if there is none. The next row begins a new part.
func (t *Table) Detach() *index.MemPart {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.open
	if o != nil {
		t.sealing = append(t.sealing, o)
		t.open = nil
	}
	return o
}

// SealedInto replaces the oldest sealing part by its run.
func (t *Table) SealedInto(r *index.Run) {
	t.mu.Lock()
	before := t.runs
	t.sealing = append([]*index.MemPart(nil), t.sealing[1:]...)
	t.runs = newRunSet(slices.Concat(before.all, []*index.Run{r}))
	t.mu.Unlock()
	before.release()
}

// Merged replaces neighbouring runs by the run that they were merged into. As soon as nobody
// reads an old run, freed is called with its id. If no view holds the run, that happens before
// Merged returns. Otherwise the goroutine that closes the last view of the run calls freed.
func (t *Table) Merged(old []*index.Run, r *index.Run, freed func(run uint64)) {
	for _, o := range old {
		o.OnFreed(freed)
	}
	t.mu.Lock()
	before := t.runs
	i := slices.Index(before.all, old[0])
	t.runs = newRunSet(slices.Concat(before.all[:i], []*index.Run{r}, before.all[i+len(old):]))
	t.mu.Unlock()
	before.release() // without the lock, since freed may take others
}

// Bounds returns the smallest and the largest value of an integer column of a part.
func Bounds(p index.Part, col int) (lo, hi int64) {
	lo, hi = math.MaxInt64, math.MinInt64
	buf := make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < p.Len(); page++ {
		for _, v := range p.Ints(col).Page(page, buf) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}
