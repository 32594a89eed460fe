package oppizi

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

const benchBody = `{"eventName":"Purchase","value":250,"userId":"user-182394","metadata":{"orderId":182394,"plan":"pro","country":"DE","product":"p-1234","amount":"19.90"}}`

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, contentType, body string }{
		{"json", "application/json", benchBody},
		{"array", "application/json", `{"eventName":"Purchase","value":250,"metadata":{"tags":["a","b","c","d"]}}`},
		{"form", "application/x-www-form-urlencoded", "eventName=Purchase&value=250&metadata[plan]=pro&metadata[country]=DE"},
	} {
		b.Run(c.name, func(b *testing.B) {
			req, d := post(b, c.contentType, c.body), New()
			var batch dialect.Batch
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				batch.Records = batch.Records[:0]
				if err := d.Decode(req, &batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReply(b *testing.B) {
	req, d := post(b, "", benchBody), New()
	var batch dialect.Batch
	if err := d.Decode(req, &batch); err != nil {
		b.Fatal(err)
	}
	result := dialect.Result{
		Outcomes: []dialect.Outcome{{Outcome: event.Outcome{ID: "00000000000000000000000000000001", Received: dialecttest.Start.UnixMilli()}}},
		Records:  batch.Records,
	}
	var res dialect.Response
	b.ReportAllocs()
	for b.Loop() {
		d.Reply(req, &res, result)
	}
}

func BenchmarkParseQuery(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseQuery("eventName=Purchase&metadata.amount=100&limit=20"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	e := &event.Event{ID: "00000000000000000000000000000001", Name: "Purchase", Value: event.Num("250"), Received: dialecttest.Start.UnixMilli(),
		Properties: event.Object{{Key: "orderId", Value: event.Num("182394")}, {Key: "plan", Value: event.Str("pro")}}}
	events := make([]*event.Event, pageDefault)
	for i := range events {
		events[i] = e
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = appendPage(dst[:0], events, 1000, e.ID)
	}
}
