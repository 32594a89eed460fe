// Numbers: terms that are decimal numbers.

package report

import "cairn/engine/event"

// isNumber reports whether a term is a number: its own shortest decimal form. "0100" and "1e3"
// are not.
func isNumber(term string) bool {
	if term == "" || term[0] != '-' && (term[0] < '0' || term[0] > '9') {
		return false
	}
	plain, ok := event.Decimal(term)
	return ok && plain == term
}
