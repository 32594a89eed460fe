package event

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTerm(t *testing.T) {
	long := strings.Repeat("1", 65)
	for _, c := range []struct {
		v    Value
		term string
		ok   bool
	}{
		{Num("100"), "100", true},
		{Num("100.0"), "100", true},
		{Num("1e2"), "100", true},
		{Num("1E+2"), "100", true},
		{Num("2.5e2"), "250", true},
		{Num("0.10"), "0.1", true},
		{Num("1e-2"), "0.01", true},
		{Num("12.5e-1"), "1.25", true},
		{Num("0"), "0", true},
		{Num("-0"), "0", true},
		{Num("-0.00e7"), "0", true},
		{Num("-3.50"), "-3.5", true},
		{Num("9007199254740993"), "9007199254740993", true}, // beyond float64's exact integers
		{Num("0.1000000000000000055"), "0.1000000000000000055", true},
		{Num("1e308"), "1" + strings.Repeat("0", 308), true},
		{Num("1e-308"), "0." + strings.Repeat("0", 307) + "1", true},
		{Num("1e309"), "1e309", true}, // out of bounds: the literal
		{Num("1e-309"), "1e-309", true},
		{Num(long), long, true},
		{Num("1." + long), "1." + long, true},
		{Str("100"), "100", true},
		{Str("0100"), "0100", true},
		{Str("100.0"), "100.0", true},
		{Str(""), "", true},
		{Boolean(true), "true", true},
		{Boolean(false), "false", true},
		{Value{Kind: Null}, "", false},
		{Raw("[1]"), "", false},
		{Raw("{}"), "", false},
		{Value{}, "", false},
	} {
		if term, ok := c.v.Term(); term != c.term || ok != c.ok {
			t.Errorf("term of %v: %q %v, want %q %v", c.v, term, ok, c.term, c.ok)
		}
		if c.ok {
			if got := string(AppendCellTerm([]byte("x"), AppendCell(nil, c.v))); got != "x"+c.term {
				t.Errorf("term of the cell of %v: %q", c.v, got)
			}
		}
	}
}

func TestQueryTerms(t *testing.T) {
	for q, want := range map[string][]string{
		"100":                         {"100"},
		"0100":                        {"0100", "100"},
		"100.0":                       {"100.0", "100"},
		"2.5e2":                       {"2.5e2", "250"},
		"-0":                          {"-0", "0"},
		"00":                          {"00", "0"},
		"1e2":                         {"1e2", "100"},
		"1e02":                        {"1e02", "100"},
		"":                            {""},
		"abc":                         {"abc"},
		"true":                        {"true"},
		"+1":                          {"+1"},
		" 1":                          {" 1"},
		"1 ":                          {"1 "},
		"0x10":                        {"0x10"},
		"1.":                          {"1."},
		".5":                          {".5"},
		"1e":                          {"1e"},
		"1e+":                         {"1e+"},
		"-":                           {"-"},
		"--1":                         {"--1"},
		"1.2.3":                       {"1.2.3"},
		"٣":                           {"٣"},
		"1e309":                       {"1e309"},
		"1e-309":                      {"1e-309"},
		"1e99999999999999999999":      {"1e99999999999999999999"},
		"0" + strings.Repeat("1", 63): {"0" + strings.Repeat("1", 63), strings.Repeat("1", 63)},
		"0" + strings.Repeat("1", 64): {"0" + strings.Repeat("1", 64)},
	} {
		if got := QueryTerms(q); !slices.Equal(got, want) {
			t.Errorf("QueryTerms(%q) = %q, want %q", q, got, want)
		}
	}
}

// TestEquality is the definition of equality as one table: does query q find the stored
// value?
func TestEquality(t *testing.T) {
	for _, c := range []struct {
		q     string
		v     Value
		match bool
	}{
		{"100", Num("100"), true},
		{"100", Str("100"), true},
		{"100", Str("0100"), false},
		{"100.0", Num("100"), true},
		{"2.5e2", Num("250"), true},
		{"0100", Num("100"), true},
		{"0100", Str("100"), true},
		{"0100", Str("0100"), true},
		{"100.0", Str("100"), true},
		{"100", Str("100.0"), false},
		{"100.0", Str("100.0"), true},
		{"1", Boolean(true), false},
		{"true", Boolean(true), true},
		{"True", Boolean(true), false},
		{"", Str(""), true},
		{"purchase", Str("Purchase"), false},
		{"null", Value{Kind: Null}, false},
	} {
		term, ok := c.v.Term()
		if match := ok && slices.Contains(QueryTerms(c.q), term); match != c.match {
			t.Errorf("%q finds %v: %v, want %v", c.q, c.v, match, c.match)
		}
	}
}

// TestDecimalIsExact compares appendDecimal with big.Rat.
func TestDecimalIsExact(t *testing.T) {
	number := rapid.StringMatching(`-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a := number.Draw(t, "a")
		canon, ok := appendDecimal(nil, a)
		if !ok {
			t.Fatalf("%q is a number", a)
		}
		x, _ := new(big.Rat).SetString(a)
		y, ok := new(big.Rat).SetString(string(canon))
		if !ok || x.Cmp(y) != 0 {
			t.Fatalf("%q became %q", a, canon)
		}
		if strings.ContainsAny(string(canon), "eE+") || string(canon) == "-0" {
			t.Fatalf("%q is not canonical", canon)
		}
		if len(canon) <= decimalDigitsMax {
			if again, ok := appendDecimal(nil, string(canon)); !ok || string(again) != string(canon) {
				t.Fatalf("%q became %q", canon, again)
			}
		}
	})
}
