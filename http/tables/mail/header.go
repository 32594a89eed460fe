package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"cairn/http/tables"
)

// This file writes lines of the header. None has a control character, and none is longer than RFC 5322
// allows, whatever its text is.

// lineMax is how long a line of the header should be, without its end.
const lineMax = 78

// Bounds of what somebody types.
const (
	addressesMax = 100
	addressBytes = 254 // of RFC 5321, without a name
	nameBytes    = 256
)

// Addresses reads a list of addresses such as "Ada <ada@example.com>, bob@example.com". The error says
// what is wrong with it.
func Addresses(text string) ([]*mail.Address, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return nil, errors.New("has a control character, or is not UTF-8")
	}
	list, err := mail.ParseAddressList(text)
	if err != nil {
		return nil, fmt.Errorf("is no address, nor several with commas between them: %s", strings.TrimPrefix(err.Error(), "mail: "))
	}
	if len(list) == 0 { // a group without members, such as "undisclosed:;"
		return nil, errors.New("has no address")
	}
	if len(list) > addressesMax {
		return nil, fmt.Errorf("has %d addresses; %d are the most", len(list), addressesMax)
	}
	for _, a := range list {
		if len(a.Address) > addressBytes || len(a.Name) > nameBytes {
			return nil, errors.New("has an address or a name that is too long")
		}
		for _, r := range a.Address {
			if r <= ' ' || r > '~' {
				return nil, fmt.Errorf("%q: an address has ASCII letters alone; write a domain as xn--…", a.Address)
			}
		}
	}
	return list, nil
}

// header is a header as it grows.
type header struct{ strings.Builder }

// line writes a line of words, and folds it between them.
func (h *header) line(name string, words []string) {
	h.WriteString(name + ":")
	at := len(name) + 1
	for i, word := range words {
		if at+1+len(word) > lineMax && i > 0 {
			h.WriteString("\r\n")
			at = 0
		}
		h.WriteString(" " + word)
		at += 1 + len(word)
	}
	h.WriteString("\r\n")
}

// addresses writes a line of addresses. Their names are quoted or encoded where they have to be.
func (h *header) addresses(name string, list []*mail.Address) {
	var words []string
	for i, a := range list {
		all := []string{"<" + a.Address + ">"}
		if bare := (&mail.Address{Address: a.Address}).String(); a.Name == "" {
			all[0] = bare[1 : len(bare)-1]
		} else {
			all[0] = bare
			all = append(phrase(tables.Safe(a.Name)), all...)
		}
		if i < len(list)-1 {
			all[len(all)-1] += ","
		}
		words = append(words, all...)
	}
	h.line(name, words)
}

// phrase is a name before an address.
func phrase(name string) []string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	if words := strings.Fields(name); strings.Join(words, " ") == name && len(name) < lineMax/2 && !strings.Contains(name, "=?") && !strings.ContainsFunc(strings.ReplaceAll(name, " ", ""), func(r rune) bool { return !plain(r) }) {
		return words
	}
	return encoded(name)
}

// text writes a line of any text.
func (h *header) text(name, text string) {
	words := strings.Fields(text)
	plain := strings.Join(words, " ") == text && !strings.Contains(text, "=?")
	for _, word := range words {
		plain = plain && len(word) < lineMax/2
	}
	if plain = plain && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }); !plain {
		words = encoded(text)
	}
	h.line(name, words)
}

// wordMax is how long an encoded word may be (RFC 2047), and so that one fits behind the name of a
// header.
const wordMax = 60

// encoded is a text as encoded words, each of whole characters. They are as those of mime.QEncoding,
// but texts that look encoded already are encoded as well.
func encoded(text string) (words []string) {
	const begin, end = "=?utf-8?q?", "?="
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			words = append(words, begin+b.String()+end)
			b.Reset()
		}
	}
	for _, r := range text {
		var one strings.Builder
		switch {
		case r == ' ':
			one.WriteByte('_')
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!*+-/", r):
			one.WriteRune(r)
		default:
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&one, "=%02X", c)
			}
		}
		if len(begin)+b.Len()+one.Len()+len(end) > wordMax {
			flush()
		}
		b.WriteString(one.String())
	}
	flush()
	return words
}
