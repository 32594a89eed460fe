// Recounting: rows that were counted on other days than those of the site's zone are
// counted again while they are written into a run.

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// zone returns the zone of a site's days. A site that is no longer configured keeps the
// zone that it had.
func (e *Engine) zone(site uint32) *time.Location {
	for _, s := range e.opts.Sites() {
		if s.ID == site {
			return zoneOf(s.Location)
		}
	}
	if name, err := store.Get(e.db, store.ZoneKey(site)); err == nil && name != nil {
		if loc, err := time.LoadLocation(string(name)); err == nil {
			return loc
		}
	}
	return time.UTC
}

// noteZones stores the zone of each configured site.
func (e *Engine) noteZones() error {
	b := e.db.NewBatch()
	defer b.Close()
	for _, s := range e.opts.Sites() {
		name := zoneOf(s.Location).String()
		before, err := store.Get(e.db, store.ZoneKey(s.ID))
		switch {
		case err != nil:
			return err
		case string(before) == name:
			continue
		case before != nil:
			e.log.Info("store: the time zone of a site has changed; its days are those of the new zone", "site", s.Name, "from", string(before), "to", name)
		}
		if err := b.Set(store.ZoneKey(s.ID), []byte(name), nil); err != nil {
			return err
		}
	}
	if b.Empty() {
		return nil
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("store the time zones of sites: %w", err)
	}
	return nil
}

// recountTotals returns the totals of all rows of a part.
func recountTotals(p index.Part) (*index.Totals, error) {
	var totals index.Totals
	err := countRows(p, 0, p.Len(), &totals)
	return &totals, err
}

// countRows adds what the rows [from, to) of a part count to totals.
func countRows(p index.Part, from, to int, totals *index.Totals) error {
	rows := table.NewCountReader(p)
	for row := from; row < to; row++ {
		ev, err := rows.Read(row)
		if err != nil {
			return err
		}
		ev.Counts(func(property, term string, by int64) bool {
			totals.Add(property, ev.Day, term, by)
			return true
		})
	}
	return nil
}

// recountRows is how many rows are recounted at a time during a merge. Their totals are in
// a table; then they are packed.
const recountRows = 1 << 14

// errRecountMemory says that the recounted totals of a merge need too much memory.
var errRecountMemory = errors.New("the totals of the runs take too much memory")

// recountRuns prepares to merge runs with their rows counted on the days of their event
// times. The result has an entry for each run, nil when the run is counted so already. The
// packed totals take at most bytesMax bytes; beyond it the error is errRecountMemory. pace is
// called now and then and may return an error.
func recountRuns(runs []*index.Run, zone *time.Location, bytesMax int64, pace func() error) (recounts []*index.Recount, err error) {
	recounts = make([]*index.Recount, len(runs))
	for i, r := range runs {
		if !table.Living(&r.Descriptor) {
			continue // nothing is counted
		}
		days, ok := calendar.DaysOf(r.TimeMin, r.TimeMax, zone)
		if !ok {
			return nil, errRecountMemory
		}
		p := r.Part()
		if countedOn(r, p, &days) {
			if err := p.Err(); err != nil {
				return nil, err
			}
			continue
		}
		p = table.Recounted(p, &days)
		recount := &index.Recount{Col: event.IntDay, Ints: p.Ints(event.IntDay), Err: p.Err}
		for row := 0; row < p.Len(); row += recountRows {
			if err := pace(); err != nil {
				return nil, err
			}
			var totals index.Totals
			if err := countRows(p, row, min(row+recountRows, p.Len()), &totals); err != nil {
				return nil, err
			}
			packed := packTotals(totals.Sorted())
			if bytesMax -= int64(len(packed)); bytesMax < 0 {
				return nil, errRecountMemory
			}
			recount.Totals = append(recount.Totals, unpackTotals(packed))
		}
		recounts[i] = recount
	}
	return recounts, nil
}

// countedOn reports whether every row of a run is counted on the day of its event time. p is the rows
// of the run; the caller checks p.Err.
func countedOn(r *index.Run, p index.Part, days *calendar.Days) bool {
	have, known := table.DaysOf(r)
	return known && have.Same(days) || !known && table.CountedOn(p, days)
}

// OtherZone returns how many runs of a site, with how many rows, have days of another zone than the
// site has now. Until a merge writes them again, questions about some of their days read the rows
// instead of the totals. Rows that are in no run yet cost nothing. Of runs that do not say whose
// days they have, which an older cairn has written, it reads the days of all rows.
func (e *Engine) OtherZone(site uint32) (runs int, rows uint64) {
	zone := e.zone(site)
	sealed := e.state(site).Sealed()
	defer sealed.Close()
	for _, r := range sealed.All {
		if !table.Living(&r.Descriptor) {
			continue
		}
		days, ok := calendar.DaysOf(r.TimeMin, r.TimeMax, zone)
		if p := r.Part(); !ok || !countedOn(r, p, &days) || p.Err() != nil {
			runs, rows = runs+1, rows+r.Rows
		}
	}
	return runs, rows
}

// packTotals encodes sorted totals as a note.
func packTotals(totals []index.Total) []byte {
	b := binary.AppendUvarint(nil, uint64(len(totals)))
	for i := range totals {
		b = index.AppendTotal(b, &totals[i], i > 0 && totals[i].Property == totals[i-1].Property)
	}
	return b
}

// unpackTotals yields the totals of a note.
func unpackTotals(note []byte) iter.Seq[index.Total] {
	return func(yield func(index.Total) bool) {
		going := true
		_ = index.ReadTotals(note, func(t index.Total) { going = going && yield(t) }) // packTotals made it
	}
}
