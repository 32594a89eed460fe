package wal

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readAll returns the bytes of a file; writeAll replaces them.
func readAll(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeAll(t testing.TB, fs vfs.FS, path string, data []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	// In race builds Pebble's file system overwrites what it is given.
	if _, err := f.Write(slices.Clone(data)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// The two files are written in turn. When one is torn or lost, the mark of the other is
// used.
func TestHWMSlots(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("d", 0o755); err != nil {
		t.Fatal(err)
	}
	mark := func() uint64 {
		t.Helper()
		h, err := ReadHighWaterMark(fs, "d")
		if err != nil {
			t.Fatal(err)
		}
		return h.events
	}
	if got := mark(); got != 0 {
		t.Fatalf("a new directory has mark %d", got)
	}
	h, err := ReadHighWaterMark(fs, "d")
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range []uint64{10, 10, 9, 20, 30} { // 10 and 9 again write nothing
		if err := h.Write(events); err != nil {
			t.Fatal(err)
		}
	}
	if got := mark(); got != 30 || h.counter != 3 {
		t.Fatalf("mark %d after %d writes", got, h.counter)
	}
	newest, other := "d/"+hwmName(h.counter), "d/"+hwmName(h.counter+1)
	good := readAll(t, fs, newest)
	for i := range good {
		writeAll(t, fs, newest, good[:i])
		if got := mark(); got != 20 {
			t.Fatalf("newest slot torn at %d: mark %d", i, got)
		}
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[i] ^= 1 << bit
			writeAll(t, fs, newest, bad)
			if got := mark(); got != 20 {
				t.Fatalf("newest slot with bit %d of byte %d flipped: mark %d", bit, i, got)
			}
		}
	}
	writeAll(t, fs, newest, append(slices.Clone(good), 0))
	if got := mark(); got != 20 {
		t.Fatalf("newest slot with a byte more: mark %d", got)
	}
	// The next write goes to the torn file and is valid.
	again, err := ReadHighWaterMark(fs, "d")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Write(25); err != nil {
		t.Fatal(err)
	}
	if got := mark(); got != 25 {
		t.Fatalf("mark %d after a write over a torn slot", got)
	}
	if err := fs.Remove(newest); err != nil {
		t.Fatal(err)
	}
	if got := mark(); got != 20 {
		t.Fatalf("newest slot lost: mark %d", got)
	}
	if err := fs.Remove(other); err != nil {
		t.Fatal(err)
	}
	if got := mark(); got != 0 {
		t.Fatalf("both slots lost: mark %d", got)
	}
}

// A full disk tears one file again and again. The other one keeps its mark.
func TestHWMOnAFullDisk(t *testing.T) {
	fs := newSmallFS(1 << 10)
	h, err := ReadHighWaterMark(fs, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range []uint64{10, 20} {
		if err := h.Write(events); err != nil {
			t.Fatal(err)
		}
	}
	fs.size.Store(fs.used.Load())
	for events := range uint64(4) {
		if err := h.Write(30 + events); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("written on a full disk: %v", err)
		}
		if again, err := ReadHighWaterMark(fs, ""); err != nil || again.Events() != 20 {
			t.Fatalf("after %d failed writes: mark %d, %v", events+1, again.Events(), err)
		}
	}
	fs.size.Store(1 << 10)
	if err := h.Write(40); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadHighWaterMark(fs, ""); err != nil || again.Events() != 40 {
		t.Fatalf("mark %d after a write with space, %v", again.Events(), err)
	}
}

// A mark that may not be on the disk does not count: the next write tries again.
func TestHWMWithoutSync(t *testing.T) {
	h, err := ReadHighWaterMark(noDirFS{vfs.NewMem()}, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Write(10); !errors.Is(err, errBad) || h.Events() != 0 {
			t.Errorf("%d events marked, %v", h.Events(), err)
		}
	}
}
