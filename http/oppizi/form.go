package oppizi

import (
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// formJSON turns a form-encoded body into the JSON body that says the same, so
// that both pass the same checks:
//
//	eventName=A&value=250&metadata[k]=v&metadata.t=a&metadata.t=b
//	{"eventName":"A","value":250,"metadata":{"k":"v","t":["a","b"]}}
//
// value becomes a number if it reads as one; no other field does. A metadata key that is
// repeated, or written metadata[k][], becomes an array. Of other repeats the last wins. An
// empty form is an empty body. What JSON cannot hold is refused: bytes that are not UTF-8,
// and metadata[a][b], since metadata does not nest.
func formJSON(body []byte) ([]byte, error) {
	type entry struct {
		values []string
		array  bool
	}
	var entries map[string]*entry
	var keys []string // of entries, in the order sent

	var dst []byte
	for name, text := range dialect.Form(string(body)) {
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			return nil, errUTF8
		}
		key, array, ok := metadataKey(name)
		if ok {
			if strings.Contains(key, "][") {
				return nil, dialect.Refuse("metadata", "must not be nested")
			}
			e := entries[key]
			if e == nil {
				if entries == nil {
					entries = make(map[string]*entry)
				}
				e = new(entry)
				entries[key] = e
				keys = append(keys, key)
			}
			e.values = append(e.values, text)
			e.array = e.array || array || len(e.values) > 1
			continue
		}
		dst = appendMember(dst, name)
		if name == "value" && isNumber(text) {
			dst = append(dst, text...)
		} else {
			dst = event.AppendString(dst, text)
		}
	}
	if keys != nil {
		dst = append(appendMember(dst, "metadata"), '{')
		for i, key := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(event.AppendString(dst, key), ':')
			e := entries[key]
			if !e.array {
				dst = event.AppendString(dst, e.values[0])
				continue
			}
			dst = event.AppendStrings(dst, e.values)
		}
		dst = append(dst, '}')
	}
	if dst == nil {
		return nil, nil
	}
	return append(dst, '}'), nil
}

// metadataKey takes the key out of metadata[key], metadata[key][] or
// metadata.key.
func metadataKey(name string) (key string, array, ok bool) {
	rest, ok := strings.CutPrefix(name, "metadata")
	if !ok || rest == "" {
		return "", false, false
	}
	if rest[0] == '.' {
		return rest[1:], false, true
	}
	if rest[0] != '[' {
		return "", false, false
	}
	if rest, array = strings.CutSuffix(rest, "[]"); array && rest == "" {
		return "", true, true // metadata[]: an empty key, refused as such
	}
	key, ok = strings.CutSuffix(rest[1:], "]")
	return key, array, ok
}

// appendMember appends what stands before the value of a member, the brace of
// the object included.
func appendMember(dst []byte, name string) []byte {
	if dst == nil {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	return append(event.AppendString(dst, name), ':')
}

// isNumber says that s is the literal of a JSON number.
func isNumber(s string) bool {
	digits := func(s string) string { return strings.TrimLeft(s, "0123456789") }
	rest := strings.TrimPrefix(s, "-")
	whole := rest
	rest = digits(rest)
	if n := len(whole) - len(rest); n == 0 || n > 1 && whole[0] == '0' {
		return false
	}
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		if rest = digits(fraction); len(rest) == len(fraction) {
			return false
		}
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		exponent := rest
		if rest = digits(rest); len(rest) == len(exponent) {
			return false
		}
	}
	return rest == ""
}
