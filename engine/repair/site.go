// One site: its runs, the rows of its log, and what is known of its ids.

package repair

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/records"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// Bounds of a new run: rows, and bytes of memory while it is made.
const (
	runRows  = 1 << 16
	runBytes = 64 << 20
)

// idBytes is the memory for entries of ids while they are computed.
const idBytes = 64 << 20

// siteRepair saves one site, in the order of its seqs.
type siteRepair struct {
	*repairer
	site  uint32
	last  uint64        // the newest seq that is saved or lost
	ids   *identity.IDs // takes in the events after idsUpTo; nil in a survey
	upTo  uint64        // events up to here are in the stored ids
	known uint64        // there were events up to here, as the stored ids say

	relink bool     // links are computed again, with the ids
	starts []uint64 // of the rules, see records.RuleStarts

	open   *table.Table // rows of the next new run
	totals index.Totals
	rest   table.Overflow
	record []byte
}

// repair saves the site.
func (s *siteRepair) repair() error {
	if err := s.copyIDs(); err != nil {
		return err
	}
	for _, d := range s.runs[s.site] {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if err := s.run(d); err != nil {
			return err
		}
	}
	if err := s.log(); err != nil {
		return err
	}
	if err := s.seal(); err != nil {
		return err
	}
	if end := max(s.upTo, s.known, s.end(), s.deletedTo[s.site]); end > s.last {
		s.lose(end + 1) // there were events up to end, and ids or deletions that name them
	}
	return s.finishIDs()
}

// end returns the newest seq that an earlier repair has lost at the end of the site.
func (s *siteRepair) end() uint64 { return s.repairer.lost.Next(s.site, s.last) - 1 }

// lose notes that the events from the one after last to the one before next are not there.
func (s *siteRepair) lose(next uint64) {
	if next <= s.last+1 {
		return
	}
	ranges := s.report.Lost[s.site]
	if n := len(ranges); n > 0 && ranges[n-1].Last == s.last {
		ranges[n-1].Last = next - 1
	} else {
		ranges = append(ranges, store.Range{First: s.last + 1, Last: next - 1})
	}
	s.report.Lost[s.site] = ranges
	s.last = next - 1
}

// run saves a run: as it is, or those of its rows that can be read.
func (s *siteRepair) run(d index.Descriptor) error {
	if d.First <= s.last {
		return nil // an older one covers it
	}
	if sum, keys, err := index.SumRun(s.old.Runs, d.Run); err != nil {
		s.damage("run %d of site %d (events %d to %d): %v", d.Run, s.site, d.First, d.Last(), store.Named(err))
	} else if sum == d.Sum && keys == d.Keys {
		return s.copyRun(d)
	} else if keys == d.Keys {
		s.damage("run %d of site %d (events %d to %d): its checksum differs", d.Run, s.site, d.First, d.Last())
		return nil // no block is damaged, so nobody knows which rows are wrong
	} else {
		s.damage("run %d of site %d (events %d to %d): it has %d of %d keys", d.Run, s.site, d.First, d.Last(), keys, d.Keys)
	}
	return s.rows(d)
}

// copyRun copies a sound run.
func (s *siteRepair) copyRun(d index.Descriptor) error {
	if err := s.seal(); err != nil {
		return err
	}
	s.lose(d.First)
	if d.Last() > s.upTo && s.ids != nil {
		rows := table.NewRowReader(index.NewRun(d, s.old.Runs, index.NewCache(idBytes), table.Format).Part())
		for row := range int(d.Rows) {
			ev, err := rows.Read(row)
			if err != nil {
				return err // its checksum is right
			}
			if rows.Blank(row) && !isName(ev) {
				continue
			}
			if err := s.learn(ev); err != nil {
				return err
			}
		}
	}
	s.last = d.Last()
	s.report.Events += d.Rows
	if s.db == nil {
		return nil
	}
	return s.ingest(d.Run, func(w index.Sink) error {
		from, to := index.RunBounds(d.Run)
		it, err := s.old.Runs.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			if err := w.Set(it.Key(), it.Value()); err != nil {
				_ = it.Close()
				return err
			}
		}
		return it.Close()
	}, func(b *pebble.Batch) error { return d.Put(b) })
}

