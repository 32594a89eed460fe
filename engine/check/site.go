// The check of one site: its runs, log, ids, heartbeats and links.

package check

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// siteCheck checks one site.
type siteCheck struct {
	*checker
	site    uint32
	last    uint64         // seq of the last row read
	idsUpTo uint64         // the seq up to which ids are stored
	ids     *identity.IDs  // computed from the rows read
	links   map[string]int // by linkName: how often computed minus how often stored
}

func (s *siteCheck) problem(format string, args ...any) {
	s.checker.problem("site %d: %s", s.site, fmt.Sprintf(format, args...))
}

func (s *siteCheck) check(runs []*index.Run) error {
	var err error
	if s.idsUpTo, err = store.IDsUpTo(s.db, s.site); err != nil {
		return err
	}
	for _, r := range runs {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if r.First != s.last+1 {
			s.problem("events %d to %d are missing", s.last+1, r.First-1)
			s.last = r.First - 1
		}
		if err := s.run(r); err != nil {
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
	if whole := s.log(); !whole {
		return nil // without all events, the state cannot be compared
	}
	return s.compareState()
}

// run checks a run. It encodes the event of each row as a record and compares the record's
// cells with the row. It rebuilds everything else in the run from the columns and compares it
// byte for byte.
func (s *siteCheck) run(r *index.Run) error {
	sum, keys, err := index.SumRun(s.db, r.Run)
	if err != nil {
		return err
	}
	if sum != r.Sum || keys != r.Keys {
		s.problem("run %d (events %d to %d): the checksum of its %d keys differs from the one in its descriptor", r.Run, r.First, r.Last(), keys)
		return nil
	}
	part := r.Part()
	rows := table.NewRowReader(part)
	var totals index.Totals
	var record, body []byte
	for row := 0; row < part.Len(); row++ {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		ev, err := rows.Read(row)
		if err != nil {
			s.problem("run %d: %v", r.Run, err)
			return nil
		}
		s.event(ev)
		ev.Counts(func(property, term string, by int64) bool {
			totals.Add(property, ev.Day, term, by)
			return true
		})
		body = event.AppendBody(body[:0], ev)
		record = event.AppendRecord(record[:0], &event.Head{SessionOrd: ev.SessionOrd, PersonOrd: ev.PersonOrd, Session: ev.Session, Capped: ev.Capped, CappedByProperty: ev.CappedByProperty, CappedNames: ev.CappedNames}, body)
		if err := rows.Same(row, record); err != nil {
			s.problem("run %d: event %d: %v", r.Run, ev.Seq, err)
			return nil
		}
	}
	if err := s.totals(r, &totals); err != nil {
		return err
	}
	var rebuilt index.Checksum
	if err := index.Merge(&rebuilt, r.Run, []*index.Run{r}, event.NumInts, event.FieldMessageID); err != nil {
		s.problem("run %d (events %d to %d): %v", r.Run, r.First, r.Last(), err)
	} else if rebuilt.Sum() != r.Sum {
		s.problem("run %d (events %d to %d): the index differs from the one that its columns give", r.Run, r.First, r.Last())
	}
	return nil
}

// totals compares a run's totals with those computed from its rows.
func (s *siteCheck) totals(r *index.Run, want *index.Totals) error {
	var have index.Totals
	properties, err := r.Properties()
	if err != nil {
		s.problem("%v", err)
		return nil
	}
	for _, p := range properties {
		if err := r.Totals(p, math.MinInt32, math.MaxInt32, func(t index.Total) { have.Add(t.Property, t.Day, t.Value, t.Sum) }); err != nil {
			s.problem("%v", err)
			return nil
		}
	}
	s.compareTotals(fmt.Sprintf("run %d", r.Run), have.Sorted(), want.Sorted())
	return nil
}

// compareTotals reports the first difference between sorted totals.
func (s *siteCheck) compareTotals(where string, have, want []index.Total) {
	for i := 0; i < len(have) || i < len(want); i++ {
		switch {
		case i >= len(have):
			s.problem("%s: counter %+v is missing", where, want[i])
		case i >= len(want):
			s.problem("%s: counter %+v has no events", where, have[i])
		case have[i] != want[i]:
			s.problem("%s: counter %+v should be %+v", where, have[i], want[i])
		default:
			continue
		}
		return
	}
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
		s.compareTotals(fmt.Sprintf("group at %d", notes[at].first), have.Sorted(), totals.Sorted())
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
			s.event(ev)
			ev.Counts(func(property, term string, by int64) bool {
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
func (s *siteCheck) event(ev *event.Event) {
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
	for _, l := range p.Links {
		s.links[linkName(ev.Seq, l)]++
	}
	if ev.Seq == s.idsUpTo {
		s.compareIDs()
	}
}

// linkName identifies a link in messages and in siteCheck.links.
func linkName(seq uint64, l identity.Link) string { return fmt.Sprintf("%d: %d-%d", seq, l.A, l.B) }

// compareIDs compares the stored ids with the computed ones. It is called at the event up to
// which ids are stored.
func (s *siteCheck) compareIDs() {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, s.site), UpperBound: store.SiteKey(store.PrefixID, s.site+1)})
	if err != nil {
		s.problem("%v", err)
		return
	}
	stored := 0
	for ok := it.First(); ok; ok = it.Next() {
		stored++
		want, known := s.ids.Stored(it.Key())
		if !known {
			s.problem("id %q is stored, but no event has it", it.Key()[5:])
		} else if !slices.Equal(want, it.Value()) {
			s.problem("id %q: its stored entry differs from the computed one", it.Key()[5:])
		}
	}
	if err := it.Close(); err != nil {
		s.problem("%v", err)
	}
	if stored != s.ids.Len() {
		s.problem("%d ids are stored, but the events have %d", stored, s.ids.Len())
	}
}

// compareState compares what is stored outside of runs and log: heartbeats and links.
func (s *siteCheck) compareState() error {
	if s.idsUpTo > s.last {
		s.problem("ids are stored up to event %d, but the log ends at event %d", s.idsUpTo, s.last)
	}
	if err := s.heartbeats(); err != nil {
		return err
	}
	if err := identity.ScanLinks(s.db, s.site, func(seq uint64, l identity.Link) bool {
		s.links[linkName(seq, l)]--
		return true
	}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.links)) {
		switch n := s.links[name]; {
		case n > 0:
			s.problem("the link of event %s is missing", name)
		case n < 0:
			s.problem("the link of event %s should not be stored", name)
		}
	}
	return nil
}

// heartbeats checks that all heartbeats can be decoded and belong to visits.
func (s *siteCheck) heartbeats() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixHeartbeats, s.site), UpperBound: store.SiteKey(store.PrefixHeartbeats, s.site+1)})
	if err != nil {
		return err
	}
	prefix := len(store.SiteKey(store.PrefixHeartbeats, s.site))
	for ok := it.First(); ok; ok = it.Next() {
		visit := binary.BigEndian.Uint64(it.Key()[prefix:])
		if !s.ids.HasVisit(s.site, visit) {
			s.problem("heartbeats of event %d, which begins no visit", visit)
		} else if _, err := identity.DecodeHeartbeats(it.Value()); err != nil {
			s.problem("visit %d: %v", visit, err)
		}
	}
	return it.Close()
}
