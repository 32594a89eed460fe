package httpd

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
)

// BenchmarkImport compares lines of the native API with the same events as an export has them.
func BenchmarkImport(b *testing.B) {
	const events = 1000
	for _, c := range []struct{ name, query, more string }{
		{"native", "", ""},
		{"imported", "?import=1", `,"received":"2026-11-20T10:00:00Z","dialect":"native","session_of":"%032x"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := onStore(b, engine.Options{}, nil, testSite(1, "shop"))
			s.flood(b, 2, events, func(n uint64) string {
				var body strings.Builder
				for i := range events {
					more := c.more
					if more != "" {
						more = fmt.Sprintf(more, (int(n)*events+i)/5)
					}
					fmt.Fprintf(&body, `{"type":"page","name":"Pricing","time":"2026-11-20T10:00:00Z","message_id":"%d.%d","anonymous":"a%d","context":{"url":"https://shop.example/pricing","browser":"Firefox"},"properties":{"plan":"pro","n":%d}%s}`+"\n", n, i, (int(n)*events+i)/5, i%7, more)
				}
				return fmt.Sprintf("POST /api/v1/events%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer shop-secret\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", c.query, body.Len(), body.String())
			})
		})
	}
}
