package event

import "strings"

// Terms: the text by which values are compared, and the exact decimal arithmetic that
// makes 100, 100.0 and 1e2 one term.

// Term returns the text by which filters and counters compare v. ok is false for null,
// arrays, objects and the absent value.
func (v Value) Term() (term string, ok bool) { return v.termIn(nil) }

// termIn is Term; a term that differs from the text comes from arena.
func (v Value) termIn(arena *TermArena) (term string, ok bool) {
	switch v.Kind {
	case String, Bool:
		return v.Text, true
	case Number:
		if isPlainInteger(v.Text) {
			return v.Text, true
		}
		var buf [96]byte
		b, num := appendDecimal(buf[:0], v.Text)
		if !num || string(b) == v.Text {
			return v.Text, true
		}
		return arena.keep(b), true
	}
	return "", false
}

// QueryTerms returns the terms that a query text asks for: q itself and, when q is a
// number, its canonical decimal if that differs.
func QueryTerms(q string) []string {
	if !isPlainInteger(q) {
		var buf [96]byte
		if b, num := appendDecimal(buf[:0], q); num && string(b) != q {
			return []string{q, string(b)}
		}
	}
	return []string{q}
}

// Bounds of numbers that are compared as exact decimals. A literal beyond either bound
// is compared as text, so that no query costs more than a few hundred bytes.
const (
	decimalDigitsMax   = 64
	decimalExponentMax = 308
)

// isPlainInteger reports that s is the canonical decimal of an integer.
func isPlainInteger(s string) bool {
	if len(s) > 0 && s[0] == '-' {
		if s = s[1:]; s == "0" {
			return false
		}
	}
	if len(s) == 0 || len(s) > decimalDigitsMax || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// appendDecimal appends the canonical decimal of s: the shortest plain form without
// exponent, leading zeros, trailing zeros after the point, or "-0". ok is false, and
// dst unchanged, when s is not -?digits[.digits][(e|E)[+-]digits] or is beyond the
// bounds above. The arithmetic is on text and therefore exact.
func appendDecimal(dst []byte, s string) (out []byte, ok bool) {
	negative := false
	if len(s) > 0 && s[0] == '-' {
		negative, s = true, s[1:]
	}
	i := digitsEnd(s, 0)
	whole, fraction := s[:i], ""
	if i == 0 {
		return dst, false
	}
	if i < len(s) && s[i] == '.' {
		end := digitsEnd(s, i+1)
		if end == i+1 {
			return dst, false
		}
		fraction, i = s[i+1:end], end
	}
	exponent := 0
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return dst, false
		}
		i++
		minus := false
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			minus = s[i] == '-'
			i++
		}
		if end := digitsEnd(s, i); end != len(s) || end == i {
			return dst, false
		}
		for ; i < len(s); i++ {
			if exponent = exponent*10 + int(s[i]-'0'); exponent > decimalExponentMax {
				return dst, false
			}
		}
		if minus {
			exponent = -exponent
		}
	}
	if len(whole)+len(fraction) > decimalDigitsMax {
		return dst, false
	}

	// The digits without zeros at either end, and the position of the point among them.
	var buf [decimalDigitsMax]byte
	digits := append(append(buf[:0], whole...), fraction...)
	point := len(whole) + exponent
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		point--
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		return append(dst, '0'), true
	}
	if negative {
		dst = append(dst, '-')
	}
	switch {
	case point <= 0:
		dst = append(dst, "0."...)
		dst = appendZeros(dst, -point)
		dst = append(dst, digits...)
	case point >= len(digits):
		dst = append(dst, digits...)
		dst = appendZeros(dst, point-len(digits))
	default:
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		dst = append(dst, digits[point:]...)
	}
	return dst, true
}

// zeros is as long as the longest run of zeros that appendDecimal needs.
var zeros = strings.Repeat("0", decimalExponentMax+decimalDigitsMax)

func appendZeros(dst []byte, n int) []byte { return append(dst, zeros[:n]...) }

// digitsEnd returns the end of the run of ASCII digits that starts at i.
func digitsEnd(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}
