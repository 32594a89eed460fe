// The check of one site: its runs, log, ids, heartbeats and links.

package check

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/store"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// siteCheck checks one site.
type siteCheck struct {
	*checker
	site    uint32
	last    uint64        // seq of the last row read
	idsUpTo uint64        // the seq up to which ids are stored
	ids     *identity.IDs // computed from the rows read
	links   *storedLinks  // those of the rows to come
	deleted deletions
	names   rowNames        // only of a site with blanks
	counts  event.TermArena // of the event that is counted
	from    uint64          // runs of earlier events are not checked; 0 = all are
}

func (s *siteCheck) problem(format string, args ...any) {
	s.checker.problem("site %d: %s", s.site, fmt.Sprintf(format, args...))
}

func (s *siteCheck) check(runs []*index.Run) error {
	var err error
	if s.idsUpTo, err = store.IDsUpTo(s.db, s.site); err != nil {
		return err
	}
	s.readDeletions()
	for _, r := range runs {
		s.deleted.blanks = s.deleted.blanks || hasBlanks(r)
	}
	if s.deleted.blanks && s.deleted.records == 0 {
		s.problem("some events are blanks, but nothing was deleted")
	}
	for _, r := range runs {
		if r.Last() < s.from {
			s.last = r.Last()
			continue
		}
		if err := s.ctx.Err(); err != nil {
			s.report.Next = Place{s.site, r.First}
			return err
		}
		if s.failed != nil {
			return s.failed
		}
		if next := s.lost.Next(s.site, s.last); r.First != next {
			s.problem("events %d to %d are missing", next, r.First-1)
		}
		s.last = r.First - 1
		if err := s.run(r); err != nil {
			if s.ctx.Err() != nil {
				if s.report.Next = (Place{s.site, r.First}); r.First == s.from {
					s.report.Next.Seq = r.Last() + 1 // there is never time for it
				}
			}
			return err
		}
		c := s.report
		c.Runs++
		c.Events += r.Rows
		s.last = r.Last()
		if len(c.Problems) >= problemsMax {
			return errProblems
		}
	}
	s.last = s.lost.Next(s.site, s.last) - 1
	if s.from > 0 {
		return nil
	}
	if whole := s.log(); !whole || s.lost[s.site] != nil {
		return nil // without all events, the state cannot be compared
	}
	if s.deleted.last > s.last {
		s.problem("a deletion has looked at event %d, but the log ends at event %d", s.deleted.last, s.last)
	}
	return s.compareState()
}

// log replays the rows that are not sealed and compares the deltas of each group. At a row
// that cannot be read it stops, and whole is false.
func (s *siteCheck) log() (whole bool) {
	type note struct {
		first uint64
		data  []byte
	}
	var notes []note
	err := wal.Notes(s.db, s.site, 0, 1<<64-1, func(first uint64, data []byte) error {
		notes = append(notes, note{first, slices.Clone(data)})
		return nil
	})
	var totals index.Totals
	at := -1
	finish := func() {
		if at < 0 {
			return
		}
		var have index.Totals
		if err := have.AddNote(notes[at].data); err != nil {
			s.problem("deltas of the group at %d: %v", notes[at].first, err)
			return
		}
		s.compareTotals(fmt.Sprintf("group at %d", notes[at].first), slices.Values(have.Sorted()), totals.Sorted())
		totals = index.Totals{}
	}
	if err == nil {
		err = wal.Replay(s.db, s.site, func(seq uint64, record []byte) error {
			if seq != s.last+1 {
				s.problem("events %d to %d are missing", s.last+1, seq-1)
			}
			s.last = seq
			if at+1 < len(notes) && notes[at+1].first == seq {
				finish()
				at++
			} else if at < 0 {
				s.problem("event %d: its group has no deltas", seq)
			}
			ev, err := event.DecodeRecord(record)
			if err != nil {
				return fmt.Errorf("event %d: %w", seq, err)
			}
			ev.Seq = seq
			s.event(ev, false)
			s.counts.Reset()
			ev.CountsIn(&s.counts, func(property, term string, by int64) bool {
				totals.Add(property, ev.Day, term, by)
				return true
			})
			s.report.Events++
			s.report.Unsealed++
			return nil
		})
	}
	if err != nil {
		s.problem("%v", err)
		return false
	}
	finish()
	if at+1 < len(notes) {
		s.problem("deltas of the group at %d: the group has no rows", notes[at+1].first)
	}
	return true
}

