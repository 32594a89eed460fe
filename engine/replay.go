// Replay rebuilds, when the store is opened, what is only in the log.

package engine

import (
	"errors"
	"fmt"

	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"
)

// replay loads every site's runs and the rows of the log that are in no run yet. version is
// the format version of the store.
func (e *Engine) replay(seq *sequencer, version byte) error {
	used := make(map[uint64]bool)
	lost, err := store.ReadLost(e.db)
	if err != nil {
		return err
	}
	last := make(map[uint32]uint64)
	err = index.Descriptors(e.db, func(d index.Descriptor) error {
		if next := lost.Next(d.Site, last[d.Site]); d.First != next {
			return store.Missing(d.Site, next, d.First-1)
		}
		last[d.Site] = d.Last()
		used[d.Run] = true
		e.state(d.Site).Load(e.newRun(d))
		return nil
	})
	if err != nil {
		return err
	}
	for site := range lost {
		s := e.state(site)
		s.Skip(lost.Next(site, s.Last()) - 1)
	}
	if !e.opts.ReadOnly {
		if err := e.sealer.removeOrphans(used); err != nil {
			return err
		}
	}
	logged, err := wal.Sites(e.db)
	if err != nil {
		return err
	}
	for _, id := range logged {
		e.state(id)
	}
	for _, s := range e.allSites() {
		if err := e.setRules(seq.ids, version, s.ID); err != nil {
			return err
		}
		if err := e.replaySite(seq, s); err != nil {
			return err
		}
		seq.next[s] = s.Last() + 1
	}
	return nil
}

// replaySite loads the rows of one site from the log. It fails if rows are missing.
func (e *Engine) replaySite(seq *sequencer, s *siteState) error {
	upTo, err := store.IDsUpTo(e.db, s.ID)
	if err != nil {
		return err
	}
	last := s.Last()
	if upTo < last {
		return store.DamagedFile(fmt.Sprintf("the ids of site %d", s.ID), fmt.Errorf("they cover %d events, but the runs have %d", upTo, last))
	}
	var rest table.Overflow
	var one [1][]byte // the current record
	if err := wal.Notes(e.db, s.ID, 0, 1<<64-1, func(uint64, []byte) error { return nil }); err != nil {
		return err // a damaged one is found now, not when the rows are sealed
	}
	err = wal.Replay(e.db, s.ID, func(n uint64, record []byte) error {
		if n != last+1 {
			return store.Missing(s.ID, last+1, n-1)
		}
		if open := s.MemPart(); open != nil && (open.Rows() >= e.opts.SealRows || open.Bytes() >= e.memory.SealBytes || e.replayedMuch()) {
			starts, err := wal.HasNote(e.db, s.ID, n) // the log may be cut there
			if err != nil {
				return err
			}
			if starts {
				if err := e.detachReplayed(seq, s, last); err != nil {
					return err
				}
			}
		}
		one[0] = record
		grown, err := s.Append(n, one[:], &rest)
		e.hotBytes.Add(grown)
		if err != nil {
			return store.Unreadable(s.ID, n, err)
		}
		ev, err := event.DecodeRecord(record)
		if err != nil {
			return store.Unreadable(s.ID, n, err)
		}
		if n > upTo && !e.opts.ReadOnly { // only writes need the ids
			if _, err := seq.ids.Replay(s.ID, n, ev); err != nil {
				return err
			}
			if err := seq.ids.Replayed(e.db); err != nil {
				return err
			}
		}
		if ev.MessageID != "" {
			hi, lo := seq.recent.hash(s.ID, ev.Dialect, ev.MessageID)
			seq.recent.add(s.ID, hi, lo, n)
		}
		last = n
		e.hot.Add(1)
		return nil
	})
	if err != nil {
		return err
	}
	if s.MemPart() != nil {
		s.Publish(last)
	}
	return nil
}

// replayedMuch reports whether a replay has taken in as many rows as memory should have. The log is
// that long if a backup has appended to it; see engine/backup.
func (e *Engine) replayedMuch() bool {
	return !e.opts.ReadOnly && !e.sealer.tried && (e.hot.Load() >= int64(e.opts.HotEvents) || e.hotBytes.Load() >= e.memory.RowsLeast)
}

// detachReplayed hands the rows of a site up to a seq to the sealer. When these are too many, they and
// all that wait are sealed at once, since the sealer is not started yet. If that is not possible they
// stay in memory.
func (e *Engine) detachReplayed(seq *sequencer, s *siteState, last uint64) error {
	s.Publish(last)
	much := e.replayedMuch()
	if part := s.Detach(); !e.opts.ReadOnly {
		e.sealer.add(s, part)
	}
	if !much {
		return nil
	}
	for _, other := range e.allSites() { // whose rows are all replayed
		if other.MemPart() != nil {
			e.sealer.add(other, other.Detach())
		}
	}
	if err := seq.ids.ReplayedAll(e.db); err != nil { // rows leave the log only after the ids (I8)
		return err
	}
	for e.sealer.waiting() {
		batch := e.sealer.next()
		err := e.sealer.seal(batch)
		if errors.Is(err, errNotWritten) {
			e.sealer.tried = true
			return nil
		}
		if err != nil {
			return err
		}
		e.sealer.finished(batch)
	}
	return nil
}
