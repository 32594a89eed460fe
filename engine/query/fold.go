// Folding: texts that are compared without case.

package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the same text for all texts that differ in case alone, by Unicode's simple
// folding. It is for comparing, not for showing.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf {
			return strings.Map(folded, s)
		}
	}
	return strings.ToLower(s)
}

// folded returns the least of the letters that differ from r in case alone, in lower case if it
// is a letter of ASCII.
func folded(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
