package httpd

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dialect"
	"cairn/http/wire"

	"github.com/valyala/fasthttp"
)

// pool is a sync.Pool of pointers to T.
type pool[T any] struct {
	sync.Pool
	New func() *T
}

func (p *pool[T]) get() *T {
	if v, ok := p.Pool.Get().(*T); ok {
		return v
	}
	if p.New == nil {
		return new(T)
	}
	return p.New()
}

func (p *pool[T]) put(v *T) { p.Pool.Put(v) }

// exchange is one request and its answer, with all the memory they need. Another request
// uses it afterwards.
//
// Who owns the texts of req depends on the request:
//
//	a write   they alias the buffers of fasthttp and of the exchange, and live until
//	          the answer is made. The engine copies what it keeps of an event.
//	a read    own has copied them before the dialect looks at them. They never
//	          change, so a query may hold them. The engine copies what it keeps of
//	          a query.
//
// The router and admit look at the texts before that and keep none of them.
type exchange struct {
	s       *Server
	sites   *sites // as they were when the request began
	ctx     *fasthttp.RequestCtx
	c       *wire.Conn
	route   *route // nil when there is none
	started time.Time
	id      []byte // of the request, see requestid.go
	req     dialect.Request
	res     dialect.Response
	grant   auth.Grant
	browser *auth.Session // whose the request is; nil = that of a key
	wait    time.Duration // with a 429
	charged bool          // the meter of the client's address was charged
	payer   *tenant       // the site whose rate a write spends; nil = not known
	owned   bool          // texts of req are copies, see own

	share        wire.Share // of the budget, which packed and body charge
	packed, body wire.Buffer
	batch        *dialect.Batch
	records      []engine.Record
	places       []int // of records in the batch
	outcomes     []dialect.Outcome
	rejections   int           // of its records, see rejected.go
	keyOf        *auth.Account // whose the key is that may not do what is asked
	memory       engine.Memory // of x.records in the engine
	lost         bool          // it is not used again, because the store may still read it
	reader       siteReader
	queries      *auth.Work         // counts the read that is at work, see endRead
	lasting      []*atomic.Int32    // count the stream that lasts, see endRead
	cancel       context.CancelFunc // ends the context of that read; nil = it has none of its own
}

func (s *Server) newExchange() *exchange {
	x := &exchange{s: s}
	x.packed.Budget, x.body.Budget = &s.budget, &s.budget
	x.packed.Share, x.body.Share = &x.share, &x.share
	x.req.Header, x.req.Find, x.req.Address, x.req.Server = x.header, x.find, x.address, x
	return x
}

func (x *exchange) begin(ctx *fasthttp.RequestCtx) {
	x.ctx = ctx
	x.sites = x.s.sites.Load() // before all that depends on a setting
	x.c = ctx.Conn().(*wire.Conn)
	x.started = time.Now()
	x.name()
	h := &ctx.Request.Header
	x.req.Method = methodOf(h.Method())
	x.req.Host, x.req.Path, x.req.RawQuery = x.sites.addresses.readTarget(x.req.Method, text(h.RequestURI()), text(h.Host()))
	if x.req.Peer = x.c.Peer(); !x.c.Own() {
		x.req.Peer = x.sites.proxies.Client(x.req.Peer, x.headers)
	}
	x.req.Secure = x.secure()
	x.req.ReceivedUnixMilli = x.s.now().UnixMilli()
}

// own gives the texts of the request to whoever reads them: it copies the target and the
// Host, header copies a value when it is asked for, and the buffer of the body is not used
// again.
func (x *exchange) own() {
	x.owned = true
	x.req.Host = strings.Clone(x.req.Host)
	x.req.Path, x.req.RawQuery = strings.Clone(x.req.Path), strings.Clone(x.req.RawQuery)
	x.body.Leave()
}

// recordsKept is how many records an exchange may have room for and keep it.
const recordsKept = 4096

// reset forgets the request and keeps the memory.
func (x *exchange) reset() {
	clear(x.records)
	clear(x.outcomes)
	x.memory.Reset()
	clear(x.res.Header)
	event.Poison(x.packed.B)
	event.Poison(x.body.B)
	x.packed.Release()
	x.body.Release()
	body := x.res.Body
	if cap(body) > wire.BodyKeptBytes {
		body = nil
	}
	*x = exchange{
		s: x.s, id: x.id[:0], packed: x.packed, body: x.body,
		records: x.records[:0], places: x.places[:0], outcomes: x.outcomes[:0], memory: x.memory,
		req: dialect.Request{Header: x.req.Header, Find: x.req.Find, Address: x.req.Address, Server: x},
		res: dialect.Response{Header: x.res.Header[:0], Body: body[:0]},
	}
	if max(cap(x.records), cap(x.outcomes)) > recordsKept {
		x.records, x.places, x.outcomes = nil, nil, nil
	}
}

