package httpd

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// line is an event as `cairn bench` sends it: about 380 bytes, 5 properties.
func line(i int) string {
	return fmt.Sprintf(`{"type":"track","name":"Product Viewed","time":"2026-11-21T12:%02d:%02d.123Z","user":"user-%06d","anonymous":"3f1e2b1c-0d4a-4f4e-9b7a-%012x","session":"9b2d7c1e0f3a4b5c6d7e8f90a1b2%04x","message_id":"0b7e6f5a-1c2d-4e3f-8a9b-%012x","properties":{"plan":"pro","country":"NL","product":"sku-%04d","order":%d,"amount":%d.50},"context":{"url":"https://shop.example/p/%d"}}`,
		i/60%60, i%60, i*7919%100000, i, i%65536, i*31, i%5000, i, i%10000, i%5000)
}

func BenchmarkNativeDecode(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		for _, form := range []string{"ndjson", "array"} {
			b.Run(fmt.Sprintf("%s/%d", form, events), func(b *testing.B) {
				lines := make([]string, events)
				for i := range lines {
					lines[i] = line(i)
				}
				contentType, body := "application/x-ndjson", []byte(strings.Join(lines, "\n")+"\n")
				if form == "array" {
					contentType, body = "application/json", []byte("["+strings.Join(lines, ",")+"]")
				}
				api := &native{}
				req := &dialect.Request{Body: body, Header: func(string) string { return contentType }}
				res := &dialect.Response{}
				var batch dialect.Batch
				outcomes := make([]dialect.Outcome, events)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					batch.Records, batch.Partial = batch.Records[:0], false
					if err := api.Decode(req, &batch); err != nil || len(batch.Records) != events || batch.Records[events-1].Err != nil {
						b.Fatal(err, len(batch.Records), batch.Records[events-1].Err)
					}
					api.Reply(req, res, dialect.Result{Outcomes: outcomes})
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
			})
		}
	}
}

func BenchmarkNativePage(b *testing.B) {
	var parser event.Parser
	var page engine.Page
	for i := range 100 {
		e := &event.Event{}
		if err := parser.Event([]byte(line(i)), e); err != nil {
			b.Fatal(err)
		}
		e.ID, e.Seq, e.Site, e.Received = someID, uint64(i), "shop", someDay
		page.Events = append(page.Events, e)
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = appendEvents(out[:0], page)
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkNativeQuery(b *testing.B) {
	params := with(filterParams, "from", "to", "limit")
	site := &engine.Site{Name: "shop"}
	b.ReportAllocs()
	for b.Loop() {
		q, err := parseQuery("name=Product+Viewed&prop.plan=pro&country=NL&from=2026-11-01&to=2026-11-21&limit=20", params)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := q.page(site); err != nil {
			b.Fatal(err)
		}
	}
}
