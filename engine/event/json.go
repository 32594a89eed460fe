package event

import (
	"strconv"
	"unicode/utf8"
)

// Writing an event in the JSON of the native API, and the JSON helpers that other
// replies use.

// AppendJSON appends the native JSON form of an event: one object without white space
// and without absent fields, with times as RFC 3339 in UTC with milliseconds. The
// result is valid JSON whatever the strings hold, and safe inside HTML: < > & and the
// line separators U+2028 and U+2029 are escaped.
func AppendJSON(dst []byte, e *Event) []byte {
	open := len(dst)
	dst = append(dst, '{')
	dst = appendText(dst, open, "id", e.ID)
	if e.Seq != 0 {
		dst = appendName(dst, open, "seq")
		dst = strconv.AppendUint(dst, e.Seq, 10)
	}
	dst = appendText(dst, open, "site", e.Site)
	dst = appendText(dst, open, "dialect", string(e.Dialect))
	dst = appendText(dst, open, "type", string(e.Type))
	dst = appendText(dst, open, "name", e.Name)
	dst = appendMoment(dst, open, "time", e.Time)
	dst = appendMoment(dst, open, "received", e.Received)
	dst = appendText(dst, open, "user", e.User)
	dst = appendText(dst, open, "anonymous", e.Anonymous)
	dst = appendText(dst, open, "session", e.Session)
	dst = appendText(dst, open, "previous", e.Previous)
	dst = appendTexts(dst, open, "groups", e.Groups)
	dst = appendText(dst, open, "message_id", e.MessageID)
	if e.Value.Kind != Absent {
		dst = appendName(dst, open, "value")
		dst = AppendValue(dst, e.Value)
	}
	dst = appendMembers(dst, open, "properties", e.Properties)
	dst = appendMembers(dst, open, "context", e.Context)
	if len(e.Increments) > 0 {
		dst = appendName(dst, open, "increments")
		dst = appendAmounts(dst, e.Increments, true)
	}
	dst = appendTexts(dst, open, "segments", e.Segments)
	if e.Uncounted {
		dst = append(appendName(dst, open, "counted"), "false"...)
	}
	dst = appendMembers(dst, open, "extra", e.Extra)
	return append(dst, '}')
}

// AppendObject appends o as JSON.
func AppendObject(dst []byte, o Object) []byte {
	dst = append(dst, '{')
	n := 0
	for i := range o {
		if o[i].Value.Kind == Absent {
			continue
		}
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, o[i].Key, true), ':')
		dst = AppendValue(dst, o[i].Value)
	}
	return append(dst, '}')
}

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte { return appendQuoted(dst, s, true) }

// AppendStrings appends list as a JSON array of strings, nil as [].
func AppendStrings(dst []byte, list []string) []byte { return appendArray(dst, list, true) }

// AppendValue appends v as JSON. The absent value is null.
func AppendValue(dst []byte, v Value) []byte {
	switch v.Kind {
	case String:
		return appendQuoted(dst, v.Text, true)
	case Number, Bool:
		return append(dst, v.Text...)
	case JSON:
		return appendSafe(dst, v.Text)
	}
	return append(dst, "null"...)
}

func appendName(dst []byte, open int, name string) []byte {
	if len(dst) > open+1 {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), name...), `":`...)
}

func appendText(dst []byte, open int, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendQuoted(appendName(dst, open, name), s, true)
}

func appendMoment(dst []byte, open int, name string, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	dst = append(appendName(dst, open, name), '"')
	return append(appendTime(dst, ms), '"')
}

func appendTexts(dst []byte, open int, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	return AppendStrings(appendName(dst, open, name), list)
}

func appendMembers(dst []byte, open int, name string, o Object) []byte {
	if len(o) == 0 {
		return dst
	}
	return AppendObject(appendName(dst, open, name), o)
}

