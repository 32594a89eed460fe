package native

import (
	"context"
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file is the table of calls: one declaration a call, and what its parameters are. The
// router, the check for unknown parameters and the tests of the contract read it.

// route is one line of the table: what is answered, who may ask, and which parameters the query
// may have.
type route struct {
	method, path string // "*" is one path segment
	right        dialect.Right
	takes        takes                                       // groups of parameters that many calls share
	own          []string                                    // its own parameters; what they are is in parameterKinds
	read         func(*API, context.Context, *reading) error // nil for writes and acts
	act          func(*API, context.Context, *reading) error // changes something that is no event; nil for others
	body         int64                                       // bytes of the body at most; 0 = it is not read

	many    bool // it asks many questions: they have ten seconds together
	streams bool // the answer is a stream that lasts
	exports bool // the answer is a stream that ends when everything is sent

	// names says that the answer names people, whatever is asked. A share of numbers may not
	// ask such a call.
	names bool

	params []string // all of it, made by declare
}

// takes are the groups of parameters of a call.
type takes uint16

// The groups. An operation in openapi/ lists them as "@site", "@filters" and so on.
const (
	takesSite    takes = 1 << iota // site
	takesFilters                   // plain filters, visit. filters, saved ones
	takesPlain                     // plain filters and saved ones
	takesRange                     // range, from, to, max_age; the answer has an ETag
	takesCompare                   // compare
	takesSteps                     // interval
	takesRows                      // limit, after, search, sort, order, at_least: which rows of a table
	takesCSV                       // format
	takesTable   = takesRows | takesCSV
)

// groups says what each of takes stands for. A name that ends in "." stands for every parameter
// that begins with it.
var groups = []struct {
	takes takes
	name  string
	names []string
}{
	{takesSite, "@site", []string{"site"}},
	{takesFilters, "@filters", with(filterParams, "visit.", "saved")},
	{takesPlain, "@plain", with(filterParams, "saved")},
	{takesRange, "@range", []string{"range", "from", "to", "max_age"}},
	{takesCompare, "@compare", []string{"compare"}},
	{takesSteps, "@steps", []string{"interval"}},
	{takesRows, "@rows", []string{"limit", "after", "search", "sort", "order", "at_least"}},
	{takesCSV, "@csv", []string{"format"}},
}

// parameterKind says how often a parameter may be given, and who reads it.
type parameterKind uint8

const (
	filterKind parameterKind = iota // a condition; a repeat means OR
	singleKind                      // once; an empty one counts as absent
	listKind                        // any number of times, in order; see params.lists
)

// parameterKinds are the parameters that are no filters. A name means the same in all calls.
var parameterKinds = map[string]parameterKind{
	"site": singleKind, "from": singleKind, "to": singleKind, "range": singleKind, "max_age": singleKind,
	"compare": singleKind, "interval": singleKind, "format": singleKind, "metrics": singleKind,
	"limit": singleKind, "after": singleKind, "search": singleKind, "sort": singleKind, "order": singleKind, "at_least": singleKind,
	"property": singleKind, "segment": singleKind,

	// of reports
	"by": listKind, "step": listKind, "then": listKind, "fold": listKind, "saved": listKind,
	"goal": singleKind, "of": singleKind, "entity": singleKind, "mode": singleKind, "window": singleKind, "split": singleKind,
	"at": singleKind, "state": singleKind, "start": singleKind, "return": singleKind, "end": singleKind, "period": singleKind,
	"cohort": singleKind, "count": singleKind, "cell": singleKind, "depth": singleKind, "anchor": singleKind,
	"field": singleKind, "kind": singleKind,

	// of deletions
	"dry_run": singleKind, "now": singleKind, "reason": singleKind, "purge": singleKind, "keep": singleKind, "take": singleKind,
	"import": singleKind, // of events that come in

	"since": singleKind, // of refused events

	// of exports
	"columns": singleKind, "head": singleKind, "up_to": singleKind,
}

// sendRoute is the route that writes.
var sendRoute = &route{method: "POST", path: "/api/v1/events", right: dialect.Write, takes: takesSite, own: []string{"import"}}

// importQuery makes the events of sendRoute imported ones. A public key must not send those. The
// router knows this spelling alone, so Decode looks at the right as well.
const importQuery = "import=1"

// adminPath begins the paths that no session of a browser may ask.
const adminPath = "/api/v1/admin/"

const snapshotPath = adminPath + "snapshot"

// savedPath begins the paths of the calls that change what is saved: the only changes that a
// browser's session may make.
const savedPath = "/api/v1/saved"

var table = declare(
	sendRoute,
	&route{method: "GET", path: "/api/v1/events", right: dialect.Read, read: (*API).events, names: true,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"order", "limit", "after"}},
	&route{method: "GET", path: "/api/v1/export", right: dialect.Read, read: (*API).exportEvents, names: true, exports: true,
		takes: takesSite | takesFilters, own: []string{"range", "from", "to", "format", "columns", "head", "after", "up_to"}},
	&route{method: "GET", path: "/api/v1/events/*", right: dialect.Read, read: (*API).event, names: true, takes: takesSite},
	&route{method: "GET", path: "/api/v1/count", right: dialect.Read, read: (*API).count,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"metrics"}},
	&route{method: "GET", path: "/api/v1/series", right: dialect.Read, read: (*API).series,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"interval", "metrics"}},
	&route{method: "GET", path: "/api/v1/counters", right: dialect.Read, read: (*API).counters,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"property", "segment", "sort", "metrics", "limit", "after"}},
	&route{method: "GET", path: "/api/v1/users", right: dialect.Read, read: (*API).users, names: true,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"sort", "limit", "after"}},
	&route{method: "GET", path: "/api/v1/users/*", right: dialect.Read, read: (*API).user, names: true, takes: takesSite, own: []string{"after"}},
	&route{method: "GET", path: "/api/v1/users/*/events", right: dialect.Read, read: (*API).userEvents, names: true,
		takes: takesSite, own: with(without(filterParams, "user"), "visit.", "saved", "from", "to", "order", "limit", "after")},
	&route{method: "GET", path: "/api/v1/sessions", right: dialect.Read, read: (*API).sessions, names: true,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"limit", "after"}},
	&route{method: "GET", path: "/api/v1/sessions/*", right: dialect.Read, read: (*API).session, names: true, takes: takesSite},
	&route{method: "GET", path: "/api/v1/groups/*", right: dialect.Read, read: (*API).group, names: true, takes: takesSite},
	&route{method: "GET", path: "/api/v1/funnel", right: dialect.Read, read: (*API).funnel,
		takes: takesSite | takesFilters | takesRange | takesSteps | takesCSV, own: []string{"step", "entity", "mode", "window", "split", "limit"}},
	&route{method: "GET", path: "/api/v1/funnel/entities", right: dialect.Read, read: (*API).funnelEntities, names: true,
		takes: takesSite | takesFilters | takesRange | takesSteps, own: []string{"step", "entity", "mode", "window", "split", "at", "state", "limit", "after"}},
	&route{method: "GET", path: "/api/v1/retention", right: dialect.Read, read: (*API).retention,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"start", "return", "period", "cohort", "count"}},
	&route{method: "GET", path: "/api/v1/retention/entities", right: dialect.Read, read: (*API).retentionEntities, names: true,
		takes: takesSite | takesFilters | takesRange, own: []string{"start", "return", "period", "cohort", "count", "at", "cell", "limit", "after"}},
	&route{method: "GET", path: "/api/v1/paths", right: dialect.Read, read: (*API).paths,
		takes: takesSite | takesFilters | takesRange | takesCSV, own: []string{"start", "end", "then", "depth", "of", "anchor", "fold", "limit"}},
	&route{method: "GET", path: "/api/v1/visits", right: dialect.Read, read: (*API).visits,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesSteps | takesTable, own: []string{"by", "goal", "metrics"}},
	&route{method: "GET", path: "/api/v1/pages", right: dialect.Read, read: (*API).pages,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesTable, own: []string{"of"}},
	&route{method: "GET", path: "/api/v1/site", right: dialect.Read, read: (*API).siteInfo, takes: takesSite},
	&route{method: "GET", path: "/api/v1/sites", right: dialect.Read | dialect.Admin, read: (*API).sites, many: true, own: []string{"after", "max_age"}},
	&route{method: "GET", path: "/api/v1/live", right: dialect.Read, read: (*API).live, takes: takesSite | takesFilters, own: []string{"max_age"}},
	&route{method: "GET", path: "/api/v1/live/stream", right: dialect.Read, read: (*API).liveStream, names: true, streams: true, takes: takesSite | takesPlain, own: []string{"after"}},
	&route{method: "GET", path: "/api/v1/saved", right: dialect.Read, read: (*API).allSaved, names: true, takes: takesSite, own: []string{"kind"}},
	&route{method: "POST", path: "/api/v1/saved", right: dialect.Manage, act: (*API).save, body: savedBodyMax, takes: takesSite},
	&route{method: "PUT", path: "/api/v1/saved/*", right: dialect.Manage, act: (*API).save, body: savedBodyMax, takes: takesSite},
	&route{method: "DELETE", path: "/api/v1/saved/*", right: dialect.Manage, act: (*API).unsave, takes: takesSite},
	&route{method: "POST", path: snapshotPath, right: dialect.Write | dialect.Admin, act: (*API).makeSnapshot},
	&route{method: "GET", path: adminPath + "backups", right: dialect.Read | dialect.Admin, read: (*API).backups},
	&route{method: "POST", path: adminPath + "backups", right: dialect.Write | dialect.Admin, act: (*API).backUp, own: []string{"take"}},
	&route{method: "POST", path: adminPath + "login-link", right: dialect.Write | dialect.Admin, act: (*API).makeLoginLink},
	&route{method: "DELETE", path: "/api/v1/users/*", right: dialect.Manage, act: (*API).forget, takes: takesSite, own: deletionParams},
	&route{method: "DELETE", path: "/api/v1/events", right: dialect.Manage, act: (*API).deleteEvents,
		takes: takesSite | takesFilters, own: with(deletionParams, "range", "from", "to")},
	&route{method: "POST", path: adminPath + "reload", right: dialect.Write | dialect.Admin, act: (*API).reload},
	&route{method: "GET", path: adminPath + "sites", right: dialect.Read | dialect.Admin, read: (*API).configuredSites},
	&route{method: "POST", path: adminPath + "sites", right: dialect.Write | dialect.Admin, act: (*API).addSite, body: siteBodyMax},
	&route{method: "GET", path: adminPath + "sites/*", right: dialect.Read | dialect.Admin, read: (*API).configuredSite},
	&route{method: "PATCH", path: adminPath + "sites/*", right: dialect.Write | dialect.Admin, act: (*API).setSite, body: siteBodyMax},
	&route{method: "DELETE", path: adminPath + "sites/*", right: dialect.Write | dialect.Admin, act: (*API).removeSite, own: with(deletionParams, "purge", "keep")},
	&route{method: "GET", path: adminPath + "sites/*/keys", right: dialect.Read | dialect.Admin, read: (*API).siteKeys},
	&route{method: "POST", path: adminPath + "sites/*/keys", right: dialect.Write | dialect.Admin, act: (*API).addKey, body: keyBodyMax},
	&route{method: "GET", path: adminPath + "sites/*/keys/*", right: dialect.Read | dialect.Admin, read: (*API).siteKey},
	&route{method: "PATCH", path: adminPath + "sites/*/keys/*", right: dialect.Write | dialect.Admin, act: (*API).setKey, body: keyBodyMax},
	&route{method: "DELETE", path: adminPath + "sites/*/keys/*", right: dialect.Write | dialect.Admin, act: (*API).removeKey},
	&route{method: "POST", path: adminPath + "sites/*/keys/*/rotate", right: dialect.Write | dialect.Admin, act: (*API).rotateKey, body: keyBodyMax},
	&route{method: "POST", path: adminPath + "token", right: dialect.Write | dialect.Admin, act: (*API).renewAdmin},
	&route{method: "GET", path: adminPath + "retention", right: dialect.Manage, read: (*API).retentionPlan, takes: takesSite},
	&route{method: "GET", path: adminPath + "deletions", right: dialect.Manage, read: (*API).deletions, takes: takesSite, own: []string{"limit", "after"}},
	&route{method: "GET", path: adminPath + "deletions/*", right: dialect.Manage, read: (*API).deletion, takes: takesSite},
	&route{method: "GET", path: adminPath + "rejected", right: dialect.Read | dialect.Admin, read: (*API).rejected, takes: takesSite, own: []string{"limit", "after", "since"}},
	&route{method: "GET", path: "/api/v1/breakdown", right: dialect.Read, read: (*API).breakdown,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesSteps | takesTable, own: []string{"by", "metrics"}},
	&route{method: "GET", path: "/api/v1/aggregate", right: dialect.Read, read: (*API).aggregate,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesSteps | takesTable, own: []string{"of", "by", "metrics"}},
	&route{method: "GET", path: "/api/v1/goals", right: dialect.Read, read: (*API).goals,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesCSV, own: []string{"limit", "after", "search", "at_least"}},
	&route{method: "GET", path: "/api/v1/shop", right: dialect.Read, read: (*API).shop,
		takes: takesSite | takesFilters | takesRange | takesCompare | takesSteps | takesTable, own: []string{"by"}},
	&route{method: "GET", path: "/api/v1/fields", right: dialect.Read, read: (*API).fields,
		takes: takesSite | takesRange, own: []string{"search", "limit"}},
	&route{method: "GET", path: "/api/v1/values", right: dialect.Read, read: (*API).values,
		takes: takesSite | takesFilters | takesRange, own: []string{"field", "search", "limit", "after"}},
)

