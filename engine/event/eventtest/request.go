// Package eventtest helps tests to find texts that outlive their request.
package eventtest

import "unsafe"

// Request is the buffer of a request, from which texts are cut without a copy.
type Request struct {
	B []byte // what has been cut so far; it does not move
}

// NewRequest makes a buffer of 4,096 bytes.
func NewRequest() *Request { return &Request{make([]byte, 0, 4096)} }

// Text returns a text that lies in the buffer.
func (r *Request) Text(s string) string {
	at := len(r.B)
	r.B = append(r.B, s...)
	return unsafe.String(&r.B[at], len(s))
}

// Over writes what another request may write into the buffer.
func (r *Request) Over() {
	for i := range r.B {
		r.B[i] = '#'
	}
}
