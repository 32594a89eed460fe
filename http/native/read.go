package native

import (
	"context"
	"errors"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers the reads of the native API. Each method asks the engine one question
// and appends the answer to c.out. The shapes are in json.go.

// engineError names the parameter that the engine refused.
func engineError(err error) error {
	if errors.Is(err, query.ErrBadCursor) {
		return badField("after", query.ErrBadCursor.Error())
	}
	if bad := new(query.BadParameter); errors.As(err, &bad) {
		return badField(bad.Field, bad.Msg)
	}
	return err
}

// idError is engineError for an object named in the path. An id of another site is not found.
func idError(err error) error {
	if errors.Is(err, query.ErrBadCursor) {
		return query.ErrNotFound
	}
	return err
}

// events is GET /api/v1/events.
func (n *API) events(ctx context.Context, c *reading) error {
	query, err := c.query.page(c.site)
	if err != nil {
		return err
	}
	csv, err := c.listed(&query)
	if err != nil {
		return err
	}
	query.Fresh = c.fresh()
	page, err := n.engine.List(ctx, query)
	switch {
	case err != nil:
		return engineError(err)
	case c.has(query.Fresh.AsOf):
	case csv:
		c.csvPages(eventColumns, len(page.Events), page.Next, func(after string) (int, string, error) {
			query.After, query.Fresh = after, nil
			page, err = n.engine.List(ctx, query)
			return len(page.Events), page.Next, err
		}, func(dst []byte, i int) []byte { return appendEvent(dst, page.Events[i]) })
	default:
		c.out = appendEvents(c.out, page)
	}
	return nil
}

// event is GET /api/v1/events/{id}.
func (n *API) event(ctx context.Context, c *reading) error {
	if !publicID(c.ids[0]) {
		return query.ErrNotFound
	}
	e, err := n.engine.Event(ctx, c.site, c.ids[0])
	if err != nil {
		return idError(err)
	}
	c.out = appendEvent(c.out, e)
	return nil
}

// count is GET /api/v1/count.
func (n *API) count(ctx context.Context, c *reading) error {
	query, err := c.query.selection(c.site)
	if err != nil {
		return err
	}
	query.Metrics = c.query.metrics()
	query.Fresh = c.fresh()
	totals, err := n.engine.Count(ctx, query)
	one := func(dst []byte, _ int) []byte {
		return append(appendTotals(append(dst, '{'), totals, query.Metrics), '}')
	}
	switch {
	case err != nil:
		return engineError(err)
	case c.has(query.Fresh.AsOf):
	case c.query.wantsCSV():
		c.sendCSV(metricColumns(query.Metrics), 1, one)
	default:
		c.out = one(c.out, 0)
	}
	return nil
}

// series is GET /api/v1/series. The engine decides which buckets there are, empty ones
// included, and how many are too many.
func (n *API) series(ctx context.Context, c *reading) error {
	interval := c.query.choice("interval")
	query, err := c.query.selection(c.site)
	if err != nil {
		return err
	}
	query.Metrics = c.query.metrics()
	query.Fresh = c.fresh()
	buckets, err := n.engine.Series(ctx, query, interval, c.site.Location)
	switch {
	case err != nil:
		return engineError(err)
	case c.has(query.Fresh.AsOf):
	case c.query.wantsCSV():
		c.sendCSV(metricColumns(query.Metrics, "time"), len(buckets), func(dst []byte, i int) []byte {
			return appendBucket(dst, &buckets[i], query.Metrics)
		})
	default:
		c.out = appendSeries(c.out, interval, buckets, query.Metrics)
	}
	return nil
}

// sortMetrics are the metrics that counters are sorted by; events are always known.
var sortMetrics = map[string]query.Metrics{"users": query.MetricUsers, "sessions": query.MetricSessions}

// counters is GET /api/v1/counters. Without a property the rows are the
// properties that have counters.
func (n *API) counters(ctx context.Context, c *reading) error {
	query := query.CounterQuery{
		Site:     c.site,
		Property: c.query.single["property"],
		Segment:  c.query.single["segment"],
	}
	var err error
	if query.Values, err = c.query.cut("value"); err != nil {
		return err
	}
	query.Where = c.query.conds()
	if query.Property == "" {
		switch {
		case query.Values != nil:
			return badField("value", "needs a property")
		case query.Segment != "":
			return badField("segment", "needs a property")
		}
	}
	if err := c.query.days(&query); err != nil {
		return err
	}
	query.Sort = c.query.choice("sort")
	query.Metrics = c.query.metrics()
	if metric, ok := sortMetrics[query.Sort]; ok && !query.Metrics.Has(metric) {
		return badField("sort", "must be one of the metrics, or value")
	}
	query.Limit = int(c.query.number("limit"))
	hash := counterHash(&query)
	if query.Offset, err = counterOffset(c.query.single["after"], hash); err != nil {
		return err
	}
	csv := c.query.wantsCSV()
	switch {
	case csv && query.Offset > 0:
		return badField("after", "format=csv has all rows in one answer")
	case csv:
		query.Limit = csvRowsMax
	}
	query.Fresh = c.fresh()
	page, err := n.engine.Counters(ctx, query)
	if err != nil {
		return engineError(err)
	}
	if none := query.Property != "" && len(page.Rows) == 0; query.Fresh.AsOf.Same || !none { // else known is not that of the range
		if c.has(query.Fresh.AsOf) {
			return nil
		}
	}
	known := true
	if query.Property != "" && len(page.Rows) == 0 {
		if known, err = n.counted(ctx, c.site, "property", query.Property); err != nil {
			return err
		}
	}
	if uncountedKey(query.Segment) {
		if _, err := n.counted(ctx, c.site, "segment", query.Segment); err != nil {
			return err
		}
	}
	if csv {
		columns := []string{"value"}
		if query.Property == "" {
			columns = append(columns, "values")
		}
		if query.Segment != "" {
			columns = append(columns, "segment")
		}
		c.sendCSV(metricColumns(query.Metrics, columns...), len(page.Rows), func(dst []byte, i int) []byte {
			return appendCounterRow(dst, &query, &page.Rows[i])
		})
		return nil
	}
	c.out = appendCounters(c.out, &query, &page, known, hash)
	return nil
}

// counted says whether the site has ever counted a property of that name. If it has not, and
// the name is a key of the context that nothing counts, it refuses the parameter: zero would
// be a wrong answer about events that do have it.
func (n *API) counted(ctx context.Context, site *query.Site, param, name string) (bool, error) {
	page, err := n.engine.Counters(ctx, query.CounterQuery{Site: site, Property: name, Limit: 1, Metrics: query.MetricEvents})
	switch {
	case err != nil:
		return false, engineError(err)
	case len(page.Rows) > 0:
		return true, nil
	case uncountedKey(name):
		return false, badField(param, name+" is in the context of events and is not counted; ask breakdown?by="+name)
	}
	return false, nil
}

// uncountedKey says whether a name is a key of the context that is never counted. A site may
// still have a property of that name.
func uncountedKey(name string) bool {
	return slices.Contains(event.ContextKeys, name) && !event.Detected(name)
}

// users is GET /api/v1/users, by the person's first event, the newest first, or with sort=last by
// the time of the last one. With filters or a range it lists the persons of such events.
func (n *API) users(ctx context.Context, c *reading) error {
	query, err := c.query.page(c.site)
	if err != nil {
		return err
	}
	if query.ByLast = c.query.choice("sort") == "last"; query.ByLast && query.After != "" {
		return badField("after", "sort=last has one page")
	}
	csv, err := c.listed(&query)
	if err != nil {
		return err
	}
	query.Fresh = c.fresh()
	users, next, err := n.engine.Users(ctx, query)
	switch {
	case err != nil:
		return engineError(err)
	case c.has(query.Fresh.AsOf):
	case csv:
		c.csvPages(userColumns, len(users), next, func(after string) (int, string, error) {
			query.After, query.Fresh = after, nil
			users, next, err = n.engine.Users(ctx, query)
			return len(users), next, err
		}, func(dst []byte, i int) []byte { return appendUser(dst, &users[i], 0) })
	default:
		c.out = appendUsers(c.out, users, next)
	}
	return nil
}

// user is GET /api/v1/users/{id}. after is the ids_next of an answer before.
func (n *API) user(ctx context.Context, c *reading) error {
	user, err := n.engine.User(ctx, c.site, c.ids[0])
	if err != nil {
		return idError(err)
	}
	after, err := counterOffset(c.query.single["after"], userHash(&user))
	if err != nil {
		return err
	}
	c.out = appendUser(c.out, &user, after)
	return nil
}

// userEvents is GET /api/v1/users/{id}/events: the events of the person.
func (n *API) userEvents(ctx context.Context, c *reading) error {
	asked, err := c.query.page(c.site)
	if err != nil {
		return err
	}
	asked.Where = append(asked.Where, query.Cond{Field: "user", Values: c.ids[:1]})
	page, err := n.engine.List(ctx, asked)
	if err != nil {
		return engineError(err)
	}
	if len(page.Events) == 0 {
		// An unknown person is a 404; a known one without such events is an empty page.
		if _, err := n.engine.User(ctx, c.site, c.ids[0]); err != nil {
			return idError(err)
		}
	}
	c.out = appendEvents(c.out, page)
	return nil
}

// sessions is GET /api/v1/sessions, by the session's first event, the newest
// first.
func (n *API) sessions(ctx context.Context, c *reading) error {
	query, err := c.query.page(c.site)
	if err != nil {
		return err
	}
	csv, err := c.listed(&query)
	if err != nil {
		return err
	}
	query.Fresh = c.fresh()
	sessions, next, err := n.engine.Sessions(ctx, query)
	switch {
	case err != nil:
		return engineError(err)
	case c.has(query.Fresh.AsOf):
	case csv:
		c.csvPages(sessionColumns, len(sessions), next, func(after string) (int, string, error) {
			query.After, query.Fresh = after, nil
			sessions, next, err = n.engine.Sessions(ctx, query)
			return len(sessions), next, err
		}, func(dst []byte, i int) []byte { return appendSession(dst, &sessions[i]) })
	default:
		c.out = appendSessions(c.out, sessions, next)
	}
	return nil
}

// session is GET /api/v1/sessions/{id}.
func (n *API) session(ctx context.Context, c *reading) error {
	session, err := n.engine.Session(ctx, c.site, c.ids[0])
	if err != nil {
		return idError(err)
	}
	c.out = appendSession(c.out, &session)
	return nil
}

// group is GET /api/v1/groups/{id}.
func (n *API) group(ctx context.Context, c *reading) error {
	group, err := n.engine.Group(ctx, c.site, c.ids[0])
	if err != nil {
		return idError(err)
	}
	c.out = appendGroup(c.out, &group)
	return nil
}
