// Series of counters: counters for each hour, day, week or month.

package read

import (
	"math"
	"slices"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
)

// steps is the steps of one series.
type steps struct {
	starts   []int64 // Unix milliseconds
	from, to int     // the steps [from, to) that the query wants
}

// stepOf returns a function that returns the step of a row of part, or -1 when the query
// does not want it.
func (s *steps) stepOf(part index.Part) func(row int) int {
	times, at := newRowInts(part.Ints(event.IntTime)), bucketAt(s.starts)
	return func(row int) int {
		if step := at(times.at(row)); step >= s.from && step < s.to {
			return step
		}
		return -1
	}
}

// newSteps returns the steps of q. Where q has no bound, they begin or end with the rows
// that satisfy pred; without such rows there are no steps.
func (v *view) newSteps(pred *predicate, q *query.CounterQuery) (*steps, error) {
	switch q.Interval {
	case "hour", "day", "week", "month":
	default:
		return nil, query.Bad("interval", "must be one of hour, day, week, month")
	}
	zone := q.Zone
	if zone == nil {
		zone = q.Site.Location
	}
	from, to := pred.timeFrom, pred.timeTo
	if from == math.MinInt64 || to == math.MaxInt64 {
		first, last, any, err := v.span(pred, from == math.MinInt64, to == math.MaxInt64, keptRuns{})
		if err != nil || !any {
			return &steps{}, err
		}
		if from == math.MinInt64 {
			from = first
		}
		if to == math.MaxInt64 {
			to = last + 1
		}
	}
	if span := (to - from) / (3600 * 1000); q.Interval == "hour" && span > query.CounterStepsMax {
		return nil, tooManySteps()
	}
	starts, ok := calendar.BucketTimes(from, to, q.Interval, zone)
	if !ok || len(starts) > query.CounterStepsMax {
		return nil, tooManySteps()
	}
	return &steps{starts: starts}, nil
}

func tooManySteps() error {
	return query.Bad("interval", "more than %d intervals; ask about a shorter time, with from and to", query.CounterStepsMax)
}

// countSeries counts one property step by step. It first aggregates the whole range, to know
// the values and their total, then only the steps on the page. Memory holds one page and two
// steps, however long the series is.
func (v *view) countSeries(q *query.CounterQuery, limit int) (query.CounterPage, error) {
	if q.Property == "" {
		return query.CounterPage{}, query.Bad("property", "a series needs one")
	}
	pred, err := planCounters(q, v)
	if err != nil {
		return query.CounterPage{}, err
	}
	s, err := v.newSteps(pred, q)
	if err != nil {
		return query.CounterPage{}, err
	}
	whole, total, err := v.aggregate(pred, withJoint(*q), nil, partialCache{})
	if err != nil {
		return query.CounterPage{}, err
	}
	page := query.CounterPage{Total: total}
	values := whole.rows
	page.Count = len(s.starts) * len(values)
	if q.Offset >= page.Count {
		return page, nil
	}
	s.from = q.Offset / len(values)
	s.to = min(len(s.starts), (q.Offset+limit-1)/len(values)+1)
	agg, _, err := v.aggregate(pred, q, s, partialCache{})
	if err != nil {
		return query.CounterPage{}, err
	}
	byStep := make([][]query.CounterRow, s.to-s.from)
	for i, r := range agg.rows {
		at := agg.steps[i] - s.from
		byStep[at] = append(byStep[at], r)
	}
	skip := q.Offset % len(values)
	for i, rows := range byStep {
		if err := v.budget.check(); err != nil {
			return query.CounterPage{}, err
		}
		rows = addZeroRows(rows, values)
		query.SortCounters(rows, q.Sort)
		rows = rows[skip:]
		skip = 0
		for k := range rows {
			rows[k].Time = s.starts[s.from+i]
		}
		page.Rows = append(page.Rows, rows[:min(len(rows), limit-len(page.Rows))]...)
	}
	page.More = q.Offset+len(page.Rows) < page.Count
	return page, nil
}

// addZeroRows adds a row of zeros for each row of all that is not in rows.
func addZeroRows(rows, all []query.CounterRow) []query.CounterRow {
	if len(rows) == len(all) {
		return rows
	}
	there := make(map[[2]string]bool, len(rows))
	for _, r := range rows {
		there[[2]string{r.Value, r.Segment}] = true
	}
	rows = slices.Grow(rows, len(all)-len(rows))
	for _, r := range all {
		if !there[[2]string{r.Value, r.Segment}] {
			rows = append(rows, query.CounterRow{Value: r.Value, Segment: r.Segment})
		}
	}
	return rows
}
