// Visits: sums over the sessions of a range of time, in total and step by step.

package read

import (
	"context"
	"sort"
	"strconv"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
)

// visitSum computes the answer of Visits.
type visitSum struct {
	total  query.Visits
	steps  []query.Visits
	starts []int64 // of the steps
}

// Visits sums up sessions, views and revenue from q.From to q.To, which must be given. A
// session begins with its earliest event that the query selects and ends with the latest.
// It returns the total and one element for each minute, hour, day, week or month in loc.
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
		return total, nil, query.Bad("interval", "more than %d intervals; ask about a shorter time", calendar.BucketsMax)
	}
	if len(starts) == 0 {
		return total, nil, nil
	}
	s := &visitSum{steps: make([]query.Visits, len(starts)), starts: starts}
	for i := range s.steps {
		s.steps[i].Time = starts[i]
	}
	for _, pass := range []func(*view, *predicate) error{s.addRows, s.addSessions, s.addRevenue} {
		if err := pass(v, pred); err != nil {
			return total, nil, err
		}
	}
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

// addRows counts the users and the page and screen events.
func (s *visitSum) addRows(v *view, pred *predicate) error {
	all, err := v.ordinalsOf(pred, event.IntPerson)
	if err != nil {
		return err
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	s.total.Users = uint64(all.CountPersons(p))
	people, views := make([]query.Bucket, len(s.starts)), make([]query.Bucket, len(s.starts))
	if err := v.countSteps(pred, s.starts, people, query.MetricUsers, "", keptRuns{}); err != nil {
		return err
	}
	if err := v.countBuckets(pred.and(event.FieldType, string(event.Page), string(event.Screen)), s.starts, views, keptRuns{}); err != nil {
		return err
	}
	for i := range s.steps {
		s.steps[i].Users, s.steps[i].Views = people[i].Users, views[i].Events
		s.total.Views += views[i].Events
	}
	return nil
}

// addSessions counts each session in the step in which it begins.
func (s *visitSum) addSessions(v *view, pred *predicate) error {
	return v.eachSpan(pred, func(span *visitSpan) {
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
