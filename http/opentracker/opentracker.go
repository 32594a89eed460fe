// Package opentracker speaks the Opentracker URL API: one GET or POST is one event
// with any number of properties, answered with its id, a pixel, JSON or JSONP; and
// reads of the running tallies the properties make.
//
// An event is stored as a track event. Parameters that are not the protocol's own
// are its properties, as strings; ti is its name and title, lc its url. Each
// property is counted by 1 or by the amount at the end of its value ("male[+10]");
// a name with "!" at its end also splits the other counters of the event.
//
// Sent ids are stored as sent. Whoever an event without a uid is from, and which
// session one without a sid belongs to, is the engine's to say; Reply tells the
// client.
package opentracker

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of the protocol. Beyond any of them the answer is a 400, for the body
// a 413.
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

// Where events come in, beside "/" with an si, and where they are read.
var (
	insertPaths = []string{"/opentracker", "/opentracker/"}
	countsPaths = []string{"/api/counts", "/api/counts.jsp", "/opentracker/counts"}
	viewPaths   = []string{"/api/views/event", "/api/views/session", "/api/views/user", "/api/views/events"}
	loginPaths  = []string{"/api/management/login_user", "/api/management/login_user.jsp"}
)

const rootPath, indexPath = "/", "/index.php"

// notCounted are the reserved properties with a value of their own on every event.
// The location is not among them because it is stored as the event's url.
var notCounted = map[string]bool{
	"latitude": true, "longitude": true, "coordinateTime": true, "coordinateAccuracy": true, "revision": true,
}

type protocol struct{}

// New returns the dialect. It has no state.
func New() dialect.Reading { return protocol{} }

func (protocol) Name() event.Dialect { return event.Opentracker }

// Routes: "/" is shared with others, so it is Opentracker's where the query has an
// si, the first label of the host is "log", or there is a POST with an si in its form
// or one that nobody else claims. HEAD is listed to be refused in the words of the protocol and not
// answered with a start page.
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

// off says that the value of a flag switches it off. A flag without a value is on.
func off(value string) bool { return value == "0" || value == "false" }

// isEventID says that s may be an eid a client chooses.
func isEventID(s string) bool {
	return s != "" && len(s) <= eidBytesMax && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
