// Package native is cairn's own JSON interface below /api/v1/: a dialect that takes
// events, answers every question that the engine answers, and makes snapshots.
// Its contract, /openapi.json, is made of the table of calls and of the files in openapi/.
//
// It asks what it needs through its own interface Engine, with the types of engine/query. It
// does not import the engine.
//
// # How to add a report
//
// A report is a row of the table of calls and a file of its own, such as visits.go:
//
//	{id: "visits", tag: "totals", method: "GET", path: "/api/v1/visits", right: dialect.Read, read: (*API).visits, share: shareNumbers,
//		about:  "Visits in total, step by step and by dimensions",
//		detail: "A visit is a session with at least one action. …",
//		takes:  takesRange | takesCompare | takesSeries | takesTable | takesSite | takesFilters,
//		own: []*param{
//			{name: "by", kind: listKind, about: "A dimension: …", countMax: query.VisitsByMax, what: "dimensions", field: true},
//			sortBy(…), metricsOf(…),
//		},
//		result: "Visits", answers: "The numbers."},
//
// takes names the groups of parameters that many calls share, own its own ones (param.go). All that can be
// said of a parameter without the others, the site and the clock is said there, once: the router, the checks
// and their sentences, /openapi.json, "cairn report -h", the tools of assistants and the tables of
// docs/reports.md have it from there. The call finds its parameters checked:
//
//	func (n *API) visits(ctx context.Context, c *reading) error {
//		a, err := n.ask(ctx, c)
//		…                                   // c.query.choice("entity"), c.query.number("depth"), c.query.lists["by"]
//		answer, as, err := n.engine.VisitReport(ctx, query.VisitReport{Report: a.Report, …})
//		if err != nil {
//			return engineError(err)
//		}
//		if c.has(as) { // sets ETag; the caller has the answer
//			return nil
//		}
//		if a.CSV {
//			c.sendCSV([]string{"value", "visits", "was.visits"}, len(rows), row)
//			return nil
//		}
//		c.out = a.open(c.out, as)           // {"site":…,"as_of":{…}
//		c.out = a.series(c.out, as, step)   // ,"interval":…,"series":[…]
//		c.out = a.next(c.out, len(rows), count)
//		c.out = a.compare(c.out, as, total, step)
//		c.out = append(c.out, '}')
//		return nil
//	}
//
// asked (reports.go) is query.Report and query.Rows as the common parameters say, with the range,
// the compared range and the steps of both. Everything that depends on the clock is written as of
// the answer (query.AsOf.Time), so a kept answer has the same bytes each time. row appends the
// JSON object of a row, for JSON and for CSV alike. numbers.go rounds rates and means.
//
// openapi/ has the schemas of answers and of bodies, and of an operation what the table does not say. A file
// there that is new is listed in openapi.go.
//
//	api.go        the API and what it asks of the engine
//	calls.go      the table of calls: what a row has. The rows are in
//	tablereports.go, tablelists.go, tablethings.go, tableadmin.go
//	param.go      what a parameter may be, and its check; params.go and filterparams.go have those
//	              of several calls
//	native.go     the way of one read through the table, errors
//	query.go      the query string, cursors; filter.go the filters in it
//	time.go       from, to and range of the calls that are no reports
//	ranges.go     range, compare and interval of reports
//	reports.go    the common parameters of reports and the frame of their answers
//	etag.go       ETag and If-None-Match
//	csv.go        a table as CSV; listings.go the calls that are no reports as CSV
//	numbers.go    rates, means and counts
//	breakdown.go  events by any field; aggregate.go the numbers of a property; fields.go what
//	              fields and values there are
//	read.go       the calls about events, people and counters; json.go their answers
//	goals.go      goals; shop.go orders, carts and products
//	funnel.go     funnels, and pages of entities; retention.go, paths.go
//	site.go       what a site is, and all sites
//	live.go       what happens now; stream.go keeps on telling it
//	export.go     all events of a question as a file
//	saved.go      what a site saves; savedbody.go what is sent to be saved
//	deletions.go  deleting events
//	control.go    reload, and making, changing and removing sites: what the process does
//	share.go      what a share of numbers may ask; shared.go holds a call to its share
//	questions.go  the table of calls for those who ask them elsewhere
//	openapi.go    the contract; decode.go events that come in, import.go those of another store;
//	              rejected.go  which events were not taken
//	snapshot.go, backups.go, sinks.go, loginlink.go, keys.go
//	              what the admin's token alone may ask for
//
// # What holds
//
// The numbers are those of the room http, which keeps the others.
//
// H6. A query may name a site; any but the key's own is not found. Every question is about
// the site of the request.
//
// H8. The events of Decode alias the body and the memory in Batch.Scratch until Reply has
// returned. The texts of Read are copies (dialect.Request), so a query may hold them.
//
// N1. There is one table of calls. What it says of a parameter is what a request gets, and what an answer's
// schema says is what is answered (table_test.go, openapi_test.go).
//
// N2. Nothing unknown is ignored: a parameter that its route does not have is 400.
//
// N3. No text that a client sent becomes part of a path on the disk.
package native
