// Sums: exact sums of decimal numbers.

package query

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"cairn/engine/event"
)

// Sum is a sum of decimal numbers. Numbers below 10^15 with at most nine decimals are added
// exactly, as integers of 10^-9 in 128 bits: no store has enough events to exceed these. Any other
// number becomes the nearest float64, and the sum of these is exact again: it is the same in
// whatever order they are added. The zero Sum is 0 and exact. A Sum is a value: a copy is another
// sum, and equal sums are ==.
type Sum struct {
	hi, lo uint64       // two's complement
	other  event.Floats // sum of the numbers that do not fit
	rough  bool
}

const (
	sumUnit   = 1_000_000_000
	sumDigits = 9
	sumWhole  = 15 // digits before the point
)

// Add adds a plain decimal, as event.Decimal returns it. It reports false when the text is none.
func (s *Sum) Add(plain string) bool {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(plain, "-"), ".")
	if len(whole) > sumWhole || len(fraction) > sumDigits {
		v, err := strconv.ParseFloat(plain, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return false
		}
		s.other, s.rough = s.other.Plus(event.FloatsOf(v)), true
		return true
	}
	units, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return false
	}
	part := uint64(0)
	if fraction != "" {
		if part, err = strconv.ParseUint(fraction, 10, 64); err != nil {
			return false
		}
		for range sumDigits - len(fraction) {
			part *= 10
		}
	}
	hi, lo := bits.Mul64(units, sumUnit)
	lo, carry := bits.Add64(lo, part, 0)
	hi += carry
	if plain[0] == '-' {
		hi, lo = negated(hi, lo)
	}
	s.plus(hi, lo)
	return true
}

// AddSum adds another sum.
func (s *Sum) AddSum(o Sum) {
	s.plus(o.hi, o.lo)
	s.other, s.rough = s.other.Plus(o.other), s.rough || o.rough
}

// Negated returns the sum with the other sign.
func (s Sum) Negated() Sum {
	s.hi, s.lo = negated(s.hi, s.lo)
	s.other = s.other.Times(-1)
	return s
}

// Times returns the sum n times, for n of at most 2^32.
func (s Sum) Times(n uint64) Sum {
	hi, lo := bits.Mul64(s.lo, n)
	return Sum{hi + s.hi*n, lo, s.other.Times(int64(n)), s.rough}
}

// Exact reports whether the sum is exact.
func (s Sum) Exact() bool { return !s.rough }

// Sign returns -1, 0 or 1.
func (s Sum) Sign() int {
	switch f := s.Float(); {
	case !s.rough && s.hi == 0 && s.lo == 0, s.rough && f == 0:
		return 0
	case f < 0:
		return -1
	}
	return 1
}

// Float returns about the sum.
func (s Sum) Float() float64 {
	hi, lo, sign := s.hi, s.lo, 1.0
	if int64(hi) < 0 {
		hi, lo = negated(hi, lo)
		sign = -1
	}
	f := sign*(float64(hi)*(1<<32)*(1<<32)+float64(lo))/sumUnit + s.other.Float()
	return max(-math.MaxFloat64, min(math.MaxFloat64, f))
}

// Append appends the sum as a JSON number: plain and in its shortest form when it is exact.
func (s Sum) Append(dst []byte) []byte {
	if s.rough {
		return strconv.AppendFloat(dst, s.Float(), 'g', -1, 64)
	}
	return s.appendScaled(dst, sumDigits, false)
}

// AppendQuotient appends the sum divided by n, rounded half away from zero to at most so many
// digits after the point, 9 at most, without needless zeros. n is not 0.
func (s Sum) AppendQuotient(dst []byte, n uint64, digits int) []byte {
	if s.rough {
		unit := 1.0
		for range digits {
			unit *= 10
		}
		v := s.Float() / float64(n)
		if rounded := math.Round(v*unit) / unit; math.Abs(v*unit) < 1<<53 {
			v = rounded // a larger one has no more digits
		}
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	cut := uint64(1) // 10^-9 in the last digit that is shown
	for range sumDigits - digits {
		cut *= 10
	}
	hi, lo := s.hi, s.lo
	negative := int64(hi) < 0
	if negative {
		hi, lo = negated(hi, lo)
	}
	// The quotient by n and by cut, with the remainder of both: rounding twice would be wrong.
	byHi, by := bits.Mul64(n, cut)
	if byHi != 0 {
		return append(dst, '0')
	}
	q := Sum{}
	var rest uint64
	q.hi, rest = hi/by, hi%by
	q.lo, rest = bits.Div64(rest, lo, by)
	if rest >= by-rest {
		lo, carry := bits.Add64(q.lo, 1, 0)
		q.lo, q.hi = lo, q.hi+carry
	}
	return q.appendScaled(dst, digits, negative)
}

// AppendPer appends the sum divided by another one, rounded half away from zero to at most so many
// digits after the point, 9 at most, without needless zeros; null when the other one is 0.
func (s Sum) AppendPer(dst []byte, by Sum, digits int) []byte {
	if by.Sign() == 0 {
		return append(dst, "null"...)
	}
	if s.rough || by.rough {
		return strconv.AppendFloat(dst, s.Float()/by.Float(), 'g', -1, 64)
	}
	plain, _ := event.QuotientDecimal(string(s.Append(nil)), string(by.Append(nil)), digits)
	return append(dst, plain...)
}

// AppendRatio appends num/den, rounded half away from zero to at most so many digits after the
// point, 9 at most, without needless zeros. den is not 0.
func AppendRatio(dst []byte, num, den int64, digits int) []byte {
	n, d, scale := magnitude(num), magnitude(den), uint64(1)
	for range digits {
		scale *= 10
	}
	hi, lo := bits.Mul64(n, scale)
	q := Sum{hi: hi / d}
	var rest, carry uint64
	q.lo, rest = bits.Div64(hi%d, lo, d)
	if rest >= d-rest {
		q.lo, carry = bits.Add64(q.lo, 1, 0)
		q.hi += carry
	}
	return q.appendScaled(dst, digits, (num < 0) != (den < 0))
}

// magnitude returns a number without its sign.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// appendScaled appends the integer as a decimal with so many digits after the point.
func (s Sum) appendScaled(dst []byte, digits int, negative bool) []byte {
	hi, lo := s.hi, s.lo
	if int64(hi) < 0 {
		hi, lo = negated(hi, lo)
		negative = true
	}
	var buf [48]byte
	at := len(buf)
	for n := 0; n <= digits || hi != 0 || lo != 0; n++ {
		if n == digits && digits > 0 {
			at--
			buf[at] = '.'
		}
		var digit uint64
		q := hi / 10
		lo, digit = bits.Div64(hi%10, lo, 10)
		hi = q
		at--
		buf[at] = '0' + byte(digit)
	}
	text := buf[at:]
	if digits > 0 {
		for text[len(text)-1] == '0' {
			text = text[:len(text)-1]
		}
		if text[len(text)-1] == '.' {
			text = text[:len(text)-1]
		}
	}
	if negative && string(text) != "0" {
		dst = append(dst, '-')
	}
	return append(dst, text...)
}

func (s *Sum) plus(hi, lo uint64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi += hi + carry
}

func negated(hi, lo uint64) (uint64, uint64) {
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(0, hi, borrow)
	return hi, lo
}
