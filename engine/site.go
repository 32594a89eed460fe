// One site's part of the store: what is published, in memory and sealed.

package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
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

// siteState is a site and its parts. The publisher and the sealer change it,
// queries take views of it.
type siteState struct {
	id    uint32
	links *identity.Links

	mu      sync.RWMutex
	runs    []*index.Run  // oldest first, tiling
	sealing []*index.Open // complete, waiting for the sealer; oldest first
	open    *index.Open   // the newest rows; nil when there are none
	last    uint64        // seq of the newest published event
	touched uint64        // the publisher's: commits when the open part last grew
	fresh   int           // the publisher's: values that rows of the open part are the first to count

	asked      uint64    // the sequencer's: the last time it asked for memory for rows of the site
	mergeAfter time.Time // the merger's: when it may try again
}

func newSiteState(id uint32) *siteState {
	return &siteState{id: id, links: identity.NewLinks(nil, nil)}
}

// view is what one query sees: every part, oldest first, tiling 1..last.
type view struct {
	site   *siteState
	parts  []viewPart
	last   uint64
	budget budget // of the question; zero where nothing asks for it
}

// viewPart is a part and the bounds known without opening it.
type viewPart struct {
	run  *index.Run // nil for an open part
	open *index.Open
	part index.Part
}

func (s *siteState) view() *view {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := &view{site: s, last: s.last}
	for _, r := range s.runs {
		v.parts = append(v.parts, viewPart{run: r})
	}
	for _, o := range s.sealing {
		v.parts = append(v.parts, viewPart{open: o, part: o.Snapshot()})
	}
	if s.open != nil {
		if p := s.open.Snapshot(); p.Len() > 0 {
			v.parts = append(v.parts, viewPart{open: s.open, part: p})
		}
	}
	return v
}

// view is what a question about the site sees.
func (e *Engine) view(ctx context.Context, site *query.Site) *view {
	v := e.state(site.ID).view()
	v.budget = e.budget(ctx)
	return v
}

// links returns the links between the site's persons, all that are stored among them.
func (v *view) links() (*identity.Links, error) {
	return v.site.links, v.site.links.Ready(v.budget.wait)
}

// persons returns who is one person by now.
func (v *view) persons() (identity.Persons, error) {
	l, err := v.links()
	if err != nil {
		return identity.Persons{}, err
	}
	return l.Persons(), nil
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
func (s *siteState) sealed() []*index.Run {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.runs
}

// unsealed returns the parts in memory that begin before seq, newest first.
func (s *siteState) unsealed(before uint64) (parts []index.Part) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.open != nil && s.open.First() < before {
		parts = append(parts, s.open.Snapshot())
	}
	for i := len(s.sealing) - 1; i >= 0; i-- {
		if s.sealing[i].First() < before {
			parts = append(parts, s.sealing[i].Snapshot())
		}
	}
	return parts
}

// detach takes the open part out of the way of new rows, for the sealer.
func (s *siteState) detach() *index.Open {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open
	if o != nil {
		s.sealing = append(s.sealing, o)
		s.open = nil
	}
	return o
}

// sealedInto replaces the oldest sealing part by its run.
func (s *siteState) sealedInto(r *index.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealing = append([]*index.Open(nil), s.sealing[1:]...)
	s.runs = append(append([]*index.Run(nil), s.runs...), r)
}

// merged replaces runs that follow one another by the run made of them.
func (s *siteState) merged(old []*index.Run, r *index.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.runs, old[0])
	runs := append([]*index.Run(nil), s.runs[:i]...)
	runs = append(runs, r)
	s.runs = append(runs, s.runs[i+len(old):]...)
}

// appendRow gives the newest row of an open part its cells; keys beyond what a
// part has columns for go together into one column of each kind. rest is memory.
func appendRow(o *index.Open, record []byte, rest *overflow) error {
	var ints event.Ints
	rest.reset()
	first := true
	err := event.ScanRecord(record, &ints, func(field, cell []byte) error {
		if first {
			o.Append(ints[:])
			first = false
		}
		if !o.Fits(field) && len(field) > 1 {
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

// overflowKept is how many keys of a kind are kept room for.
const overflowKept = 1024

func (m *overflow) reset() {
	for i := range m.kinds {
		m.kinds[i].members = event.Emptied(m.kinds[i].members, overflowKept)
	}
	if cap(m.cell) > groupBytesMax {
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
