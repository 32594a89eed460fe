// Facts: what the rows of a site say of it, from the dictionaries of its parts alone.

package read

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
)

// The types and names of rows that only a shop has. An event of any other sort may have such a
// name, so Facts.Shop is a hint.
var (
	shopTypes = []string{string(event.Order), string(event.Cart)}
	shopNames = append(revenueNames(), "Order Completed", "Order Refunded", "Product Added", "Product Removed")
)

// revenueNames are the names of events that are orders in their dialect.
func revenueNames() (names []string) {
	for _, d := range event.Dialects {
		if name := event.NewestRule(d).RevenueName; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Facts returns what the rows of a site say of it. It reads no rows.
func (rd *Reader) Facts(ctx context.Context, site *query.Site) (query.Facts, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	facts := query.Facts{First: math.MaxInt64, Last: math.MinInt64}
	seen := make(map[event.Dialect]bool)
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return query.Facts{}, err
		}
		part := p.Get()
		if r := p.Run; r != nil {
			facts.First, facts.Last = min(facts.First, r.TimeMin), max(facts.Last, r.TimeMax)
		} else {
			lo, hi := table.Bounds(part, event.IntTime)
			facts.First, facts.Last = min(facts.First, lo), max(facts.Last, hi)
		}
		if col := part.Column(event.FieldDialect); col != nil {
			for code := 1; code <= col.Card(); code++ {
				seen[event.Dialect(event.CellValue(col.Cell(uint32(code))).Text)] = true
			}
		}
		for field, terms := range map[string][]string{event.FieldType: shopTypes, event.FieldName: shopNames} {
			if col := part.Column(field); col != nil && !facts.Shop {
				facts.Shop = len(col.Find("", terms)) > 0
			}
		}
		if err := p.Err(); err != nil {
			return query.Facts{}, err
		}
	}
	for _, d := range event.Dialects {
		if seen[d] {
			facts.Dialects = append(facts.Dialects, d)
		}
	}
	return facts, nil
}
