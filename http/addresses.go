package httpd

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file makes every address of this server that an answer holds: links, redirects, what
// browsers' SDKs are told. It also knows which Origin is the server's own.

// Addresses say how clients reach the server. The zero value means that each request says so.
type Addresses struct {
	scheme, host string // of public_url, in lower case; "" = those of the request
	links        string // what the path of each link begins with: "" or "/cairn"
	taken        string // what is taken off the path of each request, if it is there
}

// NewAddresses reads public_url and base_path of the configuration; both may be empty. The
// path of public_url is base_path, unless that is given. The error names the key.
func NewAddresses(publicURL, basePath string) (a Addresses, err error) {
	if publicURL != "" {
		u, err := url.Parse(publicURL)
		scheme := ""
		if err == nil {
			scheme = strings.ToLower(u.Scheme)
		}
		if err != nil || scheme != "http" && scheme != "https" || !wire.ValidHost(u.Host) || u.Hostname() == "" ||
			u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(publicURL, "#") {
			return a, fmt.Errorf(`public_url = %q: must be an address such as "https://stats.example" or "https://example.com/cairn"`, publicURL)
		}
		a.scheme, a.host = scheme, bareHost(scheme, u.Host)
		if a.links, err = readBase(u.EscapedPath()); err != nil {
			return a, fmt.Errorf("public_url = %q: its path %w", publicURL, err)
		}
	}
	if a.taken, err = readBase(basePath); err != nil {
		return a, fmt.Errorf("base_path = %q: it %w", basePath, err)
	}
	if a.taken == "" {
		a.taken = a.links
	}
	if publicURL == "" {
		a.links = a.taken
	}
	return a, nil
}

// baseBytesMax bounds base_path: it is in every link and cookie.
const baseBytesMax = 128

// readBase returns a base path without its last slash: "" or "/a/b".
func readBase(path string) (string, error) {
	base := strings.TrimSuffix(path, "/")
	if base == "" {
		return "", nil
	}
	if base[0] != '/' || len(base) > baseBytesMax {
		return "", fmt.Errorf("must begin with a slash and have at most %d bytes", baseBytesMax)
	}
	for segment := range strings.SplitSeq(base[1:], "/") {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
		}
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, odd) {
			return "", fmt.Errorf("may have letters, digits and - . _ ~ between its slashes")
		}
	}
	return base, nil
}

// free reports an error if routes have the first segment of the base path: a path without the
// base could then be taken for one with it.
func (a *Addresses) free(routes []*route) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(a.taken, "/"), "/")
	for _, r := range routes {
		segment, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		if first != "" && segment == first {
			return fmt.Errorf("base_path = %q: cairn itself has the path %s; use another one", a.taken, r.Path)
		}
	}
	return nil
}

// cut takes the base off a path, if it is there. Empty segments inside it do not count, as
// foldPath has it.
func (a *Addresses) cut(path string) string {
	if a.taken == "" {
		return path
	}
	rest := path
	for segment := range strings.SplitSeq(a.taken[1:], "/") {
		after, ok := strings.CutPrefix(strings.TrimLeft(rest, "/"), segment)
		if !ok || after != "" && after[0] != '/' {
			return path
		}
		rest = after
	}
	if rest == "" {
		return "/"
	}
	return rest
}

// bareHost is a host in lower case without the port that a scheme implies, as browsers write
// it.
func bareHost(scheme, host string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil && (scheme == "http" && port == "80" || scheme == "https" && port == "443") {
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		return name
	}
	return host
}

// SetAddress says where the server listens, as "http://127.0.0.1:8080"; "" when it listens on
// sockets alone. Commands of this machine that come through ServeOwn get addresses that begin with
// it, unless public_url is set.
func (s *Server) SetAddress(base string) {
	var at Addresses
	at.scheme, at.host, _ = strings.Cut(base, "://")
	s.at.Store(&at)
}

// reached is the scheme and host by which clients reach the server, whatever they send; both are
// "" if the request says so.
func (x *exchange) reached() (scheme, host string) {
	if x.sites.addresses.host != "" {
		return x.sites.addresses.scheme, x.sites.addresses.host
	}
	if at := x.s.at.Load(); at != nil && x.c.Own() {
		return at.scheme, at.host
	}
	return "", ""
}

// https says whether browsers reach the server over TLS.
func (x *exchange) https() bool {
	if scheme, _ := x.reached(); scheme != "" {
		return scheme == "https"
	}
	return x.req.Secure
}

// host is the host that the client knows the server by. A trusted proxy may name it; of
// several the last counts, since a client can send the others.
func (x *exchange) host() string {
	if _, host := x.reached(); host != "" {
		return host
	}
	if x.forwarded() {
		if lines := x.headers("X-Forwarded-Host"); len(lines) > 0 {
			last := lines[len(lines)-1]
			last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
			if wire.ValidHost(last) {
				return last
			}
		}
	}
	return x.req.Host
}

// link is the address of a path. No other function makes one.
func (a *Addresses) link(scheme, host, path string) string {
	return scheme + "://" + host + a.links + path
}

// address is dialect.Request.Address.
func (x *exchange) address(path string) string {
	scheme := "http"
	if x.https() {
		scheme = "https"
	}
	return x.sites.addresses.link(scheme, x.host(), path)
}

// ownOrigin says whether the Origin of a request is this server: that of public_url, else the
// host of the request with any scheme that may be the server's. A proxy may do TLS and not say
// so.
func (x *exchange) ownOrigin() bool {
	lines := x.headers("Origin")
	if len(lines) != 1 {
		return false
	}
	scheme, host, ok := strings.Cut(strings.ToLower(lines[0]), "://")
	switch {
	case !ok || host == "":
		return false
	case x.sites.addresses.scheme != "":
		return scheme == x.sites.addresses.scheme && bareHost(scheme, host) == x.sites.addresses.host
	case scheme != "https" && (scheme != "http" || x.req.Secure):
		return false
	}
	return bareHost(scheme, host) == bareHost(scheme, x.host())
}

// Base implements dashboard.Addresses.
func (a *Addresses) Base() string { return a.links }

// Public implements dashboard.Addresses.
func (a *Addresses) Public(req *dialect.Request, path string) string { return req.Address(path) }
