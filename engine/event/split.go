package event

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// Vendors send whole objects that belong to no canonical field, such as Segment's context
// of a page. Nearly every such object is new, while most of the values in it are not. So a
// larger object of Extra is stored in pieces: its shape, and a field for each value. SDKs
// send fixed layouts, so a store has few shapes.
//
// A shape is the compact JSON of the object, with holes in the place of values. A hole is a
// byte that compact JSON cannot contain:
//
//	0x01      the value has a field of its own, a piece
//	0x02 n    the value is the text of field n of the context, see refKeys
//
// The field of a piece is PrefixExtra, the key of the object, and the keys that lead to the
// value, each after a byte 0x01. The shape is the cell of PrefixExtra and the key. For
// example, the member
//
//	"context": {"page":{"url":"https://a.example/","tab":2},"a.b":[],…}
//
// becomes, if the url of the context is the same:
//
//	xcontext                    {"page":{"url":0x02 0x20,"tab":0x01},"a.b":[],…}
//	xcontext 0x01 page 0x01 tab 2
//
// Some values stay in the shape as they are: those whose keys are empty or have a dot or an
// escape, those whose field would be too long, and those beyond piecesMax. An array is one
// piece. So is an object at splitDepth.
const (
	holePiece = 0x01
	holeRef   = 0x02

	// KeySep is between the keys in the field of a piece.
	KeySep = "\x01"
)

const (
	// splitBytesMin is the length from which on an object is stored in pieces. A column
	// costs more than it saves for a smaller one, such as a context with nothing but the
	// name and version of a library. It was 128 once; a reader finds both forms.
	splitBytesMin = 96

	// splitDepth is how many keys lead to a piece at most, beside that of the object. A
	// filter looks at one field for each.
	splitDepth = 3

	// piecesMax bounds the pieces of an event. It bounds what their fields add to the
	// record.
	piecesMax = 128
)

// refKeys are the keys of the context to which a shape may refer. The number of a key is
// its index plus refBase. The list only grows.
var refKeys = []string{
	"url", "path", "title", "referrer", "language", "timezone", "os", "os_version", "brand", "model", "device",
	"country", "region", "city", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}

const refBase = 0x20

// refsOf returns the numbers of the fields that a value under a key may refer to. A key may
// get more of them, but never loses one: rows that are stored refer to it.
func refsOf(key string) string {
	switch key {
	case "url":
		return "\x20"
	case "path":
		return "\x21"
	case "title":
		return "\x22"
	case "referrer":
		return "\x23"
	case "locale", "language":
		return "\x24"
	case "timezone":
		return "\x25"
	case "name":
		return "\x26\x30" // of context.os, and of context.campaign
	case "version":
		return "\x27"
	case "manufacturer", "brand":
		return "\x28"
	case "model":
		return "\x29"
	case "type":
		return "\x2a"
	case "country":
		return "\x2b"
	case "region":
		return "\x2c"
	case "city":
		return "\x2d"
	case "source":
		return "\x2e"
	case "medium":
		return "\x2f"
	case "term":
		return "\x31"
	case "content":
		return "\x32"
	}
	return ""
}

// IsShape reports whether a cell is the shape of an object that is stored in pieces.
func IsShape(cell []byte) bool { return len(cell) > 0 && cell[0] == tagShape }

// IsPiece reports whether field is that of a piece of the object with the field of.
func IsPiece(field, of []byte) bool {
	return len(field) > len(of) && field[len(of)] == KeySep[0] && string(field[:len(of)]) == string(of)
}

// PieceFields returns the fields of the pieces that a shape needs, in their order, nil when
// the shape is damaged. field is that of the shape. The result is shared: it is read only.
func PieceFields(field, shape []byte) []string {
	l := layoutOf(aliasString(field[1:]), aliasString(shape[1:]))
	if l == nil {
		return nil
	}
	return l.fields
}

// PiecePaths calls yield with every place where a value that Extra has at a dotted path may
// lie in pieces: its field, and the path inside the cell of that field.
func PiecePaths(path string, yield func(field, rest string)) {
	eachKey(path, func(key, rest string) {
		field := PrefixExtra + key
		for depth := 0; depth < splitDepth; depth++ {
			name, after, more := strings.Cut(rest, ".")
			if field += KeySep + name; len(field) > 1+MaxKeyBytes {
				return
			}
			if !more {
				yield(field, "")
				return
			}
			yield(field, Inside(after))
			rest = after
		}
	})
}

// RefPaths calls yield with every way in which a shape may refer to the context for a value
// that Extra has at a dotted path: the field of the shape, the path and the term of the
// reference inside it, and the field of the context that has the value.
func RefPaths(path string, yield func(shape, rest, term, field string)) {
	refs := refsOf(path[strings.LastIndexByte(path, '.')+1:])
	if refs == "" {
		return
	}
	eachKey(path, func(key, rest string) {
		for i := range len(refs) {
			yield(PrefixExtra+key, Inside(rest), string([]byte{holeRef, refs[i]}), PrefixContext+refKeys[refs[i]-refBase])
		}
	})
}

// eachKey calls yield with every key that a dotted path may begin with, and the rest.
func eachKey(path string, yield func(key, rest string)) {
	for i := 1; i < min(len(path), MaxKeyBytes+1); i++ {
		if path[i] == '.' {
			yield(path[:i], path[i+1:])
		}
	}
}

// layout is what a shape says of the fields of its pieces.
type layout struct {
	key, shape string
	fields     []string // of the pieces, ascending
	places     []uint16 // by field: which hole of the shape is it, counting holePiece alone
}

