package httpd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// flood is the loop of a benchmark of a server on a real store: each request of events
// events is sent over one of the connections, and answered when it is fsynced.
func (s *testServer) flood(b *testing.B, connections, events int, request func(n uint64) string) {
	var next atomic.Uint64
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range connections {
		c := s.dial()
		wg.Go(func() {
			r := bufio.NewReader(c)
			for left.Add(-1) >= 0 {
				if err := roundTrip(c, r, request(next.Add(1))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

// roundTrip sends one request and reads its answer, which is a 2xx.
func roundTrip(c net.Conn, r *bufio.Reader, request string) error {
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	n := 0
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if first && !strings.HasPrefix(line, "HTTP/1.1 20") {
			return fmt.Errorf("%s", line)
		}
		if length, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			fmt.Sscan(length, &n)
		}
		if line == "\r\n" {
			_, err := r.Discard(n)
			return err
		}
	}
}
