package event

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Strict reading of JSON, for every dialect with JSON bodies.

// Limits bounds what a Parser accepts. A zero field means that of DefaultLimits.
type Limits struct {
	Depth       int // nested arrays and objects, including the outermost; at most 64
	Members     int // keys of one object; at most 1024
	KeyBytes    int // of one key
	StringBytes int // of one string or number; at most 4 MiB
}

// DefaultLimits are the native dialect's.
var DefaultLimits = Limits{Depth: MaxDepth, Members: MaxProperties, KeyBytes: KeyBytesMax, StringBytes: EventBytesMax}

const (
	parserDepthMax   = 64
	parserMembersMax = 1024    // similar keys are compared pair by pair
	parserStringMax  = 4 << 20 // a recording, which is checked and never becomes an event
)

func (l Limits) orDefault() Limits {
	or := func(n *int, d, most int) {
		if *n <= 0 {
			*n = d
		}
		*n = min(*n, most)
	}
	or(&l.Depth, DefaultLimits.Depth, parserDepthMax)
	or(&l.Members, DefaultLimits.Members, parserMembersMax)
	or(&l.KeyBytes, DefaultLimits.KeyBytes, MaxEventBytes)
	or(&l.StringBytes, DefaultLimits.StringBytes, parserStringMax)
	return l
}

// Parser reads strict JSON (RFC 8259) in one pass. It checks the whole input: it skips
// a byte order mark, and nothing may follow the value. Of equal keys the last one wins.
// Invalid UTF-8 and lone surrogates become U+FFFD. Escaped control characters other
// than \t \n \r are left out of strings; raw ones are refused. A number keeps its
// literal; a number beyond float64 is refused. An array or object inside an Object
// becomes its compact text in one form: no white space, no needless escape, no key
// twice.
//
// Results alias the input or the Parser's memory. They are valid until Reset, so the
// events of a whole request can share one Parser. The input must not change before
// that. Errors are *FieldError with Index -1 and the dotted path of the faulty value.
// One goroutine at a time may use a Parser. The zero Parser is ready.
type Parser struct {
	arena   []byte   // strings that are not in the input as they are
	members []Member // of the objects returned
	texts   []string // of the lists returned
	amounts []Amount
	values  []Value

	scratch []byte // the array or object being compacted
	spans   []span // members of its open objects

	skeletons Skeletons[bounded] // of objects in their canonical form
	found     []Span             // scratch: values of an object

	s   string // the input
	lim Limits

	importing *Record // what Import parses into; nil = the event is not imported
}

// The most elements that a Parser keeps for its next use.
const (
	chunkFirst = 256
	chunkMax   = 16 << 10 // the members of a thousand events of Segment are 12,000
	arenaFirst = 4 << 10
	arenaMax   = 256 << 10
)

// Reset forgets all results and keeps the memory, unless the memory has grown large.
func (p *Parser) Reset() {
	p.arena = keep(p.arena, arenaMax)
	p.members = keep(p.members, chunkMax)
	p.texts = keep(p.texts, chunkMax)
	p.amounts = keep(p.amounts, chunkMax)
	p.values = keep(p.values, chunkMax)
	p.scratch = keep(p.scratch, arenaMax)
	p.spans = p.spans[:0]
	p.s = ""
	Poison(p.arena)
	Poison(p.scratch)
}

func keep[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s) // release the input
	return s[:0]
}

// push appends v to the open list s[start:]. When a chunk is full, push moves the open
// list to a new one, because others hold parts of the full chunk.
func push[T any](s []T, start int, v T) ([]T, int) {
	if len(s) == cap(s) {
		size := max(chunkFirst, min(2*cap(s), chunkMax), 2*(len(s)-start))
		next := make([]T, len(s)-start, size)
		copy(next, s[start:])
		s, start = next, 0
	}
	return append(s, v), start
}

// reserve ensures capacity for n bytes in the arena.
func (p *Parser) reserve(n int) {
	if cap(p.arena)-len(p.arena) < n {
		p.arena = make([]byte, 0, max(n, arenaFirst, min(2*cap(p.arena), arenaMax)))
	}
}