// appendArray, appendAmounts and appendTerms serve both forms of JSON: html for
// replies, the shorter one for cells.
func appendArray(dst []byte, list []string, html bool) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, s, html)
	}
	return append(dst, ']')
}

func appendAmounts(dst []byte, list []Amount, html bool) []byte {
	dst = append(dst, '{')
	for i, a := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, a.Property, html), ':')
		dst = strconv.AppendInt(dst, a.By, 10)
	}
	return append(dst, '}')
}

func appendTerms(dst []byte, list []Term) []byte {
	dst = append(dst, '[')
	for i, t := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(append(dst, '['), t.Property, false), ',')
		dst = append(appendQuoted(dst, t.Value, false), ']')
	}
	return append(dst, ']')
}

// sharedBytes returns how many bytes a and b share at their start, up to a character
// boundary.
func sharedBytes(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// appendCapped appends names and terms in the second form. The terms of a property are
// consecutive.
func appendCapped(dst []byte, names []string, list []Term) []byte {
	if len(names) > 0 {
		dst = append(dst, '[', '"')
		before := ""
		for _, name := range names {
			shared := sharedBytes(before, name)
			dst = strconv.AppendInt(dst, int64(shared), 10)
			dst = strconv.AppendInt(append(dst, ':'), int64(len(name)-shared), 10)
			dst = appendEscaped(append(dst, ':'), name[shared:], false)
			before = name
		}
		if dst = append(dst, '"'); len(list) == 0 {
			return append(dst, ']')
		}
		dst = append(dst, ',')
	}
	before := ""
	for i, t := range list {
		switch {
		case i > 0 && t.Property == before:
		case i > 0:
			dst = append(dst, ']', ',')
			fallthrough
		default:
			shared := sharedBytes(before, t.Property)
			if i == 0 && len(names) == 0 {
				dst = append(dst, '[')
			}
			dst = strconv.AppendInt(append(dst, '['), int64(shared), 10)
			dst = appendQuoted(append(dst, ','), t.Property[shared:], false)
			before = t.Property
		}
		if t.Value != Other {
			dst = appendQuoted(append(dst, ','), t.Value, false)
		}
	}
	return append(dst, "]]"...)
}

func appendCut(dst []byte, c *Cut) []byte {
	dst = appendQuoted(append(dst, '['), c.Key, false)
	dst = strconv.AppendInt(append(dst, ','), int64(c.Leaves), 10)
	return append(dst, ']')
}

// appendQuoted appends s as a JSON string, with html also safe inside HTML. Each string
// has one form: \" \\ \n \r \t, \u00xx for the other control characters, and everything
// else as it is.
func appendQuoted(dst []byte, s string, html bool) []byte {
	return append(appendEscaped(append(dst, '"'), s, html), '"')
}

// appendEscaped is appendQuoted without the quotes.
func appendEscaped(dst []byte, s string, html bool) []byte {
	start := 0
	for i := 0; ; {
		if i = plainEnd(s, i); i >= len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if !html && (c == '<' || c == '>' || c == '&') {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			start = i + 1
		} else if html && (r == '\u2028' || r == '\u2029') {
			dst = append(append(dst, s[start:i]...), '\\', 'u', '2', '0', '2', hexDigits[r&15])
			start = i + n
		}
		i += n
	}
	return append(dst, s[start:]...)
}

// appendSafe appends JSON text and escapes what HTML could misread. In valid JSON such
// characters occur only in strings.
func appendSafe(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '<' || c == '>' || c == '&':
			dst = append(append(dst, s[start:i]...), '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			start = i + 1
		case c == 0xE2 && i+2 < len(s) && s[i+1] == 0x80 && s[i+2]&^1 == 0xA8:
			dst = append(append(dst, s[start:i]...), '\\', 'u', '2', '0', '2', hexDigits[s[i+2]&15])
			start, i = i+3, i+2
		}
	}
	return append(dst, s[start:]...)
}
