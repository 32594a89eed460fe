// The check of I11: an id is stored if and only if a living row or an anchor has it. In a site of
// which events were deleted nothing else of the table of ids can be found out again.

package check

import (
	"encoding/binary"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/store"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

// rowNames is the ids in the rows that were read, by their keys in the table of ids. It has what
// takes little memory, and the rest is in the scratch database.
type rowNames struct {
	of      map[string]nameOf
	bytes   int64
	spilled bool
	broken  bool // a rewrite was broken off: some rows are blanks already that wait to be rewritten

	sessions identity.OrdSet   // of rows, also of those that wait to be rewritten
	living   identity.OrdSet   // persons of living rows
	unnamed  *roaring64.Bitmap // blanks that name no id
	nobody   *roaring64.Bitmap // blanks that name nothing at all
}

// nameOf is what rows say of an id.
type nameOf struct {
	first uint64 // seq of the first row because of which the table has it; 0 = none is known
	sure  bool   // that row is not going to be rewritten
	must  bool   // an event has it, or an anchor, so the table has it as well
}

// nameBytes is about how many bytes of memory an id takes besides its key.
const nameBytes = 80

// addNames takes in the ids of a row. Those of a row that waits to be rewritten may be forgotten
// already.
func (s *siteCheck) addNames(ev *event.Event, blank bool) {
	n := &s.names
	waits := s.deleted.waits != nil && s.deleted.waits.Contains(ev.Seq)
	if ev.SessionOrd != 0 {
		n.sessions.Add(ev.SessionOrd)
	}
	switch id := ev.User != "" || ev.Anonymous != "" || ev.Previous != ""; {
	case !blank && !waits && ev.PersonOrd != 0:
		n.living.Add(ev.PersonOrd)
	case blank && !id:
		if s.deleted.linked == nil || !s.deleted.linked.Contains(ev.Seq) {
			n.unnamed.Add(ev.Seq)
		}
		if ev.PersonOrd == 0 {
			n.nobody.Add(ev.Seq)
		}
	}
	n.broken = n.broken || blank && waits
	if ev.Seq > s.idsUpTo {
		return // the table does not have them yet
	}
	if n.of == nil {
		n.of = make(map[string]nameOf)
	}
	identity.NamesIn(s.site, ev, func(name identity.Name) {
		have, known := n.of[name.Key]
		if !known {
			n.bytes += int64(len(name.Key)) + nameBytes
		}
		if registers(ev, &name) {
			if have.first == 0 {
				have.first, have.sure = ev.Seq, !waits
			}
			have.must = have.must || !waits
		}
		n.of[name.Key] = have
	})
	if n.bytes > s.memory/8 {
		s.spillNames()
	}
}

// registers reports whether the table has an id because of a row.
func registers(ev *event.Event, n *identity.Name) bool {
	if !n.IsPerson() {
		return false // it depends on rules, and on what was decided
	}
	own := ev.User
	if n.Fields[0] == event.FieldAnonymous {
		own = ev.Anonymous
	}
	return n.ID == own || n.ID == ev.Previous && ev.Type == event.Alias && ev.PersonOrd != 0
}

// spillNames moves the ids in memory to the scratch database.
func (s *siteCheck) spillNames() {
	db, err := s.scratch()
	if err != nil {
		s.fail(err)
		return
	}
	b := db.NewBatch()
	defer b.Close()
	for key, now := range s.names.of {
		if before, known, err := s.spilledName(key); err != nil {
			s.fail(err)
		} else if known {
			if now.must = now.must || before.must; before.first != 0 {
				now.first, now.sure = before.first, before.sure
			}
		}
		v := binary.BigEndian.AppendUint64(nil, now.first)
		for _, is := range []bool{now.sure, now.must} {
			if is {
				v = append(v, 1)
			} else {
				v = append(v, 0)
			}
		}
		if err := b.Set([]byte(key), v, nil); err != nil {
			s.fail(err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		s.fail(err)
	}
	clear(s.names.of)
	s.names.bytes, s.names.spilled = 0, true
}

func (s *siteCheck) spilledName(key string) (n nameOf, known bool, err error) {
	if !s.names.spilled {
		return n, false, nil
	}
	v, err := store.Get(s.checker.ids, []byte(key))
	if len(v) != 10 || err != nil {
		return n, false, err
	}
	return nameOf{binary.BigEndian.Uint64(v), v[8] == 1, v[9] == 1}, true, nil
}

// name returns what the rows say of an id.
func (s *siteCheck) name(key string) (n nameOf, known bool) {
	if n, known = s.names.of[key]; known || !s.names.spilled {
		return n, known
	}
	n, known, err := s.spilledName(key)
	if err != nil {
		s.fail(err)
	}
	return n, known
}

// compareNames compares the stored ids with those of the rows. It is called at the event up to
// which ids are stored.
func (s *siteCheck) compareNames() {
	if s.names.spilled {
		s.spillNames()
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, s.site), UpperBound: store.SiteKey(store.PrefixID, s.site+1)})
	if err != nil {
		s.problem("%v", err)
		return
	}
	for ok := it.First(); ok; ok = it.Next() {
		key := string(it.Key())
		n, known := s.name(key)
		e, err := identity.ParseEntry(key, it.Value())
		switch {
		case err != nil:
			s.problem("id %q: %v", key[5:], err)
			continue
		case !known && !s.names.broken:
			s.problem("id %q is stored, but no event has it", key[5:])
		case n.sure && e.Ord != n.first && !s.names.broken:
			s.problem("id %q: it is that of event %d, but event %d was the first to have it", key[5:], e.Ord, n.first)
		}
		for _, id := range e.SeenWith {
			if _, known := s.name(identity.AnonymousName(s.site, id).Key); !known && !s.names.broken {
				s.problem("id %q: it was seen with %q, which no event has", key[5:], id)
			}
		}
		for _, ord := range e.Sessions {
			if !s.names.sessions.Has(ord) && !s.names.broken {
				s.problem("id %q: it was in the session of event %d, in which no event is", key[5:], ord)
			}
		}
	}
	if err := it.Close(); err != nil {
		s.problem("%v", err)
	}
	missing := func(key string, n nameOf) {
		if !n.must {
			return
		}
		if v, err := store.Get(s.db, []byte(key)); err != nil {
			s.problem("id %q: %v", key[5:], err)
		} else if v == nil {
			s.problem("id %q of event %d is not stored", key[5:], n.first)
		}
	}
	if !s.names.spilled {
		for key, n := range s.names.of {
			missing(key, n)
		}
		return
	}
	ids, err := s.checker.ids.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, s.site), UpperBound: store.SiteKey(store.PrefixID, s.site+1)})
	if err != nil {
		s.fail(err)
		return
	}
	for ok := ids.First(); ok && s.failed == nil; ok = ids.Next() {
		if n, known := s.name(string(ids.Key())); known {
			missing(string(ids.Key()), n)
		}
	}
	if err := ids.Close(); err != nil {
		s.fail(err)
	}
}

