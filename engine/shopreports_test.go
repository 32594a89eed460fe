// Goals and shops of random events: the engine and the model give the same answers, whatever has
// been sealed, merged or opened anew.

package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

func TestShopReports(t *testing.T) {
	for seed := range uint64(max(2, *metamorphicRuns/10)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			shopReports(t, seed+1)
		})
	}
}

func shopReports(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.sites[1].Currency = "CHF"
	p.open()
	defer p.closeIfOpen()
	var shop *query.ShopQuery
	var goals *query.GoalsQuery
	for p.op = 1; p.op <= 40 && !t.Failed(); p.op++ {
		for range 1 + p.IntN(5) {
			p.tick()
			if p.chance(8) {
				p.now = p.now.Add(time.Duration(p.IntN(60)) * time.Hour)
				p.clock.set(p.now)
			}
			p.ingestRecords(p.sales())
		}
		if p.chance(4) {
			p.delete()
		}
		if p.chance(10) {
			p.reopen()
		}
		if p.chance(8) && shop != nil {
			p.moveZone()
			shop.Site, goals.Site = p.asItIs(shop.Site), p.asItIs(goals.Site)
		}
		// An earlier question has a kept answer, which may be true no more.
		if shop == nil || p.chance(2) {
			shop = p.shopQuery()
		}
		if goals == nil || p.chance(2) {
			goals = p.goalsQuery()
		}
		if p.chance(3) {
			shop.By = pick(p.generator, query.ProductsByName, query.ProductsBySKU, query.ProductsByCategory)
		}
		shop.Now, goals.Now = p.now.UnixMilli(), p.now.UnixMilli()
		p.shop(*shop)
		p.goals(*goals)
		if p.chance(3) { // the time alone may abandon a cart
			p.now = p.now.Add(time.Duration(p.IntN(40)) * time.Minute)
			p.clock.set(p.now)
			shop.Now = p.now.UnixMilli()
			p.shop(*shop)
		}
	}
}

// sales makes records of a shop: orders, refunds and carts of every dialect, with lines of any
// shape.
func (p *pair) sales() []engine.Record {
	records := p.stories()
	for i := range records {
		e := &records[i].Event
		if e.Anonymous != "" && records[i].Hit == nil && p.chance(2) { // visits of several rows
			e.User, e.Anonymous = "", fmt.Sprint("c", p.IntN(9))
		}
		if e.Type != event.Track && e.Type != event.Goal && e.Type != event.Order && e.Type != event.Cart || p.chance(3) {
			continue
		}
		switch {
		case e.Dialect == event.OpenPanel && p.chance(2):
			e.Type, e.Name = event.Track, "revenue"
		case e.Dialect != event.Native && e.Dialect != event.Segment || p.chance(3):
			if e.Dialect != event.Oppizi && records[i].Hit == nil {
				e.Type = pick(p.generator, event.Cart, event.Order)
			}
		default:
			e.Type, e.Name = event.Track, pick(p.generator, "Product Added", "Order Completed", "Product Removed", "Order Refunded", "order completed")
		}
		if !p.chance(3) {
			e.Value = event.Value{}
		} else if p.chance(2) {
			e.Value = event.Num(p.money())
		}
		if strings.HasPrefix(e.Name, "Product") && !p.chance(4) {
			e.Properties.Set("price", event.Num(p.money()))
		}
		for _, key := range []string{"total", "price", "subtotal", "tax", "shipping", "discount"} {
			if p.chance(3) {
				e.Properties.Set(key, pick(p.generator, event.Num(p.money()), event.Str(p.money()), p.scalar(), event.Raw(`["x",`+p.money()+`,1]`)))
			}
		}
		if p.chance(3) {
			e.Properties.Set("quantity", pick(p.generator, event.Num("2"), event.Num("0.5"), event.Str("3"), event.Num("-1"), event.Str("two")))
		}
		if p.chance(2) {
			e.Properties.Set("currency", pick(p.generator, event.Str("EUR"), event.Str("eur"), event.Str("usd"), event.Str(""), event.Num("7"), event.Raw(`["","gbp"]`)))
		}
		for _, key := range []string{"items", "products"} {
			if p.chance(2) {
				e.Properties.Set(key, p.lines())
			}
		}
	}
	return records
}

func (p *pair) money() string {
	return pick(p.generator, fmt.Sprintf("%d.%02d", p.IntN(90), p.IntN(100)), fmt.Sprint(p.IntN(200)-20), "1e2", "0.125", "-3.50", "12.50")
}

