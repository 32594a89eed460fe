package httpd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cairn/http/wire"
)

// hurried makes the server wait tenths of a second where it waits seconds.
func hurried(s *Server) {
	s.gate.Patience = wire.Patience{
		Head: 200 * time.Millisecond, Idle: 400 * time.Millisecond, Write: 300 * time.Millisecond,
		Body: 900 * time.Millisecond, Pace: 200 * time.Millisecond, PaceBytes: 100,
	}
}

// TestPatience tries every way to be slow. Each connection must be closed within the time
// that its kind has, and honest ones must be answered meanwhile.
func TestPatience(t *testing.T) {
	s := start(t, nil, hurried)
	const post = "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n" + secret + "\r\n"
	drip := func(c net.Conn, text string, every time.Duration) {
		for i := range len(text) {
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
	tests := []struct {
		name   string
		send   func(net.Conn)
		within time.Duration
		status int // of the last answer; 0 = none
	}{
		{"silent", func(net.Conn) {}, 400 * time.Millisecond, 0},
		{"half a head", func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost:") }, 400 * time.Millisecond, 0},
		{"dripping head", func(c net.Conn) {
			drip(c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("a", 200), 10*time.Millisecond)
		}, 400 * time.Millisecond, 0},
		{"head after an answer", func(c net.Conn) { io.WriteString(c, second+"GET /") }, 600 * time.Millisecond, 200},
		{"idle after an answer", func(c net.Conn) { io.WriteString(c, second) }, 800 * time.Millisecond, 200},
		{"no body", func(c net.Conn) { io.WriteString(c, post+"Content-Length: 12\r\n\r\n") }, 800 * time.Millisecond, 408},
		{"half a body", func(c net.Conn) { io.WriteString(c, post+"Content-Length: 12\r\n\r\n{\"na") }, 800 * time.Millisecond, 408},
		{"dripping body", func(c net.Conn) {
			io.WriteString(c, post+"Content-Length: 1000\r\n\r\n")
			drip(c, strings.Repeat(" ", 1000), 5*time.Millisecond)
		}, 800 * time.Millisecond, 408},
		{"dripping chunks", func(c net.Conn) {
			io.WriteString(c, post+"Transfer-Encoding: chunked\r\n\r\n")
			drip(c, strings.Repeat("1\r\n \r\n", 1000), 10*time.Millisecond)
		}, 800 * time.Millisecond, 408},
		{"fast at first, for ever", func(c net.Conn) {
			io.WriteString(c, post+"Content-Length: 100000\r\n\r\n")
			for range 1000 {
				if _, err := io.WriteString(c, strings.Repeat(" ", 100)); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}, 1600 * time.Millisecond, 408},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := s.dial()
			began := time.Now()
			go test.send(c)
			got, closed := readUntilClosed(c, 5*time.Second)
			took := time.Since(began)
			// An aborted connection may end in a reset instead of an end of file.
			if took > test.within+400*time.Millisecond {
				t.Errorf("took %v, at most %v (closed %v)", took, test.within, closed)
			}
			if test.status == 0 && got != "" || test.status != 0 && !strings.HasPrefix(got[max(0, strings.LastIndex(got, "HTTP/1.1")):], fmt.Sprintf("HTTP/1.1 %d", test.status)) {
				t.Errorf("got %q", got)
			}
			if a := s.send("GET", "/healthz", ""); a.status != 200 {
				t.Errorf("an honest client got %d", a.status)
			}
		})
	}
}

// TestSlowReader has a client that asks for a large answer and never reads it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := start(t, nil, hurried)
	c := s.dial()
	c.(*net.TCPConn).SetReadBuffer(4 << 10)
	go func() {
		for range 2000 {
			if _, err := io.WriteString(c, "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	deadline := time.Now().Add(5 * time.Second)
	for s.metrics.streams.snapshot()["slow reader"] == 0 {
		if time.Now().After(deadline) {
			t.Fatal("a client that never reads is still connected")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestBodyLimits exceeds the limit of a route in every way that a body can come, and sees that
// the answer does not wait for the body.
func TestBodyLimits(t *testing.T) {
	s := start(t, nil)
	const path = "/tracking/events" // 256 KiB
	const limit = 256 << 10
	head := "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + secret + "\r\nContent-Type: application/json\r\n"
	endless := head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat(" ", 0x1000)+"\r\n", limit/0x1000+8)
	tests := []struct {
		name, in string
		status   int
	}{
		{"length over the limit", head + fmt.Sprintf("Content-Length: %d\r\n\r\n", limit+1), 413},
		{"absurd length", head + "Content-Length: 999999999999999999\r\n\r\n", 413},
		{"over the limit, expecting 100", head + fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", limit+1), 413},
		{"over the limit, sent", head + fmt.Sprintf("Content-Length: %d\r\n\r\n", limit+1) + strings.Repeat(" ", limit+1), 413},
		{"endless chunks", endless, 413},
		{"expecting 100 with a wrong key", strings.Replace(head, "shop-secret", "wrong", 1) + "Content-Length: 12\r\nExpect: 100-continue\r\n\r\n", 401},
		{"expecting 100 with an unknown encoding", head + "Content-Length: 12\r\nContent-Encoding: br\r\nExpect: 100-continue\r\n\r\n", 415},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, closed := s.raw(test.in, 3*time.Second)
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", test.status)) || strings.Count(got, "HTTP/1.1 ") != 1 {
				t.Errorf("got %.300q", got)
			}
			if !closed || !strings.Contains(got, "Connection: close") {
				t.Errorf("not closed: %.300q", got)
			}
		})
	}

	t.Run("expecting 100 within the limit", func(t *testing.T) {
		c := s.dial()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(c)
		io.WriteString(c, "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n"+secret+"\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n")
		if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%q %v", line, err)
		}
		r.ReadString('\n')
		io.WriteString(c, `{"name":"a"}`+second)
		for range 2 {
			if a, err := readAnswer(r, false); err != nil || a.status != 200 {
				t.Errorf("%d %q %v", a.status, a.body, err)
			}
		}
	})

	t.Run("an unwanted small body does not cost the connection", func(t *testing.T) {
		c := s.dial()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(c, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"+second)
		r := bufio.NewReader(c)
		for _, want := range []int{404, 200} {
			if a, err := readAnswer(r, false); err != nil || a.status != want {
				t.Errorf("%d %q %v", a.status, a.body, err)
			}
		}
	})
}

// TestBodyBudget sees that all bodies together stay within a bound.
func TestBodyBudget(t *testing.T) {
	s := start(t, nil, func(s *Server) { s.budget.Set(300 << 10) })
	body := `{"name":"` + strings.Repeat("a", 1000) + `"}`
	large := strings.Repeat(body+"\n", 400) // 400 KiB
	const lines = "Content-Type: application/x-ndjson"
	if a := s.post(large, lines); a.status != 503 || a.header["retry-after"] == "" {
		t.Errorf("over the budget: %d %v", a.status, a.header)
	}
	if a := s.post(strings.Repeat(body+"\n", 100), lines); a.status != 200 {
		t.Errorf("within the budget: %d %s", a.status, a.body)
	}
	if left := s.budget.Available(); left != 300<<10 {
		t.Errorf("%d bytes are left of the budget", left)
	}
}

// TestHeadBudget sees that all long heads together stay within a bound, and that they give
// back what they held.
func TestHeadBudget(t *testing.T) {
	const left = 1 << 20
	s := start(t, nil, func(s *Server) { s.budget.Set(left) })
	half := "GET /" + strings.Repeat("a", 30<<10)
	var stuck []net.Conn
	for range 100 {
		c := s.dial()
		io.WriteString(c, half)
		stuck = append(stuck, c)
	}
	for s.metrics.streams.snapshot()["too many long heads at once"] < 50 {
		time.Sleep(time.Millisecond)
	}
	if a := s.post(`{"name":"a"}`); a.status != 200 {
		t.Errorf("a short head among long ones: %d", a.status)
	}
	for _, c := range stuck {
		c.Close()
	}
	long := "/healthz?" + strings.Repeat("a", 30<<10)
	for deadline := time.Now().Add(5 * time.Second); s.budget.Available() != left; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of the budget are gone", left-s.budget.Available())
		}
	}
	// However much the budget has, long heads leave most of it to others.
	s.budget.Set(32 << 20)
	for range 400 {
		io.WriteString(s.dial(), half)
	}
	for end := time.Now().Add(5 * time.Second); s.budget.Available() > 25<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are left of the budget", s.budget.Available())
		}
	}
	time.Sleep(100 * time.Millisecond)
	if n := s.budget.Available(); n < 24<<20 {
		t.Errorf("long heads leave %d bytes to bodies", n)
	}
	s.gate.KillAll()
	for range 3 {
		if a := s.send("GET", long, ""); a.status != 200 {
			t.Errorf("a long head afterwards: %d", a.status)
		}
	}
}

