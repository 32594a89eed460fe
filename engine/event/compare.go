package event

import (
	"cmp"
	"strings"
)

// IsNumber reports whether a term is a number: it is its own shortest decimal form, as
// Decimal makes it. So are the terms of all numbers that can be compared as such, and the
// texts "100" and "-2.5", but not "0100" and "1e3".
func IsNumber(term string) bool {
	if isPlainInteger(term) {
		return true
	}
	digits := strings.TrimPrefix(term, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if len(term) > decimalPlainMax || whole == "" || digitsEnd(whole, 0) != len(whole) || digitsEnd(fraction, 0) != len(fraction) {
		return false
	}
	if whole[0] == '0' && len(whole) > 1 || point && (fraction == "" || fraction[len(fraction)-1] == '0') || !point && digits == "0" && term != digits {
		return false
	}
	if point {
		return len(strings.TrimLeft(whole+fraction, "0")) <= decimalDigitsMax
	}
	return len(strings.TrimRight(whole, "0")) <= decimalDigitsMax
}

// CompareNumbers compares two terms that IsNumber accepts, exactly: -1, 0 or +1.
func CompareNumbers(a, b string) int {
	x, negative := strings.CutPrefix(a, "-")
	y, below := strings.CutPrefix(b, "-")
	switch {
	case negative && !below:
		return -1
	case below && !negative:
		return 1
	case negative:
		x, y = y, x
	}
	wholeX, restX, _ := strings.Cut(x, ".")
	wholeY, restY, _ := strings.Cut(y, ".")
	// Without zeros in front, the longer whole number is the greater one. Without zeros at
	// the end, digits after the point compare as text.
	return cmp.Or(cmp.Compare(len(wholeX), len(wholeY)), strings.Compare(wholeX, wholeY), strings.Compare(restX, restY))
}
