// The model's reports of goals and of a shop: every event of the log is looked at, and numbers are
// fractions.

package engine_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
)

// reportedVisits returns the visits that a report of visits counts.
func (s *modelSite) reportedVisits(q *query.Report) (visits []*seenVisit) {
	var plain, about []query.Cond
	for _, c := range q.Where {
		if c.Visit {
			about = append(about, c)
		} else {
			plain = append(plain, c)
		}
	}
	for _, v := range s.seenVisits(q.Site, q.Span) {
		if s.visitHolds(q.Site, v, about) && (len(plain) == 0 || slices.ContainsFunc(v.rows, func(e *event.Event) bool { return s.matches(e, plain, 0, 0) })) {
			visits = append(visits, v)
		}
	}
	return visits
}

// goals tells of each goal, a line each.
func (s *modelSite) goals(q *query.Report, goals []query.Goal) string {
	satisfied, _ := s.rowsOf(q)
	people, visits := s.persons(), s.reportedVisits(q)
	text := fmt.Sprintf("%d visits", len(visits))
	for _, g := range goals {
		reached := func(e *event.Event) bool { return s.matches(e, g.Where, 0, 0) }
		conversions, converted, value, who := 0, 0, new(big.Rat), map[*person]bool{}
		for _, e := range s.living() {
			if !satisfied(e) || !reached(e) {
				continue
			}
			conversions++
			if p := people.of[e.Seq-1]; p != nil {
				who[p] = true
			}
			for _, term := range termsOf(e.Value) {
				if number.MatchString(term) && canon(term) == term && !strings.ContainsAny(term, "eE") {
					value.Add(value, rat(term))
				}
			}
		}
		for _, v := range visits {
			if slices.ContainsFunc(v.rows, reached) {
				converted++
			}
		}
		text += fmt.Sprintf("\n%s: %d conversions, %d visits, %d people, value %s", g.ID, conversions, converted, len(who), decimal(value))
	}
	return text
}

// modelSale is what an event of a shop says.
type modelSale struct {
	kind     string   // order, refund, cart, add or remove; "" = none
	amount   *big.Rat // nil = it has none
	currency string
}

// firstNumber returns the first number among terms, nil when there is none.
func firstNumber(terms []string) *big.Rat {
	for _, term := range terms {
		if number.MatchString(term) {
			return rat(term)
		}
	}
	return nil
}

func (s *modelSite) sale(site *query.Site, e *event.Event) (m modelSale) {
	vendor := e.Dialect == event.Native || e.Dialect == event.Segment
	property := func(key string) []string { return elementsOf(e, "prop."+key) }
	m.amount = firstNumber(termsOf(e.Value))
	switch {
	case e.Type == event.Order:
		m.kind = "order"
	case e.Type == event.Cart:
		m.kind = "cart"
	case e.Type != event.Track:
	case e.Dialect == event.OpenPanel && e.Name == "revenue":
		if m.kind = "order"; m.amount != nil {
			m.amount.Quo(m.amount, big.NewRat(100, 1))
		}
	case !vendor:
	case e.Name == "Order Completed":
		m.kind = "order"
	case e.Name == "Order Refunded":
		m.kind = "refund"
	case e.Name == "Product Added":
		m.kind = "add"
	case e.Name == "Product Removed":
		m.kind = "remove"
	}
	switch m.kind {
	case "order", "refund":
		if m.amount == nil {
			m.amount = firstNumber(property("total"))
		}
		if m.amount != nil && m.amount.Sign() < 0 {
			m.kind = "refund"
			m.amount.Neg(m.amount)
		}
	case "add", "remove":
		if price := firstNumber(property("price")); m.amount == nil && price != nil {
			if n := firstNumber(property("quantity")); n != nil {
				price.Mul(price, n)
			}
			m.amount = price
		}
	}
	if m.amount == nil {
		m.amount = new(big.Rat)
	}
	m.currency = site.Currency
	for _, text := range property("currency") {
		if text != "" {
			m.currency = strings.ToUpper(text)
			break
		}
	}
	return m
}

