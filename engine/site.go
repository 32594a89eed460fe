// One site's part of the store: what is published, in memory and sealed.

package engine

import (
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// format tells the index what a cell is.
var format = &index.Format{
	Compare:    event.CompareCells,
	Scalar:     event.CellScalar,
	AppendTerm: event.AppendCellTerm,
	Key:        event.CellKey,
	Text:       event.CellIsString,
	AppendText: func(dst []byte, text string) []byte { return event.AppendCell(dst, event.Str(text)) },
	Leaves:     event.CellLeaves,
}

// Table is the rows of one site: the newest in memory, those that wait to be sealed, and
// runs. The publisher, the sealer and the merger change it; queries take views of it.
type rowTable struct {
	id    uint32
	links *identity.Links // between the site's persons

	mu      sync.RWMutex
	runs    []*index.Run  // oldest first, tiling
	sealing []*index.Open // complete, waiting for the sealer; oldest first
	open    *index.Open   // the newest rows; nil when there are none
	last    uint64        // seq of the newest published event
}

// newTable makes the empty table of a site.
func newTable(id uint32, links *identity.Links) *rowTable { return &rowTable{id: id, links: links} }

// lastSeq is the seq of the newest published event, 0 when there is none.
func (t *rowTable) lastSeq() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.last
}

// load adds the run that follows what the table has. It is called before anybody reads.
func (t *rowTable) load(r *index.Run) {
	t.runs = append(t.runs, r)
	t.last = r.Last()
}

// appendRows appends records, whose first has seq first, to the rows in memory. Nobody
// sees them before they are published. grown is how many bytes of memory they take. Only
// the publisher, or a replay, may call it. rest is memory.
func (t *rowTable) appendRows(first uint64, records [][]byte, rest *overflow) (grown int64, err error) {
	if t.open == nil {
		open := index.NewOpen(format, first, event.NumInts)
		t.mu.Lock()
		t.open = open
		t.mu.Unlock()
		grown = open.Bytes()
	}
	before := t.open.Bytes()
	t.open.Lock()
	defer t.open.Unlock()
	for _, r := range records {
		if err := appendRow(t.open, r, rest); err != nil {
			return grown, err
		}
	}
	return grown + t.open.Bytes() - before, nil
}

// publish shows the appended rows, up to the event at last.
func (t *rowTable) publish(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open.Publish()
	t.last = last
}

// inMemory is the part that rows are appended to, nil when there is none. It is the
// publisher's.
func (t *rowTable) inMemory() *index.Open { return t.open }

// rowView is what one query sees: every part, oldest first, tiling 1..last.
type rowView struct {
	site  *rowTable
	parts []viewPart
	last  uint64
}

// viewPart is a part and the bounds known without opening it.
type viewPart struct {
	run  *index.Run // nil for an open part
	open *index.Open
	part index.Part
}

// view is what a query that begins now sees.
func (t *rowTable) view() *rowView {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v := &rowView{site: t, last: t.last}
	for _, r := range t.runs {
		v.parts = append(v.parts, viewPart{run: r})
	}
	for _, o := range t.sealing {
		v.parts = append(v.parts, viewPart{open: o, part: o.Snapshot()})
	}
	if t.open != nil {
		if p := t.open.Snapshot(); p.Len() > 0 {
			v.parts = append(v.parts, viewPart{open: t.open, part: p})
		}
	}
	return v
}

// own returns the part for one goroutine alone: a run is opened again.
func (p *viewPart) own() viewPart {
	own := *p
	if own.run != nil {
		own.part = nil
	}
	return own
}

// err is why something of the part could not be read, nil when all could.
func (p *viewPart) err() error {
	if p.part == nil {
		return nil
	}
	return p.part.Err()
}

// get opens the part.
func (p *viewPart) get() index.Part {
	if p.part == nil {
		p.part = p.run.View()
	}
	return p.part
}

func (p *viewPart) first() uint64 {
	if p.run != nil {
		return p.run.First
	}
	return p.open.First()
}

