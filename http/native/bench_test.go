package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

func BenchmarkDecode(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		for _, form := range []string{"ndjson", "array"} {
			b.Run(fmt.Sprintf("%s/%d", form, events), func(b *testing.B) {
				lines := make([]string, events)
				for i := range lines {
					lines[i] = nativetest.Line(i)
				}
				contentType, body := "application/x-ndjson", []byte(strings.Join(lines, "\n")+"\n")
				if form == "array" {
					contentType, body = "application/json", []byte("["+strings.Join(lines, ",")+"]")
				}
				api := &API{}
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

func BenchmarkPage(b *testing.B) {
	var parser event.Parser
	var page query.Page
	for i := range 100 {
		e := &event.Event{}
		if err := parser.Event([]byte(nativetest.Line(i)), e); err != nil {
			b.Fatal(err)
		}
		e.ID, e.Seq, e.Site, e.Received = nativetest.SomeID, uint64(i), "shop", nativetest.SomeDay
		page.Events = append(page.Events, e)
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = appendEvents(out[:0], page)
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkQuery(b *testing.B) {
	params := append(slices.Clip(plainFilters), paramFrom, paramTo, paramLimit)
	site := &query.Site{Name: "shop"}
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
