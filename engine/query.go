// Queries over events: listing and counting.

package engine

import (
	"context"
	"fmt"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// view is what one query sees, within its budget.
type view struct {
	*table.View
	budget budget
}

// view is what a question about the site sees.
func (e *Engine) view(ctx context.Context, site *query.Site) *view {
	return &view{e.state(site.ID).View(), e.budget(ctx)}
}

// links returns the links between the site's persons, all that are stored among them.
func (v *view) links() (*identity.Links, error) {
	return v.Table.Links, v.Table.Links.Ready(v.budget.wait)
}

// persons returns who is one person by now.
func (v *view) persons() (identity.Persons, error) {
	l, err := v.links()
	if err != nil {
		return identity.Persons{}, err
	}
	return l.Persons(), nil
}

// budget bounds the time of one query, and its memory.
type budget struct {
	ctx  context.Context
	end  time.Time
	room *pairRoom
}

func (e *Engine) budget(ctx context.Context) budget {
	return budget{ctx, time.Now().Add(e.opts.QueryTime), e.room}
}

// spent is asked between parts, and in loops by a clock.
func (b budget) spent() error {
	switch err := b.ctx.Err(); {
	case err == context.DeadlineExceeded:
		return query.ErrQueryTimeout
	case err != nil:
		return err
	case time.Now().After(b.end):
		return query.ErrQueryTimeout
	}
	return nil
}

// How much a query reads between two looks at the time. A row may be 256 KB, so bytes
// count as well as rows.
const (
	clockRows  = 4096
	clockBytes = 1 << 20
)

// clock tells one loop of a query when its budget is spent.
type clock struct {
	budget
	rows, bytes int // since the last look
}

// row is asked at each row, with what was decoded of it, in bytes.
func (c *clock) row(bytes int) error {
	c.rows++
	if c.bytes += bytes; c.rows < clockRows && c.bytes < clockBytes {
		return nil
	}
	c.rows, c.bytes = 0, 0
	return c.spent()
}

// wait waits for something of others, as long as the query may take. The zero budget
// waits to the end.
func (b budget) wait(done <-chan struct{}) error {
	if b.ctx == nil {
		<-done
		return nil
	}
	late := time.NewTimer(time.Until(b.end))
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-b.ctx.Done():
		return b.spent()
	case <-late.C:
		return query.ErrQueryTimeout
	}
}

func checkLimit(limit, most int) (int, error) {
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > most {
		return 0, fmt.Errorf("%w: limit is 1 to %d", query.ErrBadQuery, most)
	}
	return limit, nil
}

