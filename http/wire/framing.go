package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// This file reads a request's head strictly. fasthttp accepts what a proxy in front of it
// may read in another way (Content-Length beside Transfer-Encoding, folded headers, bare
// line feeds), and two readings of one stream let requests be smuggled. So nothing reaches
// fasthttp before this reader has found exactly one meaning in it. Bodies never reach it:
// it gets the head with its framing headers renamed, and body.go alone reads what follows.
// This reader follows every MUST of RFC 9112. Where the RFC lets a server be lenient, it
// is not.

// The limits of one head.
const (
	LineBytesMax   = 33 << 10 // request line; beyond it 414. Matomo sends long URLs
	HeaderBytesMax = 16 << 10 // header lines together; beyond it 431
	HeaderLinesMax = 100      // beyond it 431
	headBytesMax   = LineBytesMax + HeaderBytesMax + 8
)

// ReadBufferBytes is the size of a buffer that any head fits into.
const ReadBufferBytes = headBytesMax + connBytes

// refusal is the one answer to a stream that is not HTTP as this server reads it. The
// connection is closed after it, and whatever else was sent is discarded.
type refusal struct {
	status int
	reason string // for the metric and the text
}

var (
	refuseLine      = &refusal{400, "malformed request line"}
	refuseVersion   = &refusal{400, "not HTTP/1.1"}
	refuseTarget    = &refusal{400, "malformed request target"}
	refuseHeader    = &refusal{400, "malformed header line"}
	refuseNewline   = &refusal{400, "line not ended by CR LF"}
	refuseHost      = &refusal{400, "there must be one valid Host header"}
	refuseLength    = &refusal{400, "malformed Content-Length"}
	refuseEncoding  = &refusal{400, "Transfer-Encoding must be exactly chunked"}
	refuseAmbiguous = &refusal{400, "both Content-Length and Transfer-Encoding"}
	refuseLongLine  = &refusal{414, "request line too long"}
	refuseMemory    = &refusal{503, "too many long heads at once"}
	refuseLongHead  = &refusal{431, "header lines too long or too many"}
)

// head reads one request head line by line. The zero value is ready. The lines
// may arrive in any number of pieces; no byte is looked at twice.
type head struct {
	start int // of the request line, after skipped empty lines
	pos   int // of the line being read
	seen  int // no line feed between pos and here
	first int // of the first header line; 0 while the request line is read
	lines int

	http10  bool
	hosts   int
	chunked bool
	length  int64 // of the body; -1 = no Content-Length
	expect  bool  // the client waits for 100 Continue
	close   bool  // the client wants the connection closed
}

// scan goes on reading in buf, which holds everything since the start of the request and may
// have grown since the last call. It reports whether the head is whole; the head then ends
// at h.pos. It changes the names of framing headers in buf.
func (h *head) scan(buf []byte) (whole bool, no *refusal) {
	if h.pos == 0 && h.seen == 0 {
		h.length = -1
		if len(buf) > 0 && buf[0] != '\r' && !isToken[buf[0]] {
			return false, refuseLine // a TLS handshake on the plain port, or noise
		}
	}
	for {
		i := bytes.IndexByte(buf[h.seen:], '\n')
		if i < 0 {
			h.seen = len(buf)
			return false, h.tooLong(len(buf))
		}
		end := h.seen + i
		if no := h.tooLong(end); no != nil {
			return false, no
		}
		if end == h.pos || buf[end-1] != '\r' {
			return false, refuseNewline
		}
		line := buf[h.pos : end-1]
		h.pos, h.seen = end+1, end+1
		switch {
		case h.first > 0 && len(line) == 0:
			return true, h.check()
		case h.first > 0:
			h.lines++
			if h.lines > HeaderLinesMax {
				return false, refuseLongHead
			}
			no = h.header(line)
		case len(line) == 0 && h.pos <= 4:
			// Some old clients send an empty line after a body; RFC 9112 2.2 asks
			// to skip it before a request line.
			h.start = h.pos
		default:
			h.first = h.pos
			no = h.request(line)
		}
		if no != nil {
			return false, no
		}
	}
}

func (h *head) tooLong(end int) *refusal {
	if h.first == 0 {
		if end-h.start > LineBytesMax {
			return refuseLongLine
		}
	} else if end-h.first > HeaderBytesMax {
		return refuseLongHead
	}
	return nil
}

