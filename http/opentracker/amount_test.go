package opentracker

import "testing"

func TestSplitAmount(t *testing.T) {
	for _, c := range []struct {
		value, base string
		by          int64
		found       bool
	}{
		{"male", "male", 1, false},
		{"male[+10]", "male", 10, true},
		{"male[-5]", "male", -5, true},
		{"male[ 10]", "male", 10, true}, // a plus that was not encoded becomes a space
		{"[+10]", "", 10, true},
		{"x[+0]", "x", 0, true},
		{"x[-0]", "x", 0, true},
		{"x[+007]", "x", 7, true},
		{"v[+10][+1]", "v[+10]", 1, true},
		{"ü[+1]", "ü", 1, true},
		{"a[+999999999999999999]", "a", 999999999999999999, true},
		{"a[+9999999999999999999]", "a[+9999999999999999999]", 1, false},
		{"[10]", "[10]", 1, false},
		{"x[10]", "x[10]", 1, false},
		{"x[+]", "x[+]", 1, false},
		{"x[+1.5]", "x[+1.5]", 1, false},
		{"x[--5]", "x[--5]", 1, false},
		{"x[+ 5]", "x[+ 5]", 1, false},
		{"x[5+]", "x[5+]", 1, false},
		{"x(+5]", "x(+5]", 1, false},
		{"x[+10]y", "x[+10]y", 1, false},
		{"x[+10] ", "x[+10] ", 1, false},
		{"see [+10] there", "see [+10] there", 1, false},
		{"[+١]", "[+١]", 1, false},
		{"+10]", "+10]", 1, false},
		{"]", "]", 1, false}, {"1]", "1]", 1, false}, {"", "", 1, false}, {"[+1", "[+1", 1, false},
	} {
		base, by, found := splitAmount(c.value)
		if base != c.base || by != c.by || found != c.found {
			t.Errorf("%q: %q %d %t, want %q %d %t", c.value, base, by, found, c.base, c.by, c.found)
		}
	}
}
