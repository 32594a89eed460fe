package event

import "strings"

// How long the names and values that an event counts are, each value with its whole
// path: that is how a record lists them in Capped, and a group of events in its note.
// A path is written again for each of the values under it, so a small event can need
// much more room than its text.

// termSlack is what the list of a record adds to a path and a value, brackets, quotes
// and commas, and by how much Other may be longer than the value in whose place it is.
const termSlack = len(`["",""],`) + len(Other)

// numberTermMax bounds the term of a number with an exponent, which is written out.
const numberTermMax = decimalExponentMax + decimalDigitsMax + 3

// CountedBytes is the most bytes that the names and values which the event counts
// take in the list of a record, whichever of them are capped. e has passed Validate.
// Where they are more than most, the result is only known to be more. It costs a pass
// over the event's arrays and objects; only of one that seems to exceed most are the
// values told apart, and no more of them than exceed it.
func CountedBytes(e *Event, most int) (n int) {
	if e.Uncounted || !Countable(e.Type) {
		return 0
	}
	n = 2*len(e.Name) + len("name") + termSlack
	for i := range e.Context {
		if m := &e.Context[i]; m.Value.Kind == String && Detected(m.Key) {
			n += len(m.Key) + 2*len(m.Value.Text) + termSlack
		}
	}
	for i := range e.Properties {
		switch m := &e.Properties[i]; m.Value.Kind {
		case JSON:
			n += leavesBytes(m.Value.Text, len(m.Key)+escapes(m.Key), most)
		case Number:
			n += 2*len(m.Key) + numberTerm(m.Value.Text) + termSlack
		default:
			n += 2*len(m.Key) + 2*len(m.Value.Text) + termSlack
		}
	}
	if n <= most {
		return n
	}
	return distinctBytes(e, most)
}

// distinctBytes is CountedBytes of the values as they are counted: equal ones once, and
// some not at all.
func distinctBytes(e *Event, most int) (n int) {
	e.Counts(func(property, term string, _ int64) bool {
		n += len(property) + escapes(property) + len(term) + escapes(term) + termSlack
		return n <= most
	})
	return n
}

// leavesBytes is CountedBytes of an array or object, in the one form there is, under a
// path of so many bytes. It ends where it exceeds most.
func leavesBytes(s string, under, most int) (n int) {
	var paths [leafDepthMax + 1]int // by depth: of the array or object itself
	depth, path := 0, under
	for i := 0; i < len(s) && n <= most; {
		switch c := s[i]; c {
		case '{', '[':
			if depth++; depth > leafDepthMax {
				return n // Validate has refused it
			}
			paths[depth] = path
			i++
		case '}', ']':
			depth--
			i++
		case ',':
			path = paths[depth]
			i++
		case '"':
			end, _ := stringEnd(s, i+1)
			if end < 0 {
				return n
			}
			text := end - i - 1 // with its escapes, as the list has it
			if i = end + 1; i < len(s) && s[i] == ':' {
				path = paths[depth] + text
				if paths[depth] > 0 {
					path++ // a dot
				}
				i++
				continue
			}
			n += path + text + termSlack
		default:
			end := i + 1
			for end < len(s) && s[end] != ',' && s[end] != ']' && s[end] != '}' {
				end++
			}
			switch c {
			case 'n': // null is no value
			case 't', 'f':
				n += path + end - i + termSlack
			default:
				n += path + numberTerm(s[i:end]) + termSlack
			}
			i = end
		}
	}
	return n
}

// numberTerm bounds the length of the term of a number.
func numberTerm(s string) int {
	if strings.IndexByte(s, 'e') >= 0 || strings.IndexByte(s, 'E') >= 0 {
		return len(s) + numberTermMax
	}
	return len(s)
}

// escapes is how many bytes longer s is as a JSON string, without its quotes.
func escapes(s string) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}
