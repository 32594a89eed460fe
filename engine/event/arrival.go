package event

import "net/netip"

// Record is one event on its way in: the event itself, which is stored, and what else its
// request says of it, which is not. Dialects fill it, the engine reads it.
type Record struct {
	Event  Event
	Source Source
	Visit  Visit
	Hit    *Hit    // nil in dialects whose visits the engine does not track
	Import *Import // nil = the event has just happened
}

// Source is what a request says about the origin of an event. Enrichment uses it; it is
// never stored.
type Source struct {
	IP             netip.Addr // of the client, after trusted_proxies and the dialect's own rules
	UserAgent      string
	AcceptLanguage string
	Hints          map[string]string // Sec-CH-UA* by lower-case header name; "uadata" = the same in Matomo's JSON
	Skip           bool              // no detection of any kind (Opentracker's proxy=true)
	Known          bool              // the event was enriched when it was first stored: the privacy settings alone apply
}

// Visit is a question to the engine: whose event is this? Dialects whose clients may send no
// id (OpenPanel) ask it. The Outcome has the answer.
type Visit struct {
	Ask    bool // recognise the device by address and agent, unless Anonymous is set
	Always bool // store the device's id with the event even when a server sent it
	Nobody bool // do not store the device's id with the event: it has no visitor
}
