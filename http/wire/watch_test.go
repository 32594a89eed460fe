package wire

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// watched is a connection of a server, and its client.
func watched(t *testing.T) (c *Conn, client net.Conn) {
	t.Helper()
	g := NewGate(1<<20, 1, &Budget{})
	g.Refused = func(string) {}
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	return newConn(server, g, netip.Addr{}), client
}

// A client that goes away is noticed while nothing is written.
func TestWatchNoticesTheEnd(t *testing.T) {
	c, client := watched(t)
	gone := make(chan struct{})
	stop := c.Watch(func() { close(gone) })
	client.Close()
	<-gone
	stop()
}

// A watch that is stopped leaves the connection as it was: what the client has sent meanwhile is
// its next request, and the deadlines are those of requests again.
func TestWatchKeepsWhatIsSent(t *testing.T) {
	for _, early := range []bool{true, false} {
		c, client := watched(t)
		stop := c.Watch(func() { t.Error("the client is there") })
		const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		sent := make(chan error, 1)
		send := func() {
			_, err := client.Write([]byte(request))
			sent <- err
		}
		if early {
			send()
		}
		stop()
		if !early {
			go send()
		}
		head := make([]byte, len(request))
		n, err := c.Read(head)
		if err != nil || string(head[:n]) != request {
			t.Errorf("early %t: read %q, %v", early, head[:n], err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
}

// A connection that was waited for on deadlines before is watched for as long as it takes.
func TestWatchOutlivesDeadlines(t *testing.T) {
	c, client := watched(t)
	c.readWithin(time.Now().Add(-time.Minute), time.Second) // it is over
	gone := make(chan struct{})
	stop := c.Watch(func() { close(gone) })
	client.Close()
	<-gone
	stop()
}
