package native

import (
	"context"
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file is the table of calls: what a row has, and what of it the router takes. The rows are in
// tablereports.go, tablelists.go, tablethings.go and tableadmin.go, their parameters in params.go and
// filterparams.go. Nobody else lists calls or parameters: the router, the checks of parameters, the
// contract (openapi.go), those who ask elsewhere (questions.go) and the tables of docs/reports.md read them
// here.

// route is one row of the table: what is answered, who may ask, and which parameters the query
// may have.
type route struct {
	id, tag      string   // in the contract
	method, path string   // "*" is one path segment
	ids          []*param // what stands for each "*"
	right        dialect.Right
	about        string // one sentence, without a full stop
	detail       string // more sentences; "" = none
	takes        takes  // groups of parameters that many calls share
	own          []*param
	read         func(*API, context.Context, *reading) error // nil for writes and acts
	act          func(*API, context.Context, *reading) error // changes something that is no event; nil for others
	body         int64                                       // bytes of the body at most; 0 = it is not read

	result  string // the schema of the answer; "" = openapi/ says what it is
	answers string // what the answer is, one sentence

	many      bool // it asks many questions: they have ten seconds together
	streams   bool // the answer is a stream that lasts
	exports   bool // the answer is a stream that ends when everything is sent
	fills     bool // a read that needs memory, or else the disk: it may be refused with 507
	conflicts bool // it may be refused with 409

	// names says that the answer names people, whatever is asked. A share of numbers may not
	// ask such a call.
	names bool
	share share
	// unfiltered says that a share with a filter may ask it though it takes none.
	unfiltered bool

	params paramList // all of it, made by declare: its own ones first
}

// share says which shares may ask a call.
type share uint8

const (
	shareNever   share = iota // none
	sharePeople               // those that show people
	shareNumbers              // those of numbers as well
)

// takes are the groups of parameters of a call.
type takes uint16

const (
	takesRange   takes = 1 << iota // range, from, to, max_age; the answer has an ETag. Without a range it is about 30 days
	takesAll                       // the same, but without a range it is about everything
	takesCompare                   // compare
	takesSteps                     // interval, without which there is no series
	takesSeries                    // interval, with a series unless it is none
	takesRows                      // limit, after, search, order, at_least: which rows of a table
	takesCSV                       // format
	takesSite                      // site
	takesFilters                   // plain filters, visit. filters, saved ones
	takesPlain                     // plain filters and saved ones
	takesOthers                    // those of takesFilters but user
	takesTable   = takesRows | takesCSV
)

// groups says what each of takes stands for, in the order in which parameters are listed.
var groups = []struct {
	takes takes
	name  string
	list  paramList
}{
	{takesRange, "range", paramList{paramRange, paramFrom, paramTo, paramMaxAge}},
	{takesAll, "range", paramList{paramRangeOfAll, paramFrom, paramTo, paramMaxAge}},
	{takesCompare, "compare", paramList{paramCompare}},
	{takesSteps, "series", paramList{paramSteps}},
	{takesSeries, "series", paramList{paramSeries}},
	{takesRows, "rows", paramList{paramRows, paramCursor, paramSearch, paramRowOrder, paramAtLeast}},
	{takesCSV, "csv", paramList{paramFormat}},
	{takesSite, "site", paramList{paramSite}},
	{takesFilters, "filters", append(slices.Clip(plainFilters), paramVisit, paramSaved)},
	{takesPlain, "filters", append(slices.Clip(plainFilters), paramSaved)},
	{takesOthers, "filters", slices.DeleteFunc(append(slices.Clip(plainFilters), paramVisit, paramSaved), func(p *param) bool { return p == paramUser })},
}

// sendRoute is the route that writes.
var sendRoute = &route{id: "sendEvents", tag: "events", method: "POST", path: "/api/v1/events", right: dialect.Write,
	about:  "Store one event, an array of events, or one event per line",
	detail: "A request has at most 10,000 events and 8 MiB (after decompression); an event has at most 32 KiB as sent. In an array or NDJSON, the good events are stored in one atomic write and the bad ones are listed in `rejected`. A malformed line is an error of that event only; a malformed array refuses the whole request. The server detects nothing from the connection: send what you know of the visitor in the event's `context`.",
	takes:  takesSite,
	own: []*param{
		{name: "import", kind: singleKind, about: "1: the events happened elsewhere, and may have the members `received`, `dialect`, `session_of`, `heartbeat`, `uncounted` and `source` (see EventInput). Such an event has at most 2 MiB. Needs a key that may read and write and is private: a secret_key or the admin_token. An event with a `message_id` is a duplicate if one with that id was received within 24 hours before its own `received`, or later; so a request that failed can be sent again at any time.", values: []string{"1"}},
	},
	result: "Accepted", answers: "Every event is stored, or was stored before (a duplicate)."}

// importQuery makes the events of sendRoute imported ones. A public key must not send those. The
// router knows this spelling alone, so Decode looks at the right as well.
const importQuery = "import=1"

// adminPath begins the paths that no session of a browser may ask.
const adminPath = "/api/v1/admin/"

const snapshotPath = adminPath + "snapshot"

// savedPath begins the paths of the calls that change what is saved: the only changes that a
// browser's session may make.
const savedPath = "/api/v1/saved"

// table is all calls, the questions first in the order in which they are listed.
var table = declare(slices.Concat(reportCalls, listCalls, []*route{sendRoute}, thingCalls, adminCalls)...)

// declare makes the list of parameters of each call.
func declare(calls ...*route) []*route {
	for _, r := range calls {
		r.params = r.own
		for _, g := range groups {
			if r.takes&g.takes != 0 {
				r.params = append(r.params, g.list...)
			}
		}
	}
	return calls
}

// ranged says that the answer is about a range of time, and has an ETag.
func (r *route) ranged() bool { return r.takes&(takesRange|takesAll) != 0 }

// isQuestion says that a call answers with one JSON object about a site or all of them, and needs no id:
// what a person, a script or an assistant may ask. What is saved is asked by the dashboard alone.
func (r *route) isQuestion() bool {
	return r.read != nil && !r.streams && !r.exports && len(r.ids) == 0 && !strings.HasPrefix(r.path, adminPath) && r.path != savedPath
}

// savedParams are what the query of a filter or a funnel may have: whatever any call takes, but
// neither site nor saved.
var savedParams paramList

func init() { // it depends on the table, and calls of the table on it
	savedParams = append(slices.Clip(plainFilters), paramVisit)
	for _, r := range table {
		for _, p := range r.params {
			if p != paramSite && p != paramSaved && savedParams.find(p.stands()[0]) == nil {
				savedParams = append(savedParams, p)
			}
		}
	}
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
			Reads: r.read != nil, Brief: r.read != nil && !r.streams && !r.exports && !r.many, Streams: r.streams || r.exports, Lasts: r.streams, Kept: r.ranged(), Acts: r.act != nil, Body: r.body,
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