// TestConnections opens all connections that there may be: the one that has been silent for
// longest is closed, and a new client is answered.
func TestConnections(t *testing.T) {
	s := start(t, nil, func(s *Server) { s.gate.ConnsMax = 8 })
	var silent []net.Conn
	for range 8 {
		silent = append(silent, s.dial())
		time.Sleep(2 * time.Millisecond) // so that it is clear who is silent longest
	}
	for s.gate.Size() < 8 {
		time.Sleep(time.Millisecond)
	}
	if a := s.send("GET", "/healthz", ""); a.status != 200 {
		t.Fatalf("a ninth client got %d", a.status)
	}
	if _, closed := readUntilClosed(silent[0], time.Second); !closed {
		t.Error("the longest silent connection was not closed")
	}
	if n := s.gate.Size(); n > 8 {
		t.Errorf("%d connections are open", n)
	}
	silent[7].SetDeadline(time.Now().Add(time.Second))
	io.WriteString(silent[7], second)
	if a, err := readAnswer(bufio.NewReader(silent[7]), false); err != nil || a.status != 200 {
		t.Errorf("the newest silent connection: %d %v", a.status, err)
	}
}

// TestStuckConnections opens all connections that there may be with clients that make no
// progress, in every state: none of them keeps a new client out.
func TestStuckConnections(t *testing.T) {
	t.Parallel()
	const post = "POST /api/v1/events HTTP/1.1\r\nHost: a\r\n" + secret + "\r\n"
	for name, sent := range map[string]string{
		"head":        "GET / HTTP/1.1\r\nHost:",
		"body":        post + "Content-Length: 12\r\n\r\n",
		"half a body": post + "Content-Length: 12\r\n\r\n{",
		"chunks":      post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"idle":        second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil, func(s *Server) { s.gate.ConnsMax = 8 })
			for range 8 {
				io.WriteString(s.dial(), sent)
			}
			for s.gate.Size() < 8 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond)
			for range 10 {
				if a := s.send("GET", "/healthz", ""); a.status != 200 {
					t.Fatalf("a new client got %d", a.status)
				}
			}
		})
	}
}

// TestConnectionsOfOneAddress bounds them for strangers and not for loopback.
func TestConnectionsOfOneAddress(t *testing.T) {
	few := func(o *Options) { o.IPConns = 4 }
	t.Run("stranger", func(t *testing.T) {
		s := start(t, few, func(s *Server) { s.gate.Exempt = func(netip.Addr) bool { return false } })
		for range 4 {
			s.dial()
		}
		for s.gate.Size() < 4 {
			time.Sleep(time.Millisecond)
		}
		got, closed := s.raw(second, 2*time.Second)
		if !strings.HasPrefix(got, "HTTP/1.1 429 ") || !strings.Contains(got, "Retry-After: 1\r\n") || !closed {
			t.Errorf("the fifth got %q, closed %v", got, closed)
		}
	})
	t.Run("loopback", func(t *testing.T) {
		s := start(t, few)
		for range 10 {
			s.dial()
		}
		if a := s.send("GET", "/healthz", ""); a.status != 200 {
			t.Errorf("got %d", a.status)
		}
	})
}
