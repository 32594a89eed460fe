package event

import (
	"math/big"
	"strings"
)

// What cairn calculates with. Terms compare numbers as text; profiles add them up,
// exactly. The cost of arithmetic grows with the square of the digits, so a number that
// is added has at most decimalDigitsMax digits and an exponent of at most
// decimalExponentMax. Any other is stored as sent and not added. A plain number of a
// profile may be longer and still be added to (engine, summand).

// DecimalLimit says in words what Decimal takes.
const DecimalLimit = "at most 64 digits and an exponent from -308 to 308"

// Decimal returns the shortest plain form of a number literal: no exponent, no zeros at
// either end, no "-0". ok is false for what is no number, and for one of more digits or
// a larger exponent than cairn calculates with. It takes time in proportion to the text.
func Decimal(literal string) (plain string, ok bool) {
	if isPlainInteger(literal) {
		return literal, true
	}
	var buf [decimalPlainMax]byte
	b, ok := appendDecimal(buf[:0], literal)
	return string(b), ok
}

// decimalPlainMax is how many bytes the plain form of a number has at most that
// appendDecimal takes: the sign, "0." and zeros before all digits.
const decimalPlainMax = 3 + decimalExponentMax + decimalDigitsMax

// sumDigitsMax is how many digits a sum may have that is added to. The sum of a billion
// numbers that Decimal takes has at most 382 before the point and 372 behind it.
const sumDigitsMax = 800

// IsSummable says whether AddDecimal adds to v.
func (v Value) IsSummable() bool {
	_, ok := v.summand()
	return ok
}

// summand returns the plain form of a number that is added to: one that Decimal takes,
// or a plain one of at most sumDigitsMax digits.
func (v Value) summand() (plain string, ok bool) {
	if v.Kind != Number {
		return "", false
	}
	if plain, ok = Decimal(v.Text); ok {
		return plain, true
	}
	return v.Text, len(v.Text) <= sumDigitsMax && !strings.ContainsAny(v.Text, "eE")
}

// AddDecimal returns the exact sum of v, which is a number as it was sent or a sum, and
// of a number literal. ok is false, and nothing is calculated, where either has too many
// digits or is no number.
func (v Value) AddDecimal(literal string) (sum Value, ok bool) {
	a, ok := v.summand()
	if !ok {
		return Value{}, false
	}
	b, ok := Decimal(literal)
	if !ok {
		return Value{}, false
	}
	scale := max(fractionDigits(a), fractionDigits(b))
	var x, y big.Int
	if !scaled(&x, a, scale) || !scaled(&y, b, scale) {
		return Value{}, false
	}
	return Num(unscaled(x.Add(&x, &y), scale)), true
}

// fractionDigits is how many digits a plain decimal has behind its point.
func fractionDigits(plain string) int {
	_, fraction, _ := strings.Cut(plain, ".")
	return len(fraction)
}

// scaled sets n to a plain decimal times 10 to the power of scale.
func scaled(n *big.Int, plain string, scale int) bool {
	whole, fraction, _ := strings.Cut(plain, ".")
	_, ok := n.SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	return ok
}

// unscaled is the plain form of n divided by 10 to the power of scale.
func unscaled(n *big.Int, scale int) string {
	digits, sign := n.String(), ""
	if digits[0] == '-' {
		digits, sign = digits[1:], "-"
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	whole, fraction := digits[:point], strings.TrimRight(digits[point:], "0")
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}
