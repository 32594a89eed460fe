package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/http/auth"
	"cairn/http/dialect"
	"cairn/http/mcp"
	"cairn/http/native"
	"cairn/http/wire"
)

// This file lets assistants in at /mcp: who may come, and the native API behind their tools.

// Assistants say whether assistants may ask at /mcp, and what.
type Assistants struct {
	Enabled bool
	People  bool     // they may see people
	Props   []string // without People: paths of properties that may be named; "*" = all
	Origins []string // of pages that may ask, beside the server's own
	Hosts   []string // by which the server may be reached, beside those that it knows; without ports
}

// limits is what an assistant may ask; nil = all that its key may.
func (a *Assistants) limits() *dialect.Share { return assistantLimits(a.People, a.Props) }

// assistantLimits are the limits of an assistant.
func assistantLimits(people bool, props []string) *dialect.Share {
	if people {
		return nil
	}
	return &dialect.Share{Numbers: true, Assistant: true, Props: props, AllProps: slices.Contains(props, "*")}
}

// AssistantHeader is how "cairn mcp", which asks the API for an assistant, has the server hold the
// assistant to its limits. It only takes away from what the key may. The answer has it too, with the
// value "numbers".
const AssistantHeader = "Cairn-Assistant"

// AssistantLimitsMax is how long the value of the header may be. All headers of a request together may
// have wire.HeaderBytesMax.
const AssistantLimitsMax = wire.HeaderBytesMax - 4<<10

// AssistantLimits is the value of the header: "numbers", and "&prop=PATH" for each property that may be
// named.
func AssistantLimits(props []string) string {
	text := "numbers"
	for _, path := range props {
		text += "&prop=" + url.QueryEscape(path)
	}
	return text
}

// readLimits reads what AssistantLimits writes; nil when it is none.
func readLimits(text string) *dialect.Share {
	q, err := url.ParseQuery(text)
	if err != nil || !q.Has("numbers") || len(text) > AssistantLimitsMax {
		return nil
	}
	for name := range q {
		if name != "numbers" && name != "prop" {
			return nil
		}
	}
	return assistantLimits(false, q["prop"])
}

const assistantsPath = "/mcp"

// assistantRoutes is the route of assistants; none when they are off.
func (s *Server) assistantRoutes(o *Options) []*route {
	if !o.Assistants.Enabled {
		return nil
	}
	server := mcp.New(mcp.Options{Version: s.version, People: o.Assistants.People})
	return []*route{{
		Route: dialect.Route{Methods: []string{"POST"}, Path: assistantsPath, Auth: dialect.AuthNone, Right: dialect.Read, Body: mcp.MessageBytesMax},
		own:   func(x *exchange) { x.assist(server) },
	}}
}

// assist answers a message of an assistant. Where it comes from is judged first: a page in a browser
// must not ask with what the browser can reach.
func (x *exchange) assist(server *mcp.Server) {
	if why := x.stranger(); why != "" {
		x.wait = x.chargeIP()
		if x.wait > 0 {
			x.plain(429, errRate.Error())
			return
		}
		x.plain(403, why)
		return
	}
	x.own()
	key := x.header("Authorization")
	g, failure, err := x.sites.registry.Authorize(key, "", dialect.Read, true)
	if failure != dialect.OK || !g.Private {
		if x.wait = x.chargeIP(); x.wait > 0 {
			x.plain(429, errRate.Error())
			return
		}
	}
	if failure != dialect.OK {
		if failure == dialect.Unauthorized {
			x.addHeader("WWW-Authenticate", "Bearer")
		}
		x.plain(failure.Status(), err.Error())
		return
	}
	x.grant = g
	if err := x.readBody(); err != nil {
		status := connectionFault(err)
		if status == 0 {
			status = failureOf(err).Failure.Status()
		}
		x.plain(status, err.Error())
		return
	}
	x.body.Leave() // the protocol may still read a message that was answered
	reply := server.Post(x.s.running, x.caller(key), x.header, x.req.Body)
	x.addHeader("Cache-Control", "no-store")
	x.res.Status, x.res.ContentType, x.res.Body = reply.Status, reply.ContentType, reply.Body
}

