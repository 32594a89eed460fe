package httpd

import (
	"context"
	"time"

	"cairn/engine"
	"cairn/http/dialect"
)

// read answers a read of a dialect or of the native API. One key has at most
// queriesMax at work; writes are not counted there.
func (x *exchange) read() {
	r := x.route
	if r.Auth == dialect.AuthBody {
		c, ok := r.wire.Dialect.(dialect.Credentialed)
		if !ok {
			x.fail(dialect.Unauthorized, errUnauthorized)
			return
		}
		g, failure, err := x.s.registry.resolve(c.Credential(&x.req), x.header("Origin"))
		if failure == dialect.OK && g.rights&dialect.Read == 0 {
			failure, err = dialect.Forbidden, errForbidden
		}
		if failure != dialect.OK {
			x.fail(failure, err)
			return
		}
		x.grant = g
		x.req.Site = &g.account.known
	}
	if q := x.grant.queries; q != nil {
		defer q.Add(-1)
		if q.Add(1) > queriesMax {
			x.wait = time.Second
			x.fail(dialect.RateLimited, &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many queries at once with this key"})
			return
		}
	}
	if x.req.Method == "HEAD" {
		x.req.Method = "GET" // fasthttp leaves the body out
	}
	var err error
	if r.native {
		err = x.s.native.read(x.s.running, x.access(), &x.req, &x.res)
	} else {
		x.reader = siteReader{x.s.engine, nil}
		if x.grant.account != nil {
			x.reader.site = x.grant.account.Site.Site
		}
		err = r.reads.Read(x.s.running, &x.req, &x.reader, &x.res)
	}
	if err != nil {
		x.res.Header = x.res.Header[:0]
		x.failWith(err)
	}
}

// siteReader is a dialect.Reader bound to one site.
type siteReader struct {
	engine engine.API
	site   *engine.Site
}

// query is q for the engine.
func (r *siteReader) query(q dialect.Query) (engine.Query, error) {
	if r.site == nil {
		return engine.Query{}, errUnbound
	}
	where := make([]engine.Cond, len(q.Where))
	for i, c := range q.Where {
		where[i] = engine.Cond{Field: c.Field, Values: c.Values}
	}
	return engine.Query{
		Site: r.site, Where: where, From: q.From, To: q.To,
		Ascending: q.Ascending, Limit: q.Limit, After: q.After,
	}, nil
}

var errUnbound = &dialect.StatusError{Failure: dialect.Unauthorized, Msg: "this read names no site"}

// List is one page of the site's events.
func (r *siteReader) List(ctx context.Context, q dialect.Query) (dialect.Page, error) {
	query, err := r.query(q)
	if err != nil {
		return dialect.Page{}, err
	}
	page, err := r.engine.List(ctx, query)
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