// List implements API. Order is that of receipt.
func (e *Engine) List(ctx context.Context, q query.Query) (query.Page, error) {
	limit, err := checkLimit(q.Limit, query.LimitMax)
	if err != nil {
		return query.Page{}, err
	}
	if q.Skip < 0 || q.Skip > query.SkipMax {
		return query.Page{}, fmt.Errorf("%w: at most %d events are skipped", query.ErrBadQuery, query.SkipMax)
	}
	v := e.view(ctx, q.Site)
	w, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return query.Page{}, err
	}
	var after uint64
	if q.After != "" {
		var ok bool
		if after, ok = e.public.Decode(q.Site.ID, q.After); !ok {
			return query.Page{}, query.ErrBadCursor
		}
	}
	var page query.Page
	more, skip, c := false, q.Skip, clock{budget: v.budget}
	spent, err := v.walk(w, q.Ascending, after, func(p *table.Part, rows []int) (bool, error) {
		passed := min(skip, len(rows))
		skip -= passed
		r := table.NewRowReader(p.Get())
		if q.Shown {
			r.Shown()
		}
		for _, row := range rows[passed:] {
			if len(page.Events) == limit {
				more = true
				return false, nil
			}
			ev, err := r.Read(row)
			if err != nil {
				return false, err
			}
			e.dress(q.Site, ev)
			page.Events = append(page.Events, ev)
			if err := c.row(r.Bytes); err == query.ErrQueryTimeout && q.Skip == 0 {
				more = true // what there is, and a cursor behind it
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
	case spent != 0 && q.Skip > 0: // no cursor says what is still to be passed over
		return query.Page{}, query.ErrQueryTimeout
	case spent != 0:
		page.Next = e.public.Encode(q.Site.ID, spent)
	}
	return page, nil
}

// dress gives an event what its row does not say.
func (e *Engine) dress(site *query.Site, ev *event.Event) {
	ev.Site = site.Name
	ev.ID = e.public.Encode(site.ID, ev.Seq)
}

// walk visits the rows that satisfy w in order, part by part, from just beyond
// after (0 = from the start). visit gets the rows of one part, at most want of
// all in one call, and says whether to go on. When time runs out, walk returns
// the seq it got to as spent.
func (v *view) walk(w *where, ascending bool, after uint64, visit func(p *table.Part, rows []int) (bool, error), want int) (spent uint64, err error) {
	at := after
	for i := range v.Parts {
		p := &v.Parts[i]
		if !ascending {
			p = &v.Parts[len(v.Parts)-1-i]
		}
		first, last := p.First(), p.Last()
		if after != 0 && (ascending && last <= after || !ascending && first >= after) {
			continue
		}
		if err := v.budget.spent(); err != nil {
			if err == query.ErrQueryTimeout && at != after {
				return at, nil
			}
			return 0, err
		}
		at = first
		if ascending {
			at = last
		}
		matched := w.matcher(p)
		if err := p.Err(); err != nil {
			return 0, err
		}
		if matched == nil {
			continue
		}
		var rows []int
		take := func(row int) bool {
			rows = append(rows, row)
			return len(rows) < want
		}
		if ascending {
			from := 0
			if after >= first {
				from = int(after-first) + 1
			}
			matched.Ascend(from, take)
		} else {
			from := int(last - first)
			if after != 0 && after <= last {
				from = int(after-first) - 1
			}
			matched.Descend(from, take)
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
		if len(rows) == 0 {
			continue
		}
		if on, err := visit(p, rows); err != nil || !on {
			return 0, err
		}
	}
	return 0, nil
}

// Event implements API.
func (e *Engine) Event(_ context.Context, site *query.Site, id string) (*event.Event, error) {
	seq, ok := e.public.Decode(site.ID, id)
	if !ok {
		return nil, query.ErrNotFound
	}
	ev, err := e.state(site.ID).View().Event(seq)
	if err != nil {
		return nil, err
	}
	if ev == nil {
		return nil, query.ErrNotFound
	}
	e.dress(site, ev)
	return ev, nil
}

// eachRow calls fn for every row that satisfies w, part by part, oldest first.
func (v *view) eachRow(w *where, part func(p *table.Part) (fn func(row int))) error {
	return v.eachRowUntil(w, func(p *table.Part) func(int) error {
		fn := part(p)
		return func(row int) error {
			fn(row)
			return nil
		}
	})
}

// eachRowUntil is eachRow until fn returns an error, which it returns.
func (v *view) eachRowUntil(w *where, part func(p *table.Part) (fn func(row int) error)) error {
	c := clock{budget: v.budget}
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.spent(); err != nil {
			return err
		}
		matched := w.matcher(p)
		if err := p.Err(); err != nil {
			return err
		}
		if matched == nil {
			continue
		}
		fn := part(p)
		var failed error
		matched.Ascend(0, func(row int) bool {
			if failed = c.row(0); failed == nil {
				failed = fn(row)
			}
			return failed == nil
		})
		if failed != nil {
			return failed
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Count implements API.
func (e *Engine) Count(ctx context.Context, q query.Query) (query.Totals, error) {
	v := e.view(ctx, q.Site)
	size := func(query.Totals) int { return 24 }
	return answered(e.kept, v, queryKey(&q, "count"), size, func() (query.Totals, error) { return v.countRows(&q) })
}

// distinct are the persons and sessions of some rows.
type distinct struct{ users, sessions identity.OrdSet }

func (d *distinct) union(o *distinct) {
	d.users.Union(&o.users)
	d.sessions.Union(&o.sessions)
}

func (v *view) countRows(q *query.Query) (t query.Totals, err error) {
	w, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return t, err
	}
	if !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		t.Events, err = v.countEvents(w)
		return t, err
	}
	events, all, err := v.distinct(w)
	if err != nil {
		return t, err
	}
	p, err := v.persons()
	return query.Totals{Events: events, Users: uint64(all.users.CountPersons(p)), Sessions: uint64(all.sessions.Len())}, err
}

// distinct finds the persons and sessions of the rows that satisfy w, and how many
// rows that are.
func (v *view) distinct(w *where) (events uint64, all *distinct, err error) {
	type counts struct {
		events uint64
		distinct
	}
	sums, err := gather(v.budget, w, v.slices(), func(r *reader, s *slice, c *counts) error {
		vp, err := r.open(s)
		if vp == nil {
			return err
		}
		person, session := newRowInts(vp.Get().Ints(event.IntPerson)), newRowInts(vp.Get().Ints(event.IntSession))
		err = r.each(s, func(rows []int32) {
			c.events += uint64(len(rows))
			for _, ord := range person.of(rows) {
				c.users.Add(uint64(ord))
			}
			for _, ord := range session.of(rows) {
				c.sessions.Add(uint64(ord))
			}
		})
		if err == nil {
			err = vp.Err()
		}
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	all = new(distinct)
	for i := range sums {
		events += sums[i].events
		all.union(&sums[i].distinct)
	}
	return events, all, nil
}

// countEvents counts the rows that satisfy w: those of a part from what the index
// knows of it, if it does, else by a look at them.
func (v *view) countEvents(w *where) (n uint64, err error) {
	var rest []slice
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.spent(); err != nil {
			return 0, err
		}
		m := w.matcher(p)
		if m != nil {
			if known, ok := m.Known(); ok {
				n += uint64(known)
			} else {
				rest = slicesOf(p, rest)
			}
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
	}
	sums, err := gather(v.budget, w, rest, func(r *reader, s *slice, n *uint64) error {
		vp, err := r.open(s)
		if vp == nil {
			return err
		}
		*n += uint64(r.matched.Count(s.from, s.to))
		return vp.Err()
	})
	for _, sum := range sums {
		n += sum
	}
	return n, err
}
