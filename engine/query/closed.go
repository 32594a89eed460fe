// Closed sets: the fields whose values cairn chooses, so that there are no others.

package query

import (
	"fmt"
	"strconv"

	"cairn/engine/event"
)

// ClosedValues returns the values of a field that has no others, in their own order; nil for any
// other field. A condition on such a field that no value satisfies is a mistake. Nobody changes
// the list.
func ClosedValues(field string) []string { return closed[field] }

var closed = map[string][]string{
	"type":     textsOf(event.Types),
	"dialect":  textsOf(event.Dialects),
	"bot":      {"true", "false"},
	"channel":  {"paid", "email", "search", "social", "ai", "tech", "campaign", "website", "direct"},
	"new":      {"true", "false"},
	"weekday":  {"1", "2", "3", "4", "5", "6", "7"}, // from Monday
	"hour":     numbered(24, strconv.Itoa),
	"weekhour": numbered(7*24, func(i int) string { return fmt.Sprintf("%d-%02d", i/24+1, i%24) }),
	"length":   {"0s", "1-10s", "11-30s", "31-60s", "61-120s", "121-240s", "241-420s", "421-600s", "601-900s", "901-1800s", "1801s+"},
	"depth":    {"0", "1", "2", "3", "4", "5", "6-7", "8-10", "11-14", "15-20", "21+"}, // page views
}

func textsOf[T ~string](values []T) []string {
	return numbered(len(values), func(i int) string { return string(values[i]) })
}

func numbered(n int, text func(i int) string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = text(i)
	}
	return all
}

// IsNumbered reports whether the values of a field of ClosedValues are numbers, so that "at least"
// and "at most" mean something.
func IsNumbered(field string) bool { return field == "weekday" || field == "hour" }
