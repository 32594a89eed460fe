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

// Facts returns what the rows of a site say of it. It reads no rows but of parts in which some are
// deleted.
func (rd *Reader) Facts(ctx context.Context, site *query.Site) (query.Facts, error) {
	v := rd.view(ctx, site)
	defer v.Close()
	facts := query.Facts{First: math.MaxInt64, Last: math.MinInt64}
	seen := make(map[event.Dialect]bool)
	for i := range v.Parts {
		p := &v.Parts[i]
		lo, hi, err := v.bounds(p)
		if err != nil {
			return query.Facts{}, err
		}
		facts.First, facts.Last = min(facts.First, lo), max(facts.Last, hi)
		part := p.Get()
		has := func(field string, terms ...string) bool {
			col := part.Column(field)
			return col != nil && len(col.Find("", terms)) > 0
		}
		if p.HasGone() { // a dictionary has the cells of deleted rows
			in := has
			has = func(field string, terms ...string) bool { return in(field, terms...) && leftIn(p, field, terms) }
		}
		for _, d := range event.Dialects {
			seen[d] = seen[d] || has(event.FieldDialect, string(d))
		}
		facts.Shop = facts.Shop || has(event.FieldType, shopTypes...) || has(event.FieldName, shopNames...)
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

// leftIn reports whether some row of a part that is not deleted has one of the terms.
func leftIn(p *table.Part, field string, terms []string) (is bool) {
	if m := newPredicate().and(field, terms...).matcher(p); m != nil {
		m.Descend(p.Get().Len()-1, func(int) bool {
			is = true
			return false
		})
	}
	return is
}
