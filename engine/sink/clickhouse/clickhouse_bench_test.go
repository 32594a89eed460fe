package clickhouse

import (
	"testing"

	"cairn/engine/sink/clickhouse/clickhousetest"
)

// BenchmarkSend sends ranges of 100,000 rows to the server that Debian has.
func BenchmarkSend(b *testing.B) {
	server := clickhousetest.Start(b)
	s, err := New(Options{URL: server.URL, Database: testDatabase, Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	const rows = 100_000
	r := rangeOf(s.Form(), 1, testSite, 1, rows, now, func(seq uint64) map[string]any {
		return map[string]any{"name": "Page", "user": "u-1", "url": "https://shop.example/tea?utm_source=mail", "path": "/tea", "country": "DE", "browser": "Firefox", "os": "Linux",
			"session_of": "00000000000000000000000000000001", "properties": map[string]any{"plan": "free", "n": seq}}
	})
	b.SetBytes(int64(len(r.Lines)))
	for b.Loop() {
		if err := s.Send(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}
