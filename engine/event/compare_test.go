package event

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestIsNumber(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-1": true, "100": true, "2.5": true, "-0.001": true, "12345678901234567890": true,
		"": false, "-": false, "0100": false, "1e3": false, "100.0": false, "-0": false, ".5": false, "5.": false, "+1": false, " 1": false, "0x1": false,
		"NaN": false, "1,5": false, "१": false, "1.50": false, "00": false,
	} {
		if IsNumber(text) != want {
			t.Errorf("IsNumber(%q) is %v", text, !want)
		}
	}
}

// Numbers compare as the exact decimals that they are, and so do the terms of literals.
func TestCompareNumbers(t *testing.T) {
	literal := rapid.OneOf(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?`), rapid.SampledFrom([]string{"0", "-0", "1", "-1", "10", "9", "0.1", "0.10", "1e-300", "1e300"}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := literal.Draw(t, "a"), literal.Draw(t, "b")
		var x, y big.Rat
		if _, ok := x.SetString(a); !ok {
			t.Fatal(a)
		}
		if _, ok := y.SetString(b); !ok {
			t.Fatal(b)
		}
		m, _ := Num(a).Term()
		n, _ := Num(b).Term()
		if !IsNumber(m) || !IsNumber(n) {
			t.Fatalf("%s is %q, %s is %q", a, m, b, n)
		}
		if got, want := CompareNumbers(m, n), x.Cmp(&y); got != want {
			t.Errorf("%s and %s compare as %d, want %d", m, n, got, want)
		}
	})
}
