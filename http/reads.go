package httpd

import (
	"context"
	"errors"
	"time"

	"cairn/engine"
	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dialect"
)

// readMax bounds one read, which may be many questions to the store. The store allows each
// question the same time, which is bound enough for a route that is Brief.
const readMax = 10 * time.Second

// queriesMax is how many reads one key may have at work at once.
const queriesMax = 4

// read answers a read of a dialect. One key has at most queriesMax at work; writes are
// not counted there. A read whose answer is a stream is at work until that ends.
func (x *exchange) read() {
	defer func() {
		if x.res.Stream == nil {
			x.endRead()
		}
	}()
	r := x.route
	if x.req.Method == "POST" {
		if err := x.readBody(); err != nil {
			x.failWith(err)
			return
		}
	}
	x.own()
	if r.Auth == dialect.AuthBody {
		c, ok := r.wire.Dialect.(dialect.Credentialed)
		if !ok {
			x.fail(dialect.Unauthorized, auth.ErrUnauthorized)
			return
		}
		g, failure, err := x.s.registry.Resolve(c.Credential(&x.req), x.header("Origin"))
		if failure == dialect.OK && g.Rights&dialect.Read == 0 {
			failure, err = dialect.Forbidden, auth.ErrForbidden
		}
		if failure != dialect.OK {
			x.fail(failure, err)
			return
		}
		x.grant = g
		x.req.Site = &g.Account.Site
	}
	if q := x.grant.Queries; q != nil {
		x.queries = q
		if q.Add(1) > queriesMax {
			x.wait = time.Second
			x.fail(dialect.RateLimited, &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many queries at once with this key"})
			return
		}
	}
	if x.req.Method == "HEAD" {
		x.req.Method = "GET" // fasthttp leaves the body out
	}
	x.reader = siteReader{x.s.engine, nil, x.s.registry.Tickets}
	if site := x.s.tenant(x.grant.Account); site != nil {
		x.reader.site = site.Site.Site
	}
	ctx := x.s.running
	switch {
	case r.Streams:
		ctx, x.cancel = context.WithCancel(x.s.streaming)
	case !r.Brief:
		ctx, x.cancel = context.WithTimeout(ctx, readMax)
	}
	if err := r.reads.Read(ctx, &x.req, &x.reader, &x.res); err != nil {
		x.res.Header = x.res.Header[:0]
		x.failWith(err)
	}
}

// endRead ends the context of a read, or of a stream, and lets another read of its key
// begin. Calling it again, or for a request that holds neither, does nothing.
func (x *exchange) endRead() {
	if x.cancel != nil {
		x.cancel()
	}
	if x.queries != nil {
		x.queries.Add(-1)
	}
	x.cancel, x.queries = nil, nil
}

// siteReader is a dialect.Reader bound to one site.
type siteReader struct {
	engine  engine.API
	site    *engine.Site
	tickets *auth.Tickets
}

// query is q for the engine.
func (r *siteReader) query(q dialect.Query) (query.Query, error) {
	if r.site == nil {
		return query.Query{}, errUnbound
	}
	where := make([]query.Cond, len(q.Where))
	for i, c := range q.Where {
		where[i] = query.Cond{Field: c.Field, Values: c.Values}
	}
	return query.Query{
		Shown: true,
		Site:  &r.site.Site, Where: where, From: q.From, To: q.To,
		Ascending: q.Ascending, Limit: q.Limit, After: q.After, Skip: q.Skip,
	}, nil
}

var errUnbound = &dialect.StatusError{Failure: dialect.Unauthorized, Msg: "this read names no site"}

// List is one page of the site's events.
func (r *siteReader) List(ctx context.Context, q dialect.Query) (dialect.Page, error) {
	asked, err := r.query(q)
	if err != nil {
		return dialect.Page{}, err
	}
	page, err := r.engine.List(ctx, asked)
	if errors.Is(err, query.ErrBadCursor) {
		err = &dialect.StatusError{Failure: dialect.BadRequest, Field: "after", Msg: err.Error()}
	}
	return dialect.Page(page), err
}

// Count is the exact totals of what a query selects.
func (r *siteReader) Count(ctx context.Context, q dialect.Query) (dialect.Totals, error) {
	query, err := r.query(q)
	if err != nil {
		return dialect.Totals{}, err
	}
	totals, err := r.engine.Count(ctx, query)
	return dialect.Totals{Events: totals.Events, Users: totals.Users, Sessions: totals.Sessions}, err
}

// Event is the event of a public id.
func (r *siteReader) Event(ctx context.Context, id string) (*event.Event, error) {
	if r.site == nil {
		return nil, errUnbound
	}
	e, err := r.engine.Event(ctx, &r.site.Site, id)
	if errors.Is(err, query.ErrNotFound) || errors.Is(err, query.ErrBadCursor) {
		return nil, &dialect.StatusError{Failure: dialect.NotFound, Msg: query.ErrNotFound.Error()}
	}
	return e, err
}

// Counters is one page of counters. Days of another zone than the site's are
// ranges of time.
func (r *siteReader) Counters(ctx context.Context, q dialect.CounterQuery) (dialect.CounterPage, error) {
	if r.site == nil {
		return dialect.CounterPage{}, errUnbound
	}
	asked := query.CounterQuery{
		Site: &r.site.Site, Property: q.Property, Values: q.Values, Segment: q.Segment, SegmentValues: q.SegmentValues,
		From: q.From, To: q.To, FromDay: q.FromDay, ToDay: q.ToDay, Zone: q.Zone,
		Interval: q.Interval, Sort: q.Sort, Limit: q.Limit, Offset: q.Offset,
	}
	if (q.FromDay != 0 || q.ToDay != 0) && q.Zone != nil && zoneName(q.Zone) != zoneName(r.site.Location) {
		if q.FromDay != 0 {
			asked.From = startOf(q.FromDay, q.Zone)
		}
		asked.To = startOf(q.ToDay+1, q.Zone)
		asked.FromDay, asked.ToDay = 0, 0
	}
	page, err := r.engine.Counters(ctx, asked)
	return dialect.CounterPage{
		Rows: each(page.Rows, func(r query.CounterRow) dialect.CounterRow { return dialect.CounterRow(r) }), Total: dialect.CounterRow(page.Total),
		More: page.More, Count: page.Count,
	}, err
}

// each converts a list.
func each[From, To any](list []From, convert func(From) To) []To {
	out := make([]To, len(list))
	for i := range list {
		out[i] = convert(list[i])
	}
	return out
}

func zoneName(zone *time.Location) string {
	if zone == nil {
		return time.UTC.String()
	}
	return zone.String()
}

// startOf is the first instant of a day in Unix milliseconds.
func startOf(day int32, zone *time.Location) int64 {
	return calendar.DayStart(time.Unix(int64(day)*86400, 0).UTC(), zone).UnixMilli()
}

// Digest sums up the events a query selects.
func (r *siteReader) Digest(ctx context.Context, q dialect.Query) (dialect.Digest, error) {
	query, err := r.query(q)
	if err != nil {
		return dialect.Digest{}, err
	}
	d, err := r.engine.Digest(ctx, query)
	return dialect.Digest{
		Totals: dialect.Totals{Events: d.Events, Users: d.Users, Sessions: d.Sessions},
		First:  d.First, Last: d.Last, Name: d.Name, Properties: d.Properties, Context: d.Context,
	}, err
}

// User is the person of an id.
func (r *siteReader) User(ctx context.Context, id string) (dialect.User, error) {
	if r.site == nil {
		return dialect.User{}, errUnbound
	}
	u, err := r.engine.User(ctx, &r.site.Site, id)
	if errors.Is(err, query.ErrNotFound) {
		err = &dialect.StatusError{Failure: dialect.NotFound, Msg: query.ErrNotFound.Error()}
	}
	return dialect.User(u), err
}

// Users lists persons by their first event, newest first.
func (r *siteReader) Users(ctx context.Context, q dialect.Query) ([]dialect.User, string, error) {
	asked, err := r.query(q)
	if err != nil {
		return nil, "", err
	}
	users, next, err := r.engine.Users(ctx, asked)
	return each(users, func(u query.User) dialect.User { return dialect.User(u) }), next, err
}

// Sessions lists sessions by their first event, newest first.
func (r *siteReader) Sessions(ctx context.Context, q dialect.Query) ([]dialect.Session, string, error) {
	asked, err := r.query(q)
	if err != nil {
		return nil, "", err
	}
	sessions, next, err := r.engine.Sessions(ctx, asked)
	return each(sessions, func(s query.Session) dialect.Session { return dialect.Session(s) }), next, err
}

// Visits sums up the sessions of a query, in steps of the site's zone.
func (r *siteReader) Visits(ctx context.Context, q dialect.Query, interval string) (dialect.Visits, []dialect.Visits, error) {
	asked, err := r.query(q)
	if err != nil {
		return dialect.Visits{}, nil, err
	}
	total, steps, err := r.engine.Visits(ctx, asked, interval, r.site.Location)
	return dialect.Visits(total), each(steps, func(v query.Visits) dialect.Visits { return dialect.Visits(v) }), err
}

// Ticket is a credential to read the site for a time.
func (r *siteReader) Ticket(ttl time.Duration) string {
	if r.site == nil {
		return ""
	}
	return r.tickets.Issue(r.site.ID, ttl)
}
