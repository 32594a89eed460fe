// Forgetting: ids that only deleted rows have leave the table of ids.
//
// It comes before the rows are rewritten. An id that is in no living row gets a new ordinal when
// it comes again, so an ordinal that is dead stays dead, and the row that it names may become a
// blank without any name.

package engine

import (
	"errors"
	"time"

	"cairn/engine/erase"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

// erasure is the deletions of a site that are carried out together.
type erasure struct {
	site    *siteState
	records []*erase.Record // their rows are hidden
	rows    *roaring64.Bitmap
	now     *roaring64.Bitmap // rows of deletions that do not keep message ids

	// Rows whose id in this field is still that of a living row, and that were the first to have
	// it: the id keeps its ordinal, which names the row.
	user, anonymous, previous *roaring64.Bitmap
}

const (
	// forgetNames is how many ids are looked at at once: so long the sequencer is held up for
	// the entries of that many.
	forgetNames = 4096
	// forgetRounds bounds how often ids are looked at that new events have met meanwhile.
	forgetRounds = 100
	// forgetCache is the size of the page cache in which rows with these ids are looked for.
	forgetCache = 4 << 20
)

// errMet says that ids that may be forgotten are in use by new events. It is tried again later.
var errMet = errors.New("new events have the ids that may be forgotten")

// forget removes the ids of deleted rows that no other row has, and finds out which rows have
// to keep a name.
func (m *merger) forget(t *erasure) error {
	pace := &pacedSink{merger: m, since: time.Now()}
	for todo := t.rows.Clone(); !todo.IsEmpty(); {
		more := roaring64.New()
		names := make(map[string]identity.Name)
		var ev *event.Event
		add := func(n identity.Name) { names[n.Key] = n }
		decide := func() error {
			err := m.decide(t, names, more, pace)
			clear(names)
			return err
		}
		err := eachRow(t.site, todo, func(e *event.Event) error {
			ev = e
			identity.NamesIn(t.site.ID, ev, add)
			if len(names) < forgetNames {
				return pace.pace()
			}
			return decide()
		})
		if err == nil {
			err = decide()
		}
		if err != nil {
			return err
		}
		todo = more
	}
	return nil
}

// eachRow calls fn with what names the rows at some seqs, ascending. No view is open meanwhile.
func eachRow(s *siteState, seqs *roaring64.Bitmap, fn func(e *event.Event) error) error {
	const some = 1024
	buf := make([]uint64, some)
	for it := seqs.ManyIterator(); ; {
		n := it.NextMany(buf)
		if n == 0 {
			return nil
		}
		var events []*event.Event
		if err := func() error {
			v := s.View()
			defer v.Close()
			cache := index.NewCache(forgetCache)
			var p *table.Part
			var rows *table.RowReader
			for _, seq := range buf[:n] {
				if p == nil || seq > p.Last() {
					if p = v.PartOf(seq); p == nil {
						continue // the event is lost
					}
					rows = table.NewNamesReader(openIn(p, cache))
				}
				e, err := rows.Read(int(seq - p.First()))
				if err != nil {
					return err
				}
				events = append(events, e)
			}
			return nil
		}(); err != nil {
			return err
		}
		for _, e := range events {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
}

// openIn opens a part. A run is read through a cache of the caller's.
func openIn(p *table.Part, cache *index.Cache) index.Part {
	if p.Run != nil {
		return p.Run.In(cache).Part()
	}
	return p.Get()
}

// decide finds out which of the names are in no living row, and removes these from the table of
// ids. It adds to more the anchors that they leave behind; the rows of the site's deletions
// include them from then on.
func (m *merger) decide(t *erasure, names map[string]identity.Name, more *roaring64.Bitmap, pace *pacedSink) error {
	for round := 0; len(names) > 0; round++ {
		if round == forgetRounds {
			return errMet
		}
		keys := make([]string, 0, len(names))
		for key := range names {
			keys = append(keys, key)
		}
		var entries []*identity.Entry
		err := m.e.inSequencer(func(s *sequencer, _ *pebble.Batch) (err error) {
			if entries, err = s.ids.Watch(keys); err != nil {
				return err
			}
			for _, e := range entries { // what a user was seen with has changed with its rows
				for i := 0; e != nil && i < len(e.SeenWith); i++ {
					n := identity.AnonymousName(t.site.ID, e.SeenWith[i])
					if _, known := names[n.Key]; !known {
						names[n.Key] = n
						keys = append(keys, n.Key)
					}
				}
			}
			if len(keys) > len(entries) {
				entries, err = s.ids.Watch(keys)
			}
			return err
		})
		if err != nil {
			return err
		}
		f := &forgetting{erasure: t, pace: pace, sessions: make(map[uint64]bool)}
		err = f.look(names, keys, entries)
		if err == nil && !f.anchors.IsEmpty() {
			err = m.e.alsoDelete(t, f.anchors)
			more.Or(f.anchors)
		}
		if err != nil {
			return errors.Join(err, m.e.inSequencer(func(s *sequencer, _ *pebble.Batch) error { s.ids.Unwatch(); return nil }))
		}
		var met []string
		if err := m.e.inSequencer(func(s *sequencer, b *pebble.Batch) (err error) {
			met, err = s.ids.Forget(b, f.gone, f.left)
			if len(f.left) > 0 { // they change in memory alone
				m.e.idsWanted.Store(true)
			}
			for _, visit := range f.visits {
				if err == nil {
					err = identity.DeleteHeartbeats(b, t.site.ID, visit)
				}
			}
			return err
		}); err != nil {
			return err
		}
		again := make(map[string]identity.Name, len(met))
		for _, key := range met {
			again[key] = names[key]
		}
		names = again
	}
	return nil
}

// forgetting is the look at some names.
type forgetting struct {
	*erasure
	pace     *pacedSink
	view     *table.View
	parts    []index.Part // of the view
	sessions map[uint64]bool

	gone    []string
	left    []identity.Left
	visits  []uint64 // that are gone
	anchors *roaring64.Bitmap
}

func (f *forgetting) look(names map[string]identity.Name, keys []string, entries []*identity.Entry) error {
	f.anchors = roaring64.New()
	f.view = f.site.View()
	defer f.view.Close()
	cache := index.NewCache(forgetCache)
	for i := range f.view.Parts {
		f.parts = append(f.parts, openIn(&f.view.Parts[i], cache))
	}
	for i, key := range keys {
		if err := f.pace.pace(); err != nil {
			return err
		}
		n, e := names[key], entries[i]
		if e == nil && (n.Ord == 0 || f.rows.Contains(n.Ord) || !f.view.Blank(n.Ord)) {
			continue // no such id, nor an anchor of the session
		}
		alive, err := f.alive(&n)
		if err != nil {
			return err
		}
		first := n.Ord
		if e != nil {
			first = e.Ord
		}
		switch {
		case alive && e != nil:
			if err := f.stays(&n, e); err != nil {
				return err
			}
		case !alive:
			if !f.rows.Contains(first) && f.view.Blank(first) {
				f.anchors.Add(first)
			}
			if e != nil {
				f.gone = append(f.gone, key)
				if n.IsVisit() {
					f.visits = append(f.visits, n.Ord)
				}
			}
		}
	}
	return nil
}

// alive reports whether a living row has a name.
func (f *forgetting) alive(n *identity.Name) (bool, error) {
	if n.Ord != 0 && len(n.Fields) == 0 {
		if alive, known := f.sessions[n.Ord]; known {
			return alive, nil
		}
	}
	clauses, ranges := clausesOf(n)
	alive, err := f.some(n.Ord, clauses, ranges, nil)
	if n.Ord != 0 && len(n.Fields) == 0 {
		f.sessions[n.Ord] = alive
	}
	return alive, err
}

// clausesOf is what a living row satisfies that has a name.
func clausesOf(n *identity.Name) (clauses []index.Clause, ranges []index.Range) {
	is := func(field, text string) {
		if text != "" {
			clauses = append(clauses, index.Clause{Any: []index.Alt{{Field: field, Terms: []string{text}}}})
		}
	}
	if len(n.Fields) > 0 {
		var any []index.Alt
		for _, field := range n.Fields {
			any = append(any, index.Alt{Field: field, Terms: []string{n.ID}})
			if field[:1] == event.PrefixExtra { // it may have no column of its own
				any = append(any, index.Alt{Field: event.PrefixExtra, Path: field[1:], Terms: []string{n.ID}})
			}
		}
		clauses = append(clauses, index.Clause{Any: any})
	}
	is(event.FieldDialect, string(n.Dialect))
	is(event.FieldSession, n.Session)
	is(event.FieldType, string(n.Type))
	if n.Ord != 0 {
		ranges = append(ranges, inSession(n.Ord))
	}
	return clauses, ranges
}

func inSession(ord uint64) index.Range {
	return index.Range{Col: event.IntSession, From: int64(ord), To: int64(ord) + 1}
}

// some reports whether a living row from a seq on satisfies clauses and ranges. It calls each
// with all such rows; nil = it ends with the first.
func (f *forgetting) some(from uint64, clauses []index.Clause, ranges []index.Range, each func(p index.Part, row int) error) (found bool, err error) {
	for k := range f.parts {
		i := k // oldest first, for each
		if each == nil {
			i = len(f.parts) - 1 - k
		}
		p := f.parts[i]
		if f.view.Parts[i].Last() < from {
			continue
		}
		index.NewMatcher(p, clauses, ranges, f.view.Parts[i].Hidden()).Ascend(0, func(row int) bool {
			if found = true; each == nil {
				return false
			}
			err = each(p, row)
			return err == nil
		})
		if err == nil {
			err = p.Err()
		}
		if err != nil || found && each == nil {
			return found, err
		}
	}
	return found, nil
}

// visitRows is how many rows of a visit are read to take from it what is gone. A visit with more
// keeps what it remembers.
const visitRows = 1000

// stays notes what an id keeps of which living rows are left.
func (f *forgetting) stays(n *identity.Name, e *identity.Entry) error {
	left := identity.Left{Key: n.Key}
	clauses, ranges := clausesOf(n)
	switch {
	case n.IsPerson():
		left.Sessions, left.SeenWith = make(map[uint64]bool), make(map[string]bool)
		for _, ord := range e.Sessions {
			with, err := f.some(ord, clauses, []index.Range{inSession(ord)}, nil)
			if err != nil {
				return err
			}
			left.Sessions[ord] = with
		}
		for _, id := range e.SeenWith {
			with, err := f.some(0, append(clauses[:1:1], index.Clause{Any: []index.Alt{{Field: event.FieldAnonymous, Terms: []string{id}}}}), nil, nil)
			if err != nil {
				return err
			}
			left.SeenWith[id] = with
		}
		if f.rows.Contains(e.Ord) {
			if err := f.names(n, e.Ord); err != nil {
				return err
			}
		}
	case n.IsVisit():
		if _, err := f.some(n.Ord, clauses, ranges, func(p index.Part, row int) error {
			if len(left.Rows) > visitRows {
				return nil
			}
			ev, err := table.NewRowReader(p).Read(row)
			left.Rows = append(left.Rows, ev)
			return err
		}); err != nil {
			return err
		}
		if len(left.Rows) > visitRows {
			left.Rows = nil
		}
	}
	f.left = append(f.left, left)
	return nil
}

// names notes that the deleted row at seq names the person with an id.
func (f *forgetting) names(n *identity.Name, seq uint64) error {
	e, err := f.view.IDs(seq)
	if e == nil || err != nil {
		return err
	}
	own := e.User
	of := f.user
	if n.Fields[0] == event.FieldAnonymous {
		own, of = e.Anonymous, f.anonymous
	}
	if own == n.ID {
		of.Add(seq)
	}
	if e.Previous == n.ID {
		f.previous.Add(seq)
	}
	return nil
}

// alsoDelete adds anchors that have lost their reason to the rows of a deletion, durably.
func (e *Engine) alsoDelete(t *erasure, anchors *roaring64.Bitmap) error {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	r := t.records[0]
	rows := roaring64.Or(r.Seqs, anchors)
	with := &erase.Record{Receipt: r.Receipt, Seqs: rows}
	b := e.db.NewBatch()
	defer b.Close()
	if err := with.Put(b, t.site.ID); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	r.Seqs = rows
	t.rows = roaring64.Or(t.rows, anchors)
	if r.Now {
		t.now = roaring64.Or(t.now, anchors)
	}
	all := anchors
	if hidden := t.site.Hidden(); hidden != nil {
		all = roaring64.Or(hidden, anchors)
	}
	t.site.Hide(all)
	return nil
}
