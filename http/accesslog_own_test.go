package httpd

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"cairn/http/wire"
)

// The watchdog and "cairn healthcheck" ask every few seconds: what they ask is not in the log, but for
// a bad answer. Those of other clients are.
func TestOwnChecksAreNotLogged(t *testing.T) {
	log := &syncBuffer{}
	s := start(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(log, nil)) })
	ln, err := wire.Listen("unix:" + shortDir(t) + "/s")
	if err != nil {
		t.Fatal(err)
	}
	go s.ServeOwn(ln)
	send := func(path string) {
		t.Helper()
		c, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		exchangeOn(t, c, "GET "+path+" HTTP/1.1\r\nHost: cairn\r\nConnection: close\r\n\r\n")
	}
	send("/healthz")
	send("/readyz")
	send("/nothing") // after these two
	s.send("GET", "/readyz", "")
	s.send("GET", "/nothing", "") // its line comes after that of the one before
	text := log.String()
	if n := strings.Count(text, `"path":"/nothing"`); n != 2 {
		t.Errorf("%d lines of other requests:\n%s", n, text)
	}
	if n := strings.Count(text, `"route":"/readyz"`); n != 1 || strings.Contains(text, `"route":"/healthz"`) {
		t.Errorf("%d lines of /readyz, want that of the other client:\n%s", n, text)
	}
}
