// Matching: which rows a deletion takes.

package read

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Matching is the rows of a site that satisfy conditions.
type Matching struct {
	Seqs        *roaring64.Bitmap
	UpTo        uint64 // seq of the newest row that was looked at
	First, Last int64  // least and greatest event time; First > Last when there are no rows
}

// Matching finds the rows that are visible now, satisfy all conditions and have an event time in
// [from, to); 0 = open.
func (rd *Reader) Matching(ctx context.Context, site *query.Site, where []query.Cond, from, to int64) (*Matching, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	pred, err := plan(v, where, from, to)
	if err != nil {
		return nil, err
	}
	type found struct {
		seqs        *roaring64.Bitmap
		first, last int64
	}
	sums, err := gather(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange, f *found) error {
		p, err := r.open(rr)
		if p == nil {
			return err
		}
		if f.seqs == nil {
			f.seqs, f.first, f.last = roaring64.New(), math.MaxInt64, math.MinInt64
		}
		times, seqs := newRowInts(p.Get().Ints(event.IntTime)), make([]uint64, 0, len(r.batch))
		err = r.each(rr, func(rows []int32) {
			seqs = seqs[:0]
			for i, at := range times.of(rows) {
				seqs = append(seqs, p.First()+uint64(rows[i]))
				f.first, f.last = min(f.first, at), max(f.last, at)
			}
			f.seqs.AddMany(seqs)
		})
		if err == nil {
			err = p.Err()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	m := &Matching{Seqs: roaring64.New(), UpTo: v.Last, First: math.MaxInt64, Last: math.MinInt64}
	for _, s := range sums {
		if s.seqs != nil {
			m.Seqs.Or(s.seqs)
			m.First, m.Last = min(m.First, s.first), max(m.Last, s.last)
		}
	}
	m.Seqs.RunOptimize()
	return m, nil
}
