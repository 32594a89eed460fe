// Package oppizi speaks the Oppizi Tracking API: POST /tracking/events creates
// one event with a name, a value and flat metadata, GET lists them, newest first.
//
// An event is stored as a track event: eventName is its name, value its value, metadata its
// properties, userId its user. The vendor's other fields (transactionId, currency,
// campaignId, metricId, coupon) are kept in extra, and are at the top level again when the
// event is read.
//
// The id of an event is the cursor of a listing. The log is immutable, so there is no PUT.
// Characters, in every limit, are Unicode code points.
package oppizi

import (
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of the protocol. Beyond the body's limit the answer is a 413, beyond any other a
// 400 that names the field.
const (
	bodyBytesMax = 256 << 10
	entriesMax   = 50  // of metadata
	keyCharsMax  = 40  // of a metadata key
	textCharsMax = 256 // of any string, or literal of a number
	elementsMax  = 100 // of an array in metadata

	pageDefault = 20 // events of a listing
	pageMax     = 100
	valuesMax   = 100 // of one filter of a listing
)

// paths are where events are created and listed; the second is the vendor's
// older name of the first.
var paths = [...]string{"/tracking/events", "/events"}

// optional are the vendor's fields beyond name, value and metadata, in the order
// they are written.
var optional = [...]string{"transactionId", "currency", "userId", "campaignId", "metricId", "coupon"}

type protocol struct{}

// New returns the dialect. It has no state.
func New() dialect.Reading { return protocol{} }

func (protocol) Name() event.Dialect { return event.Oppizi }

// Routes are the collection, with and without a slash at its end, and everything else below
// /tracking and /events. The latter does not exist, and is refused in the dialect's own shape.
func (protocol) Routes() []dialect.Route {
	var routes []dialect.Route
	for _, base := range [...]string{"/tracking/events", "/events", "/tracking"} {
		for _, path := range []string{base, base + "/", base + "/*"} {
			rest := strings.HasSuffix(path, "*")
			routes = append(routes,
				dialect.Route{
					Methods: []string{"POST"}, Path: path,
					Auth: dialect.AuthBearer, Right: dialect.Write,
					Body: bodyBytesMax, CORS: dialect.CORSAny, Rest: rest,
				},
				dialect.Route{
					Methods: []string{"GET"}, Path: path,
					Auth: dialect.AuthBearer, Right: dialect.Read,
					Reads: true, CORS: dialect.CORSAny, Rest: rest,
				})
		}
	}
	return routes
}

// found refuses a path that is not the collection.
func found(path string) error {
	for _, base := range paths {
		if strings.TrimSuffix(path, "/") == base {
			return nil
		}
	}
	return &dialect.StatusError{Failure: dialect.NotFound, Msg: dialect.NotFound.String()}
}
