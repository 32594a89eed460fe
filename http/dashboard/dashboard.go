package dashboard

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file holds what the dashboard asks of the server, its routes, and the way of one request.

// Reports answers calls of the native API.
type Reports interface {
	// Ask answers GET /api/v1/CALL?QUERY about a site, which is nil for calls that need none. call
	// is the path below /api/v1/, with ids percent-encoded. The answer is what a client with the
	// rights of the viewer gets.
	Ask(ctx context.Context, v *Viewer, site *dialect.Site, call, query string) Answer
	// Send is Ask for a request of a share whose answer goes to the client as it is, so that the
	// answer has the headers of one, too. Whoever has it already gets 304.
	Send(ctx context.Context, req *dialect.Request, v *Viewer, site *dialect.Site, call, query string) Answer
	// Takes reports whether a call takes a parameter, such as "name", which stands for all filters, or
	// "visit."; and whether there is such a call, without an id.
	Takes(call, param string) (takes, known bool)
	// Follow answers GET /api/v1/live/stream?QUERY to the request of a share, until the client goes
	// away or the share shows something else.
	Follow(req *dialect.Request, v *Viewer, site *dialect.Site, query string) Answer
	// Change answers POST, PUT and DELETE /api/v1/CALL about what a site has saved.
	Change(ctx context.Context, v *Viewer, site *dialect.Site, method, call string, body []byte) Answer
}

// Answer is the answer of a call.
type Answer struct {
	Status int                   // of HTTP
	Body   []byte                // JSON; the caller's own
	Stream func(io.Writer) error // CSV in place of Body, see dialect.Response.Stream
	Wait   time.Duration         // with 429 and 503: when to ask again
	Header [][2]string           // of Send: ETag and Content-Disposition, where it has them
}

// Viewer is who looks, and what they may see.
type Viewer struct {
	Sites []*dialect.Site // that may be looked at, in the order of the configuration
	Admin bool            // sees all sites and what only operators see
	Save  bool            // may save things
	Share *Share          // of a share: only what it shows; nil = a browser session

	// Key is what the gate keeps of the viewer, such as what they have at work.
	Key any
}

