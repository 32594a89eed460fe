// Rewriting: runs with deleted rows are written again without what these rows had.

package engine

import (
	"errors"
	"fmt"
	"math"
	"time"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

// blankMark is the cell of a blank in event.FieldGone.
var blankMark = event.AppendCell(nil, event.Boolean(true))

// rewrite makes blanks of the rows of t in all runs. Ids that no living row has must be
// forgotten.
func (m *merger) rewrite(t *erasure) error {
	sealed := t.site.Sealed()
	defer sealed.Close()
	sessions, err := m.livingSessions(t)
	if err != nil {
		return err
	}
	roots, err := m.livingRoots(t, sealed.All)
	if err != nil {
		return err
	}
	for _, r := range sealed.All {
		rows := seqsIn(t.rows, r.First, r.Last())
		if rows.IsEmpty() {
			continue
		}
		if err := m.thin(t, r, rows, sessions, roots); err != nil {
			return fmt.Errorf("rewrite run %d: %w", r.Run, err)
		}
	}
	return nil
}

// seqsIn returns those of seqs that are in [first, last].
func seqsIn(seqs *roaring64.Bitmap, first, last uint64) *roaring64.Bitmap {
	some := roaring64.New()
	some.AddRange(first, last+1)
	some.And(seqs)
	return some
}

// livingSessions returns those rows of t that began a session in which a row is left.
func (m *merger) livingSessions(t *erasure) (*roaring64.Bitmap, error) {
	v := t.site.View()
	defer v.Close()
	if err := t.sessions.extend(v, &pacedSink{merger: m, since: time.Now()}); err != nil {
		return nil, err
	}
	return roaring64.And(t.sessions.living, t.rows), nil
}

// thin rewrites one run. Its rows of t become blanks, and what is left of those that are blanks
// already is looked at again.
func (m *merger) thin(t *erasure, r *index.Run, rows, sessions, roots *roaring64.Bitmap) error {
	p := &thinning{m: m, erasure: t, run: r, cache: index.NewCache(mergeCache), rows: rows, pace: &pacedSink{merger: m, since: time.Now()}}
	p.part = r.In(p.cache).Part()
	if err := p.blanks(sessions, roots); err != nil {
		return err
	}
	if p.nothing() {
		m.e.deleting.Lock()
		defer m.e.deleting.Unlock()
		t.site.Unhide(rows)
		return nil
	}
	d, err := p.descriptor()
	if err == nil {
		err = p.totals()
	}
	if err != nil {
		return err
	}
	bytes, err := m.bytes([]*index.Run{r})
	if err != nil {
		return err
	}
	if !m.room(bytes) {
		return errNoRoom
	}
	m.e.disk.Claim(bytes)
	defer m.e.disk.Claim(-bytes)
	start := time.Now()
	s := m.e.sealer
	path := ""
	for {
		d.Run = s.newRun()
		path, err = s.write(d.Run, func(w index.Sink) error {
			sum := index.Checksum{Next: &pacedSink{Sink: w, merger: m, since: time.Now()}}
			if err := index.Thin(&sum, d.Run, r.In(p.cache), &p.how, event.NumInts, event.FieldMessageID); err != nil {
				return err
			}
			d.Keys, d.Sum = sum.Keys, sum.Sum()
			return nil
		})
		if err != nil {
			return err
		}
		if !p.how.Saturated {
			break
		}
		_ = m.e.written.Remove(path)
		if err := p.recount(); err != nil {
			return err
		}
	}
	if err = s.publish(path, func(b *pebble.Batch) error { return d.Put(b) }); err != nil {
		if m.e.failure() == nil && !errors.Is(err, errNotWritten) {
			m.e.fail(err) // part of the batch may be in the store
		}
		return err
	}
	m.undropped[r.Run] = t.site.ID
	m.e.deleting.Lock()
	t.site.Thinned(r, m.e.newRun(*d), rows, m.runFreed)
	m.e.deleting.Unlock()
	m.e.stats.rewrites.Add(1)
	m.e.stats.rewrittenEvents.Add(d.Rows)
	m.e.stats.rewriteNanos.Add(time.Since(start).Nanoseconds())
	return nil
}

// errNoRoom says that the disk has no room for a rewritten run. It is tried again later.
var errNoRoom = errors.New("the disk has no room for a rewritten run")

// thinning is the rewriting of one run.
type thinning struct {
	*erasure
	m     *merger
	run   *index.Run
	cache *index.Cache
	part  index.Part
	rows  *roaring64.Bitmap // of the erasure, in the run
	pace  *pacedSink
	how   index.Thinning

	fresh *index.Rows // rows that are not blanks yet
	drops bool        // some blank loses what it has kept
}

func (p *thinning) row(seq uint64) int { return int(seq - p.run.First) }

func (p *thinning) set() *index.Rows { return index.NewRows(p.part.Len()) }

// blanks finds out which rows are blanks, and what each of them keeps: sessions are the rows that
// name a session of which a row is left, roots those whose ordinal names a person of whom another
// ordinal is left.
func (p *thinning) blanks(sessions, roots *roaring64.Bitmap) error {
	n := p.part.Len()
	p.how.Blank, p.how.Mark, p.fresh = p.set(), blankMark, p.set()
	var old []int32 // blanks that stay as they are, but for their message ids
	if p.part.Column(index.FieldGone) != nil {
		index.NewRawMatcher(p.part, []index.Clause{has(index.FieldGone)}, nil).Ascend(0, func(row int) bool {
			p.how.Blank.Add(row)
			if !p.rows.Contains(p.run.First + uint64(row)) {
				old = append(old, int32(row))
			}
			return true
		})
	}
	for it := p.rows.Iterator(); it.HasNext(); {
		if row := p.row(it.Next()); !p.how.Blank.Has(row) {
			p.how.Blank.Add(row)
			p.fresh.Add(row)
		}
	}
	named, messages := p.set(), p.set()
	p.how.Cells = make(map[string]*index.Rows)
	for _, f := range []struct {
		field string
		keep  *roaring64.Bitmap
	}{{event.FieldSession, sessions}, {event.FieldUser, p.user}, {event.FieldAnonymous, p.anonymous}, {event.FieldPrevious, p.previous}} {
		kept := p.set()
		p.how.Cells[f.field] = kept
		for it := seqsIn(f.keep, p.run.First, p.run.Last()).Iterator(); it.HasNext(); {
			kept.Add(p.row(it.Next()))
		}
		col := p.part.Column(f.field)
		if col == nil {
			continue
		}
		codes := col.Codes()
		for _, row := range old {
			if codes.At(int(row)) != 0 {
				kept.Add(int(row))
			}
		}
		p.how.Blank.Each(0, n, func(row int) {
			if codes.At(row) == 0 {
				return
			}
			if kept.Has(row) {
				named.Add(row)
			} else {
				p.drops = p.drops || !p.fresh.Has(row)
			}
		})
	}
	p.how.Cells[event.FieldType] = p.how.Cells[event.FieldPrevious]
	p.how.Cells[event.FieldSessionOf] = p.how.Cells[event.FieldSession] // a name of the session, too
	cut := p.m.e.now().Add(-p.m.e.opts.Dedup).UnixMilli()
	if col := p.part.Column(event.FieldMessageID); col != nil {
		codes, received := col.Codes(), p.part.Ints(event.IntReceived)
		p.how.Blank.Each(0, n, func(row int) {
			switch {
			case codes.At(row) == 0:
			case received.At(row) >= cut && !p.now.Contains(p.run.First+uint64(row)):
				messages.Add(row)
			default:
				p.drops = p.drops || !p.fresh.Has(row)
			}
		})
	}
	p.how.Cells[event.FieldMessageID] = messages
	dialect := p.set()
	for _, from := range []*index.Rows{named, messages} {
		from.Each(0, n, dialect.Add)
	}
	p.how.Cells[event.FieldDialect] = dialect
	for it := seqsIn(roots, p.run.First, p.run.Last()).Iterator(); it.HasNext(); {
		named.Add(p.row(it.Next())) // its ordinals are its name
	}
	p.how.Ints = make([]index.ThinInts, event.NumInts)
	p.how.Ints[event.IntSession] = index.ThinInts{Keep: named, Zero: true}
	p.how.Ints[event.IntPerson] = index.ThinInts{Keep: named, Zero: true}
	p.how.Ints[event.IntFlags] = index.ThinInts{Keep: named}
	p.how.Ints[event.IntReceived] = index.ThinInts{Keep: messages}
	return p.part.Err()
}

// has is satisfied by rows that have a field.
func has(field string) index.Clause {
	return index.Clause{Any: []index.Alt{{Field: field}}, Present: true}
}

// nothing reports whether the run is as it should be.
func (p *thinning) nothing() bool { return p.fresh.Count() == 0 && !p.drops }

// descriptor returns that of the new run, without its id and sum. Its bounds are those of the
// living rows. Where none is left they are empty, so that every range of times passes it over.
func (p *thinning) descriptor() (*index.Descriptor, error) {
	d := p.run.Descriptor
	d.Version = index.RunVersion
	d.TimeMin, d.TimeMax, d.ReceivedMax = math.MaxInt64, math.MinInt64, math.MinInt64
	d.DayMin, d.DayMax = math.MaxInt32, math.MinInt32
	buf := make([]int64, index.PageRows)
	for _, col := range []int{event.IntTime, event.IntDay, event.IntReceived} {
		keep := p.how.Ints[col].Keep
		for page := 0; page*index.PageRows < p.part.Len(); page++ {
			for i, v := range p.part.Ints(col).Page(page, buf) {
				if row := page*index.PageRows + i; p.how.Blank.Has(row) && !keep.Has(row) {
					continue
				}
				switch col {
				case event.IntTime:
					d.TimeMin, d.TimeMax = min(d.TimeMin, v), max(d.TimeMax, v)
				case event.IntDay:
					d.DayMin, d.DayMax = min(d.DayMin, int32(v)), max(d.DayMax, int32(v))
				case event.IntReceived:
					d.ReceivedMax = max(d.ReceivedMax, v)
				}
			}
			if err := p.pace.pace(); err != nil {
				return nil, err
			}
		}
	}
	if !table.Living(&d) {
		d.Days = ""
	}
	return &d, p.part.Err()
}