func (p *viewPart) last() uint64 {
	if p.run != nil {
		return p.run.Last()
	}
	return p.part.First() + uint64(p.part.Len()) - 1
}

// sealed returns the site's runs, oldest first.
func (t *rowTable) sealed() []*index.Run {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.runs
}

// unsealed returns the parts in memory that begin before seq, newest first.
func (t *rowTable) unsealed(before uint64) (parts []index.Part) {
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

// detach takes the open part out of the way of new rows, for the sealer.
func (t *rowTable) detach() *index.Open {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.open
	if o != nil {
		t.sealing = append(t.sealing, o)
		t.open = nil
	}
	return o
}

// sealedInto replaces the oldest sealing part by its run.
func (t *rowTable) sealedInto(r *index.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealing = append([]*index.Open(nil), t.sealing[1:]...)
	t.runs = append(append([]*index.Run(nil), t.runs...), r)
}

// merged replaces runs that follow one another by the run made of them.
func (t *rowTable) merged(old []*index.Run, r *index.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.runs, old[0])
	runs := append([]*index.Run(nil), t.runs[:i]...)
	runs = append(runs, r)
	t.runs = append(runs, t.runs[i+len(old):]...)
}

// appendRow gives the newest row of an open part its cells; keys that clients invent
// beyond what a part has columns for go together into one column of each kind. rest is
// memory.
func appendRow(o *index.Open, record []byte, rest *overflow) error {
	var ints event.Ints
	rest.reset()
	first := true
	err := event.ScanRecord(record, &ints, func(field, cell []byte) error {
		if first {
			o.Append(ints[:])
			first = false
		}
		if !o.Fits(field) && !hasColumn(field) {
			rest.add(field, cell)
			return nil
		}
		o.Set(field, cell)
		return nil
	})
	if err != nil {
		return err
	}
	if first {
		o.Append(ints[:])
	}
	rest.each(func(field string, cell []byte) { o.Set([]byte(field), cell) })
	return nil
}

// hasColumn says that a field has a column of its own in every part, however many keys
// clients invent: the core fields, the keys of the context, and the properties that
// replace what is detected. Reads look for these in their own columns.
func hasColumn(field []byte) bool {
	switch key := field[1:]; {
	case len(key) == 0, field[0] == event.PrefixContext[0]:
		return true
	case field[0] == event.PrefixProperty[0]:
		return string(key) == "name" || event.Detected(string(key))
	}
	return false
}

// overflow gathers the keys of a row that have no column of their own, by the
// first byte of their fields. The zero overflow is ready.
type overflow struct {
	kinds []overflowKind
	cell  []byte
}

type overflowKind struct {
	prefix  string
	members event.Object
}

// overflowCellKept is how many bytes are kept for the cell of a row's keys.
const overflowCellKept = 2 << 20

// overflowKept is how many keys of a kind are kept room for.
const overflowKept = 1024

func (m *overflow) reset() {
	for i := range m.kinds {
		m.kinds[i].members = event.Emptied(m.kinds[i].members, overflowKept)
	}
	if cap(m.cell) > overflowCellKept {
		m.cell = nil
	}
}

func (m *overflow) add(field, cell []byte) {
	i := slices.IndexFunc(m.kinds, func(k overflowKind) bool { return k.prefix[0] == field[0] })
	if i < 0 {
		i = len(m.kinds)
		m.kinds = append(m.kinds, overflowKind{prefix: string(field[:1])})
	}
	k := &m.kinds[i]
	k.members = append(k.members, event.Member{Key: string(field[1:]), Value: event.CellValue(cell)})
}

// each calls yield with the fields that hold them, and their cells, which are good until
// it returns.
func (m *overflow) each(yield func(field string, cell []byte)) {
	for i := range m.kinds {
		if k := &m.kinds[i]; len(k.members) > 0 {
			m.cell = event.AppendObject(append(m.cell[:0], objectCell...), k.members)
			yield(k.prefix, m.cell)
		}
	}
}

// objectCell begins the cell of an object.
var objectCell = event.AppendCell(nil, event.Raw(""))
