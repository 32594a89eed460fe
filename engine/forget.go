// Forgetting: ids that only deleted rows have leave the table of ids.
//
// It comes before the rows are rewritten. An id that is in no living row gets a new ordinal when
// it comes again, so an ordinal that is dead stays dead, and the row that it names may become a
// blank without any name.

package engine

import (
	"errors"
	"maps"
	"slices"
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

	sessions *sessionSearch
}

const (
	// forgetNames is how many ids are looked at together. They take about 16 MiB.
	forgetNames = 1 << 16
	// watchNames is how many ids the sequencer is asked for at once: so long it is held up for
	// the entries of that many.
	watchNames = 1 << 12
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
	t.sessions = newSessionSearch(t.site)
	for todo := t.rows.Clone(); !todo.IsEmpty(); {
		if err := t.sessions.of(todo, pace); err != nil {
			return err
		}
		more := roaring64.New()
		names := make(map[string]identity.Name)
		add := func(n identity.Name) {
			if before, known := names[n.Key]; !known || before.Fields != nil && before.Fields[0] != event.FieldUser {
				names[n.Key] = n // a visitor's name with a user says more
			}
		}
		for rows := newNameReader(t.site, todo, pace); ; {
			events, err := rows.read()
			if err != nil {
				return err
			}
			for i := range events {
				if identity.NamesIn(t.site.ID, &events[i], func(n identity.Name) {
					if add(n); n.IsPerson() { // what keeps the id of one kind keeps it as one of the other, too
						add(n.Twin())
					}
				}); len(names) >= forgetNames {
					if err := m.decide(t, names, more, pace); err != nil {
						return err
					}
					clear(names)
				}
			}
			if len(events) == 0 {
				break
			}
		}
		if err := m.decide(t, names, more, pace); err != nil {
			return err
		}
		todo = more
	}
	return nil
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
func (m *merger) decide(t *erasure, names map[string]identity.Name, more *roaring64.Bitmap, pace *pacedSink) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, m.e.inSequencer(func(s *sequencer, _ *pebble.Batch) error { s.ids.Unwatch(); return nil }))
		}
	}()
	for round := 0; len(names) > 0; round++ {
		if round == forgetRounds {
			return errMet
		}
		f := &forgetting{erasure: t, pace: pace, anchors: roaring64.New()}
		if err := f.watch(m.e, names); err != nil {
			return err
		}
		if err := f.look(); err != nil {
			return err
		}
		if !f.anchors.IsEmpty() {
			if err := m.e.alsoDelete(t, f.anchors); err != nil {
				return err
			}
			more.Or(f.anchors)
		}
		met, err := f.carryOut(m.e)
		if err != nil {
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
	pace  *pacedSink
	names []watchedName
	view  *table.View
	ids   idReaders

	gone    []string
	left    []identity.Left
	visits  []uint64 // that are gone
	anchors *roaring64.Bitmap
}

// watchedName is a name and what the table of ids has of it.
type watchedName struct {
	identity.Name
	entry *identity.Entry // nil = nothing
}

// watch asks the sequencer for the entries of the names. It adds the anonymous ids that users were
// last seen with to names, since that has changed with their rows.
func (f *forgetting) watch(e *Engine, names map[string]identity.Name) error {
	keys := slices.Sorted(maps.Keys(names))
	for len(keys) > 0 {
		var more []string
		for some := range slices.Chunk(keys, watchNames) {
			var entries []*identity.Entry
			if err := e.inSequencer(func(s *sequencer, _ *pebble.Batch) (err error) {
				entries, err = s.ids.Watch(some)
				return err
			}); err != nil {
				return err
			}
			for i, key := range some {
				f.names = append(f.names, watchedName{names[key], entries[i]})
				for k := 0; entries[i] != nil && k < len(entries[i].SeenWith); k++ {
					n := identity.AnonymousName(f.site.ID, entries[i].SeenWith[k])
					if _, known := names[n.Key]; !known {
						names[n.Key] = n
						more = append(more, n.Key)
					}
				}
			}
			if err := f.pace.pace(); err != nil {
				return err
			}
		}
		slices.Sort(more)
		keys = more
	}
	return nil
}

// carryOut removes what is gone. It returns the keys of names that new events have met.
func (f *forgetting) carryOut(e *Engine) (met []string, err error) {
	for len(f.gone)+len(f.left)+len(f.visits) > 0 {
		gone, left, visits := min(len(f.gone), watchNames), min(len(f.left), watchNames), min(len(f.visits), watchNames)
		if err := e.inSequencer(func(s *sequencer, b *pebble.Batch) error {
			some, err := s.ids.Forget(b, f.gone[:gone], f.left[:left])
			if left > 0 { // they change in memory alone
				e.idsWanted.Store(true)
			}
			met = append(met, some...)
			for _, visit := range f.visits[:visits] {
				if err == nil {
					err = identity.DeleteHeartbeats(b, f.site.ID, visit)
				}
			}
			return err
		}); err != nil {
			return nil, err
		}
		f.gone, f.left, f.visits = f.gone[gone:], f.left[left:], f.visits[visits:]
		if err := f.pace.pace(); err != nil {
			return nil, err
		}
	}
	return met, e.inSequencer(func(s *sequencer, _ *pebble.Batch) error { s.ids.Unwatch(); return nil })
}

func (f *forgetting) look() error {
	f.view = f.site.View()
	defer f.view.Close()
	f.ids = idReaders{view: f.view, cache: index.NewCache(forgetCache)}
	if err := f.sessions.extend(f.view, f.pace); err != nil {
		return err
	}
	l := newLiving(len(f.names))
	for i := range f.names {
		n := &f.names[i]
		if n.entry == nil {
			continue
		}
		if n.Ord != 0 {
			if n.IsVisit() && f.sessions.lives(n.Ord) {
				l.wantVisit(n.Ord)
			}
			continue
		}
		l.want(i, &n.Name)
		if n.IsPerson() {
			for _, ord := range slices.Concat(n.entry.Sessions, n.entry.Named) {
				if f.sessions.lost(ord) && f.sessions.lives(ord) {
					l.wantSession(i, &n.Name, ord)
				}
			}
			for _, id := range n.entry.SeenWith {
				l.wantSeen(i, &n.Name, id)
			}
		}
	}
	if err := l.look(f.view, f.pace); err != nil {
		return err
	}
	for i := range f.names {
		if err := f.pace.pace(); err != nil {
			return err
		}
		if err := f.judge(l, i); err != nil {
			return err
		}
	}
	return nil
}

// judge decides about one name.
func (f *forgetting) judge(l *living, i int) error {
	n := &f.names[i]
	first, alive := n.Ord, false
	switch {
	case n.entry == nil && n.Ord == 0:
		return nil
	case n.Ord != 0:
		alive = f.sessions.lives(n.Ord)
	default:
		alive = l.names[i]
	}
	if n.entry != nil {
		first = n.entry.Ord
	}
	if alive {
		if n.entry == nil {
			return nil
		}
		return f.stays(l, i)
	}
	if !f.rows.Contains(first) && f.view.Blank(first) {
		f.anchors.Add(first)
	}
	if n.entry != nil {
		f.gone = append(f.gone, n.Key)
		if n.IsVisit() {
			f.visits = append(f.visits, n.Ord)
		}
	}
	return nil
}

// visitRows is how many rows of a visit are read to take from it what is gone. A visit with more
// keeps what it remembers.
const visitRows = 1000

// stays notes what an id keeps of which living rows are left.
func (f *forgetting) stays(l *living, i int) error {
	n := &f.names[i]
	left := identity.Left{Key: n.Key}
	switch {
	case n.IsPerson():
		left.Sessions, left.SeenWith = make(map[uint64]bool), make(map[string]bool)
		for _, ord := range slices.Concat(n.entry.Sessions, n.entry.Named) { // in one without a deleted row nothing has changed
			left.Sessions[ord] = !f.sessions.lost(ord) || l.joined[idSession{uint32(i), ord}]
		}
		for _, id := range n.entry.SeenWith {
			left.SeenWith[id] = l.seenAt(i, id)
		}
		if f.rows.Contains(n.entry.Ord) {
			if err := f.anchor(&n.Name, n.entry.Ord); err != nil {
				return err
			}
		}
	case n.IsVisit():
		if rows := l.visits[n.Ord]; len(rows) <= visitRows {
			slices.Sort(rows)
			for _, seq := range rows {
				ev, err := f.view.Event(seq)
				if err != nil {
					return err
				}
				left.Rows = append(left.Rows, ev)
			}
		}
	}
	f.left = append(f.left, left)
	return nil
}

// anchor notes that the deleted row at seq names the person with an id.
func (f *forgetting) anchor(n *identity.Name, seq uint64) error {
	e, err := f.ids.read(seq)
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
	if err := e.readSinks(t.site.ID, t.records[:1]); err != nil {
		return err
	}
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
