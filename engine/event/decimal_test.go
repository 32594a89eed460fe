package event

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecimal(t *testing.T) {
	digits := strings.Repeat("1", 64)
	for literal, want := range map[string]string{
		"1": "1", "-0": "0", "0.10": "0.1", "1e2": "100", "-2.50e1": "-25",
		digits: digits, "0." + digits[1:]: "0." + digits[1:], "-" + digits: "-" + digits,
		"1e308": "1" + strings.Repeat("0", 308), "-1e-308": "-0." + strings.Repeat("0", 307) + "1",
		"0." + digits[1:] + "e-308": "0." + strings.Repeat("0", 308) + digits[1:],
		"1" + digits:                "", "0." + digits: "", "0." + digits + "1": "", "1e309": "", "1e-309": "", "1e0309": "",
		"": "", "x": "", "+1": "", "0x1": "", "1/2": "", "inf": "", "NaN": "", "1.": "", ".1": "",
	} {
		plain, ok := Decimal(literal)
		if ok != (want != "") || ok && plain != want {
			t.Errorf("%s is %q %v, want %q", literal, plain, ok, want)
		}
		if len(plain) > decimalPlainMax {
			t.Errorf("%s takes %d bytes", literal, len(plain))
		}
	}
}

func TestAddDecimal(t *testing.T) {
	long := func(n int) string { return strings.Repeat("9", n) }
	for _, c := range []struct{ name, to, by, want string }{
		{"whole", "41", "1", "42"},
		{"down to 0", "0.5", "-0.50", "0"},
		{"below 0", "1", "-1.25", "-0.25"},
		{"decimals are exact", "0.1", "0.2", "0.3"},
		{"a carry", "99.99", "0.01", "100"},
		{"exponents", "1e3", "1e-3", "1000.001"},
		{"the whole range", "1e308", "1e-308", "1" + strings.Repeat("0", 308) + "." + strings.Repeat("0", 307) + "1"},
		{"a sum has more digits", long(700), "1", "1" + strings.Repeat("0", 700)},
		{"a sum has as many as there are", long(sumDigitsMax), "0", long(sumDigitsMax)},
		{"to too many digits", long(sumDigitsMax + 1), "1", ""},
		{"to too many digits with an exponent", long(65) + "e3", "1", ""},
		{"by too many digits", "1", long(65), ""},
		{"by too many digits behind the point", "1", "0." + long(64), ""},
		{"by too large an exponent", "1", "1e309", ""},
		{"by no number", "1", "x", ""},
		{"by nothing", "1", "", ""},
	} {
		sum, ok := Num(c.to).AddDecimal(c.by)
		if ok != (c.want != "") || sum.Text != c.want {
			t.Errorf("%s: %s + %s = %q %v, want %q", c.name, c.to, c.by, sum.Text, ok, c.want)
		}
	}
	if _, ok := Str("1").AddDecimal("1"); ok {
		t.Error("a string can be added to")
	}
}

// The sum of any number of allowed numbers is exact and can be added to again.
func TestSumsStaySummable(t *testing.T) {
	number := rapid.StringMatching(`-?[0-9]{1,32}(\.[0-9]{1,32})?([eE][+-]?([0-9]{1,2}|[12][0-9]{2}|30[0-8]))?`)
	rapid.Check(t, func(t *rapid.T) {
		sum, exact := Num("0"), new(big.Rat)
		for _, by := range rapid.SliceOfN(number, 1, 20).Draw(t, "numbers") {
			next, ok := sum.AddDecimal(by)
			if !ok || !next.IsSummable() {
				t.Fatalf("%s + %s is not added up", sum.Text, by)
			}
			n, _ := new(big.Rat).SetString(by)
			if have, ok := new(big.Rat).SetString(next.Text); !ok || have.Cmp(exact.Add(exact, n)) != 0 {
				t.Fatalf("%s + %s = %s", sum.Text, by, next.Text)
			}
			sum = next
		}
	})
}

// A number of very many digits costs a look at its digits and no memory, because
// nothing calculates with it.
func TestLongNumbersAreNotCalculatedWith(t *testing.T) {
	for _, n := range []int{1 << 14, 1 << 16} {
		for _, long := range []string{strings.Repeat("1", n), "0." + strings.Repeat("1", n), "1" + strings.Repeat("0", n), "-0." + strings.Repeat("0", n) + "1"} {
			allocs := testing.AllocsPerRun(10, func() {
				v := Num(long)
				_, decimal := Decimal(long)
				_, by := Num("1").AddDecimal(long)
				_, to := v.AddDecimal("1")
				if term, ok := v.Term(); decimal || by || to || v.IsSummable() || !ok || len(term) != len(long) {
					t.Fatalf("%.8s… of %d bytes is used in a calculation", long, len(long))
				}
			})
			if allocs > 1 { // AddDecimal's buffer for the other number
				t.Errorf("%.8s… of %d bytes: %v allocations", long, len(long), allocs)
			}
		}
	}
}

// Products are exact, and quotients rounded half away from zero.
func TestProductsAndQuotients(t *testing.T) {
	for _, c := range []struct{ a, b, product, quotient string }{
		{"2.50", "2", "5", "1.25"}, {"0.1", "0.1", "0.01", "1"}, {"-1.5", "3", "-4.5", "-0.5"}, {"1e3", "0.001", "1", "1000000"},
		{"1", "3", "3", "0.33"}, {"2", "-3", "-6", "-0.67"}, {"0", "5", "0", "0"}, {"0", "-5", "0", "0"}, {"1", "0", "0", ""},
		{"1", "200", "200", "0.01"}, {"1", "201", "201", "0"}, {"-1", "200", "-200", "-0.01"}, {"x", "1", "", ""}, {"1", "", "", ""},
	} {
		product, ok := MulDecimal(c.a, c.b)
		if ok != (c.product != "") || product != c.product {
			t.Errorf("%s × %s is %q %v, want %q", c.a, c.b, product, ok, c.product)
		}
		a, _ := Decimal(c.a)
		b, _ := Decimal(c.b)
		quotient, ok := QuotientDecimal(a, b, 2)
		if ok != (c.quotient != "") || quotient != c.quotient {
			t.Errorf("%s / %s is %q %v, want %q", c.a, c.b, quotient, ok, c.quotient)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,12})?`)
		a, _ := Decimal(number.Draw(t, "a"))
		b, _ := Decimal(number.Draw(t, "b"))
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		short := func(r *big.Rat, digits int) string {
			plain, _ := Decimal(r.FloatString(digits))
			return plain
		}
		if got, _ := MulDecimal(a, b); got != short(new(big.Rat).Mul(x, y), 24) {
			t.Fatalf("%s × %s is %s", a, b, got)
		}
		if y.Sign() == 0 {
			return
		}
		if got, _ := QuotientDecimal(a, b, 2); got != short(new(big.Rat).Quo(x, y), 2) {
			t.Fatalf("%s / %s is %s, not %s", a, b, got, new(big.Rat).Quo(x, y).FloatString(2))
		}
	})
}
