package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/adminlog"
	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
	"cairn/http/native"
	"cairn/http/wire"

	"github.com/valyala/fasthttp"
)

// bodyMax is the limit of an inflated body where a route names none.
const bodyMax = 1 << 20

// Server answers HTTP/1.1 on any number of listeners. The way of a request is
// gate (may it connect) → conn (is it HTTP) → fasthttp → handle → table (who
// answers) → ingest or read → finish.
type Server struct {
	engine     Engine
	log        *slog.Logger
	now        func() time.Time
	version    string
	sites      atomic.Pointer[sites] // what can change, see sites.go
	native     *native.API
	at         atomic.Pointer[Addresses] // where it listens, see SetAddress
	inflater   *wire.Inflater
	budget     wire.Budget
	shares     *wire.Shares // of the budget
	work       *turnstile   // of large writes
	gate       *wire.Gate
	metrics    *metrics
	lines      lineLimit
	ids        *requestIDs
	rejections rejections
	others     func(put func(name, kind, help string, value float64, labels ...string)) // Options.Metrics
	degraded   func() []string
	repeats    repeats
	admin      *adminlog.Log
	commands   string         // Options.Commands
	imports    imports        // see adminlog.go
	browsers   *auth.Sessions // see gate.go
	codes      *auth.Codes
	tries      *meters // to log in
	guesses    *meters // wrong tokens of shares
	loads      loads   // of shares at work

	exchanges     pool[exchange]
	fast          fasthttp.Server
	plain         fasthttp.Server // see redirect.go
	certificates  Certificates    // nil = none are fetched
	running       context.Context // of every call into the engine; ends when Shutdown gives up
	cancel        context.CancelFunc
	streaming     context.Context // of routes that stream; ends when Shutdown begins
	endStream     context.CancelFunc
	lasting       atomic.Int32 // open streams that last
	lastingShares atomic.Int32 // those by shares

	mu        sync.Mutex
	listeners []net.Listener
	stopped   bool
}

