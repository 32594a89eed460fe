package event

import "slices"

// The leaves of a value: what filters and counters see of it.

// CellLeaves calls yield with the leaves of a cell until it returns false. A
// scalar is one leaf with the path ""; null has none; an array or object has
// every scalar inside it, under its object keys joined with ".", elements of an
// array adding nothing. A (path, term) is yielded once.
func CellLeaves(cell []byte, yield func(path, term string) bool) {
	if CellScalar(cell) {
		yield("", string(AppendCellTerm(nil, cell)))
		return
	}
	if len(cell) == 0 || cell[0] != tagJSON {
		return
	}
	var seen termSet
	jsonLeaves(string(cell[1:]), "", nil, func(path, term string) bool {
		return !seen.add(path, term) || yield(path, term)
	})
}

// jsonLeaves yields the leaves of an array or object under a path, one that is
// there again too. The strings may alias text, or lie in room.
func jsonLeaves(text, under string, room *TermRoom, yield func(path, term string) bool) {
	last := under
	var path []byte
	if room != nil {
		path = room.path
	}
	path = append(slices.Grow(path[:0], 128), under...)
	walkLeaves(text, 0, path, 1, func(path []byte, v Value) bool {
		term, _ := v.termIn(room)
		if string(path) != last {
			last = room.keep(path)
		}
		return yield(last, term)
	})
	if room != nil {
		room.path = path
	}
}

// walkLeaves calls yield with every scalar of the JSON value at i: object keys
// joined with ".", array elements adding nothing, nulls left out. path is good
// until yield returns. It returns the end of the value, -1 when the text is
// broken, too deep, or yield said false.
func walkLeaves(s string, i int, path []byte, depth int, yield func(path []byte, v Value) bool) int {
	i = skipSpace(s, i)
	if i >= len(s) || depth > leafDepthMax {
		return -1
	}
	switch c := s[i]; {
	case c == '{':
		if i = skipSpace(s, i+1); i < len(s) && s[i] == '}' {
			return i + 1
		}
		for {
			if i = skipSpace(s, i); i >= len(s) || s[i] != '"' {
				return -1
			}
			end, plain := stringEnd(s, i+1)
			if end < 0 {
				return -1
			}
			inner := path
			if len(path) > 0 {
				inner = append(inner, '.')
			}
			if plain {
				inner = append(inner, s[i+1:end]...)
			} else {
				inner = appendUnquoted(inner, s[i+1:end])
			}
			if i = skipSpace(s, end+1); i >= len(s) || s[i] != ':' {
				return -1
			}
			if i = walkLeaves(s, i+1, inner, depth+1, yield); i < 0 {
				return -1
			}
			if i = skipSpace(s, i); i >= len(s) {
				return -1
			}
			if s[i] == '}' {
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
			if i = walkLeaves(s, i, path, depth+1, yield); i < 0 {
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
	case c == '"':
		end, plain := stringEnd(s, i+1)
		if end < 0 || !yield(path, Value{String, unquote(s[i+1:end], plain)}) {
			return -1
		}
		return end + 1
	case c == '-' || c >= '0' && c <= '9':
		end := numberEnd(s, i)
		if end < 0 || !yield(path, Value{Number, s[i:end]}) {
			return -1
		}
		return end
	default:
		v, end := literal(s, i)
		if end < 0 || v.Kind == Bool && !yield(path, v) {
			return -1
		}
		return end
	}
}

// leafDepthMax bounds the recursion of whatever walks stored text. It is above
// what Validate lets through.
const leafDepthMax = 64

// termSet is a set of terms, small most of the time.
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

// add says whether the term was new.
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