// header is dialect.Request.Header.
func (x *exchange) header(name string) string {
	value := x.ctx.Request.Header.Peek(name)
	if x.owned {
		return string(value)
	}
	return text(value)
}

// secure says whether the client speaks TLS: here, or to a proxy that is trusted.
func (x *exchange) secure() bool {
	if x.c.Secure() {
		return true
	}
	return x.forwarded() && strings.EqualFold(x.header("X-Forwarded-Proto"), "https")
}

// forwarded says whether what the request says of its client is believed: a trusted proxy sends it.
func (x *exchange) forwarded() bool { return !x.c.Own() && x.sites.proxies.Trusts(x.c.Peer()) }

// find is dialect.Request.Find.
func (x *exchange) find(c dialect.Credential) *dialect.Site {
	g, failure, _ := x.sites.registry.Resolve(c, x.header("Origin"))
	if failure != dialect.OK || g.Account == nil {
		return nil
	}
	return &g.Account.Site
}

// headers returns the values of every line of a header.
func (x *exchange) headers(name string) (values []string) {
	for _, v := range x.ctx.Request.Header.PeekAll(name) {
		values = append(values, text(v))
	}
	return values
}

// text is b as a string without a copy: it changes when b does.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// dispatch finds who answers and has them do it.
func (x *exchange) dispatch() {
	q := &x.req
	if !known(q.Method) {
		x.plain(501, "this method is not implemented")
		return
	}
	found, other := x.sites.table.find(q.Method, q.Host, q.Path, q.RawQuery)
	x.route = found
	if found == nil {
		x.route = other
	}
	switch {
	case found == nil && q.Method == "OPTIONS" && (other != nil || q.Path == "*"):
		// Dialects share paths: the one that will get the request answers.
		if next, _ := x.sites.table.find(x.header("Access-Control-Request-Method"), q.Host, q.Path, q.RawQuery); next != nil {
			x.route = next
		}
		x.preflight()
	case found == nil && other == nil:
		if wait := x.chargeIP(); wait > 0 {
			x.wait = wait
			x.plain(429, "too many requests")
			return
		}
		x.plain(404, "there is nothing here")
	case found == nil:
		x.addHeader("Allow", other.allow)
		if other.own != nil {
			x.plain(405, "method not allowed")
			return
		}
		q.Route = &other.Route
		x.fail(dialect.MethodNotAllowed, nil)
	case found.own != nil:
		found.own(x)
	default:
		q.Route = &found.Route
		x.serve()
	}
}

// serve answers a route of a dialect.
func (x *exchange) serve() {
	if failure, err := x.admit(); failure != dialect.OK {
		x.fail(failure, err)
		return
	}
	switch {
	case x.route.Right&dialect.Admin != 0 && !x.grant.Admin:
		x.fail(dialect.Forbidden, auth.ErrForbidden)
	case x.route.Acts:
		x.act()
	case x.route.Reads:
		x.read()
	default:
		x.ingest()
	}
}

// act answers a route of a dialect that neither brings events nor reads.
func (x *exchange) act() {
	ctx := x.s.running
	if x.route.Streams {
		ctx, x.cancel = context.WithCancel(x.s.streaming)
	}
	if x.route.Body > 0 {
		if err := x.readBody(); err != nil {
			x.failWith(err)
			return
		}
	}
	if err := x.route.acts.Act(ctx, &x.req, &x.res); err != nil {
		x.failWith(err)
	}
}

// need is the right a request must have, but for Admin, which serve looks at.
func (x *exchange) need() dialect.Right {
	switch {
	case x.route.Right != 0:
		return x.route.Right &^ dialect.Admin
	case x.route.Reads:
		return dialect.Read
	}
	return dialect.Write
}

// admit decides all that can be decided before a body is read: it looks at the key in the
// header, then at the rates of the address and of the site.
func (x *exchange) admit() (dialect.Failure, error) {
	if x.route.Auth == dialect.AuthBearer {
		g, failure, err := x.authorize()
		if failure != dialect.OK {
			if x.wait = x.chargeIP(); x.wait > 0 {
				return dialect.RateLimited, errRate
			}
			x.keyOf = g.Account
			return failure, err
		}
		x.grant = g
		x.req.Rights, x.req.Admin, x.req.Key = g.Rights, g.Admin, x.keyName(&g)
		if g.Account != nil {
			x.req.Site = &g.Account.Site
		}
	}
	if !x.grant.Private {
		if x.wait = x.chargeIP(); x.wait > 0 {
			return dialect.RateLimited, errRate
		}
	}
	if a := x.sites.tenant(x.grant.Account); a != nil && !x.route.Reads {
		if x.wait = a.events.take(x.started, 0); x.wait > 0 {
			return dialect.RateLimited, errRate
		}
	}
	return dialect.OK, nil
}

