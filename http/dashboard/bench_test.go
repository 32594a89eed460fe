package dashboard

import (
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// BenchmarkOverview makes the first screen from answers that are there, in gzip as browsers get
// it: 7 tables of 10 rows, the chart and the grid.
func BenchmarkOverview(b *testing.B) {
	m := madeOverview(plainName)
	m.answers["site"] = madeSite
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	d := New(Options{Reports: m, Gate: openGate{&Viewer{Sites: []*dialect.Site{site}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	req := &dialect.Request{Method: "GET", Path: "/dashboard/site/shop", RawQuery: "_wait=1", Header: func(name string) string {
		if name == "Accept-Encoding" {
			return "gzip, br"
		}
		return ""
	}}
	b.ReportAllocs()
	for b.Loop() {
		m.asked = m.asked[:0]
		res := new(dialect.Response)
		d.siteScreen(b.Context(), req, res)
		b.ReportMetric(float64(len(res.Body)), "bytes")
	}
}
