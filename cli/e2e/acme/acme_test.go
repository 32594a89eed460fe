package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file runs the real program against the authority in ca_test.go.

// patience is how long something may take that the authority has a part in.
const patience = 60 * time.Second

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cairn-acme")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cairn")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// ports are free ports of this machine.
func ports(t *testing.T, n int) (free []int) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		free = append(free, ln.Addr().(*net.TCPAddr).Port)
	}
	return free
}

// server is a running cairn.
type server struct {
	*testing.T
	dir  string
	port int
	ca   *authority
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// start runs cairn, and waits until it listens.
func (s *server) start(config string) {
	s.Helper()
	exe, err := program()
	if err != nil {
		s.Fatal(err)
	}
	file := filepath.Join(s.dir, "cairn.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		s.Fatal(err)
	}
	s.log.Reset()
	s.cmd = exec.Command(exe, "serve", "-config", file, "-data", filepath.Join(s.dir, "data"))
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.until("the server listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// stop ends cairn in order.
func (s *server) stop() {
	s.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.Fatalf("%v\n%s", err, s.log.String())
	}
	s.cmd = nil
}

// until waits for something.
func (s *server) until(what string, done func() bool) {
	s.Helper()
	for began := time.Now(); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			log := "(it runs)"
			if s.cmd != nil {
				s.cmd.Process.Kill()
				s.cmd.Wait()
				log = s.log.String()
			}
			s.Fatalf("%s: not after %v\n%s", what, patience, log)
		}
	}
}

// shown is the certificate that a client gets who asks for a host; nil = none that the authority
// has issued for it.
func (s *server) shown(host string) *x509.Certificate {
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), &tls.Config{ServerName: host, RootCAs: s.ca.issues, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return nil
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		s.Errorf("protocol %q", p)
	}
	return c.ConnectionState().PeerCertificates[0]
}

// get asks for a path of a host over TLS, whatever its certificate.
func (s *server) get(path string) (status int, body string) {
	s.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), &tls.Config{InsecureSkipVerify: true})
	}}}
	res, err := client.Get("https://127.0.0.1" + path)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// reasons are those of /healthz.
func (s *server) reasons() []string {
	s.Helper()
	_, body := s.get("/healthz")
	var health struct{ Reasons []string }
	if err := json.Unmarshal([]byte(body), &health); err != nil {
		s.Fatal(err)
	}
	return health.Reasons
}

func newServer(t *testing.T) *server {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the authority")
	}
	s := &server{T: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.cmd.Process.Kill()
			s.cmd.Wait()
		}
	})
	return s
}

// An authority that asks on port 443 alone issues certificates. When it is gone, what is kept serves
// on, a host without a certificate is a trouble, and its clients are refused at once.
func TestByTLS(t *testing.T) {
	s := newServer(t)
	p := ports(t, 3)
	s.port, s.ca = p[0], newAuthority(t, p[1], p[0]) // nobody is at p[1]
	config := func(hosts string) string {
		return fmt.Sprintf("listen = \"127.0.0.1:%d\"\nacme_hosts = %s\nacme_email = \"ops@example.com\"\nacme_directory = %q\nacme_ca = %q\n", s.port, hosts, s.ca.directory, s.ca.trust)
	}
	s.start(config(`["a.example.com", "b.example.com"]`))
	for _, host := range []string{"a.example.com", "b.example.com"} {
		s.until("a certificate of "+host, func() bool { return s.shown(host) != nil })
		if _, ok := s.shown(host).PublicKey.(*ecdsa.PublicKey); !ok {
			t.Errorf("%s: no ECDSA", host)
		}
	}
	if s.shown("c.example.com") != nil {
		t.Error("a certificate of a host that is not configured")
	}
	if reasons := s.reasons(); len(reasons) != 0 {
		t.Errorf("reasons: %q", reasons)
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `cairn_certificate_end_timestamp_seconds{host="a.example.com"} `) {
		t.Errorf("no end in the metrics")
	}
	first := s.shown("a.example.com")
	files := 0
	filepath.WalkDir(filepath.Join(s.dir, "data", "acme"), func(path string, entry os.DirEntry, err error) error {
		info, _ := entry.Info()
		if mode := info.Mode().Perm(); err != nil || mode&0o077 != 0 {
			t.Errorf("%s: %v %v", path, mode, err)
		}
		if !entry.IsDir() {
			files++
		}
		return nil
	})
	if files != 3 {
		t.Errorf("%d files are kept, want the account's and one of each host", files)
	}
	s.stop()

	s.ca.server.Close()
	s.start(config(`["a.example.com", "c.example.com"]`))
	if again := s.shown("a.example.com"); again == nil || !bytes.Equal(again.Raw, first.Raw) {
		t.Error("the kept certificate is not served")
	}
	if s.shown("b.example.com") != nil {
		t.Error("the certificate of a host that is no longer configured")
	}
	if reasons := s.reasons(); len(reasons) != 1 || !strings.Contains(reasons[0], "c.example.com") {
		t.Errorf("reasons: %q", reasons)
	}
	if s.shown("c.example.com") != nil {
		t.Error("a certificate from nobody")
	}
	if status, _ := s.get("/readyz"); status != 200 {
		t.Errorf("ready: %d", status)
	}
	s.stop()
}

// An authority that asks on port 80 alone issues certificates, too. Everything else there is sent to
// TLS.
func TestByHTTP(t *testing.T) {
	s := newServer(t)
	p := ports(t, 3)
	s.port, s.ca = p[0], newAuthority(t, p[1], p[2]) // nobody is at p[2]
	s.start(fmt.Sprintf("listen = \"127.0.0.1:%d\"\nlisten_http = \"127.0.0.1:%d\"\nacme_hosts = [\"Stats.Example.com\"]\nacme_directory = %q\nacme_ca = %q\n", s.port, p[1], s.ca.directory, s.ca.trust))
	s.until("a certificate", func() bool { return s.shown("stats.example.com") != nil })

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for host, want := range map[string]string{"stats.example.com": "308 https://stats.example.com/a?b=c", "evil.example": "421 "} {
		req, err := http.NewRequest("POST", fmt.Sprintf("http://127.0.0.1:%d/a?b=c", p[1]), strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Location")); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	s.stop()
}
