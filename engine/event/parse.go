package event

import "errors"

// Limits bound what a Parser takes. A zero field is that of DefaultLimits.
type Limits struct {
	Depth       int // arrays and objects open at once, the outermost included
	Members     int // keys of one object
	KeyBytes    int // of one key
	StringBytes int // of one string or number
}

// DefaultLimits are the native dialect's.
var DefaultLimits = Limits{Depth: 32, Members: 256, KeyBytes: 128, StringBytes: 32768}

// Parser reads strict JSON. Results alias the input or the parser's memory and
// are valid until Reset: many parses may live side by side in one Parser.
type Parser struct {
	arena []byte
}

var errNotYet = errors.New("not yet")

// Reset forgets all results and keeps the memory.
func (p *Parser) Reset() { p.arena = p.arena[:0] }

// Object parses b, which must be one JSON object and nothing else.
func (p *Parser) Object(b []byte, lim Limits) (Object, error) { return nil, errNotYet }

// Value parses b, which must be one JSON value and nothing else.
func (p *Parser) Value(b []byte, lim Limits) (Value, error) { return Value{}, errNotYet }

// Each calls yield with each element of a top-level array, as raw JSON.
func (p *Parser) Each(b []byte, lim Limits, yield func(i int, raw []byte) error) error {
	return errNotYet
}

// Event parses one event of the native API.
func (p *Parser) Event(b []byte, e *Event) error { return errNotYet }

// Object opens a value that is a JSON object.
func (v Value) Object(p *Parser) (Object, error) { return p.Object([]byte(v.Text), Limits{}) }

// Array opens a value that is a JSON array.
func (v Value) Array(p *Parser) ([]Value, error) { return nil, errNotYet }

// GetPath returns the value at a dotted path; Absent when there is none.
func GetPath(o Object, path string) Value { return o.Get(path) }
