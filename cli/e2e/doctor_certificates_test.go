package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/cli"
)

// This file has certificates of files that a reload changes, and "cairn doctor" says when
// they end.

// writeCert writes a self-signed certificate of a host, and its key, and returns the names of the files.
func writeCert(t *testing.T, host string, ends time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, DNSNames: []string{host}}
	certDER, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: certDER}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestDoctorOfCertificates(t *testing.T) {
	t.Parallel()
	flags := configured(t, "log_level = \"info\"\n")
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	address := strings.TrimPrefix(s.url(), "http://")
	reload := func(cert, key string) {
		t.Helper()
		if err := os.WriteFile(flags[1], []byte("tls_cert = \""+cert+"\"\ntls_key = \""+key+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := s.cairnCommand("reload", flags...); code != cli.ExitOK || strings.Contains(out, "restart") {
			t.Fatalf("%d %s", code, out)
		}
	}
	serves := func(want string) {
		t.Helper()
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != want {
			t.Errorf("the certificate of %s, want %s", got, want)
		}
	}
	doctor := func(want string) {
		t.Helper()
		if out, _ := s.cairnCommand("doctor", flags...); !strings.Contains(out, want) || !strings.Contains(out, "ok       store       format 3, ") {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
	cert, key := writeCert(t, "one.example", time.Now().Add(90*24*time.Hour))
	reload(cert, key) // a listener without TLS has it from now on
	serves("one.example")
	doctor("ok       certificate of one.example ends ")
	cert, key = writeCert(t, "two.example", time.Now().Add(10*24*time.Hour))
	reload(cert, key)
	serves("two.example")
	doctor("warning  certificate of two.example ends ")
	if err := s.running().Stop(); err != nil {
		t.Fatal(err)
	}
	doctor("warning  certificate of two.example ends ")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	doctor("problem  certificate tls_cert, tls_key: open ")
}
