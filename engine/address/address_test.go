package address

import (
	"strings"
	"testing"
)

func TestFirst(t *testing.T) {
	for text, want := range map[string]string{
		"81.2.72.11":                         "81.2.72.11",
		"81.2.72.11:4123":                    "81.2.72.11",
		" 81.2.74.11":                        "81.2.74.11",
		"\t81.2.74.11\r\n":                   "81.2.74.11",
		`"81.2.74.11:80"`:                    "81.2.74.11",
		"81.2.73.11, 10.1.1.1":               "81.2.73.11",
		"10.1.1.1, 81.2.73.11":               "81.2.73.11",
		"unknown, 81.2.73.11:1":              "81.2.73.11",
		"10.1.1.1,10.1.1.2":                  "10.1.1.1",
		",,81.2.73.11,":                      "81.2.73.11",
		"0.0.0.0":                            "0.0.0.0",
		"[2001:db8::7]:443":                  "2001:db8::7",
		"[2001:db8::7]":                      "2001:db8::7",
		"2001:DB8::7":                        "2001:db8::7",
		"fe80::1%eth0":                       "fe80::1",
		"::ffff:81.2.72.11":                  "81.2.72.11",
		"[::ffff:81.2.72.11]:9":              "81.2.72.11",
		"":                                   "",
		",":                                  "",
		"unknown":                            "",
		"localhost":                          "",
		"81.2.72":                            "",
		"81.2.72.11.":                        "",
		"81.2.72.11/24":                      "",
		"81.2.72.011":                        "",
		"for=81.2.72.11":                     "",
		"[81.2.72.11]":                       "",
		"[2001:db8::7":                       "",
		"[2001:db8::7]x":                     "",
		"[]":                                 "",
		":80":                                "",
		strings.Repeat("1", 65):              "",
		strings.Repeat("x,", 32) + "9.9.9.9": "",
	} {
		got := ""
		if a, ok := First(text); ok {
			got = a.String()
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func FuzzFirst(f *testing.F) {
	f.Add("81.2.73.11, [2001:db8::7]:443")
	f.Fuzz(func(t *testing.T, text string) {
		a, ok := First(text)
		if ok != a.IsValid() || a.Zone() != "" || a.Is4In6() {
			t.Errorf("%q gives %v, %v", text, a, ok)
		}
		if again, is := Parse(a.String()); ok && (!is || again != a) {
			t.Errorf("%q gives %v, which is read as %v", text, a, again)
		}
	})
}
