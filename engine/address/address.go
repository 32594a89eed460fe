// Package address reads the addresses that clients, proxies and SDKs send. It is the
// only reader of such text, so that an address is understood, shortened and dropped
// alike wherever it comes from. It imports nothing of cairn.
package address

import (
	"net/netip"
	"strings"
)

const (
	textBytesMax = 64 // of one address, with its port and brackets
	listMax      = 32 // elements of a list that are looked at
)

// Parse reads one address as proxies and log files write it: with or without a port,
// brackets, quotes and blanks. The result has no zone, and an IPv4 address in IPv6 form
// is IPv4.
func Parse(text string) (addr netip.Addr, ok bool) {
	text = strings.TrimSpace(text)
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		text = strings.TrimSpace(text[1 : n-1])
	}
	if text == "" || len(text) > textBytesMax {
		return netip.Addr{}, false
	}
	brackets := text[0] == '['
	if brackets { // [2001:db8::1]:8080
		inside, after, closed := strings.Cut(text[1:], "]")
		if !closed || after != "" && after[0] != ':' {
			return netip.Addr{}, false
		}
		text = inside
	} else if i := strings.IndexByte(text, ':'); i > 0 && strings.IndexByte(text[i+1:], ':') < 0 { // 192.0.2.1:8080
		text = text[:i]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || brackets && addr.Is4() {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

// First reads an address field that may hold a list with commas, as when a server passes
// on a whole X-Forwarded-For. It returns the first address that is public, or else the
// first address. ok is false when the text has none.
func First(list string) (addr netip.Addr, ok bool) {
	for range listMax {
		element, rest, more := strings.Cut(list, ",")
		if a, is := Parse(element); is {
			if Public(a) {
				return a, true
			}
			if !ok {
				addr, ok = a, true
			}
		}
		if !more {
			break
		}
		list = rest
	}
	return addr, ok
}

// Public reports whether an address can be somebody's on the internet.
func Public(addr netip.Addr) bool { return addr.IsGlobalUnicast() && !addr.IsPrivate() }
