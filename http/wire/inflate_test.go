package wire

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// pack encodes text as a client would.
func pack(t testing.TB, enc string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch enc {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw":
		w, err = flate.NewWriter(&b, 6)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	default:
		return text
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzInflate holds every decoder to its cap and to not panicking.
func FuzzInflate(f *testing.F) {
	for i, enc := range []string{"", "gzip", "deflate", "zstd", "raw"} {
		f.Add(uint8(i%4), pack(f, enc, []byte("hello hello hello")))
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
