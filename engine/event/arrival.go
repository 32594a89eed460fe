package event

import "net/netip"

// Record is one event on its way in: the event itself, which is stored, and what else its
// request says of it, which is not. Dialects fill it, the engine reads it.
type Record struct {
	Event  Event
	Source Source
	Visit  Visit
	Hit    *Hit // nil in dialects whose visits are not kept
}

// Source is what a request says about where an event came from. It serves
// enrichment and is never stored.
type Source struct {
	IP             netip.Addr // the client's, after trusted_proxies and the dialect's own rules
	UserAgent      string
	AcceptLanguage string
	Hints          map[string]string // Sec-CH-UA* by lower-case header name; "uadata" = the same as Matomo's JSON
	Skip           bool              // no detection of any kind (Opentracker's proxy=true)
}

// Visit is how a dialect whose clients need not name themselves (OpenPanel) asks
// the engine who an event is from. The Outcome has the answer.
type Visit struct {
	Ask    bool // recognise the device by address and agent, unless Anonymous names it
	Always bool // keep the device's id with the event also where a server sent it
	Nobody bool // keep no device's id with the event: it is of no visitor
}
