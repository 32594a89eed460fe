package wire

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// FuzzChunked feeds the reader of bodies through a pipe: it never panics, and never returns
// more than was sent.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n"))
	f.Add([]byte("ffffffff\r\nhello"))
	f.Fuzz(func(t *testing.T, in []byte) {
		g := NewGate(1<<20, 1, &Budget{})
		g.Refused = func(string) {}
		g.budget.left.Store(1 << 20)
		client, server := net.Pipe()
		go func() {
			client.Write(in)
			client.Close()
		}()
		c := newConn(server, g, netip.Addr{})
		c.body.reset(&head{chunked: true})
		out := &Buffer{Budget: g.budget}
		err := c.ReadAll(out, 1<<16)
		if len(out.B) > len(in) {
			t.Fatalf("%d bytes out of %d", len(out.B), len(in))
		}
		if err == nil && !c.body.done {
			t.Fatal("no error and not done")
		}
		if err != nil && !slices.Contains([]error{ErrBodySlow, ErrBodyTorn, ErrBodyChunk, ErrBodyLarge}, err) {
			t.Fatalf("%v", err)
		}
		server.Close()
	})
}
