// Counts: how many events, users and sessions a query selects.

package read

import (
	"context"
	"fmt"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// Count returns the totals of the events that q selects. Without a metric of users or
// sessions it counts events only.
func (rd *Reader) Count(ctx context.Context, q query.Query) (query.Totals, error) {
	v := rd.view(ctx, q.Site)
	defer v.Close()
	size := func(query.Totals) int { return 24 }
	ask := rd.ask(&q, "count")
	again := rd.results.has(ask.key)
	return keep(rd.results, v, ask, q.Fresh, size, func() (query.Totals, error) {
		what := fmt.Sprint("count ", q.Metrics)
		return v.countRows(&q, what, rd.keptRuns(v, q.Where, what, again))
	})
}

// distinct is the ordinals of the persons and sessions of some rows.
type distinct struct{ users, sessions identity.OrdSet }

func (d *distinct) union(o *distinct) {
	d.users.Union(&o.users)
	d.sessions.Union(&o.sessions)
}

// sharedOrds is a set that several goroutines fill, each through an ordBuffer. One set of many
// ordinals is smaller than one for each goroutine.
type sharedOrds [ordShards]struct {
	mu  sync.Mutex
	set identity.OrdSet // pages of ordinals that are in no other shard
}

// all returns the ordinals, once all buffers are flushed. It leaves s empty.
func (s *sharedOrds) all() (all identity.OrdSet) {
	for i := range s {
		all.Take(&s[i].set)
	}
	return all
}

// ordBuffer is the ordinals that one goroutine will add to a set, by shard.
type ordBuffer [ordShards][]int64

const (
	ordShards    = 16  // so that goroutines seldom wait for each other
	ordBufferMax = 512 // ordinals of a shard, of 8 bytes each, that a buffer adds at once
)

func (b *ordBuffer) addAll(ords []int64, to *sharedOrds) {
	for _, ord := range ords {
		i := uint64(ord) >> 16 * 0x9e3779b97f4a7c15 >> 60 // all ordinals of a page of the set are in one shard
		if b[i] = append(b[i], ord); len(b[i]) == ordBufferMax {
			b.flushShard(int(i), to)
		}
	}
}

func (b *ordBuffer) flush(to *sharedOrds) {
	for i := range b {
		b.flushShard(i, to)
	}
}

func (b *ordBuffer) flushShard(i int, to *sharedOrds) {
	to[i].mu.Lock()
	defer to[i].mu.Unlock()
	to[i].set.AddAll(b[i])
	b[i] = b[i][:0]
}

// countRows answers Count. what names the metrics.
func (v *view) countRows(q *query.Query, what string, kept keptRuns) (t query.Totals, err error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return t, err
	}
	if !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		t.Events, err = v.countEvents(pred, kept)
		return t, err
	}
	if kept.store {
		all := make([]query.Bucket, 1) // of all times
		err := v.countSteps(pred, []int64{pred.timeFrom}, all, q.Metrics, what, kept)
		return query.Totals{Events: all[0].Events, Users: all[0].Users, Sessions: all[0].Sessions}, err
	}
	events, all, err := v.distinct(pred, q.Metrics)
	if err != nil {
		return t, err
	}
	p, err := v.persons()
	return query.Totals{Events: events, Users: uint64(all.users.CountPersons(p)), Sessions: uint64(all.sessions.Len())}, err
}

// distinct collects the persons and sessions of the rows that satisfy pred, and counts the
// rows. It leaves out what metrics does not have.
func (v *view) distinct(pred *predicate, metrics query.Metrics) (events uint64, all *distinct, err error) {
	type counts struct {
		events          uint64
		users, sessions ordBuffer
	}
	wantUsers, wantSessions := metrics.Has(query.MetricUsers), metrics.Has(query.MetricSessions)
	var users, sessions sharedOrds
	sums, err := gather(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange, c *counts) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		person, session := newRowInts(opened.Get().Ints(event.IntPerson)), newRowInts(opened.Get().Ints(event.IntSession))
		err = r.each(rr, func(rows []int32) {
			c.events += uint64(len(rows))
			if wantUsers {
				c.users.addAll(person.of(rows), &users)
			}
			if wantSessions {
				c.sessions.addAll(session.of(rows), &sessions)
			}
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
	return events, &distinct{users.all(), sessions.all()}, nil
}

// countEvents counts the rows that satisfy pred. It reads the rows of a part only when the
// part's index does not know their number, and no run that the bounds of time cut if it may be
// counted by quarters.
func (v *view) countEvents(pred *predicate, kept keptRuns) (n uint64, err error) {
	var rest []rowRange
	var cut []*table.Part
	cuts, all := []int64{pred.timeFrom, pred.timeTo}, make([]query.Bucket, 1)
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return 0, err
		}
		r := p.Run
		isCut := r != nil && (r.TimeMin < pred.timeFrom || r.TimeMax >= pred.timeTo) && !pred.outside(r)
		if !isCut {
			m := pred.matcher(p)
			if err := p.Err(); err != nil {
				return 0, err
			}
			if m == nil {
				continue
			}
			known, ok := m.Known()
			if err := p.Err(); err != nil {
				return 0, err
			}
			if ok {
				n += uint64(known)
				continue
			}
		}
		stored, err := v.addStored(pred, p, cuts, all)
		switch {
		case err != nil:
			return 0, err
		case stored:
		case isCut && (kept.store || len(pred.clauses) == 0) && kept.countable(p, cuts):
			cut = append(cut, p)
		default:
			rest = appendRowRanges(p, rest)
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
	if err != nil {
		return 0, err
	}
	for _, sum := range sums {
		n += sum
	}
	err = v.countQuarters(pred, cut, cuts, all, &kept)
	return n + all[0].Events, err
}
