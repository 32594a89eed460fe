// Package opentracker speaks the Opentracker URL API. One GET or POST is one event with any
// number of properties; the answer is its id, a pixel, JSON or JSONP. Reads answer the
// running counters of the properties.
//
// An event is stored as a track event. Parameters that are not the protocol's own
// are its properties, as strings; ti is its name and title, lc its url. Each
// property is counted by 1 or by the amount at the end of its value ("male[+10]");
// a name with "!" at its end also splits the other counters of the event.
//
// Ids are stored as they are sent. The engine finds the visitor of an event without a uid and
// the session of an event without a sid, and Reply tells the client.
package opentracker

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of the protocol. Beyond the body's limit the answer is a 413, beyond any other a
// 400.
const (
	bodyBytesMax  = 1 << 20
	propertiesMax = 256
	nameBytesMax  = 128
	valueBytesMax = 4096
	idBytesMax    = 128 // uid and sid
	eidBytesMax   = 64
	callbackMax   = 128       // bytes of the name of a JSONP function
	amountMax     = 1<<53 - 1 // an increment or decrement
	partsMax      = 1024      // of a multipart body
)

// The paths that take events, besides "/" with an si, and the paths of the reads.
var (
	insertPaths = []string{"/opentracker", "/opentracker/"}
	countsPaths = []string{"/api/counts", "/api/counts.jsp", "/opentracker/counts"}
	viewPaths   = []string{"/api/views/event", "/api/views/session", "/api/views/user", "/api/views/events"}
	loginPaths  = []string{"/api/management/login_user", "/api/management/login_user.jsp"}
)

const rootPath, indexPath = "/", "/index.php"

// notCounted are the reserved properties that have another value on every event. The location
// is not among them, because it is stored as the event's url.
var notCounted = map[string]bool{
	"latitude": true, "longitude": true, "coordinateTime": true, "coordinateAccuracy": true, "revision": true,
}

type protocol struct{}

// New returns the dialect. It has no state.
func New() dialect.Reading { return protocol{} }

func (protocol) Name() event.Dialect { return event.Opentracker }

// Routes of "/" are shared with others. It is Opentracker's when the query has an si, when
// the first label of the host is "log", and for a POST with an si in its form or one that no
// other dialect claims. HEAD is listed so that it is refused in the words of the protocol,
// and not answered with a start page.
func (protocol) Routes() []dialect.Route {
	var routes []dialect.Route
	insert := func(path, host, query, form string, methods ...string) {
		routes = append(routes, dialect.Route{
			Methods: methods, Path: path, Host: host, Query: query, Form: form,
			Auth: dialect.AuthBody, Right: dialect.Write, Body: bodyBytesMax, CORS: dialect.CORSAny,
		})
	}
	for _, path := range []string{rootPath, indexPath} {
		insert(path, "", "si", "", "GET", "POST", "HEAD")
		insert(path, "log", "", "", "GET", "POST", "HEAD")
		insert(path, "", "", "si", "POST")
		insert(path, "", "", "", "POST")
	}
	for _, path := range insertPaths {
		insert(path, "", "", "", "GET", "POST", "HEAD")
	}
	for _, paths := range [][]string{countsPaths, viewPaths, loginPaths} {
		for _, path := range paths {
			routes = append(routes, dialect.Route{
				Methods: []string{"GET", "POST"}, Path: path,
				Auth: dialect.AuthBody, Right: dialect.Read, Reads: true, Body: bodyBytesMax, CORS: dialect.CORSAny,
			})
		}
	}
	return routes
}

// off says that a value switches a flag off. A flag without a value is on.
func off(value string) bool { return value == "0" || value == "false" }

// isEventID says that a client may choose s as an eid.
func isEventID(s string) bool {
	return s != "" && len(s) <= eidBytesMax && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
