package wire

import (
	"net/netip"
	"strings"
)

// This file finds the address of a client behind proxies.

// hopsMax bounds how many addresses of a forwarding header are looked at.
const hopsMax = 32

// Proxies are the networks whose forwarding headers are believed. An empty list believes
// nobody.
type Proxies []netip.Prefix

// Trusts says whether an address, without zone and mapping, is a trusted proxy's.
func (p Proxies) Trusts(a netip.Addr) bool {
	for _, net := range p {
		if net.Contains(a) {
			return true
		}
	}
	return false
}

// Client is the address that a request came from. Forwarding headers count only when the
// peer is a trusted proxy. The client is then the right-most address of X-Forwarded-For that
// is not itself a trusted proxy, else X-Real-IP, else the same address of Forwarded. When a
// header does not parse, the client is the peer. all returns the values of every header
// line of a name.
func (p Proxies) Client(peer netip.Addr, all func(name string) []string) netip.Addr {
	if len(p) == 0 || !p.Trusts(peer) {
		return peer
	}
	if lines := all("X-Forwarded-For"); len(lines) > 0 {
		return p.rightmost(peer, lines, func(hop string) string { return hop })
	}
	if lines := all("X-Real-Ip"); len(lines) > 0 {
		if a, ok := parseHop(lines[len(lines)-1]); ok {
			return a
		}
		return peer
	}
	if lines := all("Forwarded"); len(lines) > 0 {
		return p.rightmost(peer, lines, forwardedFor)
	}
	return peer
}

func (p Proxies) rightmost(peer netip.Addr, lines []string, address func(string) string) netip.Addr {
	last, hops := peer, 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			hop := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest = ""
			}
			a, ok := parseHop(address(hop))
			if hops++; !ok || hops > hopsMax {
				return peer
			}
			if !p.Trusts(a) {
				return a
			}
			last = a
		}
	}
	return last // proxies all the way: the first of them asked
}

// forwardedFor is the for= of one element of a Forwarded header (RFC 7239).
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// parseHop reads an address as proxies write it: with or without a port, with or
// without brackets.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return PlainAddr(a), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return PlainAddr(ap.Addr()), true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil && a.Is6() {
			return PlainAddr(a), true
		}
	}
	return netip.Addr{}, false
}
