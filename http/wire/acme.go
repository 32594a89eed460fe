package wire

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// This file fetches certificates from an authority such as Let's Encrypt (ACME, RFC 8555) and
// renews them. Only Fetch and the renewals ask the authority, never a client's connection: a
// certificate that is not there yet is an error at once.

// ACME says for which hosts certificates are fetched, and from whom.
type ACME struct {
	Hosts     []string // as HostName returns them; empty = none are fetched
	Email     string   // the authority may warn this address; "" = none
	Directory string   // address of the authority; "" = Let's Encrypt
	CA        string   // PEM file of the roots to trust at Directory; "" = those of the system
	Dir       string   // where account and certificates are kept; it is made when needed
	HTTP      bool     // Challenge is reachable on port 80 of the hosts
	Look      bool     // use what is kept: ask nobody, renew nothing and write nothing
}

// HostsMax is how many hosts may be fetched.
const HostsMax = 100

// ChallengePath begins the paths that an authority asks for on port 80.
const ChallengePath = "/.well-known/acme-challenge/"

// challengeProto is the protocol by which an authority asks on port 443.
const challengeProto = acme.ALPNProto

// HostName is the name of a host as ACME has it: in lower case, and in ASCII. The error says why
// an authority gives no certificate for it.
func HostName(text string) (string, error) {
	name, err := idna.Lookup.ToASCII(text)
	switch _, ip := netip.ParseAddr(text); {
	case ip == nil:
		return "", fmt.Errorf("%q is an address: certificates are for names", text)
	case strings.HasPrefix(text, "*."):
		return "", fmt.Errorf("%q: list each name, since a certificate for all of them cannot be fetched this way", text)
	case err != nil || !strings.Contains(strings.Trim(name, "."), ".") || strings.Contains("."+name+".", "..") || len(name) > 253:
		return "", fmt.Errorf("%q is not the name of a host such as \"stats.example\"", text)
	}
	return name, nil
}

// DirectoryURL reads the address of an authority; "" is Let's Encrypt's.
func DirectoryURL(text string) (*url.URL, error) {
	if text == "" {
		text = autocert.DefaultACMEDirectory
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%q must be an address such as %q", text, autocert.DefaultACMEDirectory)
	}
	return u, nil
}

// authority fetches the certificates of some hosts.
type authority struct {
	options ACME
	roots   []byte // what CA holds
	ready   map[string]*atomic.Bool
	cache   *certCache
	manager *autocert.Manager
	http    http.Handler // nil = not reachable
	rounds  http.RoundTripper
	closed  atomic.Bool
}

// newAuthority is an authority for the options. It is old if that has the same ones, so that its
// renewals go on. It asks nobody yet: certificates that are kept are read.
func newAuthority(o ACME, old *authority) (*authority, error) {
	o.Hosts = slices.Clone(o.Hosts)
	a := &authority{options: o, ready: map[string]*atomic.Bool{}}
	directory, err := DirectoryURL(o.Directory)
	if err != nil {
		return nil, fmt.Errorf("acme_directory: %w", err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, IdleConnTimeout: time.Minute}
	if o.CA != "" {
		if a.roots, err = os.ReadFile(o.CA); err != nil {
			return nil, fmt.Errorf("acme_ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(a.roots) {
			return nil, fmt.Errorf("acme_ca: %s contains no certificate", o.CA)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	if old != nil && old.same(a) {
		return old, nil
	}
	// Those of another authority stay where they are: they may be of a test.
	a.cache = &certCache{dir: filepath.Join(o.Dir, strings.NewReplacer(":", "_", "[", "", "]", "").Replace(directory.Host)), closed: &a.closed}
	a.rounds = transport
	a.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      a.cache,
		HostPolicy: autocert.HostWhitelist(o.Hosts...),
		Email:      o.Email,
		Client: &acme.Client{
			DirectoryURL: directory.String(),
			UserAgent:    "cairn",
			HTTPClient:   &http.Client{Transport: a, Timeout: time.Minute},
		},
	}
	if o.HTTP {
		a.http = a.manager.HTTPHandler(http.NotFoundHandler())
	}
	a.closed.Store(o.Look)
	for _, host := range o.Hosts {
		a.ready[host] = new(atomic.Bool)
		if a.cache.has(host, time.Now()) {
			_ = a.fetch(host) // which reads it
		}
	}
	return a, nil
}

// same says whether two have the same options.
func (a *authority) same(b *authority) bool {
	x, y := a.options, b.options
	return slices.Equal(x.Hosts, y.Hosts) && x.Email == y.Email && x.Directory == y.Directory && x.CA == y.CA &&
		x.Dir == y.Dir && x.HTTP == y.HTTP && bytes.Equal(a.roots, b.roots)
}

// close ends what the manager does by itself, since it has no other end: from now on it reaches
// nobody and keeps nothing.
func (a *authority) close() { a.closed.Store(true) }

var errClosed = errors.New("the certificate of this host is no longer fetched")

// answerBytesMax bounds what an authority answers.
const answerBytesMax = 1 << 20

// RoundTrip is the way to the authority.
func (a *authority) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.closed.Load() {
		return nil, errClosed
	}
	res, err := a.rounds.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = limitedBody{io.LimitReader(res.Body, answerBytesMax), res.Body}
	return res, nil
}

type limitedBody struct {
	io.Reader
	io.Closer
}

func (a *authority) has(host string) bool { return a.ready[host] != nil }

// kept is the certificate of a host, renewed if that was needed.
func (a *authority) kept(host string) (*tls.Certificate, error) {
	if !a.ready[host].Load() {
		return nil, ErrNoCert
	}
	return a.manager.GetCertificate(asking(host))
}

// fetch gets the certificate of a host: it reads the one that is kept, or asks for one.
func (a *authority) fetch(host string) error {
	_, err := a.manager.GetCertificate(asking(host))
	if err == nil {
		a.ready[host].Store(true)
	}
	return err
}

// asking is a client that understands ECDSA, as all do that speak TLS 1.2. The manager would fetch a
// second certificate for one that says it does not.
func asking(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// answer answers what an authority asks over plain HTTP.
func (a *authority) answer(host, path string) ([]byte, bool) {
	if a.http == nil {
		return nil, false
	}
	var out heard
	a.http.ServeHTTP(&out, &http.Request{Method: http.MethodGet, Host: host, URL: &url.URL{Path: path}})
	return out.body, out.status == 0
}

// heard is an http.ResponseWriter that keeps what is written.
type heard struct {
	header http.Header
	status int // 0 = 200
	body   []byte
}

// Header implements http.ResponseWriter.
func (h *heard) Header() http.Header {
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}

// Write implements http.ResponseWriter.
func (h *heard) Write(p []byte) (int, error) {
	h.body = append(h.body, p...)
	return len(p), nil
}

// WriteHeader implements http.ResponseWriter.
func (h *heard) WriteHeader(status int) { h.status = status }
