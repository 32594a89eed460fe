package httpd

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
)

// BenchmarkSegmentBatch is a batch of 100 track calls over TCP into the real
// engine: the answer comes after the fsync. Several clients share fsyncs.
func BenchmarkSegmentBatch(b *testing.B) {
	const call = `{"userId":"user-%d","event":"Order Completed","type":"track","properties":{"orderId":"50314b8e9bcf","revenue":25.00,"currency":"USD","products":[{"sku":"45790-32","price":19,"quantity":1}]},"integrations":{},"timestamp":"2026-11-20T11:59:59.123Z","messageId":"%012d-%03d","_metadata":{"nodeVersion":"20.20.2"},"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			onStore(b, engine.Options{}, nil, testSite(1, "shop")).flood(b, clients, 100, func(n uint64) string {
				var calls [100]string
				for i := range calls {
					calls[i] = fmt.Sprintf(call, i%50, n, i)
				}
				body := `{"batch":[` + strings.Join(calls[:], ",") + `],"writeKey":"shop-write","sentAt":"2026-11-20T12:00:00.000Z"}`
				return fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %d\r\n\r\n%s", writeKey, len(body), body)
			})
		})
	}
}
