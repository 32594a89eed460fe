// Which sessions of deleted rows have living rows as well.

package engine

import (
	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// sessionSearch finds out which sessions of deleted rows are still in living ones. Rows that come
// meanwhile are looked at by extend alone. A row that another deletion hides meanwhile counts as
// living: that deletion looks again.
type sessionSearch struct {
	site   *siteState
	ords   *roaring64.Bitmap // the sessions of the deleted rows
	living *roaring64.Bitmap // those of them that living rows up to upTo have
	upTo   uint64            // seq
	bufs   [2][]int64
}

func newSessionSearch(s *siteState) *sessionSearch {
	return &sessionSearch{site: s, ords: roaring64.New(), living: roaring64.New(), bufs: [2][]int64{make([]int64, index.PageRows), make([]int64, index.PageRows)}}
}

// lost reports whether a session has lost rows.
func (s *sessionSearch) lost(ord uint64) bool { return s.ords.Contains(ord) }

// lives reports whether a session that has lost rows has living ones.
func (s *sessionSearch) lives(ord uint64) bool { return s.living.Contains(ord) }

// of looks for the sessions of some deleted rows as well.
func (s *sessionSearch) of(rows *roaring64.Bitmap, pace *pacedSink) error {
	v := s.site.View()
	defer v.Close()
	ords := roaring64.New()
	for i := range v.Parts {
		p := &v.Parts[i]
		some := seqsIn(rows, p.First(), p.Last())
		if some.IsEmpty() {
			continue
		}
		part := openIn(p, index.NewCache(mergeCache))
		ints := part.Ints(event.IntSession)
		buf, page, before := []int64(nil), -1, uint64(0)
		for it := some.Iterator(); it.HasNext(); {
			row := int(it.Next() - p.First())
			if row/index.PageRows != page {
				page = row / index.PageRows
				buf = ints.Page(page, s.bufs[0])
				if err := pace.pace(); err != nil {
					return err
				}
			}
			if ord := uint64(buf[row%index.PageRows]); ord != 0 && ord != before {
				ords.Add(ord)
				before = ord
			}
		}
		if err := part.Err(); err != nil {
			return err
		}
	}
	ords.AndNot(s.ords)
	last := s.upTo
	if last == 0 {
		last = v.Last
	}
	if err := s.scan(v, ords, 0, last, pace); err != nil {
		return err
	}
	s.ords.Or(ords)
	s.upTo = last
	return s.extend(v, pace)
}

// extend looks at the rows of a view that are new.
func (s *sessionSearch) extend(v *table.View, pace *pacedSink) error {
	if v.Last <= s.upTo {
		return nil
	}
	err := s.scan(v, s.ords, s.upTo, v.Last, pace)
	if err == nil {
		s.upTo = v.Last
	}
	return err
}

// scan adds those of ords to living that living rows at seqs (from, to] have.
func (s *sessionSearch) scan(v *table.View, ords *roaring64.Bitmap, from, to uint64, pace *pacedSink) error {
	if ords.IsEmpty() {
		return nil
	}
	first, last := ords.Minimum(), ords.Maximum()
	from = max(from, first-1) // a session begins with its first row
	for i := range v.Parts {
		p := &v.Parts[i]
		if p.Last() <= from || p.First() > to {
			continue
		}
		part := openIn(p, index.NewCache(mergeCache))
		ints := part.Ints(event.IntSession)
		var blanks index.Ints
		if col := part.Column(index.FieldGone); col != nil {
			blanks = col.Codes()
		}
		start := 0
		if from >= p.First() {
			start = int(from + 1 - p.First())
		}
		end := min(part.Len(), int(to+1-p.First()))
		for page := start / index.PageRows; page*index.PageRows < end; page++ {
			if err := pace.pace(); err != nil {
				return err
			}
			if v, ok := ints.Constant(page); ok && !ords.Contains(uint64(v)) {
				continue
			}
			var gone []int64
			before := uint64(0)
			for k, ord := range ints.Page(page, s.bufs[0]) {
				ord, row := uint64(ord), page*index.PageRows+k
				if ord == before || ord < first || ord > last || row < start || row >= end || !ords.Contains(ord) {
					continue
				}
				if p.Hidden() != nil && p.Hidden().Has(row) {
					continue
				}
				if blanks != nil {
					if gone == nil {
						gone = blanks.Page(page, s.bufs[1])
					}
					if gone[k] != 0 {
						continue
					}
				}
				before = ord
				s.living.Add(ord)
			}
		}
		if err := part.Err(); err != nil {
			return err
		}
	}
	return nil
}
