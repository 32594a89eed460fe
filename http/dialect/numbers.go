package dialect

import "slices"

// This file names the numbers of answers of the native API, as people read them on screens, in terminals and
// in mails.

// NumberTitle is what a number is called to people, by its name in the API; "" = it is not known.
func NumberTitle(key string) string { return numberTitles[key] }

// LessIsBetter reports whether a number is better the smaller it is.
func LessIsBetter(key string) bool { return slices.Contains(betterLess, key) }

var betterLess = []string{"bounce_rate", "exit_rate", "bounces", "not_numbers", "refunds", "carts_abandoned", "carts_value", "dropped"}

var numberTitles = map[string]string{
	"visitors":        "Visitors",
	"visits":          "Visits",
	"conversions":     "Conversions",
	"conversion_rate": "Conversion rate",
	"goal_value":      "Goal value",
	"views":           "Page views",
	"events":          "Events",
	"users":           "People",
	"sessions":        "Sessions",
	"share":           "Share",
	"views_per_visit": "Views per visit",
	"entries":         "Entries",
	"exits":           "Exits",
	"bounce_rate":     "Bounce rate",
	"exit_rate":       "Exit rate",
	"duration":        "Visit duration",
	"time":            "Time on page",
	"new_visits":      "New visits",
	"bounces":         "Bounces",
	"duration_median": "Median duration",
	"duration_timed":  "Timed duration",
	"converted":       "Converted visits",
	"count":           "Count",
	"sum":             "Sum",
	"avg":             "Mean",
	"min":             "Least",
	"max":             "Greatest",
	"p50":             "Median",
	"p90":             "p90",
	"p95":             "p95",
	"p99":             "p99",
	"distinct":        "Distinct",
	"not_numbers":     "No numbers",
	"values":          "Values",
	"revenue":         "Revenue",
	"orders":          "Orders",
	"average_order":   "Average order",
	"customers":       "Customers",
	"quantity":        "Quantity",
	"average_price":   "Average price",
	"refunds":         "Refunds",
	"carts_abandoned": "Abandoned carts",
	"carts_value":     "Left in carts",
	"items":           "Items",
	"subtotal":        "Subtotal",
	"tax":             "Tax",
	"shipping":        "Shipping",
	"discount":        "Discount",
	"visitors_30":     "Visitors, 30 minutes",
	"views_30":        "Page views, 30 minutes",
	"events_30":       "Events, 30 minutes",
	"entered":         "Entered",
	"rate":            "Rate",
	"step_rate":       "Of the step before",
	"dropped":         "Dropped",
	"median":          "Median time",
	"actions":         "Actions",
	"values_about":    "Values, about",
}
