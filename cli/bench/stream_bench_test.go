package bench

import (
	"testing"
	"time"
)

// What one event of the load costs the generator, which shares the machine.
func BenchmarkStream(b *testing.B) {
	s := newStream(1, 1, 1)
	at := time.Now()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.appendEvent(buf[:0], at)
	}
	b.SetBytes(int64(len(buf)))
}
