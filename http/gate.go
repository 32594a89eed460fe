package httpd

import (
	"errors"
	"strings"
	"time"

	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
)

// This file knows which browser asks: by the cookie of a session, which counts at the dashboard
// and on routes with Browser, and only when there is no Authorization. It implements
// dashboard.Gate. Nothing else in this room looks at a cookie.

var _ dashboard.Gate = (*Server)(nil)
var _ dashboard.Addresses = (*Addresses)(nil)

// openPath begins the path of a one-time link.
const openPath = "/dashboard/open/"

// The tries of one address to log in.
const (
	triesMinute = 10
	triesAtOnce = 10
)

var (
	errForeignPage = &dialect.StatusError{Failure: dialect.Forbidden, Field: "Origin", Msg: "this was not sent by a page of this server; if a proxy stands before it, set public_url"}
	errForeignRead = &dialect.StatusError{Failure: dialect.Forbidden, Field: "Sec-Fetch-Site", Msg: "a page of another origin may not ask with the session of the browser"}
	errNoMark      = &dialect.StatusError{Failure: dialect.Forbidden, Field: "X-Cairn", Msg: "a change with the session of the browser needs the header X-Cairn: 1"}
	errTries       = &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many tries; wait a minute"}
	errSpent       = &dialect.StatusError{Failure: dialect.NotFound, Field: "code", Msg: "this link was used or is too old; \"cairn dashboard\" prints a new one"}
)

