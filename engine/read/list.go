// Listings: events, page by page, and single events.

package read

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
)

// checkLimit returns the limit of a page: 100 for 0. An error wraps query.ErrBadQuery.
func checkLimit(limit, limitMax int) (int, error) {
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > limitMax {
		return 0, query.Bad("limit", "must be a number from 1 to %d", limitMax)
	}
	return limit, nil
}

// rowsTogether is how many rows of a part a listing reads together.
const rowsTogether = 32

// list answers List.
func (rd *Reader) list(ctx context.Context, q query.Query) (query.Page, error) {
	limit, err := checkLimit(q.Limit, query.LimitMax)
	if err != nil {
		return query.Page{}, err
	}
	if q.Skip < 0 || q.Skip > query.SkipMax {
		return query.Page{}, fmt.Errorf("%w: at most %d events are skipped", query.ErrBadQuery, query.SkipMax)
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return query.Page{}, err
	}
	var after uint64
	if q.After != "" {
		var ok bool
		if after, ok = rd.Public.Decode(q.Site.ID, q.After); !ok {
			return query.Page{}, query.ErrBadCursor
		}
	}
	var page query.Page
	more, skip, c := false, q.Skip, clock{budget: v.budget}
	left := cmp.Or(q.Bytes, math.MaxInt)
	reached, err := v.walk(pred, q.Ascending, after, func(p *table.Part, rows []int) (bool, error) {
		passed := min(skip, len(rows))
		skip -= passed
		r := table.NewRowReader(p.Get())
		if q.Shown {
			r.Shown()
		}
		rows = rows[passed:]
		help := rd.helper(p, q.Shown)
		var events []*event.Event // of the next rows, when they were read together
		var bytes []int
		for i, row := range rows {
			if page.Full = left <= 0; page.Full || len(page.Events) == limit {
				more = true
				return false, nil
			}
			if n := min(len(rows)-i, limit-len(page.Events), rowsTogether); len(events) == 0 {
				events, bytes = r.ReadAll(rows[i:i+n], left, help)
			}
			var ev *event.Event
			read := 0
			if len(events) > 0 {
				ev, read = events[0], bytes[0]
				events, bytes = events[1:], bytes[1:]
			} else {
				var err error
				if ev, err = r.Read(row); err != nil {
					return false, err
				}
				read = r.Bytes
			}
			rd.addPublicID(q.Site, ev)
			page.Events = append(page.Events, ev)
			left -= read
			if err := c.countRow(read); err == query.ErrQueryTimeout && q.Skip == 0 {
				more = true // return the events so far, and a cursor
				return false, nil
			} else if err != nil {
				return false, err
			}
		}
		return true, nil
	}, q.Skip+limit+1)
	if err != nil {
		return query.Page{}, err
	}
	switch {
	case more:
		page.Next = page.Events[len(page.Events)-1].ID
	case reached != 0 && q.Skip > 0: // no cursor says how many events to skip
		return query.Page{}, query.ErrQueryTimeout
	case reached != 0:
		page.Next = rd.Public.Encode(q.Site.ID, reached)
	}
	return page, nil
}

// helper returns who helps to read rows of a part: a goroutine, where a processor is free.
func (rd *Reader) helper(p *table.Part, shown bool) table.Helper {
	if p.Run == nil {
		return nil
	}
	return func(work func(*table.RowReader)) func() {
		return rd.slices.help(func() {
			own := p.Own()
			r := table.NewRowReader(own.Get())
			if shown {
				r.Shown()
			}
			work(r)
		})
	}
}

// addPublicID sets the site and the id of an event, which are not in its row.
func (rd *Reader) addPublicID(site *query.Site, ev *event.Event) {
	ev.Site = site.Name
	ev.ID = rd.Public.Encode(site.ID, ev.Seq)
}

// Event returns the event with a public id, or query.ErrNotFound.
func (rd *Reader) Event(_ context.Context, site *query.Site, id string) (*event.Event, error) {
	seq, ok := rd.Public.Decode(site.ID, id)
	if !ok {
		return nil, query.ErrNotFound
	}
	v := rd.Table(site.ID).View()
	defer v.Close()
	ev, err := v.Event(seq)
	if err != nil {
		return nil, err
	}
	if ev == nil {
		return nil, query.ErrNotFound
	}
	rd.addPublicID(site, ev)
	return ev, nil
}
