package event

import (
	"strings"
	"sync"
)

// Taking an object apart: see split.go.

// splitter takes objects apart. It is memory for one event.
type splitter struct {
	context Object
	used    uint32 // which fields of the context the event refers to already
	left    int    // how many pieces the event may still have
	text    string // of the object
	shape   []byte
	pieces  []piece  // in the order of their holes
	choices []choice // in the order of the values

	skeletons Skeletons[cuts]
	values    []Span // scratch
}

// shapeBytesKept is how many bytes a splitter keeps for the next event's shapes.
const shapeBytesKept = 64 << 10

// reset lets go of the event and keeps the memory.
func (s *splitter) reset() {
	s.context, s.text = nil, ""
	clear(s.pieces[:cap(s.pieces)])
	clear(s.choices[:cap(s.choices)])
	if cap(s.shape) > shapeBytesKept {
		s.shape = nil
	}
}

var splitters = sync.Pool{New: func() any { return new(splitter) }}

// piece is a value of the object, and whether it is a string that stands for itself.
type piece struct {
	text  string
	plain bool
	at    int // where it begins in the object
}

func (p *piece) end() int { return p.at + len(p.text) }

// choice is a string that may refer to the context.
type choice struct {
	at   int    // where it begins in the object
	refs string // see refsOf
	ref  byte   // 0 = it does not
}

// append appends the fields of an object and returns how many there are, 0 when it has no
// values to be stored apart.
func (s *splitter) append(dst []byte, m *Member) (out []byte, n int) {
	s.text, s.shape, s.pieces, s.choices = m.Value.Text, s.shape[:0], s.pieces[:0], s.choices[:0]
	if l := s.cut(m.Key); l != nil {
		return s.fields(dst, l)
	}
	used := s.used
	if s.object(0, 1, 1+len(m.Key)) != len(s.text) || len(s.pieces) == 0 {
		s.used = used
		return dst, 0
	}
	l := layoutOf(m.Key, aliasString(s.shape))
	if l == nil || len(l.fields) != len(s.pieces) {
		s.used = used
		return dst, 0
	}
	s.skeletons.Learn(s.text, func(values []Span) cuts { return s.cuts(l, values) })
	return s.fields(dst, l)
}

// fields appends the fields of the object, whose pieces are in s.
func (s *splitter) fields(dst []byte, l *layout) (out []byte, n int) {
	s.left -= len(s.pieces)
	dst = append(dst, byte(0x20+1+len(l.key)), PrefixExtra[0])
	dst = append(append(dst, l.key...), 0)
	at := len(dst)
	dst = sizeCell(append(append(dst, tagShape), l.shape...), at)
	for i, field := range l.fields {
		dst = append(append(append(dst, byte(0x20+len(field))), field...), 0)
		at := len(dst)
		dst = sizeCell(s.pieces[l.places[i]].appendCell(dst), at)
	}
	return dst, 1 + len(l.fields)
}

// appendCell appends the cell of the piece.
func (p *piece) appendCell(dst []byte) []byte {
	switch c := p.text[0]; {
	case c == '"' && p.plain:
		return appendStringCell(dst, p.text[1:len(p.text)-1])
	case c == '"':
		return appendStringCell(dst, unquote(p.text[1:len(p.text)-1], false))
	case c == '{' || c == '[':
		return append(append(dst, tagJSON), p.text...)
	case c == '-' || c >= '0' && c <= '9':
		return append(append(dst, tagNumber), p.text...)
	}
	return append(dst, p.text[0]) // of true, false and null: tagTrue, tagFalse and tagNull
}

// object walks the object at i and appends its shape. It returns the end, or -1 where the
// text is not compact JSON. length is that of the field so far.
func (s *splitter) object(i, depth, length int) int {
	t := s.text
	s.shape = append(s.shape, '{')
	if i++; i < len(t) && t[i] == '}' {
		s.shape = append(s.shape, '}')
		return i + 1
	}
	for {
		if i >= len(t) || t[i] != '"' {
			return -1
		}
		end, plain := stringEnd(t, i+1)
		if end < 0 || end+2 >= len(t) || t[end+1] != ':' {
			return -1
		}
		key := t[i+1 : end]
		s.shape = append(s.shape, t[i:end+2]...)
		named := plain && key != "" && strings.IndexByte(key, '.') < 0 && length+1+len(key) <= 1+MaxKeyBytes
		if i = s.value(end+2, depth, length+1+len(key), key, named); i < 0 || i >= len(t) {
			return -1
		}
		s.shape = append(s.shape, t[i])
		if t[i] == '}' {
			return i + 1
		}
		if t[i] != ',' {
			return -1
		}
		i++
	}
}

