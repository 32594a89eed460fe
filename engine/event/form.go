package event

import "strings"

// Unescape decodes one key or value of a form or a query, as browsers do: "+" is a space,
// and a "%" without two hex digits after it stands for itself. So it refuses no text. A
// text that needs no decoding is returned as it is. The result need not be valid UTF-8.
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
		case s[i] == '%' && i+2 < len(s) && hexValue(s[i+1]) >= 0 && hexValue(s[i+2]) >= 0:
			b.WriteString(s[done:i])
			b.WriteByte(byte(hexValue(s[i+1])<<4 | hexValue(s[i+2])))
			i += 2
			done = i + 1
		}
	}
	b.WriteString(s[done:])
	return b.String()
}

// hexValue returns the value of a hexadecimal digit of either case, -1 for any other byte.
func hexValue(c byte) int {
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
