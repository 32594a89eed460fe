// Pages of groups: which values of rows are shown, and in which order.

package report

import (
	"cmp"
	"slices"

	"cairn/engine/query"
)

// groupPage is the groups that are shown.
type groupPage struct {
	shown []int32
	count int
	whole bool
}

// pageGroups returns the groups that a question asks for. number is nil for an order by value.
func pageGroups(groups *rowGroups, q *query.Rows, events func(int32) uint64, number func(int32) ratio) (page groupPage) {
	type row struct {
		groupText
		group int32
	}
	var order []string
	if len(groups.dims) == 1 {
		order = groups.dims[0].order
	}
	var all []row
	search := query.NewSearch(q.Search)
	for i := range groups.groups {
		r := row{groups.row(int32(i)), int32(i)}
		if n := events(r.group); n == 0 || order == nil && (n < q.AtLeast || q.Search != "" && (r.value.Null || !search.Matches(r.value.Text))) {
			continue
		}
		all = append(all, r)
	}
	if order != nil {
		place := func(r row) int {
			if r.value.Null {
				return len(order)
			}
			return slices.Index(order, r.value.Text)
		}
		slices.SortFunc(all, func(a, b row) int { return place(a) - place(b) })
		page.whole = true
	} else {
		slices.SortFunc(all, func(a, b row) int {
			if number != nil {
				if c := compareRatios(number(a.group), number(b.group), q.Ascending); c != 0 {
					return c
				}
			}
			c := cmp.Or(compareText(a.value, b.value, number == nil && !q.Ascending), compareText(a.with, b.with, number == nil && !q.Ascending))
			return cmp.Or(c, compareIn(a.in, b.in))
		})
	}
	if page.count = len(all); order == nil {
		all = all[min(q.Offset, len(all)):min(q.Offset+q.Limit, len(all))]
	}
	for _, r := range all {
		page.shown = append(page.shown, r.group)
	}
	return page
}

// compareText orders values bytewise, rows without a value last in any case.
func compareText(a, b query.Text, descending bool) int {
	c := compareTexts(a, nil, b, nil)
	if descending && !a.Null && !b.Null {
		return -c
	}
	return c
}
