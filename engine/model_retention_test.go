// The model's retention: each period is looked at by itself.

package engine_test

import (
	"cmp"
	"slices"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
)

// modelPeriods returns the bounds of the periods of a retention; the last bound is the end of the
// last period.
func modelPeriods(q *query.Retention) (bounds []int64) {
	zone := q.Site.Location
	if zone == nil {
		zone = time.UTC
	}
	for at := q.From; ; at += time.Hour.Milliseconds() {
		start := bucketStart(at, q.Period, zone)
		if len(bounds) == 0 || start != bounds[len(bounds)-1] {
			bounds = append(bounds, start)
		}
		if bounds[len(bounds)-1] >= q.To {
			return bounds
		}
	}
}

// cohortsOf returns the cohorts of a person, given its events by time.
func (s *modelSite) cohortsOf(q *query.Retention, who *modelEntity, all []*event.Event, bounds []int64, where func(*event.Event) bool) (cohorts []int) {
	period := func(e *event.Event) int {
		if !q.Holds(e.Time) {
			return -1
		}
		for i := range bounds {
			if e.Time < bounds[i+1] {
				return i
			}
		}
		panic("no period")
	}
	first := q.Cohort == query.CohortFirst || q.Cohort == ""
	if first && len(q.Where) == 0 && q.Start == nil {
		if p := period(slices.MinFunc(all, func(a, b *event.Event) int { return cmp.Compare(a.Seq, b.Seq) })); p >= 0 {
			return []int{p}
		}
		return nil
	}
	seen := map[int]bool{}
	for _, e := range all {
		if !where(e) || !s.matches(e, q.Start, 0, 0) || !first && !q.Holds(e.Time) {
			continue
		}
		if p := period(e); first || q.Cohort == query.CohortRange {
			if p >= 0 {
				return []int{p}
			}
			return nil
		} else if !seen[p] {
			seen[p] = true
			cohorts = append(cohorts, p)
		}
	}
	return cohorts
}

// retained calls fn for every cell that a person is in. Cell 0 is the cohort.
func (m *model) retained(q *query.Retention, bounds []int64, fn func(who *modelEntity, cohort, cell int)) {
	s := m.of(q.Site)
	until := min(q.To, q.Now)
	where := func(e *event.Event) bool { return s.matches(e, q.Where, 0, 0) }
	if slices.ContainsFunc(q.Where, func(c query.Cond) bool { return c.Visit }) {
		where, _ = s.rowsOf(&q.Report) // such a question has no cohort of the first event ever
	}
	for _, who := range s.entities(s.living(), nil) {
		for _, c := range s.cohortsOf(q, who, who.events, bounds, where) {
			fn(who, c, 0)
			for k := 1; c+k < len(bounds)-1 && bounds[c+k] < until; k++ {
				returned := false
				for _, e := range who.events {
					if !where(e) || !q.Holds(e.Time) || !s.matches(e, q.Return, 0, 0) || e.Time < bounds[c+k] {
						continue
					}
					end := bounds[c+k+1]
					for i := c + k + 1; q.After && i < len(bounds)-1 && bounds[i] < until; i++ {
						end = bounds[i+1]
					}
					if e.Time < end {
						returned = true
					}
				}
				if returned {
					fn(who, c, k)
				}
			}
		}
	}
}

func (m *model) Retention(q *query.Retention) *query.RetentionAnswer {
	a := &query.RetentionAnswer{Cohorts: []query.RetentionCohort{}, Average: []query.RetentionAverage{}}
	if q.From >= q.To {
		return a
	}
	bounds, until := modelPeriods(q), min(q.To, q.Now)
	for i, start := range bounds[:len(bounds)-1] {
		c := query.RetentionCohort{Period: start}
		for k := i + 1; k < len(bounds)-1 && bounds[k] < until; k++ {
			c.Cells = append(c.Cells, query.RetentionCell{Complete: bounds[k+1] <= until})
		}
		a.Cohorts = append(a.Cohorts, c)
	}
	m.retained(q, bounds, func(_ *modelEntity, cohort, cell int) {
		if c := &a.Cohorts[cohort]; cell == 0 {
			c.Size++
		} else {
			c.Cells[cell-1].Users++
		}
	})
	for k := range a.Cohorts[0].Cells {
		var average query.RetentionAverage
		for _, c := range a.Cohorts {
			if k < len(c.Cells) && c.Cells[k].Complete {
				average.Returned += c.Cells[k].Users
				average.Size += c.Size
			}
		}
		a.Average = append(a.Average, average)
	}
	return a
}

func (m *model) RetentionEntities(q *query.RetentionEntities) (ids []string) {
	bounds := modelPeriods(&q.Retention)
	m.retained(&q.Retention, bounds, func(who *modelEntity, cohort, cell int) {
		if bounds[cohort] == q.At && cell == q.Cell {
			ids = append(ids, who.id)
		}
	})
	return ids
}
