package httpd

import (
	"net"
	"strings"

	"cairn/http/wire"

	"github.com/valyala/fasthttp"
)

// This file answers on port 80 of a server that fetches its certificates: what an authority asks
// there, and for everything else where the host is to be found over TLS.

// Certificates are those that the server fetches.
type Certificates interface {
	// Fetches says whether the certificate of a host, in lower case, is fetched.
	Fetches(host string) bool
	// Challenge answers what an authority asks for a path below wire.ChallengePath. ok is false
	// when nobody has to answer it.
	Challenge(host, path string) (answer []byte, ok bool)
}

// ServeRedirect is Serve for a listener of plain HTTP that only sends clients to TLS.
func (s *Server) ServeRedirect(ln net.Listener) error {
	return s.serve(ln, &s.plain, s.gate.Guard)
}

// handleRedirect is handle for the connections of ServeRedirect.
func (s *Server) handleRedirect(ctx *fasthttp.RequestCtx) { s.handleBy(ctx, (*exchange).redirect) }

// challengeBytesMax bounds the path of a challenge, far above what one needs.
const challengeBytesMax = 512

// redirect answers a request to a listener of ServeRedirect. The Location is made of a host of the
// configuration, never of what a client sends for one.
func (x *exchange) redirect() {
	if x.wait = x.chargeIP(); x.wait > 0 {
		x.plain(429, errRate.Error())
		return
	}
	host := hostOf(x.req.Host)
	target := text(x.ctx.Request.Header.RequestURI())
	if _, rest, ok := wire.CutAbsolute(target); ok && !strings.HasPrefix(target, "/") {
		target = rest
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + strings.TrimPrefix(target, "*")
	}
	if path, _, _ := strings.Cut(target, "?"); strings.HasPrefix(path, wire.ChallengePath) {
		x.challenge(host, path)
		return
	}
	if x.s.certificates == nil || !x.s.certificates.Fetches(host) {
		x.plain(421, "this server has no certificate for this host")
		return
	}
	x.addHeader("Location", "https://"+host+target)
	x.plain(308, "use https")
}

// challenge answers the question of an authority.
func (x *exchange) challenge(host, path string) {
	if x.req.Method == "GET" && x.s.certificates != nil && len(path) <= challengeBytesMax {
		if answer, ok := x.s.certificates.Challenge(host, path); ok {
			x.res.Status, x.res.ContentType, x.res.Body = 200, "text/plain; charset=utf-8", append(x.res.Body[:0], answer...)
			return
		}
	}
	x.plain(404, "there is nothing here")
}

// hostOf is a Host in lower case, without its port and a dot at its end.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
