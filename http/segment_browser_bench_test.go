package httpd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
)

// BenchmarkSegmentBrowser is the traffic of Segment's SDK for browsers: batches of 300
// calls, each with the whole context, 1.2 KB a call. A benchmark of 1,000 batches seals
// four runs. It reports the bytes on disk for each event.
func BenchmarkSegmentBrowser(b *testing.B) {
	requests := make([]string, b.N)
	for n := range requests {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		calls := make([]string, 300)
		for i := range calls {
			calls[i] = browserCall(rng)
		}
		body := `{"batch":[` + strings.Join(calls, ",") + `],"writeKey":"shop-write","sentAt":"2026-11-20T12:00:00.000Z"}`
		requests[n] = fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %d\r\n\r\n%s", writeKey, len(body), body)
	}
	s := onStore(b, engine.Options{}, nil, testSite(1, "shop"))
	before := cpuTime()
	s.flood(b, 4, 300, func(n uint64) string { return requests[n-1] })
	b.StopTimer()
	time.Sleep(3 * time.Second)
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(300*b.N), "cpu-us/event")
	total := int64(0)
	root := os.Getenv("TMPDIR")
	_ = filepath.Walk(root, func(p string, i os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(p, ".sst") {
			total += i.Size()
		}
		return nil
	})
	b.ReportMetric(float64(total)/float64(300*b.N), "B/event")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// browserCall returns a page call or a track call as analytics.js sends it. Users, pages
// and referrers follow Zipf's law; a user always has the same browser.
func browserCall(rng *rand.Rand) string {
	zipf := func(n int) int { return min(int(math.Exp(rng.Float64()*math.Log(float64(n+1)))), n) - 1 }
	user := zipf(100_000)
	person := rand.New(rand.NewPCG(7, uint64(user)))
	major, width := 100+person.IntN(40), 360+20*person.IntN(80)
	agent := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.0 Safari/537.36", major, person.IntN(5))
	zone := [...]string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Europe/Paris"}[person.IntN(4)]
	locale := [...]string{"de-DE", "en-US", "ja-JP", "fr-FR"}[person.IntN(4)]
	page := zipf(2000)
	referrer := fmt.Sprintf("https://shop.example/p/%d", zipf(2000))
	if rng.IntN(4) == 0 {
		referrer = "https://www.google.com/"
	}
	url := fmt.Sprintf("https://shop.example/p/%d", page)
	search := ""
	if rng.IntN(10) == 0 {
		search = fmt.Sprintf("?utm_source=news&utm_campaign=c%d", rng.IntN(30))
	}
	kind := fmt.Sprintf(`"type":"page","name":"Product","properties":{"path":"/p/%d","referrer":"%s","search":"%s","title":"Product %d – Shop","url":"%s%s"}`, page, referrer, search, page, url, search)
	if rng.IntN(2) == 0 {
		kind = fmt.Sprintf(`"type":"track","event":"Product Added","properties":{"product_id":"sku-%d","price":%d.%02d,"quantity":%d}`, zipf(5000), rng.IntN(200), rng.IntN(100), 1+rng.IntN(3))
	}
	at := fmt.Sprintf("2026-11-20T11:%02d:%02d.%03dZ", rng.IntN(60), rng.IntN(60), rng.IntN(1000))
	return fmt.Sprintf(`{"timestamp":"%s","integrations":{"Segment.io":true},"anonymousId":"%08x-1111-4222-8333-%012x",%s,"context":{"page":{"path":"/p/%d","referrer":"%s","search":"%s","title":"Product %d – Shop","url":"%s%s"},"userAgent":"%s","userAgentData":{"brands":[{"brand":"Chromium","version":"%d"},{"brand":"Google Chrome","version":"%d"},{"brand":"Not_A Brand","version":"99"}],"mobile":false,"platform":"Windows"},"locale":"%s","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"%s","screen":{"width":%d,"height":%d,"density":1}},"messageId":"ajs-next-%d-%08x-%04x-%04x","writeKey":"shop-write","sentAt":"2026-11-20T12:00:00.000Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`,
		at, person.Uint32(), person.Uint64()>>16, kind, page, referrer, search, page, url, search, agent, major, major, locale, zone, width, width*9/16, 1_795_000_000_000+rng.Uint64N(100_000_000), rng.Uint32(), rng.Uint32N(65536), rng.Uint32N(65536))
}
