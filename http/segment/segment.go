// Package segment speaks the HTTP tracking API of Segment, MetaRouter and RudderStack:
// identify, track, page, screen, group and alias calls. A request has one call, or many in a
// batch; a call may also be in the query of a pixel or the body of a webhook.
//
// A message becomes one event of the same type. The canonical fields take what they can hold
// (page url and title, campaign, locale, timezone, system, place, group, session, revenue as
// value). The whole context, the integrations and every field that this package does not
// know are kept in extra as they were sent. The properties of identify and group are their
// traits.
//
// The bad messages of a batch are refused one by one and named in the answer; the others are
// stored. A client may send the whole batch again, because the messageId tells which events
// are there. A message without a messageId gets one.
//
// Times: with originalTimestamp (or timestamp) and sentAt the clock of the client
// is corrected, time = receivedAt − (sentAt − originalTimestamp). Both stay in
// extra.
package segment

import (
	"crypto/rand"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of a site that sets none, in bytes of inflated JSON.
const (
	eventBytes = 15 << 10
	batchBytes = 500 << 10
)

const (
	// elementsMax bounds the number of elements of a batch. Batches of valid elements that
	// fit into batchBytes are below it. Larger batches are refused for their number only
	// with more than one element in elementBytes; the shortest valid element has 28 bytes.
	elementsMax  = 20_000
	elementBytes = 24
	elementsFree = 100
	// injectedBytesMax bounds the context and integrations of a batch, copied into each of
	// its events.
	injectedBytesMax = 4 << 20

	metricsBytesMax = 64 << 10 // of a body that is not read
)

// kind is what a path answers.
type kind uint8

const (
	single kind = iota
	batch
	webhook // one event, a batch or a bare array
	pixel
	flatPixel // RudderStack's: the event is the query itself
	metrics   // analytics.js' counters of itself
	settings  // what analytics.js loads first
	source    // the same of RudderStack
)

// endpoint is what a path answers. typ is the type of its events, "" when they have their
// own.
type endpoint struct {
	path string
	kind kind
	typ  event.Type
}

var endpoints = []endpoint{
	{"/v1/i", single, event.Identify}, {"/v1/identify", single, event.Identify},
	{"/v1/t", single, event.Track}, {"/v1/track", single, event.Track},
	{"/v1/p", single, event.Page}, {"/v1/page", single, event.Page},
	{"/v1/s", single, event.Screen}, {"/v1/screen", single, event.Screen},
	{"/v1/g", single, event.Group}, {"/v1/group", single, event.Group},
	{"/v1/a", single, event.Alias}, {"/v1/alias", single, event.Alias},
	{"/v1/batch", batch, ""}, {"/v1/import", batch, ""}, {"/v1/b", batch, ""}, {"/beacon/v1/batch", batch, ""},
	{"/v1/webhook", webhook, ""}, {"/v1/w", webhook, ""},
	{"/v1/pixel/identify", pixel, event.Identify}, {"/v1/pixel/track", pixel, event.Track},
	{"/v1/pixel/page", pixel, event.Page}, {"/v1/pixel/screen", pixel, event.Screen},
	{"/v1/pixel/group", pixel, event.Group}, {"/v1/pixel/alias", pixel, event.Alias},
	{"/pixel/v1/track", flatPixel, event.Track}, {"/pixel/v1/page", flatPixel, event.Page},
	{"/v1/m", metrics, ""},
	{"/v1/projects/*/settings", settings, ""},
	{"/sourceConfig", source, ""},
}

// byPath finds an endpoint by the path of its route.
var byPath = func() map[string]*endpoint {
	m := make(map[string]*endpoint)
	for i := range endpoints {
		m[endpoints[i].path] = &endpoints[i]
	}
	return m
}()

func endpointOf(req *dialect.Request) endpoint {
	if req.Route != nil {
		if e := byPath[strings.TrimSuffix(req.Route.Path, "/")]; e != nil {
			return *e
		}
	}
	return endpoint{}
}

// form is the shape of the replies of an endpoint, as far as the path decides it.
func (e *endpoint) form() form {
	switch e.kind {
	case batch:
		return batchForm
	case pixel, flatPixel:
		return pixelForm
	}
	return singleForm
}

type protocol struct {
	limits Settings       // the largest of any site
	random func(b []byte) // fills b
}

// New returns the dialect for sites.
func New(sites []*dialect.Site) dialect.Reading {
	return protocol{largest(sites), func(b []byte) { rand.Read(b) }} // which never fails
}

func (protocol) Name() event.Dialect { return event.Segment }

// Routes are the endpoints, each with and without a slash at its end.
func (p protocol) Routes() []dialect.Route {
	var routes []dialect.Route
	for _, e := range endpoints {
		r := dialect.Route{Methods: []string{"POST"}, Right: dialect.Write, CORS: dialect.CORSEcho}
		switch e.kind {
		case single:
			r.Body = int64(p.limits.EventLimit)
		case batch, webhook:
			r.Body = int64(p.limits.BatchLimit)
		case pixel, flatPixel:
			r.Methods, r.Body = []string{"GET", "HEAD"}, int64(p.limits.EventLimit)
		case metrics:
			r.Auth, r.Body = dialect.AuthNone, metricsBytesMax
		case settings, source:
			r.Methods, r.Auth, r.Right, r.Reads = []string{"GET"}, dialect.AuthNone, dialect.Read, true
		}
		for _, slash := range []string{"", "/"} {
			r.Path = e.path + slash
			routes = append(routes, r)
		}
	}
	return routes
}

// errTooLarge refuses one event, or a whole request, for its size. The seed has the text.
var (
	errTooLarge = &dialect.StatusError{Failure: dialect.TooLarge, Msg: tooLarge}
	errKey      = &dialect.StatusError{Failure: dialect.Unauthorized, Field: "writeKey", Msg: badKey}
)

const (
	tooLarge = "HTTP request too large"
	badKey   = "Invalid or missing writekey"
)
