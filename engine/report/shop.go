// Shop: orders, refunds, abandoned carts and products, for each currency.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Shop answers a report of a shop.
func (r *Reports) Shop(ctx context.Context, q query.ShopQuery) (*query.ShopAnswer, error) {
	if !slices.Contains(ProductLabels, q.By) {
		return nil, query.Bad("by", "must be one of %s", strings.Join(ProductLabels, ", "))
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	var rules []read.Rule
	if q.Compare != nil && q.Compare.To > q.Now {
		rules = append(rules, read.Clock) // time may abandon a cart of the compared range too
	}
	answer, as, err := read.Kept(rows, &q.Report, fmt.Sprintf("shop %q %q %v %v", q.By, q.Site.Currency, q.Where, q.Rows), shopBytes, func() (*keptShop, error) {
		c := shopCount{rows: rows, q: &q, span: q.Span, steps: q.Steps}
		if err := c.count(); err != nil {
			return nil, err
		}
		a := &keptShop{until: c.until}
		a.Products, a.Count = c.products.page(&c.currencies, &q.Rows)
		var err error
		a.ShopRange, err = c.answer()
		return a, err
	}, rules...)
	if err != nil || answer == nil {
		return &query.ShopAnswer{AsOf: as}, err
	}
	full := answer.ShopAnswer
	full.AsOf = as
	if q.Compare == nil {
		return &full, nil
	}
	was := q
	was.Span, was.Steps, was.Tag = *q.Compare, q.CompareSteps, ""
	shown := make(map[productName]int)
	var names []string
	for i, row := range full.Products {
		name := productName{row.Value, row.Currency}
		shown[name] = i
		names = append(names, fmt.Sprintf("%t %q %q", row.Value.Null, row.Value.Text, row.Currency))
	}
	key := fmt.Sprintf("shop before %q %q %v %x", q.By, q.Site.Currency, q.Where, hashTexts(names))
	before, _, err := read.Kept(rows, &was.Report, key, shopBytes, func() (*keptShop, error) {
		c := shopCount{rows: rows, q: &was, span: was.Span, steps: was.Steps}
		if err := c.count(); err != nil {
			return nil, err
		}
		a := &keptShop{until: c.until}
		a.Products = c.products.some(&c.currencies, shown)
		var err error
		a.ShopRange, err = c.answer()
		return a, err
	})
	if err != nil {
		return nil, err
	}
	full.Compared, full.Products = &before.ShopRange, slices.Clone(full.Products)
	for i := range full.Products {
		full.Products[i].Was = new(query.ProductNumbers)
	}
	for i := range before.Products {
		row := &before.Products[i]
		full.Products[shown[productName{row.Value, row.Currency}]].Was = &row.ProductNumbers
	}
	return &full, nil
}

// keptShop is an answer that holds until the next cart is abandoned.
type keptShop struct {
	query.ShopAnswer
	until int64
}

// TrueUntil is of read.Timed.
func (k *keptShop) TrueUntil() int64 { return k.until }

// shopBytes estimates the bytes of an answer.
func shopBytes(a *keptShop) int {
	n := 512 + 512*len(a.Totals) + 72*len(a.Series)
	for i := range a.Products {
		row := &a.Products[i]
		n += 256 + len(row.Value.Text) + len(row.Name.Text) + len(row.Category.Text)
	}
	return n
}

// shopCount counts the shop of one range.
type shopCount struct {
	rows  *read.Rows
	q     *query.ShopQuery
	span  query.Span
	steps []int64

	currencies currencies
	totals     []shopSums // by currency
	series     []query.ShopStep
	products   products
	visits     uint64
	until      int64 // when the next cart is abandoned, unless a row comes; 0 = none will be
}

// shopSums are the numbers of a currency so far.
type shopSums struct {
	query.ShopTotals
	refunded uint64 // refunds
}

// sliceShop is what a slice adds.
type sliceShop struct {
	currencies currencies
	totals     []shopSums
	series     []query.ShopStep // as many for each currency as there are steps
	customers  [][]uint64       // by currency: persons, who may repeat
	products   sliceProducts
}

// count reads the orders, then the carts.
func (c *shopCount) count() error {
	c.products.by = c.q.By
	if err := c.countOrders(); err != nil {
		return err
	}
	return c.countCarts()
}

// countOrders adds up the orders and refunds.
func (c *shopCount) countOrders() error {
	orders, err := shopRows(c.rows, c.q.Where, c.span, false)
	if err != nil {
		return err
	}
	sets := c.rows.PairSets()
	defer sets.Close()
	customers := sets.New()
	for _, sel := range orders {
		err := read.InOrder(sel, c.readOrders, func(s *sliceShop) error { return c.takeOrders(s, customers) })
		if err != nil {
			return err
		}
	}
	persons, err := c.rows.Persons()
	if err != nil {
		return err
	}
	return customers.EachPerson(persons, func(currency int) { c.totals[currency].Customers++ })
}

// orderNumbers are the properties of an order that are added up.
var orderNumbers = []struct {
	field string
	of    func(*query.ShopTotals) *query.Sum
}{
	{"prop.subtotal", func(t *query.ShopTotals) *query.Sum { return &t.Subtotal }},
	{"prop.tax", func(t *query.ShopTotals) *query.Sum { return &t.Tax }},
	{"prop.shipping", func(t *query.ShopTotals) *query.Sum { return &t.Shipping }},
	{"prop.discount", func(t *query.ShopTotals) *query.Sum { return &t.Discount }},
}

// readOrders adds up the orders and refunds of a slice.
func (c *shopCount) readOrders(s *read.Slice) (*sliceShop, error) {
	to := &sliceShop{}
	r := newShopReader(s, c.q.Site)
	lines := newLineReader(s, c.q.By, &to.products.texts)
	persons, times := s.Ints(event.IntPerson), s.Ints(event.IntTime)
	var numbers []read.Field
	for _, n := range orderNumbers {
		numbers = append(numbers, s.Field(n.field, &r.numbers))
	}
	step := func(int64) int { return 0 }
	if len(c.steps) > 0 {
		step = stepOf(c.steps)
	}
	w := work{rows: c.rows}
	err := s.Each(func(rows []int32) {
		for _, row := range rows {
			if w.failed() || s.TimedOut() {
				return
			}
			kind, amount := r.kind(int(row))
			if kind != shopOrder && kind != shopRefund {
				continue
			}
			currency, err := to.currencies.number(r.currency(int(row)))
			if err == nil {
				err = to.grow(len(c.steps))
			}
			if err != nil {
				w.set(err)
				return
			}
			at := moment{times.At(int(row)), s.Seq(int(row))}
			t := &to.totals[currency]
			var in *query.ShopStep
			if len(c.steps) > 0 {
				in = &to.series[currency*len(c.steps)+step(at.time)]
			}
			if kind == shopRefund {
				t.refunded++
				t.Refunds.Add(amount)
				if in != nil {
					in.Refunds.Add(amount)
				}
				continue
			}
			t.Orders++
			t.Revenue.Add(amount)
			if in != nil {
				in.Orders++
				in.Revenue.Add(amount)
			}
			for i, n := range orderNumbers {
				n.of(&t.ShopTotals).Add(r.number(numbers[i], int(row)))
			}
			to.customers[currency] = appendOrd(to.customers[currency], uint64(persons.At(int(row))))
			order := lines.of(int(row))
			t.Items.AddSum(order.items)
			w.set(to.products.add(order, currency, at))
			w.did(len(order.lines))
		}
	})
	return to, cmp.Or(err, w.err)
}

// grow makes room for the newest currency.
func (s *sliceShop) grow(steps int) error {
	n := len(s.currencies.names)
	if len(s.totals) == n {
		return nil
	}
	s.totals, s.customers = append(s.totals, shopSums{}), append(s.customers, nil)
	if steps > 0 {
		s.series = append(s.series, make([]query.ShopStep, steps)...)
	}
	return tooManySteps(len(s.series))
}

func tooManySteps(n int) error {
	if n > query.BreakdownStepsMax {
		return query.Bad("interval", "more than %d steps of all currencies together; ask for a longer interval or none, or filter by prop.currency", query.BreakdownStepsMax)
	}
	return nil
}

// takeOrders adds a slice.
func (c *shopCount) takeOrders(s *sliceShop, customers *read.PairSet) error {
	numbers := make([]int, len(s.totals))
	for i, name := range s.currencies.names[:len(s.totals)] {
		n, err := c.currency(name)
		if err != nil {
			return err
		}
		numbers[i] = n
		to, from := &c.totals[n], &s.totals[i]
		to.Orders += from.Orders
		to.refunded += from.refunded
		for _, sum := range []func(*query.ShopTotals) *query.Sum{
			func(t *query.ShopTotals) *query.Sum { return &t.Revenue }, func(t *query.ShopTotals) *query.Sum { return &t.Refunds }, func(t *query.ShopTotals) *query.Sum { return &t.Items },
		} {
			sum(&to.ShopTotals).AddSum(*sum(&from.ShopTotals))
		}
		for _, of := range orderNumbers {
			of.of(&to.ShopTotals).AddSum(*of.of(&from.ShopTotals))
		}
		for k := range c.steps {
			to, from := &c.series[n*len(c.steps)+k], &s.series[i*len(c.steps)+k]
			to.Orders += from.Orders
			to.Revenue.AddSum(from.Revenue)
			to.Refunds.AddSum(from.Refunds)
		}
		for _, person := range s.customers[i] {
			customers.Add(n, person)
		}
	}
	if err := c.products.take(&s.products, numbers); err != nil {
		return err
	}
	return c.rows.Check()
}

// currency returns the number of a currency.
func (c *shopCount) currency(name string) (int, error) {
	n, err := c.currencies.number(name)
	if err != nil || n < len(c.totals) {
		return n, err
	}
	c.totals = append(c.totals, shopSums{ShopTotals: query.ShopTotals{Currency: c.currencies.names[n]}})
	c.series = append(c.series, make([]query.ShopStep, len(c.steps))...)
	return n, tooManySteps(len(c.series))
}

// answer returns the currencies that are shown, and their series.
func (c *shopCount) answer() (query.ShopRange, error) {
	var shown []int
	for i := range c.totals {
		if t := &c.totals[i]; t.Orders+t.refunded+t.CartsAbandoned > 0 {
			shown = append(shown, i)
		}
	}
	slices.SortFunc(shown, func(a, b int) int {
		x, y := &c.totals[a], &c.totals[b]
		return cmp.Or(cmp.Compare(y.Orders, x.Orders), strings.Compare(x.Currency, y.Currency))
	})
	r := query.ShopRange{Visits: c.visits}
	for _, i := range shown {
		r.Totals = append(r.Totals, c.totals[i].ShopTotals)
	}
	for k := range c.steps {
		for _, i := range shown {
			r.Series = append(r.Series, c.series[i*len(c.steps)+k])
		}
	}
	return r, c.rows.Check()
}
