// Counters: for each value of a property its events, sessions and users, whole
// or split by a segment.

package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// CounterRowsMax bounds the rows one query of counters may build.
const CounterRowsMax = 1 << 20

// autoSegments split every event that has them, without being asked for.
var autoSegments = []string{"platform", "browser", "country"}

// Counters implements API.
func (e *Engine) Counters(ctx context.Context, q CounterQuery) (CounterPage, error) {
	limit, err := checkLimit(q.Limit, 10_000)
	if err != nil {
		return CounterPage{}, err
	}
	if q.Offset < 0 {
		return CounterPage{}, fmt.Errorf("%w: offset is negative", ErrBadQuery)
	}
	v := e.state(q.Site.ID).view()
	again := e.kept.knows(q.key())
	page, err := answered(e.kept, v, q.key(), CounterPage.size, func() (CounterPage, error) {
		return e.counters(e.budget(ctx), v, q, limit, again)
	})
	page.Rows = slices.Clone(page.Rows)
	return page, err
}

func (e *Engine) counters(b budget, v *view, q CounterQuery, limit int, again bool) (page CounterPage, err error) {
	switch {
	case q.Interval != "":
		return v.countSeries(b, &q, limit)
	case q.Property == "":
		page, err = e.properties(b, v, &q)
	default:
		var t *tally
		if t, page.Total, err = v.count(b, &q, e.keeper(v, &q, again)); err == nil {
			page.Rows = t.rows
		}
	}
	if err != nil {
		return CounterPage{}, err
	}
	sortCounters(page.Rows, q.Sort)
	page.Count = len(page.Rows)
	page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
	if page.More = len(page.Rows) > limit; page.More {
		page.Rows = page.Rows[:limit]
	}
	page.Rows = slices.Clone(page.Rows) // not all of them live on with the page
	return page, nil
}

func (q *CounterQuery) plan(v *view) (*where, error) {
	w, err := plan(v, q.Where, q.From, q.To)
	if err == nil && (q.FromDay != 0 || q.ToDay != 0) {
		w.days(q.FromDay, q.ToDay)
	}
	return w, err
}

// sortCounters orders rows, greatest first; ties by value, then segment.
func sortCounters(rows []CounterRow, by string) {
	slices.SortFunc(rows, func(a, b CounterRow) int {
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