// stranger says why a request is refused for where it comes from; "" = it is not. A page can let its
// own name mean the address of this server, so the Host has to be known. Then an Origin is that of
// the server or one of the list.
func (x *exchange) stranger() string {
	o := &x.sites.options.Assistants
	if !x.c.Own() {
		host := x.req.Host
		if x.forwarded() {
			if lines := x.headers("X-Forwarded-Host"); len(lines) > 0 {
				last := lines[len(lines)-1]
				if host = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]); host == "" {
					host = "?"
				}
			}
		}
		if !x.sites.knowsHost(host) {
			return `the server is not known by the Host of this request; set public_url, or add it to hosts of [mcp]`
		}
	}
	lines := x.headers("Origin")
	if len(lines) == 0 || x.ownOrigin() || len(lines) == 1 && slices.ContainsFunc(o.Origins, func(origin string) bool { return strings.EqualFold(origin, lines[0]) }) {
		return ""
	}
	return "pages of this Origin may not ask; add it to origins of [mcp]"
}

// knowsHost says whether a Host, with or without a port, is one by which assistants may reach the
// server: an address, localhost, that of public_url, or one that is listed.
func (all *sites) knowsHost(host string) bool {
	if host == "" || wire.LocalHost(host) {
		return true
	}
	name := hostName(host)
	return all.addresses.host != "" && name == hostName(all.addresses.host) ||
		slices.ContainsFunc(all.options.Assistants.Hosts, func(known string) bool { return hostName(known) == name })
}

// hostName is a host in lower case without its port and the dot at its end.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// caller is who sent the message. It holds nothing of the exchange.
func (x *exchange) caller(key string) *mcp.Caller {
	base, s, id := x.address(""), x.s, string(x.id)
	return &mcp.Caller{
		Asker:     &assistant{s: s, sites: x.sites, key: key},
		Sites:     x.grant.Admin,
		Address:   func(path string) string { return base + path },
		Dashboard: x.sites.dashboard != nil,
		Calls:     x.grant.Calls,
		Failed: func(what any, stack []byte) {
			s.log.Error("panic in a tool of assistants", "panic", cut(fmt.Sprint(what)), "request_id", id, "stack", string(stack))
		},
	}
}

// assistant asks the native API with a key.
type assistant struct {
	s     *Server
	sites *sites // as they were when the request began
	key   string // the header Authorization
}

// Ask implements mcp.Asker. A question waits for others of its key as those of a page do: assistants
// ask several at once and do not try again.
func (a *assistant) Ask(ctx context.Context, q *native.Question, rawQuery string) mcp.Answer {
	s := a.s
	g, failure, err := a.sites.registry.Authorize(a.key, rawQuery, dialect.Read, false)
	req := &dialect.Request{
		Method: "GET", Path: q.Path, RawQuery: rawQuery, Header: func(string) string { return "" }, Share: a.sites.options.Assistants.limits(),
		ReceivedUnixMilli: s.now().UnixMilli(), Rights: g.Rights, Admin: g.Admin,
	}
	var answer mcp.Answer
	if g.Account != nil {
		req.Site, answer.Site, answer.Zone = &g.Account.Site, g.Account.Site.Name, g.Account.Site.Location
	}
	if failure != dialect.OK {
		res := new(dialect.Response)
		s.native.Reply(req, res, dialect.Result{Failure: failure, Err: a.named(g, err)})
		return mcp.Answer{Status: res.Status, Body: res.Body}
	}
	got, _ := s.ask(ctx, req, func(ctx context.Context) (end func(), err error) {
		ctx, cancel := context.WithTimeout(ctx, workWait)
		defer cancel()
		if !g.Queries.Wait(ctx, queriesMax) {
			return nil, query.ErrTooMany
		}
		return g.Queries.Give, nil
	})
	answer.Status, answer.Body = got.Status, got.Body
	return answer
}

// sitesNamed is how many sites an error names.
const sitesNamed = 50

// named adds the names of the sites to the error of an admin that names none, or one that there is
// not.
func (a *assistant) named(g auth.Grant, err error) error {
	status := (*dialect.StatusError)(nil)
	missing := errors.As(err, &status) && status.Field == "site"
	if !g.Admin || g.Account != nil || !missing && !errors.Is(err, auth.ErrNoSuchSite) {
		return err
	}
	var names []string
	for _, t := range a.sites.tenants {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	end := ""
	if len(names) > sitesNamed {
		names, end = names[:sitesNamed], " …"
	}
	return &dialect.StatusError{Failure: dialect.BadRequest, Field: "site", Msg: "site: must be one of " + strings.Join(names, ", ") + end}
}
