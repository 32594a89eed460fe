package httpd

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
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

// queriesMax is how many reads one key may have at work at once. On a route that is Kept, an
// answer that is kept or that somebody else computes is no work, but a table is while it is sent.
const queriesMax = 4

// Streams that last: how long one may, and how many there may be of one key, of all shares, and in
// all.
const (
	lastsMax         = 30 * time.Minute
	lastingKeyMax    = 4
	lastingSharesMax = 16
	lastingMax       = 32
)

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
	if text := x.header(AssistantHeader); text != "" && r.wire.index == dialectIndex(event.Native) {
		if x.req.Share = readLimits(text); x.browser != nil || x.req.Share == nil {
			x.fail(dialect.BadRequest, &dialect.StatusError{Failure: dialect.BadRequest, Field: AssistantHeader, Msg: AssistantHeader + ": must be numbers, or numbers&prop=PATH, with a key"})
			return
		}
	}
	if r.Auth == dialect.AuthBody {
		c, ok := r.wire.Dialect.(dialect.Credentialed)
		if !ok {
			x.fail(dialect.Unauthorized, auth.ErrUnauthorized)
			return
		}
		g, failure, err := x.sites.registry.Resolve(c.Credential(&x.req), x.header("Origin"))
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
	if r.Lasts {
		if !x.beginLasting() {
			return
		}
	} else if q := x.grant.Queries; q != nil && !r.Kept {
		if !x.s.takeQuery(q, x.browser != nil) {
			x.wait = time.Second
			x.fail(dialect.RateLimited, errQueries)
			return
		}
		x.queries = q
	}
	if x.req.Method == "HEAD" {
		x.req.Method = "GET" // fasthttp leaves the body out
	}
	x.reader = siteReader{engine: x.s.engine, tickets: x.sites.registry.Tickets}
	if x.req.Site != nil {
		x.reader.site = &x.req.Site.Site
	}
	ctx := x.s.running
	switch {
	case r.Lasts:
		ctx, x.cancel = context.WithTimeout(x.s.streaming, lastsMax)
	case r.Streams:
		ctx, x.cancel = context.WithCancel(x.s.streaming)
	case !r.Brief:
		ctx, x.cancel = context.WithTimeout(ctx, readMax)
	}
	var sent atomic.Bool // as a stream, which is at work itself
	if q := x.grant.Queries; q != nil && r.Kept {
		s, session := x.s, x.browser != nil // the work may outlive the exchange
		ctx = query.WithWork(ctx, func() (end func(), err error) {
			switch {
			case sent.Load():
				return func() {}, nil
			case !s.takeQuery(q, session):
				return nil, query.ErrTooMany
			}
			return q.Give, nil
		})
	}
	err := r.reads.Read(ctx, &x.req, &x.reader, &x.res)
	if err == nil && x.req.Share != nil {
		x.addHeader(AssistantHeader, "numbers") // the caller gives the answer to nobody without this
	}
	if err != nil {
		if errors.Is(err, query.ErrTooMany) {
			x.wait = time.Second
		}
		x.res.Header = x.res.Header[:0]
		x.failWith(err)
	} else if q := x.grant.Queries; q != nil && r.Kept && x.res.Stream != nil { // its rows are held until they are sent
		if x.s.takeQuery(q, x.browser != nil) {
			x.queries = q
			sent.Store(true)
			return
		}
		x.res.Stream, x.res.Header = nil, x.res.Header[:0]
		x.wait = time.Second
		x.fail(dialect.RateLimited, errQueries)
	}
}

var errQueries = &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many queries at once with this key"}

// takeQuery counts a query among those of a key or of a session. A key that has too many at work is
// refused at once. A session waits for its turn: whoever clicks a link to a CSV does so while the
// page still asks for its panels, and a browser does not try again.
func (s *Server) takeQuery(q *auth.Work, session bool) bool {
	if !session {
		return q.Take(queriesMax)
	}
	ctx, cancel := context.WithTimeout(s.running, workWait)
	defer cancel()
	return q.Wait(ctx, queriesMax)
}

// endRead ends the context of a read, or of a stream, and lets another read of its key
// begin. Calling it again, or for a request that holds neither, does nothing.
func (x *exchange) endRead() {
	if x.cancel != nil {
		x.cancel()
	}
	if x.queries != nil {
		x.queries.Give()
	}
	for _, n := range x.lasting {
		n.Add(-1)
	}
	x.cancel, x.queries, x.lasting = nil, nil, nil
}

// bound bounds the streams of one kind.
type bound struct {
	n    *atomic.Int32 // open ones
	most int32
}

// countLasting counts a stream that lasts until endRead. It returns false when one of the bounds
// has too many.
func (x *exchange) countLasting(bounds ...bound) bool {
	ok := true
	for _, b := range append(bounds, bound{&x.s.lasting, lastingMax}) {
		ok = b.n.Add(1) <= b.most && ok
		x.lasting = append(x.lasting, b.n)
	}
	if !ok {
		x.wait = 10 * time.Second
	}
	return ok
}

var errStreams = &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many open streams"}

// beginLasting counts a stream that lasts. It returns false when there are too many, and the
// request is answered then.
func (x *exchange) beginLasting() bool {
	own := x.grant.Streams
	if own == nil {
		own = new(atomic.Int32)
	}
	if !x.countLasting(bound{own, lastingKeyMax}) {
		x.fail(dialect.RateLimited, errStreams)
		return false
	}
	x.req.Valid = x.stillValid
	return true
}

