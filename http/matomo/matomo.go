// Package matomo speaks the Matomo (formerly Piwik) HTTP Tracking API: matomo.php
// and piwik.php under any prefix, one hit a request or many in a bulk body.
//
//	page view       a page event: name = action_name, else the url's path
//	e_c, e_a        a track event: name = e_a, value = e_v; category, action, label
//	download, link  a download or outlink event named for the url
//	search          a search event named for the keyword; category, count
//	c_n             a content event: name, piece, target, interaction
//	idgoal > 0      a goal event: the goal's name, value = revenue; goal_id
//	idgoal = 0      an order event with ec_id, else a cart event: value = revenue;
//	                order_id, subtotal, tax, shipping, discount, items
//	ping            no event: the visit lasts longer, and has new variables
//
// An action that reaches goals of the site's configuration also makes a goal event for each.
// uid is the user, cid or _id the anonymous id. A visitor who sends neither is recognised by
// a fingerprint of the request, with the salt of the day. Visits are sessions, which the
// engine keeps; see event.Hit.
//
// What is found where:
//
//	properties   dimensionN, cvar.NAME, _cvar.NAME, product_* and what is above: counted
//	context      url, title, referrer, screen, language, place, campaign (utm_*)
//	extra        pf_*, pv_id, bw_bytes, local_time, plugins, fingerprint, _rcn, _rck,
//	             _ref, _refts, _idvc, _viewts, _idts, _ects
//
// The package also serves the script that pages load, cairn's own or the operator's
// (snippet.go), and answers the calls that the vendor's log importer makes before it begins
// (reporting.go).
//
// Read in this order: matomo.go (routes), settings.go, params.go and charset.go (the parameters of a hit),
// scalar.go (their types), decode.go (what every hit has), time.go, url.go, action.go,
// commerce.go, goals.go, bulk.go (many hits in one body), reply.go. Beside the hits:
// reporting.go and snippet.go.
package matomo

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// The limits of the protocol. Longer texts are cut, as Matomo cuts them.
const (
	bodyBytesMax  = 8 << 20 // of a bulk body
	entriesMax    = 10_000  // of a bulk
	recordsMax    = 20_000  // of a request: hits and the goals they reach
	urlBytesMax   = 1024
	titleBytesMax = 1024
	refCharsMax   = 1500
	uidCharsMax   = 200
	varCharsMax   = 200 // a custom variable's name or value
	dimCharsMax   = 250
	itemsMax      = 1000 // of an order
)

// Options are the settings of the dialect. The zero value tracks and serves cairn's own
// script.
type Options struct {
	Tracker []byte   // the operator's script, served in place of cairn's own; nil = none
	Sites   []uint32 // the ids of all sites, for the Reporting API
	AnySite bool     // there is one site, and every host and id means it
}

// OptionsOf are the options for sites. anySite says that there is one site, and every host
// and id means it.
func OptionsOf(sites []*dialect.Site, anySite bool) Options {
	o := Options{AnySite: anySite}
	for _, site := range sites {
		o.Sites = append(o.Sites, site.ID)
		if script := settingsOf(site).tracker; script != nil {
			o.Tracker = script
		}
	}
	slices.Sort(o.Sites)
	return o
}

type protocol struct {
	Options
	script *script
}

// New returns the dialect.
func New(o Options) dialect.Reading {
	if o.Tracker == nil {
		return protocol{o, ownScript()}
	}
	return protocol{o, newScript(o.Tracker)}
}

// Explains says that fields and texts of errors are this package's own. Trackers throw
// answers away, so the operator has to learn what was refused.
func (protocol) Explains() {}

func (protocol) Name() event.Dialect { return event.Matomo }

// Routes are the two names of the tracking endpoint, those of the script, and the reporting
// calls.
func (protocol) Routes() []dialect.Route {
	routes := append(scriptRoutes(), reportRoutes()...)
	for _, path := range []string{"*/matomo.php", "*/piwik.php"} {
		routes = append(routes, dialect.Route{
			Methods: []string{"GET", "POST", "HEAD"}, Path: path,
			Auth: dialect.AuthBody, Right: dialect.Write,
			Body: bodyBytesMax, CORS: dialect.CORSEcho,
		})
	}
	return routes
}

// Read answers with the script or a reporting call.
func (p protocol) Read(_ context.Context, req *dialect.Request, _ dialect.Reader, res *dialect.Response) error {
	if isScript(req.Path) {
		p.script.read(req, res)
		return nil
	}
	r := report{req: req, Options: p.Options}
	r.answer(res)
	return nil
}
