package event

// The canonical form of arrays and objects: no white space, only the escapes that
// strings need, no key twice.

// span is one member of an object in scratch: where its key with quotes starts and
// ends, and where its value ends.
type span struct{ start, keyEnd, end int }

// bounded is what is known of an object: it is within the limits at this depth, if its strings
// and numbers are.
type bounded struct {
	lim   Limits
	depth int
}

// known returns the end of the object at i when compacted has accepted such a one lately, or
// else -1.
func (p *Parser) known(i, depth int) int {
	about, end, values := p.skeletons.Find(p.s, i, p.found[:0])
	p.found = values
	if about == nil || *about != (bounded{p.lim, depth}) {
		return -1
	}
	for _, v := range values {
		if v.End-v.Start > p.lim.StringBytes {
			return -1
		}
	}
	return end
}

// compacted returns the end of the array or object at i when its text is in the canonical
// form and within the limits, or else -1. What an SDK sends mostly is: it needs no copy.
func (p *Parser) compacted(i, depth int) int {
	if depth > p.lim.Depth {
		return -1
	}
	s := p.s
	object, closing := s[i] == '{', s[i]+2 // ] and } in ASCII
	if i++; i < len(s) && s[i] == closing {
		return i + 1
	}
	first, looks := len(p.spans), uint64(0)
	for {
		if object {
			if i >= len(s) || s[i] != '"' {
				return -1
			}
			end, plain := stringEnd(s, i+1)
			if end < 0 || !plain || end-i-1 > p.lim.KeyBytes || end+1 >= len(s) || s[end+1] != ':' || len(p.spans)-first >= p.lim.Members {
				return -1
			}
			key := s[i : end+1]
			if look := lookOf(key[1:]); looks&look != 0 {
				for _, m := range p.spans[first:] {
					if s[m.start:m.keyEnd] == key {
						return -1
					}
				}
			} else {
				looks |= look
			}
			p.spans = append(p.spans, span{start: i, keyEnd: end + 1})
			i = end + 2
		}
		if i >= len(s) {
			return -1
		}
		switch s[i] {
		case '"':
			end, plain := stringEnd(s, i+1)
			if end < 0 || !plain || end-i-1 > p.lim.StringBytes {
				return -1
			}
			i = end + 1
		case '{', '[':
			if i = p.compacted(i, depth+1); i < 0 {
				return -1
			}
		case ' ', '\t', '\n', '\r':
			return -1
		default:
			_, end, err := p.atom(i)
			if err != nil {
				return -1
			}
			i = end
		}
		if i >= len(s) {
			return -1
		}
		if s[i] == closing {
			p.spans = p.spans[:first]
			return i + 1
		}
		if s[i] != ',' {
			return -1
		}
		i++
	}
}

// compact appends the canonical form of the array or object at i.
func (p *Parser) compact(dst []byte, i, depth int) ([]byte, int, *FieldError) {
	if depth > p.lim.Depth {
		return dst, i, tooMuch("nested", p.lim.Depth, "deep")
	}
	s := p.s
	closing := s[i] + 2 // ] and } in ASCII
	object := s[i] == '{'
	open := len(dst)
	dst = append(dst, s[i])
	if i = skipSpace(s, i+1); i < len(s) && s[i] == closing {
		return append(dst, closing), i + 1, nil
	}
	first := len(p.spans)
	var looks uint64
	twice := false
	for {
		var err *FieldError
		var member span
		if object {
			if i >= len(s) || s[i] != '"' {
				return dst, i, p.fault(i, "a key is expected")
			}
			member.start = len(dst)
			if dst, i, err = p.quoted(dst, i, p.lim.KeyBytes, "a key has"); err != nil {
				return dst, i, err
			}
			member.keyEnd = len(dst)
			if i = skipSpace(s, i); i >= len(s) || s[i] != ':' {
				return dst, i, p.fault(i, "a colon is expected")
			}
			dst = append(dst, ':')
			i++
		}
		if i = skipSpace(s, i); i >= len(s) {
			return dst, i, p.fault(i, "a value is expected")
		}
		switch s[i] {
		case '"':
			dst, i, err = p.quoted(dst, i, p.lim.StringBytes, "a string has")
		case '{', '[':
			dst, i, err = p.compact(dst, i, depth+1)
		default:
			at := i
			if _, i, err = p.atom(i); err == nil {
				dst = append(dst, s[at:i]...)
			}
		}
		if err != nil {
			if object {
				key := dst[member.start+1 : member.keyEnd-1]
				err = err.within(string(appendUnquoted(nil, aliasString(key))))
			}
			return dst, i, err
		}
		if object {
			member.end = len(dst)
			key := aliasString(dst[member.start:member.keyEnd])
			if look := lookOf(key[1:]); looks&look != 0 {
				for _, m := range p.spans[first:] {
					twice = twice || string(dst[m.start:m.keyEnd]) == key
				}
			} else {
				looks |= look
			}
			if len(p.spans)-first >= p.lim.Members {
				return dst, i, tooMuch("has", p.lim.Members, "keys")
			}
			p.spans = append(p.spans, member)
		}
		var closed bool
		if i, closed, err = p.separator(i, closing); err != nil {
			return dst, i, err
		}
		if closed {
			break
		}
		dst = append(dst, ',')
	}
	if twice {
		dst = lastOfEach(dst, open, p.spans[first:])
	}
	p.spans = p.spans[:first]
	return append(dst, closing), i, nil
}

// lastOfEach rewrites the object that begins at open. Of members with the same key it
// keeps the last.
func lastOfEach(dst []byte, open int, members []span) []byte {
	last := make(map[string]int, len(members))
	for i, m := range members {
		last[string(dst[m.start:m.keyEnd])] = i
	}
	at := open + 1
	for i, m := range members {
		if last[string(dst[m.start:m.keyEnd])] != i {
			continue
		}
		if at > open+1 {
			dst[at] = ','
			at++
		}
		at += copy(dst[at:], dst[m.start:m.end])
	}
	return dst[:at]
}

// quoted appends the canonical form of the string at i.
func (p *Parser) quoted(dst []byte, i, most int, what string) ([]byte, int, *FieldError) {
	end, plain := stringEnd(p.s, i+1)
	if end < 0 {
		return dst, i, p.fault(i, "not a string")
	}
	if plain {
		if end-i-1 > most {
			return dst, i, tooMuch(what, most, "bytes")
		}
		return append(dst, p.s[i:end+1]...), end + 1, nil
	}
	at := len(p.arena)
	text, next, err := p.text(i, most, what)
	if err != nil {
		return dst, i, err
	}
	dst = appendQuoted(dst, text, false)
	p.arena = p.arena[:min(at, len(p.arena))] // the copy is no longer needed
	return dst, next, nil
}
