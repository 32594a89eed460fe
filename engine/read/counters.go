// Counters: the events, sessions and users of each value of a property, optionally split by
// a segment.

package read

import (
	"context"
	"fmt"
	"slices"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// autoSegments split every event that has them, even when the event does not name them as
// its segments.
var autoSegments = []string{"platform", "browser", "country"}

// Counters returns one page of the counters that q selects; see query.CounterQuery. Answers
// are kept while they are true. The caller owns the result.
func (rd *Reader) Counters(ctx context.Context, q query.CounterQuery) (query.CounterPage, error) {
	limit, err := checkLimit(q.Limit, query.CounterRowsMax)
	if err != nil {
		return query.CounterPage{}, err
	}
	if q.Offset < 0 {
		return query.CounterPage{}, fmt.Errorf("%w: offset is negative", query.ErrBadQuery)
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	ask := newQuestion(q.Site, counterKey(&q), []query.Span{openSpan(counterTimes(&q))}, q.Where, nil)
	repeated := rd.results.has(ask.key)
	page, err := keep(rd.results, v, ask, q.Fresh, pageBytes, func() (query.CounterPage, error) {
		return rd.counters(v, q, limit, repeated)
	})
	page.Rows = slices.Clone(page.Rows)
	return page, err
}

func (rd *Reader) counters(v *view, q query.CounterQuery, limit int, repeated bool) (page query.CounterPage, err error) {
	switch {
	case q.Interval != "":
		return v.countSeries(&q, limit)
	case q.Property == "":
		page, err = rd.properties(v, &q)
	case v.isWide(&q, limit):
		return v.wideCounters(&q, limit)
	default:
		first := &q
		if v.worthTwoPasses(&q, limit) {
			first = withJoint(q)
		}
		var agg *aggregate
		if agg, page.Total, err = v.aggregateProperty(first, rd.partialCache(v, first, repeated)); err == nil {
			page.Rows = agg.rows
		}
		if isJoint(first) && err == nil {
			cutPage(&page, &q, limit)
			return page, rd.fillDistinct(v, &q, page.Rows, repeated)
		}
	}
	if err != nil {
		return query.CounterPage{}, err
	}
	cutPage(&page, &q, limit)
	return page, nil
}

// cutPage sorts the rows and leaves those of the page that the query wants.
func cutPage(page *query.CounterPage, q *query.CounterQuery, limit int) {
	query.SortCounters(page.Rows, q.Sort)
	page.Count = len(page.Rows)
	page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
	if page.More = len(page.Rows) > limit; page.More {
		page.Rows = page.Rows[:limit]
	}
	page.Rows = slices.Clone(page.Rows) // do not keep the other rows in memory
}

// metricJoint asks for the users and sessions of all rows together, but not of each row.
const metricJoint query.Metrics = 1 << 7

func isJoint(q *query.CounterQuery) bool { return q.Metrics&metricJoint != 0 }

// withJoint returns a copy of q that asks for metricJoint too.
func withJoint(q query.CounterQuery) *query.CounterQuery {
	if q.Metrics == 0 {
		q.Metrics = query.MetricEvents | query.MetricUsers | query.MetricSessions
	}
	q.Metrics |= metricJoint
	return &q
}

// When the answer has more than twoPassesFrom times the rows of the page, Counters reads the
// events twice: first to find the rows of the page, then to count their users and sessions.
const twoPassesFrom = 32

// worthTwoPasses estimates whether reading the events twice is faster; see twoPassesFrom.
func (v *view) worthTwoPasses(q *query.CounterQuery, limit int) bool {
	if q.Sort == "users" || q.Sort == "sessions" || !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		return false
	}
	values := len(q.Values)
	if values == 0 {
		values = v.valuesEstimate(q.Property)
	}
	if segment := segmentOf(q); segment != "" {
		values *= max(1, v.valuesEstimate(segment))
	}
	return values > twoPassesFrom*(q.Offset+limit)
}

// valuesEstimate estimates how many values a property has: the greatest number of cells in
// one part.
func (v *view) valuesEstimate(property string) (n int) {
	for i := range v.Parts {
		inPart := 0
		for _, alt := range countedClause(property, nil).Any {
			if col := v.Parts[i].Get().Column(alt.Field); col != nil {
				inPart += col.Card()
			}
		}
		n = max(n, inPart)
	}
	return n
}

// fillDistinct fills in the users and sessions of rows, which are a page of q.
func (rd *Reader) fillDistinct(v *view, q *query.CounterQuery, rows []query.CounterRow, repeated bool) error {
	if len(rows) == 0 {
		return nil
	}
	pageQuery := *q
	pageQuery.Values, pageQuery.SegmentValues = nil, nil
	at := make(map[[2]string]*query.CounterRow, len(rows))
	for i := range rows {
		r := &rows[i]
		at[[2]string{r.Value, r.Segment}] = r
		if !slices.Contains(pageQuery.Values, r.Value) {
			pageQuery.Values = append(pageQuery.Values, r.Value)
		}
		if q.Segment != "" && !slices.Contains(pageQuery.SegmentValues, r.Segment) {
			pageQuery.SegmentValues = append(pageQuery.SegmentValues, r.Segment)
		}
	}
	agg, _, err := v.aggregateProperty(&pageQuery, rd.partialCache(v, &pageQuery, repeated))
	if err != nil {
		return err
	}
	for i := range agg.rows {
		if r := at[[2]string{agg.rows[i].Value, agg.rows[i].Segment}]; r != nil {
			r.Users, r.Sessions = agg.rows[i].Users, agg.rows[i].Sessions
		}
	}
	return nil
}

// planCounters plans the conditions, times and days of q. Days are the event times that
// they consist of.
func planCounters(q *query.CounterQuery, v *view) (*predicate, error) {
	from, to := counterTimes(q)
	return plan(v, q.Where, from, to)
}

// counterTimes returns the event times [from, to) of q; 0 = open.
func counterTimes(q *query.CounterQuery) (from, to int64) {
	from, to = q.From, q.To
	if q.FromDay != 0 {
		from = max(from, calendar.Start(q.FromDay, q.Site.Location))
	}
	if q.FromDay != 0 || q.ToDay != 0 {
		if end := calendar.Start(q.ToDay+1, q.Site.Location); to == 0 || end < to {
			to = end
		}
	}
	return from, to
}
