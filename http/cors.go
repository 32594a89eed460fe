package httpd

import (
	"strings"

	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file answers browsers of other origins. Trackers insist on credentials, so their
// origin is echoed; that gives nothing away, because no cookie grants anything. The native
// API and exports have no such headers at all.

const (
	corsAge     = "86400" // seconds a preflight is good for; browsers cap it
	corsHeaders = "authorization, content-type"
	corsExpose  = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Event-Id, X-Session-Id, X-User-Id"
)

// cors adds what every answer of the route carries, errors included.
func (x *exchange) cors() {
	if x.route == nil {
		return
	}
	switch x.route.CORS {
	case dialect.CORSAny:
		x.addHeader("Access-Control-Allow-Origin", "*")
		x.addHeader("Access-Control-Expose-Headers", corsExpose)
	case dialect.CORSEcho:
		origin := x.header("Origin")
		if origin == "" || len(origin) > 512 {
			x.addHeader("Access-Control-Allow-Origin", "*")
		} else {
			x.addHeader("Access-Control-Allow-Origin", origin)
			x.addHeader("Access-Control-Allow-Credentials", "true")
		}
		x.vary("Origin") // also without one: a cache would give this answer to the pages of an origin
		x.addHeader("Access-Control-Expose-Headers", corsExpose)
	}
}

// preflight answers OPTIONS. It asks for no key: the request that follows needs one.
func (x *exchange) preflight() {
	x.res.Status = 204
	if x.route == nil { // OPTIONS *
		x.addHeader("Allow", "GET, HEAD, OPTIONS, POST")
		return
	}
	x.addHeader("Allow", x.route.allow)
	if x.route.CORS == dialect.CORSNone {
		return
	}
	x.addHeader("Access-Control-Allow-Methods", x.route.allow)
	wanted := x.header("Access-Control-Request-Headers")
	if !headerNames(wanted) {
		wanted = corsHeaders
	}
	x.addHeader("Access-Control-Allow-Headers", wanted)
	x.addHeader("Access-Control-Max-Age", corsAge)
	if x.route.CORS == dialect.CORSEcho {
		x.vary("Origin")
	}
	x.vary("Access-Control-Request-Headers")
}

// vary says that the answer depends on a header of the request, besides those that the
// dialect has said so of.
func (x *exchange) vary(name string) {
	for i, h := range x.res.Header {
		if strings.EqualFold(h[0], "Vary") {
			if !strings.Contains(strings.ToLower(h[1]), strings.ToLower(name)) {
				x.res.Header[i][1] += ", " + name
			}
			return
		}
	}
	x.addHeader("Vary", name)
}

// headerNames says whether s is a list of header names worth echoing.
func headerNames(s string) bool {
	if s == "" || len(s) > 1024 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !wire.TokenByte(s[i]) && s[i] != ',' && s[i] != ' ' {
			return false
		}
	}
	return true
}
