package dialect

import (
	"iter"
	"strings"
)

// Form yields the pairs of a query string or a form-encoded body in the order in which they
// were sent, decoded as browsers decode them: "+" is a space, and a "%" without two hex
// digits after it stands for itself, so nothing is ever refused. Empty pairs are left out.
// A pair without "=" has an empty value. Strings that need no decoding alias text. The
// result need not be valid UTF-8.
func Form(text string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for text != "" {
			pair, rest, _ := strings.Cut(text, "&")
			text = rest
			if pair == "" {
				continue
			}
			key, value, _ := strings.Cut(pair, "=")
			if !yield(Unescape(key), Unescape(value)) {
				return
			}
		}
	}
}

// Unescape decodes one key or value of a form.
func Unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	done := 0 // so much of s is in b
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteString(s[done:i])
			b.WriteByte(' ')
			done = i + 1
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b.WriteString(s[done:i])
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
			done = i + 1
		}
	}
	b.WriteString(s[done:])
	return b.String()
}

// IsDigits says that s is one or more ASCII digits.
func IsDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// hex is the value of a hex digit, -1 for any other byte.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
