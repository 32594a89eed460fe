package httpd

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
)

// This file names each request, so that an answer, its line in the log and the log of a proxy
// can be matched. The id is in the answer's X-Request-Id.

// requestIDHeader is canonical, so fasthttp takes it as it is.
var requestIDHeader = []byte("X-Request-Id")

// requestIDMax is how long the id of a proxy may be.
const requestIDMax = 64

// requestIDs makes ids of 16 hex digits. No id comes twice in one process. Two processes begin
// at different places.
type requestIDs struct {
	start uint64
	n     atomic.Uint64
}

func newRequestIDs() *requestIDs {
	var b [8]byte
	rand.Read(b[:]) // it never fails
	return &requestIDs{start: binary.LittleEndian.Uint64(b[:])}
}

// append appends a new id to dst.
func (r *requestIDs) append(dst []byte) []byte {
	// The mixing of splitmix64 maps no two numbers to the same one.
	n := r.start + r.n.Add(1)
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	n ^= n >> 31
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

// plainID says whether the id of a proxy can be used as it is: letters, digits and -_.:=+/
// alone, which need no quotes anywhere.
func plainID(id []byte) bool {
	if len(id) == 0 || len(id) > requestIDMax {
		return false
	}
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// name gives the request its id: that of a trusted proxy if it is plain, else a new one. The
// bytes belong to the exchange.
func (x *exchange) name() {
	if len(x.sites.proxies) > 0 && x.forwarded() {
		if id := x.ctx.Request.Header.PeekBytes(requestIDHeader); plainID(id) {
			x.id = append(x.id[:0], id...)
			return
		}
	}
	x.id = x.s.ids.append(x.id[:0])
}
