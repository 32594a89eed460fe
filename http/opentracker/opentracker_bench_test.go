package opentracker

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, method, target, contentType, body string }{
		{"pixel", "GET", "/?si=shop&sid=0eb12a&ti=Checkout&plan=pro&product=p-4711&points=3[%2B10]&game=chess&age-group!=40s&pix", "", ""},
		{"form", "POST", "/", "application/x-www-form-urlencoded", "si=shop&sid=0eb12a&ti=Checkout&plan=pro&product=p-4711&points=3[%2B10]&game=chess&age-group!=40s"},
		{"json", "POST", "/", "application/json", `{"si":"shop","sid":"0eb12a","ti":"Checkout","plan":"pro","product":"p-4711","points":"3[+10]","game":"chess","age-group!":"40s"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			req, d := request(b, c.method, c.target, c.contentType, c.body), New()
			var batch dialect.Batch
			b.SetBytes(int64(len(c.target) + len(c.body)))
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
	for _, form := range []string{"pix", "json", "callback=jQueryCallback"} {
		b.Run(form, func(b *testing.B) {
			req, d := request(b, "GET", "/?si=shop&sid=s&uid=u&"+form, "", ""), New()
			var batch dialect.Batch
			if err := d.Decode(req, &batch); err != nil {
				b.Fatal(err)
			}
			result := dialect.Result{
				Outcomes: []dialect.Outcome{{Outcome: event.Outcome{ID: "00000000000000000000000000000001", Session: "s", Received: dialecttest.Start.UnixMilli()}}},
				Records:  batch.Records,
			}
			var res dialect.Response
			b.ReportAllocs()
			for b.Loop() {
				res.Header = res.Header[:0]
				d.Reply(req, &res, result)
			}
		})
	}
}
