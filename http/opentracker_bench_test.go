package httpd

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

// BenchmarkOpentrackerPixel is one GET with five properties and a segment a
// request, answered after its fsync, at 64 connections.
func BenchmarkOpentrackerPixel(b *testing.B) {
	withEngine(b, nil).flood(b, 64, 1, func(n uint64) string {
		return fmt.Sprintf("GET /?si=shop&sid=s%d&ti=Checkout&plan=pro&product=p-%d&points=%d[%%2B10]&game=chess&age-group!=40s&pix HTTP/1.1\r\nHost: log.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n\r\n", n%5000, n%1000, n%10)
	})
}

// BenchmarkOpentrackerCounts reads counters of 10,000 values on each of 100 days:
// a million events, one for each.
func BenchmarkOpentrackerCounts(b *testing.B) {
	const values, days = 10_000, 100
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	var e engine.API
	site := testSite(1, "shop")
	s := onStore(b, engine.Options{QueryTime: time.Minute, Now: func() time.Time { return now }}, func(o *Options) { e = o.Engine }, site)
	for day := range days {
		var records []engine.Record
		for v := range values {
			records = append(records, engine.Record{Site: site.Site, Record: &event.Record{Event: event.Event{
				Dialect: event.Opentracker, Type: event.Track, User: fmt.Sprint("u", v%3000), Session: fmt.Sprintf("s%d-%d", day, v%4000),
				Properties: event.Object{{Key: "product", Value: event.Str(fmt.Sprintf("p-%05d", v))}, {Key: "plan", Value: event.Str([]string{"free", "pro", "team"}[v%3])}},
				Segments:   []string{"plan"},
			}}})
			if len(records) == 2000 {
				if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
					b.Fatal(err)
				}
				records = records[:0]
			}
		}
		now = now.Add(24 * time.Hour)
	}
	for _, c := range []struct{ name, query string }{
		{"first 100 of 10,000", "property=product"},
		{"all 10,000", "property=product&limit=10000"},
		{"one value", "property=product&value=p-00042"},
		{"by plan", "property=product&segment=plan"},
		{"by day, first page", "property=product&interval=day&limit=1000"},
		{"one value by day", "property=product&value=p-00042&interval=day"},
		{"three values by day", "property=plan&interval=day&limit=1000"},
		{"7 days", "property=product&from=2026-08-01&to=2026-08-07"},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := s.dial()
			r := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				fmt.Fprintf(conn, "GET /api/counts?site=shop&%s&%s HTTP/1.1\r\nHost: localhost\r\n\r\n", c.query, readKey)
				a, err := readAnswer(r, false)
				if err != nil || a.status != 200 || strings.Contains(a.body, `"rows":0`) {
					b.Fatalf("%d %.200s %v", a.status, a.body, err)
				}
			}
		})
	}
}
