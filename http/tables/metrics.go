package tables

import "slices"

// This file is the table of the numbers of answers: their names in the API and to people, and how
// they are written. The dashboard calls them the same.

type metric struct {
	key, title string
	kind       Kind
	less       bool // less of it is better
}

// metrics has them in the order of columns. A number that it does not know comes last, under its
// name in the API.
var metrics = []metric{
	{"visitors", "Visitors", KindCount, false},
	{"visits", "Visits", KindCount, false},
	{"conversions", "Conversions", KindCount, false},
	{"conversion_rate", "Conversion rate", KindRate, false},
	{"goal_value", "Goal value", KindMoney, false},
	{"views", "Page views", KindCount, false},
	{"events", "Events", KindCount, false},
	{"users", "People", KindCount, false},
	{"sessions", "Sessions", KindCount, false},
	{"share", "Share", KindRate, false},
	{"views_per_visit", "Views per visit", KindNumber, false},
	{"entries", "Entries", KindCount, false},
	{"exits", "Exits", KindCount, false},
	{"bounce_rate", "Bounce rate", KindRate, true},
	{"exit_rate", "Exit rate", KindRate, true},
	{"duration", "Visit duration", KindSeconds, false},
	{"time", "Time on page", KindSeconds, false},
	{"new_visits", "New visits", KindCount, false},
	{"bounces", "Bounces", KindCount, true},
	{"duration_median", "Median duration", KindSeconds, false},
	{"duration_timed", "Timed duration", KindSeconds, false},
	{"converted", "Converted visits", KindCount, false},
	{"count", "Count", KindCount, false},
	{"sum", "Sum", KindNumber, false},
	{"avg", "Mean", KindNumber, false},
	{"min", "Least", KindNumber, false},
	{"max", "Greatest", KindNumber, false},
	{"p50", "Median", KindNumber, false},
	{"p90", "p90", KindNumber, false},
	{"p95", "p95", KindNumber, false},
	{"p99", "p99", KindNumber, false},
	{"distinct", "Distinct", KindCount, false},
	{"not_numbers", "No numbers", KindCount, true},
	{"values", "Values", KindCount, false},
	{"revenue", "Revenue", KindMoney, false},
	{"orders", "Orders", KindCount, false},
	{"average_order", "Average order", KindMoney, false},
	{"customers", "Customers", KindCount, false},
	{"quantity", "Quantity", KindNumber, false},
	{"average_price", "Average price", KindMoney, false},
	{"refunds", "Refunds", KindMoney, true},
	{"carts_abandoned", "Abandoned carts", KindCount, true},
	{"carts_value", "Left in carts", KindMoney, true},
	{"items", "Items", KindNumber, false},
	{"subtotal", "Subtotal", KindMoney, false},
	{"tax", "Tax", KindMoney, false},
	{"shipping", "Shipping", KindMoney, false},
	{"discount", "Discount", KindMoney, false},
	{"visitors_30", "Visitors, 30 minutes", KindCount, false},
	{"views_30", "Page views, 30 minutes", KindCount, false},
	{"events_30", "Events, 30 minutes", KindCount, false},
	{"entered", "Entered", KindCount, false},
	{"rate", "Rate", KindRate, false},
	{"step_rate", "Of the step before", KindRate, false},
	{"dropped", "Dropped", KindCount, true},
	{"median", "Median time", KindSeconds, false},
	{"actions", "Actions", KindCount, false},
	{"values_about", "Values, about", KindCount, false},
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
