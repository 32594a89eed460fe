package httpd

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file joins the dashboard to the server: its routes, and the native API behind its panels.

// dashboardRoutes are the routes of the dashboard; none when it is off.
func (s *Server) dashboardRoutes(d *dashboard.Dashboard) (routes []*route) {
	if d == nil {
		return nil
	}
	for _, r := range d.Routes() {
		serve := r.Serve
		routes = append(routes, &route{Route: r.Route, own: func(x *exchange) { x.page(serve) }})
	}
	return routes
}

// page answers a request for a page of the dashboard.
func (x *exchange) page(serve func(context.Context, *dialect.Request, *dialect.Response)) {
	if x.wait = x.chargeIP(); x.wait > 0 {
		x.plain(429, errRate.Error())
		return
	}
	if x.route.Body > 0 {
		if err := x.readBody(); err != nil {
			status := connectionFault(err)
			if status == 0 {
				status = failureOf(err).Failure.Status()
			}
			x.plain(status, err.Error())
			return
		}
	}
	x.own()
	x.req.Route = &x.route.Route
	if x.req.Method == "HEAD" {
		x.req.Method = "GET" // fasthttp leaves the body out
	}
	serve(x.s.running, &x.req, &x.res)
}

// Ask implements dashboard.Reports: it answers a call of the native API as it is answered to a
// client with the rights of the viewer. The caller may be a goroutine that outlives its request.
func (s *Server) Ask(ctx context.Context, v *dashboard.Viewer, site *dialect.Site, call, rawQuery string) dashboard.Answer {
	req := s.question(v, site, "GET", call)
	req.RawQuery = rawQuery
	a, _ := s.ask(ctx, req, beginnerOf(v))
	return a
}

// Send implements dashboard.Reports.
func (s *Server) Send(ctx context.Context, req *dialect.Request, v *dashboard.Viewer, site *dialect.Site, call, rawQuery string) dashboard.Answer {
	q := s.question(v, site, "GET", call)
	tags := req.Header("If-None-Match")
	q.Header = func(name string) string {
		if name == "If-None-Match" {
			return tags
		}
		return ""
	}
	q.RawQuery = rawQuery
	a, headers := s.ask(ctx, q, beginnerOf(v))
	for _, h := range headers {
		if h[0] == "ETag" || h[0] == "Content-Disposition" {
			a.Header = append(a.Header, h)
		}
	}
	return a
}

// beginner counts a question as work, and waits for its turn; end gives its place back.
type beginner func(context.Context) (end func(), err error)

func beginnerOf(v *dashboard.Viewer) beginner {
	return func(ctx context.Context) (end func(), err error) { return beginWork(ctx, v) }
}

// ask answers a read of the native API in process, and returns the headers of the answer. The caller
// may be a goroutine below nobody.
func (s *Server) ask(ctx context.Context, req *dialect.Request, work beginner) (a dashboard.Answer, headers [][2]string) {
	csv := asksCSV(req.RawQuery)
	if !csv { // rows of CSV may be read while they are sent
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readMax)
		defer cancel()
	}
	a = s.answer(req, func(res *dialect.Response) error {
		begin := func() (end func(), err error) { return work(ctx) }
		if found, _ := s.sites.Load().table.find("GET", "", req.Path, ""); found != nil && !found.Kept {
			end, err := begin()
			if err != nil {
				return err
			}
			defer end()
		} else {
			ctx = query.WithWork(ctx, begin)
		}
		if err := s.native.Read(ctx, req, nil, res); err != nil {
			return err
		}
		headers = res.Header
		stream := res.Stream
		switch {
		case stream == nil:
		case !csv:
			return errors.New(strconv.Quote(req.Path) + " answers with a stream")
		default: // it is at work again while it is sent, since nobody has to read it
			res.Stream = func(w io.Writer) error {
				end, err := begin()
				if err != nil {
					return err
				}
				defer end()
				return stream(w)
			}
		}
		return nil
	})
	return a, headers
}

// Takes implements dashboard.Reports by the table of calls of the API.
func (s *Server) Takes(call, param string) (takes, known bool) { return native.Takes(call, param) }

// looker is what the gate keeps of a viewer.
type looker struct {
	work  *auth.Work // questions of the session, or of one address that looks at a share
	share *sharing   // nil = they have a session
}

// workWait is how long a question of a page waits for others of its session to end: somebody who
// goes from screen to screen leaves some behind. It is as long as reports wait for a processor.
const workWait = 5 * time.Second

// beginWork counts a question among those of the viewer's session, and of the share. It waits for its
// turn until ctx ends, workWait at most.
func beginWork(ctx context.Context, v *dashboard.Viewer) (end func(), err error) {
	l, ok := v.Key.(*looker)
	if !ok {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, workWait)
	defer cancel()
	if !l.work.Wait(ctx, queriesMax) {
		return nil, query.ErrTooMany
	}
	if l.share == nil {
		return l.work.Give, nil
	}
	if all := &l.share.load.work; !all.Wait(ctx, shareQueriesMax) {
		l.work.Give()
		return nil, query.ErrTooMany
	}
	return func() { l.share.load.work.Give(); l.work.Give() }, nil
}

// asksCSV says whether a query asks for CSV, whatever its other parameters hold.
func asksCSV(rawQuery string) bool {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if key, value, _ := strings.Cut(pair, "="); event.Unescape(key) == "format" && event.Unescape(value) == "csv" {
			return true
		}
	}
	return false
}

// Change implements dashboard.Reports.
func (s *Server) Change(ctx context.Context, v *dashboard.Viewer, site *dialect.Site, method, call string, body []byte) dashboard.Answer {
	req := s.question(v, site, method, call)
	req.Body = body
	return s.answer(req, func(res *dialect.Response) error {
		if !v.Save || v.Share != nil {
			return &dialect.StatusError{Failure: dialect.Forbidden, Msg: "your key may look and not save; log in with the secret_key of the site"}
		}
		return s.native.Act(ctx, req, res)
	})
}

// question is a request of the native API as a viewer's.
func (s *Server) question(v *dashboard.Viewer, site *dialect.Site, method, call string) *dialect.Request {
	return &dialect.Request{
		Share:  limitsOf(v),
		Method: method, Path: "/api/v1/" + call, Site: site,
		Header: func(name string) string {
			if name == "Content-Type" {
				return "application/json"
			}
			return ""
		},
		ReceivedUnixMilli: s.now().UnixMilli(), Rights: dialect.Read, Admin: v.Admin,
	}
}

// answer makes the answer to a question. do may panic: the goroutine may be below nobody.
func (s *Server) answer(req *dialect.Request, do func(*dialect.Response) error) (answer dashboard.Answer) {
	res := new(dialect.Response)
	fail := func(err error) dashboard.Answer {
		result := failureOf(err)
		if result.Failure == dialect.Internal {
			s.engine.NoteDamage(err)
			if s.lines.allow("internal", s.now()) {
				call, _, _ := strings.Cut(strings.TrimPrefix(req.Path, "/api/v1/"), "/") // without ids of people
				s.log.Error("a question failed in process", "call", call, "error", cut(err.Error()))
			}
		}
		*res = dialect.Response{}
		s.native.Reply(req, res, result)
		return dashboard.Answer{Status: res.Status, Body: res.Body, Wait: time.Second}
	}
	defer func() {
		if r := recover(); r != nil {
			answer = fail(&query.Panic{Value: r, Stack: debug.Stack()})
		}
	}()
	if err := do(res); err != nil {
		return fail(err)
	}
	return dashboard.Answer{Status: res.Status, Body: res.Body, Stream: res.Stream}
}
