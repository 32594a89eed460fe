package matomo

import (
	"strings"
	"unicode/utf8"
)

// This file reads text of a page that is not UTF-8.

// charset decodes what stands in the query of a page's url, by the charset the page
// is said to have (cs). Bytes that are UTF-8 are taken for it; of the others only the
// Latin ones are known, which is also what an unknown name stands for.
func (h *hit) charset() func(string) string {
	switch strings.ToLower(strings.TrimSpace(h.p.text(pCharset))) {
	case "", "utf-8", "utf8":
		return asSent
	}
	return latin
}

func asSent(s string) string { return s }

// latin reads s as ISO-8859-1, and the codes that has no letters for as Windows-1252.
func latin(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		r := rune(s[i])
		if r >= 0x80 && r < 0xa0 {
			r = windows1252[r-0x80]
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

var windows1252 = [32]rune{
	'€', utf8.RuneError, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', utf8.RuneError, 'Ž', utf8.RuneError,
	utf8.RuneError, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', utf8.RuneError, 'ž', 'Ÿ',
}
