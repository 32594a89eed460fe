package wire

import (
	"testing"

	"cairn/http/testkit"
)

// FuzzInflate sees that every decoder stays within its cap and does not panic.
func FuzzInflate(f *testing.F) {
	for i, enc := range []string{"", "gzip", "deflate", "zstd", "raw"} {
		f.Add(uint8(i%4), testkit.Pack(f, enc, []byte("hello hello hello")))
	}
	inflater := NewInflater()
	b := &Budget{}
	b.left.Store(64 << 20)
	f.Fuzz(func(t *testing.T, enc uint8, in []byte) {
		out := &Buffer{Budget: b}
		const limit = 1 << 16
		err := inflater.Inflate(Encoding(enc%3+1), in, out, limit)
		if err == nil && len(out.B) > limit {
			t.Fatalf("%d bytes", len(out.B))
		}
		if cap(out.B) > limit+2*inflateStep {
			t.Fatalf("room for %d bytes", cap(out.B))
		}
		out.Release()
		if b.left.Load() != 64<<20 {
			t.Fatal("the budget leaks")
		}
	})
}
