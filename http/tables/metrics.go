package tables

import (
	"slices"

	"cairn/http/dialect"
)

// This file is the table of the numbers of answers: their order, and how they are written. What people call
// them is in http/dialect.

type metric struct {
	key, title string
	kind       Kind
	less       bool // less of it is better
}

// metrics has them in the order of columns. A number that it does not know comes last, under its
// name in the API.
var metrics = named([]metric{
	{key: "visitors", kind: KindCount},
	{key: "visits", kind: KindCount},
	{key: "conversions", kind: KindCount},
	{key: "conversion_rate", kind: KindRate},
	{key: "goal_value", kind: KindMoney},
	{key: "views", kind: KindCount},
	{key: "events", kind: KindCount},
	{key: "users", kind: KindCount},
	{key: "sessions", kind: KindCount},
	{key: "share", kind: KindRate},
	{key: "views_per_visit", kind: KindNumber},
	{key: "entries", kind: KindCount},
	{key: "exits", kind: KindCount},
	{key: "bounce_rate", kind: KindRate},
	{key: "exit_rate", kind: KindRate},
	{key: "duration", kind: KindSeconds},
	{key: "time", kind: KindSeconds},
	{key: "new_visits", kind: KindCount},
	{key: "bounces", kind: KindCount},
	{key: "duration_median", kind: KindSeconds},
	{key: "duration_timed", kind: KindSeconds},
	{key: "converted", kind: KindCount},
	{key: "count", kind: KindCount},
	{key: "sum", kind: KindNumber},
	{key: "avg", kind: KindNumber},
	{key: "min", kind: KindNumber},
	{key: "max", kind: KindNumber},
	{key: "p50", kind: KindNumber},
	{key: "p90", kind: KindNumber},
	{key: "p95", kind: KindNumber},
	{key: "p99", kind: KindNumber},
	{key: "distinct", kind: KindCount},
	{key: "not_numbers", kind: KindCount},
	{key: "values", kind: KindCount},
	{key: "revenue", kind: KindMoney},
	{key: "orders", kind: KindCount},
	{key: "average_order", kind: KindMoney},
	{key: "customers", kind: KindCount},
	{key: "quantity", kind: KindNumber},
	{key: "average_price", kind: KindMoney},
	{key: "refunds", kind: KindMoney},
	{key: "carts_abandoned", kind: KindCount},
	{key: "carts_value", kind: KindMoney},
	{key: "items", kind: KindNumber},
	{key: "subtotal", kind: KindMoney},
	{key: "tax", kind: KindMoney},
	{key: "shipping", kind: KindMoney},
	{key: "discount", kind: KindMoney},
	{key: "visitors_30", kind: KindCount},
	{key: "views_30", kind: KindCount},
	{key: "events_30", kind: KindCount},
	{key: "entered", kind: KindCount},
	{key: "rate", kind: KindRate},
	{key: "step_rate", kind: KindRate},
	{key: "dropped", kind: KindCount},
	{key: "median", kind: KindSeconds},
	{key: "actions", kind: KindCount},
	{key: "values_about", kind: KindCount},
})

// named are numbers with what all who show them know of each.
func named(list []metric) []metric {
	for i := range list {
		m := &list[i]
		m.title, m.less = dialect.NumberTitle(m.key), dialect.LessIsBetter(m.key)
	}
	return list
}

// known reports whether the table has a number.
func known(key string) bool {
	return slices.ContainsFunc(metrics, func(m metric) bool { return m.key == key })
}

// metricOf is the number of a name in the API.
func metricOf(key string) metric {
	for _, m := range metrics {
		if m.key == key {
			return m
		}
	}
	return metric{key: key, title: Safe(key), kind: KindNumber}
}

// plurals are the titles of tables by a field; others are "By" and the field.
var plurals = map[string]string{
	"channel": "Channels", "source": "Sources", "referrer": "Referrers", "campaign": "Campaigns", "medium": "Mediums", "term": "Terms", "content": "Contents",
	"page": "Pages", "entry": "Entry pages", "exit": "Exit pages", "title": "Titles", "host": "Hosts", "url": "Addresses",
	"country": "Countries", "region": "Regions", "city": "Cities", "language": "Languages",
	"browser": "Browsers", "os": "Systems", "device": "Devices", "screen": "Screens", "browser_version": "Versions", "name": "Events",
}
