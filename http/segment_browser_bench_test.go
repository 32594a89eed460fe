//go:build unix

package httpd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/enrich"
	"cairn/engine/event"
)

// BenchmarkSegmentBrowser is the traffic of Segment's SDK for browsers: batches of 300
// calls, each with the whole context, 1.3 KB a call. It reports two costs of an event with
// everything that follows it: the processor time until its rows are sealed and merged, and
// the bytes that runs and ids then take on disk. The parts and the runs are smaller than
// those of a server, so that a row is sealed once and merged twice, as it is there. Run it
// with -benchtime=1024x.
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
	events := float64(300 * b.N)
	site, dir := testSite(1, "shop"), b.TempDir()
	o := engine.Options{Dir: dir, Reserve: -1, Sites: engine.SitesOf(site.Site), SealRows: 1 << 14, MergeRuns: 4, MergeRows: 1 << 20}
	before := cpuTime()
	e := openIdle(b, o)
	start(b, func(o *Options) { o.Engine, o.Sites = e, []*Site{site} }).flood(b, 4, 300, func(n uint64) string { return requests[n-1] })
	b.StopTimer()
	closeIdle(b, e)

	// The rows of the last part are sealed too, with one event more.
	o.SealRows, o.MergeRuns = 1, 1000
	e = openIdle(b, o)
	last := engine.Record{Site: site.Site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "last", User: "u"}}}
	if _, err := e.Ingest(b.Context(), []engine.Record{last}, true, nil); err != nil {
		b.Fatal(err)
	}
	closeIdle(b, e)
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/events, "cpu-us/event")

	sizes, err := check.Measure(nil, dir)
	if err != nil || sizes.Events != sizes.Sealed {
		b.Fatalf("%d of %d events are sealed, %v", sizes.Sealed, sizes.Events, err)
	}
	total := sizes.Totals + sizes.Filters + sizes.Headers + sizes.Counts + sizes.IDs
	for i := range sizes.Fields {
		total += sizes.Fields[i].Total()
	}
	b.ReportMetric(float64(total)/events, "B/event")
	if testing.Verbose() {
		for _, f := range sizes.Fields[:min(40, len(sizes.Fields))] {
			b.Logf("%-40s rows %6.2f cells %6.2f lists %6.2f B/event", f.Field, float64(f.Rows)/events, float64(f.Cells)/events, float64(f.Lists)/events)
		}
		b.Logf("runs %d, totals %.2f, filters %.2f, headers %.2f, ids %.2f B/event", sizes.Runs, float64(sizes.Totals)/events, float64(sizes.Filters)/events, float64(sizes.Headers)/events, float64(sizes.IDs)/events)
	}
}

func openIdle(b *testing.B, o engine.Options) *engine.Engine {
	b.Helper()
	o.Enrich = enrich.New(enrich.Options{})
	e, err := engine.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// closeIdle closes an engine that has nothing left to seal or merge: it uses no processor.
func closeIdle(b *testing.B, e *engine.Engine) {
	b.Helper()
	for quiet := 0; quiet < 5; {
		before := cpuTime()
		time.Sleep(50 * time.Millisecond)
		if quiet++; cpuTime()-before > 10*time.Millisecond {
			quiet = 0
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is the processor time that the process has used.
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
	return fmt.Sprintf(`{"timestamp":"%s","integrations":{"Segment.io":true},"anonymousId":"%08x-1111-4222-8333-%012x",%s,"context":{"page":{"path":"/p/%d","referrer":"%s","search":"%s","title":"Product %d – Shop","url":"%s%s"},"userAgent":"%s","userAgentData":{"brands":[{"brand":"Chromium","version":"%d"},{"brand":"Google Chrome","version":"%d"},{"brand":"Not_A Brand","version":"99"}],"mobile":false,"platform":"Windows"},"locale":"%s","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"%s","screen":{"width":%d,"height":%d,"density":1}},"messageId":"ajs-next-%d-%08x-%04x-4%03x-%04x-%012x","writeKey":"shop-write","sentAt":"2026-11-20T12:00:00.000Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`,
		at, person.Uint32(), person.Uint64()>>16, kind, page, referrer, search, page, url, search, agent, major, major, locale, zone, width, width*9/16, 1_795_000_000_000+rng.Uint64N(100_000_000), rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12), 1<<15|rng.Uint32N(1<<14), rng.Uint64N(1<<48))
}
