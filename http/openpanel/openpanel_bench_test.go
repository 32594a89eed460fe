package openpanel

import (
	"testing"

	"cairn/http/dialect"
)

func BenchmarkDecode(b *testing.B) {
	for name, body := range map[string]string{
		"track":     track(`{"name":"report_exported","profileId":"user_123","groups":["org_acme"],"properties":{"format":"pdf","pages":12,"__path":"https://shop.example/reports?utm_source=mail","__referrer":"https://www.google.com/","__title":"Reports"}}`),
		"increment": `{"type":"increment","payload":{"profileId":"1","property":"visits","value":1}}`,
	} {
		b.Run(name, func(b *testing.B) {
			req := request(b, "POST", "/track", body)
			d := New()
			var batch dialect.Batch
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				batch.Records = batch.Records[:0]
				if err := d.Decode(req, &batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
