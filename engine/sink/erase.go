// Deletions: what was deleted in the store leaves the sink, too.

package sink

import (
	"context"
	"fmt"
	"slices"

	"cairn/engine/erase"
	"cairn/engine/query"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// deletion is a deletion as long as the sink needs its seqs. These stay on the disk.
type deletion struct {
	id      uint64
	kind    query.DeletionKind
	max     uint64 // its greatest seq
	receipt query.SinkReceipt
}

// spansMost is how many spans Sink.Delete gets at once: 1.6 MB.
const spansMost = 100_000

// readDeletions looks which deletions the sink needs, when there may be others than before.
func (r *Runner) readDeletions(s *carried) error {
	changed := r.src.Changed(s.Number) + 1
	if s.changed == changed {
		return nil
	}
	all, err := r.src.Deletions(s.Number, r.name)
	if err != nil {
		return err
	}
	s.deletions = s.deletions[:0]
	for _, d := range all {
		s.deletions = append(s.deletions, deletion{d.ID, d.Kind, d.Seqs.Maximum(), d.Sinks[slices.IndexFunc(d.Sinks, func(one query.SinkReceipt) bool { return one.Name == r.name })]})
	}
	s.changed = changed
	r.count(s)
	return nil
}

// count counts the deletions that the sink has to carry out.
func (r *Runner) count(s *carried) {
	n := 0
	for i := range s.deletions {
		if s.deletions[i].waits() {
			n++
		}
	}
	if n != s.pending {
		r.change(func() { s.pending = n })
	}
}

// waits reports whether the sink has to carry the deletion out. It does nothing for retention.
func (d *deletion) waits() bool { return d.kind != query.DeleteRetention && d.receipt.At == 0 }

// carryOut carries the deletions of a site out.
func (r *Runner) carryOut(ctx context.Context, s *carried) error {
	all, err := r.src.Deletions(s.Number, r.name)
	if err != nil {
		return err
	}
	sent := max(s.at.Cursor, s.at.Reach)
	for i := range s.deletions {
		d := &s.deletions[i]
		if !d.waits() {
			continue
		}
		at := slices.IndexFunc(all, func(one *erase.Record) bool { return one.ID == d.id })
		if at < 0 {
			return fmt.Errorf("deletion %d of site %d is not there any more", d.id, s.Number)
		}
		if err := r.delete(ctx, s, all[at], sent); err != nil {
			return &sinkError{err}
		}
		done := d.receipt
		done.At, done.Passed = max(1, r.src.Now().UnixMilli()), d.max <= s.at.Cursor
		if d.kind != query.DeleteSite {
			for _, st := range s.at.Stores[:len(s.at.Stores)-1] {
				done.Beyond = append(done.Beyond, st.Number)
			}
		}
		done.Beyond = append(done.Beyond, s.at.Left...)
		if err := r.src.CarriedOut(s.Number, d.id, done); err != nil {
			return err
		}
		d.receipt = done
		r.count(s)
		r.log.Info("sink: deletion carried out", "site", s.Name, "deletion", d.id)
	}
	s.forgetPassed()
	return nil
}

// delete removes the rows of a deletion from the sink.
func (r *Runner) delete(ctx context.Context, s *carried, d *erase.Record, sent uint64) error {
	if d.Kind == query.DeleteSite && sent <= d.UpTo {
		for _, st := range s.at.Stores {
			if err := r.cfg.Sink.DeleteSite(ctx, st.Number, s.Site); err != nil {
				return err
			}
		}
		return nil
	}
	for i, st := range s.at.Stores {
		first, last := st.First, sent
		if i == 0 {
			first = 1
		}
		if i+1 < len(s.at.Stores) {
			last = min(last, s.at.Stores[i+1].First-1)
		}
		if first > last {
			continue
		}
		if err := eachSpan(d.Seqs, first, last, func(spans []Span) error {
			return r.cfg.Sink.Delete(ctx, st.Number, s.Site, spans)
		}); err != nil {
			return err
		}
	}
	return nil
}

// eachSpan calls fn with the seqs from first to last that are in seqs, as spans, at most spansMost at a
// time.
func eachSpan(seqs *roaring64.Bitmap, first, last uint64, fn func([]Span) error) error {
	var spans []Span
	it := seqs.Iterator()
	for it.AdvanceIfNeeded(first); it.HasNext(); {
		seq := it.Next()
		if seq > last {
			break
		}
		if n := len(spans); n > 0 && spans[n-1].Last+1 == seq {
			spans[n-1].Last = seq
			continue
		}
		if len(spans) == spansMost {
			if err := fn(spans); err != nil {
				return err
			}
			spans = spans[:0]
		}
		spans = append(spans, Span{seq, seq})
	}
	if len(spans) == 0 {
		return nil
	}
	return fn(spans)
}

// settle notes which deletions the sink does not need any more, because its cursor has passed their rows.
func (r *Runner) settle(s *carried) error {
	for i := range s.deletions {
		d := &s.deletions[i]
		if d.waits() || d.receipt.Passed || d.max > s.at.Cursor {
			continue
		}
		done := d.receipt
		if done.Passed = true; done.At == 0 {
			done.At = max(1, r.src.Now().UnixMilli())
		}
		if err := r.src.CarriedOut(s.Number, d.id, done); err != nil {
			return err
		}
		d.receipt = done
	}
	s.forgetPassed()
	return nil
}

// forgetPassed forgets the deletions that the sink does not need any more.
func (s *carried) forgetPassed() {
	s.deletions = slices.DeleteFunc(s.deletions, func(d deletion) bool { return d.receipt.Passed })
}

// waitsForName reports whether another site had the name of this one before, and its rows are still to
// be deleted by that name.
func (r *Runner) waitsForName(s *carried) bool {
	for _, o := range r.sites {
		if o == s || o.Name != s.Name {
			continue
		}
		if r.readDeletions(o) != nil {
			return true
		}
		if slices.ContainsFunc(o.deletions, func(d deletion) bool { return d.kind == query.DeleteSite && d.waits() }) {
			return true
		}
	}
	return false
}
