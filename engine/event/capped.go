package event

import (
	"strconv"
	"strings"
)

// Reading capped cells without making all of their terms. record.go describes the two
// forms.

// EachCapped calls yield with each property of a capped cell and its position there,
// which CappedValues takes. The property is valid until yield returns. In an older row,
// a property that occurs in several places may come several times. A damaged cell ends
// the walk early.
func EachCapped(cell []byte, yield func(property string, at int)) {
	s := aliasString(cell)
	first := 2 // of its lists
	if end := cappedNamesEnd(s); end > 0 {
		first = end + 1
	}
	if len(s) < first+2 || s[0] != tagJSON || s[first] != '[' {
		return
	}
	old := s[first+1] == '"'
	var property []byte
	for i := first; i < len(s) && s[i] == '['; i++ {
		i++
		shared := 0
		if !old {
			end := digitsEnd(s, i)
			n, err := strconv.Atoi(s[i:end])
			if err != nil || n > len(property) || end >= len(s) || s[end] != ',' {
				return
			}
			shared, i = n, end+1
		}
		if i >= len(s) || s[i] != '"' {
			return
		}
		end, plain := stringEnd(s, i+1)
		if end < 0 {
			return
		}
		if property = property[:shared]; plain {
			property = append(property, s[i+1:end]...)
		} else {
			property = appendUnquoted(property, s[i+1:end])
		}
		at := end + 1
		if old {
			at = 0 // its other values may be anywhere
		}
		yield(aliasString(property), at)
		for i = end + 1; i < len(s) && s[i] == ','; i = end + 1 {
			if end, _ = stringEnd(s, i+2); end < 0 {
				return
			}
		}
		if i++; i >= len(s) || s[i] != ',' { // after the ] of the property
			return
		}
	}
}

// cappedNamesEnd returns where the text of names in a capped cell ends, 0 when there is
// none.
func cappedNamesEnd(cell string) int {
	if len(cell) < 4 || cell[:3] != string(tagJSON)+`["` {
		return 0
	}
	end, _ := stringEnd(cell, 3)
	return max(0, end+1)
}

// EachCappedName calls yield with each name in a capped cell. A name is valid until
// yield returns. A damaged cell ends the walk early.
func EachCappedName(cell []byte, yield func(name []byte)) {
	s := aliasString(cell)
	end := cappedNamesEnd(s)
	if end == 0 {
		return
	}
	text, _ := quotedAt(s, 2)
	namesOf(text, func(name []byte) bool {
		yield(name)
		return true
	})
}

// HasCappedNames reports whether a capped cell has names.
func HasCappedNames(cell []byte) bool { return cappedNamesEnd(aliasString(cell)) > 0 }

// CappedValues calls yield with the capped values of a property, or with Other, which
// stands for all its values. at is the position that EachCapped gave. The values may
// alias the cell.
func CappedValues(cell []byte, property string, at int, yield func(value string)) {
	if at == 0 {
		list, _ := termsOf(Value{JSON, strings.TrimPrefix(aliasString(cell), string(tagJSON))})
		for _, t := range list {
			if t.Property == property {
				yield(t.Value)
			}
		}
		return
	}
	s := aliasString(cell)
	if at < len(s) && s[at] == ']' {
		yield(Other)
	}
	for at < len(s) && s[at] == ',' {
		var value string
		if value, at = quotedAt(s, at+1); at < 0 {
			return
		}
		yield(value)
	}
}
