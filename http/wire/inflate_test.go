package wire

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

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

// Large bodies of clients without a secret are decoded in places of their own. While one waits
// for its place, it holds nothing beyond the body as it came, and everybody else goes on.
func TestLargeBodiesWait(t *testing.T) {
	const budget = 32 << 20
	small, large := strings.Repeat("s", inflateSmall), strings.Repeat("l", 1<<20)
	zipSmall, zipLarge := testkit.Pack(t, "gzip", []byte(small)), testkit.Pack(t, "gzip", []byte(large))
	f := NewInflater()
	b := &Budget{}
	b.Set(budget)
	shares := NewShares(budget)
	inflate := func(in []byte, share *Share) (string, error) {
		out := &Buffer{Budget: b, Share: share}
		defer out.Release()
		err := f.Inflate(gzipped, in, out, 4<<20)
		return string(out.B), err
	}
	stranger := func() *Share {
		share := shares.Of(netip.Addr{})
		return &share
	}

	for range cap(f.large) {
		f.large <- struct{}{}
	}
	waited := make(chan error, 1)
	go func() {
		got, err := inflate(zipLarge, stranger())
		if err == nil && got != large {
			err = fmt.Errorf("%d bytes", len(got))
		}
		waited <- err
	}()
	for range 2 * cap(f.slots) {
		if got, err := inflate(zipSmall, stranger()); err != nil || got != small {
			t.Fatalf("a small body of a stranger: %d bytes, %v", len(got), err)
		}
		if got, err := inflate(zipLarge, nil); err != nil || got != large {
			t.Fatalf("a large body of a client with a secret: %d bytes, %v", len(got), err)
		}
	}
	select {
	case err := <-waited:
		t.Fatalf("a large body of a stranger did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if left := b.Available(); left != budget {
		t.Errorf("a body that waits holds %d bytes", budget-left)
	}
	for range cap(f.large) {
		<-f.large
	}
	if err := <-waited; err != nil {
		t.Errorf("a large body of a stranger: %v", err)
	}

	// What a body may become is charged before it is decoded.
	others := stranger()
	if !others.take(shares.openMax - 1<<20) {
		t.Fatal("no share")
	}
	if _, err := inflate(zipLarge, stranger()); err != ErrBodyShare {
		t.Errorf("a body that may take more than is left: %v", err)
	}
	if got, err := inflate(zipSmall, stranger()); err != nil || got != small {
		t.Errorf("a small body, where little is left: %d bytes, %v", len(got), err)
	}
	others.give(others.held)
	if left := b.Available(); left != budget || shares.open != 0 {
		t.Errorf("%d bytes of the budget and %d of the share are not given back", budget-left, shares.open)
	}
}
