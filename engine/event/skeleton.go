package event

import (
	"slices"
	"strings"
)

// SDKs send objects that differ in their strings and numbers alone, thousands of times. What
// was found out about one such object holds for all that have the same skeleton: the text
// between its strings and numbers, which has all of its keys. Comparing a text to a skeleton
// takes a fraction of the time of reading it.

// Skeletons remembers the skeletons of the objects that came lately, and what is known of
// each. The zero Skeletons is ready. One goroutine at a time may use it.
type Skeletons[T any] struct {
	known  []*skeleton[T] // those that were used lately come first
	misses int
}

type skeleton[T any] struct {
	// literals are before, between and after the values. The quotes of strings are in them,
	// so a string is never taken for a number.
	literals []string
	about    T
}

// Span is a number or the content of a string in a text: the bytes from Start to End.
type Span struct{ Start, End int }

// Place is a place in every object of a skeleton: so many bytes after the end of a value. The
// values are numbered from 1; 0 is the start of the object.
type Place struct{ value, bytes int }

// PlaceOf returns the place of a byte that is in no value.
func PlaceOf(at int, values []Span) Place {
	n := 0
	for n < len(values) && values[n].End <= at {
		n++
	}
	if n == 0 {
		return Place{0, at}
	}
	return Place{n, at - values[n-1].End}
}

// In returns where the place is in an object that has these values and begins at 0.
func (p Place) In(values []Span) int {
	if p.value == 0 {
		return p.bytes
	}
	return values[p.value-1].End + p.bytes
}

const (
	skeletonsMax     = 8
	skeletonBytesMin = 96 // smaller objects are read as soon
	skeletonBytesMax = 8 << 10
	skeletonEvery    = 8 // of so many objects that are not known one is learnt
)

// Find looks for the skeleton of the object at i. about is what is known of it, nil when no
// skeleton fits. end is the end of the object. values appends the object's strings and
// numbers to spans, in their order; the strings stand for themselves. Keys are no values.
func (k *Skeletons[T]) Find(s string, i int, spans []Span) (about *T, end int, values []Span) {
	if len(s)-i < skeletonBytesMin {
		return nil, -1, spans
	}
	for n, b := range k.known {
		if end, values = matchLiterals(b.literals, s, i, spans); end >= 0 {
			if n > 0 {
				k.known[n], k.known[n-1] = k.known[n-1], b
			}
			return &b.about, end, values
		}
	}
	return nil, -1, spans
}

// Learn remembers what is known of an object, which Find did not find. about returns it, and
// is given what Find appends to spans from now on. Most calls do nothing, so that a client
// whose objects all differ costs little.
func (k *Skeletons[T]) Learn(text string, about func(values []Span) T) {
	if k.misses++; k.misses%skeletonEvery != 1 || len(text) < skeletonBytesMin || len(text) > skeletonBytesMax {
		return
	}
	literals := literalsOf(strings.Clone(text))
	end, values := matchLiterals(literals, text, 0, nil)
	if end != len(text) {
		return // some string has an escape
	}
	b := &skeleton[T]{literals, about(values)}
	if len(k.known) == skeletonsMax {
		k.known = k.known[:skeletonsMax-1]
	}
	k.known = slices.Insert(k.known, 0, b)
}

// literalsOf returns the literals of an object in compact JSON.
func literalsOf(s string) (literals []string) {
	from := 0
	for i := 0; i < len(s); {
		end := 0
		switch c := s[i]; {
		case c == '"':
			i++
			if end, _ = stringEnd(s, i); end < 0 {
				return []string{s}
			}
			if end+1 < len(s) && s[end+1] == ':' {
				i = end + 1 // after a key
				continue
			}
		case c == '-' || c >= '0' && c <= '9':
			if end = numberEnd(s, i); end < 0 {
				return []string{s}
			}
		default:
			i++
			continue
		}
		literals = append(literals, s[from:i])
		if i, from = end, end; end < len(s) && s[end] == '"' {
			i++
		}
	}
	return append(literals, s[from:])
}

// matchLiterals compares the text at i to literals. It returns the end, -1 when they differ, and
// spans with the values.
func matchLiterals(literals []string, s string, i int, spans []Span) (end int, values []Span) {
	last := len(literals) - 1
	for n, literal := range literals {
		if !strings.HasPrefix(s[i:], literal) {
			break
		}
		if i += len(literal); n == last {
			return i, spans
		}
		start := i
		if literal[len(literal)-1] == '"' {
			var plain bool
			if i, plain = stringEnd(s, i); i < 0 || !plain {
				break
			}
		} else if i = numberEnd(s, i); i < 0 || !inRange(s[start:i]) {
			break
		}
		spans = append(spans, Span{start, i})
	}
	return -1, spans
}
