package wire

import (
	"net/netip"
	"strings"
)

// LocalHost says whether a Host, with or without a port, is an address or localhost. A page
// in a browser can let its own name mean 127.0.0.1, and its requests then have this name as
// their Host. A request of HTTP/1.0 may have no Host; it comes from no browser.
func LocalHost(host string) bool {
	if host == "" || isAddr(strings.Trim(host, "[]")) {
		return true
	}
	if i := strings.LastIndexByte(host, ':'); i > 0 {
		host = host[:i]
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || isAddr(strings.Trim(host, "[]"))
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
