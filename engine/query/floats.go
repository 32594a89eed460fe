// Floats: exact sums of float64s.

package query

import (
	"encoding/binary"
	"math"
	"math/big"
)

// floats is an exact sum of float64s, each of which is an integer times a power of two. So the sum
// does not depend on the order in which they are added. It is "" for 0, and else
//
//	exponent of two i16, big endian | sign, '-' or '+' | odd integer, big endian
type floats string

// floatsOf returns the sum of one number. An infinite one is the largest.
func floatsOf(v float64) floats {
	v = max(-math.MaxFloat64, min(math.MaxFloat64, v))
	fraction, exp := math.Frexp(v)
	return floatsFrom(big.NewInt(int64(fraction*(1<<53))), exp-53)
}

// floatsFrom returns m times a power of two. It may change m.
func floatsFrom(m *big.Int, exp int) floats {
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
	return floats(append(append(b, sign), m.Bytes()...))
}

// split returns the integer and the exponent.
func (f floats) split() (m *big.Int, exp int) {
	m = new(big.Int)
	if f == "" {
		return m, 0
	}
	if m.SetBytes([]byte(f[3:])); f[2] == '-' {
		m.Neg(m)
	}
	return m, int(int16(uint16(f[0])<<8 | uint16(f[1])))
}

func (f floats) plus(o floats) floats {
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

func (f floats) times(n int64) floats {
	if f == "" {
		return ""
	}
	m, exp := f.split()
	return floatsFrom(m.Mul(m, big.NewInt(n)), exp)
}

// float returns the nearest float64; it may be infinite.
func (f floats) float() float64 {
	if f == "" {
		return 0
	}
	m, exp := f.split()
	v, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(m), exp).Float64()
	return v
}