// New makes a Server for the sites and keys of o. It fails when two credentials or two
// sites are the same, and when two dialects answer the same request.
func New(o Options) (*Server, error) {
	if o.Engine == nil {
		return nil, errors.New("no engine")
	}
	s := &Server{
		engine:   o.Engine,
		log:      o.Log,
		now:      o.Now,
		version:  o.Version,
		inflater: wire.NewInflater(),
		work:     newTurnstile(workBytes),
		metrics:  newMetrics(),
		ids:      newRequestIDs(),
		others:   o.Metrics,
		degraded: o.Degraded,
		admin:    o.AdminLog,
		commands: o.Commands,

		certificates: o.Certificates,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	sinks, _ := s.engine.(native.Sinks)
	s.native = native.New(native.Options{Engine: s.engine, SnapshotDir: func() string { return s.sites.Load().options.SnapshotDir }, Backups: o.Backups, Sinks: sinks, Now: s.now, Version: o.Version, Control: o.Control, Keyring: o.Keyring,
		Sites: func() []*dialect.Site { return s.sites.Load().all() },
		Geo:   o.Geo, Refused: s.refusedEvents, Rejected: s.rejections.list, Note: s.note,
		LoginLink: func(req *dialect.Request) (string, time.Time, error) {
			if x := exchangeOf(req); x.c.Own() {
				if _, host := x.reached(); host == "" {
					return "", time.Time{}, errNoAddress
				}
			}
			return s.loginLink(req.Address)
		}})
	s.codes, s.tries = auth.NewCodes(s.now), newMeters(newPace(triesMinute/60.0, triesAtOnce))
	s.guesses = newMeters(newPace(guessesMinute/60.0, guessesMinute))
	var err error
	if s.browsers, err = auth.NewSessions(s.engine, s.now); err != nil {
		s.engine.NoteDamage(err)
		s.log.Warn("the sessions of browsers could not be read; they have to log in again", "error", err)
	}
	bodies := engine.PlanMemory(o.Memory).Bodies
	s.budget.Set(bodies)
	s.shares = wire.NewShares(bodies)
	s.gate = wire.NewGate(o.Memory, o.IPConns, &s.budget)
	apply, err := s.Prepare(o)
	if err != nil {
		return nil, err
	}
	apply()
	if o.Conns > 0 && o.Conns < s.gate.ConnsMax {
		s.log.Warn("the limit of open files allows few connections; raise it (ulimit -n, or LimitNOFILE of systemd)", "connections", o.Conns, "with_more_files", s.gate.ConnsMax)
		s.gate.ConnsMax = o.Conns
	}
	s.gate.Exempt = func(a netip.Addr) bool { return s.sites.Load().exempt(a) }
	s.gate.Refused = s.metrics.refused
	s.exchanges.New = s.newExchange
	s.running, s.cancel = context.WithCancel(context.Background())
	s.streaming, s.endStream = context.WithCancel(s.running)
	fast := func(handler fasthttp.RequestHandler) fasthttp.Server {
		return fasthttp.Server{
			Handler:      handler,
			ErrorHandler: s.refuseLate,
			Name:         "cairn",
			// The gate counts connections; this bound is never met.
			Concurrency: 2*s.gate.ConnsMax + 64,
			// A connection with nothing to do keeps neither reader, writer nor context.
			ReduceMemoryUsage:            true,
			ReadBufferSize:               wire.ReadBufferBytes,
			MaxRequestBodySize:           1, // bodies never come this way
			DisablePreParseMultipartForm: true,
			NoDefaultContentType:         true,
			SecureErrorLogMessage:        true,
			Logger:                       quiet{},
		}
	}
	s.fast, s.plain = fast(s.handle), fast(s.handleRedirect)
	return s, nil
}

// routes is every line of the table but that of assistants: the server's own, and those of the dialects in
// order of wiring.
func (s *Server) routes(screens *dashboard.Dashboard, dialects []dialect.Dialect) []*route {
	routes := append(s.ownRoutes(), s.dashboardRoutes(screens)...)
	for _, d := range dialects {
		w := &wired{Dialect: d, index: dialectIndex(d.Name())}
		reading, _ := d.(dialect.Reading)
		acting, _ := d.(dialect.Acting)
		for _, r := range d.Routes() {
			if r.Body == 0 && !r.Acts {
				r.Body = bodyMax
			}
			routes = append(routes, &route{Route: r, wire: w, reads: reading, acts: acting})
		}
	}
	return routes
}

// exempt says whether limits by ip leave an address alone.
func (all *sites) exempt(a netip.Addr) bool { return a.IsLoopback() || all.proxies.Trusts(a) }

// Serve answers the connections of ln until Shutdown, which makes it return nil.
// A listener for TLS is one of wire.Certs around a plain one.
func (s *Server) Serve(ln net.Listener) error {
	return s.serve(ln, &s.fast, s.gate.Guard)
}

// ServeOwn is Serve for a listener that only the operator's own programs can reach, such as
// those in the data directory and in the process itself. They have no limits by address, and
// forward nothing for others.
func (s *Server) ServeOwn(ln net.Listener) error {
	return s.serve(ln, &s.fast, s.gate.GuardOwn)
}

func (s *Server) serve(ln net.Listener, fast *fasthttp.Server, guard func(net.Listener) net.Listener) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	return fast.Serve(guard(ln))
}

// closeListeners ends every Serve, also one that fasthttp does not know of yet.
func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, ln := range s.listeners {
		ln.Close()
	}
}

// lastCall lets the listeners accept, for wire.StopGrace, the clients that came before the
// stop: closing a listener resets the connections that it has not accepted yet.
func (s *Server) lastCall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		if ln, ok := ln.(interface{ SetDeadline(time.Time) error }); ok {
			_ = ln.SetDeadline(time.Now().Add(wire.StopGrace))
		}
	}
}

