package tables

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "Chrome 131", "Chrome 131"},
		{"letters", "Zürich 日本 العربية ไทย हिन्दी", "Zürich 日本 العربية ไทย हिन्दी"},
		{"emoji", "❤️ 👍🏽 🇩🇪", "❤️ 👍🏽 🇩🇪"},
		{"an escape", "a\x1b[31mred", `a\x1b[31mred`},
		{"a title of the terminal", "\x1b]0;pwned\x07", `\x1b]0;pwned\x07`},
		{"C1", "a\u009b31m\u0085b", `a\x9b31m\x85b`},
		{"lines", "a\r\nb\tc\n", `a\r\nb\tc\n`},
		{"zero and delete", "\x00\x7f", `\x00\x7f`},
		{"direction", "abc\u202egpj.exe\u2066\u2069\u200f\u061c", `abc\u202egpj.exe\u2066\u2069\u200f\u061c`},
		{"no width", "a\u200bb\u200d\u2060\ufeff\u00ad", `a\u200bb\u200d\u2060\ufeff\xad`},
		{"tags", "a\U000e0041\U000e007f", `a\U000e0041\U000e007f`},
		{"lines of Unicode", "a\u2028b\u2029", `a\u2028b\u2029`},
		{"private", "\ue000\U00100000", `\ue000\U00100000`},
		{"blanks that are no spaces", "\u3164\u2800\u115f\uffa0", `\u3164\u2800\u115f\uffa0`},
		{"selectors that hide data", "a\ufe0f\ufe0e\ufe01\U000e0100", `a` + "\ufe0f" + `\ufe0e\ufe01\U000e0100`},
		{"not UTF-8", "a\xff\xc0\xafb", "a\ufffd\ufffd\ufffdb"},
		{"a mark at the start", "\u0301a", `\u0301a`},
		{"a tower of marks", "a" + strings.Repeat("\u0301", 6), "a" + strings.Repeat("\u0301", marksMax) + `\u0301\u0301`},
		{"the sign of the sequence itself", `\x1b`, `\x1b`},
		{"not assigned", "\u0378", `\u0378`},
	} {
		if got := Safe(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// checkSafe fails when a text has something that a terminal obeys or nobody sees.
func checkSafe(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for _, r := range text {
		if r == utf8.RuneError || r == 0xFE0E || r == 0xFE0F {
			continue
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs, unicode.Bidi_Control, unicode.Variation_Selector) {
			t.Errorf("%U in %q", r, text)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := Safe(text)
		checkSafe(t, safe)
		if again := Safe(safe); again != safe {
			t.Errorf("%q becomes %q, and that %q", text, safe, again)
		}
		for n := range 8 {
			if short := cut(safe, n); width(short) > n {
				t.Errorf("%q is cut to %q, which takes %d of %d columns", safe, short, width(short), n)
			}
		}
	})
}