// lines are the lines of an order, or something in their place.
func (p *pair) lines() event.Value {
	if p.chance(8) {
		return pick(p.generator, event.Str("none"), event.Raw(`{"sku":"a"}`), event.Raw(`[]`), event.Raw(`[1,"a",null,[{"sku":"a"}]]`))
	}
	var items []string
	for range 1 + p.skewed(4) {
		var members []string
		add := func(key string, values ...string) {
			if !p.chance(4) {
				members = append(members, `"`+key+`":`+pick(p.generator, values...))
			}
		}
		add("sku", `"a"`, `"b"`, `7`, `"7"`, `""`, `null`, `["a"]`)
		add("product_id", `"c"`, `7.0`, `true`)
		add("name", `"Tea"`, `"Cup"`, `"Pot, \"blue\""`, `""`, `{"x":1}`)
		add("category", `"Tea"`, `"Pots"`, `["Tea","Pots","Tea",""]`, `[]`, `3`, `[["x"]]`)
		add("price", p.money(), `"`+p.money()+`"`, `"free"`, `null`)
		add("quantity", `1`, `2`, `"3"`, `0.5`, `-1`, `0`, `"many"`)
		items = append(items, "{"+strings.Join(members, ",")+"}")
	}
	if p.chance(6) {
		items = append(items, `"x"`, `null`)
	}
	return event.Raw("[" + strings.Join(items, ",") + "]")
}

func (p *pair) shopQuery() *query.ShopQuery {
	visits := p.visitsQuery()
	q := &query.ShopQuery{Report: visits.Report, By: pick(p.generator, query.ProductsBySKU, query.ProductsByName, query.ProductsByCategory)}
	q.Rows = query.Rows{Limit: pick(p.generator, query.CounterRowsMax, 3, 1), Sort: pick(p.generator, "", "orders", "value", "revenue"), Ascending: p.chance(3), AtLeast: uint64(p.skewed(3)), Offset: p.skewed(3)}
	q.Where = p.fewConds(q.Where)
	if p.chance(3) {
		q.Compare = &query.Span{From: 2*q.From - q.To, To: q.From}
		if len(q.Steps) > 0 {
			q.CompareSteps, _ = calendar.BucketTimes(q.Compare.From, q.Compare.To, "week", q.Site.Location)
		}
	}
	return q
}

// fewConds returns conditions that leave something to count.
func (p *pair) fewConds(where []query.Cond) []query.Cond {
	switch p.IntN(6) {
	case 0:
		return where
	case 1:
		return p.conds()
	case 2:
		return []query.Cond{{Field: "type", Op: query.OpNot, Values: []string{string(event.Cart)}}, {Field: "name", Op: query.OpNot, Values: []string{"revenue"}, Visit: true}}
	}
	return nil
}

// shopText tells of a range as modelSite.shop does.
func shopText(r *query.ShopRange, steps int) []string {
	text := func(s query.Sum) string {
		plain := string(s.Append(nil))
		if !s.Exact() {
			plain += " about"
		}
		return plain
	}
	lines := []string{fmt.Sprintf("%d visits", r.Visits)}
	for i := range r.Totals {
		t := &r.Totals[i]
		lines = append(lines, fmt.Sprintf("%s: %d orders %d people %d visits %d carts carts %s discount %s items %s refunds %s revenue %s shipping %s subtotal %s tax %s", t.Currency, t.Orders, t.Customers, t.Converted, t.CartsAbandoned,
			text(t.CartsValue), text(t.Discount), text(t.Items), text(t.Refunds), text(t.Revenue), text(t.Shipping), text(t.Subtotal), text(t.Tax)))
	}
	for i := range r.Series {
		n := &r.Series[i]
		lines = append(lines, fmt.Sprintf("step %d %s: %d orders, %s, back %s", i/len(r.Totals), r.Totals[i%len(r.Totals)].Currency, n.Orders, text(n.Revenue), text(n.Refunds)))
	}
	return lines
}

