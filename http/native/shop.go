package native

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
)

// This file answers GET /api/v1/shop: orders, refunds, abandoned carts and products.

// productNumbers are the numbers of a product, the default of sort first.
var productNumbers = []string{"revenue", "orders", "quantity", "average_price"}

// productLabels are what products are told apart by, the default first.
var productLabels = []string{query.ProductsBySKU, query.ProductsByName, query.ProductsByCategory}

// shop is GET /api/v1/shop.
func (n *API) shop(ctx context.Context, c *reading) error {
	by, list := query.ProductsBySKU, c.query.lists["by"]
	if len(list) > 0 {
		by = list[0]
	}
	a, err := n.ask(ctx, c)
	if err != nil {
		return err
	}
	series := a.CSV && len(list) == 0 && a.Interval != "" // as for visits: with by the table is its rows
	if a.CSV && !series {
		a.Interval, a.Steps, a.CompareSteps = "", nil, nil
	}
	answer, err := n.engine.Shop(ctx, query.ShopQuery{Report: a.Report, By: by, Rows: a.Rows})
	if err != nil {
		return engineError(err)
	}
	if c.has(answer.AsOf) {
		return nil
	}
	row := func(dst []byte, i int) []byte { return appendProduct(dst, &answer.Products[i]) }
	if series {
		c.sendCSV([]string{"time", "currency", "orders", "revenue", "refunds", "partial"}, len(answer.Series), func(dst []byte, i int) []byte {
			return a.shopStep(dst, a.Span, a.Steps, i, answer.AsOf, &answer.ShopRange)
		})
		return nil
	}
	if a.CSV {
		columns := []string{"value", "currency", "name", "category", "orders", "quantity", "revenue", "average_price"}
		if a.Compare != nil {
			columns = append(columns, "was.orders", "was.quantity", "was.revenue", "was.average_price")
		}
		c.sendCSV(columns, len(answer.Products), row)
		return nil
	}
	dst := appendShopTotals(a.open(c.out, answer.AsOf), &answer.ShopRange)
	if a.Interval != "" {
		dst = append(append(append(dst, `,"interval":"`...), a.Interval...), `","series":`...)
		dst = a.shopSeries(dst, a.Span, a.Steps, answer.AsOf, &answer.ShopRange)
	}
	dst = append(dst, `,"products":{"rows":[`...)
	for i := range answer.Products {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = row(dst, i)
	}
	dst = appendCount(append(dst, ']'), "count", uint64(answer.Count))
	dst = append(a.next(dst, len(answer.Products), answer.Count), '}')
	dst = appendExactSum(dst, exactShop(answer))
	if a.Compare != nil {
		dst = appendTime(append(dst, `,"compare":{"from":`...), a.Compare.From)
		dst = appendTime(append(dst, `,"to":`...), a.Compare.To)
		if dst = appendShopTotals(dst, answer.Compared); a.Interval != "" {
			dst = a.shopSeries(append(dst, `,"series":`...), *a.Compare, a.CompareSteps, answer.AsOf, answer.Compared)
		}
		dst = append(dst, '}')
	}
	c.out = append(dst, '}')
	return nil
}

// appendShopTotals appends ,"totals":[…], a row for each currency.
func appendShopTotals(dst []byte, r *query.ShopRange) []byte {
	dst = append(dst, `,"totals":[`...)
	for i := range r.Totals {
		t := &r.Totals[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(append(dst, `{"currency":`...), t.Currency)
		dst = appendCount(dst, "orders", t.Orders)
		for _, one := range []struct {
			name string
			sum  query.Sum
		}{{"revenue", t.Revenue}, {"refunds", t.Refunds}, {"items", t.Items}, {"subtotal", t.Subtotal}, {"tax", t.Tax}, {"shipping", t.Shipping}, {"discount", t.Discount}} {
			dst = one.sum.Append(appendKey(dst, one.name))
		}
		if dst = appendKey(dst, "average_order"); t.Orders == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = t.Revenue.AppendQuotient(dst, t.Orders, 2)
		}
		dst = appendCount(dst, "customers", t.Customers)
		dst = appendRate(dst, "conversion_rate", t.Converted, r.Visits)
		dst = appendCount(dst, "carts_abandoned", t.CartsAbandoned)
		dst = append(t.CartsValue.Append(appendKey(dst, "carts_value")), '}')
	}
	return append(dst, ']')
}

// shopSeries appends the series of a range: each step with each currency.
func (a *asked) shopSeries(dst []byte, s query.Span, starts []int64, as query.AsOf, r *query.ShopRange) []byte {
	dst = append(dst, '[')
	for i := range r.Series {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.shopStep(dst, s, starts, i, as, r)
	}
	return append(dst, ']')
}

// shopStep appends one row of the series of a range.
func (a *asked) shopStep(dst []byte, s query.Span, starts []int64, i int, as query.AsOf, r *query.ShopRange) []byte {
	step, currency := &r.Series[i], r.Totals[i%len(r.Totals)].Currency
	return a.appendStep(dst, s, starts[i/len(r.Totals)], as, func(dst []byte) []byte {
		dst = event.AppendString(appendKey(dst, "currency"), currency)
		dst = appendCount(dst, "orders", step.Orders)
		dst = step.Revenue.Append(appendKey(dst, "revenue"))
		return step.Refunds.Append(appendKey(dst, "refunds"))
	})
}

// appendProduct appends a row of the products.
func appendProduct(dst []byte, r *query.ProductRow) []byte {
	dst = appendTextOrNull(append(dst, `{"value":`...), r.Value)
	dst = event.AppendString(appendKey(dst, "currency"), r.Currency)
	dst = appendTextOrNull(appendKey(dst, "name"), r.Name)
	dst = appendTextOrNull(appendKey(dst, "category"), r.Category)
	numbers := func(dst []byte, n *query.ProductNumbers) []byte {
		dst = appendCount(dst, "orders", n.Orders)
		dst = n.Quantity.Append(appendKey(dst, "quantity"))
		dst = n.Revenue.Append(appendKey(dst, "revenue"))
		return n.Revenue.AppendPer(appendKey(dst, "average_price"), n.Quantity, 2)
	}
	if dst = numbers(dst, &r.ProductNumbers); r.Was != nil {
		dst = append(dst, `,"was":{`...)
		start := len(dst)
		dst = append(withoutComma(numbers(dst, r.Was), start), '}')
	}
	return append(dst, '}')
}

// exactShop reports whether all sums of an answer are exact.
func exactShop(a *query.ShopAnswer) bool {
	exact := func(sums ...query.Sum) bool {
		return !slices.ContainsFunc(sums, func(s query.Sum) bool { return !s.Exact() })
	}
	for _, r := range []*query.ShopRange{&a.ShopRange, a.Compared} {
		if r == nil {
			continue
		}
		for i := range r.Totals {
			t := &r.Totals[i]
			if !exact(t.Revenue, t.Refunds, t.Items, t.Subtotal, t.Tax, t.Shipping, t.Discount, t.CartsValue) {
				return false
			}
		}
	}
	for i := range a.Products {
		p := &a.Products[i]
		if !exact(p.Quantity, p.Revenue) || p.Was != nil && !exact(p.Was.Quantity, p.Was.Revenue) {
			return false
		}
	}
	return true
}
