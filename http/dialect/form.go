package dialect

import (
	"iter"
	"strings"

	"cairn/engine/event"
)

// Form yields the pairs of a query string or a form-encoded body in the order in which they
// were sent, decoded as browsers decode them: "+" is a space, and a "%" without two hex
// digits after it stands for itself, so nothing is ever refused. Empty pairs are left out.
// A pair without "=" has an empty value. Strings that need no decoding alias text. The
// result need not be valid UTF-8.
func Form(text string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for text != "" {
			pair, rest, _ := strings.Cut(text, "&")
			text = rest
			if pair == "" {
				continue
			}
			key, value, _ := strings.Cut(pair, "=")
			if !yield(event.Unescape(key), event.Unescape(value)) {
				return
			}
		}
	}
}

// IsDigits says that s is one or more ASCII digits.
func IsDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
