package event

import (
	"slices"
	"strings"
	"sync"
)

// The leaves of a value, which filters and counters see.

// Inside returns the path, inside the cell of a key, of what has the dotted path key.keys.
// It is keys itself, with a dot before it when keys is empty or begins with one: the path
// "" is that of the cell itself, and an empty key in an object is a key too.
func Inside(keys string) string {
	if keys == "" || keys[0] == '.' {
		return "." + keys
	}
	return keys
}

// HashedPaths returns the paths under which CellLeaves may have what CellTerms has at a
// path. There are several when the first keys in an object may be empty.
func HashedPaths(path string) []string {
	if path == "" || path[0] != '.' {
		return []string{path}
	}
	paths := []string{path[1:]}
	for keys := path[1:]; keys != "" && keys[0] == '.'; {
		keys = keys[1:]
		paths = append(paths, keys)
	}
	return paths
}

// CellLeaves calls yield with the leaves of a cell until yield returns false. A scalar
// is one leaf with the path "". null has none. An array or object has every scalar
// inside it, under the object keys joined with "."; elements of an array add nothing to
// the path. The index stores hashes of these paths, so they stay as they are although
// they leave out empty keys that come first: see HashedPaths. A shape has the leaves that
// are in it, and a leaf for each reference, whose term RefPaths has. Leaves may repeat.
// Both strings are valid until yield returns: an object
// can be made so that each path is a hundred times as long as its leaf, and copying
// paths would cost that much memory.
func CellLeaves(cell []byte, yield func(path, term string) bool) {
	if CellScalar(cell) {
		yield("", aliasString(AppendCellTerm(nil, cell)))
		return
	}
	if len(cell) == 0 || cell[0] != tagJSON && cell[0] != tagShape {
		return
	}
	w := walks.Get().(*leafWalk)
	defer walks.Put(w)
	w.holes = cell[0] == tagShape
	w.of("", Value{JSON, aliasString(cell[1:])}, func(path []byte, v Value) bool {
		return yield(aliasString(path), w.termOf(v))
	})
	w.holes = false
}

// CellTerms calls yield with the terms of a cell's leaves at one path, see Inside. It
// makes nothing of other leaves. Terms may repeat. A term is valid until yield returns.
func CellTerms(cell []byte, path string, yield func(term string)) {
	switch {
	case len(cell) == 0:
	case cell[0] == tagJSON:
		w := walks.Get().(*leafWalk)
		defer walks.Put(w)
		w.text, w.want = aliasString(cell[1:]), underCell(path)
		w.find(0, 0, 1, yield)
		w.text, w.want = "", ""
	case cell[0] == tagShape:
		want := underCell(path)
		w := walks.Get().(*leafWalk)
		defer walks.Put(w)
		w.inCell, w.holes = true, true
		w.of("", Value{JSON, aliasString(cell[1:])}, func(at []byte, v Value) bool {
			if string(at) == want {
				yield(w.termOf(v))
			}
			return true
		})
		w.inCell, w.holes = false, false
	case path == "" && CellScalar(cell):
		yield(aliasString(AppendCellTerm(nil, cell)))
	}
}

// CellTermsOf is CellTerms of the first leaves of the cell only.
func CellTermsOf(cell []byte, path string, leaves int, yield func(term string)) {
	if leaves == AllLeaves {
		CellTerms(cell, path, yield)
		return
	}
	if len(cell) == 0 || cell[0] != tagJSON {
		if leaves > 0 {
			CellTerms(cell, path, yield)
		}
		return
	}
	n, want := 0, underCell(path)
	w := walks.Get().(*leafWalk)
	defer walks.Put(w)
	w.inCell = true
	w.of("", Value{JSON, aliasString(cell[1:])}, func(at []byte, v Value) bool {
		if n++; n > leaves {
			return false
		}
		if string(at) == want {
			yield(w.termOf(v))
		}
		return true
	})
	w.inCell = false
}

// underCell returns a path inside a cell with a dot before each key.
func underCell(path string) string {
	if path == "" || path[0] == '.' {
		return path
	}
	return "." + path
}

// leafWalk walks leaves. The next walk uses its memory again.
type leafWalk struct {
	text  string
	holes bool   // text is a shape
	want  string // see find
	// inCell says that the walk begins with a cell: there is a dot before each key.
	inCell bool
	path   []byte // of the current value
	term   []byte
}

var walks = sync.Pool{New: func() any { return new(leafWalk) }}

// of calls yield with every scalar in the value of a key, except null. The path is the
// object keys joined with "."; array elements add nothing. path is valid until yield
// returns. The walk ends when yield returns false, or where the text is broken or too
// deep.
func (w *leafWalk) of(key string, v Value, yield func(path []byte, v Value) bool) {
	w.path = append(w.path[:0], key...)
	switch v.Kind {
	case JSON:
		w.text = v.Text
		w.walk(0, 1, yield)
		w.text = ""
	case String, Number, Bool:
		yield(w.path, v)
	}
}

// termOf returns the term of a scalar, valid until the next call.
func (w *leafWalk) termOf(v Value) string {
	if v.Kind == Number && !isPlainInteger(v.Text) {
		out, num := appendDecimal(w.term[:0], v.Text)
		if w.term = out; num {
			return aliasString(out)
		}
	}
	return v.Text
}