// shop compares a report of a shop.
func (p *pair) shop(q query.ShopQuery) {
	got, err := p.engine.Shop(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: shop %+v: %v", p.op, q, err)
		return
	}
	s := p.model.of(q.Site)
	totals, products := s.shop(&q.Report, q.By, q.Steps)
	same := func(what string, got, want []string) {
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			p.Errorf("op %d: %s by %s in %+v until %d where %v:\n got %s\nwant %s", p.op, what, q.By, q.Span, q.Now, q.Where, g, w)
		}
	}
	same("shop", shopText(&got.ShopRange, len(q.Steps)), totals)
	all := slices.Collect(maps.Values(products))
	slices.SortFunc(all, func(a, b *modelProduct) int {
		byValue := cmp.Or(compareFlags(a.value == "", b.value == ""), strings.Compare(a.value, b.value))
		c := 0
		switch q.Rows.Sort {
		case "orders":
			c = cmp.Compare(b.orders, a.orders)
		case "value":
			if !q.Rows.Ascending && a.value != "" && b.value != "" {
				byValue = -byValue
			}
		default:
			c = b.revenue.Cmp(a.revenue)
		}
		if q.Rows.Ascending {
			c = -c
		}
		return cmp.Or(c, byValue, strings.Compare(a.currency, b.currency))
	})
	all = slices.DeleteFunc(all, func(m *modelProduct) bool { return uint64(m.orders) < q.Rows.AtLeast })
	was := map[[2]string]*modelProduct{}
	if q.Compare != nil {
		before := q.Report
		before.Span, before.Compare = *q.Compare, nil
		totals, was = s.shop(&before, q.By, q.CompareSteps)
		same("shop before", shopText(got.Compared, len(q.CompareSteps)), totals)
	}
	var rows, want []string
	for _, r := range got.Products {
		line := fmt.Sprintf("%q %s %q %q: %d %s %s", r.Value.Text, r.Currency, r.Name.Text, r.Category.Text, r.Orders, r.Quantity.Append(nil), r.Revenue.Append(nil))
		if r.Was != nil {
			line += fmt.Sprintf(" was %d %s %s", r.Was.Orders, r.Was.Quantity.Append(nil), r.Was.Revenue.Append(nil))
		}
		if r.Value.Null != (r.Value.Text == "") {
			line += " null"
		}
		rows = append(rows, line)
	}
	for _, m := range all[min(q.Rows.Offset, len(all)):min(q.Rows.Offset+q.Rows.Limit, len(all))] {
		line := fmt.Sprintf("%q %s %q %q: %d %s %s", m.value, m.currency, m.name, m.category, m.orders, decimal(m.quantity), decimal(m.revenue))
		if q.Compare != nil {
			if w := was[[2]string{m.value, m.currency}]; w != nil {
				line += fmt.Sprintf(" was %d %s %s", w.orders, decimal(w.quantity), decimal(w.revenue))
			} else {
				line += " was 0 0 0"
			}
		}
		want = append(want, line)
	}
	same("products", append(rows, fmt.Sprint(got.Count)), append(want, fmt.Sprint(len(all))))
}

func (p *pair) goalsQuery() *query.GoalsQuery {
	visits := p.visitsQuery()
	q := &query.GoalsQuery{Report: visits.Report, Rows: query.Rows{Limit: query.CounterRowsMax}}
	q.Steps = nil
	q.Where = p.fewConds(q.Where)
	for n := p.IntN(6); n > 0; n-- {
		g := query.Goal{ID: fmt.Sprint(n), Kind: query.GoalIsSaved, Name: pick(p.generator, "sign up", "buy"), Where: p.conds()}
		if p.chance(2) {
			g.Where = append(g.Where, p.where(p.model, q.Site)...)
		}
		q.Goals = append(q.Goals, g)
	}
	if p.chance(3) {
		q.Compare = &query.Span{From: 2*q.From - q.To, To: q.From}
	}
	return q
}

// goals compares a report of goals.
func (p *pair) goals(q query.GoalsQuery) {
	got, err := p.engine.Goals(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: goals %+v: %v", p.op, q, err)
		return
	}
	show := func(visits uint64, of func(*query.GoalRow) *query.GoalNumbers) string {
		text := fmt.Sprintf("%d visits", visits)
		for i := range got.Rows {
			n := of(&got.Rows[i])
			text += fmt.Sprintf("\n%s: %d conversions, %d visits, %d people, value %s", got.Rows[i].ID, n.Conversions, n.Converted, n.Visitors, n.Value.Append(nil))
		}
		return text
	}
	s := p.model.of(q.Site)
	if g, w := show(got.Visits, func(r *query.GoalRow) *query.GoalNumbers { return &r.GoalNumbers }), s.goals(&q.Report, q.Goals); g != w || got.Count != len(q.Goals) {
		p.Errorf("op %d: goals in %+v where %v, %v:\n got %s\nwant %s", p.op, q.Span, q.Where, q.Goals, g, w)
	}
	if q.Compare != nil {
		before := q.Report
		before.Span, before.Compare = *q.Compare, nil
		if g, w := show(got.WasVisits, func(r *query.GoalRow) *query.GoalNumbers { return r.Was }), s.goals(&before, q.Goals); g != w {
			p.Errorf("op %d: goals before, in %+v where %v, %v:\n got %s\nwant %s", p.op, before.Span, q.Where, q.Goals, g, w)
		}
	}
}
