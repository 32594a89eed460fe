package httpd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"cairn/http/testkit"

	"github.com/valyala/fasthttp/fasthttputil"
)

// benchEvent is a usual event: five properties, some 350 bytes.
const benchEvent = `{"type":"track","name":"Order Completed","user":"user-81723","session":"s-1f9a2c","message_id":"5f0c1a52-8d5e-4a0e-9f0e-2f4f7e0f3d11","time":"2026-11-21T10:00:00.000Z","properties":{"plan":"pro","country":"DE","product":"p-4711","order_id":"o-99187231","amount":129.9},"context":{"url":"https://shop.example/checkout","referrer":"https://example.org/"}}`

// benchServer serves in memory, so that what is measured is the server and not
// the kernel's sockets.
func benchServer(b *testing.B) *fasthttputil.InmemoryListener {
	s, err := New(Options{Engine: &fakeEngine{discard: true}, Sites: []*Site{testSite(1, "shop")}, AdminToken: "admin"})
	if err != nil {
		b.Fatal(err)
	}
	ln := fasthttputil.NewInmemoryListener()
	done := make(chan error)
	go func() { done <- s.ServeOwn(memory{ln}) }()
	b.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln
}

// memory is a listener in memory whose error, when it is closed, is the one of every other listener.
// The server would wait for another connection after any other.
type memory struct{ net.Listener }

func (m memory) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	if err != nil {
		err = net.ErrClosed
	}
	return c, err
}

// roundTrips sends the same request b.N times over one connection. The client
// allocates nothing, so what is reported is the server's.
func roundTrips(b *testing.B, c net.Conn, request string) {
	b.Helper()
	r := bufio.NewReader(c)
	in := []byte(request)
	exchangeOnce(b, c, r, in)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		exchangeOnce(b, c, r, in)
	}
}

// exchangeOnce sends a request and reads its answer, which must be a 200.
func exchangeOnce(b *testing.B, c net.Conn, r *bufio.Reader, request []byte) {
	b.Helper()
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	n := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if first && string(line) != "HTTP/1.1 200 OK\r\n" {
			b.Fatalf("%s", line)
		}
		if len(line) > 16 && strings.EqualFold(text(line[:16]), "content-length: ") {
			n = 0
			for _, d := range line[16 : len(line)-2] {
				n = n*10 + int(d-'0')
			}
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := r.Discard(n); err != nil {
		b.Fatal(err)
	}
}

func postRequest(body string, headers ...string) string {
	return fmt.Sprintf("POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n%sContent-Length: %d\r\n\r\n%s",
		secret, strings.Join(append(headers, ""), "\r\n"), len(body), body)
}

func BenchmarkPostOne(b *testing.B) {
	c, err := benchServer(b).Dial()
	if err != nil {
		b.Fatal(err)
	}
	roundTrips(b, c, postRequest(benchEvent))
}

// BenchmarkPostOneTCP is the same over a socket of the kernel.
func BenchmarkPostOneTCP(b *testing.B) {
	s := start(b, nil)
	s.engine.discard = true
	roundTrips(b, s.dial(), postRequest(benchEvent))
}

func BenchmarkPostLines(b *testing.B) {
	lines := strings.Repeat(benchEvent+"\n", 100)
	for _, enc := range []string{"identity", "gzip", "zstd"} {
		b.Run(enc, func(b *testing.B) {
			c, err := benchServer(b).Dial()
			if err != nil {
				b.Fatal(err)
			}
			roundTrips(b, c, postRequest(string(testkit.Pack(b, enc, []byte(lines))), "Content-Type: application/x-ndjson", "Content-Encoding: "+enc))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
		})
	}
}

func BenchmarkHealth(b *testing.B) {
	c, err := benchServer(b).Dial()
	if err != nil {
		b.Fatal(err)
	}
	roundTrips(b, c, second)
}
