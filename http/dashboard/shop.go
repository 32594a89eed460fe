package dashboard

import (
	"encoding/json"
	"strings"
)

// This file is the screen of a shop: its numbers by currency, their course, products, and where
// revenue comes from.

// shopAnswer is the answer of the call shop.
type shopAnswer struct {
	frameAnswer
	Totals   []shopTotal `json:"totals"`
	Interval string      `json:"interval"`
	Series   []shopStep  `json:"series"`
	Products struct {
		Rows  []shopProduct `json:"rows"`
		Count int           `json:"count"`
		Next  *string       `json:"next"`
	} `json:"products"`
	Compare *struct {
		From   string      `json:"from"`
		To     string      `json:"to"`
		Totals []shopTotal `json:"totals"`
		Series []shopStep  `json:"series"`
	} `json:"compare"`
}

// shopTotal are the numbers of a currency.
type shopTotal struct {
	Currency string `json:"currency"`
	shopNumbers
}

// shopStep is a step of the series of a currency.
type shopStep struct {
	step
	Currency string `json:"currency"`
	shopNumbers
}

// UnmarshalJSON reads a step.
func (s *shopStep) UnmarshalJSON(b []byte) error {
	var head struct {
		Currency string `json:"currency"`
		shopNumbers
	}
	if err := json.Unmarshal(b, &s.step); err != nil {
		return err
	}
	err := json.Unmarshal(b, &head)
	s.Currency, s.shopNumbers = head.Currency, head.shopNumbers
	return err
}

// shopNumbers are the numbers of orders and carts.
type shopNumbers struct {
	Orders     *float64 `json:"orders"`
	Revenue    *float64 `json:"revenue"`
	Refunds    *float64 `json:"refunds"`
	Average    *float64 `json:"average_order"`
	Customers  *float64 `json:"customers"`
	Rate       *float64 `json:"conversion_rate"`
	Abandoned  *float64 `json:"carts_abandoned"`
	CartsValue *float64 `json:"carts_value"`
}

// shopProduct is a product.
type shopProduct struct {
	Value    *string  `json:"value"`
	Name     *string  `json:"name"`
	Category *string  `json:"category"`
	Currency string   `json:"currency"`
	Orders   *float64 `json:"orders"`
	Quantity *float64 `json:"quantity"`
	Revenue  *float64 `json:"revenue"`
	Price    *float64 `json:"average_price"`
}

// shopMetrics are the numbers on top.
var shopMetrics = []struct {
	title, help string
	unit        unit
	less        bool
	of          func(*shopNumbers) *float64
}{
	{"Revenue", "The values of all orders. Refunds are not taken off.", unitMoney, false, func(n *shopNumbers) *float64 { return n.Revenue }},
	{"Orders", "Orders that were sent, each counted once.", unitCount, false, func(n *shopNumbers) *float64 { return n.Orders }},
	{"Average order", "Revenue divided by orders.", unitMoney, false, func(n *shopNumbers) *float64 { return n.Average }},
	{"Conversion rate", "Visits with an order, divided by all visits.", unitRate, false, func(n *shopNumbers) *float64 { return n.Rate }},
	{"Customers", "People with an order.", unitCount, false, func(n *shopNumbers) *float64 { return n.Customers }},
	{"Refunds", "What was paid back.", unitMoney, true, func(n *shopNumbers) *float64 { return n.Refunds }},
	{"Abandoned carts", "Visits that ended with something in the cart and no order after it.", unitCount, true, func(n *shopNumbers) *float64 { return n.Abandoned }},
	{"Left in carts", "What lay in the abandoned carts.", unitMoney, true, func(n *shopNumbers) *float64 { return n.CartsValue }},
}

var productTabs = []tab{{"sku", "Products"}, {"product", "Names"}, {"category", "Categories"}}

