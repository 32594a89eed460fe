package event

// Walking JSON that a Parser has made, without making an Object of it.

// EachMember calls yield with the members of an object in their order. The object must be
// the Text of a Value that a Parser has returned; of any other text EachMember may leave
// members out. The value is object[start:end]: see ValueOf. The key aliases object, unless
// it has escapes.
func EachMember(object string, yield func(key string, start, end int)) {
	if len(object) < len(`{"":0}`) || object[0] != '{' {
		return
	}
	for i := 1; i < len(object) && object[i] == '"'; i++ {
		end, plain := stringEnd(object, i+1)
		if end < 0 || end+2 >= len(object) {
			return
		}
		key, start := unquote(object[i+1:end], plain), end+2
		if i = nestedEnd(object, start); i < 0 {
			return
		}
		yield(key, start, i)
	}
}

// nestedEnd returns the end of the value at i, -1 when it has none.
func nestedEnd(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
			continue
		case '"':
			if i, _ = stringEnd(s, i+1); i < 0 {
				return -1
			}
		case '}', ']':
			if depth--; depth < 0 {
				return i // of the object that has the value
			}
		case ',':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return -1
}

// ValueOf returns the value of the text of one, as EachMember finds it. It is Absent for any
// other text. Its Text aliases the text, unless a string has escapes.
func ValueOf(text string) Value {
	if text == "" {
		return Value{}
	}
	if text[0] == '{' || text[0] == '[' {
		return Value{JSON, text}
	}
	v, end := scalarAt(text, 0)
	if end != len(text) {
		return Value{}
	}
	return v
}
