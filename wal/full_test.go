package wal

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// countedFS tells how many files it can hold.
type countedFS struct {
	*smallFS
	left atomic.Int64
}

func (fs *countedFS) CountFiles(string) (total, free int64, ok bool) {
	return 10_000, fs.left.Load(), true
}

// Few files are a full disk, however many bytes are free.
func TestFilesAreSpace(t *testing.T) {
	fs := &countedFS{smallFS: newSmallFS(1 << 30)}
	fs.left.Store(filesMax)
	d := OpenDisk(fs, "", 0)
	look := func() bool { d.checked.Store(0); return d.Full() }
	if look() || !d.RoomToStart(0) {
		t.Error("full while enough files can be made")
	}
	if fs.left.Store(filesMax - 1); !look() || !d.Room(1) || !d.RoomToStart(0) {
		t.Error("not full while few files can be made, or nothing can be made any more")
	}
	if fs.left.Store(0); !look() || d.Room(1) || d.RoomToStart(0) {
		t.Error("not full while no file can be made")
	}
}

// The reserve is never less than what background work has claimed.
func TestClaims(t *testing.T) {
	fs := newSmallFS(100 << 20)
	d := OpenDisk(fs, "", 8<<20)
	d.Claim(5 << 20)
	if d.Reserve() != 8<<20 || d.Full() {
		t.Errorf("a small claim: a reserve of %d, full %v", d.Reserve(), d.Full())
	}
	d.Claim(200 << 20)
	if d.Reserve() != 205<<20 || !d.Full() {
		t.Errorf("a claim over all space: a reserve of %d, full %v", d.Reserve(), d.Full())
	}
	d.Claim(-205 << 20)
	if d.Reserve() != 8<<20 || d.Full() {
		t.Errorf("no claims: a reserve of %d, full %v", d.Reserve(), d.Full())
	}
	if d := OpenDisk(vfs.NewMem(), "", 0); d.Reserve() != 0 || d.Full() || !d.Room(1<<40) {
		t.Errorf("a disk that is not checked has a reserve of %d, is full %v", d.Reserve(), d.Full())
	}
}

// A write of the log or of the manifest waits for space, in bytes or for a new file. Nothing
// fails. A table fails at once.
func TestLogWaitsForSpace(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	}))
	d := OpenDisk(fs, "", 0)
	files := NewFS(fs, d, func(err error) { t.Errorf("failed: %v", err) }, nil)
	files.Arm()
	full.Store(true)
	if _, err := files.Create("000003.sst", vfs.WriteCategoryUnspecified); !NoSpace(err) {
		t.Errorf("a table: %v", err)
	}
	for i, name := range []string{"000001.log", "MANIFEST-000002", "marker.manifest.000001.MANIFEST-000002", "000004.log", "MANIFEST-000005"} {
		if i == 3 {
			files.End() // they go on waiting while the store closes
		}
		opened := make(chan vfs.File)
		full.Store(true)
		stuck := d.WhenStuck()
		go func() {
			f, err := files.Create(name, vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Error(err)
			}
			opened <- f
		}()
		<-stuck
		if !d.Stuck() || !d.Full() {
			t.Errorf("%s: nobody sees that it waits", name)
		}
		full.Store(false)
		f := <-opened
		full.Store(true)
		written := make(chan error)
		stuck = d.WhenStuck()
		go func() {
			_, err := f.Write([]byte("text"))
			written <- err
		}()
		<-stuck
		full.Store(false)
		if err := <-written; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := fs.Stat(name); err != nil || info.Size() != 4 {
			t.Errorf("%s has %v, %v", name, info, err)
		}
		if d.Stuck() {
			t.Errorf("%s: it waits although there is space", name)
		}
	}
	if _, err := files.Create("000006.sst", vfs.WriteCategoryUnspecified); !errors.Is(err, ErrEnding) {
		t.Errorf("a table while the store closes: %v", err)
	}
}