// shop is the screen of a shop.
func shop(p *page) [][]*panel {
	n := &panel{name: "products", tabs: productTabs, lines: rowsShort, wide: true}
	n.tab = p.state.tabOf(productTabs)
	by := strings.Replace(n.tab, "product", "name", 1)
	full := p.state.get("_full") == n.name
	limit := "10"
	if full {
		limit = "100"
	}
	ask := func() *asked { return p.ask("shop", state{{"by", by}, {"limit", limit}}) }
	n.ask = ask
	n.view = func(q *asked) (body, *failure) { return p.products(n, by, q, full) }
	if full {
		return [][]*panel{{n}}
	}
	revenue := state{{"goal", "type=order"}, {"sort", "goal_value"}, {"interval", "none"}, {"metrics", "visits,converted,conversion_rate,goal_value"}}
	source := p.revenueBy("sources", "Revenue by source", "source", revenue)
	campaign := p.revenueBy("campaigns", "Revenue by campaign", "campaign", revenue)
	for _, n := range []*panel{source, campaign} {
		if p.state.get("_full") == n.name {
			n.wide = true
			return [][]*panel{{n}}
		}
	}
	return [][]*panel{
		{{name: "numbers", title: "Numbers", wide: true, lines: 3, ask: ask, view: func(q *asked) (body, *failure) { return p.shopTiles(q) }}},
		{{name: "chart", title: "Revenue over time", wide: true, lines: 9, ask: ask, view: func(q *asked) (body, *failure) { return p.shopChart(q) }}},
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
	v := &tilesView{}
	var now, was *shopNumbers
	for i := range a.Totals {
		if a.Totals[i].Currency == currency {
			now = &a.Totals[i].shopNumbers
		}
		if len(a.Totals) > 1 {
			c := a.Totals[i].Currency
			v.Currencies = append(v.Currencies, link{Text: orWords(c, textNoCurrency), Href: p.href(p.state.with("_currency", c)), On: c == currency})
		}
	}
	if a.Compare != nil {
		was = new(shopNumbers)
		for i := range a.Compare.Totals {
			if a.Compare.Totals[i].Currency == currency {
				was = &a.Compare.Totals[i].shopNumbers
			}
		}
	}
	if now == nil {
		return body{Empty: p.empty()}, nil
	}
	v.Currency = currency
	for _, s := range shopMetrics {
		m := &metric{title: s.title, unit: s.unit, less: s.less}
		t := tileView{Title: s.title, Help: s.help, Text: p.number(s.unit, s.of(now))}
		if was != nil {
			t.Change, t.Before = p.change(m, s.of(now), s.of(was)), p.number(s.unit, s.of(was))
			t.Good = good(t.Change, s.less)
		}
		v.Tiles = append(v.Tiles, t)
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
	m := &metric{key: "revenue", title: "Revenue", unit: unitMoney, of: func(n *numbers) *float64 { return n.GoalValue }}
	steps := func(list []shopStep) (steps []step) {
		for _, s := range list {
			if s.Currency == currency {
				s.step.GoalValue = s.Revenue
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
	c := p.courseOf(m, a.Interval, now, before, nil)
	if a.Compare != nil {
		c.BeforeName = p.spanText(a.Compare.From, a.Compare.To)
	}
	return body{Chart: &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(a.Interval)}}, nil
}

// products is the table of products.
func (p *page) products(n *panel, by string, q *asked, full bool) (body, *failure) {
	var a shopAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	p.note(&a.frameAnswer)
	if len(a.Products.Rows) == 0 {
		return body{Empty: p.empty()}, nil
	}
	v := &tableView{Caption: "Products", Head: map[string]string{"sku": "Product", "name": "Name", "category": "Category"}[by], Count: p.locale.Number(uint64(a.Products.Count)), Full: full,
		Columns: []columnView{{Title: "Revenue"}, {Title: "Currency", Wide: true}, {Title: "Orders"}, {Title: "Quantity", Wide: true}, {Title: "Average price", Wide: true}},
		CSV:     p.apiHref("shop", p.state.question("shop", state{{"by", by}}), "csv")}
	most := 0.0
	for _, r := range a.Products.Rows {
		if r.Revenue != nil {
			most = max(most, *r.Revenue)
		}
	}
	for _, r := range a.Products.Rows {
		row := rowView{Text: textNoValue, None: true}
		if r.Value != nil {
			row = rowView{Text: *r.Value, Title: *r.Value}
		}
		if r.Name != nil && by == "sku" {
			row.In = *r.Name
		}
		if r.Revenue != nil && most > 0 {
			row.Bar = barWidth(*r.Revenue / most)
		}
		row.Cells = []cellView{{Text: p.number(unitMoney, r.Revenue)}, {Text: r.Currency, Wide: true}, {Text: p.number(unitCount, r.Orders)}, {Text: p.number(unitCount, r.Quantity), Wide: true}, {Text: p.number(unitMoney, r.Price), Wide: true}}
		v.Rows = append(v.Rows, row)
	}
	if full {
		v.Back = p.href(p.state.without("_full", "search", "after"))
		v.Search, v.Action = p.state.get("search"), p.href(nil)
		for _, pr := range p.state.anew().without("search") {
			v.Keep = append(v.Keep, pairView{pr.key, pr.value})
		}
	} else if a.Products.Count > len(a.Products.Rows) {
		v.All = p.href(p.state.anew().with("_full", n.name))
	}
	return body{Table: v}, nil
}

// revenueBy is a table of visits by what their orders were worth.
func (p *page) revenueBy(name, title, by string, own state) *panel {
	t := &table{call: "visits", by: by, own: append(state{{"by", by}}, own...), columns: metricsOf("goal_value", "converted", "conversion_rate", "visits"), filter: "visit." + by}
	if by == "source" {
		t.none = textDirect
	}
	full := p.state.get("_full") == name
	n := &panel{name: name, title: title, lines: rowsShort, ask: func() *asked { return p.table(t, full) }}
	n.view = func(q *asked) (body, *failure) { return p.tableBody(n, t, q, full) }
	return n
}
