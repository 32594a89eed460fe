// Blanks, as tests make them: what a rewritten run has left of deleted rows.

package engine_test

import (
	"iter"
	"maps"
	"math"
	"slices"

	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// dbSink writes a run into a store.
type dbSink struct{ db *pebble.DB }

func (s dbSink) Set(key, value []byte) error { return s.db.Set(key, value, pebble.NoSync) }

// makeBlanks closes the engine, makes blanks of all deleted rows in runs, and opens it again. A
// blank that was the first row of an id or a session keeps its names.
func (p *pair) makeBlanks() {
	p.close()
	db, err := store.OpenPebble(store.Dir(p.fs, p.dir), &pebble.Options{FS: p.fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err != nil {
		p.Fatal(err)
	}
	var runs []index.Descriptor
	if err := index.Descriptors(db, func(d index.Descriptor) error {
		runs = append(runs, d)
		return nil
	}); err != nil {
		p.Fatal(err)
	}
	for _, d := range runs {
		if err := p.thin(db, d, uint64(1_000_000*p.op)+d.Run); err != nil {
			p.Fatalf("op %d: thin run %d: %v", p.op, d.Run, err)
		}
	}
	if err := db.Close(); err != nil { // the rows stay hidden, too: nothing is forgotten yet
		p.Fatal(err)
	}
	report, err := check.Store(p.Context(), p.fs, p.dir)
	if err != nil || len(report.Problems) > 0 {
		p.Fatalf("op %d: check with blanks: %v %v", p.op, err, report.Problems)
	}
	p.open()
	for _, site := range p.sites {
		got, err := walk(p.engine, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			p.Fatal(err)
		}
		p.sameEvents("with blanks", got, p.model.of(&site.Site).living())
	}
}

// thin rewrites a run as the run id.
func (p *pair) thin(db *pebble.DB, d index.Descriptor, id uint64) error {
	s := p.model.sites[d.Site]
	run := index.NewRun(d, db, index.NewCache(1<<20), table.Format)
	n := int(d.Rows)
	part, rows := run.Part(), table.NewRowReader(run.Part())
	blank, named := index.NewRows(n), index.NewRows(n)
	var lost index.Totals
	left := map[index.Total]bool{} // without sums
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for row := range n {
		seq := d.First + uint64(row)
		ev, err := rows.Read(row)
		if err != nil {
			return err
		}
		if !s.deleted[seq] {
			lo, hi = min(lo, ev.Time), max(hi, ev.Time)
			ev.Counts(func(property, term string, by int64) bool {
				left[index.Total{Property: property, Day: ev.Day, Value: term}] = true
				return true
			})
			continue
		}
		blank.Add(row)
		if !rows.Blank(row) {
			ev.Counts(func(property, term string, by int64) bool {
				lost.Add(property, ev.Day, term, by)
				return true
			})
		}
		if s.isName(seq) {
			named.Add(row)
		}
	}
	if blank.Count() == 0 {
		return nil
	}
	aliases := index.NewRows(n)
	if previous := part.Column(event.FieldPrevious); previous != nil {
		named.Each(0, n, func(row int) {
			if previous.Codes().At(row) != 0 {
				aliases.Add(row)
			}
		})
	}
	th := &index.Thinning{Blank: blank, Mark: event.AppendCell(nil, event.Boolean(true)), Ints: make([]index.ThinInts, event.NumInts), Cells: map[string]*index.Rows{event.FieldType: aliases}}
	messages, dialects := index.NewRows(n), index.NewRows(n)
	named.Each(0, n, dialects.Add)
	if ids := part.Column(event.FieldMessageID); ids != nil {
		blank.Each(0, n, func(row int) {
			if ids.Codes().At(row) != 0 {
				messages.Add(row)
				dialects.Add(row)
			}
		})
	}
	th.Cells[event.FieldMessageID], th.Cells[event.FieldDialect] = messages, dialects
	th.Ints[event.IntReceived] = index.ThinInts{Keep: messages}
	for _, f := range []string{event.FieldSession, event.FieldUser, event.FieldAnonymous, event.FieldPrevious} {
		th.Cells[f] = named
	}
	th.Ints[event.IntSession], th.Ints[event.IntPerson] = index.ThinInts{Keep: named, Zero: true}, index.ThinInts{Keep: named, Zero: true}
	th.Ints[event.IntFlags] = index.ThinInts{Keep: named}
	th.Lost = []iter.Seq[index.Total]{slices.Values(lost.Sorted())}
	th.Stays = func(t index.Total) bool {
		t.Sum = 0
		return left[t]
	}
	sum := index.Checksum{Next: dbSink{db}}
	if err := index.Thin(&sum, id, run, th, event.NumInts, event.FieldMessageID); err != nil {
		return err
	}
	d.Run, d.Keys, d.Sum, d.TimeMin, d.TimeMax = id, sum.Keys, sum.Sum(), lo, hi
	if lo > hi {
		d.Days = ""
	}
	b := db.NewBatch()
	defer b.Close()
	if err := d.Put(b); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}

// isName reports whether the row at seq was the first one of an id or of a session.
func (s *modelSite) isName(seq uint64) bool {
	e := s.events[seq-1]
	if e.SessionOrd == seq {
		return true
	}
	ids := func(e *event.Event) map[string]bool {
		all := map[string]bool{"u" + e.User: e.User != "", "a" + e.Anonymous: e.Anonymous != ""}
		if e.Type == event.Alias && e.Previous != "" && (e.User != "" || e.Anonymous != "") {
			all["u"+e.Previous], all["a"+e.Previous] = true, true
		}
		maps.DeleteFunc(all, func(_ string, is bool) bool { return !is })
		return all
	}
	own := ids(e)
	for _, o := range s.events[:seq-1] {
		for id := range ids(o) {
			delete(own, id)
		}
	}
	return len(own) > 0
}
