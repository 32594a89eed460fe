package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// This file chooses the certificate of each TLS connection, and changes all of them while the
// server runs.

// CertOptions say which certificates there are: of files, of hosts whose certificates are fetched,
// both, or none.
type CertOptions struct {
	Cert, Key string // PEM files; "" = none
	ACME      ACME
}

// Certs are the certificates of a server. The zero value has none. They can be replaced while
// connections come.
type Certs struct{ set atomic.Pointer[certSet] }

// certSet is what Certs are at a time. It does not change.
type certSet struct {
	pair      *keyPair   // of files; nil = none
	authority *authority // of fetched ones; nil = none
	config    *tls.Config
}

// ErrNoCert is the error of a connection to a host without a certificate.
var ErrNoCert = errors.New("there is no certificate for this host")

// Prepare reads the files of o and makes ready what else it takes. apply replaces the certificates
// by those. Without a call of apply nothing has changed. It must be called before another Prepare.
func (c *Certs) Prepare(o CertOptions) (apply func(), err error) {
	next := new(certSet)
	if o.Cert != "" {
		next.pair = &keyPair{cert: o.Cert, key: o.Key, now: time.Now}
		if err := next.pair.load(); err != nil {
			return nil, err
		}
	}
	before := c.set.Load()
	if len(o.ACME.Hosts) > 0 {
		var old *authority
		if before != nil {
			old = before.authority
		}
		if next.authority, err = newAuthority(o.ACME, old); err != nil {
			return nil, err
		}
	}
	if next.pair != nil || next.authority != nil {
		next.config = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"http/1.1"},
			GetCertificate: next.certificate,
		}
		if next.authority != nil {
			next.config.NextProtos = append(next.config.NextProtos, challengeProto)
		}
	}
	return func() {
		if before = c.set.Swap(next); before != nil && before.authority != nil && before.authority != next.authority {
			before.authority.close()
		}
	}, nil
}

// Close ends the fetching of certificates. Those that are there stay.
func (c *Certs) Close() {
	if set := c.set.Load(); set != nil && set.authority != nil {
		set.authority.close()
	}
}

// On says whether there is anything to make TLS with.
func (c *Certs) On() bool {
	set := c.set.Load()
	return set != nil && set.config != nil
}

// certificate is tls.Config.GetCertificate. It never waits for an authority.
func (s *certSet) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	a := s.authority
	if a != nil && a.has(name) {
		if slices.Equal(hello.SupportedProtos, []string{challengeProto}) {
			return a.manager.GetCertificate(hello)
		}
		if cert, err := a.kept(name); err == nil || s.pair == nil {
			return cert, err
		}
	}
	switch {
	case s.pair != nil:
		return s.pair.current(), nil
	case name == "": // a client without SNI, or one that knows only an address
		for _, host := range a.options.Hosts {
			if cert, err := a.kept(host); err == nil {
				return cert, nil
			}
		}
	}
	return nil, ErrNoCert
}

// Listener is ln with TLS while there are certificates. Only HTTP/1.1 is offered.
func (c *Certs) Listener(ln net.Listener) net.Listener { return certListener{ln, c} }

type certListener struct {
	net.Listener
	certs *Certs
}

// Accept implements net.Listener. The handshake is made by the first read.
func (l certListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if set := l.certs.set.Load(); set != nil && set.config != nil {
		return tls.Server(c, set.config), nil
	}
	return c, nil
}

// SetDeadline bounds how long the listener still accepts.
func (l certListener) SetDeadline(t time.Time) error {
	if ln, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return ln.SetDeadline(t)
	}
	return errors.ErrUnsupported
}

// CertTerm is from when until when a certificate is valid, and of which host.
type CertTerm struct {
	Host        string
	From, Until time.Time
}

// Terms are those of all certificates that are there.
func (c *Certs) Terms() (all []CertTerm) {
	set := c.set.Load()
	if set == nil {
		return nil
	}
	add := func(host string, cert *tls.Certificate) {
		if leaf := cert.Leaf; leaf != nil {
			if host == "" {
				if host = leaf.Subject.CommonName; len(leaf.DNSNames) > 0 {
					host = leaf.DNSNames[0]
				}
			}
			all = append(all, CertTerm{host, leaf.NotBefore, leaf.NotAfter})
		}
	}
	if set.authority != nil {
		for _, host := range set.authority.options.Hosts {
			if cert, err := set.authority.kept(host); err == nil {
				add(host, cert)
			}
		}
	}
	if set.pair != nil {
		add("", set.pair.current())
	}
	return all
}

// Trouble says why a certificate in files that have changed cannot be used, "" = it can.
func (c *Certs) Trouble() string {
	if set := c.set.Load(); set != nil && set.pair != nil {
		return set.pair.trouble()
	}
	return ""
}

// Missing are the hosts of ACME without a certificate.
func (c *Certs) Missing() (hosts []string) {
	set := c.set.Load()
	if set == nil || set.authority == nil {
		return nil
	}
	for _, host := range set.authority.options.Hosts {
		if !set.authority.ready[host].Load() {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// Fetch gets a certificate for a host of ACME that has none, which may take minutes. From then on it
// is renewed by itself.
func (c *Certs) Fetch(host string) error {
	set := c.set.Load()
	if set == nil || set.authority == nil || !set.authority.has(host) {
		return ErrNoCert
	}
	return set.authority.fetch(host)
}

// Fetches says whether the certificate of a host, in lower case, is fetched.
func (c *Certs) Fetches(host string) bool {
	set := c.set.Load()
	return set != nil && set.authority != nil && set.authority.has(host)
}

// Challenge answers the question of an authority over plain HTTP for a path below ChallengePath,
// of a host in lower case. ok is false when nobody has to answer it.
func (c *Certs) Challenge(host, path string) (answer []byte, ok bool) {
	set := c.set.Load()
	if set == nil || set.authority == nil || !set.authority.has(host) {
		return nil, false
	}
	return set.authority.answer(host, path)
}
