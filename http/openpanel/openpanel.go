// Package openpanel speaks the OpenPanel Track API: POST /track in all its types, GET
// /track/device-id, and the older /event and /profile. It also answers the reads: the export
// of events, profiles, live visitors and metrics.
//
//	track         a track event; screen_view is a page event; __revenue of the name
//	              "revenue" is its value
//	identify      an identify event: the known fields and the properties in one
//	              object of traits, so that increments find them
//	increment     an increment event: name is the property's path, value is +n
//	decrement     the same with -n
//	group         a group event without a user: it describes the group
//	assign_group  a group event of the profile, with all the groups it joins
//	alias         an alias event: the alias becomes the profile
//	replay        is checked and acknowledged; recordings are not kept
//
// profileId is the user, the device id the anonymous id. A browser sends neither its own id
// nor that of its session. The engine finds both, see event.Visit, and every answer has
// them, because the SDKs remember the ids of the last answer.
//
// Read in this order: openpanel.go (routes), settings.go, source.go (whose a request is), decode.go (what
// its body holds), track.go and profile.go (the types of it), referrer.go, reply.go. The
// reads: read.go, filter.go, pattern.go, insights.go, and the export in export.go, export_sessions.go and
// export_write.go.
package openpanel

import (
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of the protocol. Beyond the body's limit the answer is a 413, beyond any other a
// 400 that names the field.
const (
	bodyBytesMax    = 3 << 20 // a replay's payload and what is around it
	payloadBytesMax = 2 << 20 // of a replay
	nameCharsMax    = 80      // of a tracked event
	deviceCharsMax  = 64      // of __deviceId and of a replay's sessionId
	chunkMax        = 65535   // chunk_index of a replay

	errorBytesMax = 512
)

// repeatMax is how soon the same event from the same browser is a duplicate.
const repeatMax = 100 * time.Millisecond

// aheadMax is how far ahead of the server's clock an event may be.
const aheadMax = time.Minute

// kind is what a route is for.
type kind uint8

const (
	kindTrack kind = iota
	kindDeviceID
	kindEvent
	kindProfile
	kindIncrement
	kindDecrement
)

var writes = []struct {
	method, path string
	kind         kind
}{
	{"POST", "/track", kindTrack},
	{"GET", "/track/device-id", kindDeviceID},
	{"POST", "/event", kindEvent},
	{"POST", "/profile", kindProfile},
	{"POST", "/profile/increment", kindIncrement},
	{"POST", "/profile/decrement", kindDecrement},
}

var reads = []string{"/export/*", "/insights/*"}

type protocol struct{}

// New returns the dialect. It has no state.
func New() dialect.Reading { return protocol{} }

func (protocol) Name() event.Dialect { return event.OpenPanel }

// Routes are each path, alone and below /api: self-hosters use both as apiUrl of the SDKs.
func (protocol) Routes() []dialect.Route {
	var routes []dialect.Route
	for _, base := range []string{"", "/api"} {
		for _, w := range writes {
			body := int64(bodyBytesMax)
			if w.kind != kindTrack {
				body = event.MaxEventBytes + 1<<10
			}
			for _, slash := range []string{"", "/"} {
				routes = append(routes, dialect.Route{
					Methods: []string{w.method}, Path: base + w.path + slash,
					Auth: dialect.AuthBody, Right: dialect.Write,
					Body: body, CORS: dialect.CORSAny, Rates: true,
				})
			}
		}
		for _, path := range reads {
			routes = append(routes, dialect.Route{
				Methods: []string{"GET"}, Path: base + path,
				Auth: dialect.AuthBody, Right: dialect.Read, Reads: true, Rates: true,
			})
		}
	}
	return routes
}

// plain is a path of this dialect without /api before it and the slash after it.
func plain(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "/api"), "/")
}

func kindOf(path string) kind {
	path = plain(path)
	for _, w := range writes {
		if w.path == path {
			return w.kind
		}
	}
	return kindTrack
}
