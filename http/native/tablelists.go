package native

import (
	"cairn/engine/calendar"
	"cairn/http/dialect"
)

// These rows of the table of calls are the calls that are no reports: totals, lists, and what a site is.

var listCalls = []*route{
	{id: "countEvents", tag: "totals", method: "GET", path: "/api/v1/count", right: dialect.Read, read: (*API).count, share: shareNumbers,
		about:  "Count events, persons and sessions",
		detail: "The numbers are exact. `events` is the length of the listing with the same filters.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own:    []*param{paramMetrics},
		result: "Totals", answers: "The totals."},
	{id: "countSeries", tag: "totals", method: "GET", path: "/api/v1/series", right: dialect.Read, read: (*API).series, share: shareNumbers,
		about:  "The totals of each minute, hour, day, week or month",
		detail: "Buckets follow the clock of the site's time zone; weeks begin on Monday. The series includes empty buckets. It goes from `from` to `to`. Without `from` it begins at the first bucket with events, and without `to` it ends at the last one. More than 10,000 buckets get 400.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own: []*param{
			{name: "interval", kind: singleKind, about: "The steps of the series, at most 10,000.", values: calendar.Intervals, absent: "day"},
			paramMetrics,
		},
		result: "Series", answers: "The buckets, the oldest first."},
	{id: "listCounters", tag: "totals", method: "GET", path: "/api/v1/counters", right: dialect.Read, read: (*API).counters, share: shareNumbers,
		about:  "The running totals of a property's values",
		detail: "The counters cover every scalar in the properties of events, and also name, title, country, region, city, browser, platform, device, language, referrer_host and utm_*. Without `property` the rows are the properties themselves. A property has at most 10,000 distinct values a day; further values count under `(other)`. A day has at most 4,096 property names; an event with further ones counts once for all of them, as value `(other)` of the property `(other)`. `events` is the sum of the events' increments. `sessions` and `users` are exact distinct counts, also in `total`. Filters choose the events that are counted. `value` is no filter here: it names the values of the property that are wanted.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own: []*param{
			{name: "property", kind: singleKind, field: true, about: "A dotted path, or one of the names above. Another key of the context, such as `url`, is refused, unless the site has a property of this name."},
			{name: "segment", kind: singleKind, field: true, about: "Split each value by this property (platform, browser, country, or one that events name in `segments`); needs `property`."},
			{name: "sort", kind: singleKind, about: "`events`, `users` and `sessions` put the largest number first and must be one of the `metrics`. `value` sorts by text.", values: with(metricNames, "value"), absent: "events", field: true},
			paramMetrics,
			paramLimit,
			{name: "after", kind: singleKind, about: "The `next` of the previous page; it is valid only for the same query."},
		},
		fills: true, result: "CounterPage", answers: "One page of rows."},
	{id: "listEvents", tag: "events", method: "GET", path: "/api/v1/events", right: dialect.Read, read: (*API).events, names: true, share: sharePeople,
		about:  "List events, the newest first",
		detail: "Events, including backdated ones, are listed in the order in which they were received. A page ends after `limit` events or 1 MiB. For the next page, send its `next` as `after`, with the same filters. A walk over all pages sees each event once, even when more events are stored meanwhile.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own:    []*param{paramOrder, paramLimit, paramAfter},
		result: "EventPage", answers: "One page."},
	{id: "listSessions", tag: "people", method: "GET", path: "/api/v1/sessions", right: dialect.Read, read: (*API).sessions, names: true, share: sharePeople,
		about:  "List sessions, the newest first",
		detail: "Sessions are ordered by their first event. With filters or a range, a session is listed when one of its events satisfies all of them.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own:    []*param{paramLimit, paramAfter},
		result: "SessionPage", answers: "One page."},
	{id: "listUsers", tag: "people", method: "GET", path: "/api/v1/users", right: dialect.Read, read: (*API).users, names: true, share: sharePeople,
		about:  "List persons, the newest first",
		detail: "Persons are ordered by their first event, the newest first. With filters or a range, the persons of such events are listed. `user~=ann*` finds persons by their ids. With `sort=last` the persons whose latest (such) event is newest come first, in one page without a cursor.",
		takes:  takesAll | takesCSV | takesSite | takesFilters,
		own: []*param{
			{name: "sort", kind: singleKind, about: "`first`: by the first event of a person. `last`: by the latest one.", values: []string{"first", "last"}, absent: "first", field: true},
			paramLimit,
			paramAfter,
		},
		result: "UserPage", answers: "One page."},
	{id: "site", tag: "server", method: "GET", path: "/api/v1/site", right: dialect.Read, read: (*API).siteInfo, share: shareNumbers, unfiltered: true,
		about:  "What a site is, and what the key may do",
		takes:  takesSite,
		result: "Site", answers: "The site."},
	{id: "listSites", tag: "server", method: "GET", path: "/api/v1/sites", right: dialect.Read | dialect.Admin, read: (*API).sites, many: true,
		about:  "All sites by name, each with its last seven days",
		detail: "Needs the admin token. At most 100 on a page.",
		own: []*param{
			{name: "after", kind: singleKind, about: "The `next` of the previous page."},
			paramMaxAge,
		},
		fills: true, result: "Sites", answers: "One page."},
}