// compareDeletedState compares heartbeats and links of a site of which events were deleted. Links
// are stored as long as an ordinal of the person is left, and then its root has kept its ordinals.
func (s *siteCheck) compareDeletedState() error {
	if err := s.heartbeats(func(visit uint64) (bool, error) { return s.names.sessions.Has(visit), nil }); err != nil {
		return err
	}
	links := identity.NewLinks(nil, nil)
	links.Load = func() error {
		return identity.ScanLinks(s.db, s.site, func(_ uint64, l identity.Link) bool {
			links.Join([]identity.Link{l}, false)
			return true
		})
	}
	if err := links.Ready(func(done <-chan struct{}) error { <-done; return nil }); err != nil {
		return err
	}
	looked := make(map[uint64]bool) // by root
	return identity.ScanLinks(s.db, s.site, func(seq uint64, l identity.Link) bool {
		if seq > s.last || l.A > seq || l.B > seq {
			s.problem("the link of event %s should not be stored", linkName(seq, l))
		}
		root := links.Find(l.A)
		if looked[root] {
			return true
		}
		looked[root] = true
		left, living := false, false
		for _, ord := range links.Set(root) {
			left = left || !s.names.unnamed.Contains(ord)
			living = living || s.names.living.Has(ord)
		}
		if !left {
			s.problem("the link of event %s is stored, but nobody is left of the person", linkName(seq, l))
		}
		if living && s.names.nobody.Contains(root) {
			s.problem("event %d: it was the first of a person of whom events are left, but it has lost the name", root)
		}
		return len(s.report.Problems) < problemsMax
	})
}