// value appends the value at i to the shape, or a hole. named says that its key can be part
// of a field.
func (s *splitter) value(i, depth, length int, key string, named bool) (end int) {
	t := s.text
	plain := false
	switch c := t[i]; {
	case c == '{' && named && depth < splitDepth:
		return s.object(i, depth+1, length)
	case c == '"':
		if end, plain = stringEnd(t, i+1); end < 0 {
			return -1
		}
		if end++; named && plain {
			if refs := refsOf(key); refs != "" {
				ref := s.refer(refs, t[i+1:end-1])
				s.choices = append(s.choices, choice{i, refs, ref})
				if ref != 0 {
					s.shape = append(s.shape, holeRef, ref)
					return end
				}
			}
		}
	default:
		if end = skipValue(t, i, 1); end < 0 {
			return -1
		}
	}
	text := t[i:end]
	if !named || len(s.pieces) >= s.left || text == "{}" || text[0] == '"' && !plain && !canonical(text) {
		s.shape = append(s.shape, text...)
		return end
	}
	s.pieces = append(s.pieces, piece{text, plain, i})
	s.shape = append(s.shape, holePiece)
	return end
}

// refer returns which of the fields of the context that refs names has a text, 0 for none.
// One reference to a field is enough for every SDK. More could make an event larger than it
// was sent.
func (s *splitter) refer(refs, text string) byte {
	for i := range len(refs) {
		n := refs[i]
		if s.used&(1<<(n-refBase)) == 0 && s.context.Get(refKeys[n-refBase]) == Str(text) {
			s.used |= 1 << (n - refBase)
			return n
		}
	}
	return 0
}

// canonical reports whether a JSON string with escapes is what appendQuoted makes of its text.
func canonical(text string) bool {
	return string(appendQuoted(nil, unquote(text[1:len(text)-1], false), false)) == text
}

// cuts is where the objects of a skeleton are taken apart, if their strings refer to the same
// fields of the context.
type cuts struct {
	layout  *layout // nil = these objects are read one by one
	pieces  []cutPiece
	choices []choice // at is the number of the value
}

type cutPiece struct{ start, end Place }

// cut takes an object apart as the last one of its skeleton. It returns nil, and s as it was,
// when there is none.
func (s *splitter) cut(key string) *layout {
	var c *cuts
	var end int
	c, end, s.values = s.skeletons.Find(s.text, 0, s.values[:0])
	if c == nil || end != len(s.text) || c.layout == nil || c.layout.key != key || len(c.pieces) > s.left {
		return nil
	}
	used := s.used
	for _, choice := range c.choices {
		v := s.values[choice.at]
		if s.refer(choice.refs, s.text[v.Start:v.End]) != choice.ref {
			s.used = used
			return nil
		}
	}
	for _, p := range c.pieces {
		at := p.start.In(s.values)
		s.pieces = append(s.pieces, piece{s.text[at:p.end.In(s.values)], true, at})
	}
	return c.layout
}

// cuts returns how the object was just taken apart. l is its layout.
func (s *splitter) cuts(l *layout, values []Span) (c cuts) {
	if len(s.pieces) >= s.left {
		return c
	}
	choices, pieces := s.choices, s.pieces
	for k, v := range values {
		if len(choices) > 0 && choices[0].at+1 == v.Start {
			c.choices = append(c.choices, choice{k, choices[0].refs, choices[0].ref})
			refers := choices[0].ref != 0
			if choices = choices[1:]; refers {
				continue
			}
		}
		for len(pieces) > 0 && pieces[0].end() < v.End {
			pieces = pieces[1:]
		}
		if len(pieces) == 0 || pieces[0].at > v.Start {
			return cuts{} // the value is in the shape
		}
	}
	for _, p := range s.pieces {
		c.pieces = append(c.pieces, cutPiece{PlaceOf(p.at, values), PlaceOf(p.end(), values)})
	}
	c.layout = l
	return c
}
