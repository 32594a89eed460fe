package segment

import (
	"fmt"
	"strings"
	"testing"

	"cairn/http/dialect"
)

// benchNode is a track call as @segment/analytics-node sends it, 466 bytes.
const benchNode = `{"userId":"user-182394","event":"Order Completed","type":"track","properties":{"orderId":"50314b8e9bcf000000000000","revenue":25.00,"currency":"USD","coupon":"hasbros","products":[{"sku":"45790-32","price":19,"quantity":1},{"sku":"46493-32","price":3,"quantity":2}]},"integrations":{},"timestamp":"2026-11-20T11:59:59.123Z","messageId":"node-next-1700000000123-0ab12c34-5d67-4e89-9f01-2345678%05d","_metadata":{"nodeVersion":"20.20.2"},"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`

// benchBrowser is a page call as @segment/analytics-next sends it, 1.3 KB.
const benchBrowser = `{"timestamp":"2026-11-20T11:59:59.123Z","integrations":{"Segment.io":true},"userId":null,"anonymousId":"8f14e45f-ceea-467a-9a36-dedd4bea2543","type":"page","name":"Product","properties":{"path":"/p/32","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=spring","title":"Wooden chair - Shop","url":"https://shop.example/p/32?utm_source=news&utm_campaign=spring","name":"Product","price":129.9,"in_stock":true},"context":{"page":{"path":"/p/32","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=spring","title":"Wooden chair - Shop","url":"https://shop.example/p/32?utm_source=news&utm_campaign=spring"},"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"analytics.js","version":"next-1.84.3"},"campaign":{"source":"news","name":"spring"},"timezone":"Europe/Amsterdam"},"messageId":"ajs-next-1700000000123-0ab12c34-5d67-4e89-9f01-2345678%05d","writeKey":"key","sentAt":"2026-11-20T11:59:59.500Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`

// benchServer is a track call of a server that names sessions and pages, 342 bytes.
const benchServer = `{"type":"track","event":"Order Completed","messageId":"0ab12c34-5d67-4e89-9f01-2345678%05[1]d","userId":"user-9e3779b97f4%05[1]x","timestamp":"2026-11-20T11:59:59.123Z","context":{"sessionId":"0ab12c345d6%05[1]x","page":{"url":"https://www.example-shop.com/products/red-item-%[1]d.html"}},"properties":{"product":"sku-%05[1]d","price":129.90,"country":"DE","plan":"basic","device":"mobile"}}`

// benchBatch returns a batch of n copies of the event.
func benchBatch(event string, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(event, i)
	}
	return `{"batch":[` + strings.Replace(strings.Join(list, ","), `"type":"page"`, `"type":"page"`, -1) + `],"writeKey":"key","sentAt":"2026-11-20T12:00:00.000Z"}`
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, path, body string }{
		{"node, 100", "/v1/batch", benchBatch(benchNode, 100)},
		{"server, 1000", "/v1/batch", benchBatch(benchServer, 1000)},
		{"browser, 100", "/v1/b", benchBatch(benchBrowser, 100)},
		{"browser, single", "/v1/p", fmt.Sprintf(benchBrowser, 1)},
		{"go, 100, context of the batch", "/v1/batch", strings.Replace(benchBatch(strings.Replace(benchNode, `,"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}`, "", 1), 100), `"sentAt"`, `"context":{"library":{"name":"analytics-go","version":"3.0.0"}},"sentAt"`, 1)},
		{"tiny, 500 KB", "/v1/batch", `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page","userId":"u"},`, 17600), ",") + `]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := New(nil)
			req := request(b, "POST", c.path, c.body)
			for _, r := range d.Routes() {
				if r.Path == c.path {
					req.Route = &r
				}
			}
			site := new(dialect.Site)
			req.Find = func(dialect.Credential) *dialect.Site { return site }
			var batch dialect.Batch
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				clear(batch.Records)
				batch.Records = batch.Records[:0]
				if err := d.Decode(req, &batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			for i := range batch.Records {
				if err := batch.Records[i].Err; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
