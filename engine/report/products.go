// Products: the lines of orders, by product.

package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// ProductLabels are what products may be told apart by.
var ProductLabels = []string{query.ProductsBySKU, query.ProductsByName, query.ProductsByCategory}

// orderLine is what an order has of one product, or of one category. Texts are numbers plus 1; 0 =
// none.
type orderLine struct {
	value, name, category int32
	quantity, revenue     query.Sum
}

// orderLines are the lines of an order, one for each value.
type orderLines struct {
	lines []orderLine
	items query.Sum // quantity of all lines
}

// lineReader reads the lines of the orders of a slice: their property items, or else products. It
// reads each cell once.
type lineReader struct {
	by     string
	texts  *read.Terms
	whole  [2]*read.WholeProperty
	parser event.Parser
	known  [2]map[int64]*orderLines
	held   int // lines in known
}

// linesHeld bounds the lines that a slice keeps for cells that come again.
const linesHeld = 1 << 16

var noLines orderLines

func newLineReader(s *read.Slice, by string, texts *read.Terms) *lineReader {
	r := &lineReader{by: by, texts: texts}
	for i, key := range []string{"items", "products"} {
		r.whole[i], r.known[i] = s.Whole(key), make(map[int64]*orderLines)
	}
	return r
}

// of returns the lines of a row's order. Nobody changes them.
func (r *lineReader) of(row int) *orderLines {
	for i, whole := range r.whole {
		code := whole.Code(row)
		if code == 0 {
			continue
		}
		lines, known := r.known[i][code]
		if !known {
			lines = r.read(whole.Value(code))
			if r.held += 1 + len(lines.lines); r.held > linesHeld {
				clear(r.known[0])
				clear(r.known[1])
				r.held = 0
			}
			r.known[i][code] = lines
		}
		if len(lines.lines) > 0 {
			return lines
		}
	}
	return &noLines
}

// read reads the lines of a list of objects.
func (r *lineReader) read(list event.Value) *orderLines {
	o := new(orderLines)
	if !list.IsArray() {
		return o
	}
	r.parser.Reset()
	items, err := list.Array(&r.parser)
	if err != nil {
		return o
	}
	at := make(map[int32]int)
	for _, item := range items {
		if !item.IsObject() {
			continue
		}
		members, err := item.Object(&r.parser)
		if err != nil {
			continue
		}
		quantity, revenue := lineSums(members)
		o.items.AddSum(quantity)
		name, categories := r.text(members.Get("name")), r.categories(members.Get("category"))
		values := []int32{0}
		line := orderLine{name: name, category: categories[0]}
		switch r.by {
		case query.ProductsBySKU:
			if values[0] = r.text(members.Get("sku")); values[0] == 0 {
				values[0] = r.text(members.Get("product_id"))
			}
		case query.ProductsByName:
			values[0], line.name = name, 0
		default:
			values, line.name, line.category = categories, 0, 0
		}
		for _, value := range values {
			i, known := at[value]
			if !known {
				i = len(o.lines)
				at[value] = i
				o.lines = append(o.lines, orderLine{value: value})
			}
			to := &o.lines[i]
			to.quantity.AddSum(quantity)
			to.revenue.AddSum(revenue)
			to.name, to.category = cmp.Or(to.name, line.name), cmp.Or(to.category, line.category)
		}
	}
	return o
}

// lineSums returns the quantity of a line and its price times the quantity.
func lineSums(members event.Object) (quantity, revenue query.Sum) {
	number := func(key, otherwise string) string {
		if term, ok := members.Get(key).Term(); ok {
			if plain, ok := event.Decimal(term); ok {
				return plain
			}
		}
		return otherwise
	}
	price, n := number("price", "0"), number("quantity", "1")
	quantity.Add(n)
	if whole, err := strconv.ParseUint(n, 10, 32); err == nil {
		revenue.Add(price)
		return quantity, revenue.Times(whole)
	}
	product, _ := event.MulDecimal(price, n)
	revenue.Add(product)
	return quantity, revenue
}

// text returns the number of a text plus 1; 0 = it is none, or empty.
func (r *lineReader) text(v event.Value) int32 {
	if term, ok := v.Term(); ok && term != "" {
		return r.texts.ID(term) + 1
	}
	return 0
}

