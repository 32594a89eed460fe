package httpd

import (
	"bytes"
	"errors"
	"strings"
	"syscall"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native"
)

// This file holds the routes that belong to no protocol: the start page, health,
// metrics and the contract of the native API.

func (s *Server) ownRoutes() []*route {
	get := func(path string, own func(*exchange)) *route {
		return &route{
			Route: dialect.Route{Methods: []string{"GET"}, Path: path, Auth: dialect.AuthNone, Reads: true},
			own:   own,
		}
	}
	return []*route{
		get("/", (*exchange).startPage),
		get("/healthz", (*exchange).healthz),
		get("/readyz", (*exchange).readyz),
		// As OpenPanel's own server names them.
		get("/healthcheck", (*exchange).readyz),
		get("/api/healthcheck", (*exchange).readyz),
		get("/healthz/live", (*exchange).healthz),
		get("/healthz/ready", (*exchange).readyz),
		get("/metrics", (*exchange).metricsPage),
		get("/openapi.json", (*exchange).contract),
	}
}

// startPage is answered at / where there is no dashboard, with the base path in place of BASE.
const startPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>cairn</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}</style>
<h1>cairn</h1>
<p>This is an event store. It is running.</p>
<ul>
<li><a href="BASE/openapi.json">The contract of the API</a></li>
<li><a href="BASE/healthz">Health</a> and <a href="BASE/readyz">readiness</a></li>
</ul>
</html>
`

func (x *exchange) startPage() {
	if !strings.Contains(x.header("Accept"), "text/html") {
		x.json(200, `{"status":"ok"}`)
		return
	}
	if x.sites.dashboard != nil {
		x.res.Status = 302
		x.addHeader("Location", x.sites.addresses.links+"/dashboard")
		return
	}
	x.res.Status, x.res.ContentType = 200, "text/html; charset=utf-8"
	x.res.Body = append(x.res.Body[:0], strings.ReplaceAll(startPage, "BASE", x.sites.addresses.links)...)
	x.addHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

func (x *exchange) json(status int, body string) {
	x.res.Status, x.res.ContentType = status, "application/json"
	x.res.Body = append(x.res.Body[:0], body...)
}

// healthz is 200 as long as the process can answer; its body says what is wrong.
func (x *exchange) healthz() {
	var reasons []string
	if err := x.s.engine.Ready(); err != nil {
		reasons = append(reasons, reasonOf(err))
	}
	st := x.s.engine.Stats()
	for _, file := range st.Damaged {
		reasons = append(reasons, "damaged data: "+file)
	}
	if st.Retention != "" {
		reasons = append(reasons, "retention: "+st.Retention)
	}
	if st.LinkBytes > st.LinkBytesMax {
		reasons = append(reasons, "links between persons take more than their share of memory: raise memory")
	}
	if s, ok := x.s.engine.(interface{ SinkTroubles() []string }); ok {
		reasons = append(reasons, s.SinkTroubles()...)
	}
	if x.s.degraded != nil {
		reasons = append(reasons, x.s.degraded()...)
	}
	word := "ok"
	if len(reasons) > 0 {
		word = "degraded"
	}
	x.health(200, word, reasons)
}

// readyz is 503 while a proxy should send requests elsewhere.
func (x *exchange) readyz() {
	err := x.s.engine.Ready()
	if x.s.gate.Stopping() {
		err = errStopping
	}
	if err != nil {
		x.health(503, "unavailable", []string{reasonOf(err)})
	} else {
		x.health(200, "ready", nil)
	}
}

// reasonOf says why the server takes no writes, to anybody who asks: one of a few fixed texts,
// and what the system calls the fault. The error itself may name files; it is in the log.
func reasonOf(err error) string {
	reason := failureOf(err).Err.Error()
	if errno := syscall.Errno(0); errors.As(err, &errno) && errors.Is(err, query.ErrFailed) {
		reason += ": " + errno.Error()
	}
	return reason
}

var errStopping = &dialect.StatusError{Failure: dialect.Busy, Msg: "the server is stopping"}

func (x *exchange) health(status int, word string, reasons []string) {
	x.json(status, `{"status":"`+word+`","reasons":`)
	x.res.Body = append(event.AppendStrings(x.res.Body, reasons), '}')
	x.addHeader("Cache-Control", "no-store")
}

// contractServer is where the contract says that its paths begin.
const contractServer = `"servers": [{"url": "/"}]`

func (x *exchange) contract() {
	x.res.Status, x.res.ContentType = 200, "application/json"
	x.res.Body = append(x.res.Body[:0], native.OpenAPI()...)
	if base := x.sites.addresses.links; base != "" {
		x.res.Body = bytes.Replace(x.res.Body, []byte(contractServer), []byte(`"servers": [{"url": "`+base+`"}]`), 1)
	}
}

// metricsPage answers clients on this machine, and the keys of the process. The metrics tell
// of all sites, so a site's key does not read them.
func (x *exchange) metricsPage() {
	if !x.local() {
		if failure, err := x.sites.registry.AuthorizeMetrics(x.header("Authorization")); failure != dialect.OK {
			if failure == dialect.Unauthorized {
				x.addHeader("WWW-Authenticate", "Bearer")
			}
			x.plain(failure.Status(), err.Error())
			return
		}
	}
	x.res.Status, x.res.ContentType = 200, "text/plain; version=0.0.4; charset=utf-8"
	x.addHeader("Cache-Control", "no-store")
	x.res.Body = x.s.appendMetrics(x.res.Body[:0])
}
