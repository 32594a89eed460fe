package event

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Lexical analysis of JSON (RFC 8259), for the Parser and for everything that walks the
// text of a stored array or object. Positions are byte offsets. -1 says that the text
// does not follow the grammar.

// aliasString returns b as a string without a copy. b must not change while the string is in
// use.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// skipSpace returns the first position from i on that is not white space.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// Eight bytes at a time: word reads them with s[i] lowest. below and equal set the high
// bit of each byte that is smaller than n, or equal to n. A byte may be marked wrongly
// only above a marked one, so the lowest mark is right.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

func word(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func below(w uint64, n byte) uint64 { return (w - lows*uint64(n)) &^ w & highs }
func equal(w uint64, n byte) uint64 { return below(w^lows*uint64(n), 1) &^ w }

// stringEnd returns the position of the quote that closes the string whose content
// begins at i. plain reports that the content stands for itself: it has no escapes and
// is valid UTF-8. Escapes are checked; control characters are refused.
func stringEnd(s string, i int) (end int, plain bool) {
	start, escaped, high := i, false, uint64(0)
	for {
		for i+8 <= len(s) {
			w := word(s, i)
			high |= w
			if stop := below(w, 0x20) | equal(w, '"') | equal(w, '\\'); stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		for i < len(s) && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' {
			high |= uint64(s[i])
			i++
		}
		switch {
		case i >= len(s) || s[i] < 0x20:
			return -1, false
		case s[i] == '"':
			return i, !escaped && (high&highs == 0 || utf8.ValidString(s[start:i]))
		}
		escaped = true
		if i+1 >= len(s) {
			return -1, false
		}
		switch s[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if _, ok := hex4(s, i+2); !ok {
				return -1, false
			}
			i += 6
		default:
			return -1, false
		}
	}
}

// plainEnd returns the first position from i on of a byte that is not ASCII, or that a
// JSON string or HTML around it cannot hold as it is.
func plainEnd(s string, i int) int {
	for i+8 <= len(s) {
		w := word(s, i)
		// 0x22 and 0x26 are " and &, 0x3c and 0x3e are < and >.
		stop := below(w, 0x20) | equal(w&^(lows*4), '"') | equal(w&^(lows*2), '<') | equal(w, '\\') | w&highs
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
		i += 8
	}
	for i < len(s) && s[i] >= 0x20 && s[i] < utf8.RuneSelf &&
		s[i] != '"' && s[i] != '&' && s[i] != '<' && s[i] != '>' && s[i] != '\\' {
		i++
	}
	return i
}

// hex4 reads the four hexadecimal digits at i.
func hex4(s string, i int) (r rune, ok bool) {
	if i+4 > len(s) {
		return 0, false
	}
	var all byte
	for _, c := range []byte(s[i : i+4]) {
		v := hexValues[c]
		all |= v
		r = r<<4 | rune(v)
	}
	return r, all <= 15
}

// appendUnquoted appends the text that the content of a JSON string stands for.
// stringEnd has checked the content. Escapes are resolved, invalid UTF-8 and lone
// surrogates become U+FFFD, and control characters other than \t \n \r are left out.
func appendUnquoted(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			if c < utf8.RuneSelf {
				dst = append(dst, c)
				i++
				continue
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i += 2
		switch c := s[i-1]; c {
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'b', 'f':
		case 'u':
			r, _ := hex4(s, i)
			i += 4
			if r >= 0xD800 && r < 0xE000 {
				r2, ok := rune(0), false
				if r < 0xDC00 && i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
					r2, ok = hex4(s, i+2)
				}
				if ok && r2 >= 0xDC00 && r2 < 0xE000 {
					r = (r-0xD800)<<10 + (r2 - 0xDC00) + 0x10000
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			if r >= 0x20 || r == '\n' || r == '\r' || r == '\t' {
				dst = utf8.AppendRune(dst, r)
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unquote is appendUnquoted as a string. It returns a plain content as it is.
func unquote(s string, plain bool) string {
	if plain {
		return s
	}
	return string(appendUnquoted(make([]byte, 0, len(s)), s))
}

// numberEnd returns the end of the JSON number that begins at i.
func numberEnd(s string, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	start := i
	i = digitsEnd(s, i)
	if i == start || s[start] == '0' && i-start > 1 {
		return -1
	}
	if i < len(s) && s[i] == '.' {
		start = i + 1
		if i = digitsEnd(s, start); i == start {
			return -1
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		start = i
		if i = digitsEnd(s, start); i == start {
			return -1
		}
	}
	return i
}

// literal returns the word true, false or null that begins at i.
func literal(s string, i int) (v Value, end int) {
	for _, l := range [...]struct {
		text  string
		value Value
	}{{"true", Value{Bool, "true"}}, {"false", Value{Bool, "false"}}, {"null", Value{Null, ""}}} {
		if len(s)-i >= len(l.text) && s[i:i+len(l.text)] == l.text {
			return l.value, i + len(l.text)
		}
	}
	return Value{}, -1
}

// skipValue returns the end of the JSON value at i and checks its grammar. It opens at
// most skipDepthMax nested arrays and objects.
func skipValue(s string, i, depth int) int {
	if i = skipSpace(s, i); i >= len(s) || depth > skipDepthMax {
		return -1
	}
	switch c := s[i]; {
	case c == '"':
		end, _ := stringEnd(s, i+1)
		if end < 0 {
			return -1
		}
		return end + 1
	case c == '-' || c >= '0' && c <= '9':
		return numberEnd(s, i)
	case c != '{' && c != '[':
		_, end := literal(s, i)
		return end
	}
	object, closing := s[i] == '{', s[i]+2 // ] and } in ASCII
	if i = skipSpace(s, i+1); i < len(s) && s[i] == closing {
		return i + 1
	}
	for {
		if object {
			if i = skipKey(s, i); i < 0 {
				return -1
			}
		}
		if i = skipValue(s, i, depth+1); i < 0 {
			return -1
		}
		if i = skipSpace(s, i); i >= len(s) {
			return -1
		}
		if s[i] == closing {
			return i + 1
		}
		if s[i] != ',' {
			return -1
		}
		i = skipSpace(s, i+1)
	}
}

// skipKey returns the position after the key at i and its colon.
func skipKey(s string, i int) int {
	if i >= len(s) || s[i] != '"' {
		return -1
	}
	end, _ := stringEnd(s, i+1)
	if end < 0 {
		return -1
	}
	if end = skipSpace(s, end+1); end >= len(s) || s[end] != ':' {
		return -1
	}
	return end + 1
}

const skipDepthMax = 256
