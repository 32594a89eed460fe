package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// This file is an authority: Let's Encrypt's test server, with a DNS in which every name is this
// machine.

// authority is an authority that runs.
type authority struct {
	directory string         // its address
	trust     string         // PEM file of the root to trust at directory
	issues    *x509.CertPool // its root of the certificates that it issues
	server    *http.Server
}

// resolver answers on one port by UDP and TCP: the authority asks by TCP.
func resolver(t *testing.T) (address string) {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(q)
		for _, question := range q.Question {
			if question.Qtype == dns.TypeA {
				answer.Answer = append(answer.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
					A:   net.IPv4(127, 0, 0, 1),
				})
			}
		}
		w.WriteMsg(answer)
	})
	for try := 0; ; try++ {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", ln.Addr().String())
		if err != nil {
			ln.Close()
			if try < 10 {
				continue // somebody has this port for UDP
			}
			t.Fatal(err)
		}
		for _, s := range []*dns.Server{{Listener: ln, Handler: handler}, {PacketConn: packets, Handler: handler}} {
			go s.ActivateAndServe()
		}
		t.Cleanup(func() { ln.Close(); packets.Close() })
		return ln.Addr().String()
	}
}

// newAuthority runs an authority that asks at these ports.
func newAuthority(t *testing.T, httpPort, tlsPort int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	validator := va.New(quiet, httpPort, tlsPort, false, resolver(t), store)
	front := wfe.New(quiet, store, validator, issuer, []string{"pebble.letsencrypt.org"}, false, false, 1, 1)

	a := &authority{issues: x509.NewCertPool(), trust: filepath.Join(t.TempDir(), "ca.pem")}
	a.issues.AddCert(issuer.GetRootCert(0).Cert)
	own, text := selfSigned(t)
	if err := os.WriteFile(a.trust, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.directory = "https://" + ln.Addr().String() + wfe.DirectoryPath
	a.server = &http.Server{Handler: front.Handler(), ErrorLog: quiet}
	go a.server.Serve(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{own}}))
	t.Cleanup(func() { a.server.Close() })
	return a
}

// selfSigned is a certificate of 127.0.0.1.
func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
