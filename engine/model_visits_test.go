// The model's sums over sessions.

package engine_test

import (
	"context"
	"math/big"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// Visits returns the steps that are not empty, in order.
func (m *model) Visits(_ context.Context, q query.Query, interval string, loc *time.Location) (total query.Visits, steps []query.Visits, err error) {
	m.mu.Lock()
	s := m.of(q.Site)
	selected := s.selected(q)
	m.mu.Unlock()
	steps = []query.Visits{}
	// The steps with events are those of the series.
	buckets, err := m.Series(context.Background(), q, interval, loc)
	if err != nil {
		return total, nil, err
	}
	for _, b := range buckets {
		of := map[uint64][]*event.Event{}
		step := query.Visits{Time: b.Time, Users: b.Users}
		for _, e := range selected {
			if e.SessionOrd != 0 {
				of[e.SessionOrd] = append(of[e.SessionOrd], e)
			}
			if bucketStart(e.Time, interval, loc) != b.Time {
				continue
			}
			if e.Type == event.Page || e.Type == event.Screen {
				step.Views++
			}
			if e.Name == "revenue" && e.Dialect == event.OpenPanel && e.Value.Kind == event.Number {
				if amount, ok := new(big.Rat).SetString(e.Value.Text); ok && amount.IsInt() {
					step.Revenue += amount.Num().Int64()
				}
			}
		}
		for _, events := range of {
			first, last, views := events[0].Time, events[0].Time, 0
			for _, e := range events {
				first, last = min(first, e.Time), max(last, e.Time)
				if e.Type == event.Page || e.Type == event.Screen {
					views++
				}
			}
			if bucketStart(first, interval, loc) != b.Time {
				continue
			}
			step.Sessions++
			if views < 2 {
				step.Bounces++
			}
			if last != first {
				step.Timed++
				step.Milliseconds += last - first
			}
		}
		steps = append(steps, step)
		total.Sessions += step.Sessions
		total.Bounces += step.Bounces
		total.Views += step.Views
		total.Timed += step.Timed
		total.Milliseconds += step.Milliseconds
		total.Revenue += step.Revenue
	}
	count, err := m.Count(context.Background(), q)
	total.Users = count.Users
	return total, steps, err
}
