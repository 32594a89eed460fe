// Counters: for each value of a property its events, sessions and users, whole
// or split by a segment.

package read

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/query"
)

// autoSegments split every event that has them, without being asked for.
var autoSegments = []string{"platform", "browser", "country"}

// Counters implements API.
func (rd *Reader) Counters(ctx context.Context, q query.CounterQuery) (query.CounterPage, error) {
	limit, err := checkLimit(q.Limit, 10_000)
	if err != nil {
		return query.CounterPage{}, err
	}
	if q.Offset < 0 {
		return query.CounterPage{}, fmt.Errorf("%w: offset is negative", query.ErrBadQuery)
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	repeated := rd.results.has(counterKey(&q))
	page, err := cached(rd.results, v, counterKey(&q), pageBytes, func() (query.CounterPage, error) {
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
	default:
		first := &q
		if v.pays(&q, limit) {
			first = jointly(q)
		}
		var agg *aggregate
		if agg, page.Total, err = v.aggregateProperty(first, rd.partialCache(v, first, repeated)); err == nil {
			page.Rows = agg.rows
		}
		if isJoint(first) && err == nil {
			cutPage(&page, &q, limit)
			return page, rd.distinguish(v, &q, page.Rows, repeated)
		}
	}
	if err != nil {
		return query.CounterPage{}, err
	}
	cutPage(&page, &q, limit)
	return page, nil
}

// cut leaves the rows of the page that was asked for.
func cutPage(page *query.CounterPage, q *query.CounterQuery, limit int) {
	sortCounters(page.Rows, q.Sort)
	page.Count = len(page.Rows)
	page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
	if page.More = len(page.Rows) > limit; page.More {
		page.Rows = page.Rows[:limit]
	}
	page.Rows = slices.Clone(page.Rows) // not all of them live on with the page
}

// metricJoint asks for the users and sessions of all rows together, but of none by
// itself.
const metricJoint query.Metrics = 1 << 7

func isJoint(q *query.CounterQuery) bool { return q.Metrics&metricJoint != 0 }

// jointly is q with the users and sessions of all rows together.
func jointly(q query.CounterQuery) *query.CounterQuery {
	if q.Metrics == 0 {
		q.Metrics = query.MetricEvents | query.MetricUsers | query.MetricSessions
	}
	q.Metrics |= metricJoint
	return &q
}

// manyRows is how many times the rows of a page there must be, about, before they
// are sought first and their users and sessions told apart after.
const manyRows = 32

// pays says whether so many more rows than those of the page would have their users
// and sessions told apart that it is worth while to go through the events twice.
func (v *view) pays(q *query.CounterQuery, limit int) bool {
	if q.Sort == "users" || q.Sort == "sessions" || !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		return false
	}
	values := len(q.Values)
	if values == 0 {
		values = v.valuesAbout(q.Property)
	}
	if segment := segmentOf(q); segment != "" {
		values *= max(1, v.valuesAbout(segment))
	}
	return values > manyRows*(q.Offset+limit)
}

// valuesAbout is about how many values a property has: how many cells the fullest
// part has of it.
func (v *view) valuesAbout(property string) (n int) {
	for i := range v.Parts {
		of := 0
		for _, alt := range countedClause(property, nil).Any {
			if col := v.Parts[i].Get().Column(alt.Field); col != nil {
				of += col.Card()
			}
		}
		n = max(n, of)
	}
	return n
}

// distinguish fills in the users and sessions of rows, which are a page of q.
func (rd *Reader) distinguish(v *view, q *query.CounterQuery, rows []query.CounterRow, repeated bool) error {
	if len(rows) == 0 {
		return nil
	}
	own := *q
	own.Values, own.SegmentValues = nil, nil
	at := make(map[[2]string]*query.CounterRow, len(rows))
	for i := range rows {
		r := &rows[i]
		at[[2]string{r.Value, r.Segment}] = r
		if !slices.Contains(own.Values, r.Value) {
			own.Values = append(own.Values, r.Value)
		}
		if q.Segment != "" && !slices.Contains(own.SegmentValues, r.Segment) {
			own.SegmentValues = append(own.SegmentValues, r.Segment)
		}
	}
	agg, _, err := v.aggregateProperty(&own, rd.partialCache(v, &own, repeated))
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

func planCounters(q *query.CounterQuery, v *view) (*predicate, error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err == nil && (q.FromDay != 0 || q.ToDay != 0) {
		pred.days(q.FromDay, q.ToDay)
	}
	return pred, err
}

// sortCounters orders rows, greatest first; ties by value, then segment.
func sortCounters(rows []query.CounterRow, by string) {
	slices.SortFunc(rows, func(a, b query.CounterRow) int {
		c := 0
		switch by {
		case "", "events":
			c = cmp.Compare(b.Events, a.Events)
		case "sessions":
			c = cmp.Compare(b.Sessions, a.Sessions)
		case "users":
			c = cmp.Compare(b.Users, a.Users)
		}
		return cmp.Or(c, strings.Compare(a.Value, b.Value), strings.Compare(a.Segment, b.Segment))
	})
}
