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
		case s[i] == '%' && i+2 < len(s) && hexValues[s[i+1]]|hexValues[s[i+2]] <= 15:
			b.WriteString(s[done:i])
			b.WriteByte(hexValues[s[i+1]]<<4 | hexValues[s[i+2]])
			i += 2
			done = i + 1
		}
	}
	b.WriteString(s[done:])
	return b.String()
}

// hexValues maps a hexadecimal digit of either case to its value and any other byte to 255.
var hexValues = func() (t [256]byte) {
	for c := range t {
		t[c] = 255
	}
	for i := range hexDigits {
		t[hexDigits[i]], t["0123456789ABCDEF"[i]] = byte(i), byte(i)
	}
	return t
}()
