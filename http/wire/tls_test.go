package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificate writes a self-signed one for name.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestPairFollowsItsFiles changes the files of a certificate: the pair follows, and a
// broken pair changes nothing.
func TestPairFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, "old.example")
	now := time.Now()
	pair := &keyPair{cert: certFile, key: keyFile, now: func() time.Time { return now }}
	if err := pair.load(); err != nil {
		t.Fatal(err)
	}
	name := func() string {
		leaf, err := x509.ParseCertificate(pair.current().Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.DNSNames[0]
	}
	later := func() {
		now = now.Add(certCheck)
		for _, f := range []string{certFile, keyFile} {
			os.Chtimes(f, now, now)
		}
	}
	os.WriteFile(keyFile, []byte("half"), 0o600)
	later()
	if got := name(); got != "old.example" {
		t.Errorf("with a broken key: %s", got)
	}
	certificate(t, dir, "new.example")
	if got := name(); got != "old.example" {
		t.Errorf("before the next look: %s", got)
	}
	later()
	if got := name(); got != "new.example" {
		t.Errorf("after a change: %s", got)
	}
}
