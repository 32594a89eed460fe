// Tail: events in the order of receipt, for whoever follows a site.

package read

import (
	"context"

	"cairn/engine/query"
	"cairn/engine/table"
)

// tailRowsMax is how many matching rows of a part one answer finds.
const tailRowsMax = 1 << 16

// Place returns the seq of a public id, and of "" that of the newest row of the site. An id that
// is none of the site is query.ErrBadCursor.
func (rd *Reader) Place(site *query.Site, id string) (seq uint64, err error) {
	if id == "" {
		return rd.Table(site.ID).Last(), nil
	}
	seq, ok := rd.Public.Decode(site.ID, id)
	if !ok {
		return 0, query.ErrBadCursor
	}
	return seq, nil
}

// Tail answers which events have come since.
func (rd *Reader) Tail(ctx context.Context, q query.Tail) (page query.TailPage, err error) {
	v := rd.view(ctx, q.Site)
	defer v.Close()
	pred, err := plan(v, q.Where, 0, 0)
	if err != nil {
		return page, err
	}
	after := min(q.After, v.Last) // a store that was restored may have fewer rows
	if q.RowsMax > 0 && v.Last-after > q.RowsMax {
		page.Skipped = v.Last - after - q.RowsMax
		after = v.Last - q.RowsMax
	}
	upTo := v.Last
	if after == upTo {
		rd.endTail(q.Site, &page, upTo)
		return page, nil
	}
	bytes, c := 0, clock{budget: v.budget}
	reached, err := v.walk(pred, true, after, func(p *table.Part, rows []int) (bool, error) {
		r := table.NewRowReader(p.Get())
		r.Shown()
		if len(rows) == tailRowsMax {
			upTo, page.More = p.First()+uint64(rows[len(rows)-1]), true
		}
		for i, row := range rows {
			if len(page.Events) < q.Limit && bytes < query.PageBytes {
				ev, err := r.Read(row)
				if err != nil {
					return false, err
				}
				rd.addPublicID(q.Site, ev)
				page.Events = append(page.Events, ev)
				bytes += r.Bytes
				if err := c.countRow(r.Bytes); err != nil {
					return false, err
				}
				continue
			}
			if !q.Skip {
				page.More = true
				upTo = p.First() + uint64(row) - 1
				return false, nil
			}
			page.Skipped += uint64(len(rows) - i)
			break
		}
		return !page.More, nil
	}, tailRowsMax)
	if err != nil {
		return query.TailPage{}, err
	}
	if reached != 0 {
		upTo, page.More = reached, true
	}
	rd.endTail(q.Site, &page, upTo)
	return page, nil
}

// endTail sets where the next question goes on.
func (rd *Reader) endTail(site *query.Site, page *query.TailPage, seq uint64) {
	if page.Next = seq; seq != 0 {
		page.ID = rd.Public.Encode(site.ID, seq)
	}
}
