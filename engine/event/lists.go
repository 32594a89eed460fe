package event

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reading the lists of an event that are stored as JSON cells. Each function returns
// false when the text is not what the encoder writes.

// listOf reads ["a","b"].
func listOf(v Value) (list []string, ok bool) {
	s := v.Text
	if v.Kind != JSON || s == "" || s[0] != '[' {
		return nil, false
	}
	for i := 1; ; i++ {
		text, end := quotedAt(s, i)
		if end < 0 || end >= len(s) {
			return nil, false
		}
		list = append(list, text)
		if i = end; s[i] == ']' {
			return list, i+1 == len(s)
		}
		if s[i] != ',' {
			return nil, false
		}
	}
}

// amountsOf reads {"a":1,"b":-2}.
func amountsOf(v Value) (list []Amount, ok bool) {
	s := v.Text
	if v.Kind != JSON || s == "" || s[0] != '{' {
		return nil, false
	}
	for i := 1; ; i++ {
		property, end := quotedAt(s, i)
		if end < 0 || end >= len(s) || s[end] != ':' {
			return nil, false
		}
		i = numberEnd(s, end+1)
		if i < 0 || i >= len(s) {
			return nil, false
		}
		by, err := strconv.ParseInt(s[end+1:i], 10, 64)
		if err != nil {
			return nil, false
		}
		list = append(list, Amount{property, by})
		if s[i] == '}' {
			return list, i+1 == len(s)
		}
		if s[i] != ',' {
			return nil, false
		}
	}
}

// termsOf reads [["property","value"],…].
func termsOf(v Value) (list []Term, ok bool) {
	s := v.Text
	if v.Kind != JSON || s == "" || s[0] != '[' {
		return nil, false
	}
	for i := 1; ; i++ {
		if i >= len(s) || s[i] != '[' {
			return nil, false
		}
		property, end := quotedAt(s, i+1)
		if end < 0 || end >= len(s) || s[end] != ',' {
			return nil, false
		}
		value, end := quotedAt(s, end+1)
		if end < 0 || end+1 >= len(s) || s[end] != ']' {
			return nil, false
		}
		list = append(list, Term{property, value})
		if i = end + 1; s[i] == ']' {
			return list, i+1 == len(s)
		}
		if s[i] != ',' {
			return nil, false
		}
	}
}

// cappedOf reads either form of capped. byProperty is that of Event.CappedByProperty.
func cappedOf(v Value) (names []string, list []Term, byProperty, ok bool) {
	s := v.Text
	if v.Kind != JSON || len(s) < 3 || s[0] != '[' {
		return nil, nil, false, false
	}
	if strings.HasPrefix(s, `[["`) {
		list, ok = termsOf(v)
		return nil, list, false, ok
	}
	i := 1
	if s[1] == '"' {
		text, end := quotedAt(s, 1)
		if end < 0 || end >= len(s) {
			return nil, nil, false, false
		}
		var last []byte
		sound := namesOf(text, func(name []byte) bool {
			if len(names) > 0 && string(last) >= string(name) || !utf8.Valid(name) {
				return false
			}
			last = append(last[:0], name...)
			names = append(names, string(name))
			return true
		})
		if !sound || len(names) == 0 {
			return nil, nil, false, false
		}
		if s[end] == ']' {
			return names, nil, false, end+1 == len(s)
		}
		if s[end] != ',' {
			return nil, nil, false, false
		}
		i = end + 1
	}
	property := ""
	for ; ; i++ {
		if i >= len(s) || s[i] != '[' {
			return nil, nil, true, false
		}
		end := digitsEnd(s, i+1)
		shared, err := strconv.Atoi(s[i+1 : end])
		if err != nil || shared > len(property) || end >= len(s) || s[end] != ',' {
			return nil, nil, true, false
		}
		rest, end := quotedAt(s, end+1)
		if end < 0 || len(list) > 0 && rest == "" && shared == len(property) {
			return nil, nil, true, false
		}
		if property = property[:shared] + rest; !utf8.ValidString(property) {
			return nil, nil, true, false
		}
		if end < len(s) && s[end] == ']' {
			list = append(list, Term{property, Other})
		}
		for end < len(s) && s[end] == ',' {
			var value string
			if value, end = quotedAt(s, end+1); end < 0 || value == Other {
				return nil, nil, true, false
			}
			list = append(list, Term{property, value})
		}
		if end+1 >= len(s) || s[end] != ']' {
			return nil, nil, true, false
		}
		if i = end + 1; s[i] == ']' {
			return names, list, true, i+1 == len(s)
		}
		if s[i] != ',' {
			return nil, nil, true, false
		}
	}
}

// namesOf calls yield with each name in the text that appendCapped makes of names,
// until yield returns false. A name is valid until yield returns. namesOf reports
// whether the text was valid.
func namesOf(text string, yield func(name []byte) bool) bool {
	var name []byte
	for text != "" {
		var counts [2]int // bytes shared, and bytes that follow
		for i := range counts {
			end := digitsEnd(text, 0)
			n, err := strconv.Atoi(text[:end])
			if err != nil || end >= len(text) || text[end] != ':' {
				return false
			}
			counts[i], text = n, text[end+1:]
		}
		if counts[0] > len(name) || counts[1] > len(text) {
			return false
		}
		name = append(name[:counts[0]], text[:counts[1]]...)
		if text = text[counts[1]:]; !yield(name) {
			return false
		}
	}
	return true
}

// cutIn reads ["key",12].
func cutIn(v Value) (c *Cut, ok bool) {
	s := v.Text
	if v.Kind != JSON || s == "" || s[0] != '[' {
		return nil, false
	}
	key, at := quotedAt(s, 1)
	if at < 0 || at >= len(s) || s[at] != ',' {
		return nil, false
	}
	end := digitsEnd(s, at+1)
	n, err := strconv.Atoi(s[at+1 : end])
	if err != nil || n > CountedLeavesMax || s[end:] != "]" {
		return nil, false
	}
	return &Cut{key, n}, true
}

// quotedAt reads the JSON string at i and returns the position after it.
func quotedAt(s string, i int) (text string, next int) {
	if i >= len(s) || s[i] != '"' {
		return "", -1
	}
	end, plain := stringEnd(s, i+1)
	if end < 0 {
		return "", -1
	}
	return unquote(s[i+1:end], plain), end + 1
}
