// The files of a purge: how what was deleted leaves the tables and log files of Pebble.

package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cairn/engine/store"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
)

// cleaned waits until Pebble has removed the files that it does not need any more: some log files,
// and tables. That happens in the background. It is false when a file stays for long. There are no
// blob files, because cairn's options separate no values.
func (m *merger) cleaned(logs []string) (bool, error) {
	tables, err := m.files(".sst")
	if err != nil {
		return false, err
	}
	for range 200 {
		live, err := m.live()
		if err != nil {
			return false, err
		}
		left, err := m.files(".log", ".sst")
		if err != nil {
			return false, err
		}
		stays := func(name string) bool { return slices.Contains(left, name) && !live[name] }
		if !slices.ContainsFunc(logs, stays) && !slices.ContainsFunc(tables, stays) {
			return true, nil
		}
		if m.stopping() {
			return false, errMergeStopped
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false, nil
}

// files returns the names of the files of the store that end in one of some ways.
func (m *merger) files(ends ...string) (names []string, err error) {
	list, err := m.e.opts.FS.List(store.Dir(m.e.opts.FS, m.e.opts.Dir))
	if err != nil {
		return nil, fmt.Errorf("list the files of the store: %w", err)
	}
	for _, name := range list {
		if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
			names = append(names, name)
		}
	}
	return names, nil
}

// live returns the names of the tables that Pebble has.
func (m *merger) live() (map[string]bool, error) {
	levels, err := m.e.db.SSTables()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, tables := range levels {
		for _, t := range tables {
			names[fmt.Sprintf("%06d.sst", t.BackingSSTNum)] = true
		}
	}
	return names, nil
}

// compact rewrites all tables that have something of a span, so that nothing that was deleted is
// left in them. Pebble moves a table without a change to the next level where nothing overlaps it.
// Tombstones at the ends of the span, in a table of their own, make it rewrite both. The flush
// ends the log file, too.
func (m *merger) compact(ctx context.Context, span [2][]byte) error {
	if err := m.e.db.Flush(); err != nil {
		return err
	}
	b := m.e.db.NewBatch()
	defer b.Close()
	for _, key := range span {
		if err := b.Delete(append(slices.Clone(key), 0), nil); err != nil { // no key of the store
			return err
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	if err := m.e.db.Flush(); err != nil {
		return err
	}
	return m.e.db.Compact(ctx, span[0], append(slices.Clone(span[1]), 1), false)
}

// purgeRunsMost is how many runs are compacted by themselves.
const purgeRunsMost = 16

// purgeSpans are the keys that may have something of a site's deleted events: the log, ids,
// links, heartbeats, and runs that are not there any more.
func (m *merger) purgeSpans(site uint32) (spans [][2][]byte, err error) {
	for _, prefix := range []byte{wal.PrefixBlock, wal.PrefixNote, store.PrefixID, store.PrefixLink, store.PrefixHeartbeats, store.PrefixDeletions} {
		first := store.SiteKey(prefix, site)
		spans = append(spans, [2][]byte{first, slices.Concat(first, bytes.Repeat([]byte{0xff}, 16))})
	}
	if !m.swept || len(m.purged) > purgeRunsMost {
		gaps, err := m.gaps()
		return append(spans, gaps...), err
	}
	for _, id := range m.purged {
		spans = append(spans, runSpan(id, id))
	}
	return spans, nil
}

// runSpan is the keys of the runs from one to another.
func runSpan(first, last uint64) [2][]byte {
	run := func(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{index.PrefixRun}, id) }
	return [2][]byte{run(first), slices.Concat(run(last), bytes.Repeat([]byte{0xff}, 16))}
}

// gaps are the spans between the runs of all sites in which some table may have keys. These are
// of runs that were deleted as a range, maybe before the last start. A run that is being written
// may be among them, which costs some time and changes nothing.
func (m *merger) gaps() (spans [][2][]byte, err error) {
	var live []uint64
	for _, s := range m.e.allSites() {
		sealed := s.Sealed()
		for _, r := range sealed.All {
			live = append(live, r.Run)
		}
		sealed.Close()
	}
	slices.Sort(live)
	add := func(first, last uint64) error {
		span := runSpan(first, last)
		levels, err := m.e.db.SSTables(pebble.WithKeyRangeFilter(span[0], span[1]))
		if slices.ContainsFunc(levels, func(tables []pebble.SSTableInfo) bool { return len(tables) > 0 }) {
			spans = append(spans, span)
		}
		return err
	}
	next := uint64(0)
	for _, id := range live {
		if id > next {
			if err := add(next, id-1); err != nil {
				return nil, err
			}
		}
		next = id + 1
	}
	return spans, add(next, math.MaxUint64)
}