// modelLine is a line of an order.
type modelLine struct {
	sku, name       string
	categories      []string
	price, quantity *big.Rat
}

// linesOf returns the lines of an order.
func linesOf(e *event.Event) (lines []modelLine) {
	text := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return canon(v.String())
		case bool:
			return fmt.Sprint(v)
		}
		return ""
	}
	for _, key := range []string{"items", "products"} {
		v := e.Properties.Get(key)
		if v.Kind != event.JSON {
			continue
		}
		list, _ := decodeJSON(v.Text).([]any)
		for _, item := range list {
			o, is := item.(map[string]any)
			if !is {
				continue
			}
			l := modelLine{sku: text(o["sku"]), name: text(o["name"]), price: new(big.Rat), quantity: big.NewRat(1, 1)}
			if l.sku == "" {
				l.sku = text(o["product_id"])
			}
			if n := firstNumber([]string{text(o["price"])}); n != nil {
				l.price = n
			}
			if n := firstNumber([]string{text(o["quantity"])}); n != nil {
				l.quantity = n
			}
			categories, several := o["category"].([]any)
			if !several {
				categories = []any{o["category"]}
			}
			for _, c := range categories {
				if name := text(c); name != "" && !slices.Contains(l.categories, name) {
					l.categories = append(l.categories, name)
				}
			}
			lines = append(lines, l)
		}
		if len(lines) > 0 {
			return lines
		}
	}
	return nil
}

// modelProduct is a product so far.
type modelProduct struct {
	value, currency, name, category string
	orders                          int
	quantity, revenue               *big.Rat
}

