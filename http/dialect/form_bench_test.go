package dialect

import "testing"

func BenchmarkForm(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		for range Form("eventName=Purchase&limit=20&metadata.amount=100&metadata.order%20id=7") {
		}
	}
}
