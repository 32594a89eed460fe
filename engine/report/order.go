// Order: which rows of a table are shown, and in which order.

package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/query"
)

// ratio is a number of a row as a quotient. Over is 0 for a row that has none.
type ratio struct{ value, over float64 }

// sortRows orders rows by a number, those that have none last, and rows of one rank by value.
// number is nil for an order by value.
func sortRows[R any](rows []R, ascending bool, value func(*R) (query.Text, []string), number func(*R) ratio) {
	slices.SortFunc(rows, func(a, b R) int {
		if number != nil {
			if c := compareRatios(number(&a), number(&b), ascending); c != 0 {
				return c
			}
		}
		x, inX := value(&a)
		y, inY := value(&b)
		c := compareTexts(x, inX, y, inY)
		if number == nil && !ascending && !x.Null && !y.Null {
			return -c
		}
		return c
	})
}

// cutRows returns the page that is asked for, of how many rows, and whether there are more.
func cutRows[R any](all []R, q *query.Rows) (page []R, count int, more bool) {
	from := min(q.Offset, len(all))
	to := min(from+q.Limit, len(all))
	return slices.Clone(all[from:to]), len(all), to < len(all)
}

// compareTexts orders values bytewise, rows without a value last.
func compareTexts(a query.Text, inA []string, b query.Text, inB []string) int {
	switch {
	case a.Null && b.Null:
		return 0
	case a.Null:
		return 1
	case b.Null:
		return -1
	}
	return cmp.Or(strings.Compare(a.Text, b.Text), slices.CompareFunc(inA, inB, compareOuter))
}

// compareOuter orders what values lie in; "" stands for nothing, which is last.
func compareOuter(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	return strings.Compare(a, b)
}

// compareRatios orders numbers, those that are none last.
func compareRatios(x, y ratio, ascending bool) int {
	switch {
	case x.over == 0 && y.over == 0:
		return 0
	case x.over == 0:
		return 1
	case y.over == 0:
		return -1
	}
	c := cmp.Compare(x.value*y.over, y.value*x.over)
	if ascending {
		return c
	}
	return -c
}

// hashTexts names a set of texts, in any order.
func hashTexts(texts []string) [sha256.Size]byte {
	slices.Sort(texts)
	h := sha256.New()
	for _, text := range texts {
		_, _ = fmt.Fprintf(h, "%d ", len(text))
		_, _ = h.Write([]byte(text))
	}
	return [sha256.Size]byte(h.Sum(nil))
}