// Object parses b, which must be one JSON object.
func (p *Parser) Object(b []byte, lim Limits) (Object, error) {
	o, err := p.objectOf(aliasString(b), lim)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (p *Parser) objectOf(s string, lim Limits) (Object, *FieldError) {
	i := p.begin(s, lim)
	if i >= len(p.s) || p.s[i] != '{' {
		return nil, p.fault(i, "an object is expected")
	}
	o, i, err := p.object(i, 1)
	if err == nil {
		err = p.end(i)
	}
	return o, err
}

// Value parses b, which must be one JSON value.
func (p *Parser) Value(b []byte, lim Limits) (Value, error) {
	v, err := p.valueOf(aliasString(b), lim)
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

func (p *Parser) valueOf(s string, lim Limits) (Value, *FieldError) {
	v, i, err := p.value(p.begin(s, lim), 1)
	if err == nil {
		err = p.end(i)
	}
	return v, err
}

// Each calls yield with each element of a top-level array, as raw JSON with correct
// grammar. Whoever parses the element checks its limits. The first error of yield ends
// the walk and is returned. A fault later in the text is found after elements were
// yielded.
func (p *Parser) Each(b []byte, lim Limits, yield func(i int, raw []byte) error) error {
	s := aliasString(b)
	i := p.begin(s, lim)
	if i >= len(s) || s[i] != '[' {
		return p.fault(i, "an array is expected")
	}
	if i = skipSpace(s, i+1); i < len(s) && s[i] == ']' {
		return p.asError(p.end(i + 1))
	}
	for n := 0; ; n++ {
		i = skipSpace(s, i)
		end := skipValue(s, i, 1)
		if end < 0 {
			return &FieldError{Index: n, Msg: "invalid JSON in the element at byte " + strconv.Itoa(i)}
		}
		if err := yield(n, b[i:end:end]); err != nil {
			return err
		}
		p.s = s // yield may have used the Parser
		if i = skipSpace(s, end); i >= len(s) || s[i] != ',' && s[i] != ']' {
			return p.fault(i, "a comma or ] is expected")
		}
		if s[i] == ']' {
			return p.asError(p.end(i + 1))
		}
		i++
	}
}

// asError keeps a nil *FieldError from becoming a non-nil error.
func (p *Parser) asError(err *FieldError) error {
	if err == nil {
		return nil
	}
	return err
}

// begin makes s the input and returns where its value begins.
func (p *Parser) begin(s string, lim Limits) int {
	p.s, p.lim = s, lim.orDefault()
	p.spans = p.spans[:0]
	return skipSpace(s, len(s)-len(strings.TrimPrefix(s, "\uFEFF")))
}

// end checks that nothing follows position i.
func (p *Parser) end(i int) *FieldError {
	if i = skipSpace(p.s, i); i < len(p.s) {
		return p.fault(i, "nothing may follow the value")
	}
	return nil
}

// invalidAt begins the message of a fault that has a place.
const invalidAt = "invalid JSON at byte "

func (p *Parser) fault(i int, msg string) *FieldError {
	if i < 0 || i >= len(p.s) {
		return &FieldError{Index: -1, Msg: "invalid JSON: ends too early: " + msg}
	}
	return &FieldError{Index: -1, Msg: invalidAt + strconv.Itoa(i) + ": " + msg}
}

func tooMuch(msg string, most int, unit string) *FieldError {
	return &FieldError{Index: -1, Msg: msg + " at most " + strconv.Itoa(most) + " " + unit}
}

// within adds to the path the key under which the fault was found.
func (e *FieldError) within(key string) *FieldError {
	if e.Field == "" {
		e.Field = strings.Clone(key)
	} else {
		e.Field = key + "." + e.Field
	}
	return e
}

// object parses the object at i into members. Arrays and objects inside it become their
// text.
func (p *Parser) object(i, depth int) (Object, int, *FieldError) {
	if depth > p.lim.Depth {
		return nil, i, tooMuch("nested", p.lim.Depth, "deep")
	}
	start := len(p.members)
	var looks uint64
	if i = skipSpace(p.s, i+1); i < len(p.s) && p.s[i] == '}' {
		return Object{}, i + 1, nil
	}
	for {
		key, next, err := p.key(i)
		if err != nil {
			return nil, next, err
		}
		v, next, err := p.value(next, depth+1)
		if err != nil {
			return nil, next, err.within(key)
		}
		at := len(p.members)
		if look := lookOf(key); looks&look != 0 {
			for at = start; at < len(p.members) && p.members[at].Key != key; at++ {
			}
		} else {
			looks |= look
		}
		if at < len(p.members) {
			p.members[at].Value = v
		} else {
			if at-start >= p.lim.Members {
				return nil, next, tooMuch("has", p.lim.Members, "keys")
			}
			p.members, start = push(p.members, start, Member{key, v})
		}
		var closed bool
		if i, closed, err = p.separator(next, '}'); err != nil {
			return nil, i, err
		}
		if closed {
			n := len(p.members)
			return Object(p.members[start:n:n]), i, nil
		}
	}
}

// lookOf returns one of 64 bits for a key. Keys with different bits are different.
func lookOf(key string) uint64 {
	if key == "" {
		return 1
	}
	return 1 << ((uint(key[0])*31 + uint(key[len(key)-1])*7 + uint(key[len(key)/2])*3 + uint(len(key))) & 63)
}

// separator reads the comma, or the closing bracket, after a member or an element, and
// the white space that follows.
func (p *Parser) separator(i int, closing byte) (next int, closed bool, err *FieldError) {
	s := p.s
	if i >= len(s) || s[i] != ',' && s[i] != closing {
		if i = skipSpace(s, i); i >= len(s) || s[i] != ',' && s[i] != closing {
			return i, false, p.fault(i, "a comma or "+string(rune(closing))+" is expected")
		}
	}
	if s[i] == closing {
		return i + 1, true, nil
	}
	return skipSpace(s, i+1), false, nil
}

// key parses the key at i and the colon after it. next is where the value may begin.
func (p *Parser) key(i int) (key string, next int, err *FieldError) {
	s := p.s
	if i >= len(s) || s[i] != '"' {
		return "", i, p.fault(i, "a key is expected")
	}
	if key, next, err = p.text(i, p.lim.KeyBytes, "a key has"); err != nil {
		return "", next, err
	}
	if next >= len(s) || s[next] != ':' {
		if next = skipSpace(s, next); next >= len(s) || s[next] != ':' {
			return "", next, p.fault(next, "a colon is expected")
		}
	}
	return key, next + 1, nil
}

// text parses the string at i, of at most most bytes.
func (p *Parser) text(i, most int, what string) (text string, next int, err *FieldError) {
	end, plain := stringEnd(p.s, i+1)
	if end < 0 {
		return "", i, p.fault(i, "not a string")
	}
	text = p.s[i+1 : end]
	if !plain {
		n := len(text)
		if !utf8.ValidString(text) {
			n *= len("\uFFFD")
		}
		p.reserve(n)
		at := len(p.arena)
		p.arena = appendUnquoted(p.arena, text)
		text = aliasString(p.arena[at:len(p.arena):len(p.arena)])
	}
	if len(text) > most {
		return "", i, tooMuch(what, most, "bytes")
	}
	return text, end + 1, nil
}

// value parses the value at i. depth is that of an array or object there.
func (p *Parser) value(i, depth int) (Value, int, *FieldError) {
	s := p.s
	if i = skipSpace(s, i); i >= len(s) {
		return Value{}, i, p.fault(i, "a value is expected")
	}
	switch c := s[i]; {
	case c == '"':
		text, next, err := p.text(i, p.lim.StringBytes, "a string has")
		return Value{String, text}, next, err
	case c == '{' || c == '[':
		if end := p.known(i, depth); end >= 0 {
			return Value{JSON, s[i:end]}, end, nil
		}
		p.spans = p.spans[:0]
		if end := p.compacted(i, depth); end >= 0 {
			p.skeletons.Learn(s[i:end], func([]Span) bounded { return bounded{p.lim, depth} })
			return Value{JSON, s[i:end]}, end, nil
		}
		p.spans = p.spans[:0]
		dst, next, err := p.compact(p.scratch[:0], i, depth)
		p.scratch = dst
		if err != nil {
			return Value{}, next, err
		}
		p.reserve(len(dst))
		at := len(p.arena)
		p.arena = append(p.arena, dst...)
		return Value{JSON, aliasString(p.arena[at:len(p.arena):len(p.arena)])}, next, nil
	default:
		return p.atom(i)
	}
}

// atom parses the number, true, false or null at i.
func (p *Parser) atom(i int) (Value, int, *FieldError) {
	s := p.s
	if c := s[i]; c == '-' || c >= '0' && c <= '9' {
		end := numberEnd(s, i)
		if end < 0 {
			return Value{}, i, p.fault(i, "not a number")
		}
		text := s[i:end]
		if len(text) > p.lim.StringBytes {
			return Value{}, i, tooMuch("a number has", p.lim.StringBytes, "bytes")
		}
		if !inRange(text) {
			return Value{}, i, &FieldError{Index: -1, Msg: "the number is out of range"}
		}
		return Value{Number, text}, end, nil
	}
	v, end := literal(s, i)
	if end < 0 {
		return Value{}, i, p.fault(i, "a value is expected")
	}
	return v, end, nil
}

// inRange reports whether a number fits a float64: it is not infinite, and its exponent
// is not below that of the smallest one.
func inRange(number string) bool {
	e := -1
	for i := range len(number) {
		if number[i]|0x20 == 'e' {
			e = i
			break
		}
	}
	if e < 0 && len(number) <= 308 {
		return true
	}
	if e >= 0 {
		if n, err := strconv.Atoi(number[e+1:]); err != nil || n < -324 || n > 324 {
			return false
		}
	}
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}
