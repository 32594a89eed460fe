package event

// Walking JSON that a Parser has made, without making an Object of it.

// EachMember calls yield with the members of an object in their order. The object must be
// the Text of a Value that a Parser has returned; of any other text EachMember may leave
// members out. The arrays and objects among the values are in the Parser's form, too. The
// strings alias object, except for those with escapes.
func EachMember(object string, yield func(key string, v Value)) {
	if len(object) < len(`{"":0}`) || object[0] != '{' {
		return
	}
	for i := 1; i < len(object) && object[i] == '"'; i++ {
		end, plain := stringEnd(object, i+1)
		if end < 0 || end+2 >= len(object) {
			return
		}
		key, at := unquote(object[i+1:end], plain), end+2
		var v Value
		if c := object[at]; c == '{' || c == '[' {
			if i = nestedEnd(object, at); i < 0 {
				return
			}
			v = Value{JSON, object[at:i]}
		} else if v, i = scalarAt(object, at); i < 0 {
			return
		}
		yield(key, v)
	}
}

// nestedEnd returns the end of the array or object at i, -1 when it has none.
func nestedEnd(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			if i, _ = stringEnd(s, i+1); i < 0 {
				return -1
			}
		}
	}
	return -1
}
