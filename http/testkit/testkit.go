// Package testkit is what tests of several rooms of http need: bodies packed as clients
// pack them, certificates, and memory that is overwritten after use. No other code
// imports it.
package testkit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"cairn/engine/event"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Main is the body of a TestMain. It sets event.Poisoned, so that the memory of every
// request is overwritten once it is answered and nothing can point into it unnoticed.
// Benchmarks run as the server does. It does not return.
func Main(m *testing.M) {
	flag.Parse()
	event.Poisoned = flag.Lookup("test.bench").Value.String() == ""
	if event.Poisoned && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // many small servers: a fourth of the tests' time is the collector's at 100
	}
	os.Exit(m.Run())
}

// Pack encodes text as a client would. enc is "gzip", "deflate" (which is zlib), "raw"
// (deflate without zlib's frame) or "zstd"; any other leaves text as it is.
func Pack(t testing.TB, enc string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch enc {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw":
		w, err = flate.NewWriter(&b, 6)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	default:
		return text
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Certificate writes a self-signed certificate for name and its key into dir, as PEM, and
// returns the paths of the two files. It is valid for an hour.
func Certificate(t testing.TB, dir, name string) (cert, key string) {
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