// cookieName is the name of the cookie for this client. Cookies know no ports, so that the name
// has that of the store in it: two servers of one host do not log each other's users out.
func (x *exchange) cookieName() string {
	name := "cairn-" + x.s.engine.StoreName()
	switch {
	case !x.https():
		return name
	case x.sites.addresses.links == "":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

// cookie is a cookie with a secret that lasts some seconds.
func (x *exchange) cookie(secret string, seconds string) string {
	c := x.cookieName() + "=" + secret + "; Path=" + x.sites.addresses.links
	if x.sites.addresses.links == "" {
		c += "/"
	}
	if c += "; Max-Age=" + seconds + "; HttpOnly; SameSite=Lax"; x.https() {
		c += "; Secure"
	}
	return c
}

// secretsMax bounds how many cookies of the one name are tried. Other pages of the host may set
// some, for other paths.
const secretsMax = 4

// secrets are the values of the cookie that the browser sent.
func (x *exchange) secrets() (found []string) {
	var name string
	for _, line := range x.headers("Cookie") {
		if name == "" {
			name = x.cookieName()
		}
		for pair := range strings.SplitSeq(line, ";") {
			if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name && len(found) < secretsMax {
				found = append(found, value)
			}
		}
	}
	return found
}

// session returns the session of one of secrets, nil when there is none.
func (x *exchange) session(secrets []string) *auth.Session {
	for _, secret := range secrets {
		if s := x.s.browsers.Find(secret); s != nil {
			return s
		}
	}
	return nil
}

// keyed says whether the request has an Authorization, right or wrong. A cookie does not count
// then.
func (x *exchange) keyed() bool { return len(x.ctx.Request.Header.PeekAll("Authorization")) > 0 }

// ownPage says whether the server's own page, or nobody's page, made the browser send the
// request. Browsers that do not say so are taken at the word of SameSite. A screen may be
// opened by a link from anywhere, such as one in a mail.
func (x *exchange) ownPage(screen bool) bool {
	switch x.header("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return screen && (x.req.Method == "GET" || x.req.Method == "HEAD") &&
		x.header("Sec-Fetch-Mode") == "navigate" && x.header("Sec-Fetch-Dest") == "document"
}

// authorize finds whose the request is: the key in the header, or the session of a browser.
func (x *exchange) authorize() (auth.Grant, dialect.Failure, error) {
	all := x.sites.registry
	siteless := x.route.Right&dialect.Admin != 0
	if x.route.Browser && !x.keyed() {
		if secrets := x.secrets(); len(secrets) > 0 {
			if err := x.mayAsk(); err != nil {
				return auth.Grant{}, dialect.Forbidden, err
			}
			if x.browser = x.session(secrets); x.browser != nil {
				return all.AuthorizeSession(x.browser, x.req.RawQuery, x.need(), siteless)
			}
		}
	}
	return all.Authorize(x.header("Authorization"), x.req.RawQuery, x.need(), siteless)
}

// mayAsk says why a request with a cookie is refused, whosever the cookie is: a page of
// somebody else may have made the browser send it.
func (x *exchange) mayAsk() error {
	switch {
	case !x.ownPage(false):
		return errForeignRead
	case x.route.Reads:
	case !x.ownOrigin():
		return errForeignPage
	case x.header("X-Cairn") != "1":
		return errNoMark
	}
	return nil
}

// exchangeOf is the exchange of a request.
func exchangeOf(req *dialect.Request) *exchange { return req.Server.(*exchange) }

// Viewer implements dashboard.Gate.
func (s *Server) Viewer(req *dialect.Request, screen bool) *dashboard.Viewer {
	x := exchangeOf(req)
	if x.keyed() || !x.ownPage(screen) {
		return nil
	}
	session := x.session(x.secrets())
	if session == nil {
		return nil
	}
	g, failure, _ := x.sites.registry.AuthorizeSession(session, "", dialect.Read, true)
	if failure != dialect.OK {
		return nil
	}
	v := &dashboard.Viewer{Admin: g.Admin, Save: g.Rights&dialect.Manage != 0 && !x.sites.options.ReadOnly, Key: &looker{work: g.Queries}}
	for _, a := range x.sites.registry.Accounts(session) {
		v.Sites = append(v.Sites, &a.Site)
	}
	return v
}

// Login implements dashboard.Gate.
func (s *Server) Login(req *dialect.Request, key string) (cookie string, err error) {
	return exchangeOf(req).enter(func(r *auth.Registry) (auth.Opener, error) { return r.Opener(strings.TrimSpace(key)) })
}

// Open implements dashboard.Gate.
func (s *Server) Open(req *dialect.Request, code string) (cookie string, err error) {
	return exchangeOf(req).enter(func(r *auth.Registry) (auth.Opener, error) {
		o, ok := s.codes.Spend(code)
		if !ok || !r.Has(o) {
			return o, errSpent
		}
		return o, nil
	})
}

// enter begins a session of whatever open says, in place of the one that the browser has.
func (x *exchange) enter(open func(*auth.Registry) (auth.Opener, error)) (cookie string, err error) {
	if !x.ownOrigin() {
		return "", errForeignPage
	}
	if x.wait = x.s.tries.take(x.req.Peer, x.started); x.wait > 0 {
		return "", errTries
	}
	o, err := open(x.sites.registry)
	if err != nil {
		return "", err
	}
	x.end()
	return x.cookie(x.s.browsers.Begin(o), cookieSeconds), nil
}

// cookieSeconds is how long the browser keeps the cookie: as long as a session may last.
const cookieSeconds = "2592000"

// Logout implements dashboard.Gate.
func (s *Server) Logout(req *dialect.Request) (cookie string) {
	x := exchangeOf(req)
	if !x.ownOrigin() {
		return ""
	}
	x.end()
	return x.cookie("", "0")
}

// end ends the session of the browser, if it has one.
func (x *exchange) end() {
	for _, secret := range x.secrets() {
		x.s.unforgotten(x.s.browsers.End(secret))
	}
}

// unforgotten logs that sessions have ended but are still on the disk.
func (s *Server) unforgotten(err error) {
	if err != nil {
		s.log.Warn("sessions of browsers that have ended could not be removed; cairn tries again later, but a restart before would revive them", "error", err)
	}
}

// FromPage implements dashboard.Gate.
func (s *Server) FromPage(req *dialect.Request) bool { return exchangeOf(req).ownOrigin() }

// Readable implements dashboard.Gate.
func (s *Server) Readable(req *dialect.Request) bool {
	x := exchangeOf(req)
	return !x.https() && !x.local()
}

// LoginLink makes a link that opens the dashboard once, with the rights of the admin's token. It
// begins with public_url, else with the address of SetAddress. There is none while the dashboard
// is off.
func (s *Server) LoginLink() (url string, until time.Time, err error) {
	own := &s.sites.Load().addresses
	at := own
	if at.host == "" {
		at = s.at.Load()
	}
	if at == nil || at.host == "" {
		return "", until, errNoAddress
	}
	return s.loginLink(func(path string) string { return own.link(at.scheme, at.host, path) })
}

// errNoAddress is the error of a link to a server that listens on sockets alone.
var errNoAddress = &dialect.StatusError{Failure: dialect.NotFound, Msg: "the server does not know its address: set public_url"}

var errNoDashboard = &dialect.StatusError{Failure: dialect.NotFound, Msg: "there is no dashboard: the configuration says dashboard = false"}

// loginLink is LoginLink for an address of a path.
func (s *Server) loginLink(address func(path string) string) (url string, until time.Time, err error) {
	now := s.sites.Load()
	if now.dashboard == nil {
		return "", until, errNoDashboard
	}
	o, ok := now.registry.Admin()
	if !ok {
		return "", until, errors.New("there is no admin token")
	}
	code, until := s.codes.Issue(o)
	return address(openPath + code), until, nil
}
