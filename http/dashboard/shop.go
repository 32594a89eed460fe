package dashboard

// This file is the screen of a shop: its numbers by currency, their course, products, and where
// revenue comes from.

// shopAnswer is the answer of the call shop.
type shopAnswer struct {
	frameAnswer
	Totals   []shopTotal `json:"totals"`
	Interval string      `json:"interval"`
	Series   []shopStep  `json:"series"`
	Products tableAnswer `json:"products"`
	Compare  *struct {
		From   string      `json:"from"`
		To     string      `json:"to"`
		Totals []shopTotal `json:"totals"`
		Series []shopStep  `json:"series"`
	} `json:"compare"`
}

// shopTotal are the numbers of a currency.
type shopTotal struct {
	Currency string `json:"currency"`
	numbers
}

// shopStep is a step of the series of a currency.
type shopStep struct {
	Currency string `json:"currency"`
	step
}

// shopMetrics are the numbers on top.
var shopMetrics = metricsOf("revenue", "orders", "average_order", "conversion_rate", "customers", "refunds", "carts_abandoned", "carts_value")

var productTabs = []tab{{"sku", "Products"}, {"product", "Names"}, {"category", "Categories"}}

// shop is the screen of a shop. Its products come with its numbers, in one question.
func shop(p *page) [][]*panel {
	n := &panel{name: "products", tabs: productTabs, tab: p.state.tabOf(productTabs), lines: rowsShort, wide: true}
	t := &table{call: "shop", columns: metricsOf("revenue", "orders", "quantity", "average_price"), short: 4}
	switch n.tab {
	case "sku":
		t.by, t.head = "sku", "Product"
	case "product":
		t.by, t.head = "name", "Name"
	case "category":
		t.by, t.head = "category", "Category"
	}
	t.own = state{{"by", t.by}}
	full := p.state.get("_full") == n.name
	if p.fill(n, t, full); full {
		return [][]*panel{{n}}
	}
	source := p.revenueBy("sources", "Revenue by source", "source")
	campaign := p.revenueBy("campaigns", "Revenue by campaign", "campaign")
	for _, n := range []*panel{source, campaign} {
		if p.state.get("_full") == n.name {
			n.wide = true
			return [][]*panel{{n}}
		}
	}
	return [][]*panel{
		{{name: "numbers", title: "Numbers", wide: true, lines: 3, ask: n.ask, view: func(q *asked) (body, *failure) { return p.shopTiles(q) }}},
		{{name: "chart", title: "Revenue over time", wide: true, lines: 9, ask: n.ask, csv: p.shopSeries, view: func(q *asked) (body, *failure) { return p.shopChart(q) }}},
		{n},
		{source, campaign},
	}
}

// currency is the currency that is shown: that of the address, else the one with the most orders.
func (p *page) currency(a *shopAnswer) string {
	if asked := p.state.get("_currency"); asked != "" {
		return asked
	}
	if len(a.Totals) > 0 {
		return a.Totals[0].Currency
	}
	return ""
}

// shopTiles are the numbers of a currency.
func (p *page) shopTiles(q *asked) (body, *failure) {
	var a shopAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	p.note(&a.frameAnswer)
	if len(a.Totals) == 0 {
		return body{Empty: p.empty()}, nil
	}
	currency := p.currency(&a)
	var now, was *numbers
	var currencies []link
	for i := range a.Totals {
		c := a.Totals[i].Currency
		if c == currency {
			now = &a.Totals[i].numbers
		}
		currencies = append(currencies, link{Text: orWords(c, textNoCurrency), Href: p.href(p.state.with("_currency", c)), On: c == currency})
	}
	if a.Compare != nil {
		was = new(numbers)
		for i := range a.Compare.Totals {
			if a.Compare.Totals[i].Currency == currency {
				was = &a.Compare.Totals[i].numbers
			}
		}
	}
	if now == nil {
		return body{Empty: p.empty()}, nil
	}
	v := p.viewTiles(shopMetrics, now, was)
	if v.Currency = currency; len(currencies) > 1 {
		v.Currencies = currencies
	}
	return body{Tiles: v}, nil
}

// shopChart is the course of revenue in a currency.
func (p *page) shopChart(q *asked) (body, *failure) {
	var a shopAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	currency := p.currency(&a)
	steps := func(list []shopStep) (steps []step) {
		for _, s := range list {
			if s.Currency == currency {
				steps = append(steps, s.step)
			}
		}
		return steps
	}
	var before []step
	if a.Compare != nil {
		before = steps(a.Compare.Series)
	}
	now := steps(a.Series)
	if len(now) == 0 {
		return body{Empty: p.empty()}, nil
	}
	c := p.courseOf(metricOf("revenue"), a.Interval, now, before, nil)
	if a.Compare != nil {
		c.BeforeName = p.spanText(a.Compare.From, a.Compare.To)
	}
	return body{Chart: &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(a.Interval)}}, nil
}

// shopSeries is the address of the course of revenue as CSV: that of the call without a by.
func (p *page) shopSeries(q *asked) string {
	return p.apiHref(q.call, parseRaw(q.query).without("by").String(), "csv")
}

// revenueBy is a table of visits by what their orders were worth.
func (p *page) revenueBy(name, title, by string) *panel {
	columns := metricsOf("goal_value", "converted", "conversion_rate", "visits")
	revenue := *columns[0]
	revenue.title, revenue.help = metricOf("revenue").title, textRevenueBy
	columns[0] = &revenue
	t := &table{call: "visits", by: by, own: state{{"by", by}, {"goal", "type=order"}, {"sort", "goal_value"}, {"interval", "none"}, only(columns)}, columns: columns, filter: "visit." + by}
	if by == "source" {
		t.none = textDirect
	}
	full := p.state.get("_full") == name
	n := &panel{name: name, title: title, lines: rowsShort}
	p.fill(n, t, full)
	return n
}
