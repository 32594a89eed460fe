package query

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// Sums and quotients are those of exact rationals.
func TestSum(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		var sum Sum
		exact := new(big.Rat)
		for range 1 + r.IntN(30) {
			text := fmt.Sprint(r.Int64N(1_000_000_000_000_000) >> r.IntN(50))
			if digits := r.IntN(10); digits > 0 {
				text += strings.TrimRight(fmt.Sprintf(".%0*d", digits, r.Int64N(1_000_000_000)%pow(digits)), "0.")
			}
			if r.IntN(3) == 0 {
				text = "-" + text
			}
			if !sum.Add(text) {
				t.Fatalf("%q is no number", text)
			}
			one, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatal(text)
			}
			exact.Add(exact, one)
		}
		if got, want := string(sum.Append(nil)), plain(exact, 9); got != want || !sum.Exact() {
			t.Fatalf("the sum is %s, want %s", got, want)
		}
		if sum.Sign() != exact.Sign() {
			t.Fatalf("the sign of %s is %d", plain(exact, 9), sum.Sign())
		}
		n := uint64(1 + r.IntN(1000))
		for digits := range 9 {
			quotient := new(big.Rat).Quo(exact, new(big.Rat).SetUint64(n))
			if got, want := string(sum.AppendQuotient(nil, n, digits)), plain(quotient, digits); got != want {
				t.Fatalf("%s / %d with %d digits is %s, want %s", plain(exact, 9), n, digits, got, want)
			}
		}
		if got, want := string(sum.Times(n).Append(nil)), plain(new(big.Rat).Mul(exact, new(big.Rat).SetUint64(n)), 9); got != want {
			t.Fatalf("%d times is %s, want %s", n, got, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1.", "a", "1e3", "1.x"} {
		var sum Sum
		if ok := sum.Add(text); ok && text != "1." {
			t.Errorf("%q is taken as a number", text)
		}
	}
	var sum Sum
	sum.Add("1234567890123456")
	if sum.Exact() {
		t.Error("a number of 16 digits is exact")
	}
}

func TestSumPer(t *testing.T) {
	for _, c := range []struct{ sum, by, want string }{
		{"100", "3", "33.33"}, {"10", "1.5", "6.67"}, {"1", "8", "0.13"}, {"-1", "8", "-0.13"}, {"1", "-8", "-0.13"}, {"0", "8", "0"}, {"5", "0", "null"}, {"999999999999999", "0.000000001", "999999999999999000000000"},
	} {
		var sum, by Sum
		sum.Add(c.sum)
		by.Add(c.by)
		if got := string(sum.AppendPer(nil, by, 2)); got != c.want {
			t.Errorf("%s / %s is %s, want %s", c.sum, c.by, got, c.want)
		}
	}
	var rough, two Sum
	rough.Add("10000000000000000")
	two.Add("2")
	if got := string(rough.AppendPer(nil, two, 2)); got != "5e+15" {
		t.Errorf("about %s", got)
	}
}

func pow(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// plain rounds half away from zero and takes needless zeros off.
func plain(r *big.Rat, digits int) string {
	text := r.FloatString(digits)
	if digits > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}
