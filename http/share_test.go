package httpd

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/http/wire"
)

// upload begins a write of Matomo's that claims a body of size bytes and sends only some of
// it. It holds memory until the server or the test ends it.
func (s *testServer) upload(address string, size, sent int) net.Conn {
	s.t.Helper()
	c := s.dial()
	fmt.Fprintf(c, "POST /matomo.php HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n", address, size)
	go io.WriteString(c, strings.Repeat(" ", sent))
	return c
}

// TestBodyShares has clients that hold memory with slow uploads: they get a share of it, and
// leave the rest to others.
func TestBodyShares(t *testing.T) {
	t.Parallel()
	s := start(t, strangers)
	total := s.budget.Available()
	settle := func(what string, held int64) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if now := total - s.budget.Available(); now >= held-64<<10 {
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s hold %d bytes, not %d", what, now, held)
			}
		}
	}
	const hit = `{"requests":["?idsite=1&rec=1&action_name=A%s"]}`
	large := fmt.Sprintf(hit, strings.Repeat("a", 20_000))
	send := func(address string) int {
		return s.send("POST", "/matomo.php", large, "X-Forwarded-For: "+address).status
	}

	for range 100 {
		s.upload("192.0.2.1", 900<<10, 500<<10)
	}
	settle("one address", total/8-600<<10)
	if held := total - s.budget.Available(); held > total/8 {
		t.Errorf("one address holds %d of %d bytes", held, total)
	}
	if got := send("192.0.2.2"); got != 200 {
		t.Errorf("another address: %d", got)
	}
	for i := range 100 {
		s.upload(fmt.Sprintf("198.51.100.%d", i), 900<<10, 500<<10)
	}
	settle("all strangers", total*3/4-600<<10)
	if held := total - s.budget.Available(); held > total*3/4+128<<10 {
		t.Errorf("strangers hold %d of %d bytes", held, total)
	}
	if a := s.post(`{"name":"` + strings.Repeat("a", 20_000) + `"}`); a.status != 200 {
		t.Errorf("a client with a key: %d %s", a.status, a.body)
	}
}

// TestBodyPace is a slow upload that holds memory: it has to become faster.
func TestBodyPace(t *testing.T) {
	t.Parallel()
	s := start(t, strangers, func(s *Server) {
		s.gate.Patience.Pace, s.gate.Patience.PaceBytes = 200*time.Millisecond, 600
	})
	c := s.upload("192.0.2.1", 200<<10, 64<<10)
	go func() {
		for { // at most 4,000 in each span, where the fourth has to bring 4,800
			if _, err := io.WriteString(c, strings.Repeat(" ", 200)); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if got, _ := readUntilClosed(c, 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 408") {
		t.Errorf("%.60q", got)
	}
}

// TestBodiesOfSmallMemory sends bodies to a server with little memory. What can never fit is
// 413, not 503.
func TestBodiesOfSmallMemory(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *Options) { o.Memory = 64 << 20; strangers(o) })
	budget := s.budget.Available()
	const lines = "Content-Type: application/x-ndjson"
	event := `{"name":"a","properties":{"p":"` + strings.Repeat("a", 4000) + `"}}` + "\n"
	body := func(bytes int) string { return strings.Repeat(event, bytes/len(event)) }
	packed := func(text string) string {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
		io.WriteString(w, text)
		w.Close()
		return b.String()
	}
	const gzipped = "Content-Encoding: gzip"
	for _, test := range []struct {
		name string
		got  parsed
		want int
	}{
		{"2 MB", s.post(body(2_000_000), lines), 413},
		{"1.9 MB", s.post(body(1_900_000), lines), 200},
		{"1.9 MB compressed", s.post(packed(body(1_900_000)), lines, gzipped), 200},
		{"2 MB compressed", s.post(packed(body(2_000_000)), lines, gzipped), 413},
		{"a bulk of 2 MB", s.send("POST", "/matomo.php", strings.Repeat(" ", 2_000_000), "X-Forwarded-For: 192.0.2.1"), 413},
		{"a bulk of 1.9 MB", s.send("POST", "/matomo.php", strings.Repeat(" ", 1_900_000), "X-Forwarded-For: 192.0.2.1"), 400},
		{"a compressed bulk of 1.4 MB", s.send("POST", "/matomo.php", packed(strings.Repeat(" ", 1_400_000)), gzipped, "X-Forwarded-For: 192.0.2.1"), 400},
		{"a compressed bulk of 1.6 MB", s.send("POST", "/matomo.php", packed(strings.Repeat(" ", 1_600_000)), gzipped, "X-Forwarded-For: 192.0.2.1"), 413},
	} {
		if test.got.status != test.want {
			t.Errorf("%s: %d %.200s, want %d", test.name, test.got.status, test.got.body, test.want)
		}
	}
	if left := s.budget.Available(); left != budget {
		t.Errorf("%d of %d bytes are left", left, budget)
	}
	// At the default, every limit is what the documentation says.
	if most := wire.NewShares(engine.PlanMemory(256<<20).Bodies).BodyMax(false, true); most < 8<<20 {
		t.Errorf("at 256 MiB a bulk may have %d bytes", most)
	}
}

// TestPanicGivesBack has the engine panic in the middle of large writes.
func TestPanicGivesBack(t *testing.T) {
	s := start(t, nil)
	budget := s.budget.Available()
	s.engine.panics = true
	body := strings.Repeat(`{"name":"a"}`+"\n", 10_000)
	for range 20 {
		if a := s.post(body, "Content-Type: application/x-ndjson"); a.status != 500 {
			t.Errorf("a panic: %d %s", a.status, a.body)
		}
	}
	for end := time.Now().Add(5 * time.Second); s.budget.Available() != budget; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d bytes are left of the budget", s.budget.Available(), budget)
		}
	}
	s.engine.panics = false
	if a := s.post(body, "Content-Type: application/x-ndjson"); a.status != 200 {
		t.Errorf("after panics: %d", a.status)
	}
}