// rows saves the rows of a damaged run that can be read.
func (s *siteRepair) rows(d index.Descriptor) error {
	cache, db := index.NewCache(idBytes), &remembering{s.old.Runs, make(map[string]error)}
	var rows *table.RowReader
	for row := range int(d.Rows) {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if rows == nil { // a reader that has met damage stays with it
			run := index.NewRun(d, db, cache, table.Format)
			part := run.Part()
			if part.Err() != nil {
				return nil // without its header nothing of a run can be read
			}
			rows = table.NewRowReader(part)
		}
		ev, err := rows.Read(row)
		if err != nil {
			rows = nil
			continue
		}
		body := event.AppendBody(nil, ev)
		s.record = event.AppendRecord(s.record[:0], event.HeadOf(ev), body)
		blank := rows.Blank(row)
		if !blank && rows.Same(row, s.record) != nil {
			rows = nil
			continue
		}
		if err := s.add(d.First+uint64(row), ev, s.record, blank); err != nil {
			return err
		}
	}
	return nil
}

// isName reports whether a blank names a person or a session.
func isName(ev *event.Event) bool {
	return ev.User != "" || ev.Anonymous != "" || ev.Previous != "" || ev.Session != ""
}

// log saves the rows that are only in the log.
func (s *siteRepair) log() error {
	prefix := binary.BigEndian.AppendUint32([]byte{wal.PrefixBlock}, s.site)
	damage, err := sound(s.old.DB, prefix, func(_ uint64, key, value []byte) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		var failed error // of the new store
		err := wal.Block(key, value, func(seq uint64, record []byte) error {
			if seq <= s.last {
				return nil // a run has it
			}
			ev, err := event.DecodeRecord(record)
			if err != nil {
				s.damage("site %d: event %d: %v", s.site, seq, err)
				return nil
			}
			ev.Seq = seq
			failed = s.add(seq, ev, record, false)
			return failed
		})
		if failed == nil && err != nil {
			s.damage("%v", err)
		}
		return failed
	})
	if damage != nil {
		s.damage("log of site %d: %v", s.site, store.Named(damage))
	}
	return err
}

// add saves one event in a new run, or what is left of a blank. Its seq is above those of all events
// saved so far.
func (s *siteRepair) add(seq uint64, ev *event.Event, record []byte, blank bool) error {
	if seq != s.last+1 || s.open != nil && s.open.MemPart() != nil && (s.open.MemPart().Rows() >= runRows || s.open.MemPart().Bytes() >= runBytes) {
		if err := s.seal(); err != nil {
			return err
		}
	}
	s.lose(seq)
	s.last = seq
	s.report.Events++
	if s.db == nil {
		return nil
	}
	if !blank || isName(ev) {
		if err := s.learn(ev); err != nil {
			return err
		}
	}
	if s.open == nil {
		s.open = table.New(s.site, nil)
	}
	if _, err := s.open.Append(seq, [][]byte{record}, &s.rest); err != nil {
		return err
	}
	if blank {
		s.open.MakeBlank()
		return nil
	}
	ev.Counts(func(property, term string, by int64) bool {
		s.totals.Add(property, ev.Day, term, by)
		return true
	})
	return nil
}

// seal writes the rows that were added as a run.
func (s *siteRepair) seal() error {
	if s.open == nil || s.open.MemPart() == nil {
		return nil
	}
	s.open.Publish(s.last)
	part := s.open.Detach()
	s.open = nil
	snap := part.Snapshot()
	d := index.Descriptor{Site: s.site, First: part.First(), Rows: uint64(snap.Len()), Run: s.nextRun}
	s.nextRun++
	d.TimeMin, d.TimeMax = table.Bounds(snap, event.IntTime)
	dayMin, dayMax := table.Bounds(snap, event.IntDay)
	d.DayMin, d.DayMax = int32(dayMin), int32(dayMax)
	_, d.ReceivedMax = table.Bounds(snap, event.IntReceived)
	totals := s.totals.Sorted()
	s.totals = index.Totals{}
	return s.ingest(d.Run, func(w index.Sink) error {
		sum := index.Checksum{Next: w}
		err := index.Build(&sum, d.Run, snap, event.NumInts, table.Format, totals, event.FieldMessageID)
		d.Keys, d.Sum = sum.Keys, sum.Sum()
		return err
	}, func(b *pebble.Batch) error { return d.Put(b) })
}