// walk walks the value at i under path. It returns the end of the value, or -1 when the
// text is broken, too deep, or yield returned false.
func (w *leafWalk) walk(i, depth int, yield func(path []byte, v Value) bool) int {
	s := w.text
	i = skipSpace(s, i)
	if i >= len(s) || depth > leafDepthMax {
		return -1
	}
	switch c := s[i]; {
	case c == '{':
		if i = skipSpace(s, i+1); i < len(s) && s[i] == '}' {
			return i + 1
		}
		outer := len(w.path)
		for {
			if i = skipSpace(s, i); i >= len(s) || s[i] != '"' {
				return -1
			}
			end, plain := stringEnd(s, i+1)
			if end < 0 {
				return -1
			}
			if w.path = w.path[:outer]; outer > 0 || w.inCell {
				w.path = append(w.path, '.')
			}
			if plain {
				w.path = append(w.path, s[i+1:end]...)
			} else {
				w.path = appendUnquoted(w.path, s[i+1:end])
			}
			if i = skipSpace(s, end+1); i >= len(s) || s[i] != ':' {
				return -1
			}
			if i = w.walk(i+1, depth+1, yield); i < 0 {
				return -1
			}
			if i = skipSpace(s, i); i >= len(s) {
				return -1
			}
			if s[i] == '}' {
				w.path = w.path[:outer]
				return i + 1
			}
			if s[i] != ',' {
				return -1
			}
			i++
		}
	case c == '[':
		if i = skipSpace(s, i+1); i < len(s) && s[i] == ']' {
			return i + 1
		}
		for {
			if i = w.walk(i, depth+1, yield); i < 0 {
				return -1
			}
			if i = skipSpace(s, i); i >= len(s) {
				return -1
			}
			if s[i] == ']' {
				return i + 1
			}
			if s[i] != ',' {
				return -1
			}
			i++
		}
	}
	switch {
	case w.holes && s[i] == holePiece:
		return i + 1
	case w.holes && s[i] == holeRef && i+2 <= len(s):
		if !yield(w.path, Value{String, s[i : i+2]}) {
			return -1
		}
		return i + 2
	}
	v, end := scalarAt(s, i)
	if end < 0 || v.Kind != Null && !yield(w.path, v) {
		return -1
	}
	return end
}

// scalarAt returns the string, number, bool or null at i, and its end.
func scalarAt(s string, i int) (v Value, end int) {
	switch c := s[i]; {
	case c == '"':
		end, plain := stringEnd(s, i+1)
		if end < 0 {
			return v, -1
		}
		return Value{String, unquote(s[i+1:end], plain)}, end + 1
	case c == '-' || c >= '0' && c <= '9':
		if end = numberEnd(s, i); end < 0 {
			return v, -1
		}
		return Value{Number, s[i:end]}, end
	}
	return literal(s, i)
}

// find yields the terms at w.want in the value at i. The path of that value is the
// first known bytes of w.want. find returns the end of the value, or -1 where the text
// is broken or too deep.
func (w *leafWalk) find(i, known, depth int, yield func(term string)) int {
	s := w.text
	if i = skipSpace(s, i); i >= len(s) || depth > leafDepthMax {
		return -1
	}
	if s[i] != '{' && s[i] != '[' {
		if known < len(w.want) {
			return skipValue(s, i, depth)
		}
		v, end := scalarAt(s, i)
		if end >= 0 && v.Kind != Null {
			yield(w.termOf(v))
		}
		return end
	}
	object, closing := s[i] == '{', s[i]+2 // ] and } in ASCII
	if i = skipSpace(s, i+1); i < len(s) && s[i] == closing {
		return i + 1
	}
	for {
		leads := known
		if object {
			if i >= len(s) || s[i] != '"' {
				return -1
			}
			end, plain := stringEnd(s, i+1)
			if end < 0 {
				return -1
			}
			leads = w.under(known, s[i+1:end], plain)
			if i = skipSpace(s, end+1); i >= len(s) || s[i] != ':' {
				return -1
			}
			i++
		}
		if leads >= 0 {
			i = w.find(i, leads, depth+1, yield)
		} else {
			i = skipValue(s, i, depth+1)
		}
		if i < 0 {
			return -1
		}
		if i = skipSpace(s, i); i >= len(s) {
			return -1
		}
		if s[i] == closing {
			return i + 1
		}
		if s[i] != ',' {
			return -1
		}
		i = skipSpace(s, i+1)
	}
}

// under returns how many bytes of w.want lead to a key of an object to which known
// bytes lead, or -1 where w.want does not go there.
func (w *leafWalk) under(known int, key string, plain bool) int {
	rest, dotted := strings.CutPrefix(w.want[known:], ".")
	if !dotted {
		return -1
	}
	if key = unquote(key, plain); !strings.HasPrefix(rest, key) {
		return -1
	}
	return known + 1 + len(key)
}

// leafDepthMax bounds the recursion of everything that walks stored text. It is above
// the depth that Validate accepts.
const leafDepthMax = 64

// termSet is a set of terms that is small most of the time.
type termSet struct {
	few  []Term
	many map[Term]struct{}
}

func (s *termSet) has(property, value string) bool {
	t := Term{property, value}
	if s.many != nil {
		_, there := s.many[t]
		return there
	}
	return slices.Contains(s.few, t)
}

// add reports whether the term was new.
func (s *termSet) add(property, value string) bool {
	if s.has(property, value) {
		return false
	}
	t := Term{property, value}
	switch {
	case s.many != nil:
		s.many[t] = struct{}{}
	case s.few == nil:
		s.few = append(make([]Term, 0, 8), t)
	case len(s.few) < 16:
		s.few = append(s.few, t)
	default:
		s.many = map[Term]struct{}{t: {}}
		for _, t := range s.few {
			s.many[t] = struct{}{}
		}
	}
	return true
}