// request reads METHOD SP target SP HTTP/1.x.
func (h *head) request(line []byte) *refusal {
	n := 0
	for n < len(line) && isToken[line[n]] {
		n++
	}
	if n == 0 || n > 32 || n == len(line) || line[n] != ' ' {
		return refuseLine
	}
	method, line := line[:n], line[n+1:]
	n = 0
	for n < len(line) && isTarget[line[n]] {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ' ' {
		return refuseTarget
	}
	// A target is a path, the * of OPTIONS, or a whole url. The authority form belongs to
	// CONNECT, which nobody answers here.
	target := line[:n]
	if target[0] != '/' && !(n == 1 && target[0] == '*' && string(method) == "OPTIONS") {
		if authority, _, ok := CutAbsolute(string(target)); !ok || !ValidHost([]byte(authority)) {
			return refuseTarget
		}
	}
	switch string(line[n+1:]) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.http10 = true
	default:
		return refuseVersion
	}
	return nil
}

// CutAbsolute cuts a request target in absolute form (RFC 9112, 3.2.2) into its authority
// and what follows that: a path, a query, or nothing. It reports false for a target of any
// other form. Both results are parts of target.
func CutAbsolute(target string) (authority, rest string, ok bool) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", false
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[:i], rest[i:], true
	}
	return rest, "", true
}

// header reads one line "name: value". Framing headers are remembered and
// renamed: their first byte becomes '-', a name nobody asks for.
func (h *head) header(line []byte) *refusal {
	n := 0
	for n < len(line) && isToken[line[n]] {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return refuseHeader // also a folded line, and a space before the colon
	}
	name, value := line[:n], line[n+1:]
	for _, b := range value {
		if b < 0x20 && b != '\t' || b == 0x7f {
			return refuseHeader
		}
	}
	switch n {
	case 4:
		if equalFold(name, "host") {
			h.hosts++
			if !ValidHost(bytes.Trim(value, " \t")) {
				return refuseHost
			}
		}
	case 6:
		if equalFold(name, "expect") {
			if !equalFold(bytes.Trim(value, " \t"), "100-continue") {
				return &refusal{417, "unknown expectation"}
			}
			h.expect = true
			name[0] = '-'
		}
	case 10:
		if equalFold(name, "connection") {
			for _, option := range bytes.Split(value, []byte(",")) {
				if equalFold(bytes.Trim(option, " \t"), "close") {
					h.close = true
				}
			}
		}
	case 14:
		if equalFold(name, "content-length") {
			value = bytes.Trim(value, " \t")
			if h.length >= 0 || len(value) == 0 || len(value) > 18 {
				return refuseLength
			}
			for _, b := range value {
				if b < '0' || b > '9' {
					return refuseLength
				}
			}
			h.length, _ = strconv.ParseInt(string(value), 10, 64)
			name[0] = '-'
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			if h.chunked || !equalFold(bytes.Trim(value, " \t"), "chunked") {
				return refuseEncoding
			}
			h.chunked = true
			name[0] = '-'
		}
	}
	return nil
}

// check looks at the head as a whole.
func (h *head) check() *refusal {
	switch {
	case h.hosts > 1, h.hosts == 0 && !h.http10:
		return refuseHost
	case h.chunked && h.length >= 0:
		return refuseAmbiguous
	case h.chunked && h.http10:
		return refuseEncoding
	}
	return nil
}

// ValidHost says whether a host that a client names can be one. It takes a name or address with an optional port; empty is no host.
func ValidHost[T string | []byte](b T) bool {
	if len(b) == 0 || len(b) > 255 {
		return false
	}
	for i := range len(b) {
		c := b[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']':
		default:
			return false
		}
	}
	return true
}

// equalFold compares ASCII without case; lower must be in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// TokenByte says whether c may stand in a name such as a header's.
func TokenByte(c byte) bool { return isToken[c] }

// isToken holds the characters of RFC 9110 tokens, isTarget what a request target
// may hold: visible ASCII, and bytes of UTF-8 that old trackers leave unescaped.
var isToken, isTarget = func() (token, target [256]bool) {
	for c := byte('!'); c < 0x7f; c++ {
		target[c] = true
		token[c] = bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) < 0
	}
	for c := 0x80; c < 256; c++ {
		target[c] = true
	}
	return token, target
}()
