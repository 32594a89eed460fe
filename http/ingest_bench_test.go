package httpd

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/http/native/nativetest"
)

// idMark stands in a request where each event's message id has the digits that are
// its own. The client writes them in place and so allocates nothing: what is reported
// is the server's, sealing included.
const idMark = "############"

// BenchmarkIngestRequest is one client's requests, each of so many new events, from
// the socket to the answer after the fsync.
func BenchmarkIngestRequest(b *testing.B) {
	repeat := func(n int, sep string, event func(i int) string) string {
		events := make([]string, n)
		for i := range events {
			events[i] = event(i)
		}
		return strings.Join(events, sep)
	}
	post := func(path, key, contentType, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\nUser-Agent: analytics-node/3.1.0\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, key, contentType, len(body), body)
	}
	native := func(i int) string {
		l := nativetest.Line(i)
		at := strings.Index(l, `"message_id":"`) + len(`"message_id":"`) + 24
		return l[:at] + idMark + l[at+12:]
	}
	const node = `{"userId":"user-%d","event":"Order Completed","type":"track","properties":{"orderId":"50314b8e9bcf","revenue":25.00,"currency":"USD","products":[{"sku":"45790-32","price":19,"quantity":1}]},"integrations":{},"timestamp":"2026-11-20T11:59:59.123Z","messageId":"node-next-` + idMark + `","_metadata":{"nodeVersion":"20.20.2"},"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}`
	const browser = `{"timestamp":"2026-11-20T11:59:59.123Z","integrations":{"Segment.io":true},"userId":null,"anonymousId":"8f14e45f-ceea-467a-9a36-dedd4bea25%02d","type":"page","name":"Product","properties":{"path":"/p/32","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=spring","title":"Wooden chair - Shop","url":"https://shop.example/p/32?utm_source=news&utm_campaign=spring","name":"Product","price":129.9,"in_stock":true},"context":{"ip":"81.2.69.160","page":{"path":"/p/32","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=spring","title":"Wooden chair - Shop","url":"https://shop.example/p/32?utm_source=news&utm_campaign=spring"},"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"analytics.js","version":"next-1.84.3"},"campaign":{"source":"news","name":"spring"},"timezone":"Europe/Amsterdam"},"messageId":"ajs-next-` + idMark + `","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`
	segment := func(event string) string {
		return post("/v1/batch", writeKey, "application/json", `{"batch":[`+repeat(100, ",", func(i int) string { return fmt.Sprintf(event, i%50) })+`],"sentAt":"2026-11-20T12:00:00.000Z"}`)
	}
	for _, c := range []struct {
		name, request string
		events        int
	}{
		{"one", post("/api/v1/events", secret, "application/json", native(1)), 1},
		{"ndjson=1000", post("/api/v1/events", secret, "application/x-ndjson", repeat(1000, "\n", native)), 1000},
		{"segment-node=100", segment(node), 100},
		{"segment-browser=100", segment(browser), 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := onStore(b, engine.Options{}, nil, testSite(1, "shop")).dial()
			defer conn.Close()
			r := bufio.NewReader(conn)
			request := []byte(c.request)
			var ids [][]byte
			for at := 0; ; {
				i := bytes.Index(request[at:], []byte(idMark))
				if i < 0 {
					break
				}
				ids = append(ids, request[at+i:][:len(idMark)])
				at += i + len(idMark)
			}
			if len(ids) != c.events {
				b.Fatal(len(ids), "ids")
			}
			n := 0
			once := func() {
				for _, id := range ids {
					n++
					for i, left := len(id)-1, n; i >= 0; i-- {
						id[i], left = '0'+byte(left%10), left/10
					}
				}
				exchangeOnce(b, conn, r, request)
			}
			once()
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
			b.ReportMetric(float64(b.N*c.events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
