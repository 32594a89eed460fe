package httpd

import "cairn/http/wire"

// This file knows which requests come from this machine, for routes that trust that in place
// of a key.

// forwarding are the headers that a proxy sets: it speaks for someone else.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip", "Forwarded", "Via", "Cf-Connecting-Ip", "True-Client-Ip"}

// local says whether a program on this machine asks for itself. A browser on this machine
// also asks for the pages that it shows. A page can let its own name mean 127.0.0.1, but its
// requests then have this name as their Host. So the Host must be an address or localhost.
func (x *exchange) local() bool {
	if !x.c.Peer().IsLoopback() || !wire.LocalHost(x.req.Host) || !wire.LocalHost(x.header("Host")) {
		return false
	}
	for _, name := range forwarding {
		if x.header(name) != "" {
			return false
		}
	}
	return true
}
