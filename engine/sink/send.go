// Sending: a range is fixed, written down, sent, and then the cursor moves.

package sink

import (
	"context"
	"fmt"
	"math"
	"time"

	"cairn/engine/export"
	"cairn/engine/query"
	"cairn/engine/records"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// send sends the range that is under way, or else the next one. Afterwards the cursor is behind it.
func (r *Runner) send(ctx context.Context, s *carried) error {
	if err := r.load(ctx, s); err != nil {
		return err
	}
	to := s.at
	if to.Sending.Last == 0 {
		return nil // no row waits
	}
	if r.lines.Len() > 0 {
		start := time.Now()
		err := r.cfg.Sink.Send(ctx, r.rangeOf(s))
		r.nanos.Add(time.Since(start).Nanoseconds())
		r.sends.Add(1)
		if err != nil {
			f := FaultOf(err)
			if f.BadRow {
				return r.bad(s, f)
			}
			return &sinkError{err}
		}
		r.rows.Add(int64(r.lines.Len()))
		r.bytes.Add(int64(len(r.lines.Text)))
	}
	r.passed(s, &to)
	if err := r.move(s, to); err != nil {
		return err
	}
	if s.limit > 0 {
		if s.limit *= 2; s.limit >= r.cfg.Rows {
			s.limit = 0
		}
	}
	return nil
}

// passed moves a cursor behind the range that is loaded.
func (r *Runner) passed(s *carried, to *records.SinkCursor) {
	to.Cursor, to.Sending = to.Sending.Last, records.SinkRange{}
	if s.missing > 0 {
		to.Missed, to.MissedAt = to.Missed+s.missing, r.src.Now().UnixMilli()
		r.log.Error("sink: rows were gone before the sink took them", "site", s.Name, "rows", s.missing, "up to", to.Cursor)
	}
	s.missing = 0
	r.loaded = nil
}

// load reads the range that is under way, or else makes the next one and writes it down.
func (r *Runner) load(ctx context.Context, s *carried) error {
	changed, form := r.src.Changed(s.Number), r.cfg.Sink.Form()
	if r.loaded == s && s.seen == changed && s.form == form && s.at.Sending.Last != 0 {
		return nil // it goes again
	}
	r.loaded = nil
	fixed := s.at.Sending.Last != 0
	number, upTo := s.storeAt(s.at.Cursor + 1)
	most := export.LinesMost{}
	if fixed {
		upTo = s.at.Sending.Last
	} else {
		most = export.LinesMost{Rows: r.cfg.Rows, Bytes: r.cfg.Bytes, Months: monthsMost}
		if s.limit > 0 {
			most.Rows = min(most.Rows, s.limit)
		}
	}
	rows := r.src.Read.Carried(ctx, &query.Site{ID: s.Number, Name: s.Name}, s.at.Cursor, upTo)
	defer rows.Close()
	n, last := rows.Bounds()
	if n == 0 && !fixed {
		return nil
	}
	if err := r.lines.Read(ctx, rows, rowForm(form, number), most, max(1<<20, r.src.Bytes/4)); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	if !fixed {
		if s.backlog = r.lines.Cut; s.backlog {
			last = r.lines.Seqs[r.lines.Len()-1]
		}
	} else {
		last, s.backlog = s.at.Sending.Last, true
	}
	missing, err := r.missed(s, s.at.Cursor+1, last)
	if err != nil {
		return err
	}
	if !fixed {
		to := s.at
		to.Sending = records.SinkRange{First: s.at.Cursor + 1, Last: last}
		to.Reach = max(to.Reach, last)
		if r.lines.Len() == 0 {
			r.change(func() { s.at.Sending = to.Sending }) // nothing is sent, so nothing has to be written down
		} else if err := r.move(s, to); err != nil {
			return err
		}
	}
	s.seen, s.form, s.missing, r.loaded = changed, form, missing, s
	return nil
}

// rowForm is how rows are encoded for a form.
func rowForm(f Form, number uint64) export.RowForm {
	return export.RowForm{Native: f == Native, Store: number, Texts: f == ColumnsText || f == ColumnsSeconds, Seconds: f == ColumnsSeconds}
}

// rangeOf returns the range that is loaded.
func (r *Runner) rangeOf(s *carried) *Range {
	l := &r.lines
	g := &Range{Site: s.Site, First: s.at.Sending.First, Last: s.at.Sending.Last, Lines: l.Text, Ends: l.Ends, Seqs: l.Seqs, Received: l.Received}
	g.Store, _ = s.storeAt(g.First)
	r.ids = r.ids[:0]
	for _, seq := range l.Seqs {
		r.ids = r.src.Read.Public.Append(r.ids, s.Number, seq)
	}
	all := string(r.ids) // one text for all ids
	each := len(all) / l.Len()
	g.IDs = make([]string, l.Len())
	for i := range g.IDs {
		g.IDs[i] = all[i*each : (i+1)*each]
	}
	return g
}

// missed returns how many of the seqs from first to last have no row any more although no deletion but
// retention took them, and although the sink was there. r.lines are the rows that are left.
func (r *Runner) missed(s *carried, first, last uint64) (n uint64, err error) {
	if last-first+1 == uint64(r.lines.Len()) {
		return 0, nil
	}
	gone := roaring64.New()
	gone.AddRange(first, last+1)
	gone.AndNot(roaring64.BitmapOf(r.lines.Seqs...))
	old := gone.Clone() // gone when the sink met the site, maybe: these need somebody who says that they went later
	old.RemoveRange(s.at.Since+1, math.MaxUint64)
	deletions, err := r.src.Deletions(s.Number, r.name)
	if err != nil {
		return 0, err
	}
	for _, d := range deletions {
		if d.Kind == query.DeleteRetention {
			old.AndNot(d.Seqs)
		}
	}
	gone.AndNot(old)
	for _, d := range deletions {
		if d.Kind != query.DeleteRetention {
			gone.AndNot(d.Seqs)
		}
	}
	return gone.GetCardinality(), nil
}

// badRow begins the code of a row that the sink refuses.
const badRow = "bad_row:"

// bad is called when the sink refuses a row of the range that is loaded. A range of several rows is
// halved; its first half is the next one. A single one is passed over, or waited for.
func (r *Runner) bad(s *carried, f *Fault) error {
	rows := r.lines.Len()
	if rows > 1 {
		s.limit = (rows + 1) / 2
		to := s.at
		to.Sending.Last = r.lines.Seqs[s.limit-1]
		r.loaded, s.backlog = nil, true
		return r.move(s, to) // goes at once
	}
	seq := r.lines.Seqs[0]
	if !r.cfg.SkipBad {
		return &Fault{Code: badRow + f.Code, Err: fmt.Errorf("the sink refuses event %d: %w", seq, f)}
	}
	if err := r.noteBad(s, seq, f); err != nil {
		return err
	}
	to := s.at
	to.Refuse(seq)
	r.passed(s, &to)
	s.backlog = true
	r.log.Warn("sink: a row was refused and is passed over; see "+BadName, "site", s.Name, "seq", seq, "code", f.Code)
	return r.move(s, to)
}
