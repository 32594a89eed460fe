package dashboard

import (
	"encoding/json"
	"strings"

	"cairn/http/dialect"
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

var metrics = named([]metric{
	{key: "visitors", help: "People with at least one visit in these days. Each is counted once, however often they came.", unit: unitCount, of: func(n *numbers) *float64 { return n.Visitors }},
	{key: "visits", help: "Times that somebody came and did something. A visit belongs to the day on which it began.", unit: unitCount, of: func(n *numbers) *float64 { return n.Visits }},
	{key: "views", help: "Pages and screens that were looked at, those outside of visits included.", unit: unitCount, of: func(n *numbers) *float64 { return n.Views }},
	{key: "views_per_visit", help: "Page views of all visits, divided by the visits.", unit: unitMean, of: func(n *numbers) *float64 { return n.ViewsPerVisit }},
	{key: "bounce_rate", help: "The part of the visits with fewer than two actions, such as a page view and nothing else.", unit: unitRate, of: func(n *numbers) *float64 { return n.BounceRate }},
	{key: "duration", help: "The mean time from the first to the last event of a visit. Visits of one event count as 0.", unit: unitSeconds, of: func(n *numbers) *float64 { return n.Duration }},
	{key: "converted", help: "Visits that reached the goal.", unit: unitCount, of: func(n *numbers) *float64 { return n.Converted }},
	{key: "conversions", help: "How often the goal was reached.", unit: unitCount, of: func(n *numbers) *float64 { return n.Conversions }},
	{key: "conversion_rate", help: "Visits that reached the goal, divided by all visits.", unit: unitRate, of: func(n *numbers) *float64 { return n.ConversionRate }},
	{key: "goal_value", help: "The sum of the values of the conversions.", unit: unitMoney, of: func(n *numbers) *float64 { return n.GoalValue }},
	{key: "events", help: "Everything that was sent, page views included.", unit: unitCount, of: func(n *numbers) *float64 { return n.Events }},
	{key: "users", help: "People with such an event. Each is counted once.", unit: unitCount, of: func(n *numbers) *float64 { return n.Users }},
	{key: "entries", help: "Visits that began on this page.", unit: unitCount, of: func(n *numbers) *float64 { return n.Entries }},
	{key: "exits", help: "Visits that ended on this page.", unit: unitCount, of: func(n *numbers) *float64 { return n.Exits }},
	{key: "bounces", help: "Visits with fewer than two actions.", unit: unitCount, of: func(n *numbers) *float64 { return n.Bounces }},
	{key: "exit_rate", help: "Visits that ended on this page, divided by all visits that saw it.", unit: unitRate, of: func(n *numbers) *float64 { return n.ExitRate }},
	{key: "time", help: "The mean time from a view of this page to the next page view of the visit, or to its end.", unit: unitSeconds, of: func(n *numbers) *float64 { return n.Time }},
	{key: "share", help: "The part of all events of the table.", unit: unitRate, of: func(n *numbers) *float64 { return n.Share }},
	{key: "count", help: "How many numbers there are. Each one of a list counts.", unit: unitCount, of: func(n *numbers) *float64 { return n.Count }},
	{key: "sum", help: "All numbers added up.", unit: unitNumber, of: func(n *numbers) *float64 { return n.Sum }},
	{key: "avg", help: "The sum, divided by the count.", unit: unitNumber, of: func(n *numbers) *float64 { return n.Avg }},
	{key: "min", help: "The least number.", unit: unitNumber, of: func(n *numbers) *float64 { return n.Min }},
	{key: "max", help: "The greatest number.", unit: unitNumber, of: func(n *numbers) *float64 { return n.Max }},
	{key: "p50", help: "Half of the numbers are not above this one.", unit: unitNumber, of: func(n *numbers) *float64 { return n.P50 }},
	{key: "p90", help: "90 % of the numbers are not above this one.", unit: unitNumber, of: func(n *numbers) *float64 { return n.P90 }},
	{key: "p99", help: "99 % of the numbers are not above this one.", unit: unitNumber, of: func(n *numbers) *float64 { return n.P99 }},
	{key: "revenue", help: "The values of all orders. Refunds are not taken off.", unit: unitMoney, of: func(n *numbers) *float64 { return n.Revenue }},
	{key: "orders", help: "Orders that were sent, each counted once.", unit: unitCount, of: func(n *numbers) *float64 { return n.Orders }},
	{key: "average_order", help: "Revenue divided by orders.", unit: unitMoney, of: func(n *numbers) *float64 { return n.AverageOrder }},
	{key: "customers", help: "People with an order.", unit: unitCount, of: func(n *numbers) *float64 { return n.Customers }},
	{key: "refunds", help: "What was paid back.", unit: unitMoney, of: func(n *numbers) *float64 { return n.Refunds }},
	{key: "carts_abandoned", help: "Visits that ended with something in the cart and no order after it.", unit: unitCount, of: func(n *numbers) *float64 { return n.Abandoned }},
	{key: "carts_value", help: "What lay in the abandoned carts.", unit: unitMoney, of: func(n *numbers) *float64 { return n.CartsValue }},
	{key: "quantity", help: "How many pieces were ordered.", unit: unitCount, of: func(n *numbers) *float64 { return n.Quantity }},
	{key: "average_price", help: "Revenue divided by quantity.", unit: unitMoney, of: func(n *numbers) *float64 { return n.Price }},
})

// named are numbers with what all who show them know of each.
func named(list []metric) []metric {
	for i := range list {
		m := &list[i]
		m.title, m.less = dialect.NumberTitle(m.key), dialect.LessIsBetter(m.key)
	}
	return list
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
