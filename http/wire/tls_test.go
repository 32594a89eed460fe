package wire

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"cairn/http/testkit"
)

// TestPairFollowsItsFiles changes the files of a certificate: the pair follows them, and a
// broken pair changes nothing.
func TestPairFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := testkit.Certificate(t, dir, "old.example")
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
	if got := name(); got != "old.example" || pair.trouble() != "" {
		t.Errorf("with a broken key: %s %s", got, pair.trouble())
	}
	later()
	later()
	if got := pair.trouble(); !strings.Contains(got, keyFile) {
		t.Errorf("with a key that stays broken: %q", got)
	}
	testkit.Certificate(t, dir, "new.example")
	if got := name(); got != "old.example" {
		t.Errorf("before the next look: %s", got)
	}
	later()
	if got := name(); got != "new.example" {
		t.Errorf("after a change: %s", got)
	}
	if got := pair.trouble(); got != "" {
		t.Errorf("after a change: %s", got)
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	was := now // what is put back as it was is no trouble
	os.Remove(keyFile)
	for range 3 { // it is looked at each time
		later()
		name()
	}
	if got := pair.trouble(); !strings.Contains(got, keyFile) {
		t.Errorf("without a key: %q", got)
	}
	os.WriteFile(keyFile, text, 0o600)
	for _, f := range []string{certFile, keyFile} {
		os.Chtimes(f, was, was)
	}
	now = now.Add(certCheck)
	if got := pair.trouble(); got != "" {
		t.Errorf("with the files as they were: %s", got)
	}
}

// writePEM writes a certificate.
func writePEM(t *testing.T, path string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
