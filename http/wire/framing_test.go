package wire

import (
	"strings"
	"testing"
)

// FuzzHead checks three things of the reader of heads: it does not panic, it sees the same in
// one piece and byte by byte, and what it accepts has one meaning to a reader that knows
// nothing but lines.
func FuzzHead(f *testing.F) {
	f.Add([]byte("GET /healthz HTTP/1.1\r\nHost: second\r\n\r\n"))
	f.Add([]byte("\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\nHost: a\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var once head
		wholeBuf := append([]byte(nil), in...)
		whole, no := once.scan(wholeBuf)

		var pieces head
		buf := append([]byte(nil), in...)
		var whole2 bool
		var no2 *refusal
		for n := 1; n <= len(buf) && !whole2 && no2 == nil; n++ {
			whole2, no2 = pieces.scan(buf[:n])
		}
		if len(in) > 0 && (whole != whole2 || (no == nil) != (no2 == nil)) {
			t.Fatalf("in one piece %v %v, in bytes %v %v", whole, no, whole2, no2)
		}
		if !whole || no != nil {
			return
		}
		text := string(in[once.start:once.pos])
		if !strings.HasSuffix(text, "\r\n\r\n") || strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Count(text, "\r") != strings.Count(text, "\r\n") {
			t.Fatalf("accepted line ends of %q", text)
		}
		if strings.ContainsAny(text, "\x00\x7f") || strings.Contains(text, "\n ") || strings.Contains(text, "\n\t") {
			t.Fatalf("accepted %q", text)
		}
		lower := strings.ToLower(text)
		if n := strings.Count(lower, "\ncontent-length:"); n > 1 || n == 1 && strings.Contains(lower, "\ntransfer-encoding:") {
			t.Fatalf("ambiguous: %q", text)
		}
		if strings.Count(lower, "\nhost:") > 1 {
			t.Fatalf("two hosts: %q", text)
		}
		if seen := strings.ToLower(string(wholeBuf[:once.pos])); strings.Contains(seen, "\ncontent-length:") || strings.Contains(seen, "\ntransfer-encoding:") {
			t.Fatalf("fasthttp would see framing: %q", seen)
		}
	})
}

// BenchmarkHead is the strict reading of a head alone.
func BenchmarkHead(b *testing.B) {
	in := []byte("POST /api/v1/events HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nAccept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\n" +
		"Authorization: Bearer shop-secret" + "\r\nContent-Type: application/json\r\nContent-Length: 350\r\nOrigin: https://shop.example\r\n\r\n")
	buf := make([]byte, len(in))
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		copy(buf, in)
		var h head
		if whole, no := h.scan(buf); !whole || no != nil {
			b.Fatal(no)
		}
	}
}