// categories returns the different categories of a line; one that is 0 when it has none.
func (r *lineReader) categories(v event.Value) []int32 {
	all := []int32{r.text(v)}
	if !v.IsArray() {
		return all
	}
	list, err := v.Array(&r.parser)
	if err != nil {
		return all
	}
	all = all[:0]
	for _, one := range list {
		if id := r.text(one); id != 0 && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if len(all) == 0 {
		all = append(all, 0)
	}
	return all
}

// productKey is a value and a currency, by their numbers. A value is the number of its text plus
// 1; 0 = none.
type productKey struct{ value, currency int32 }

// productSums are the numbers of a product so far, with its newest name and category.
type productSums struct {
	query.ProductNumbers
	name, category         int32
	namedAt, categorisedAt moment
}

// describe takes a name and a category, if they are newer.
func (p *productSums) describe(name int32, named moment, category int32, categorised moment) {
	if name != 0 && (p.name == 0 || p.namedAt.before(named)) {
		p.name, p.namedAt = name, named
	}
	if category != 0 && (p.category == 0 || p.categorisedAt.before(categorised)) {
		p.category, p.categorisedAt = category, categorised
	}
}

// sliceProducts are the products of a slice.
type sliceProducts struct {
	texts read.Terms
	sums  map[productKey]*productSums
}

// add adds the lines of an order.
func (s *sliceProducts) add(o *orderLines, currency int, at moment) error {
	if s.sums == nil {
		s.sums = make(map[productKey]*productSums)
	}
	for i := range o.lines {
		line := &o.lines[i]
		key := productKey{line.value, int32(currency)}
		sums := s.sums[key]
		if sums == nil {
			sums = new(productSums)
			s.sums[key] = sums
		}
		sums.Orders++
		sums.Quantity.AddSum(line.quantity)
		sums.Revenue.AddSum(line.revenue)
		sums.describe(line.name, at, line.category, at)
	}
	if len(s.sums) > query.CounterRowsMax || tooManyTexts("by", &s.texts) != nil {
		return tooManyValues("by")
	}
	return nil
}

// products are the products of an answer.
type products struct {
	by string
	sliceProducts
}

// take adds the products of a slice. currencies are the numbers of its currencies in the answer.
func (p *products) take(s *sliceProducts, currencies []int) error {
	numbers := make([]int32, s.texts.Len()+1)
	number := func(id int32) int32 {
		if id != 0 && numbers[id] == 0 {
			numbers[id] = p.texts.ID(s.texts.Text(id-1)) + 1
		}
		return numbers[id]
	}
	if p.sums == nil {
		p.sums = make(map[productKey]*productSums)
	}
	for key, from := range s.sums {
		key = productKey{number(key.value), int32(currencies[key.currency])}
		to := p.sums[key]
		if to == nil {
			to = new(productSums)
			p.sums[key] = to
		}
		to.Orders += from.Orders
		to.Quantity.AddSum(from.Quantity)
		to.Revenue.AddSum(from.Revenue)
		to.describe(number(from.name), from.namedAt, number(from.category), from.categorisedAt)
	}
	if len(p.sums) > query.CounterRowsMax || tooManyTexts("by", &p.texts) != nil {
		return tooManyValues("by")
	}
	return nil
}

// productName is a product as an answer has it.
type productName struct {
	value    query.Text
	currency string
}

// row returns a product as an answer has it.
func (p *products) row(names *currencies, key productKey, sums *productSums) query.ProductRow {
	text := func(id int32) query.Text { return valueOf(&p.texts, id) }
	return query.ProductRow{
		Value: text(key.value), Currency: names.names[key.currency],
		Name: text(sums.name), Category: text(sums.category), ProductNumbers: sums.ProductNumbers,
	}
}

// some returns the products that are shown, in no order.
func (p *products) some(names *currencies, shown map[productName]int) (rows []query.ProductRow) {
	for key, sums := range p.sums {
		row := p.row(names, key, sums)
		if _, is := shown[productName{row.Value, row.Currency}]; is {
			rows = append(rows, row)
		}
	}
	return rows
}

// page returns the products that are asked for, and how many Search and AtLeast leave.
func (p *products) page(names *currencies, q *query.Rows) (rows []query.ProductRow, count int) {
	search := query.NewSearch(q.Search)
	var all []query.ProductRow
	for key, sums := range p.sums {
		row := p.row(names, key, sums)
		if row.Orders >= q.AtLeast && (q.Search == "" || !row.Value.Null && search.Matches(row.Value.Text)) {
			all = append(all, row)
		}
	}
	number := productNumber(cmp.Or(q.Sort, "revenue"))
	slices.SortFunc(all, func(a, b query.ProductRow) int {
		if number != nil {
			if c := compareRatios(number(&a), number(&b), q.Ascending); c != 0 {
				return c
			}
		}
		return cmp.Or(compareText(a.Value, b.Value, number == nil && !q.Ascending), strings.Compare(a.Currency, b.Currency))
	})
	rows, count, _ = cutRows(all, q)
	return rows, count
}

// ProductNumberNames are the numbers of a product, by which products may be sorted.
var ProductNumberNames = []string{"revenue", "orders", "quantity", "average_price"}

// productNumber returns how to read a number of a product by its name, nil for "value".
func productNumber(name string) func(*query.ProductRow) ratio {
	switch name {
	case "orders":
		return func(r *query.ProductRow) ratio { return ratio{float64(r.Orders), 1} }
	case "quantity":
		return func(r *query.ProductRow) ratio { return ratio{r.Quantity.Float(), 1} }
	case "average_price":
		return func(r *query.ProductRow) ratio {
			if r.Quantity.Sign() == 0 {
				return ratio{}
			}
			return ratio{r.Revenue.Float() / r.Quantity.Float(), 1}
		}
	case "value":
		return nil
	}
	return func(r *query.ProductRow) ratio { return ratio{r.Revenue.Float(), 1} }
}
