// Visits: sums over the sessions of a range of time, in total and step by step.

package read

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// visitSum computes the answer of Visits.
type visitSum struct {
	total  query.Visits
	steps  []query.Visits
	starts []int64 // of the steps

	spanOf map[uint64]uint32 // ordinal of a session → index in spans
	spans  []visitSpan
}

// visitSpan is the part of one session that the query selects.
type visitSpan struct {
	first, last int64 // event times
	views       uint32
}

// Visits sums up sessions, views and revenue from q.From to q.To, which must be given. A
// session begins with its earliest event that the query selects and ends with the latest.
// It returns the total and one element for each minute, hour, day, week or month in loc.
// More than query.VisitsMax sessions are query.ErrBadQuery.
func (rd *Reader) Visits(ctx context.Context, q query.Query, interval string, loc *time.Location) (total query.Visits, steps []query.Visits, err error) {
	if err := checkInterval(interval); err != nil {
		return total, nil, err
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return total, nil, err
	}
	starts, ok := calendar.BucketTimes(q.From, q.To, interval, loc)
	if !ok {
		return total, nil, fmt.Errorf("%w: more than %d intervals", query.ErrBadQuery, calendar.BucketsMax)
	}
	if len(starts) == 0 {
		return total, nil, nil
	}
	s := &visitSum{steps: make([]query.Visits, len(starts)), starts: starts, spanOf: make(map[uint64]uint32)}
	for i := range s.steps {
		s.steps[i].Time = starts[i]
	}
	for _, pass := range []func(*view, *predicate) error{s.addSpans, s.addViews, s.addRevenue} {
		if err := pass(v, pred); err != nil {
			return total, nil, err
		}
	}
	s.addSessions()
	return s.total, s.steps, nil
}

// step returns the index of the step a time is in.
func (s *visitSum) step(at int64) int {
	return max(0, sort.Search(len(s.starts), func(i int) bool { return s.starts[i] > at })-1)
}

// add applies change to the step of a time and to the total.
func (s *visitSum) add(at int64, change func(*query.Visits)) {
	change(&s.steps[s.step(at)])
	change(&s.total)
}

// addSpans counts the users, and finds when each session begins and ends.
func (s *visitSum) addSpans(v *view, pred *predicate) error {
	var all identity.OrdSet
	sp := v.budget.spill()
	defer sp.close()
	inSteps := pairBag{spill: sp}
	err := v.eachRow(pred, func(p *table.Part) func(int) {
		part := p.Get()
		times, person, session := newRowInts(part.Ints(event.IntTime)), newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
		return func(row int) {
			at, who, ord := times.at(row), uint64(person.at(row)), uint64(session.at(row))
			all.Add(who)
			if who != 0 {
				inSteps.add(identity.PairOf(s.step(at), who))
			}
			if ord == 0 || len(s.spans) > query.VisitsMax {
				return
			}
			i, found := s.spanOf[ord]
			if !found {
				s.spanOf[ord] = uint32(len(s.spans))
				s.spans = append(s.spans, visitSpan{first: at, last: at})
				return
			}
			span := &s.spans[i]
			span.first, span.last = min(span.first, at), max(span.last, at)
		}
	})
	if err == nil && len(s.spans) > query.VisitsMax {
		err = fmt.Errorf("%w: more than %d sessions; ask about a shorter time", query.ErrBadQuery, query.VisitsMax)
	}
	if err != nil {
		return err
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	s.total.Users = uint64(all.CountPersons(p))
	return inSteps.eachPerson(p, func(i int) { s.steps[i].Users++ })
}

// addViews counts page and screen events.
func (s *visitSum) addViews(v *view, pred *predicate) error {
	return v.eachRow(pred.and(event.FieldType, string(event.Page), string(event.Screen)), func(p *table.Part) func(int) {
		times, session := newRowInts(p.Get().Ints(event.IntTime)), newRowInts(p.Get().Ints(event.IntSession))
		return func(row int) {
			s.add(times.at(row), func(t *query.Visits) { t.Views++ })
			if i, ok := s.spanOf[uint64(session.at(row))]; ok {
				s.spans[i].views++
			}
		}
	})
}

// addRevenue sums up the values of the dialects' revenue events.
func (s *visitSum) addRevenue(v *view, pred *predicate) error {
	paid := func(ev *event.Event) {
		n, err := strconv.ParseInt(ev.Value.Text, 10, 64)
		if err == nil && ev.Value.Kind == event.Number {
			s.add(ev.Time, func(t *query.Visits) { t.Revenue = index.AddSaturating(t.Revenue, n) })
		}
	}
	for _, d := range event.Dialects {
		name := event.NewestRule(d).RevenueName
		if name == "" {
			continue
		}
		if err := v.eachEventOf(pred.and(event.FieldName, name).and(event.FieldDialect, string(d)), paid); err != nil {
			return err
		}
	}
	return nil
}

// addSessions counts each session in the step in which it begins.
func (s *visitSum) addSessions() {
	for _, span := range s.spans {
		s.add(span.first, func(t *query.Visits) {
			t.Sessions++
			if span.views < 2 {
				t.Bounces++
			}
			if span.last > span.first {
				t.Timed++
				t.Milliseconds = index.AddSaturating(t.Milliseconds, span.last-span.first)
			}
		})
	}
}