// unlimited says whether limits by ip leave the request alone.
func (x *exchange) unlimited() bool { return x.c.Own() || x.sites.exempt(x.req.Peer) }

// chargeIP spends one request of the client's address and returns how long it
// must wait when it has none left.
func (x *exchange) chargeIP() time.Duration {
	if x.unlimited() {
		return 0
	}
	wait := x.sites.perIP.take(x.req.Peer, x.started)
	x.charged = wait == 0
	return wait
}

// fail has the dialect say that the request was not taken.
func (x *exchange) fail(failure dialect.Failure, err error) {
	x.reply(dialect.Result{Failure: failure, Err: err})
}

// failWith is fail for an error of any kind.
func (x *exchange) failWith(err error) {
	if status := connectionFault(err); status != 0 {
		x.plain(status, err.Error())
		return
	}
	result := failureOf(err)
	if result.Failure == dialect.Internal {
		x.s.engine.NoteDamage(err)
		if x.s.lines.allow("internal", x.started) {
			attrs := []any{"route", x.routeName(), "request_id", string(x.id), "error", cut(err.Error())}
			if p := (*query.Panic)(nil); errors.As(err, &p) {
				attrs = append(attrs, "stack", string(p.Stack))
			}
			x.s.log.Error("request failed", attrs...)
		}
	}
	x.reply(result)
}

func (x *exchange) reply(result dialect.Result) {
	x.res.Body, x.res.Stream = x.res.Body[:0], nil
	if result.Err == nil && result.Failure != dialect.OK {
		result.Err = &dialect.StatusError{Failure: result.Failure, Msg: strings.ToLower(result.Failure.String())}
	}
	x.rejectAll(result)
	x.route.wire.Reply(&x.req, &x.res, result)
	if result.Failure == dialect.Unauthorized && x.route.Auth == dialect.AuthBearer {
		x.addHeader("WWW-Authenticate", "Bearer")
	}
}

// plain answers in the server's own words.
func (x *exchange) plain(status int, message string) {
	b := append(x.res.Body[:0], `{"error":`...)
	b = event.AppendString(b, message)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	x.res.Status, x.res.ContentType, x.res.Body, x.res.Stream = status, "application/json", append(b, '}'), nil
}

// addHeader sets a header of the answer, unless the dialect has set it.
func (x *exchange) addHeader(name, value string) {
	for _, h := range x.res.Header {
		if strings.EqualFold(h[0], name) {
			return
		}
	}
	x.res.Header = append(x.res.Header, [2]string{name, value})
}

func (x *exchange) routeName() string {
	if x.route == nil {
		return ""
	}
	return x.route.name
}

// finish gives the answer to fasthttp, which sends it when the handler returns.
func (x *exchange) finish() {
	if x.res.Status == 0 {
		x.res.Status = 200
	}
	if x.res.Stream != nil && !x.ctx.Request.Header.IsHTTP11() {
		x.res.Header = x.res.Header[:0]
		x.plain(505, "this answer has no length, which takes HTTP/1.1")
	}
	if !x.c.Charge(int64(len(x.res.Body))) {
		x.res.Header = x.res.Header[:0]
		x.plain(503, wire.ErrBodyMemory.Error())
	}
	switch x.res.Status {
	case 429:
		x.addHeader("Retry-After", strconv.Itoa(retrySeconds(x.wait)))
	case 503:
		x.addHeader("Retry-After", "1")
	case 507:
		x.addHeader("Retry-After", "10")
	}
	if x.route != nil && x.route.Rates {
		x.rateHeaders()
	}
	x.cors()
	out := &x.ctx.Response
	out.SetStatusCode(x.res.Status)
	if x.res.ContentType != "" {
		out.Header.SetContentType(x.res.ContentType)
	}
	out.Header.Set("X-Content-Type-Options", "nosniff")
	out.Header.SetCanonical(requestIDHeader, x.id)
	if x.route != nil && x.route.wire != nil && (x.route.Auth == dialect.AuthBearer || x.route.Auth == dialect.AuthBody && x.route.Reads) {
		x.addHeader("Cache-Control", "no-store") // the answer is of the key alone
	}
	for _, h := range x.res.Header {
		out.Header.Set(h[0], h[1])
	}
	if !x.c.Finish() || x.s.gate.Stopping() {
		x.ctx.SetConnectionClose()
	}
	index := 0
	if x.route != nil && x.route.wire != nil {
		index = x.route.wire.index
	}
	took := time.Since(x.started)
	x.s.metrics.request(index, x.res.Status, took)
	if x.res.Stream != nil && x.ctx.IsHead() {
		x.res.Stream = nil
		out.Header.SetContentLength(-1) // the head of a GET, and no chunks after it
	}
	if x.res.Stream != nil {
		x.sendStream()
		return
	}
	size := len(x.res.Body)
	x.res.Body = out.SwapBody(x.res.Body)
	x.s.logAccess(x, int64(size), took, true)
}
