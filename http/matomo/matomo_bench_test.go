package matomo

import (
	"strings"
	"testing"

	"cairn/http/dialect"
)

// benchHit is a page view as a browser sends it.
const benchHit = "idsite=1&rec=1&r=381240&h=14&m=20&s=5&url=https%3A%2F%2Fshop.example%2Fproducts%2F4711%3Fcolour%3Dgreen&urlref=https%3A%2F%2Fwww.google.com%2F&action_name=Teapots%20%2F%20Green&_id=0123456789abcdef&_idn=0&send_image=0&pv_id=a1B2c3&pf_net=12&pf_srv=80&pf_tfr=4&pf_dm1=210&pdf=1&qt=0&realp=0&wma=0&fla=0&java=0&ag=0&cookie=1&res=1920x1080&dimension1=member"

func benchmarkDecode(b *testing.B, req *dialect.Request, records int) {
	d := New(Options{})
	var batch dialect.Batch
	b.ReportAllocs()
	b.SetBytes(int64(len(req.RawQuery) + len(req.Body)))
	for b.Loop() {
		batch.Records = batch.Records[:0]
		if err := d.Decode(req, &batch); err != nil || len(batch.Records) != records {
			b.Fatal(err, len(batch.Records))
		}
	}
}

func BenchmarkHit(b *testing.B) {
	benchmarkDecode(b, request(b, "GET", "/matomo.php?"+benchHit, ""), 1)
}

func BenchmarkForm(b *testing.B) {
	benchmarkDecode(b, request(b, "POST", "/matomo.php", benchHit, "Content-Type", "application/x-www-form-urlencoded"), 1)
}

func BenchmarkBulk200(b *testing.B) {
	body := `{"requests":["?` + strings.Repeat(benchHit+`","?`, 199) + benchHit + `"],"token_auth":"token"}`
	benchmarkDecode(b, request(b, "POST", "/matomo.php", body), 200)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/hit")
}
