package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// The profiles are on an address of their own, for programs on this machine. A page in a
// browser whose own name means 127.0.0.1 does not get them.
func TestDebugListen(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	s := startServer(t, t.TempDir(), configured(t, fmt.Sprintf("debug_listen = %q\n", ":"+port))...)
	local := "127.0.0.1:" + port
	for _, test := range []struct {
		address, path, host string
		want                int
	}{
		{local, "/debug/pprof/", "", 200},
		{local, "/debug/pprof/heap", "localhost:" + port, 200},
		{local, "/debug/pprof/goroutine?debug=1", "", 200},
		{local, "/debug/pages", "", 200},
		{local, "/debug/pages", "evil.example", 403},
		{local, "/debug/pprof/cmdline", "evil.example:" + port, 403},
		{local, "/debug/pprof/heap", "evil.example", 403},
		{local, "/metrics", "", 404},
		{local, "/", "", 404},
		{strings.TrimPrefix(s.url(), "http://"), "/debug/pprof/", "", 404},
	} {
		req, err := http.NewRequest("GET", "http://"+test.address+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = test.host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != test.want {
			t.Errorf("%s%s for %q: %d, want %d", test.address, test.path, test.host, res.StatusCode, test.want)
		}
	}
	// Without a host it is this machine's alone.
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if a, ok := a.(*net.IPNet); ok && !a.IP.IsLoopback() && !a.IP.IsLinkLocalUnicast() {
			if c, err := net.Dial("tcp", net.JoinHostPort(a.IP.String(), port)); err == nil {
				c.Close()
				t.Errorf("%v answers", a.IP)
			}
		}
	}
}
