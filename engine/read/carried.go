// What a sink reads: all rows of a site after a seq, and what is known of single rows.

package read

import (
	"context"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
)

// Carried returns the rows of a site that a sink takes, oldest first: those after one seq and up to
// another, which no deletion but retention hides. Whoever takes them closes them.
func (rd *Reader) Carried(ctx context.Context, site *query.Site, after, upTo uint64) *Stretches {
	return rd.carried(rd.retainedView(ctx, site), after, upTo)
}

func (rd *Reader) carried(v *view, after, upTo uint64) *Stretches {
	s := &Stretches{Rows: &Rows{view: v, reader: rd}, at: -1, pred: newPredicate(), after: after}
	s.upTo = min(s.Last, upTo)
	s.cache = index.NewCache(stretchCacheBytes)
	s.cache.Lookups = true
	return s
}

// Held says what a store has of a row.
type Held uint8

// What a store may have.
const (
	HeldNot  Held = iota // there never was such a row, or a repair has lost it
	HeldGone             // it is deleted
	HeldRow
)

// CarriedRow is what a sink is compared with.
type CarriedRow struct {
	Held     Held
	ID       string // unless HeldNot
	Received int64  // of a HeldRow, Unix milliseconds
	Imported bool   // of a HeldRow: another store has received it
}

// CarriedRows returns what the store has of some rows of a site, by the place of their seqs.
func (rd *Reader) CarriedRows(ctx context.Context, site *query.Site, seqs []uint64) ([]CarriedRow, error) {
	v := rd.retainedView(ctx, site)
	defer v.Close()
	rows := make([]CarriedRow, len(seqs))
	for i, seq := range seqs {
		p := v.PartOf(seq)
		if p == nil {
			continue
		}
		r := &rows[i]
		r.Held, r.ID = HeldGone, v.public.Encode(site.ID, seq)
		if row := int(seq - p.First()); !p.Gone(row) {
			r.Held = HeldRow
			r.Received = p.Get().Ints(event.IntReceived).At(row)
			r.Imported = p.Get().Ints(event.IntFlags).At(row)&event.FlagImported != 0
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// CarriedCount returns how many rows of a site from one seq to another a sink must have, and how many of the
// seqs have no row that is shown. A row that retention hides is one of these, since the sink's own
// retention may have taken it.
func (rd *Reader) CarriedCount(ctx context.Context, site *query.Site, first, last uint64) (rows, gone uint64, err error) {
	s := rd.carried(rd.view(ctx, site), first-1, last)
	defer s.Close()
	buf := make([]int32, 0, 1<<16)
	for {
		_, some, _, err := s.Next(buf)
		if err != nil {
			return 0, 0, err
		}
		if len(some) == 0 {
			return rows, last - first + 1 - rows, nil
		}
		rows += uint64(len(some))
	}
}