// site is the site of a name that the viewer may look at; nil when there is none.
func (v *Viewer) site(name string) *dialect.Site {
	for _, s := range v.Sites {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Share is a saved share: what a link shows to everybody who has it.
type Share struct {
	Name   string
	People bool     // it shows people, not only numbers
	Embed  []string // origins of the pages that may show it, "*" = any
	Goals  []Goal   // that it may see

	Base     string // path of its screens; the dashboard's own
	Embedded bool   // this page is shown inside one of somebody else; the dashboard's own
}

// Goal is what a share tells of a goal.
type Goal struct {
	Name, Query string // what goal= takes
}

// Gate knows who looks.
type Gate interface {
	// Viewer returns who sends a request; nil when nobody has logged in. It also is nil for a
	// request that another site's page made (Sec-Fetch-Site), unless it is the navigation to a screen.
	Viewer(req *dialect.Request, screen bool) *Viewer
	// Login returns the cookie of a new session of whoever has a key. Open does so for a
	// one-time code. Both spend tries of the caller's address. An error has a text to show.
	Login(req *dialect.Request, key string) (cookie string, err error)
	Open(req *dialect.Request, code string) (cookie string, err error)
	// Share returns who has the link of a share, with its one site; nil when there is no such share.
	// A *dialect.StatusError is a refusal to look, after too many wrong tokens; any other error is a
	// fault of the server.
	Share(req *dialect.Request, token string) (*Viewer, error)
	// Logout ends the session of a request and returns the cookie that deletes it.
	Logout(req *dialect.Request) (cookie string)
	// FromPage reports whether a form was sent by a page of this server (Origin).
	FromPage(req *dialect.Request) bool
	// Readable reports whether a key that is typed in travels readable to this server.
	Readable(req *dialect.Request) bool
}

// Addresses are the addresses of this server as a client of a request knows them. One function
// of the room http makes all of them.
type Addresses interface {
	// Base is what every path of this server begins with, such as "/cairn"; mostly "".
	Base() string
	// Public is the address of a path, such as https://stats.example/cairn/dashboard.
	Public(req *dialect.Request, path string) string
}

// Options is what a Dashboard needs. All but Log have to be set.
type Options struct {
	Reports   Reports
	Gate      Gate
	Addresses Addresses
	Now       func() time.Time
	Log       *slog.Logger // nil = none
	ReadOnly  bool         // nothing can be saved, and every page says so
}

// Dashboard answers the routes below /dashboard.
type Dashboard struct {
	reports   Reports
	gate      Gate
	addresses Addresses
	now       func() time.Time
	log       *slog.Logger
	readOnly  bool
}

// New makes a Dashboard. It asks nothing yet.
func New(o Options) *Dashboard {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Dashboard{o.Reports, o.Gate, o.Addresses, o.Now, o.Log, o.ReadOnly}
}

// formMax is how many bytes a form may have.
const formMax = 64 << 10

// Route is a route and who answers it.
type Route struct {
	dialect.Route
	// Serve answers a request, which belongs to it as for dialect.Reading.Read. ctx ends when the
	// server stops.
	Serve func(ctx context.Context, req *dialect.Request, res *dialect.Response)
}

// Routes are all routes of the dashboard.
func (d *Dashboard) Routes() []Route {
	get := func(path string, serve func(context.Context, *dialect.Request, *dialect.Response)) Route {
		return Route{dialect.Route{Methods: []string{"GET"}, Path: path, Auth: dialect.AuthNone, Reads: true}, serve}
	}
	post := func(path string, serve func(context.Context, *dialect.Request, *dialect.Response)) Route {
		return Route{dialect.Route{Methods: []string{"POST"}, Path: path, Auth: dialect.AuthNone, Body: formMax}, serve}
	}
	return []Route{
		get("/dashboard", d.first),
		get("/dashboard/", d.first),
		get("/dashboard/login", d.loginForm),
		post("/dashboard/login", d.login),
		post("/dashboard/logout", d.logout),
		get("/dashboard/open/*", d.openForm),
		post("/dashboard/open/*", d.open),
		get("/dashboard/sites", d.sites),
		get("/dashboard/site/*", d.siteScreen),
		post("/dashboard/site/*", d.change),
		get("/dashboard/s/*", d.shared),
		get("/dashboard/e/*", d.embedded),
		get("/dashboard/assets/*", func(_ context.Context, req *dialect.Request, res *dialect.Response) { d.asset(req, res) }),
	}
}

// path is a path of this server as links have it.
func (d *Dashboard) path(parts ...string) string {
	var b strings.Builder
	b.WriteString(d.addresses.Base())
	b.WriteString("/dashboard")
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}
	return b.String()
}

// first is GET /dashboard: it sends the viewer to where there is something to see.
func (d *Dashboard) first(_ context.Context, req *dialect.Request, res *dialect.Response) {
	switch v := d.gate.Viewer(req, true); {
	case v == nil:
		d.redirect(res, d.path("login"))
	case len(v.Sites) == 1:
		d.redirect(res, d.path("site", v.Sites[0].Name))
	default:
		d.redirect(res, d.path("sites"))
	}
}

// redirect sends the browser to another page of the dashboard.
func (d *Dashboard) redirect(res *dialect.Response, path string) {
	res.Status = 303
	head(res, "Location", path)
	head(res, "Cache-Control", "no-store")
}

// viewer is who may look. It is nil when nobody has logged in; the request is answered then.
func (d *Dashboard) viewer(req *dialect.Request, res *dialect.Response) *Viewer {
	fragment := parseState(req.RawQuery).get("_panel") != ""
	v := d.gate.Viewer(req, !fragment)
	switch {
	case v != nil:
	case fragment:
		d.plain(res, 401, "log in again")
	default:
		next := d.addresses.Base() + req.Path
		if req.RawQuery != "" {
			next += "?" + req.RawQuery
		}
		d.redirect(res, d.path("login")+"?next="+url.QueryEscape(next))
	}
	return v
}

// siteScreen is GET /dashboard/site/NAME and all below it.
func (d *Dashboard) siteScreen(ctx context.Context, req *dialect.Request, res *dialect.Response) {
	v := d.viewer(req, res)
	if v == nil {
		return
	}
	segments := pathAfter(req, "/dashboard/site/")
	if path, slash := strings.CutSuffix(req.Path, "/"); slash && segments[0] != "" {
		d.redirect(res, d.addresses.Base()+path)
		return
	}
	site := v.site(segments[0])
	s, args := screenOf(segments[1:])
	if site == nil || s == nil {
		d.notFound(req, res)
		return
	}
	d.show(ctx, req, res, v, site, s, args)
}

// pathAfter are the segments of a path after a prefix; at least one. One that is not well-formed
// is empty, so that nothing is found by it.
func pathAfter(req *dialect.Request, prefix string) []string {
	_, rest, _ := strings.Cut(req.Path, prefix)
	segments := strings.Split(rest, "/")
	for i, escaped := range segments {
		segments[i], _ = url.PathUnescape(escaped)
	}
	return segments
}
