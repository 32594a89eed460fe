// Series of counters: counters for each hour, day, week or month.

package read

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// steps is the steps of one series. Steps of a day or more in the site's own time zone
// contain the events counted on these days, so that a series sums up to the counters. All
// other steps contain events by their time.
type steps struct {
	starts   []int64 // Unix milliseconds
	first    int32   // the first day in days
	days     []int   // the step of each day; nil = by event time
	from, to int     // the steps [from, to) that the query wants
}

// stepOf returns a function that returns the step of a row of part, or -1 when the query
// does not want it.
func (s *steps) stepOf(part index.Part) func(row int) int {
	wanted := func(step int) int {
		if step < s.from || step >= s.to {
			return -1
		}
		return step
	}
	if s.days != nil {
		days := part.Ints(event.IntDay)
		return func(row int) int {
			if i := days.At(row) - int64(s.first); i >= 0 && i < int64(len(s.days)) {
				return wanted(s.days[i])
			}
			return -1
		}
	}
	times := part.Ints(event.IntTime)
	return func(row int) int { return wanted(s.at(times.At(row))) }
}

// at returns the step of a time.
func (s *steps) at(time int64) int {
	return sort.Search(len(s.starts), func(i int) bool { return s.starts[i] > time }) - 1
}

// newSteps returns the steps of q. When q has no bounds, they span the rows that satisfy
// pred; without such rows there are no steps.
func (v *view) newSteps(pred *predicate, q *query.CounterQuery) (*steps, error) {
	switch q.Interval {
	case "hour", "day", "week", "month":
	default:
		return nil, fmt.Errorf("%w: interval is hour, day, week or month", query.ErrBadQuery)
	}
	home, zone := q.Site.Location, q.Zone
	if home == nil {
		home = time.UTC
	}
	if zone == nil {
		zone = home
	}
	byDay := q.Interval != "hour" && q.From == 0 && q.To == 0 && zone.String() == home.String()
	from, to := q.From, q.To
	fromDay, toDay := q.FromDay, q.ToDay
	bounded := fromDay != 0 || toDay != 0
	switch {
	case byDay && !bounded, bounded && fromDay == 0:
		first, last, any, err := v.span(pred, event.IntDay)
		if err != nil || !any {
			return &steps{}, err
		}
		if fromDay = int32(first); !bounded {
			toDay, bounded = int32(last), true
		}
	case !byDay && !bounded && (from == 0 || to == 0):
		first, last, any, err := v.span(pred, event.IntTime)
		if err != nil || !any {
			return &steps{}, err
		}
		if from == 0 {
			from = first
		}
		if to == 0 {
			to = last + 1
		}
	}
	if bounded {
		if toDay-fromDay > 31*query.CounterStepsMax {
			return nil, tooManySteps()
		}
		dayFrom, dayTo := calendar.DayStart(dateOf(fromDay), home).UnixMilli(), calendar.DayStart(dateOf(toDay+1), home).UnixMilli()
		from, to = max(from, dayFrom), dayTo
		if q.To != 0 {
			to = min(q.To, dayTo)
		}
	}
	if span := (to - from) / (3600 * 1000); q.Interval == "hour" && span > query.CounterStepsMax {
		return nil, tooManySteps()
	}
	starts, ok := calendar.BucketTimes(from, to, q.Interval, zone)
	if !ok || len(starts) > query.CounterStepsMax {
		return nil, tooManySteps()
	}
	s := &steps{starts: starts}
	if byDay {
		s.first, s.days = fromDay, make([]int, 0, toDay-fromDay+1)
		for day := fromDay; day <= toDay; day++ {
			s.days = append(s.days, s.at(calendar.DayStart(dateOf(day), home).UnixMilli()))
		}
	}
	return s, nil
}

func tooManySteps() error {
	return fmt.Errorf("%w: more than %d intervals", query.ErrBadQuery, query.CounterStepsMax)
}

// dateOf returns midnight, UTC, of a day number.
func dateOf(day int32) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// span returns the least and the greatest value of an integer column in the rows that
// satisfy pred. any is false when there are no rows.
func (v *view) span(pred *predicate, column int) (first, last int64, any bool, err error) {
	err = v.eachRow(pred, func(p *table.Part) func(int) {
		values := p.Get().Ints(column)
		return func(row int) {
			n := values.At(row)
			if !any {
				first, last, any = n, n, true
			}
			first, last = min(first, n), max(last, n)
		}
	})
	return first, last, any, err
}

// countSeries counts one property step by step. It first aggregates the whole range, to know
// the values and their total, then only the steps on the page. Memory holds one page and two
// steps, however long the series is.
func (v *view) countSeries(q *query.CounterQuery, limit int) (query.CounterPage, error) {
	if q.Property == "" {
		return query.CounterPage{}, fmt.Errorf("%w: a series needs a property", query.ErrBadQuery)
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
