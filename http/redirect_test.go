package httpd

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"cairn/http/wire"
)

// fetched are certificates of one host, with one question of an authority.
type fetched struct{}

func (fetched) Fetches(host string) bool { return host == "stats.example" }

func (fetched) Challenge(host, path string) ([]byte, bool) {
	return []byte("answer"), host == "stats.example" && path == wire.ChallengePath+"token"
}

// What comes over plain HTTP is sent to TLS, to a host of the configuration and nowhere else.
func TestRedirect(t *testing.T) {
	s := start(t, func(o *Options) { o.Certificates = fetched{} })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.ServeRedirect(ln)
	for _, test := range []struct {
		method, target, host string
		status               string
		location, body       string
	}{
		{"GET", "/a/b?c=d&e", "stats.example", "308", "https://stats.example/a/b?c=d&e", ""},
		{"POST", "/api/v1/events", "stats.example:80", "308", "https://stats.example/api/v1/events", ""},
		{"GET", "/", "Stats.Example.", "308", "https://stats.example/", ""},
		{"GET", "//evil.example/", "stats.example", "308", "https://stats.example//evil.example/", ""},
		{"GET", "/\\evil.example", "stats.example", "308", "https://stats.example/\\evil.example", ""},
		{"GET", "http://stats.example/a", "evil.example", "308", "https://stats.example/a", ""},
		{"GET", "http://evil.example/a", "stats.example", "421", "", ""},
		{"OPTIONS", "*", "stats.example", "308", "https://stats.example/", ""},
		{"GET", "/healthz", "stats.example", "308", "https://stats.example/healthz", ""},
		{"GET", "/", "evil.example", "421", "", ""},
		{"GET", "/", "stats.example.evil.example", "421", "", ""},
		{"GET", "/", "stats.example@evil.example", "400", "", ""},
		{"GET", "/", "127.0.0.1", "421", "", ""},
		{"GET", "/", "", "400", "", ""},
		{"GET", "/.well-known/acme-challenge/token", "stats.example", "200", "", "answer"},
		{"GET", "/.well-known/acme-challenge/token?a", "STATS.example:80", "200", "", "answer"},
		{"POST", "/.well-known/acme-challenge/token", "stats.example", "404", "", ""},
		{"GET", "/.well-known/acme-challenge/other", "stats.example", "404", "", ""},
		{"GET", "/.well-known/acme-challenge/token", "evil.example", "404", "", ""},
		{"GET", "/.well-known/acme-challenge/" + strings.Repeat("a", 600), "stats.example", "404", "", ""},
		{"GET", "/a/.well-known/acme-challenge/token", "stats.example", "308", "https://stats.example/a/.well-known/acme-challenge/token", ""},
	} {
		length := ""
		if test.method == "POST" {
			length = "Content-Length: 0\r\n"
		}
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got := exchangeOn(t, c, test.method+" "+test.target+" HTTP/1.1\r\nHost: "+test.host+"\r\n"+length+"Connection: close\r\n\r\n")
		c.Close()
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		location := ""
		for line := range strings.SplitSeq(head, "\r\n") {
			if value, ok := strings.CutPrefix(line, "Location: "); ok {
				location = value
			}
		}
		if !strings.HasPrefix(got, "HTTP/1.1 "+test.status+" ") || location != test.location || test.body != "" && body != test.body {
			t.Errorf("%s %s at %q: %.200q; want %s %s", test.method, test.target, test.host, got, test.status, test.location)
		}
	}
	// The rest of the server is not there.
	if a := s.send("GET", "/.well-known/acme-challenge/token", ""); a.status != 404 {
		t.Errorf("a challenge on the other listener: %d", a.status)
	}
}

// exchangeOn sends text and reads until the server closes.
func exchangeOn(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			return all.String()
		}
	}
}

// Clients of a unix socket are nobody on this machine: they share the limits of one address, they do
// not read the metrics, and what they forward is believed only where the configuration says so.
func TestUnixClients(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*Options)
		own     bool
		limited bool
		scheme  string
	}{
		"strangers":       {nil, false, true, "http"},
		"a trusted proxy": {func(o *Options) { o.TrustedProxies = wire.Proxies{wire.UnixPeers} }, false, false, "https"},
		"commands":        {func(o *Options) { o.TrustedProxies = wire.Proxies{wire.UnixPeers} }, true, false, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(o *Options) {
				o.IPRate, o.IPBurst = 0.001, 1
				if test.change != nil {
					test.change(o)
				}
			})
			ln, err := wire.Listen("unix:" + shortDir(t) + "/s")
			if err != nil {
				t.Fatal(err)
			}
			if test.own {
				go s.ServeOwn(ln)
			} else {
				go s.Serve(ln)
			}
			send := func(text string) string {
				c, err := net.Dial("unix", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				return exchangeOn(t, c, text)
			}
			const settings = "GET /v1/projects/shop-write/settings HTTP/1.1\r\nHost: stats.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
			if got := send(settings); !strings.Contains(got, `"protocol":"`+test.scheme+`"`) {
				t.Errorf("%s", got)
			}
			if got := send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("metrics: %.200s", got)
			}
			if got := send(settings); strings.HasPrefix(got, "HTTP/1.1 429 ") != test.limited {
				t.Errorf("limited: %.200s", got)
			}
		})
	}
}

// shortDir is a directory whose path leaves room for that of a socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
