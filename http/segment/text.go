package segment

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads single values as the vendor's servers do: ids that are numbers, message ids
// with invisible runes, amounts with a currency sign.

// idOf is the text of an id: a string as it is, a number as a decimal, anything
// else as compact JSON; "" for null and nothing.
func idOf(v event.Value) string {
	switch v.Kind {
	case event.Absent, event.Null:
		return ""
	case event.Number:
		text, _ := v.Term()
		return text
	}
	return v.Text
}

// labelOf is a name or category: the text of a scalar, "" for anything else.
func labelOf(v event.Value) string {
	if v.Kind == event.JSON {
		return ""
	}
	return idOf(v)
}

// messageID trims an id and removes control and zero-width runes.
func messageID(v event.Value) string {
	text := strings.TrimSpace(idOf(v))
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= 0x7f {
			return strings.TrimSpace(strings.Map(func(r rune) rune {
				if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
					return -1
				}
				return r
			}, text))
		}
	}
	return text
}

const amountBytesMax = 64

// amountOf reads a number, or a string that holds one, such as "$19.90". Any other value is
// Absent.
func amountOf(v event.Value) event.Value {
	if v.Kind == event.Number {
		return v
	}
	if v.Kind != event.String || len(v.Text) > amountBytesMax {
		return event.Value{}
	}
	s := strings.TrimSpace(v.Text)
	s, minus := strings.CutPrefix(s, "-")
	if r, n := utf8.DecodeRuneInString(s); unicode.Is(unicode.Sc, r) {
		s = strings.TrimLeft(s[n:], " ")
		if !minus {
			s, minus = strings.CutPrefix(s, "-")
		}
	}
	whole, fraction, pointed := strings.Cut(s, ".")
	if !dialect.IsDigits(whole) || pointed && !dialect.IsDigits(fraction) {
		return event.Value{}
	}
	for len(whole) > 1 && whole[0] == '0' {
		whole = whole[1:]
	}
	if pointed {
		whole += "." + fraction
	}
	if minus {
		whole = "-" + whole
	}
	return event.Num(whole)
}