// copyIDs copies the stored ids, links and heartbeats. Ids and links that cannot all be read are
// computed again, from all events that are saved.
func (s *siteRepair) copyIDs() error {
	pass := func(uint64, []byte, []byte) error { return nil }
	copyTo := func(_ uint64, key, value []byte) error { return s.set(key, value) }
	damage, err := sound(s.old.DB, store.SiteKey(store.PrefixHeartbeats, s.site), copyTo)
	if damage != nil {
		s.damage("heartbeats of site %d: %v", s.site, store.Named(damage))
	}
	if err != nil {
		return err
	}
	links := store.SiteKey(store.PrefixLink, s.site)
	damage, _ = sound(s.old.DB, links, pass)
	upTo, err := store.IDsUpTo(s.old.DB, s.site)
	if err == nil {
		err = s.eachID(func(_, _ []byte) error { return nil })
	}
	var rerr error
	if s.starts, rerr = records.StartsOf(s.own[string(records.RulesKey(s.site))], s.version, s.site); rerr != nil {
		return rerr
	}
	if s.db != nil {
		s.ids = identity.NewIDs(s.db, idBytes)
		s.ids.SetRules(s.site, event.NewRules(s.starts))
	}
	if s.old.Rebuilt && err == nil {
		s.known, s.relink = upTo, true // the store is read without its ids and links
		return nil
	}
	if err = errors.Join(damage, err); err != nil {
		s.damage("ids or links of site %d: %v; they are computed again", s.site, store.Named(err))
		s.relink = true
		return nil
	}
	s.upTo = upTo
	if _, err := sound(s.old.DB, links, copyTo); err != nil {
		return err
	}
	return s.eachID(s.set)
}

func (s *siteRepair) eachID(fn func(key, value []byte) error) error {
	it, err := s.old.DB.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixID, s.site), UpperBound: idsEnd(s.site)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			_ = it.Close()
			return err
		}
	}
	return it.Close()
}

// idsEnd is the end of a site's ids.
func idsEnd(site uint32) []byte {
	if site == math.MaxUint32 {
		return []byte{store.PrefixID + 1}
	}
	return store.SiteKey(store.PrefixID, site+1)
}

// set copies a key into the new store.
func (s *siteRepair) set(key, value []byte) error {
	if s.db == nil {
		return nil
	}
	return s.db.Set(slices.Clone(key), slices.Clone(value), pebble.NoSync)
}

// learn takes an event into the ids, if they do not have it yet. A person whose first event
// is lost has another ordinal in the computed ids than in the rows; a link joins both.
func (s *siteRepair) learn(ev *event.Event) error {
	if s.ids == nil || ev.Seq <= s.upTo {
		return nil
	}
	p, err := s.ids.Replay(s.site, ev.Seq, ev)
	if err != nil {
		return err
	}
	var links []byte
	if s.relink {
		for _, l := range p.Links {
			links = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(links, l.A), l.B)
		}
	}
	if p.Person != ev.PersonOrd && p.Person != 0 && ev.PersonOrd != 0 {
		links = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(links, ev.PersonOrd), p.Person)
	}
	if links != nil {
		key := store.LinkKey(s.site, ev.Seq)
		old, err := store.Get(s.db, key)
		if err != nil {
			return err
		}
		if err := s.set(key, append(old, links...)); err != nil {
			return err
		}
	}
	return s.ids.Replayed(s.db)
}

// finishIDs writes the ids, and that they are complete.
func (s *siteRepair) finishIDs() error {
	if s.db == nil {
		return nil
	}
	s.own[string(records.RulesKey(s.site))] = records.RulesNote(s.starts, s.last+1)
	b := s.db.NewBatch()
	defer b.Close()
	if err := s.ids.Flush(b); err != nil {
		return err
	}
	if err := b.Set(store.IDsUpToKey(s.site), binary.BigEndian.AppendUint64(nil, s.last), nil); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write ids: %w", err)
	}
	return nil
}
