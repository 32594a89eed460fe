package dashboard

import (
	"encoding/json"
	"strings"
)

// This file is the table of the numbers that screens show: their names in the API and to people,
// what they mean, and how they are written.

// unit is how a number is written.
type unit uint8

const (
	unitCount   unit = iota // 1,234
	unitRate                // 44.4 %, of 0.444
	unitSeconds             // 3 m 43 s
	unitMean                // 3.8
	unitMoney               // 1,234.50
	unitNumber              // 0.0125, 41.81
)

// numbers are the numbers of an answer, of a row or of a step of a series. What the API leaves
// out, or cannot tell, is nil.
type numbers struct {
	Visits         *float64 `json:"visits"`
	Visitors       *float64 `json:"visitors"`
	NewVisits      *float64 `json:"new_visits"`
	Views          *float64 `json:"views"`
	Events         *float64 `json:"events"`
	Users          *float64 `json:"users"`
	Sessions       *float64 `json:"sessions"`
	Bounces        *float64 `json:"bounces"`
	BounceRate     *float64 `json:"bounce_rate"`
	ViewsPerVisit  *float64 `json:"views_per_visit"`
	Duration       *float64 `json:"duration"`
	Converted      *float64 `json:"converted"`
	Conversions    *float64 `json:"conversions"`
	ConversionRate *float64 `json:"conversion_rate"`
	GoalValue      *float64 `json:"goal_value"`
	Entries        *float64 `json:"entries"`
	Exits          *float64 `json:"exits"`
	ExitRate       *float64 `json:"exit_rate"`
	Time           *float64 `json:"-"` // a step of a series has a time of another kind
	Share          *float64 `json:"share"`
	Count          *float64 `json:"count"`
	Sum            *float64 `json:"sum"`
	Avg            *float64 `json:"avg"`
	Min            *float64 `json:"min"`
	Max            *float64 `json:"max"`
	P50            *float64 `json:"p50"`
	P90            *float64 `json:"p90"`
	P99            *float64 `json:"p99"`
	Orders         *float64 `json:"orders"`
	Revenue        *float64 `json:"revenue"`
	Refunds        *float64 `json:"refunds"`
	AverageOrder   *float64 `json:"average_order"`
	Customers      *float64 `json:"customers"`
	Abandoned      *float64 `json:"carts_abandoned"`
	CartsValue     *float64 `json:"carts_value"`
	Quantity       *float64 `json:"quantity"`
	Price          *float64 `json:"average_price"`
}

// metric is one number.
type metric struct {
	key   string // in the API
	title string
	help  string // what it means, in a sentence
	unit  unit
	less  bool // less of it is better
	of    func(*numbers) *float64
}

