// Shop rows: which rows of the log are of a shop, and what one of them says.

package report

import (
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/index"
)

// shopKind is what a row of a shop is.
type shopKind uint8

const (
	shopOther    shopKind = iota
	shopOrder             // an order
	shopRefund            // money that is paid back
	shopCart              // the cart as it is now
	shopAddition          // something that is put into the cart
	shopRemoval           // something that is taken out of it
)

// shopNames are the track events of a shop, in dialects whose rule has ShopEvents.
var shopNames = map[string]shopKind{
	"Order Completed": shopOrder, "Order Refunded": shopRefund, "Product Added": shopAddition, "Product Removed": shopRemoval,
}

// shopRows selects the rows of a shop that satisfy conditions: orders and refunds, and carts too
// if asked for. The selections have no row in common.
func shopRows(rows *read.Rows, where []query.Cond, span query.Span, carts bool) (all []*read.Selection, err error) {
	add := func(conds ...query.Cond) {
		if err != nil {
			return
		}
		var sel *read.Selection
		if sel, err = rows.Select(append(where[:len(where):len(where)], conds...), span); err == nil {
			all = append(all, sel)
		}
	}
	is := func(field string, values ...string) query.Cond { return query.Cond{Field: field, Values: values} }
	types, names := []string{string(event.Order)}, []string{"Order Completed", "Order Refunded"}
	if carts {
		types, names = append(types, string(event.Cart)), append(names, "Product Added", "Product Removed")
	}
	add(is("type", types...))
	var dialects []string
	for _, d := range event.Dialects {
		if event.NewestRule(d).ShopEvents {
			dialects = append(dialects, string(d))
		}
	}
	add(is("type", string(event.Track)), is("name", names...), is("dialect", dialects...))
	for _, d := range event.Dialects {
		if name := event.NewestRule(d).RevenueName; name != "" {
			add(is("type", string(event.Track)), is("name", name), is("dialect", string(d)))
		}
	}
	return all, err
}

// shopReader reads the rows of one slice of a selection of shopRows. Rows ascend.
type shopReader struct {
	site   *query.Site
	rules  *ruleReader
	types  *read.Column
	byType []shopKind // by code of a type
	names  *read.Column
	byName map[int64]shopKind // by code of a name

	numbers    read.Terms // of the fields that follow
	value      read.Field
	total      read.Field
	price      read.Field
	quantity   read.Field
	currencies read.Field
	named      read.Terms // of currencies
}

func newShopReader(s *read.Slice, site *query.Site) *shopReader {
	r := &shopReader{site: site, rules: newRuleReader(s)}
	part := s.Part()
	if col := part.Column(event.FieldType); col != nil {
		r.types, r.byType = s.Codes(col), make([]shopKind, col.Card()+1)
		for code := range codesOf(col, string(event.Order)) {
			r.byType[code] = shopOrder
		}
		for code := range codesOf(col, string(event.Cart)) {
			r.byType[code] = shopCart
		}
	}
	if col := part.Column(event.FieldName); col != nil {
		r.names, r.byName = s.Codes(col), make(map[int64]shopKind)
		for name, kind := range shopNames {
			for code := range codesOf(col, name) {
				r.byName[int64(code)] = kind
			}
		}
	}
	number := func(field string) read.Field { return s.Field(field, &r.numbers) }
	r.value, r.total, r.price, r.quantity = number("value"), number("prop.total"), number("prop.price"), number("prop.quantity")
	r.currencies = s.Field("prop.currency", &r.named)
	return r
}

// codesOf returns the codes of a text in a column.
func codesOf(col index.Column, text string) map[uint32]bool {
	codes := make(map[uint32]bool)
	for _, code := range col.Find("", []string{text}) {
		codes[code] = true
	}
	return codes
}

// kind returns what a row is, and its amount: what an order, refund or cart is worth, or what is
// added to the cart or removed. An amount is a plain number; "" = the row has none. That of an
// order or a refund is not below 0.
func (r *shopReader) kind(row int) (kind shopKind, amount string) {
	rule := r.rules.at(row)
	if r.types != nil {
		kind = r.byType[r.types.At(row)]
	}
	amount = r.number(r.value, row)
	switch {
	case kind == shopCart:
		return kind, amount
	case kind == shopOther && rule.RevenueName != "":
		kind = shopOrder // the selection has no other rows of such a dialect
		if amount != "" {
			amount, _ = event.MulDecimal(amount, "0.01")
		}
	case kind == shopOther && r.names != nil:
		kind = r.byName[r.names.At(row)]
	}
	switch kind {
	case shopAddition, shopRemoval:
		if amount == "" {
			if price := r.number(r.price, row); price != "" {
				amount, _ = event.MulDecimal(price, orOne(r.number(r.quantity, row)))
			}
		}
	case shopOrder, shopRefund:
		if amount == "" {
			amount = r.number(r.total, row)
		}
		if below, is := strings.CutPrefix(amount, "-"); is {
			kind, amount = shopRefund, below
		}
	}
	return kind, amount
}

func orOne(plain string) string {
	if plain == "" {
		return "1"
	}
	return plain
}

// number returns the first number that a row has under a field, "" when it has none.
func (r *shopReader) number(f read.Field, row int) string { return firstNumber(f, &r.numbers, row) }

func firstNumber(f read.Field, texts *read.Terms, row int) string {
	for _, id := range f.Terms(row) {
		if plain, ok := event.Decimal(texts.Text(id)); ok {
			return plain
		}
	}
	return ""
}

// currency returns the currency of a row.
func (r *shopReader) currency(row int) string {
	for _, id := range r.currencies.Terms(row) {
		if text := r.named.Text(id); text != "" {
			return strings.ToUpper(text)
		}
	}
	return r.site.Currency
}

// currencies numbers the currencies of an answer, or of a slice. The zero currencies is empty.
type currencies struct {
	numbers map[string]int
	names   []string
	bytes   int
}

// number returns the number of a currency.
func (c *currencies) number(name string) (int, error) {
	if n, known := c.numbers[name]; known {
		return n, nil
	}
	if c.bytes += len(name); len(c.names) == query.ShopCurrenciesMax || c.bytes > query.ShopCurrencyBytesMax {
		return 0, query.Bad("range", "more than %d currencies, or %d bytes of their names; ask for fewer days or filter by prop.currency", query.ShopCurrenciesMax, query.ShopCurrencyBytesMax)
	}
	if c.numbers == nil {
		c.numbers = make(map[string]int)
	}
	n := len(c.names)
	name = strings.Clone(name)
	c.numbers[name], c.names = n, append(c.names, name)
	return n, nil
}
