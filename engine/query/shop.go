// Shop: what a report of orders, carts and products is asked and answers.

package query

// ShopQuery asks for orders, refunds, abandoned carts and products, for each currency. Events
// count when they satisfy all conditions; visits are those of a VisitsQuery.
type ShopQuery struct {
	Report
	By   string // ProductsBySKU, ProductsByName or ProductsByCategory
	Rows Rows   // of the products
}

// What products are told apart by.
const (
	ProductsBySKU      = "sku"
	ProductsByName     = "name"
	ProductsByCategory = "category"
)

// ShopCurrenciesMax is the most currencies of one answer, and ShopCurrencyBytesMax the bytes that
// their names have together.
const (
	ShopCurrenciesMax    = 1024
	ShopCurrencyBytesMax = 64 << 10
)

// ShopTotals are the numbers of one currency; "" = no event and no setting names one.
type ShopTotals struct {
	Currency                          string
	Orders                            uint64
	Revenue                           Sum // of the orders
	Refunds                           Sum // what was paid back, above 0
	Items                             Sum // how many were bought
	Subtotal, Tax, Shipping, Discount Sum
	Customers                         uint64 // people with an order
	Converted                         uint64 // visits with an order
	CartsAbandoned                    uint64
	CartsValue                        Sum
}

// ShopStep is one step of the series of a currency.
type ShopStep struct {
	Orders           uint64
	Revenue, Refunds Sum
}

// ShopRange is what was sold in a range. Totals has the currencies with an order, a refund or an
// abandoned cart, most orders first, then by name. Series has len(Totals) elements for each step,
// in the same order.
type ShopRange struct {
	Visits uint64
	Totals []ShopTotals
	Series []ShopStep
}

// ProductNumbers are the numbers of a product, in one currency.
type ProductNumbers struct {
	Orders   uint64 // that have it
	Quantity Sum
	Revenue  Sum // price times quantity
}

// ProductRow is a product in one currency. Name and Category are those of its newest order that
// has one; Null where the rows are not products.
type ProductRow struct {
	Value          Text
	Currency       string
	Name, Category Text
	ProductNumbers
	Was *ProductNumbers // in the compared range; nil without one
}

// ShopAnswer is a report of a shop.
type ShopAnswer struct {
	AsOf
	ShopRange
	Products []ProductRow
	Count    int // products that Search and AtLeast leave
	Compared *ShopRange
}
