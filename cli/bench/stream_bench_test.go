package bench

import (
	"testing"
	"time"
)

// The CPU time that the generator takes for one event. It shares the machine with the server.
func BenchmarkStream(b *testing.B) {
	s := newStream(1, 1, 1, testCrowd)
	at := time.Now()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.appendEvent(buf[:0], at)
	}
	b.SetBytes(int64(len(buf)))
}
