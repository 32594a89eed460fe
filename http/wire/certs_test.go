package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/http/testkit"

	"golang.org/x/crypto/acme/autocert"
)

// unreachable is the directory of an authority that nobody reaches.
const unreachable = "https://127.0.0.1:1/directory"

// keep puts a certificate where that of a host is kept.
func keep(t *testing.T, dir, host string) {
	certFile, keyFile := testkit.Certificate(t, t.TempDir(), host)
	var text []byte
	for _, name := range []string{keyFile, certFile} {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	cache := &certCache{dir: filepath.Join(dir, "127.0.0.1_1"), closed: new(atomic.Bool)}
	if err := cache.Put(context.Background(), host, text); err != nil {
		t.Fatal(err)
	}
}

func prepare(t *testing.T, c *Certs, o CertOptions) {
	t.Helper()
	apply, err := c.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	apply()
}

// shown is the name in the certificate that a client gets who asks for a host; "" = none.
func shown(t *testing.T, address, host string) string {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: host})
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].DNSNames[0]
}

// serveTLS accepts and shakes hands.
func serveTLS(t *testing.T, c *Certs) (address string) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := c.Listener(plain)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); c.Read(make([]byte, 1)) }()
		}
	}()
	return plain.Addr().String()
}

// The authority cannot be reached. What is kept is served, a certificate that is missing is an error
// at once, and a change of the configuration holds for the next connection.
func TestCertsWithoutAuthority(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	keep(t, dir, "kept.example")
	certFile, keyFile := testkit.Certificate(t, files, "file.example")
	certs := new(Certs)
	defer certs.Close()
	address := serveTLS(t, certs)
	if certs.On() || shown(t, address, "kept.example") != "" {
		t.Error("TLS without certificates")
	}
	acme := ACME{Hosts: []string{"missing.example", "kept.example"}, Directory: unreachable, Dir: dir, HTTP: true}
	prepare(t, certs, CertOptions{ACME: acme})
	expect := func(when string, want map[string]string) {
		t.Helper()
		for host, name := range want {
			if got := shown(t, address, host); got != name {
				t.Errorf("%s, asked for %q: %q, want %q", when, host, got, name)
			}
		}
	}
	expect("fetched alone", map[string]string{"kept.example": "kept.example", "KEPT.example": "kept.example", "missing.example": "", "other.example": "", "": "kept.example"})
	if got := certs.Missing(); len(got) != 1 || got[0] != "missing.example" {
		t.Errorf("missing: %q", got)
	}
	if terms := certs.Terms(); len(terms) != 1 || terms[0].Host != "kept.example" || time.Until(terms[0].Until) < 0 {
		t.Errorf("terms: %v", terms)
	}
	if err := certs.Fetch("missing.example"); err == nil {
		t.Error("fetched from nobody")
	}
	if err := certs.Fetch("other.example"); !errors.Is(err, ErrNoCert) {
		t.Errorf("a host that is not configured: %v", err)
	}
	for _, host := range []string{"kept.example", "other.example"} {
		if answer, ok := certs.Challenge(host, ChallengePath+"token"); ok {
			t.Errorf("a question that nobody asked: %q", answer)
		}
	}
	prepare(t, certs, CertOptions{Cert: certFile, Key: keyFile, ACME: acme})
	expect("with files", map[string]string{"kept.example": "kept.example", "missing.example": "file.example", "other.example": "file.example", "": "file.example"})
	prepare(t, certs, CertOptions{Cert: certFile, Key: keyFile})
	expect("files alone", map[string]string{"kept.example": "file.example", "": "file.example"})
	// Half-written files change nothing.
	if err := os.WriteFile(keyFile, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Prepare(CertOptions{Cert: certFile, Key: keyFile}); err == nil {
		t.Error("half a key was taken")
	}
	expect("half a key", map[string]string{"": "file.example"})
	prepare(t, certs, CertOptions{})
	if certs.On() || len(certs.Terms()) != 0 {
		t.Error("there are still certificates")
	}
}

// An authority that is not asked any more gets no request, also from what its manager does later.
func TestAuthorityClosed(t *testing.T) {
	var asked atomic.Int32
	ca := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(403) }))
	defer ca.Close()
	trust := filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, trust, ca.Certificate().Raw)
	certs := new(Certs)
	o := CertOptions{ACME: ACME{Hosts: []string{"a.example"}, Directory: ca.URL, CA: trust, Dir: t.TempDir()}}
	prepare(t, certs, o)
	old := certs.set.Load().authority
	if err := certs.Fetch("a.example"); err == nil || asked.Load() == 0 {
		t.Fatalf("%v, asked %d times", err, asked.Load())
	}
	prepare(t, certs, o)
	if certs.set.Load().authority != old || old.closed.Load() {
		t.Error("the same options began anew")
	}
	o.ACME.Hosts = []string{"b.example"}
	prepare(t, certs, o)
	before := asked.Load()
	if err := old.fetch("a.example"); err == nil || asked.Load() != before {
		t.Errorf("%v, asked %d times more", err, asked.Load()-before)
	}
	if err := old.cache.Put(context.Background(), "a.example", nil); !errors.Is(err, errClosed) {
		t.Errorf("kept: %v", err)
	}
}

// Damaged files count as none, and are for nobody else to read.
func TestCertCache(t *testing.T) {
	dir := t.TempDir()
	keep(t, dir, "a.example")
	cache := &certCache{dir: filepath.Join(dir, "127.0.0.1_1"), closed: new(atomic.Bool)}
	path := filepath.Join(cache.dir, "a.example")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v %v", info, err)
	}
	if entries, _ := os.ReadDir(cache.dir); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
	now := time.Now()
	for at, want := range map[time.Time]bool{now: true, now.Add(2 * time.Hour): false} {
		if cache.has("a.example", at) != want {
			t.Errorf("valid at %v: %v", at, !want)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, len(text) / 4, len(text) / 2, len(text) * 3 / 4} {
		if err := os.WriteFile(path, text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cache.Get(context.Background(), "a.example"); !errors.Is(err, autocert.ErrCacheMiss) || cache.has("a.example", now) {
			t.Errorf("the first %d of %d bytes: %v", n, len(text), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret+http-01"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret+http-01", "..", ".", "", "a/b", "a\x00b", ".new-1", strings.Repeat("a", 400), "nothing"} {
		if _, err := cache.Get(context.Background(), name); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("%q: %v", name, err)
		}
		if err := cache.Put(context.Background(), name, nil); name != "nothing" && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("put %q: %v", name, err)
		}
	}
	for range 2 {
		if err := cache.Delete(context.Background(), "nothing"); err != nil {
			t.Error(err)
		}
	}
}

func TestHostName(t *testing.T) {
	for text, want := range map[string]string{
		"stats.example": "stats.example", "Stats.Example": "stats.example", "bücher.example": "xn--bcher-kva.example",
		"": "", "localhost": "", "*.example.com": "", "192.0.2.1": "", "::1": "", "a.example:443": "", "a.example.": "", "a..example": "", ".a.example": "", "a b.example": "", "https://a.example": "", "a/b.example": "", "_.example\n": "",
	} {
		if got, err := HostName(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
