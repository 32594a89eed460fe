package event

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
)

// The numbers that cairn calculates with. Terms compare numbers as text; profiles add
// them up, exactly. The cost of arithmetic grows with the square of the number of
// digits. So a number that is added has at most decimalDigitsMax digits and an exponent
// of at most decimalExponentMax. Any other number is stored as it was sent and not
// added. The sum in a profile may be longer and still be added to (see summand). Sums of float64s,
// at the end of the file, have at most some 2,200 bits.

// DecimalLimit describes the numbers that Decimal accepts, for error messages.
const DecimalLimit = "at most 64 digits and an exponent from -308 to 308"

// Decimal returns the shortest plain form of a number literal: no exponent, no needless
// zeros, no "-0". ok is false when the literal is not a number, has too many digits or
// has too large an exponent to calculate with. The time is proportional to the length
// of the text.
func Decimal(literal string) (plain string, ok bool) {
	if isPlainInteger(literal) {
		return literal, true
	}
	var buf [decimalPlainMax]byte
	b, ok := appendDecimal(buf[:0], literal)
	return string(b), ok
}

// decimalPlainMax is the largest number of bytes in a plain form that appendDecimal
// makes: the sign, "0." and zeros before all digits.
const decimalPlainMax = 3 + decimalExponentMax + decimalDigitsMax

// sumDigitsMax is the largest number of digits of a sum that can still be added to. The
// sum of a billion numbers that Decimal accepts has at most 382 digits before the point
// and 372 after it.
const sumDigitsMax = 800

// IsSummable reports whether AddDecimal can add to v.
func (v Value) IsSummable() bool {
	_, ok := v.summand()
	return ok
}

// summand returns the plain form of a number that can be added to: one that Decimal
// accepts, or a plain number of at most sumDigitsMax digits.
func (v Value) summand() (plain string, ok bool) {
	if v.Kind != Number {
		return "", false
	}
	if plain, ok = Decimal(v.Text); ok {
		return plain, true
	}
	return v.Text, len(v.Text) <= sumDigitsMax && !strings.ContainsAny(v.Text, "eE")
}

// AddDecimal returns the exact sum of v and a number literal. v is a number as it was
// sent, or a sum. ok is false when either is not a number or has too many digits;
// nothing is then calculated.
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

// MulDecimal returns the exact product of two number literals in its shortest plain form. ok is
// false when Decimal does not accept both.
func MulDecimal(a, b string) (plain string, ok bool) {
	a, ok = Decimal(a)
	if !ok {
		return "", false
	}
	if b, ok = Decimal(b); !ok {
		return "", false
	}
	var x, y big.Int
	digits := fractionDigits(a) + fractionDigits(b)
	if !scaled(&x, a, fractionDigits(a)) || !scaled(&y, b, fractionDigits(b)) {
		return "", false
	}
	return unscaled(x.Mul(&x, &y), digits), true
}

// QuotientDecimal returns the quotient of two plain numbers, rounded half away from zero to at
// most so many digits after the point, without needless zeros. ok is false when one of them is no
// plain number or the second one is 0.
func QuotientDecimal(num, den string, digits int) (plain string, ok bool) {
	scale := max(fractionDigits(num), fractionDigits(den))
	var x, y, half big.Int
	if num == "" || !scaled(&x, num, scale+digits) || !scaled(&y, den, scale) || y.Sign() == 0 {
		return "", false
	}
	// Rounded half up of the magnitudes: (2x + y) / 2y.
	sign := x.Sign() * y.Sign()
	x.Abs(&x).Lsh(&x, 1)
	y.Abs(&y)
	half.Lsh(&y, 1)
	x.Add(&x, &y).Quo(&x, &half)
	if sign < 0 {
		x.Neg(&x)
	}
	return unscaled(&x, digits), true
}

// fractionDigits returns how many digits a plain decimal has after its point.
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

// unscaled returns the plain form of n divided by 10 to the power of scale.
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

// Floats is an exact sum of float64s, each of which is an integer times a power of two. So the sum
// does not depend on the order in which they are added. It is "" for 0, and else
//
//	exponent of two i16, big endian | sign, '-' or '+' | odd integer, big endian
type Floats string

// FloatsOf returns the sum of one number. An infinite one is the largest.
func FloatsOf(v float64) Floats {
	v = max(-math.MaxFloat64, min(math.MaxFloat64, v))
	fraction, exp := math.Frexp(v)
	return floatsFrom(big.NewInt(int64(fraction*(1<<53))), exp-53)
}

// floatsFrom returns m times a power of two. It may change m.
func floatsFrom(m *big.Int, exp int) Floats {
	if m.Sign() == 0 {
		return ""
	}
	zeros := m.TrailingZeroBits()
	m.Rsh(m, zeros)
	sign := byte('+')
	if m.Sign() < 0 {
		sign = '-'
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 16), uint16(int16(exp+int(zeros))))
	return Floats(append(append(b, sign), m.Bytes()...))
}

// split returns the integer and the exponent.
func (f Floats) split() (m *big.Int, exp int) {
	m = new(big.Int)
	if f == "" {
		return m, 0
	}
	if m.SetBytes([]byte(f[3:])); f[2] == '-' {
		m.Neg(m)
	}
	return m, int(int16(uint16(f[0])<<8 | uint16(f[1])))
}

// Plus returns the sum of both.
func (f Floats) Plus(o Floats) Floats {
	switch {
	case f == "":
		return o
	case o == "":
		return f
	}
	a, exp := f.split()
	b, other := o.split()
	if exp > other {
		a.Lsh(a, uint(exp-other))
		exp = other
	} else {
		b.Lsh(b, uint(other-exp))
	}
	return floatsFrom(a.Add(a, b), exp)
}

// Times returns n times the sum.
func (f Floats) Times(n int64) Floats {
	if f == "" {
		return ""
	}
	m, exp := f.split()
	return floatsFrom(m.Mul(m, big.NewInt(n)), exp)
}

// Float returns the nearest float64; it may be infinite.
func (f Floats) Float() float64 {
	if f == "" {
		return 0
	}
	m, exp := f.split()
	v, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(m), exp).Float64()
	return v
}