var metrics = []metric{
	{"visitors", "Visitors", "People with at least one visit in these days. Each is counted once, however often they came.", unitCount, false, func(n *numbers) *float64 { return n.Visitors }},
	{"visits", "Visits", "Times that somebody came and did something. A visit belongs to the day on which it began.", unitCount, false, func(n *numbers) *float64 { return n.Visits }},
	{"views", "Page views", "Pages and screens that were looked at, those outside of visits included.", unitCount, false, func(n *numbers) *float64 { return n.Views }},
	{"views_per_visit", "Views per visit", "Page views of all visits, divided by the visits.", unitMean, false, func(n *numbers) *float64 { return n.ViewsPerVisit }},
	{"bounce_rate", "Bounce rate", "The part of the visits with fewer than two actions, such as a page view and nothing else.", unitRate, true, func(n *numbers) *float64 { return n.BounceRate }},
	{"duration", "Visit duration", "The mean time from the first to the last event of a visit. Visits of one event count as 0.", unitSeconds, false, func(n *numbers) *float64 { return n.Duration }},
	{"converted", "Converted visits", "Visits that reached the goal.", unitCount, false, func(n *numbers) *float64 { return n.Converted }},
	{"conversions", "Conversions", "How often the goal was reached.", unitCount, false, func(n *numbers) *float64 { return n.Conversions }},
	{"conversion_rate", "Conversion rate", "Visits that reached the goal, divided by all visits.", unitRate, false, func(n *numbers) *float64 { return n.ConversionRate }},
	{"goal_value", "Goal value", "The sum of the values of the conversions.", unitMoney, false, func(n *numbers) *float64 { return n.GoalValue }},
	{"events", "Events", "Everything that was sent, page views included.", unitCount, false, func(n *numbers) *float64 { return n.Events }},
	{"users", "People", "People with such an event. Each is counted once.", unitCount, false, func(n *numbers) *float64 { return n.Users }},
	{"entries", "Entries", "Visits that began on this page.", unitCount, false, func(n *numbers) *float64 { return n.Entries }},
	{"exits", "Exits", "Visits that ended on this page.", unitCount, false, func(n *numbers) *float64 { return n.Exits }},
	{"bounces", "Bounces", "Visits with fewer than two actions.", unitCount, true, func(n *numbers) *float64 { return n.Bounces }},
	{"exit_rate", "Exit rate", "Visits that ended on this page, divided by all visits that saw it.", unitRate, true, func(n *numbers) *float64 { return n.ExitRate }},
	{"time", "Time on page", "The mean time from a view of this page to the next page view of the visit, or to its end.", unitSeconds, false, func(n *numbers) *float64 { return n.Time }},
	{"share", "Share", "The part of all events of the table.", unitRate, false, func(n *numbers) *float64 { return n.Share }},
	{"count", "Count", "How many numbers there are. Each one of a list counts.", unitCount, false, func(n *numbers) *float64 { return n.Count }},
	{"sum", "Sum", "All numbers added up.", unitNumber, false, func(n *numbers) *float64 { return n.Sum }},
	{"avg", "Mean", "The sum, divided by the count.", unitNumber, false, func(n *numbers) *float64 { return n.Avg }},
	{"min", "Least", "The least number.", unitNumber, false, func(n *numbers) *float64 { return n.Min }},
	{"max", "Greatest", "The greatest number.", unitNumber, false, func(n *numbers) *float64 { return n.Max }},
	{"p50", "Median", "Half of the numbers are not above this one.", unitNumber, false, func(n *numbers) *float64 { return n.P50 }},
	{"p90", "p90", "90 % of the numbers are not above this one.", unitNumber, false, func(n *numbers) *float64 { return n.P90 }},
	{"p99", "p99", "99 % of the numbers are not above this one.", unitNumber, false, func(n *numbers) *float64 { return n.P99 }},
	{"revenue", "Revenue", "The values of all orders. Refunds are not taken off.", unitMoney, false, func(n *numbers) *float64 { return n.Revenue }},
	{"orders", "Orders", "Orders that were sent, each counted once.", unitCount, false, func(n *numbers) *float64 { return n.Orders }},
	{"average_order", "Average order", "Revenue divided by orders.", unitMoney, false, func(n *numbers) *float64 { return n.AverageOrder }},
	{"customers", "Customers", "People with an order.", unitCount, false, func(n *numbers) *float64 { return n.Customers }},
	{"refunds", "Refunds", "What was paid back.", unitMoney, true, func(n *numbers) *float64 { return n.Refunds }},
	{"carts_abandoned", "Abandoned carts", "Visits that ended with something in the cart and no order after it.", unitCount, true, func(n *numbers) *float64 { return n.Abandoned }},
	{"carts_value", "Left in carts", "What lay in the abandoned carts.", unitMoney, true, func(n *numbers) *float64 { return n.CartsValue }},
	{"quantity", "Quantity", "How many pieces were ordered.", unitCount, false, func(n *numbers) *float64 { return n.Quantity }},
	{"average_price", "Average price", "Revenue divided by quantity.", unitMoney, false, func(n *numbers) *float64 { return n.Price }},
}

// metricOf is the metric of a key; nil when there is none.
func metricOf(key string) *metric {
	for i := range metrics {
		if metrics[i].key == key {
			return &metrics[i]
		}
	}
	return nil
}

// metricsOf are the metrics of some keys.
func metricsOf(keys ...string) (list []*metric) {
	for _, key := range keys {
		if m := metricOf(key); m != nil {
			list = append(list, m)
		}
	}
	return list
}

// only is the parameter that asks visits for some numbers alone: a median, which no screen shows,
// costs as much as a table.
func only(list []*metric) pair {
	keys := make([]string, len(list))
	for i, m := range list {
		keys[i] = m.key
	}
	return pair{"metrics", strings.Join(keys, ",")}
}

// row is a row of a table of the API.
type row struct {
	value *string
	in    map[string]*string
	numbers
	was   *numbers
	goal  string   // what a goal asks
	about []string // of a product: its name, and its currency
	money string   // the currency of its sums; "" = none is known
}

// UnmarshalJSON reads a row. Its time is a mean of seconds in pages.
func (r *row) UnmarshalJSON(b []byte) error {
	var plain struct {
		Value *string            `json:"value"`
		In    map[string]*string `json:"in"`
		Name  string             `json:"name"`
		Money string             `json:"currency"`
		Time  *float64           `json:"time"`
		Was   *struct {
			numbers
			Time *float64 `json:"time"`
		} `json:"was"`
		numbers
	}
	if err := json.Unmarshal(b, &plain); err != nil {
		return err
	}
	*r = row{value: plain.Value, in: plain.In, numbers: plain.numbers, money: plain.Money}
	for _, text := range []string{plain.Name, plain.Money} {
		if text != "" {
			r.about = append(r.about, text)
		}
	}
	r.Time = plain.Time
	if plain.Was != nil {
		r.was = &plain.Was.numbers
		r.was.Time = plain.Was.Time
	}
	return nil
}
