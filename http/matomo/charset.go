package matomo

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// This file reads text of a page that is not UTF-8.

// readTexts decodes the parameters of the hit by the charset of its page. What is escaped twice,
// as the query of the page's url is, stays as it is until it is looked at.
func (h *hit) readTexts() {
	if h.p.text(pCharset) == "" {
		return
	}
	decode := h.charset()
	for _, i := range h.p.sent {
		if v := &h.p.v[i]; v.text != "" {
			v.text = decode(v.text)
		}
	}
	for i := range h.p.dimensions {
		d := &h.p.dimensions[i]
		d.value = decode(d.value)
	}
}

// charset decodes text of a hit, by the charset that the client names for its page (cs): any
// label of the WHATWG's encoding list. Text that is not of that charset stays as it was sent,
// and so does all text when the label is unknown.
//
// Bytes that are valid UTF-8 count as UTF-8: links to a page are often written by systems
// that do not know its charset, and hardly any text of another charset is valid UTF-8 by
// chance. Pages in UTF-16, and in encodings that browsers do not read, have their urls in
// UTF-8.
func (h *hit) charset() func(string) string {
	label := h.p.text(pCharset)
	if label == "" || len(label) > charsetBytesMax {
		return asSent
	}
	charset, err := htmlindex.Get(label)
	if err != nil {
		return asSent
	}
	switch name, _ := htmlindex.Name(charset); name {
	case "utf-8", "utf-16le", "utf-16be", "replacement":
		return asSent
	}
	return func(s string) string { return decodeCharset(charset, s) }
}

// charsetBytesMax is the longest name of a charset that is looked at.
const charsetBytesMax = 64

func asSent(s string) string { return s }

// decodeCharset reads s in a charset. An escape character is valid UTF-8, and ISO-2022-JP
// is made of such characters.
func decodeCharset(charset encoding.Encoding, s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, '\x1b') < 0 {
		return s
	}
	text, err := charset.NewDecoder().String(s)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) {
		return s
	}
	return text
}
