// Counts: how many events, users and sessions a query selects.

package read

import (
	"context"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
)

// Count returns the totals of the events that q selects. Without a metric of users or
// sessions it counts events only.
func (rd *Reader) Count(ctx context.Context, q query.Query) (query.Totals, error) {
	v := rd.view(ctx, q.Site)
	defer v.Close()
	size := func(query.Totals) int { return 24 }
	return keep(rd.results, v, rd.ask(&q, "count"), q.Fresh, size, func() (query.Totals, error) { return v.countRows(&q) })
}

// distinct is the ordinals of the persons and sessions of some rows.
type distinct struct{ users, sessions identity.OrdSet }

func (d *distinct) union(o *distinct) {
	d.users.Union(&o.users)
	d.sessions.Union(&o.sessions)
}

// sharedOrds is a set that several goroutines fill through an ordBuffer each. One set of many
// ordinals is smaller than one for each goroutine.
type sharedOrds struct {
	mu  sync.Mutex
	set identity.OrdSet
}

// ordBuffer is the ordinals that one goroutine will add to a set.
type ordBuffer struct{ set identity.OrdSet }

// ordPagesMax is how many pages of a buffer may have ordinals before it adds them to the set. A
// page takes 8 KiB at most.
const ordPagesMax = 64

func (b *ordBuffer) addAll(ords []int64, to *sharedOrds) {
	b.set.AddAll(ords)
	if b.set.Pages() > ordPagesMax {
		b.flush(to)
	}
}

func (b *ordBuffer) flush(to *sharedOrds) {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.set.Union(&b.set)
	b.set = identity.OrdSet{}
}

// countRows answers Count.
func (v *view) countRows(q *query.Query) (t query.Totals, err error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return t, err
	}
	if !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		t.Events, err = v.countEvents(pred)
		return t, err
	}
	events, all, err := v.distinct(pred)
	if err != nil {
		return t, err
	}
	p, err := v.persons()
	return query.Totals{Events: events, Users: uint64(all.users.CountPersons(p)), Sessions: uint64(all.sessions.Len())}, err
}

// distinct collects the persons and sessions of the rows that satisfy pred, and counts the
// rows.
func (v *view) distinct(pred *predicate) (events uint64, all *distinct, err error) {
	type counts struct {
		events          uint64
		users, sessions ordBuffer
	}
	var users, sessions sharedOrds
	sums, err := gather(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange, c *counts) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		person, session := newRowInts(opened.Get().Ints(event.IntPerson)), newRowInts(opened.Get().Ints(event.IntSession))
		err = r.each(rr, func(rows []int32) {
			c.events += uint64(len(rows))
			c.users.addAll(person.of(rows), &users)
			c.sessions.addAll(session.of(rows), &sessions)
		})
		if err == nil {
			err = opened.Err()
		}
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	for i := range sums {
		events += sums[i].events
		sums[i].users.flush(&users)
		sums[i].sessions.flush(&sessions)
	}
	return events, &distinct{users.set, sessions.set}, nil
}

// countEvents counts the rows that satisfy pred. It reads the rows of a part only when the
// part's index does not know their number.
func (v *view) countEvents(pred *predicate) (n uint64, err error) {
	var rest []rowRange
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return 0, err
		}
		m := pred.matcher(p)
		if m != nil {
			if known, ok := m.Known(); ok {
				n += uint64(known)
			} else {
				rest = appendRowRanges(p, rest)
			}
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
	}
	sums, err := gather(v.budget, pred, rest, func(r *rangeReader, rr *rowRange, n *uint64) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		*n += uint64(r.matcher.Count(rr.from, rr.to))
		return opened.Err()
	})
	for _, sum := range sums {
		n += sum
	}
	return n, err
}