// event repeats what ingest did with the event's ids, and compares the ordinals.
func (s *siteCheck) event(ev *event.Event, blank bool) {
	if s.lost[s.site] != nil || s.from > 0 {
		return // what was decided depends on events that are lost, or are not looked at
	}
	if s.deleted.blanks { // what deleted events have decided cannot be found out again
		s.sessionOf(ev, blank)
		s.addNames(ev, blank)
		if ev.Seq == s.idsUpTo {
			s.compareNames()
		}
		return
	}
	p, err := s.ids.Replay(s.site, ev.Seq, ev)
	if err != nil {
		s.problem("event %d: %v", ev.Seq, err)
		return
	}
	if p.Person != ev.PersonOrd {
		s.problem("event %d: its person is that of event %d, but should be that of event %d", ev.Seq, ev.PersonOrd, p.Person)
	}
	if p.Session != ev.SessionOrd || p.SessionID != ev.Session {
		s.problem("event %d: its session is that of event %d, but should be that of event %d", ev.Seq, ev.SessionOrd, p.Session)
	}
	s.links.compare(ev.Seq, p.Links, s.problem)
	if ev.Seq == s.idsUpTo {
		s.compareIDs()
	}
	if s.ids.Due() || s.ids.Over() {
		s.spill()
	}
}

// spill writes the ids in memory to the scratch file of the check.
func (s *siteCheck) spill() {
	db, err := s.scratch()
	if err == nil {
		err = s.ids.Spill(db)
	}
	if err != nil {
		s.fail(err)
	}
}

// compareIDs compares the stored ids with the computed ones. It is called at the event up to
// which ids are stored.
func (s *siteCheck) compareIDs() {
	bounds := &pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, s.site), UpperBound: store.SiteKey(store.PrefixID, s.site+1)}
	want := s.ids.Stored
	if s.checker.ids != nil {
		s.spill() // then the scratch database has all of them, in the same order
		computed, err := s.checker.ids.NewIter(bounds)
		if err != nil {
			s.fail(err)
			return
		}
		defer computed.Close()
		more := computed.First()
		want = func(key []byte) ([]byte, error) {
			for more && bytes.Compare(computed.Key(), key) < 0 {
				more = computed.Next()
			}
			if !more || !bytes.Equal(computed.Key(), key) {
				return nil, computed.Error()
			}
			return computed.ValueAndErr()
		}
	}
	it, err := s.db.NewIter(bounds)
	if err != nil {
		s.problem("%v", err)
		return
	}
	stored := 0
	for ok := it.First(); ok && s.failed == nil; ok = it.Next() {
		stored++
		want, err := want(it.Key())
		if err != nil {
			s.fail(err)
			break
		}
		if want == nil {
			s.problem("id %q is stored, but no event has it", it.Key()[5:])
		} else if !slices.Equal(want, it.Value()) {
			s.problem("id %q: its stored entry differs from the computed one", it.Key()[5:])
		}
	}
	if err := it.Close(); err != nil {
		s.problem("%v", err)
	}
	if stored != s.ids.Added() {
		s.problem("%d ids are stored, but the events have %d", stored, s.ids.Added())
	}
}

// compareState compares what is stored outside of runs and log: heartbeats and links.
func (s *siteCheck) compareState() error {
	if s.idsUpTo > s.last {
		s.problem("ids are stored up to event %d, but the log ends at event %d", s.idsUpTo, s.last)
	}
	if s.deleted.blanks {
		return s.compareDeletedState()
	}
	if err := s.heartbeats(func(visit uint64) (bool, error) { return s.ids.HasVisit(s.site, visit) }); err != nil {
		return err
	}
	s.links.compare(math.MaxUint64, nil, s.problem)
	return s.links.err
}

// heartbeats checks that all heartbeats can be decoded and belong to visits, which known knows.
func (s *siteCheck) heartbeats(known func(visit uint64) (bool, error)) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixHeartbeats, s.site), UpperBound: store.SiteKey(store.PrefixHeartbeats, s.site+1)})
	if err != nil {
		return err
	}
	prefix := len(store.SiteKey(store.PrefixHeartbeats, s.site))
	for ok := it.First(); ok; ok = it.Next() {
		visit := binary.BigEndian.Uint64(it.Key()[prefix:])
		if known, err := known(visit); err != nil {
			s.fail(err)
		} else if !known {
			s.problem("heartbeats of event %d, which begins no visit", visit)
		} else if _, err := identity.DecodeHeartbeats(it.Value()); err != nil {
			s.problem("visit %d: %v", visit, err)
		}
	}
	return it.Close()
}
