package native

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file holds the way of one read through the table of calls; decoding is in decode.go, the
// query string in query.go, the answers in read.go and json.go.

// EventsMax is how many events one request may bring; more is a 413. All limits here are
// part of the contract in openapi/.
const EventsMax = 10_000

// EventsBodyMax is how many inflated bytes one request may bring; more is a 413.
const EventsBodyMax = 8 << 20

const (
	pageDefault      = 100
	pageMax          = 1000
	pageBytesMax     = 1 << 20 // a longer page ends early, with a cursor
	queryPairsMax    = 256     // parameters of one query
	queryPathMax     = 1024    // bytes of PATH in prop.PATH and extra.PATH
	pathIDBytesMax   = 256     // bytes of an id in a path; nothing longer was ever stored
	counterOffsetMax = 1 << 30
)

// routeFor finds the line of the table that answers method and path, and decodes the ids in
// the places of its "*". The route is nil when the path does not exist.
func routeFor(method, path string) (*route, []string) {
	if method == "HEAD" {
		method = "GET"
	}
	for _, r := range table { // no path matches two lines: a test proves it
		ids, ok := matchPath(r.path, path)
		if !ok || r.method != method {
			continue
		}
		for i, raw := range ids {
			id, err := url.PathUnescape(raw)
			if err != nil || id == "" || len(id) > pathIDBytesMax {
				return nil, nil
			}
			ids[i] = id
		}
		return r, ids
	}
	return nil, nil
}

// matchPath compares segment by segment. The ids are still percent-encoded, so
// one may hold a slash.
func matchPath(pattern, path string) (ids []string, ok bool) {
	for {
		p, patternRest, patternMore := strings.Cut(pattern, "/")
		s, pathRest, pathMore := strings.Cut(path, "/")
		if p == "*" {
			ids = append(ids, s)
		} else if p != s {
			return nil, false
		}
		if patternMore != pathMore {
			return nil, false
		}
		if !patternMore {
			return ids, true
		}
		pattern, path = patternRest, pathRest
	}
}

// reading is one read: what is asked about which site, and the answer as it grows.
type reading struct {
	site  *query.Site
	ids   []string // of the path, decoded
	query params
	out   []byte // the answer, unless one of the next two is set
	same  bool   // 304: the caller has the answer
	csv   *csvTable

	req *dialect.Request
	res *dialect.Response // for headers
}

// Read answers every GET of the native API. When it returns an error it has written nothing.
func (n *API) Read(ctx context.Context, req *dialect.Request, _ dialect.Reader, res *dialect.Response) error {
	route, ids := routeFor(req.Method, req.Path)
	if route == nil || route.read == nil {
		return &dialect.StatusError{Failure: dialect.NotFound, Msg: "no such path"}
	}
	c, err := n.begin(ctx, route, ids, req, res)
	if err != nil {
		return err
	}
	if err := route.read(n, ctx, c); err != nil {
		res.Header = res.Header[:0]
		return err
	}
	if route.ranged() { // the server says of all others that nobody keeps them
		// A browser may get the same address answered with another key, or after another login.
		res.Header = append(res.Header, [2]string{"Cache-Control", "private, no-cache"}, [2]string{"Vary", "Authorization, Cookie"})
	}
	switch {
	case res.Stream != nil:
		res.Status, res.ContentType = 200, cmp.Or(res.ContentType, "text/event-stream")
	case c.same:
		res.Status = 304
	case c.csv != nil:
		c.csv.answer(res)
	default:
		answer(res, 200, append(c.out, '\n'))
	}
	return nil
}

// begin reads the query string of a call, and checks all that its row of the table says of it.
func (n *API) begin(ctx context.Context, route *route, ids []string, req *dialect.Request, res *dialect.Response) (*reading, error) {
	query, err := parseQuery(req.RawQuery, route.params)
	if err != nil {
		return nil, err
	}
	query.now = n.now().UnixMilli()
	c := &reading{ids: ids, query: query, out: res.Body[:0], req: req, res: res}
	if req.Site != nil { // the admin's token may ask some calls without
		c.site = &req.Site.Site
		if err := query.of(c.site.Name); err != nil {
			return nil, err
		}
		if err := n.addSaved(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := c.shared(route); err != nil {
		return nil, err
	}
	return c, route.params.check(&c.query)
}

// Act answers what is neither a read nor the sending of events. When it returns an error it has
// written nothing.
func (n *API) Act(ctx context.Context, req *dialect.Request, res *dialect.Response) error {
	route, ids := routeFor(req.Method, req.Path)
	if route == nil || route.act == nil {
		return &dialect.StatusError{Failure: dialect.NotFound, Msg: "no such path"}
	}
	for i, id := range ids { // whoever acts may keep them, and the path is of the request
		ids[i] = strings.Clone(id)
	}
	c, err := n.begin(ctx, route, ids, req, res)
	if err != nil {
		return err
	}
	if err := route.act(n, ctx, c); err != nil {
		return err
	}
	answer(res, 200, append(c.out, '\n'))
	return nil
}

func answer(res *dialect.Response, status int, body []byte) {
	res.Status, res.ContentType, res.Body = status, "application/json", body
}

// badField refuses a request for one of its parameters.
func badField(field, msg string) error {
	return &dialect.StatusError{Failure: dialect.BadRequest, Field: field, Msg: field + ": " + msg}
}

// inField makes the refusal of something inside a field one of the field.
func inField(field string, err error) error {
	var status *dialect.StatusError
	if errors.As(err, &status) {
		return badField(field, status.Msg)
	}
	return err
}

func badRequest(msg string) error {
	return &dialect.StatusError{Failure: dialect.BadRequest, Msg: msg}
}

// Reply answers a write, and every failed request of the native API.
func (n *API) Reply(req *dialect.Request, res *dialect.Response, result dialect.Result) {
	sent, _ := req.State.(*decoder)
	body := res.Body[:0]
	if result.Failure == dialect.OK && sent != nil && sent.now != 0 && slices.ContainsFunc(result.Outcomes, func(o dialect.Outcome) bool { return o.Status != event.Rejected }) {
		n.options.Note(req, adminlog.Entry{Action: adminlog.Import})
	}
	switch {
	case result.Failure != dialect.OK:
		status := result.Failure.Status()
		if corrupt := query.DamageOf(result.Err); corrupt != nil {
			answer(res, status, append(appendCorrupt(body, status, corrupt.File), '\n'))
			break
		}
		text, field := failureText(result)
		body = appendError(body, status, text, field)
		answer(res, status, append(body, '\n'))
	case sent != nil && sent.single && len(result.Outcomes) == 1 && result.Outcomes[0].Status == event.Rejected:
		text, field := outcomeText(&result.Outcomes[0])
		body = appendError(body, 400, text, field)
		answer(res, 400, append(body, '\n'))
	default:
		status, body := appendOutcomes(body, result.Outcomes, sent != nil && sent.single)
		answer(res, status, append(body, '\n'))
	}
}

// failureText is what the client sees. The text of an internal error may name files, so it
// stays in the log.
func failureText(result dialect.Result) (text, field string) {
	var status *dialect.StatusError
	var bad *event.FieldError
	switch {
	case result.Failure == dialect.Internal:
	case errors.Is(result.Err, query.ErrQueryTimeout):
		return "query_timeout", ""
	case errors.As(result.Err, &status):
		return status.Msg, status.Field
	case errors.As(result.Err, &bad):
		return bad.Error(), bad.Field
	case result.Err != nil:
		return result.Err.Error(), ""
	}
	return result.Failure.String(), ""
}