// Shutdown stops the server: /readyz answers 503, idle connections end after
// wire.StopGrace, nothing more is accepted, and every request that has been received
// is answered. Streams end at once. When ctx ends first, what is still open is cut off
// and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.lastCall()
	s.gate.Stop()
	s.endStream()
	tick := time.NewTicker(wire.StopGrace / 20)
	defer tick.Stop()
	began := time.Now()
	for grace := time.After(2 * wire.StopGrace); s.gate.Idle() > 0 || time.Since(began) < wire.StopGrace; {
		select {
		case <-tick.C:
			continue
		case <-grace:
		case <-ctx.Done():
		}
		break
	}
	s.closeListeners()
	var err error
	for _, fast := range []*fasthttp.Server{&s.fast, &s.plain} {
		if e := fast.ShutdownWithContext(ctx); err == nil && !errors.Is(e, net.ErrClosed) { // the listeners, by us
			err = e
		}
	}
	s.cancel()
	s.gate.KillAll()
	return err
}

// handle answers one request. Its body is still on the connection.
func (s *Server) handle(ctx *fasthttp.RequestCtx) { s.handleBy(ctx, (*exchange).dispatch) }

// handleBy is handle with the function that finds the answer.
func (s *Server) handleBy(ctx *fasthttp.RequestCtx, answer func(*exchange)) {
	x := s.exchanges.get()
	x.begin(ctx)
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in a handler", "route", x.routeName(), "panic", cut(fmt.Sprint(r)), "request_id", string(x.id), "stack", string(debug.Stack()))
			x.plain(500, "internal error")
			x.c.Abandon()
			x.endRead()
			x.finish()
			x.body.Release() // the budget gets back what they were charged
			x.packed.Release()
			return // whatever the exchange holds is not used again
		}
		switch x.finish(); {
		case x.lost:
			s.leave(x)
		case x.res.Stream == nil:
			s.release(x)
		}
	}()
	answer(x)
}

// leave ends an exchange whose request the engine may still read. The memory of both is left
// to the engine: fasthttp answers with another ctx. The budget gets back what the body was
// charged, because there are few such requests.
func (s *Server) leave(x *exchange) {
	x.endRead()
	out := &x.ctx.Response
	out.SkipBody = x.ctx.IsHead()
	out.SetConnectionClose()
	x.ctx.TimeoutErrorWithResponse(out)
	x.body.Leave()
	x.packed.Leave()
	x.body.Release()
	x.packed.Release()
}

// release ends an exchange and keeps its memory for another one, unless it is lost.
func (s *Server) release(x *exchange) {
	x.endRead()
	if x.lost {
		return
	}
	ctx := x.ctx
	x.reset()
	poison(ctx)
	s.exchanges.put(x)
}

// poison overwrites what the request's head lies in, in tests: see event.Poisoned.
// The method stays, since fasthttp asks for it once more, and so does the value of
// Connection, which is a constant of fasthttp's.
func poison(ctx *fasthttp.RequestCtx) {
	if !event.Poisoned {
		return
	}
	h := &ctx.Request.Header
	event.Poison(h.RequestURI())
	event.Poison(h.Host())
	for name, value := range h.All() {
		if string(name) != fasthttp.HeaderConnection {
			event.Poison(value)
		}
	}
}

// refuseLate answers what passed conn but not fasthttp.
func (s *Server) refuseLate(ctx *fasthttp.RequestCtx, err error) {
	if errors.Is(err, io.EOF) {
		return
	}
	if c, ok := ctx.Conn().(*wire.Conn); ok {
		c.Drain()
	}
	s.metrics.refused("malformed request")
	ctx.Response.Reset()
	ctx.Response.SetStatusCode(400)
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.SetBodyString(`{"error":"malformed request","status":400}`)
}

// quiet drops what fasthttp would log: it names clients' addresses.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
