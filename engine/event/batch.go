package event

// Reading many events that trackers batch in one object, in one pass.

// Batch parses b, which must be one JSON object, and returns its members without list.
// The member list must be an array. Batch calls yield with each of its elements in
// order, raw and parsed. An element that is valid JSON but not an object, or is beyond
// the limits, comes with a fault and no object. The limits apply to each element by
// itself. found reports that list is an array. A list of another kind is left out.
//
// A fault in the grammar of b may be found after elements were yielded. Results are
// valid as long as those of Object.
func (p *Parser) Batch(b []byte, lim Limits, list string, yield func(i int, raw []byte, o Object, fault *FieldError)) (rest Object, found bool, err error) {
	rest, found, ferr := p.batch(b, lim, list, yield)
	return rest, found, p.asError(ferr)
}

func (p *Parser) batch(b []byte, lim Limits, list string, yield func(int, []byte, Object, *FieldError)) (rest Object, found bool, err *FieldError) {
	i := p.begin(aliasString(b), lim)
	if i >= len(p.s) || p.s[i] != '{' {
		return nil, false, p.fault(i, "an object is expected")
	}
	if i = skipSpace(p.s, i+1); i < len(p.s) && p.s[i] == '}' {
		return nil, false, p.end(i + 1)
	}
	for {
		key, next, err := p.key(i)
		if err != nil {
			return nil, false, err
		}
		if next = skipSpace(p.s, next); key == list {
			if found {
				return nil, false, refuse(list, "is there twice")
			}
			if found = next < len(p.s) && p.s[next] == '['; found {
				next, err = p.elements(b, next, yield)
			} else {
				_, next, err = p.value(next, 2)
			}
		} else {
			var v Value
			if v, next, err = p.value(next, 2); err == nil {
				if len(rest) >= p.lim.Members {
					return nil, false, tooMuch("has", p.lim.Members, "keys")
				}
				rest.Set(key, v)
			}
		}
		if err != nil {
			return nil, false, err.within(key)
		}
		var closed bool
		if i, closed, err = p.separator(next, '}'); err != nil {
			return nil, false, err
		}
		if closed {
			return rest, found, p.end(i)
		}
	}
}

// elements yields the elements of the array at i.
func (p *Parser) elements(b []byte, i int, yield func(int, []byte, Object, *FieldError)) (next int, err *FieldError) {
	if i = skipSpace(p.s, i+1); i < len(p.s) && p.s[i] == ']' {
		return i + 1, nil
	}
	s, lim := p.s, p.lim
	for n := 0; ; n++ {
		if i >= len(p.s) {
			return i, p.fault(i, "a value is expected")
		}
		var o Object
		fault, end := (*FieldError)(nil), i
		if p.s[i] == '{' {
			o, end, fault = p.object(i, 1)
		} else {
			fault = &FieldError{Index: -1, Msg: "an object is expected"}
		}
		if fault != nil {
			// The fault is this element's only if the element is valid JSON.
			o = nil
			if end = skipValue(p.s, i, 1); end < 0 {
				return i, p.fault(i, "invalid JSON in an element of the array")
			}
			fault.Index = n
		}
		yield(n, b[i:end:end], o, fault)
		p.s, p.lim = s, lim // yield may have used the Parser
		var closed bool
		if i, closed, err = p.separator(end, ']'); err != nil || closed {
			return i, err
		}
	}
}