// declare makes the list of parameters of each call.
func declare(calls ...*route) []*route {
	for _, r := range calls {
		for _, g := range groups {
			if r.takes&g.takes != 0 {
				r.params = append(r.params, g.names...)
			}
		}
		r.params = append(r.params, r.own...)
	}
	return calls
}

// routes is the table in the form that the router takes.
var routes = routesOf(table)

func with(names []string, more ...string) []string { return slices.Concat(names, more) }

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

func routesOf(table []*route) []dialect.Route {
	var routes []dialect.Route
	for _, r := range table {
		route := dialect.Route{
			Methods: []string{r.method}, Path: r.path,
			Auth: dialect.AuthBearer, Right: r.right,
			Reads: r.read != nil, Brief: r.read != nil && !r.streams && !r.exports && !r.many, Streams: r.streams || r.exports, Lasts: r.streams, Kept: r.takes&takesRange != 0, Acts: r.act != nil, Body: r.body,
			Browser: r.read != nil && !strings.HasPrefix(r.path, adminPath) || strings.HasPrefix(r.path, savedPath),
		}
		if r == sendRoute {
			route.Body = EventsBodyMax
		}
		routes = append(routes, route)
	}
	imports := routes[slices.Index(table, sendRoute)]
	imports.Query, imports.Right = importQuery, dialect.Manage
	return append(routes, imports)
}
