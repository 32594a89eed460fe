package tables

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file makes texts of strangers safe to show. A terminal obeys control characters; a reader is
// deceived by texts that turn their direction or hide a part of themselves.

// marksMax is how many marks one letter may carry. Vietnamese needs two, Hebrew and Thai four.
const marksMax = 4

// Safe returns a text in which every character can be seen and none is obeyed: control characters
// are written as \n, \r, \t or \x1b, characters that turn the direction, have no width or are
// private as \u202e or \U000e0041, and what is not UTF-8 as U+FFFD. Everything else stays.
func Safe(text string) string {
	clean := true
	for i := 0; i < len(text) && clean; i++ {
		clean = text[i] >= ' ' && text[i] < 0x7f
	}
	if clean {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	marks := marksMax // a text does not begin with a mark
	selected := true
	for _, r := range text {
		switch {
		case r == utf8.RuneError:
			b.WriteRune(r)
			marks, selected = 0, false
			continue
		case r == 0xFE0E || r == 0xFE0F: // which form an emoji has
			if selected {
				escape(&b, r)
			} else {
				b.WriteRune(r)
			}
			selected = true
			continue
		case unicode.In(r, unicode.Mn, unicode.Me) && !hidden(r):
			if marks >= marksMax {
				escape(&b, r)
			} else {
				b.WriteRune(r)
			}
			marks++
			continue
		case hidden(r):
			escape(&b, r)
			marks, selected = marksMax, true
			continue
		}
		b.WriteRune(r)
		marks, selected = 0, false
	}
	return b.String()
}

// hidden reports whether a character is obeyed, or cannot be seen.
func hidden(r rune) bool {
	switch {
	case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), // control, format, private; separators of lines
		!unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z), // not assigned
		r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == 0x2800, // blanks that are no spaces
		r >= 0x180B && r <= 0x180F, r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF: // selectors
		return true
	}
	return false
}

func escape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
