package httpd

import (
	"fmt"
	"testing"
)

// One call a request over HTTP, answered when it is on disk.
func BenchmarkOpenPanelTrack(b *testing.B) {
	const track = `{"type":"track","payload":{"name":"report_exported","profileId":"user_123","properties":{"format":"pdf","pages":12}}}`
	const increment = `{"type":"increment","payload":{"profileId":"user_123","property":"visits"}}`
	for _, c := range []struct {
		name, body, agent string
		clients           int
	}{
		{"a server's, 1 client", track, "User-Agent: node", 1},
		{"a server's, 64 clients", track, "User-Agent: node", 64},
		{"a browser's, 64 clients", track, firefox, 64},
		{"increments, 64 clients", increment, "User-Agent: node", 64},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := withDevices(b, func(o *Options) { o.IPRate, o.IPBurst = 1e9, 1e9 })
			text := fmt.Sprintf("POST /track HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\n%s\r\n%s\r\nContent-Length: %d\r\n\r\n%s", clientID, clientSecret, c.agent, visitor, len(c.body), c.body)
			s.flood(b, c.clients, 1, func(uint64) string { return text })
		})
	}
}
