package wire

import (
	"net/netip"
	"strings"

	"cairn/engine/address"
)

// This file finds the address of a client behind proxies.

// hopsMax bounds how many addresses of a forwarding header are looked at.
const hopsMax = 32

// Proxies are the networks whose forwarding headers are believed. An empty list believes
// nobody.
type Proxies []netip.Prefix

// UnixPeers stands in Proxies for all peers at unix sockets, which have no ip.
var UnixPeers netip.Prefix

// Trusts says whether an address, without zone and mapping, is a trusted proxy's. The zero
// address is that of a peer at a unix socket.
func (p Proxies) Trusts(a netip.Addr) bool {
	for _, net := range p {
		if net.Contains(a) || net == UnixPeers && !a.IsValid() {
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
		if a, ok := address.Parse(lines[len(lines)-1]); ok {
			return a
		}
		return peer
	}
	if lines := all("Forwarded"); len(lines) > 0 {
		return p.rightmost(peer, lines, forwardedFor)
	}
	return peer
}

func (p Proxies) rightmost(peer netip.Addr, lines []string, of func(string) string) netip.Addr {
	last, hops := peer, 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			hop := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest = ""
			}
			a, ok := address.Parse(of(hop))
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
			return value
		}
	}
	return ""
}