// shop tells of each currency, step and product, a line each. Products are in the order of their
// values.
func (s *modelSite) shop(q *query.Report, by string, steps []int64) (totals []string, products map[[2]string]*modelProduct) {
	satisfied, _ := s.rowsOf(q)
	people, visits := s.persons(), s.reportedVisits(q)
	type sums struct {
		orders, refunded, carts int
		money                   map[string]*big.Rat
		who                     map[*person]bool
		converted               int
		steps                   []map[string]*big.Rat
	}
	currencies := map[string]*sums{}
	zeros := func(names ...string) map[string]*big.Rat {
		m := map[string]*big.Rat{}
		for _, name := range names {
			m[name] = new(big.Rat)
		}
		return m
	}
	of := func(currency string) *sums {
		c := currencies[currency]
		if c == nil {
			c = &sums{money: zeros("revenue", "refunds", "items", "subtotal", "tax", "shipping", "discount", "carts"), who: map[*person]bool{}}
			for range steps {
				c.steps = append(c.steps, zeros("orders", "revenue", "refunds"))
			}
			currencies[currency] = c
		}
		return c
	}
	products = map[[2]string]*modelProduct{}
	sorted := slices.Clone(s.living())
	slices.SortStableFunc(sorted, func(a, b *event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) })
	for _, e := range sorted {
		if !satisfied(e) {
			continue
		}
		m := s.sale(q.Site, e)
		if m.kind != "order" && m.kind != "refund" {
			continue
		}
		c := of(m.currency)
		add := func(name string, n *big.Rat) {
			if sum := c.money[name]; sum != nil {
				sum.Add(sum, n)
			}
			for i := len(steps) - 1; i >= 0; i-- {
				if i == 0 || e.Time >= steps[i] {
					if sum := c.steps[i][name]; sum != nil {
						sum.Add(sum, n)
					}
					break
				}
			}
		}
		if m.kind == "refund" {
			c.refunded++
			add("refunds", m.amount)
			continue
		}
		c.orders++
		add("orders", big.NewRat(1, 1))
		add("revenue", m.amount)
		for _, name := range []string{"subtotal", "tax", "shipping", "discount"} {
			if n := firstNumber(elementsOf(e, "prop."+name)); n != nil {
				add(name, n)
			}
		}
		if p := people.of[e.Seq-1]; p != nil {
			c.who[p] = true
		}
		counted, named := map[*modelProduct]bool{}, map[*modelProduct][2]string{}
		for _, l := range linesOf(e) {
			add("items", l.quantity)
			values, name, category := []string{l.sku}, l.name, strings.Join(append(l.categories, "")[:1], "")
			switch by {
			case query.ProductsByName:
				values, name = []string{l.name}, ""
			case query.ProductsByCategory:
				values, name, category = l.categories, "", ""
				if len(values) == 0 {
					values = []string{""}
				}
			}
			for _, value := range values {
				key := [2]string{value, m.currency}
				p := products[key]
				if p == nil {
					p = &modelProduct{value: value, currency: m.currency, quantity: new(big.Rat), revenue: new(big.Rat)}
					products[key] = p
				}
				if !counted[p] {
					counted[p] = true
					p.orders++
				}
				p.quantity.Add(p.quantity, l.quantity)
				p.revenue.Add(p.revenue, new(big.Rat).Mul(l.price, l.quantity))
				// Of one order the first line with a name counts, of several orders the last one.
				have := named[p]
				if have[0] == "" && name != "" {
					have[0], p.name = name, name
				}
				if have[1] == "" && category != "" {
					have[1], p.category = category, category
				}
				named[p] = have
			}
		}
	}
	until := min(q.To, q.Now)
	for _, v := range visits {
		bought := map[string]bool{}
		var lastOrder, lastCart, lastChange int = -1, -1, -1
		for i, e := range v.rows {
			switch m := s.sale(q.Site, e); m.kind {
			case "order":
				bought[m.currency], lastOrder = true, i
			case "cart":
				lastCart = i
			case "add", "remove":
				lastChange = i
			}
		}
		for currency := range bought {
			of(currency).converted++
		}
		last, worth := lastCart, new(big.Rat)
		if last >= 0 {
			worth = s.sale(q.Site, v.rows[last]).amount
		} else if last = lastChange; last >= 0 {
			currency := s.sale(q.Site, v.rows[last]).currency
			for _, e := range v.rows[lastOrder+1:] {
				switch m := s.sale(q.Site, e); {
				case m.currency != currency:
				case m.kind == "add":
					worth.Add(worth, m.amount)
				case m.kind == "remove":
					worth.Sub(worth, m.amount)
				}
			}
		}
		if last > lastOrder && worth.Sign() > 0 && until-v.rows[len(v.rows)-1].Time >= 30*60_000 {
			c := of(s.sale(q.Site, v.rows[last]).currency)
			c.carts++
			c.money["carts"].Add(c.money["carts"], worth)
		}
	}
	names := slices.SortedFunc(maps.Keys(currencies), func(a, b string) int {
		return cmp.Or(cmp.Compare(currencies[b].orders, currencies[a].orders), strings.Compare(a, b))
	})
	names = slices.DeleteFunc(names, func(name string) bool {
		c := currencies[name]
		return c.orders+c.refunded+c.carts == 0
	})
	totals = append(totals, fmt.Sprintf("%d visits", len(visits)))
	for _, name := range names {
		c := currencies[name]
		line := fmt.Sprintf("%s: %d orders %d people %d visits %d carts", name, c.orders, len(c.who), c.converted, c.carts)
		for _, key := range slices.Sorted(maps.Keys(c.money)) {
			line += " " + key + " " + decimal(c.money[key])
		}
		totals = append(totals, line)
	}
	for i := range steps {
		for _, name := range names {
			n := currencies[name].steps[i]
			totals = append(totals, fmt.Sprintf("step %d %s: %s orders, %s, back %s", i, name, decimal(n["orders"]), decimal(n["revenue"]), decimal(n["refunds"])))
		}
	}
	return totals, products
}
