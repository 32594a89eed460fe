package httpd

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cairn/http/wire"
)

// second is a request that is answered 200. Tests send it after another request: it is
// answered if the server has found where the first one ends.
const second = "GET /healthz HTTP/1.1\r\nHost: second\r\n\r\n"

// TestFraming sends byte streams that two readers of HTTP may understand differently. Each
// gets one 400 and the end: nothing after the broken request may be answered.
func TestFraming(t *testing.T) {
	const h = "Host: a\r\n"
	const chunk = "4\r\n{\"a\"\r\n0\r\n\r\n"
	tests := []struct {
		name, in string
		status   int
	}{
		{"CL and TE", "POST /api/v1/events HTTP/1.1\r\n" + h + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, 400},
		{"TE and CL", "POST /api/v1/events HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk, 400},
		{"two CL", "POST / HTTP/1.1\r\n" + h + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
		{"two equal CL", "POST / HTTP/1.1\r\n" + h + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400},
		{"CL list", "POST / HTTP/1.1\r\n" + h + "Content-Length: 4, 4\r\n\r\nabcd", 400},
		{"CL plus", "POST / HTTP/1.1\r\n" + h + "Content-Length: +4\r\n\r\nabcd", 400},
		{"CL minus", "POST / HTTP/1.1\r\n" + h + "Content-Length: -4\r\n\r\nabcd", 400},
		{"CL hex", "POST / HTTP/1.1\r\n" + h + "Content-Length: 0x4\r\n\r\nabcd", 400},
		{"CL empty", "POST / HTTP/1.1\r\n" + h + "Content-Length: \r\n\r\n", 400},
		{"CL space inside", "POST / HTTP/1.1\r\n" + h + "Content-Length: 4 4\r\n\r\nabcd", 400},
		{"CL overflow", "POST / HTTP/1.1\r\n" + h + "Content-Length: 18446744073709551620\r\n\r\nabcd", 400},
		{"CL long zeros", "POST / HTTP/1.1\r\n" + h + "Content-Length: " + strings.Repeat("0", 40) + "4\r\n\r\nabcd", 400},
		{"TE gzip, chunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk, 400},
		{"TE chunked, chunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, chunked\r\n\r\n" + chunk, 400},
		{"TE twice", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, 400},
		{"TE identity", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: identity\r\n\r\n", 400},
		{"TE xchunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: xchunked\r\n\r\n" + chunk, 400},
		{"TE vertical tab", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: \vchunked\r\n\r\n" + chunk, 400},
		{"TE quoted", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: \"chunked\"\r\n\r\n" + chunk, 400},
		{"TE in HTTP/1.0", "POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n" + chunk, 400},
		{"space before colon", "POST / HTTP/1.1\r\n" + h + "Content-Length : 4\r\n\r\nabcd", 400},
		{"tab before colon", "GET / HTTP/1.1\r\n" + h + "X-A\t: 4\r\n\r\n", 400},
		{"space before name", "GET / HTTP/1.1\r\n X-A: 4\r\n" + h + "\r\n", 400},
		{"obs-fold", "GET / HTTP/1.1\r\n" + h + "X-A: b\r\n c\r\n\r\n", 400},
		{"obs-fold tab", "GET / HTTP/1.1\r\n" + h + "X-A: b\r\n\tc\r\n\r\n", 400},
		{"obs-fold of TE", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunk, 400},
		{"no colon", "GET / HTTP/1.1\r\n" + h + "X-A\r\n\r\n", 400},
		{"no name", "GET / HTTP/1.1\r\n" + h + ": b\r\n\r\n", 400},
		{"bare LF line", "GET / HTTP/1.1\n" + h + "\r\n", 400},
		{"bare LF header", "GET / HTTP/1.1\r\nHost: a\nX-B: c\r\n\r\n", 400},
		{"bare LF end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		{"bare CR in value", "GET / HTTP/1.1\r\n" + h + "X-A: b\rc\r\n\r\n", 400},
		{"CR CR LF", "GET / HTTP/1.1\r\n" + h + "X-A: b\r\r\n\r\n", 400},
		{"NUL in value", "GET / HTTP/1.1\r\n" + h + "X-A: b\x00c\r\n\r\n", 400},
		{"NUL in name", "GET / HTTP/1.1\r\n" + h + "X\x00A: b\r\n\r\n", 400},
		{"NUL in target", "GET /\x00 HTTP/1.1\r\n" + h + "\r\n", 400},
		{"DEL in value", "GET / HTTP/1.1\r\n" + h + "X-A: \x7f\r\n\r\n", 400},
		{"high byte in name", "GET / HTTP/1.1\r\n" + h + "X-\xe9: b\r\n\r\n", 400},
		{"no Host", "GET / HTTP/1.1\r\nX-A: b\r\n\r\n", 400},
		{"two Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"two equal Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"Host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\n" + h + "\r\n", 400},
		{"space in target", "GET /a b HTTP/1.1\r\n" + h + "\r\n", 400},
		{"no version", "GET /\r\n" + h + "\r\n", 400},
		{"HTTP/0.9", "GET / HTTP/0.9\r\n" + h + "\r\n", 400},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + h + "\r\n", 400},
		{"lower-case version", "GET / http/1.1\r\n" + h + "\r\n", 400},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		{"TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		{"absolute form without Host", "GET http://a/healthz HTTP/1.1\r\n\r\n", 400},
		{"absolute form, two Host", "GET http://a/healthz HTTP/1.1\r\n" + h + h + "\r\n", 400},
		{"absolute form, no authority", "GET http:///healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"absolute form, nothing", "GET http:// HTTP/1.1\r\n" + h + "\r\n", 400},
		{"absolute form, userinfo", "GET http://u:p@a/healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"absolute form, fragment", "GET http://a#/healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"absolute form, backslash", "GET http://a\\healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"another scheme", "GET ftp://a/healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"no scheme", "GET ://a/healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"authority form", "CONNECT evil:443 HTTP/1.1\r\n" + h + "\r\n", 400},
		{"relative target", "GET healthz HTTP/1.1\r\n" + h + "\r\n", 400},
		{"method not a token", "GE(T / HTTP/1.1\r\n" + h + "\r\n", 400},
		{"three empty lines", "\r\n\r\n\r\n" + second, 400},
		{"unknown expectation", "POST / HTTP/1.1\r\n" + h + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417},
		{"long request line", "GET /" + strings.Repeat("a", wire.LineBytesMax) + " HTTP/1.1\r\n" + h + "\r\n", 414},
		{"request line without end", "GET /" + strings.Repeat("a", wire.LineBytesMax+2048), 414},
		{"header lines too long", "GET / HTTP/1.1\r\n" + h + "X-A: " + strings.Repeat("a", wire.HeaderBytesMax) + "\r\n\r\n", 431},
		{"header without end", "GET / HTTP/1.1\r\n" + h + "X-A: " + strings.Repeat("a", wire.HeaderBytesMax), 431},
		{"101 header lines", "GET / HTTP/1.1\r\n" + h + strings.Repeat("X-A: b\r\n", wire.HeaderLinesMax) + "\r\n", 431},
	}
	s := start(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, closed := s.raw(test.in+second, 2*time.Second)
			if want := fmt.Sprintf("HTTP/1.1 %d ", test.status); !strings.HasPrefix(got, want) {
				t.Fatalf("got %.200q, want %s", got, want)
			}
			if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers: %q", n, got)
			}
			if !strings.Contains(got, "\r\nConnection: close\r\n") || !closed {
				t.Errorf("not closed: %q", got)
			}
			if !strings.Contains(got, fmt.Sprintf(`"status":%d}`, test.status)) {
				t.Errorf("not the error's shape: %q", got)
			}
		})
	}
	if n := s.engine.count(); n > 0 {
		t.Errorf("%d events were stored", n)
	}
}

// TestFramingChunks is the same for the framing of chunked bodies.
func TestFramingChunks(t *testing.T) {
	const event = `{"name":"a"}`
	const good = "c\r\n" + event + "\r\n0\r\n\r\n"
	tests := []struct {
		name, body string
		status     int
	}{
		{"one chunk", good, 200},
		{"upper-case size", "C\r\n" + event + "\r\n0\r\n\r\n", 200},
		{"leading zeros", "00c\r\n" + event + "\r\n000\r\n\r\n", 200},
		{"many chunks", "1\r\n{\r\nb\r\n\"name\":\"a\"}\r\n0\r\n\r\n", 200},
		{"extension", "c;a=b\r\n" + event + "\r\n0;c\r\n\r\n", 200},
		{"trailer", "c\r\n" + event + "\r\n0\r\nX-Sum: 1\r\n\r\n", 200},
		{"size with plus", "+c\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"size with minus", "-c\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"size with 0x", "0xc\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"no size", "\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"size with space", "c \r\n" + event + "\r\n0\r\n\r\n", 400},
		{"size overflow", "10000000000000000c\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"nine digits", "00000000c\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"LF after size", "c\n" + event + "\r\n0\r\n\r\n", 400},
		{"LF in extension", "c;a\nb\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"CR in extension", "c;a\rb\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"long extension", "c;" + strings.Repeat("a", 300) + "\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"endless extensions", strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\n \r\n", 40), 400},
		{"LF after chunk", "c\r\n" + event + "\n0\r\n\r\n", 400},
		{"chunk too long", "c\r\n" + event + "x\r\n0\r\n\r\n", 400},
		{"chunk too short", "d\r\n" + event + "\r\n0\r\n\r\n", 400},
		{"LF at end", "c\r\n" + event + "\r\n0\r\n\n", 400},
		{"framing in trailer", "c\r\n" + event + "\r\n0\r\nContent-Length: 5\r\n\r\n", 400},
		{"TE in trailer", "c\r\n" + event + "\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"folded trailer", "c\r\n" + event + "\r\n0\r\nX-A: b\r\n c\r\n\r\n", 400},
		{"endless trailers", "c\r\n" + event + "\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 1000) + "\r\n", 400},
	}
	s := start(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := s.engine.count()
			in := "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n" + secret + "\r\nTransfer-Encoding: chunked\r\n\r\n" + test.body
			wait := 2 * time.Second
			if test.status == 200 {
				in += strings.Replace(second, "\r\n", "\r\nConnection: close\r\n", 1)
			} else {
				in += second
			}
			got, closed := s.raw(in, wait)
			if want := fmt.Sprintf("HTTP/1.1 %d ", test.status); !strings.HasPrefix(got, want) || !closed {
				t.Fatalf("got %.300q (closed %v), want %s", got, closed, want)
			}
			answers, stored := strings.Count(got, "HTTP/1.1 "), s.engine.count()-before
			if test.status == 200 && (answers != 2 || stored != 1) || test.status != 200 && (answers != 1 || stored != 0) {
				t.Errorf("%d answers, %d stored: %q", answers, stored, got)
			}
		})
	}
}

// TestFramingGood sends what must be accepted.
func TestFramingGood(t *testing.T) {
	s := start(t, nil)
	long := strings.Repeat("a", wire.LineBytesMax-100)
	for name, in := range map[string]string{
		"plain":                 "GET /healthz HTTP/1.1\r\nHost: a\r\n",
		"HTTP/1.0":              "GET /healthz HTTP/1.0\r\n",
		"one empty line before": "\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n",
		"no space after colon":  "GET /healthz HTTP/1.1\r\nHost:a\r\n",
		"upper-case names":      "GET /healthz HTTP/1.1\r\nHOST: a\r\nCONTENT-LENGTH: 0\r\n",
		"host with port":        "GET /healthz HTTP/1.1\r\nHost: a.b-c:8080\r\n",
		"host v6":               "GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n",
		"UTF-8 in value":        "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: é\r\n",
		"UTF-8 in query":        "GET /healthz?a=é HTTP/1.1\r\nHost: a\r\n",
		"empty value":           "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A:\r\n",
		"long request line":     "GET /healthz?" + long + " HTTP/1.1\r\nHost: a\r\n",
		"99 header lines":       "GET /healthz HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", wire.HeaderLinesMax-2),
		"long headers":          "GET /healthz?" + long + " HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", wire.HeaderBytesMax-100) + "\r\n",
		"absolute form":         "GET http://other.example:80/healthz HTTP/1.1\r\nHost: a\r\n",
		"absolute form v6":      "GET HTTPS://[::1]:8080//healthz?a=b HTTP/1.1\r\nHost: a\r\n",
		"absolute form, root":   "GET http://a HTTP/1.1\r\nHost: a\r\n",
		"GET with a body":       "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: b\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := ""
			if strings.Contains(name, "body") {
				body = "hello"
			}
			got, closed := s.raw(in+"Connection: close\r\n\r\n"+body, 2*time.Second)
			if !strings.HasPrefix(got, "HTTP/1.1 200 ") || !closed {
				t.Errorf("got %.200q, closed %v", got, closed)
			}
			if strings.Contains(got, "Server: cairn/") || !strings.Contains(got, "Server: cairn\r\n") {
				t.Errorf("Server header: %q", got)
			}
		})
	}
}

// TestPieces sends a pipeline of requests in pieces of every size: where a stream is cut means
// nothing.
func TestPieces(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	stream := second +
		"POST /api/v1/events HTTP/1.1\r\nHost: a\r\n" + secret + "\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}" +
		"POST /api/v1/events HTTP/1.1\r\nHost: a\r\n" + secret + "\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"name\r\n6\r\n\":\"b\"}\r\n0\r\n\r\n" +
		"\r\nGET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, size := range []int{1, 2, 3, 7, 64, 100, len(stream)} {
		before := s.engine.count()
		c := s.dial()
		go func() {
			for rest := stream; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(c, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
				if size < 64 {
					time.Sleep(50 * time.Microsecond)
				}
			}
		}()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(c)
		for i, want := range []int{200, 200, 200, 404} {
			a, err := readAnswer(r, false)
			if err != nil || a.status != want {
				t.Fatalf("pieces of %d, answer %d: %d %q %v", size, i, a.status, a.body, err)
			}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("pieces of %d: %v after the last answer", size, err)
		}
		if n := s.engine.count() - before; n != 2 {
			t.Errorf("pieces of %d: %d events", size, n)
		}
	}
}
