package event

// Access to nested values, for dialects and filters.

// storedLimits apply to text that a Parser has accepted before.
var storedLimits = Limits{Depth: parserDepthMax, Members: parserMembersMax, KeyBytes: MaxEventBytes, StringBytes: MaxEventBytes}

// Object opens a value that is a JSON object. The result belongs to p, see Parser.
func (v Value) Object(p *Parser) (Object, error) {
	if v.Kind != JSON || v.Text == "" || v.Text[0] != '{' {
		return nil, &FieldError{Index: -1, Msg: "an object is expected"}
	}
	o, err := p.objectOf(v.Text, storedLimits)
	return o, p.asError(err)
}

// Array opens a value that is a JSON array. The result belongs to p, see Parser.
func (v Value) Array(p *Parser) ([]Value, error) {
	if v.Kind != JSON || v.Text == "" || v.Text[0] != '[' {
		return nil, &FieldError{Index: -1, Msg: "an array is expected"}
	}
	i := p.begin(v.Text, storedLimits)
	start := len(p.values)
	if i = skipSpace(p.s, i+1); i < len(p.s) && p.s[i] == ']' {
		return []Value{}, p.asError(p.end(i + 1))
	}
	for {
		element, next, err := p.value(i, 2)
		if err != nil {
			return nil, err
		}
		p.values, start = push(p.values, start, element)
		var closed bool
		if i, closed, err = p.separator(next, ']'); err != nil {
			return nil, err
		}
		if closed {
			n := len(p.values)
			return p.values[start:n:n], p.asError(p.end(i))
		}
	}
}

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return v.Kind == JSON && len(v.Text) > 0 && v.Text[0] == '{' }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return v.Kind == JSON && len(v.Text) > 0 && v.Text[0] == '[' }

// GetPath returns the value at a dotted path, Absent when there is none. A key that
// contains dots itself is found too; the literal key takes precedence. Arrays are not
// entered.
func GetPath(o Object, path string) Value {
	if v := o.Get(path); v.Kind != Absent {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if v := o.Get(path[:i]); v.IsObject() {
			if v = pathIn(v.Text, path[i+1:]); v.Kind != Absent {
				return v
			}
		}
	}
	return Value{}
}

// pathIn is GetPath on the text of an object.
func pathIn(text, path string) Value {
	if v := memberOf(text, path); v.Kind != Absent {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if v := memberOf(text, path[:i]); v.IsObject() {
			if v = pathIn(v.Text, path[i+1:]); v.Kind != Absent {
				return v
			}
		}
	}
	return Value{}
}

// memberOf returns the value of a key in the text of an object.
func memberOf(text, key string) Value {
	i := skipSpace(text, 1)
	for i < len(text) && text[i] == '"' {
		end, plain := stringEnd(text, i+1)
		if end < 0 {
			break
		}
		next := skipKey(text, i)
		if next < 0 {
			break
		}
		stop := skipValue(text, next, 1)
		if stop < 0 {
			break
		}
		if unquote(text[i+1:end], plain) == key {
			return valueAt(text, skipSpace(text, next), stop)
		}
		if i = skipSpace(text, stop); i >= len(text) || text[i] != ',' {
			break
		}
		i = skipSpace(text, i+1)
	}
	return Value{}
}

// valueAt returns the value whose text is s[i:end].
func valueAt(s string, i, end int) Value {
	switch c := s[i]; {
	case c == '"':
		close, plain := stringEnd(s, i+1)
		return Value{String, unquote(s[i+1:close], plain)}
	case c == '{' || c == '[':
		return Value{JSON, s[i:end]}
	case c == '-' || c >= '0' && c <= '9':
		return Value{Number, s[i:end]}
	}
	v, _ := literal(s, i)
	return v
}
