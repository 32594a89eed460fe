package query

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"/blog/*", "/blog/a", true}, {"/blog/*", "/blog/", true}, {"/blog/*", "/blog", false}, {"/blog/*", "x/blog/a", false},
		{"*.pdf", "/a.PDF", true}, {"*.pdf", ".pdf", true}, {"*.pdf", "/a.pdf?x", false},
		{"a", "A", true}, {"a", "aa", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "anything", true}, {"**", "", true},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*a*a", "aa", false}, {"a*b*c", "aXbYc", true}, {"a*bc*c", "abc", false}, {"a*bc*c", "abcc", true},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\**`, "a*b", true}, {`a\**`, "ab", false}, {`\`, `\`, true}, {`a\b`, `A\B`, true}, {`a\`, `a\`, true},
		{`\\*`, `\*`, true}, {`\\*`, `\x`, false}, {"?", "?", true}, {"?", "a", false}, {"[a]*", "[A]b", true},
		{"straße", "STRAßE", true}, {"ÄÖÜ*", "äöüx", true}, {"k", "\u212a", true}, {"ς*", "Σx", true}, {"ſ", "S", true}, {"日*語", "日本語", true},
	} {
		if got := NewPattern(c.pattern).Matches(c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
	for _, c := range []struct {
		search, text string
		want         bool
	}{
		{"blog", "/Blog/a", true}, {"blog", "/log", false}, {"/blog*", "/blog/a", true}, {"log*", "/blog/a", false}, {`a\*`, "xA*y", true}, {`a\*`, "xay", false}, {"", "x", true},
	} {
		if got := NewSearch(c.search).Matches(c.text); got != c.want {
			t.Errorf("the search %q finds %q: %v", c.search, c.text, got)
		}
	}
}

// Patterns agree with a plain matcher that tries every way.
func TestPatternAgreesWithTrying(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB*\\K\u212aΣσς")), 0, 8, -1).Draw(t, "pattern")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB*\\kKΣσς")), 0, 10, -1).Draw(t, "text")
		if got, want := NewPattern(pattern).Matches(text), tryAll(pattern, text); got != want {
			t.Errorf("%q matches %q: %v", pattern, text, got)
		}
	})
}

func tryAll(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	literal := pattern
	switch {
	case strings.HasPrefix(pattern, `\*`):
		literal = pattern[1:]
	case pattern[0] == '*':
		return tryAll(pattern[1:], text) || text != "" && tryAll(pattern, text[1:])
	}
	_, p := utf8.DecodeRuneInString(literal)
	_, n := utf8.DecodeRuneInString(text)
	return text != "" && strings.EqualFold(literal[:p], text[:n]) && tryAll(literal[p:], text[n:])
}

// Texts are folded alike exactly when they differ by case alone.
func TestFoldIsEqualFold(t *testing.T) {
	runes := rapid.Rune().Filter(func(r rune) bool { return utf8.ValidRune(r) })
	rapid.Check(t, func(t *rapid.T) {
		a := string(rapid.SliceOfN(runes, 0, 5).Draw(t, "a"))
		for _, b := range []string{string(rapid.SliceOfN(runes, 0, 5).Draw(t, "b")), strings.ToUpper(a), strings.ToLower(a), strings.ToTitle(a)} {
			if got, want := Fold(a) == Fold(b), strings.EqualFold(a, b); got != want {
				t.Errorf("%q and %q: folded alike %v, EqualFold %v", a, b, got, want)
			}
		}
		if Fold(Fold(a)) != Fold(a) {
			t.Errorf("%q is folded twice", a)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	for name, c := range map[string][2]string{
		"path":  {"/blog/*", "/blog/2026/11/what-is-new"},
		"stars": {strings.Repeat("*a", 2048), strings.Repeat("a", 64<<10)},
		"miss":  {strings.Repeat("*ab", 1365), strings.Repeat("a", 64<<10)},
	} {
		b.Run(name, func(b *testing.B) {
			p := NewPattern(c[0])
			for b.Loop() {
				p.Matches(c[1])
			}
		})
	}
}
