// Matching: which rows a deletion takes.

package read

import (
	"context"
	"math"
	"time"

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
	return v.matching(pred, nil)
}

// MatchingRetained is Matching over the rows that are visible now and those that retention alone
// hides. A sink may have these, or may still take them.
func (rd *Reader) MatchingRetained(ctx context.Context, site *query.Site, where []query.Cond, from, to int64) (*Matching, error) {
	v := rd.retainedView(ctx, site)
	defer v.Close()
	pred, err := plan(v, where, from, to)
	if err != nil {
		return nil, err
	}
	return v.matching(pred, nil)
}

// retentionTime is how long retention may look for what it deletes. It looks once a night, and nobody
// waits.
const retentionTime = 10 * time.Minute

// MatchingBefore finds the visible rows with an event time before a moment. The rows that say who
// a person is stay as long as the person has a row from that moment on.
func (rd *Reader) MatchingBefore(ctx context.Context, site *query.Site, before int64) (*Matching, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	v.budget.end = time.Now().Add(retentionTime)
	pred := newPredicate().between(math.MinInt64, before)
	says, err := v.matching(pred.and(event.FieldType, string(event.Identify), string(event.Alias), string(event.Group)), nil)
	if err != nil || says.Seqs.IsEmpty() {
		if err == nil {
			return v.matching(pred, nil)
		}
		return nil, err
	}
	persons, err := v.persons()
	if err != nil {
		return nil, err
	}
	here, err := v.ordinalsOf(newPredicate().between(before, math.MaxInt64), event.IntPerson)
	if err == nil {
		err = here.AddPersons(persons, v.budget.check)
	}
	if err != nil {
		return nil, err
	}
	return v.matching(pred, func(seq uint64, person int64) bool {
		return person != 0 && says.Seqs.Contains(seq) && here.Has(persons.Find(uint64(person)))
	})
}

// matching finds the visible rows that satisfy pred. stays may name some that it leaves out;
// nil = none.
func (v *view) matching(pred *predicate, stays func(seq uint64, person int64) bool) (*Matching, error) {
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
		times, persons := newRowInts(p.Get().Ints(event.IntTime)), newRowInts(p.Get().Ints(event.IntPerson))
		var seqs []uint64
		err = r.each(rr, func(rows []int32) {
			seqs = seqs[:0]
			var who []int64
			if stays != nil {
				who = persons.of(rows)
			}
			for i, at := range times.of(rows) {
				seq := p.First() + uint64(rows[i])
				if stays != nil && stays(seq, who[i]) {
					continue
				}
				seqs = append(seqs, seq)
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