// layouts are the layouts that were used lately. They are a function of key and shape.
var layouts = struct {
	sync.RWMutex
	seed  maphash.Seed
	known map[uint64]*layout
	bytes int
}{seed: maphash.MakeSeed(), known: make(map[uint64]*layout)}

// layoutsBytesMax bounds the memory of layouts.
const layoutsBytesMax = 1 << 20

// layoutOf returns the layout of a shape, nil when the shape is damaged. Both texts may
// alias memory that changes later.
func layoutOf(key, shape string) *layout {
	var h maphash.Hash
	h.SetSeed(layouts.seed)
	_, _ = h.WriteString(shape)
	_, _ = h.WriteString(key)
	hash := h.Sum64()
	layouts.RLock()
	l := layouts.known[hash]
	layouts.RUnlock()
	if l != nil && l.shape == shape && l.key == key {
		return l
	}
	l = newLayout(strings.Clone(key), strings.Clone(shape))
	if l == nil {
		return nil
	}
	layouts.Lock()
	defer layouts.Unlock()
	if layouts.bytes += l.bytes(); layouts.bytes > layoutsBytesMax {
		clear(layouts.known)
		layouts.bytes = l.bytes()
	}
	layouts.known[hash] = l
	return l
}

func (l *layout) bytes() int {
	n := 200 + len(l.key) + len(l.shape)
	for _, f := range l.fields {
		n += 32 + len(f)
	}
	return n
}

// newLayout reads a shape, nil when AppendBody cannot have made it.
func newLayout(key, shape string) *layout {
	l := &layout{key: key, shape: shape}
	w := shapeWalk{shape: shape, path: append([]byte(PrefixExtra), key...)}
	sound := w.all(func(path []byte, ref byte, _ int) bool {
		if ref == 0 {
			l.fields = append(l.fields, string(path))
			l.places = append(l.places, uint16(len(l.places)))
		}
		return len(l.fields) <= piecesMax && len(path) <= 1+MaxKeyBytes
	})
	if !sound || len(l.fields) == 0 && !strings.Contains(shape, string(rune(holeRef))) {
		return nil
	}
	slices.SortFunc(l.places, func(a, b uint16) int { return strings.Compare(l.fields[a], l.fields[b]) })
	slices.Sort(l.fields)
	for i := range l.fields {
		if i > 0 && l.fields[i] == l.fields[i-1] {
			return nil
		}
	}
	return l
}

// shapeWalk walks the holes of a shape.
type shapeWalk struct {
	shape string
	path  []byte // of the current value, as the field of a piece
}

// all calls hole with every hole, until hole returns false: the field of its piece, the
// number of a reference or else 0, and where the hole is in the shape. The field is valid
// until hole returns. all reports whether the shape is sound and hole accepted it.
func (w *shapeWalk) all(hole func(path []byte, ref byte, at int) bool) bool {
	return len(w.shape) > 0 && w.shape[0] == '{' && w.object(0, 1, hole) == len(w.shape)
}

// object walks the object at i. It returns the end, or -1.
func (w *shapeWalk) object(i, depth int, hole func(path []byte, ref byte, at int) bool) int {
	s, outer := w.shape, len(w.path)
	if depth > leafDepthMax {
		return -1
	}
	if i++; i < len(s) && s[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return -1
		}
		end, _ := stringEnd(s, i+1)
		if end < 0 || end+2 >= len(s) || s[end+1] != ':' {
			return -1
		}
		w.path = append(append(w.path[:outer], KeySep...), s[i+1:end]...)
		switch i = end + 2; s[i] {
		case holePiece:
			if !hole(w.path, 0, i) {
				return -1
			}
			i++
		case holeRef:
			if i+1 >= len(s) || s[i+1] < refBase || int(s[i+1]-refBase) >= len(refKeys) || !hole(w.path, s[i+1], i) {
				return -1
			}
			i += 2
		case '{':
			i = w.object(i, depth+1, hole)
		default:
			i = skipValue(s, i, depth+1)
		}
		switch {
		case i < 0 || i >= len(s):
			return -1
		case s[i] == '}':
			w.path = w.path[:outer]
			return i + 1
		case s[i] != ',':
			return -1
		}
		i++
	}
}

// large reports whether the member is an object that is stored in pieces.
func (m *Member) large() bool {
	return m.Value.Kind == JSON && len(m.Value.Text) >= splitBytesMin && m.Value.Text[0] == '{'
}

// appendExtra is appendKeyed for Extra: it stores larger objects in pieces.
func appendExtra(dst []byte, o, context Object) (out []byte, n int) {
	any := false
	for i := range o {
		any = any || o[i].large()
	}
	if !any {
		return appendKeyed(dst, PrefixExtra[0], o)
	}
	s := splitters.Get().(*splitter)
	defer splitters.Put(s)
	s.context, s.used, s.left = context, 0, piecesMax
	var buf [48]place
	for _, p := range sortMembers(buf[:0], o) {
		m := &o[p.at]
		var k int
		if m.large() {
			dst, k = s.append(dst, m)
		}
		if k == 0 {
			dst, k = appendKeyed(dst, PrefixExtra[0], o[p.at:p.at+1])
		}
		n += k
	}
	s.reset()
	return dst, n
}

// BodyCells returns how many cells the row of a body has at most.
func BodyCells(body []byte) int {
	at := 3
	for range 3 { // received, time and day
		_, n := binary.Uvarint(body[at:])
		at += n
	}
	n, _ := binary.Uvarint(body[at:])
	head := 4 // type, dialect, session and capped are not in a body
	if body[0]&FlagImported != 0 {
		head++ // session_of neither
	}
	return head + int(n)
}
