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
	l := pageOfRows{rd: rd, q: &q, limit: limit, skip: q.Skip, left: cmp.Or(q.Bytes, math.MaxInt), clock: clock{budget: v.budget}}
	defer l.stop()
	reached, err := v.walk(pred, q.Ascending, after, l.visit, q.Skip+limit+1)
	if err == nil {
		_, err = l.take()
	}
	if err != nil {
		return query.Page{}, err
	}
	switch {
	case l.more:
		l.page.Next = l.page.Events[len(l.page.Events)-1].ID
	case reached != 0 && q.Skip > 0: // no cursor says how many events to skip
		return query.Page{}, query.ErrQueryTimeout
	case reached != 0:
		l.page.Next = rd.Public.Encode(q.Site.ID, reached)
	}
	return l.page, nil
}

// pageOfRows is a page that is being read. While the rows of a part are looked for, a helper reads
// those of the part before.
type pageOfRows struct {
	rd    *Reader
	q     *query.Query
	limit int
	clock clock

	page  query.Page
	more  bool // there are more events than those of the page
	skip  int  // rows
	left  int  // bytes
	found int  // rows, skipped ones aside

	// The rows of a part that are not in the page yet; nil = none. first of them are being read
	// together.
	rows   []int
	first  *table.Together
	reader *table.RowReader
	help   table.Helper
}

// stop ends what is being read.
func (l *pageOfRows) stop() {
	if l.first != nil {
		l.first.Stop()
	}
}

// visit begins to read the rows of a part. It returns false when the page is full.
func (l *pageOfRows) visit(p *table.Part, rows []int) (goOn bool, err error) {
	passed := min(l.skip, len(rows))
	l.skip -= passed
	if rows = rows[passed:]; len(rows) == 0 {
		return true, nil
	}
	if goOn, err := l.take(); !goOn || err != nil {
		return false, err
	}
	l.rows, l.reader, l.help = rows, table.NewRowReader(p.Get()), l.rd.helper(p, l.q.Shown)
	if l.q.Shown {
		l.reader.Shown()
	}
	if n := l.together(0); n > 0 && l.left > 0 {
		l.first = l.reader.Begin(rows[:n], l.left, l.help)
	}
	if l.found += len(rows); l.found > l.limit { // no other part is needed
		return l.take()
	}
	return true, nil
}

// together returns how many rows from the i-th on are read together.
func (l *pageOfRows) together(i int) int {
	return min(len(l.rows)-i, l.limit-len(l.page.Events), rowsTogether)
}

// take adds the rows of the last part to the page. It returns false when the page is full, or the
// time is over.
func (l *pageOfRows) take() (goOn bool, err error) {
	var events []*event.Event // of the next rows, when they were read together
	var bytes []int
	if first := l.first; first != nil {
		l.first = nil
		events, bytes = first.End()
	}
	rows := l.rows
	defer func() { l.rows = nil }()
	for i, row := range rows {
		if l.page.Full = l.left <= 0; l.page.Full || len(l.page.Events) == l.limit {
			l.more = true
			return false, nil
		}
		if len(events) == 0 && i > 0 {
			events, bytes = l.reader.ReadAll(rows[i:i+l.together(i)], l.left, l.help)
		}
		var ev *event.Event
		read := 0
		if len(events) > 0 {
			ev, read = events[0], bytes[0]
			events, bytes = events[1:], bytes[1:]
		} else {
			if ev, err = l.reader.Read(row); err != nil {
				return false, err
			}
			read = l.reader.Bytes
		}
		l.rd.addPublicID(l.q.Site, ev)
		l.page.Events = append(l.page.Events, ev)
		l.left -= read
		if err := l.clock.countRow(read); err == query.ErrQueryTimeout && l.q.Skip == 0 {
			l.more = true // return the events so far, and a cursor
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
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
