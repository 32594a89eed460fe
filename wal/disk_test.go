package wal

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallFS is a file system of a given size.
type smallFS struct {
	vfs.FS
	size, used atomic.Int64
	broken     atomic.Bool // Create fails, and the free space is unknown
}

func newSmallFS(size int64) *smallFS {
	fs := &smallFS{FS: vfs.NewMem()}
	fs.size.Store(size)
	return fs
}

func (fs *smallFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if fs.broken.Load() {
		return vfs.DiskUsage{}, errBad
	}
	size, used := fs.size.Load(), fs.used.Load()
	return vfs.DiskUsage{TotalBytes: uint64(size), AvailBytes: uint64(size - used), UsedBytes: uint64(used)}, nil
}

func (fs *smallFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.broken.Load() {
		return nil, errBad
	}
	f, err := fs.FS.Create(name, category)
	return smallFile{f, fs}, err
}

func (fs *smallFS) Remove(name string) error {
	if info, err := fs.Stat(name); err == nil {
		fs.used.Add(-info.Size())
	}
	return fs.FS.Remove(name)
}

type smallFile struct {
	vfs.File
	fs *smallFS
}

func (f smallFile) Write(p []byte) (int, error) {
	if f.fs.used.Load()+int64(len(p)) > f.fs.size.Load() {
		return 0, syscall.ENOSPC
	}
	f.fs.used.Add(int64(len(p)))
	return f.File.Write(p)
}

// fill writes a file of n bytes.
func fill(t *testing.T, fs vfs.FS, name string, n int64) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, n)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// ballast returns the size of the ballast, -1 when there is none.
func ballast(fs vfs.FS) int64 {
	info, err := fs.Stat(ballastName)
	if err != nil {
		return -1
	}
	return info.Size()
}

func TestReserve(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name                 string
		disk, given, reserve int64
	}{
		{"chosen on a tiny disk", 100 * mib, 0, 8 * mib},
		{"chosen on a small disk", 1000 * mib, 0, 50 * mib},
		{"chosen on a large disk", 4 << 40, 0, 64 * mib},
		{"given", 1000 * mib, 3 * mib, 3 * mib},
		{"switched off", 1000 * mib, -1, 0},
		{"a disk that does not tell", 0, 3 * mib, 0},
	} {
		fs := newSmallFS(c.disk)
		d := OpenDisk(fs, "", c.given)
		free := c.disk - fs.used.Load()
		if c.reserve == 0 {
			free = 0
		}
		d.checked.Store(0)
		if d.Reserve() != c.reserve || d.Full() || d.Free() != free {
			t.Errorf("%s: a reserve of %d, want %d; full %v, %d free, want %d", c.name, d.Reserve(), c.reserve, d.Full(), d.Free(), free)
		}
	}
	if d := OpenDisk(vfs.NewMem(), "", 1); d.Reserve() != 0 || d.Full() {
		t.Errorf("in memory: a reserve of %d, full %v", d.Reserve(), d.Full())
	}
}

func TestFull(t *testing.T) {
	fs := newSmallFS(10 << 20)
	d := OpenDisk(fs, "", 2<<20)
	look := func() bool { d.checked.Store(0); return d.Full() }
	if look() {
		t.Error("full while all is free")
	}
	room := fs.size.Load() - fs.used.Load()
	fill(t, fs, "a", room-2<<20)
	if look() {
		t.Error("full while the reserve is free")
	}
	fill(t, fs, "b", 1)
	d.checked.Store(1 << 62) // just now
	if d.Full() {
		t.Error("the last answer is not used again")
	}
	if !look() {
		t.Error("not full while a byte of the reserve is taken")
	}
	fs.broken.Store(true)
	if free := d.Free(); !look() || d.Free() != free {
		t.Errorf("where the file system does not tell: full %v, %d free after %d", d.Full(), d.Free(), free)
	}
	fs.broken.Store(false)
	if err := fs.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if look() {
		t.Error("full after the file went")
	}
}

// When a write of Pebble finds no space, the ballast is removed and the write succeeds.
// The ballast comes back when it fits beside two reserves.
func TestBallast(t *testing.T) {
	const reserve = 2 << 20
	fs := newSmallFS(16 << 20)
	d := OpenDisk(fs, "", reserve)
	files := NewFS(fs, d, func(err error) { t.Errorf("failed: %v", err) }, nil)
	restore := func() int64 {
		d.checked.Store(0)
		d.RestoreBallast()
		return ballast(fs)
	}
	if got := ballast(fs); got != reserve/2 {
		t.Fatalf("a ballast of %d bytes, want %d", got, reserve/2)
	}
	room := fs.size.Load() - fs.used.Load()
	fill(t, files, "000001.sst", room)
	if got := ballast(fs); got != reserve/2 {
		t.Fatalf("a ballast of %d bytes while writes succeed", got)
	}
	fill(t, files, "000002.sst", reserve/2)
	if got := ballast(fs); got != -1 {
		t.Fatalf("a ballast of %d bytes on a full disk", got)
	}
	if got := restore(); got != -1 {
		t.Errorf("a ballast of %d bytes while the disk is full", got)
	}
	if err := fs.Remove("000001.sst"); err != nil {
		t.Fatal(err)
	}
	d.checked.Store(0)
	d.Free()
	fs.broken.Store(true)
	if got := restore(); got != -1 {
		t.Errorf("a ballast of %d bytes that cannot be made", got)
	}
	fs.broken.Store(false)
	fill(t, fs, "a", room-(2*reserve+reserve/2)+1)
	if got := restore(); got != -1 {
		t.Errorf("a ballast of %d bytes with a byte too few free", got)
	}
	if err := fs.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if got := restore(); got != reserve/2 {
		t.Errorf("a ballast of %d bytes, want %d", got, reserve/2)
	}

	// The next start keeps the ballast, and replaces one that is incomplete.
	used := fs.used.Load()
	OpenDisk(fs, "", reserve)
	if got := ballast(fs); got != reserve/2 || fs.used.Load() != used {
		t.Errorf("a ballast of %d bytes after a start, %d bytes used, want %d", got, fs.used.Load(), used)
	}
	if err := fs.Remove(ballastName); err != nil {
		t.Fatal(err)
	}
	fill(t, fs, ballastName, 1)
	OpenDisk(fs, "", reserve)
	if got := ballast(fs); got != reserve/2 {
		t.Errorf("a ballast of %d bytes after a start that found a part of it", got)
	}
}

// A ballast that finds no space is removed: it would take the space that others need.
func TestBallastWithoutSpace(t *testing.T) {
	fs := newSmallFS(16 << 20)
	d := OpenDisk(fs, "", -1)
	d.reserve = 4 << 20
	d.wanted.Store(true)
	d.avail.Store(1 << 40) // the file system claims more space than it has
	fill(t, fs, "a", 15<<20)
	d.checked.Store(1 << 62) // just now
	d.RestoreBallast()
	if got := ballast(fs); got != -1 || !d.wanted.Load() {
		t.Errorf("a ballast of %d bytes, wanted %v", got, d.wanted.Load())
	}
	if err := d.writeBallast(ballastName, 4<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the error: %v", err)
	}
}