// stillValid says whether the key or session of the request still opens its site.
func (x *exchange) stillValid() bool {
	now := x.s.sites.Load()
	if x.browser != nil {
		g, failure, _ := now.registry.AuthorizeSession(x.browser, x.req.RawQuery, x.need(), x.route.Right&dialect.Admin != 0)
		return x.s.browsers.Lives(x.browser) && failure == dialect.OK && g.Account != nil && g.Account.Site.ID == x.req.Site.ID
	}
	if now == x.sites {
		return x.grant.Ends == 0 || x.s.now().UnixMilli() < x.grant.Ends
	}
	g, failure, _ := now.registry.Authorize(x.header("Authorization"), x.req.RawQuery, x.need(), x.route.Right&dialect.Admin != 0)
	return failure == dialect.OK && g.Account != nil && g.Account.Site.ID == x.req.Site.ID
}

// siteReader is a dialect.Reader bound to one site.
type siteReader struct {
	engine  engine.API
	site    *query.Site // nil: the request names none
	tickets *auth.Tickets
}

var errUnbound = &dialect.StatusError{Failure: dialect.Unauthorized, Msg: "this read names no site"}

// bind makes q a question about the site, for events as they are shown, and bounds a page.
func (r *siteReader) bind(q *query.Query) error {
	if r.site == nil {
		return errUnbound
	}
	q.Site, q.Shown = r.site, true
	q.Bytes = cmp.Or(q.Bytes, query.PageBytes)
	return nil
}

// List is one page of the site's events.
func (r *siteReader) List(ctx context.Context, q query.Query) (query.Page, error) {
	if err := r.bind(&q); err != nil {
		return query.Page{}, err
	}
	page, err := r.engine.List(ctx, q)
	if errors.Is(err, query.ErrBadCursor) {
		err = &dialect.StatusError{Failure: dialect.BadRequest, Field: "after", Msg: err.Error()}
	}
	return page, err
}

// Count is the exact totals of what a query selects.
func (r *siteReader) Count(ctx context.Context, q query.Query) (query.Totals, error) {
	if err := r.bind(&q); err != nil {
		return query.Totals{}, err
	}
	return r.engine.Count(ctx, q)
}

// Event is the event of a public id.
func (r *siteReader) Event(ctx context.Context, id string) (*event.Event, error) {
	if r.site == nil {
		return nil, errUnbound
	}
	e, err := r.engine.Event(ctx, r.site, id)
	if errors.Is(err, query.ErrNotFound) || errors.Is(err, query.ErrBadCursor) {
		return nil, &dialect.StatusError{Failure: dialect.NotFound, Msg: query.ErrNotFound.Error()}
	}
	return e, err
}

// Counters is one page of counters. Days of another zone than the site's are
// ranges of time.
func (r *siteReader) Counters(ctx context.Context, q query.CounterQuery) (query.CounterPage, error) {
	if r.site == nil {
		return query.CounterPage{}, errUnbound
	}
	q.Site = r.site
	if (q.FromDay != 0 || q.ToDay != 0) && q.Zone != nil && zoneName(q.Zone) != zoneName(r.site.Location) {
		if q.FromDay != 0 {
			q.From = calendar.Start(q.FromDay, q.Zone)
		}
		q.To = calendar.Start(q.ToDay+1, q.Zone)
		q.FromDay, q.ToDay = 0, 0
	}
	return r.engine.Counters(ctx, q)
}

func zoneName(zone *time.Location) string {
	if zone == nil {
		return time.UTC.String()
	}
	return zone.String()
}

// Digest sums up the events a query selects.
func (r *siteReader) Digest(ctx context.Context, q query.Query) (query.Digest, error) {
	if err := r.bind(&q); err != nil {
		return query.Digest{}, err
	}
	return r.engine.Digest(ctx, q)
}

// User is the person of an id.
func (r *siteReader) User(ctx context.Context, id string) (query.User, error) {
	if r.site == nil {
		return query.User{}, errUnbound
	}
	u, err := r.engine.User(ctx, r.site, id)
	if errors.Is(err, query.ErrNotFound) {
		err = &dialect.StatusError{Failure: dialect.NotFound, Msg: query.ErrNotFound.Error()}
	}
	return u, err
}

// Users lists persons by their first event, newest first.
func (r *siteReader) Users(ctx context.Context, q query.Query) ([]query.User, string, error) {
	if err := r.bind(&q); err != nil {
		return nil, "", err
	}
	return r.engine.Users(ctx, q)
}

// Sessions lists sessions by their first event, newest first.
func (r *siteReader) Sessions(ctx context.Context, q query.Query) ([]query.Session, string, error) {
	if err := r.bind(&q); err != nil {
		return nil, "", err
	}
	return r.engine.Sessions(ctx, q)
}

// Visits sums up the sessions of a query, in steps of the site's zone.
func (r *siteReader) Visits(ctx context.Context, q query.Query, interval string) (query.Visits, []query.Visits, error) {
	if err := r.bind(&q); err != nil {
		return query.Visits{}, nil, err
	}
	return r.engine.Visits(ctx, q, interval, r.site.Location)
}

// Ticket is a credential to read the site for a time.
func (r *siteReader) Ticket(ttl time.Duration) string {
	if r.site == nil {
		return ""
	}
	return r.tickets.Issue(r.site.ID, ttl)
}
